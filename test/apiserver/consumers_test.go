package apiserver_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
	"github.com/openshift-hyperfleet/status-reporter/test/apiserver"
	"github.com/openshift-hyperfleet/status-reporter/test/program"
)

// recipes are the commands of docs/consumers.md under a heading, block by block, with
// the shell of each.
func recipes(t *testing.T, heading string, want int) (all []recipe) {
	t.Helper()
	page, err := os.ReadFile("../../docs/consumers.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, block := range regexp.MustCompile("(?s)\n```(sh|bash)\n(.*?)\n```").FindAllStringSubmatch(section, -1) {
		all = append(all, recipe{block[1], block[2]})
	}
	if len(all) != want {
		t.Fatalf("%d commands under %q, want %d", len(all), heading, want)
	}
	return all
}

type recipe struct{ shell, text string }

// patiently gives up after so long; the page's time-outs are for people.
func (r recipe) patiently(d time.Duration) recipe {
	r.text = regexp.MustCompile(`--timeout=\w+`).ReplaceAllString(r.text, "--timeout="+d.String())
	return r
}

// command is a recipe at work.
type command struct {
	cmd   *exec.Cmd
	out   strings.Builder
	ended chan struct{}
	code  int
}

func (r recipe) start(t *testing.T, env []string) *command {
	t.Helper()
	p := &command{cmd: exec.Command(r.shell, "-euc", r.text), ended: make(chan struct{})}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = env, &p.out, &p.out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }) // and what it has started
	go func() {
		defer close(p.ended)
		err := p.cmd.Wait()
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			p.code = exit.ExitCode()
		} else if err != nil {
			p.code = -1
		}
	}()
	return p
}

// ends waits for the end, and checks code and output.
func (p *command) ends(t *testing.T, code int, says string) {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
	}
	if p.code != code || !strings.Contains(p.out.String(), says) {
		t.Errorf("it ends with %d and says %q; want %d and %q", p.code, p.out.String(), code, says)
	}
}

func (p *command) over() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// reports sets the condition, as a reporter does.
func reports(n *apiserver.Namespace, name string, status corev1.ConditionStatus, message string) {
	n.UpdateJob("", name, func(j *batchv1.Job) {
		j.Status.Conditions = append(without(j.Status.Conditions, "Available"), batchv1.JobCondition{Type: "Available", Status: status, Reason: "R", Message: message})
	})
}

func without(all []batchv1.JobCondition, kind batchv1.JobConditionType) (others []batchv1.JobCondition) {
	for _, c := range all {
		if c.Type != kind {
			others = append(others, c)
		}
	}
	return others
}

// finishes sets what the Job controller of a version does at a Job's end.
func finishes(n *apiserver.Namespace, name string, v kubetest.Version, at batchv1.JobConditionType) {
	kinds := program.FailedIn(v)
	if at == batchv1.JobComplete {
		kinds = program.CompleteIn(v)
	}
	began := metav1.NewTime(time.Now().Add(-time.Minute).Truncate(time.Second))
	n.UpdateJob("", name, func(j *batchv1.Job) {
		j.Status.StartTime = &began
		if at == batchv1.JobComplete {
			ended := metav1.NewTime(began.Add(time.Second))
			j.Status.CompletionTime, j.Status.Succeeded = &ended, 1
		}
		for _, kind := range kinds {
			j.Status.Conditions = append(j.Status.Conditions, batchv1.JobCondition{Type: kind, Status: corev1.ConditionTrue, Reason: "R"})
		}
	})
}

// TestConsumers runs the commands of docs/consumers.md, with kubectl itself, and what
// carries the outcome further under own-condition.yaml.
func TestConsumers(t *testing.T) {
	cluster := apiserver.Start(t)
	t.Run("under the policy", func(t *testing.T) { testMetadataUnderPolicy(t, cluster) })
	if cluster.Namespace(t).Kubectl() == nil {
		t.Skip("NOT TESTED, there is no kubectl: the commands of docs/consumers.md")
	}
	t.Run("is the policy on", func(t *testing.T) { testPolicyIsOn(t, cluster) })
	commands := recipes(t, "kubectl", 4)
	t.Run("until there is a report", func(t *testing.T) { testReportIsWaitedFor(t, cluster, commands[0]) })
	t.Run("until it is final", func(t *testing.T) { testFinalIsWaitedFor(t, cluster, commands[1]) })
	t.Run("label and annotation", func(t *testing.T) { testLabelIsSelected(t, cluster, commands[2], commands[3]) })
}

// kubectlVersion is of the one that works on this server: there are some that look for
// one of its version.
func kubectlVersion(t *testing.T, env []string) kubetest.Version {
	t.Helper()
	p := recipe{"sh", "kubectl version"}.start(t, env)
	<-p.ended
	_, text, _ := strings.Cut(p.out.String(), "Client Version: ")
	text, _, _ = strings.Cut(text, "\n")
	v, err := kubetest.ParseVersion(text)
	if err != nil {
		t.Fatalf("kubectl version: %v\n%s", err, p.out.String())
	}
	return v
}

// testPolicyIsOn: the command of docs/policies.md tells, whatever stands on the Job.
func testPolicyIsOn(t *testing.T, cluster *apiserver.Cluster) {
	page, err := os.ReadFile("../../docs/policies.md")
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?s)\n    (kubectl -n my-namespace apply .*?)\n\n`).FindSubmatch(page)
	if text == nil {
		t.Fatal("docs/policies.md has no such command")
	}
	for _, on := range []bool{true, false} {
		n := cluster.Namespace(t)
		says, code := "serverside-applied (server dry run)", 0
		if on {
			n = cluster.Namespace(t, apiserver.Enforced)
			says, code = "denied request: the token is bound to no Pod, and only a Pod may report on its Job.", 1
		}
		env := n.Kubectl()
		if v := kubectlVersion(t, env); v < 32 {
			t.Skipf("NOT TESTED, kubectl has apply --subresource since 1.32, and this is %s: the command of docs/policies.md", v)
		}
		for _, name := range []string{"fresh", "reported", "over"} {
			n.CreateJob(apiserver.Job(name))
			if name != "fresh" {
				reports(n, name, corev1.ConditionFalse, "m")
			}
			if name == "over" {
				finishes(n, name, cluster.Version(), batchv1.JobComplete)
			}
			ask := recipe{"bash", strings.NewReplacer("my-namespace", n.Name, "my-job", name).Replace(string(text[1]))}
			ask.start(t, env).ends(t, code, says)
		}
	}
}

func testReportIsWaitedFor(t *testing.T, cluster *apiserver.Cluster, wait recipe) {
	for _, tt := range []struct {
		name, message string
		status        corev1.ConditionStatus
	}{
		{"True", "all is well", corev1.ConditionTrue},
		{"False", "nothing is", corev1.ConditionFalse},
		{"Unknown", "stopped", corev1.ConditionUnknown},
		{"interim", "stopped (the Pod is being stopped; a result may still follow)", corev1.ConditionFalse},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := cluster.Namespace(t)
			env := n.Kubectl()
			n.CreateJob(apiserver.Job("my-adapter"))
			n.CreateJob(apiserver.Job("another"))
			reports(n, "another", tt.status, tt.message)
			wait.patiently(time.Second).start(t, env).ends(t, 1, "timed out")
			early := wait.start(t, env)
			reports(n, "my-adapter", tt.status, tt.message)
			early.ends(t, 0, "condition met")
			wait.start(t, env).ends(t, 0, "condition met")
			if tt.status != corev1.ConditionTrue {
				hangs := recipe{"sh", "kubectl wait job/my-adapter --for=condition=Available --timeout=1s"}
				hangs.start(t, env).ends(t, 1, "timed out")
			}
		})
	}
}

func testFinalIsWaitedFor(t *testing.T, cluster *apiserver.Cluster, wait recipe) {
	for _, tt := range []struct {
		name   string
		status corev1.ConditionStatus
		at     batchv1.JobConditionType
		code   int
	}{
		{"True, Complete", corev1.ConditionTrue, batchv1.JobComplete, 0},
		{"True, Failed", corev1.ConditionTrue, batchv1.JobFailed, 0},
		{"False, Failed", corev1.ConditionFalse, batchv1.JobFailed, 1},
		{"False, Complete", corev1.ConditionFalse, batchv1.JobComplete, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := cluster.Namespace(t)
			env := n.Kubectl()
			n.CreateJob(apiserver.Job("my-adapter"))
			early := wait.start(t, env)
			reports(n, "my-adapter", corev1.ConditionUnknown, "a Pod was stopped")
			reports(n, "my-adapter", corev1.ConditionFalse, "another has failed, and there are tries left")
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // real time: it must not end before
			defer cancel()
			if n.Wait(ctx, early.over) == nil {
				t.Fatalf("it ends before the Job does: %s", early.out.String())
			}
			reports(n, "my-adapter", tt.status, "the last word")
			finishes(n, "my-adapter", cluster.Version(), tt.at)
			early.ends(t, tt.code, string(tt.status)+"\n")
			wait.start(t, env).ends(t, tt.code, string(tt.status)+"\n")
		})
	}
}

func testLabelIsSelected(t *testing.T, cluster *apiserver.Cluster, list, details recipe) {
	n := cluster.Namespace(t)
	env := n.Kubectl()
	for name, status := range map[string]string{"my-adapter": "False", "succeeded": "True", "unknown": "Unknown", "silent": ""} {
		job := apiserver.Job(name)
		if status != "" {
			meta(map[string]string{"example.com/outcome": status}, map[string]string{"example.com/details": `{"details":{"used":24},"v":1}`})(job)
		}
		n.CreateJob(job)
	}
	first, second, found := strings.Cut(list.text, "\n")
	if !found {
		t.Fatalf("%q is one command", list.text)
	}
	selects := recipe{list.shell, first}.start(t, env)
	selects.ends(t, 0, "my-adapter")
	if lines := strings.Count(strings.TrimSpace(selects.out.String()), "\n"); lines != 1 {
		t.Errorf("%d Jobs:\n%s", lines, selects.out.String())
	}
	shows := recipe{list.shell, second}.start(t, env)
	shows.ends(t, 0, "silent")
	for _, line := range []string{`(?m)^my-adapter .* False$`, `(?m)^succeeded .* True$`, `(?m)^unknown .* Unknown$`} {
		if !regexp.MustCompile(line).MatchString(shows.out.String()) {
			t.Errorf("no line %s:\n%s", line, shows.out.String())
		}
	}
	if _, err := exec.LookPath("jq"); err != nil {
		t.Log("NOT TESTED, there is no jq: " + details.text)
		return
	}
	details.start(t, env).ends(t, 0, `"used": 24`)
}

// testMetadataUnderPolicy: own-condition.yaml lets pass what the Job's template names,
// and where it refuses a label the report stands without.
func testMetadataUnderPolicy(t *testing.T, cluster *apiserver.Cluster) {
	cluster.Enforce(t)
	keys := map[string]string{"OUTCOME_LABEL": "example.com/outcome", "DETAILS_ANNOTATION": "example.com/details"}
	const success, failure = `{"status":"success","reason":"R","message":"m","details":[1]}`, `{"status":"failure","reason":"R","message":"m","details":[1]}`
	for _, tt := range []struct {
		name  string
		named []string // in the Job's template
		file  string
		code  int
		goes  []string // without which the report goes
	}{
		{"named, a success", []string{"OUTCOME_LABEL", "DETAILS_ANNOTATION"}, success, 0, nil},
		{"named, a failure", []string{"OUTCOME_LABEL", "DETAILS_ANNOTATION"}, failure, 4, nil},
		{"not named, a success", nil, success, 0, []string{"label", "annotation"}},
		{"not named, a failure", nil, failure, 4, []string{"label", "annotation"}},
		{"the label alone is named", []string{"OUTCOME_LABEL"}, success, 0, []string{"annotation"}},
		{"the annotation alone is named", []string{"DETAILS_ANNOTATION"}, failure, 4, []string{"label"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := program.DefaultCase(t)
			template := map[string]string{}
			for _, name := range tt.named {
				template[name] = keys[name]
			}
			c.Job = withEnv(t, c.Job, template)
			r := program.NewRig(t, c, cluster.Namespace(t, apiserver.Enforced))
			maps.Copy(r.Env, keys)
			r.Env["FAILURE_EXIT_CODE"] = "4"
			r.Start()
			r.Write(tt.file)
			r.End(tt.code)
			status := contract.True
			if tt.code != 0 {
				status = contract.False
			}
			r.Expect(status, "R", "m")
			label, annotation := "", ""
			if slices.Contains(tt.named, "OUTCOME_LABEL") {
				label = string(status)
			}
			if slices.Contains(tt.named, "DETAILS_ANNOTATION") {
				annotation = `"details":[1]`
			}
			job := r.API.Job(program.Namespace, program.JobName)
			if got := job.Labels["example.com/outcome"]; got != label {
				t.Errorf("the label is %q, want %q", got, label)
			}
			if got := job.Annotations["example.com/details"]; !strings.Contains(got, annotation) || (got == "") != (annotation == "") {
				t.Errorf("the annotation is %s, want %s in it", got, annotation)
			}
			for _, what := range []string{"label", "annotation"} {
				if says := "the API server refuses the report with its " + what + "; it goes without"; r.Log.Has(says) != slices.Contains(tt.goes, what) {
					t.Errorf("the log says %q: %v", says, r.Log.Has(says))
				}
			}
		})
	}
}

// withEnv gives the reporter in a Job's template these variables.
func withEnv(t *testing.T, data []byte, env map[string]string) []byte {
	t.Helper()
	job := &batchv1.Job{}
	if err := json.Unmarshal(data, job); err != nil {
		t.Fatal(err)
	}
	containers := job.Spec.Template.Spec.Containers
	for i := range containers {
		for name, value := range env {
			if containers[i].Name == "status-reporter" {
				containers[i].Env = append(containers[i].Env, corev1.EnvVar{Name: name, Value: value})
			}
		}
	}
	data, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
