package consumers

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"sigs.k8s.io/yaml"
)

// rules writes the groups of the page's PrometheusRule to a file as Prometheus reads
// them, and returns its directory.
func rules(t *testing.T) string {
	t.Helper()
	var rule struct {
		APIVersion, Kind string
		Metadata         struct{ Name string }
		Spec             struct {
			Groups []any `json:"groups"`
		}
	}
	yamlOf(t, "kube-state-metrics and Prometheus", &rule)
	if rule.APIVersion != "monitoring.coreos.com/v1" || rule.Kind != "PrometheusRule" {
		t.Fatalf("%+v", rule)
	}
	data, err := yaml.Marshal(map[string]any{"groups": rule.Spec.Groups})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "rules.yaml"), data)
	return dir
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestRules: what promtool makes of the rules, in the time of its own.
func TestRules(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("NOT TESTED, there is no promtool: the rules of docs/consumers.md")
	}
	dir := rules(t)
	cases, err := os.ReadFile("testdata/rules-test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "rules-test.yaml"), cases)
	for _, args := range [][]string{{"check", "rules", "rules.yaml"}, {"test", "rules", "rules-test.yaml"}} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

// TestLabelIsTheOneThatIsShown: kube-state-metrics makes a metric's label of the
// Job's, in which all that is no letter and no digit is an underscore.
func TestLabelIsTheOneThatIsShown(t *testing.T) {
	flags := regexp.MustCompile(`--metric-labels-allowlist='?jobs=\[([^],]+)\]'?$`).FindStringSubmatch(block(t, "kube-state-metrics and Prometheus", "sh"))
	if flags == nil {
		t.Fatal("no flag for the label")
	}
	want := "label_" + regexp.MustCompile(`[^a-zA-Z0-9]`).ReplaceAllString(flags[1], "_")
	used := regexp.MustCompile(`\blabel_\w+`).FindAllString(block(t, "kube-state-metrics and Prometheus", "yaml"), -1)
	if len(used) != 2 {
		t.Errorf("the rules use %q", used)
	}
	for _, got := range used {
		if got != want {
			t.Errorf("the rules use %s, and the flag shows %s", got, want)
		}
	}
}
