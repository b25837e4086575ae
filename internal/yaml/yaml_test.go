package yaml_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	decoder "k8s.io/apimachinery/pkg/util/yaml"

	"github.com/openshift-hyperfleet/status-reporter/internal/yaml"
)

func TestMarshal(t *testing.T) {
	got, err := yaml.Marshal(map[string]any{
		"kind": "Job",
		"status": map[string]any{
			"active": 1, "ratio": 1.5, "ready": true, "selector": map[string]any{}, "none": nil, "items": []string{},
			"conditions": []any{
				map[string]string{"type": "Available", "status": "True", "message": "one: two", "lastProbeTime": "2026-01-15T09:00:00Z"},
				map[string]string{"uid": "64e5fe2e-30e0-e612-b19a-766508eb464e", "message": "line\n  line"},
				map[string]any{"nested": []any{"a", []any{"b", map[string]any{}}}},
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `kind: Job
status:
  active: 1
  conditions:
  - lastProbeTime: "2026-01-15T09:00:00Z"
    message: 'one: two'
    status: "True"
    type: Available
  - message: |-
      line
        line
    uid: 64e5fe2e-30e0-e612-b19a-766508eb464e
  - nested:
    - a
    -
      - b
      - {}
  items: []
  none: null
  ratio: 1.5
  ready: true
  selector: {}
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestMarshalStrings reads back what strings become.
func TestMarshalStrings(t *testing.T) {
	for _, s := range []string{
		"", "plain", "two words", "a:b", "a: b", "a:", "# no comment", "a #b", "a#b", "- a", "-a", "? a", "-", "?", ":", "'", `"`, "it's", `say "so"`,
		"true", "Yes", "NO", "on", "null", "~", "~a", "<<", "=", "12", "-1", "+1", ".5", "1e3", "0x1F", "0o17", "1_000", "12:30:45", "2026-01-15", "2026-1-5 10:00:00", "0 of 3", "1e3f-2", "...",
		".inf", ".NaN", "[a]", "{a}", "a, b", "*a", "&a", "!a", "%a", "@a", "`a", "|", ">", " a", "a ", "a\tb", "\ta", "a\nb", "a\n\nb", "a\n b", " a\nb", "\na", "a\n", "a\r\nb",
		"a \nb", "a\t\nb", "a\\b", `\`, "\u0000", "\u001b[31m", "\u0085", "\u2028", "\u202e", "\u00a0", "\ufeff", "\ufffd", "é", "日本", "😀", "\U000e0001", "---", "--- a",
		strings.Repeat("long ", 300) + "end",
	} {
		for _, v := range []any{s, []any{s}, map[string]any{"k": s}, map[string]any{"k": []any{map[string]any{"j": s}}}, map[string]any{s[:min(len(s), 99)]: 1}} {
			data, err := yaml.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			var got any
			if err := decoder.Unmarshal(data, &got); err != nil {
				t.Errorf("%q as %T: %v in\n%s", s, v, err, data)
				continue
			}
			if diff := cmp.Diff(jsonOf(t, v), jsonOf(t, got)); diff != "" {
				t.Errorf("%q as %T (-want +got):\n%s\nin\n%s", s, v, diff, data)
			}
		}
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestMarshalFails(t *testing.T) {
	if _, err := yaml.Marshal(func() {}); err == nil {
		t.Error("no error")
	}
}
