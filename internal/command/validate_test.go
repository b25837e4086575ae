package command

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/testdata/suite"
)

// ran is what a command gave.
type ran struct {
	Code           int
	Stdout, Stderr string
}

func runCommand(stdin string, env map[string]string, args ...string) ran {
	var stdout, stderr bytes.Buffer
	code := Run(args, Process{
		Getenv: func(name string) string { return env[name] },
		Stdin:  strings.NewReader(stdin), Stdout: &stdout, Stderr: &stderr,
		Build: Build{Version: "v1.2.3"},
	})
	return ran{code, stdout.String(), stderr.String()}
}

func TestValidate(t *testing.T) {
	const valid, invalid = `{"status": "success", "reason": " Done"}`, "{\n  \"status\": \"Done\"\n}"
	file := filepath.Join(t.TempDir(), "result.json")
	if err := os.WriteFile(file, []byte(invalid), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, stdin string
		args        []string
		want        ran
	}{
		{"valid", valid, []string{"-"}, ran{0,
			"message: No message provided\nreason: Done\nstatus: \"True\"\ntype: Available\n",
			"stdin:1:33: warning: reason: white space around it is trimmed\n" +
				"    hint: leave it out\n" +
				"stdin: warning: message: missing; the Job will say \"No message provided\"\n" +
				"    hint: say why: people and programs read it on the Job\n"}},
		{"invalid", "", []string{file}, ran{1,
			"message: 'Failed to parse adapter result: status: must be either ''success'' or ''failure'''\n" +
				"reason: InvalidResultFormat\nstatus: \"False\"\ntype: Available\n",
			file + ":2:13: error: status: must be either 'success' or 'failure'\n" +
				"    hint: write \"success\" or \"failure\", in lower case and nothing else; more can be said in \"reason\"\n" +
				"stdin"}},
		{"for scripts", valid, []string{"-", "-o", "json"}, ran{0, `{
  "valid": true,
  "condition": {
    "type": "Available",
    "status": "True",
    "reason": "Done",
    "message": "No message provided"
  },
  "warnings": [
    {
      "member": "reason",
      "line": 1,
      "column": 33,
      "problem": "white space around it is trimmed",
      "hint": "leave it out"
    },
    {
      "member": "message",
      "problem": "missing; the Job will say \"No message provided\"",
      "hint": "say why: people and programs read it on the Job"
    }
  ]
}
`, ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := runCommand(tt.stdin, nil, append([]string{"validate"}, tt.args...)...)
			if tt.name == "invalid" { // only the first finding
				first, _, _ := strings.Cut(got.Stderr, file+": warning")
				got.Stderr = first + "stdin"
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestValidateGolden: validate says what the sidecar would.
func TestValidateGolden(t *testing.T) {
	for _, c := range suite.Load(t, suite.Contract) {
		invalid := c.Condition.Reason == contract.ReasonInvalidResultFormat
		var got suite.Condition
		r := runCommand(string(c.Input), nil, "validate", "-")
		if err := yaml.UnmarshalStrict([]byte(r.Stdout), &got); err != nil {
			t.Errorf("%s: %v in %q", c, err, r.Stdout)
		}
		if diff := cmp.Diff(c.Condition, got); diff != "" {
			t.Errorf("%s: condition (-want +got):\n%s", c, diff)
		}
		if invalid != (r.Code == 1) || !invalid && r.Code != 0 || invalid != strings.Contains(r.Stderr, ": error: ") {
			t.Errorf("%s: exit code %d, stderr %q", c, r.Code, r.Stderr)
		}
		var v validated
		r = runCommand(string(c.Input), nil, "validate", "-o=json", "-")
		if err := json.Unmarshal([]byte(r.Stdout), &v); err != nil {
			t.Errorf("%s: %v in %q", c, err, r.Stdout)
		}
		if v.Valid == invalid || invalid != (v.Fault != nil) || v.Condition.Message != c.Condition.Message || r.Stderr != "" || strings.Contains(r.Stdout, `\u003c`) {
			t.Errorf("%s: %s, stderr %q", c, r.Stdout, r.Stderr)
		}
	}
}

func TestValidateReadsNoMoreThanItJudges(t *testing.T) {
	r := runCommand(strings.Repeat(" ", 2*contract.MaxFileSize), nil, "validate", "-")
	if r.Code != 1 || !strings.HasPrefix(r.Stderr, "stdin:1:1048577: error: larger than 1048576 bytes\n") {
		t.Errorf("exit code %d, stderr %q", r.Code, r.Stderr)
	}
}

func TestCommandLines(t *testing.T) {
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"validate"}, 2, "status-reporter validate: no FILE given\n\nUsage: status-reporter validate"},
		{[]string{"validate", "a", "b"}, 2, "status-reporter validate: one FILE only, not 2: quote a name that holds spaces\n"},
		{[]string{"validate", "-o", "xml", "a"}, 2, "status-reporter validate: -o must be yaml or json\n"},
		{[]string{"validate", "-x", "a"}, 2, "status-reporter validate: flag provided but not defined: -x\n\nUsage: status-reporter validate"},
		{[]string{"validate", "/no/such/file"}, 2, "status-reporter validate: open /no/such/file: no such file or directory\n"},
		{[]string{"validate", "/"}, 2, "status-reporter validate: read /: is a directory\n"},
		{[]string{"write"}, 2, "status-reporter write: -status must be success or failure\n\nUsage: status-reporter write"},
		{[]string{"write", "-status", "Success"}, 2, "status-reporter write: -status must be success or failure\n"},
		{[]string{"write", "-status", "success", "Ready"}, 2, "status-reporter write: \"Ready\" belongs to no flag: quote what holds spaces\n\nUsage: status-reporter write"},
		{[]string{"write", "-status", "success", "-path", "/no/such/directory/file"}, 1, "status-reporter write: directory /no/such/directory does not exist: mount the volume, or set RESULTS_PATH or -path\n"},
		{[]string{"write", "-status", "success", "-path", "/"}, 2, "status-reporter write: -path: must be the path of the result file, but \"/\" is a directory\n"},
		{[]string{"write", "-status", "success", "-path", "/no/such/"}, 2, "status-reporter write: -path: must be the path of the result file, but \"/no/such/\" is a directory\n"},
		{[]string{"write", "-status", "success", "-path", "/dev/null/file"}, 1, "status-reporter write: open /dev/null/"},
		{[]string{"write", "-status", "success", "-message", "m", "-message-file", "f"}, 2, "status-reporter write: -message and -message-file exclude each other\n"},
		{[]string{"write", "-status", "success", "-message-file", "-", "-details", "-"}, 2, "status-reporter write: -message-file and -details cannot both be standard input\n"},
	} {
		r := runCommand("", nil, tt.args...)
		if r.Code != tt.code || !strings.HasPrefix(r.Stderr, tt.want) || r.Stdout != "" {
			t.Errorf("%v: exit code %d, want %d; stderr %q, want %q; stdout %q", tt.args, r.Code, tt.code, r.Stderr, tt.want, r.Stdout)
		}
	}
}

// TestHelp is on standard output, as that of the program is.
func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"validate", "-h"}, {"validate", "--help", "a"}, {"write", "-h"}, {"write", "-status", "success", "-help"}} {
		r := runCommand("", nil, args...)
		if r.Code != 0 || r.Stderr != "" || !strings.HasPrefix(r.Stdout, "Usage: status-reporter "+args[0]) || !strings.Contains(r.Stdout, "\n  -") {
			t.Errorf("%v: %+v", args, r)
		}
	}
}

// TestValidateReach: content that is right is warned of where the reporter would not
// get at it.
func TestValidateReach(t *testing.T) {
	const (
		private = ": warning: mode 0640; the reporter may run as another user, who cannot read it\n    hint: chmod 644, before it is renamed to its name\n"
		strayed = ": warning: a symbolic link that leaves its directory; the reporter follows none\n    hint: write the file itself there\n"
	)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "results"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := func(name string) string { return filepath.Join(dir, name) }
	for name, mode := range map[string]os.FileMode{"results/public": 0o644, "results/private": 0o640, "outside": 0o644} {
		if err := os.WriteFile(file(name), []byte(`{"status": "success", "reason": "Ready", "message": "All is well"}`), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"results/near": "public", "results/far": "../outside", "results/absolute": file("results/public")} {
		if err := os.Symlink(to, file(name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"results/public": "", "results/near": "", "results/private": private, "results/far": strayed, "results/absolute": strayed,
	} {
		r := runCommand("", nil, "validate", file(name))
		if want != "" {
			want = file(name) + want
		}
		if r.Code != 0 || r.Stderr != want {
			t.Errorf("%s: exit code %d (-want +got):\n%s", name, r.Code, cmp.Diff(want, r.Stderr))
		}
	}
	if r := runCommand("", nil, "validate", "-o", "json", file("results/private")); !strings.Contains(r.Stdout, `"problem": "mode 0640; `) {
		t.Errorf("in JSON: %s", r.Stdout)
	}
}
