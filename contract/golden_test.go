package contract_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/testdata/suite"
)

var update = flag.Bool("update", false, "rewrite testdata/contract/*.condition.json with what Parse makes of the inputs")

const suiteDir = "../testdata"

// TestGolden runs every result file of the golden suite through Parse.
func TestGolden(t *testing.T) {
	for _, c := range suite.Load(t, suite.Contract) {
		t.Run(c.Name, func(t *testing.T) {
			r, err := contract.Parse(c.Input)
			got := encode(t, condition(r, err))
			path := filepath.Join(suiteDir, c.Files.Condition)
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("condition (-want +got):\n%s", diff)
			}
		})
	}
}

// TestGoldenFileWins runs the result files of the container cases through
// Parse: where the condition is the adapter's own, it is the file's.
func TestGoldenFileWins(t *testing.T) {
	for _, c := range suite.Load(t, suite.Containers) {
		if c.Input == nil {
			continue
		}
		r, err := contract.Parse(c.Input)
		got := condition(r, err)
		switch {
		case err == nil && got != c.Condition:
			t.Errorf("%s: the valid file makes %+v, the case expects %+v", c, got, c.Condition)
		case err != nil && c.Condition.Reason == contract.ReasonInvalidResultFormat && got != c.Condition:
			t.Errorf("%s: the invalid file makes %+v, the case expects %+v", c, got, c.Condition)
		}
	}
}

func condition(r contract.Result, err error) suite.Condition {
	o := r.Outcome()
	if err != nil {
		o = contract.InvalidFormat(err)
	}
	return suite.Condition{Type: contract.DefaultConditionType, Status: string(o.Status), Reason: o.Reason, Message: o.Message}
}

// encode is the form of the suite's JSON files.
func encode(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
