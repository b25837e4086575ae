// Package suite reads the golden suite: what an adapter did, and the condition
// that its Job must get. ../README.md describes the files.
package suite

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/openshift-hyperfleet/status-reporter/testdata"
)

// The groups of cases.
const (
	Contract   = "contract"   // one result file each; the adapter has exited with 0
	Containers = "containers" // what the Pod looks like when the adapter has ended, or time is up
	Config     = "config"     // the reporter's own environment is wrong
)

// Trigger is what makes the reporter report. Everything the case holds is in
// place before the reporter starts.
type Trigger string

// The triggers.
const (
	File     Trigger = "file"     // the result file
	Pod      Trigger = "pod"      // the state of the Pod
	Deadline Trigger = "deadline" // MAX_WAIT_TIME_SECONDS pass
	Stop     Trigger = "stop"     // SIGTERM, once the reporter has read the Pod
	Gone     Trigger = "gone"     // the Pod is deleted from the API, once the reporter has read it
	Start    Trigger = "start"    // nothing: the reporter cannot start
)

// Condition is what the Job must carry, times aside.
type Condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Message string `json:"message,omitempty"` // empty in group config: see Case.Names
}

// Files are the paths of a case's files within the suite.
type Files struct {
	Input     string `json:"input,omitempty"`
	Pod       string `json:"pod"`
	Job       string `json:"job"`
	Condition string `json:"condition"`
}

// Case is one entry of the index with its files read.
type Case struct {
	Name          string            `json:"name"`
	Group         string            `json:"group"`
	Description   string            `json:"description"`
	Rule          string            `json:"rule"` // a rule of README.md
	Files         Files             `json:"files"`
	Trigger       Trigger           `json:"trigger"`
	Env           map[string]string `json:"env,omitempty"`           // for the reporter, beside what its Pod gives it
	Labels        map[string]string `json:"labels,omitempty"`        // that the Job must carry
	Names         []string          `json:"names,omitempty"`         // variables that the message names (group config)
	NativeSidecar bool              `json:"nativeSidecar,omitempty"` // after its report the reporter stays until SIGTERM
	ExitCode      int               `json:"exitCode"`                // of the reporter

	Input     []byte    `json:"-"` // the result file; nil where there is none
	Pod       []byte    `json:"-"` // JSON
	Job       []byte    `json:"-"` // JSON
	Condition Condition `json:"-"`
}

// String is the name that is unique in the suite: group/name.
func (c Case) String() string { return c.Group + "/" + c.Name }

// Want is the condition of a run whose RESULTS_PATH is path.
func (c Case) Want(path string) Condition {
	w := c.Condition
	w.Message = strings.ReplaceAll(w.Message, "/results/adapter-result.json", path)
	return w
}

// Index is index.json.
type Index struct {
	Version string `json:"version"` // of the suite; semantic
	Schema  string `json:"schema"`  // path of the JSON Schema
	Cases   []Case `json:"cases"`
}

// Read reads the index and all files that it names.
func Read() (Index, error) {
	var index Index
	if err := unmarshal("index.json", &index); err != nil {
		return index, err
	}
	for i := range index.Cases {
		if err := index.Cases[i].read(); err != nil {
			return index, fmt.Errorf("%s: %w", index.Cases[i], err)
		}
	}
	return index, nil
}

// Load returns the cases of the groups named, or of all.
func Load(tb testing.TB, groups ...string) []Case {
	tb.Helper()
	index, err := Read()
	if err != nil {
		tb.Fatalf("golden suite: %v", err)
	}
	if len(groups) == 0 {
		return index.Cases
	}
	var cases []Case
	for _, c := range index.Cases {
		for _, g := range groups {
			if c.Group == g {
				cases = append(cases, c)
			}
		}
	}
	if len(cases) == 0 {
		tb.Fatalf("golden suite: no case in groups %v", groups)
	}
	return cases
}

func (c *Case) read() (err error) {
	if c.Files.Input != "" {
		data, err := fs.ReadFile(testdata.FS, c.Files.Input)
		if err != nil {
			return err
		}
		c.Input = append([]byte{}, data...) // never nil: an empty file is a file
	}
	if c.Pod, err = fs.ReadFile(testdata.FS, c.Files.Pod); err != nil {
		return err
	}
	if c.Job, err = fs.ReadFile(testdata.FS, c.Files.Job); err != nil {
		return err
	}
	return unmarshal(c.Files.Condition, &c.Condition)
}

func unmarshal(name string, into any) error {
	data, err := fs.ReadFile(testdata.FS, name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
