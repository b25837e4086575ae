package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "result.json")
	env := map[string]string{"RESULTS_PATH": path}
	for _, tt := range []struct {
		name, stdin string
		env         map[string]string
		args        []string
		want        string
	}{
		{"status alone", "", env, []string{"-status", "success"}, `{"status":"success"}`},
		{"all", `{"used": 24}`, env, []string{"-status=failure", "-reason", "QuotaExceeded", "-message", `say "24" <of> 24`, "-details", "-"},
			`{"status":"failure","reason":"QuotaExceeded","message":"say \"24\" <of> 24","details":{"used":24}}`},
		{"path", "", map[string]string{"RESULTS_PATH": "/no/such/directory/file"}, []string{"-status", "success", "-path", path}, `{"status":"success"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := runCommand(tt.stdin, tt.env, append([]string{"write"}, tt.args...)...)
			if diff := cmp.Diff(ran{}, r); diff != "" {
				t.Errorf("run (-want +got):\n%s", diff)
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want+"\n", string(got)); diff != "" {
				t.Errorf("file (-want +got):\n%s", diff)
			}
			info, err := os.Stat(path)
			if err != nil || info.Mode() != 0o644 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
		})
	}
}

func TestWriteDetails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "result.json")
	for details, want := range map[string]string{
		"{'used': 24}": "status-reporter write: -details -: not valid JSON: invalid character '\\'' looking for beginning of object key string\n",
		"":             "status-reporter write: -details -: not valid JSON: unexpected end of JSON input\n",
		strings.Repeat(" ", contract.MaxFileSize) + "1":          "status-reporter write: larger than 1048576 bytes\n",
		`"` + strings.Repeat("x", contract.MaxFileSize-20) + `"`: "status-reporter write: result: larger than 1048576 bytes\n",
	} {
		r := runCommand(details, nil, "write", "-status", "success", "-path", path, "-details", "-")
		if diff := cmp.Diff(ran{1, "", want}, r); diff != "" {
			t.Errorf("%.20q (-want +got):\n%s", details, diff)
		}
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("something was written")
	}
}
