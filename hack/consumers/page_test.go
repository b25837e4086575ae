package consumers

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const (
	page  = "../../docs/consumers.md"
	suite = "../../testdata/"
)

// object is a Kubernetes object as it is decoded from JSON.
type object = map[string]any

// block is a fenced block of the page: the first in a language under a heading.
func block(t *testing.T, heading, language string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	code := regexp.MustCompile("(?s)\n```" + language + "\n(.*?)\n```").FindStringSubmatch(section)
	if !found || code == nil {
		t.Fatalf("%s has no %s under %q", page, language, heading)
	}
	return code[1]
}

// yamlOf decodes a block strictly enough that a member named twice is an error.
func yamlOf(t *testing.T, heading string, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(block(t, heading, "yaml")), into, yaml.DisallowUnknownFields); err != nil {
		t.Fatal(err)
	}
}

// golden is a case of the golden suite.
type golden struct {
	Name  string
	Group string
	Files struct{ Job, Condition string }
}

// goldens are the cases that say which Job they are about, and all that they say of it.
func goldens(t *testing.T) []golden {
	t.Helper()
	var index struct{ Cases []golden }
	load(t, "index.json", &index)
	if len(index.Cases) < 250 {
		t.Fatalf("%d cases", len(index.Cases))
	}
	return index.Cases
}

func load(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(suite + name)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// job is the case's Job before it has a report, with more conditions; condition is
// the report's.
func (g golden) job(t *testing.T, more ...object) (job, condition object) {
	t.Helper()
	load(t, g.Files.Job, &job)
	load(t, g.Files.Condition, &condition)
	status, _ := job["status"].(object)
	if status == nil {
		status = object{}
		job["status"] = status
	}
	conditions, _ := status["conditions"].([]any)
	for _, c := range more {
		conditions = append(conditions, c)
	}
	status["conditions"] = conditions
	return job, condition
}

// report has the Job carry a condition, the first of all, as the API server puts it.
func report(job, condition object) {
	status := job["status"].(object)
	status["conditions"] = append([]any{condition}, status["conditions"].([]any)...)
}

func condition(kind, status, message string) object {
	return object{"type": kind, "status": status, "reason": kind + "Reason", "message": message}
}
