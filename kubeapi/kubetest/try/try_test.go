package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// The tests run real processes in real time: that is what the program is for.

var reporter string // the built binary

func TestMain(m *testing.M) {
	os.Exit(func() int {
		tb := &testbed{stderr: os.Stderr}
		defer tb.cleanup()
		var err error
		if reporter, err = build(context.Background(), tb.TempDir(), os.Stderr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// played is what a run of the program gave.
type played struct {
	code           int
	stdout, stderr string
}

func play(t *testing.T, args ...string) played {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), append([]string{"-reporter", reporter}, args...), &stdout, &stderr)
	return played{code, stdout.String(), stderr.String()}
}

// condition decodes the Job strictly: it is printed for people to compare.
func (p played) condition(t *testing.T) string {
	t.Helper()
	var job batchv1.Job
	if err := yaml.UnmarshalStrict([]byte(p.stdout), &job); err != nil {
		t.Fatalf("%v in %s\n%s", err, p.stdout, p.stderr)
	}
	if job.Kind != "Job" || job.Name != jobName || job.Namespace != namespace || job.UID == "" || len(job.Status.Conditions) != 1 {
		t.Fatalf("not the Job with its one condition:\n%s\n%s", p.stdout, p.stderr)
	}
	c := job.Status.Conditions[0]
	if c.LastProbeTime.IsZero() || c.LastTransitionTime.IsZero() {
		t.Errorf("times are missing:\n%s", p.stdout)
	}
	return fmt.Sprintf("%s=%s (%s): %s", c.Type, c.Status, c.Reason, c.Message)
}

func (p played) says(t *testing.T, code int, lines ...string) {
	t.Helper()
	if p.code != code {
		t.Errorf("exit code %d, want %d", p.code, code)
	}
	for _, line := range lines {
		if !strings.Contains(p.stderr, line) {
			t.Errorf("%q is missing", line)
		}
	}
	if t.Failed() {
		t.Logf("stderr:\n%s", p.stderr)
	}
}

func TestBuiltins(t *testing.T) {
	const file, pod = "from the result file's close to the condition: ", "from the adapter's state in the Pod to the condition: "
	for name, tt := range map[string]struct {
		reason, want string
		lines        []string
	}{
		"success": {"ValidationPassed", "Available=True (ValidationPassed): All 12 checks passed",
			[]string{"adapter  | checking", `"msg":"reported"`, "kubelet  | adapter is terminated: exit code 0, Completed", file, "requests: 3, connections: 1, reporter's exit code: 0"}},
		"failure": {"QuotaExceeded", "Available=False (QuotaExceeded): CPU quota of project p-1 is used up: 24 of 24",
			[]string{file, "reporter's exit code: 0"}},
		"crash": {"AdapterExitedWithError", "Available=False (AdapterExitedWithError): Adapter container exited with code 1: Error",
			[]string{"adapter  | panic: quota API unreachable", "kubelet  | adapter is terminated: exit code 1, Error", pod, "reporter's exit code: 1"}},
		"oom": {"AdapterOOMKilled", "Available=False (AdapterOOMKilled): Adapter container was killed due to out of memory (OOMKilled)",
			[]string{"kubelet  | adapter is terminated: exit code 137, OOMKilled", pod}},
		"timeout": {"AdapterTimeout", "Available=False (AdapterTimeout): Adapter did not produce results within 3s",
			[]string{"kubelet  | adapter is still running; killed"}},
		"invalid": {"InvalidResultFormat", "Available=False (InvalidResultFormat): Failed to parse adapter result: " +
			"not valid JSON: invalid character 'V' looking for beginning of value", []string{pod}},
		"missing": {"AdapterMissingResults", "Available=False (AdapterMissingResults): Adapter container exited with code 0 but wrote no result file at ",
			[]string{pod}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := play(t, "-case", name, "-expect-reason", tt.reason)
			got := p.condition(t)
			if name == "missing" {
				got, _, _ = strings.Cut(got, os.TempDir())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("condition (-want +got):\n%s", diff)
			}
			p.says(t, 0, tt.lines...)
		})
	}
}

func TestCommands(t *testing.T) {
	const write = `printf '{"status":"success","reason":"Mine","message":"%s"}' "$1" >"$RESULTS_PATH"; `
	for _, tt := range []struct {
		name, script, want string
		code               int
		lines              []string
	}{
		{"result", write, "Available=True (Mine): a word", 0, nil},
		{"result, and slow to end", write + "sleep 1", "Available=True (Mine): a word", 0, []string{"exit code 0, Completed"}},
		{"result beside an exit code", write + "exit 3", "Available=True (Mine): a word", 0, []string{"exit code 3, Error"}},
		{"another reason", `echo '{"status":"success"}' >"$RESULTS_PATH"`, "Available=True (NoReasonProvided): No message provided", 1,
			[]string{"try: the condition's reason is NoReasonProvided, expected Mine"}},
		{"exit code", "exit 3", "Available=False (AdapterExitedWithError): Adapter container exited with code 3: Error", 1, nil},
		{"signal", "kill -TERM $$", "Available=False (AdapterExitedWithError): Adapter container exited with code 143: Error", 1, nil},
		{"private file", "umask 077; " + write, "Available=True (Mine): a word", 0, []string{"warning: the result file's mode is -rw-------"}},
		{"the reporter's own command", `status-reporter write -status success -reason Mine -message "$1"`, "Available=True (Mine): a word", 0, nil},
		{"output without end", "printf 'no newline'; printf 'one\\ntwo' >&2; " + write, "Available=True (Mine): a word", 0,
			[]string{"adapter  | no newline\n", "adapter  | one\n", "adapter  | two\n"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := play(t, "-expect-reason", "Mine", "--", "sh", "-c", tt.script, "adapter", "a word")
			if diff := cmp.Diff(tt.want, p.condition(t)); diff != "" {
				t.Errorf("condition (-want +got):\n%s", diff)
			}
			p.says(t, tt.code, tt.lines...)
		})
	}
}

// TestMisconfigured: the caller's environment is the reporter's.
func TestMisconfigured(t *testing.T) {
	t.Setenv("CONDITION_TYPE", "Failed")
	p := play(t, "--", "sh", "-c", "echo the adapter runs")
	want := "Available=False (ReporterMisconfigured): CONDITION_TYPE: Failed belongs to the Job controller; take another, such as Available"
	if diff := cmp.Diff(want, p.condition(t)); diff != "" {
		t.Errorf("condition (-want +got):\n%s", diff)
	}
	p.says(t, 0, "reporter's exit code: 78")
	if strings.Contains(p.stderr, "the adapter runs") {
		t.Error("the adapter runs beside nothing")
	}
}

// TestNoCondition: a reporter that does nothing is no success.
func TestNoCondition(t *testing.T) {
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"-reporter", "true"}, &stdout, &stderr)
	played{code, stdout.String(), stderr.String()}.says(t, 1, "try: the Job got no condition")
}

// TestAdapterGoesOn: it is not waited for without end.
func TestAdapterGoesOn(t *testing.T) {
	tb := &testbed{stderr: t.Output()}
	defer tb.cleanup()
	s := newStage(tb, t.Output())
	script := `echo '{"status":"success"}' >"$RESULTS_PATH"; sleep 3600 & wait`
	if err := s.play(t.Context(), options{reporter: reporter, command: []string{"sh", "-c", script}, patience: time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	if !s.adapterRunning || s.reporter.code != 0 {
		t.Errorf("adapter running: %v, reporter's exit code: %d", s.adapterRunning, s.reporter.code)
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	stderr := &trigger{text: "adapter  | here", do: cancel}
	code := run(ctx, []string{"-reporter", reporter, "--", "sh", "-c", "echo here; sleep 3600"}, &bytes.Buffer{}, stderr)
	played{code: code, stderr: stderr.String()}.says(t, 1, "try: context canceled")
}

// trigger does something when it is told a text.
type trigger struct {
	bytes.Buffer
	text string
	do   func()
}

func (w *trigger) Write(b []byte) (int, error) {
	if strings.Contains(string(b), w.text) {
		w.do()
	}
	return w.Buffer.Write(b)
}

func TestUsage(t *testing.T) {
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-case", "hang"}, 2, "try: -case hang: must be one of crash, failure, invalid, missing, oom, success, timeout"},
		{[]string{"-case", "crash", "--", "true"}, 2, "try: -case is for the built-in adapters"},
		{[]string{"-retries", "2"}, 2, "flag provided but not defined: -retries"},
		{[]string{"--", "./no-such-adapter"}, 2, "try: exec: \"./no-such-adapter\": stat ./no-such-adapter: no such file or directory"},
		{[]string{"-reporter", "/no/such/reporter"}, 1, "try: fork/exec /no/such/reporter: no such file or directory"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), tt.args, &stdout, &stderr)
		if code != tt.code || !strings.Contains(stderr.String(), tt.want) || stdout.Len() > 0 {
			t.Errorf("%v: exit code %d, want %d; stderr %q, want %q; stdout %q", tt.args, code, tt.code, stderr.String(), tt.want, stdout.String())
		}
	}
}

// TestHelp is on standard output, since it was asked for.
func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"-h"}, &stdout, &stderr); code != 0 || stderr.Len() > 0 ||
		!strings.HasPrefix(stdout.String(), "Usage:\n  try ") || !strings.Contains(stdout.String(), "-expect-reason") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, &stdout, &stderr)
	}
}

// TestTheCommandIsTheAdapter: nothing but status-reporter write, which is no program
// of this machine's.
func TestTheCommandIsTheAdapter(t *testing.T) {
	p := play(t, "--", "status-reporter", "write", "-status", "success", "-reason", "Mine", "-message", "m")
	if diff := cmp.Diff("Available=True (Mine): m", p.condition(t)); diff != "" {
		t.Errorf("condition (-want +got):\n%s", diff)
	}
	p.says(t, 0)
}

// TestNoProgram: an adapter that cannot be started is told with what to do.
func TestNoProgram(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, content := range map[string]string{"bare": "exit 0\n", "private": "#!/bin/sh\n", "elsewhere": "#!/no/such/sh\n", "dos": "#!/bin/sh\r\nexit 0\r\n"} {
		mode := os.FileMode(0o755)
		if name == "private" {
			mode = 0o644
		}
		if err := os.WriteFile(name, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		command string
		code    int
		want    string
	}{
		{"./private", 2, `try: exec: "./private": permission denied: chmod +x ./private`},
		{"private", 2, `try: exec: "private": executable file not found in $PATH: write ./private for the file that is here`},
		{"absent", 2, `try: exec: "absent": executable file not found in $PATH`},
		{"./bare", 1, "try: fork/exec ./bare: exec format error: begin it with #!/bin/sh, or with the program that it is written for"},
		{"./elsewhere", 1, "try: fork/exec ./elsewhere: no such file or directory: its first line names a program that is not there, /no/such/sh"},
		{"./dos", 1, `try: fork/exec ./dos: no such file or directory: its lines end as DOS has them, and "/bin/sh\r" is no program: take the carriage returns out`},
	} {
		p := play(t, "--", tt.command)
		if p.stdout != "" {
			t.Errorf("%s: stdout %q", tt.command, p.stdout)
		}
		if !strings.HasSuffix(p.stderr, "\n"+tt.want+"\n") && p.stderr != tt.want+"\n" || p.code != tt.code {
			t.Errorf("%s: exit code %d, want %d and %s:\n%s", tt.command, p.code, tt.code, tt.want, p.stderr)
		}
	}
}
