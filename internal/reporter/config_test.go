package reporter

import (
	"bufio"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// environment has a value other than the default for every variable.
var environment = map[string]string{
	"JOB_NAME": "my-job", "JOB_NAMESPACE": "my-namespace", "POD_NAME": "my-pod",
	"RESULTS_PATH": "/my/result.json", "POLL_INTERVAL_SECONDS": "3", "MAX_WAIT_TIME_SECONDS": "20",
	"CONDITION_TYPE": "Mine", "LOG_LEVEL": "warn", "ADAPTER_CONTAINER_NAME": "my-adapter",
	"FAILURE_EXIT_CODE": "4", "OUTCOME_LABEL": "example.com/outcome", "DETAILS_ANNOTATION": "example.com/details",
	"SERVICE_ACCOUNT_DIR": "/my/token", "KUBERNETES_SERVICE_HOST": "192.0.2.1", "KUBERNETES_SERVICE_PORT": "6443",
}

// parsed is what parseConfig makes of the environment with one change.
func parsed(name, value string) (c config, warnings, problems []string) {
	return parseConfig(func(v string) string {
		if v == name {
			return value
		}
		return environment[v]
	})
}

func TestConfigLeavesWhiteSpaceOut(t *testing.T) {
	clean, _, problems := parsed("", "")
	if problems != nil {
		t.Fatal(problems)
	}
	for name, value := range environment {
		unset, _, missing := parsed(name, "")
		if unset == clean {
			t.Errorf("%s has no effect: the test tells nothing", name)
		}
		for _, tt := range []struct{ before, after string }{
			{"", "\n"}, {"", "\r\n"}, {" ", " "}, {"\t\v\f", ""}, {"\u00a0", "\u2028\u3000"}, {"\ufeff", "\n\n"},
		} {
			got, warnings, problems := parsed(name, tt.before+value+tt.after)
			if got != clean || warnings != nil || problems != nil {
				t.Errorf("%s=%q: %+v, %q, %q", name, tt.before+value+tt.after, got, warnings, problems)
			}
			got, _, problems = parsed(name, tt.before+tt.after)
			if got != unset || cmp.Diff(missing, problems) != "" {
				t.Errorf("%s=%q: %+v, %q; unset it is %+v, %q", name, tt.before+tt.after, got, problems, unset, missing)
			}
		}
	}
}

// TestConfigKeepsWhiteSpaceInside: what is left out is around a value only.
func TestConfigKeepsWhiteSpaceInside(t *testing.T) {
	c, _, _ := parsed("RESULTS_PATH", " /my results/a\nfile ")
	if c.resultsPath != "/my results/a\nfile" {
		t.Errorf("RESULTS_PATH %q", c.resultsPath)
	}
	_, warnings, _ := parsed("LOG_LEVEL", "loud\n")
	want := []string{`LOG_LEVEL: must be debug, info, warn or error, is "loud"; using info`}
	if diff := cmp.Diff(want, warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

// TestConfigOutcome: the bounds of what carries the outcome further.
func TestConfigOutcome(t *testing.T) {
	for _, tt := range []struct {
		name, value string
		good        bool
	}{
		{"FAILURE_EXIT_CODE", "0", true}, {"FAILURE_EXIT_CODE", "4", true}, {"FAILURE_EXIT_CODE", "77", true}, {"FAILURE_EXIT_CODE", "79", true}, {"FAILURE_EXIT_CODE", "125", true},
		{"FAILURE_EXIT_CODE", "1", false}, {"FAILURE_EXIT_CODE", "2", false}, {"FAILURE_EXIT_CODE", "3", false}, {"FAILURE_EXIT_CODE", "78", false}, {"FAILURE_EXIT_CODE", "126", false},
		{"FAILURE_EXIT_CODE", "128", false}, {"FAILURE_EXIT_CODE", "260", false}, {"FAILURE_EXIT_CODE", "-4", false}, {"FAILURE_EXIT_CODE", "4.0", false}, {"FAILURE_EXIT_CODE", "99999999999999999999", false},
		{"OUTCOME_LABEL", "outcome", true}, {"OUTCOME_LABEL", "my.example.com/Outcome_1", true}, {"OUTCOME_LABEL", "mykubernetes.io/outcome", true},
		{"OUTCOME_LABEL", "kubernetes.io.example.com/outcome", true}, {"OUTCOME_LABEL", "example.com/kubernetes.io", true},
		{"OUTCOME_LABEL", "kubernetes.io/outcome", false}, {"OUTCOME_LABEL", "k8s.io/outcome", false}, {"OUTCOME_LABEL", "x-k8s.io/outcome", true}, {"OUTCOME_LABEL", "batch.kubernetes.io/job-name", false},
		{"OUTCOME_LABEL", "/outcome", false}, {"OUTCOME_LABEL", "example.com/", false}, {"OUTCOME_LABEL", "a/b/c", false}, {"OUTCOME_LABEL", "-outcome", false}, {"OUTCOME_LABEL", "Example.com/outcome", false},
		{"DETAILS_ANNOTATION", "example.com/details", true}, {"DETAILS_ANNOTATION", "a.k8s.io/details", false}, {"DETAILS_ANNOTATION", "de tails", false},
	} {
		_, warnings, problems := parsed(tt.name, tt.value)
		if tt.good != (problems == nil) || warnings != nil {
			t.Errorf("%s=%s: %q, %q", tt.name, tt.value, warnings, problems)
		}
		if !tt.good && !strings.HasPrefix(problems[0], tt.name+": ") {
			t.Errorf("%s=%s: the problem does not begin with the name: %q", tt.name, tt.value, problems)
		}
	}
}

// TestConfigSaysWhatToDo: each problem is one that the user can act on.
func TestConfigSaysWhatToDo(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"JOB_NAME", "", "JOB_NAME: required, but not set; take it by fieldRef from metadata.labels['batch.kubernetes.io/job-name']"},
		{"JOB_NAMESPACE", "", "JOB_NAMESPACE: required, but not set; take it by fieldRef from metadata.namespace"},
		{"POD_NAME", " ", "POD_NAME: required, but not set; take it by fieldRef from metadata.name"},
		{"CONDITION_TYPE", "Failed", "CONDITION_TYPE: Failed belongs to the Job controller; take another, such as Available"},
		{"MAX_WAIT_TIME_SECONDS", "3", "POLL_INTERVAL_SECONDS: must be less than MAX_WAIT_TIME_SECONDS, 3 seconds, and is 3 (2 where it is not set): lower the one or raise the other"},
		{"MAX_WAIT_TIME_SECONDS", "0", `MAX_WAIT_TIME_SECONDS: must be at least 1 second, is "0"`},
		{"MAX_WAIT_TIME_SECONDS", "9223372037", `MAX_WAIT_TIME_SECONDS: must be at most 9223372036 seconds, is "9223372037"`},
		{"MAX_WAIT_TIME_SECONDS", "99999999999999999999", `MAX_WAIT_TIME_SECONDS: must be at most 9223372036 seconds, is "99999999999999999999"`},
		{"MAX_WAIT_TIME_SECONDS", "5m", `MAX_WAIT_TIME_SECONDS: must be a whole number of seconds, is "5m"`},
		{"ADAPTER_CONTAINER_NAME", "My_Adapter", `ADAPTER_CONTAINER_NAME: "My_Adapter" is no container's name: a lowercase RFC 1123 label must consist of `},
		{"ADAPTER_CONTAINER_NAME", strings.Repeat("a", 64), `ADAPTER_CONTAINER_NAME: "` + strings.Repeat("a", 64) + `" is no container's name: must be no more than 63 `},
		{"KUBERNETES_SERVICE_PORT", "https", `KUBERNETES_SERVICE_PORT: must be a port, from 1 to 65535, is "https"`},
		{"KUBERNETES_SERVICE_PORT", "0", `KUBERNETES_SERVICE_PORT: must be a port, from 1 to 65535, is "0"`},
		{"KUBERNETES_SERVICE_PORT", "65536", `KUBERNETES_SERVICE_PORT: must be a port, from 1 to 65535, is "65536"`},
		{"KUBERNETES_SERVICE_PORT", "tcp://192.0.2.1:443", `KUBERNETES_SERVICE_PORT: must be a port, from 1 to 65535, is "tcp://192.0.2.1:443"`},
	} {
		c, warnings, problems := parsed(tt.name, tt.value)
		if len(problems) != 1 || !strings.HasPrefix(problems[0], tt.want) || warnings != nil {
			t.Errorf("%s=%q: %q, want %q", tt.name, tt.value, problems, tt.want)
		}
		reachable := tt.name != "JOB_NAME" && tt.name != "JOB_NAMESPACE" && tt.name != "KUBERNETES_SERVICE_PORT"
		if c.addressed() != reachable {
			t.Errorf("%s=%q: it can be told on the Job: %v", tt.name, tt.value, c.addressed())
		}
	}
	for _, good := range [][2]string{{"KUBERNETES_SERVICE_PORT", "1"}, {"KUBERNETES_SERVICE_PORT", "65535"}, {"KUBERNETES_SERVICE_PORT", ""}, {"ADAPTER_CONTAINER_NAME", strings.Repeat("a", 63)}, {"ADAPTER_CONTAINER_NAME", ""}} {
		if _, _, problems := parsed(good[0], good[1]); problems != nil {
			t.Errorf("%s=%q: %q", good[0], good[1], problems)
		}
	}
}

// TestUnusableToken: what is wrong with it says what to do.
func TestUnusableToken(t *testing.T) {
	const mount = "; mount a projected volume there with the token and kube-root-ca.crt, as deploy/job.yaml does"
	for _, tt := range []struct {
		files map[string]string
		want  string
	}{
		{nil, "/token: no such file or directory"},
		{map[string]string{"token": "t"}, "/ca.crt: no such file or directory"},
		{map[string]string{"token": "t", "ca.crt": "none"}, "/ca.crt holds no certificate"},
		{map[string]string{"token": " "}, "/token is not a bearer token"},
	} {
		dir := t.TempDir()
		for name, content := range tt.files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		log, stderr := io.Pipe()
		code := make(chan int, 1)
		go func() {
			code <- Run(Process{Stderr: stderr, Getenv: func(name string) string {
				if name == "SERVICE_ACCOUNT_DIR" {
					return dir
				}
				return environment[name]
			}})
		}()
		said, err := bufio.NewReader(log).ReadString('\n')
		if err != nil || !strings.Contains(said, `"misconfigured"`) || !strings.Contains(said, dir+tt.want+mount) {
			t.Errorf("%v: %v: %s", tt.files, err, said)
		}
		if got := <-code; got != ExitMisconfigured {
			t.Errorf("%v: exit code %d", tt.files, got)
		}
	}
	err := unusable(&fs.PathError{Op: "open", Path: "/t/token", Err: syscall.EACCES})
	if want := "open /t/token: permission denied; let the reporter's user read it, as of a projected volume without a defaultMode of its own"; err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
