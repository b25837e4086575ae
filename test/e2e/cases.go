package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

const (
	reporterName  = "status-reporter"
	misconfigured = 78 // its exit code
)

// entry is a case as index.json has it.
type entry struct {
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Env         map[string]string `json:"env,omitempty"`     // for the reporter
	Do          string            `json:"do,omitempty"`      // once the adapter has said "ready", see playing.do
	Within      float64           `json:"within,omitempty"`  // seconds from the adapter's last "now" to the report; 0: no limit
	Endless     bool              `json:"endless,omitempty"` // the Job does not end by itself
	ExitCode    int               `json:"exitCode"`          // of the last Pod's reporter

	Deployed    bool   `json:"deployed,omitempty"`    // podFailurePolicy and backoffLimit are those of deploy/
	Ends        string `json:"ends,omitempty"`        // Complete, or Failed and its reason, after the last condition; empty: not looked at
	SidecarEnds string `json:"sidecarEnds,omitempty"` // the same as a native sidecar, where it differs
	Cron        bool   `json:"cron,omitempty"`        // a CronJob's Job: lastSuccessfulTime is set where it is Complete
	Indexed     bool   `json:"indexed,omitempty"`     // each index has a condition of its own, in no order

	Restarts     int32 `json:"restarts,omitempty"`     // of the last Pod's reporter
	SidecarLast  bool  `json:"sidecarLast,omitempty"`  // the Job's own init containers are done before the reporter starts
	SidecarFirst bool  `json:"sidecarFirst,omitempty"` // as a native sidecar alone, before the Job's own init containers
	Needs        needs `json:"needs,omitzero"`
}

// form is a way in which the reporter gets into a Job.
type form struct {
	suffix   string // of the cases' names
	manifest string // in deploy/; empty: the policy of deploy/inject puts it there
	sidecar  bool   // it is a native sidecar
	needs    needs
}

var (
	forms = []form{
		{"", "job.yaml", false, needs{}},
		{"-sidecar", "job-native-sidecar.yaml", true, needs{"native sidecars", 29}},
	}
	injection = form{"-injected", "", true, needs{"MutatingAdmissionPolicy", 36}}
)

// testCase is one Job to run.
type testCase struct {
	entry
	form
	job  *batchv1.Job
	want conditions // in this order, and no other
}

func (c testCase) String() string { return c.Name + c.suffix }

func (c testCase) injected() bool { return c.manifest == "" }

func (c testCase) limit() time.Duration { return time.Duration(c.Within * float64(time.Second)) }

// condition is what a Job must carry, times aside. In a golden message "*"
// stands for any text: some of it is the container runtime's.
type condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

func (want condition) matches(got condition) bool {
	return want.Type == got.Type && want.Status == got.Status && want.Reason == got.Reason && glob(want.Message, got.Message)
}

func glob(pattern, text string) bool {
	first, rest, more := strings.Cut(pattern, "*")
	if !more {
		return text == pattern
	}
	text, ok := strings.CutPrefix(text, first)
	for ok && !glob(rest, text) {
		if ok = text != ""; ok {
			text = text[1:]
		}
	}
	return ok
}

// load reads the cases, each with the reporter as a container and as a native
// sidecar, or injected, and puts the reporter beside the adapters.
func load(o options) (cases []testCase, err error) {
	var index struct{ Cases []entry }
	if err := readJSON(filepath.Join(o.cases, "index.json"), &index); err != nil {
		return nil, err
	}
	images := strings.NewReplacer("<status-reporter-image>", o.image, "<adapter-image>", o.adapterImage)
	all := forms
	if o.inject {
		all = []form{injection}
	}
	for _, f := range all {
		put := (*testCase).label
		if f.manifest != "" {
			deployed, err := readJob(filepath.Join(o.deploy, f.manifest), images)
			if err != nil {
				return nil, err
			}
			put = func(c *testCase) error { return c.graft(deployed) }
		}
		for _, e := range index.Cases {
			c := testCase{entry: e, form: f}
			if !o.only.MatchString(c.String()) || c.SidecarFirst && !f.sidecar {
				continue
			}
			if err := errors.Join(c.read(o.cases, images), put(&c)); err != nil {
				return nil, fmt.Errorf("%s: %w", c, err)
			}
			cases = append(cases, c)
		}
	}
	if len(cases) == 0 {
		return nil, errors.New("no such case")
	}
	return cases, nil
}

// read reads the case's Job and the conditions that it must carry. A sidecar's
// may differ.
func (c *testCase) read(dir string, images *strings.Replacer) (err error) {
	if c.job, err = readJob(filepath.Join(dir, c.Name+".job.yaml"), images); err != nil {
		return err
	}
	c.job.Name = c.String()
	for i := range c.job.Spec.Template.Spec.Volumes { // two Jobs must not share a directory of the node
		if h := c.job.Spec.Template.Spec.Volumes[i].HostPath; h != nil {
			h.Path = filepath.Join(h.Path, c.job.Name)
		}
	}
	err = error(fs.ErrNotExist)
	if c.sidecar {
		err = readJSON(filepath.Join(dir, c.Name+".sidecar.condition.json"), &c.want)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = readJSON(filepath.Join(dir, c.Name+".condition.json"), &c.want)
	}
	return err
}

// conditions are one or, in order, several.
type conditions []condition

func (c *conditions) UnmarshalJSON(data []byte) error {
	if !bytes.HasPrefix(data, []byte("[")) {
		data = slices.Concat([]byte("["), data, []byte("]"))
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return dec.Decode((*[]condition)(c))
}

func readJSON(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func readJob(path string, images *strings.Replacer) (*batchv1.Job, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	job := &batchv1.Job{}
	if err := yaml.UnmarshalStrict([]byte(images.Replace(string(data))), job); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return job, nil
}

// label asks for the reporter, and leaves the Job without all that comes with it.
func (c *testCase) label() error {
	if c.job == nil {
		return nil // it could not be read
	}
	c.job.Labels = map[string]string{"status-reporter/inject": "true"}
	pod := &c.job.Spec.Template.Spec
	for i := range pod.Containers {
		pod.Containers[i].VolumeMounts = slices.DeleteFunc(pod.Containers[i].VolumeMounts, func(m corev1.VolumeMount) bool {
			return !slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name })
		})
	}
	return nil
}

// graft takes the reporter out of a Job as users deploy it, with all that it
// needs of its Pod, and puts it beside the case's adapter, which gets the
// deployed adapter's rights, as its init containers do. What the case itself has
// of this is kept.
func (c *testCase) graft(deployed *batchv1.Job) error {
	if c.job == nil {
		return nil // it could not be read
	}
	from, to := &deployed.Spec.Template.Spec, &c.job.Spec.Template.Spec
	list, into := from.Containers, &to.Containers
	if c.sidecar {
		list, into = from.InitContainers, &to.InitContainers
	}
	isReporter := func(c corev1.Container) bool { return c.Name == reporterName }
	i := slices.IndexFunc(list, isReporter)
	if i < 0 {
		return fmt.Errorf("no container %s", reporterName)
	}
	reporter := *list[i].DeepCopy()
	reporter.ImagePullPolicy = corev1.PullIfNotPresent
	c.setEnv(&reporter)
	if c.Deployed {
		c.job.Spec.PodFailurePolicy, c.job.Spec.BackoffLimit = deployed.Spec.PodFailurePolicy, deployed.Spec.BackoffLimit
	}
	if adapter := slices.IndexFunc(from.Containers, func(c corev1.Container) bool { return !isReporter(c) }); adapter >= 0 {
		for _, theirs := range [][]corev1.Container{to.InitContainers, to.Containers} {
			for i := range theirs {
				theirs[i].SecurityContext = cmp.Or(theirs[i].SecurityContext, from.Containers[adapter].SecurityContext)
			}
		}
	}
	if c.SidecarFirst {
		*into = slices.Insert(*into, 0, reporter)
	} else {
		*into = append(*into, reporter)
	}
	for _, v := range from.Volumes {
		mounted := slices.ContainsFunc(reporter.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == v.Name })
		own := slices.ContainsFunc(to.Volumes, func(has corev1.Volume) bool { return has.Name == v.Name })
		if mounted && !own {
			to.Volumes = append(to.Volumes, v)
		}
	}
	to.SecurityContext = from.SecurityContext
	to.ServiceAccountName, to.AutomountServiceAccountToken = from.ServiceAccountName, from.AutomountServiceAccountToken
	to.TerminationGracePeriodSeconds = cmp.Or(to.TerminationGracePeriodSeconds, from.TerminationGracePeriodSeconds)
	return nil
}

// indexPath is where a Pod's index is.
const indexPath = "metadata.labels['batch.kubernetes.io/job-completion-index']"

// setEnv gives the reporter the case's variables. INDEX comes before those that name it.
func (c *testCase) setEnv(reporter *corev1.Container) {
	if c.Indexed {
		reporter.Env = append(reporter.Env, corev1.EnvVar{Name: "INDEX", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: indexPath}}})
	}
	for name, value := range c.Env {
		reporter.Env = slices.DeleteFunc(reporter.Env, func(e corev1.EnvVar) bool { return e.Name == name })
		reporter.Env = append(reporter.Env, corev1.EnvVar{Name: name, Value: value})
	}
}

// ends is the Job's end as the case wants it.
func (c *testCase) ends() string {
	if c.sidecar && c.SidecarEnds != "" {
		return c.SidecarEnds
	}
	return c.Ends
}
