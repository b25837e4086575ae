package consumers

import (
	"testing"

	"k8s.io/client-go/util/jsonpath"
)

// work is as much of a ManifestWork as the page shows.
type work struct {
	APIVersion, Kind string
	Metadata         struct{ Name, Namespace string }
	Spec             struct {
		ManifestConfigs []struct {
			ResourceIdentifier struct{ Group, Resource, Namespace, Name string }
			FeedbackRules      []struct {
				Type      string
				JSONPaths []struct{ Name, Path string } `json:"jsonPaths"`
			}
		}
	}
}

// feedback is what the work agent sends to the hub: it takes one string, number or
// boolean a path, and nothing where there is none.
func feedback(t *testing.T, job object) map[string]any {
	t.Helper()
	var w work
	yamlOf(t, "Open Cluster Management", &w)
	c := w.Spec.ManifestConfigs[0]
	if c.ResourceIdentifier.Group != "batch" || c.ResourceIdentifier.Resource != "jobs" || c.FeedbackRules[0].Type != "JSONPaths" {
		t.Fatalf("%+v", c)
	}
	values := map[string]any{}
	for _, p := range c.FeedbackRules[0].JSONPaths {
		j := jsonpath.New(p.Name).AllowMissingKeys(true)
		if err := j.Parse("{" + p.Path + "}"); err != nil {
			t.Fatalf("%s: %v", p.Name, err)
		}
		results, err := j.FindResults(job)
		if err != nil {
			t.Fatalf("%s: %v", p.Name, err)
		}
		if len(results) == 0 || len(results[0]) == 0 {
			continue
		}
		if len(results) > 1 || len(results[0]) > 1 {
			t.Fatalf("%s: %d values", p.Name, len(results[0]))
		}
		values[p.Name] = results[0][0].Interface()
	}
	return values
}

// TestFeedback: each golden Job's condition arrives whole, and so does whether the Job
// is over, and the annotation.
func TestFeedback(t *testing.T) {
	for _, g := range goldens(t) {
		for _, over := range []string{"", "Complete", "Failed"} {
			var more []object
			if over != "" {
				more = append(more, condition(over, "True", "over"))
			}
			job, c := g.job(t, more...)
			c["type"] = "Available"
			if c["message"] == nil {
				c["message"] = "any"
			}
			report(job, c)
			job["metadata"].(object)["annotations"] = object{"example.com/details": `{"v":1}`, "example.com": "another"}
			want := map[string]any{"outcome": c["status"], "reason": c["reason"], "message": c["message"], "details": `{"v":1}`}
			switch over {
			case "Complete":
				want["complete"] = "True"
			case "Failed":
				want["failed"] = "True"
			}
			got := feedback(t, job)
			if len(got) != len(want) {
				t.Errorf("%s/%s: %v, want %v", g.Group, g.Name, got, want)
			}
			for name := range want {
				if got[name] != want[name] {
					t.Errorf("%s/%s: %s is %q, want %q", g.Group, g.Name, name, got[name], want[name])
				}
			}
		}
	}
	if got := feedback(t, object{"metadata": object{}, "status": object{}}); len(got) != 0 {
		t.Errorf("a Job without a report: %v", got)
	}
}
