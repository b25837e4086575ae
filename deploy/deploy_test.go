package deploy_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

const (
	namespace = "team-a"
	image     = "registry.example.com/status-reporter:v1"
)

// manifests are the objects of some files.
type manifests struct {
	accounts []corev1.ServiceAccount
	roles    []rbacv1.Role
	bindings []rbacv1.RoleBinding
	jobs     []batchv1.Job
	configs  []corev1.ConfigMap

	validating         []admissionv1.ValidatingAdmissionPolicy
	validatingBindings []admissionv1.ValidatingAdmissionPolicyBinding
	mutating           []admissionv1.MutatingAdmissionPolicy
	mutatingBindings   []admissionv1.MutatingAdmissionPolicyBinding
}

// read decodes files strictly, after the placeholders are filled in as their
// comments say.
func read(t *testing.T, files ...string) *manifests {
	t.Helper()
	m := &manifests{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		filled := strings.NewReplacer("<namespace>", namespace, "<status-reporter-image>", image).Replace(string(content))
		if left := regexp.MustCompile(`<[a-z-]+>`).FindString(filled); left != "" {
			t.Errorf("%s: unknown placeholder %s", file, left)
		}
		m.decode(t, filled)
	}
	return m
}

func (m *manifests) decode(t *testing.T, documents string) {
	t.Helper()
	r := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(documents)))
	for {
		document, err := r.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		var meta metav1.TypeMeta
		if err := yaml.Unmarshal(document, &meta); err != nil {
			t.Fatal(err)
		}
		switch meta.APIVersion + " " + meta.Kind {
		case "v1 ServiceAccount":
			m.accounts = append(m.accounts, strict[corev1.ServiceAccount](t, document))
		case "rbac.authorization.k8s.io/v1 Role":
			m.roles = append(m.roles, strict[rbacv1.Role](t, document))
		case "rbac.authorization.k8s.io/v1 RoleBinding":
			m.bindings = append(m.bindings, strict[rbacv1.RoleBinding](t, document))
		case "batch/v1 Job":
			m.jobs = append(m.jobs, strict[batchv1.Job](t, document))
		case "v1 ConfigMap":
			m.configs = append(m.configs, strict[corev1.ConfigMap](t, document))
		default:
			if !m.decodePolicy(t, meta, document) {
				t.Errorf("unexpected %+v:\n%s", meta, document)
			}
		}
	}
}

func (m *manifests) decodePolicy(t *testing.T, meta metav1.TypeMeta, document []byte) bool {
	t.Helper()
	if meta.APIVersion != admissionv1.SchemeGroupVersion.String() {
		return false
	}
	switch meta.Kind {
	case "ValidatingAdmissionPolicy":
		m.validating = append(m.validating, strict[admissionv1.ValidatingAdmissionPolicy](t, document))
	case "ValidatingAdmissionPolicyBinding":
		m.validatingBindings = append(m.validatingBindings, strict[admissionv1.ValidatingAdmissionPolicyBinding](t, document))
	case "MutatingAdmissionPolicy":
		m.mutating = append(m.mutating, strict[admissionv1.MutatingAdmissionPolicy](t, document))
	case "MutatingAdmissionPolicyBinding":
		m.mutatingBindings = append(m.mutatingBindings, strict[admissionv1.MutatingAdmissionPolicyBinding](t, document))
	default:
		return false
	}
	return true
}

func strict[T any](t *testing.T, document []byte) (v T) {
	t.Helper()
	if err := yaml.UnmarshalStrict(document, &v); err != nil {
		t.Errorf("%v:\n%s", err, document)
	}
	return v
}

// jobs are the Jobs that a user applies, the example's as kustomize makes it.
func jobs(t *testing.T) map[string]*manifests {
	t.Helper()
	all := map[string]*manifests{}
	for _, file := range []string{"job.yaml", "job-native-sidecar.yaml"} {
		all[file] = read(t, "rbac.yaml", file)
	}
	if example := kustomize(t, "example"); example != nil {
		all["example"] = example
	}
	return all
}

// kustomize renders a kustomization; nil where there is no kubectl.
func kustomize(t *testing.T, dir string) *manifests {
	t.Helper()
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		t.Log("NOT TESTED, there is no kubectl: deploy/" + dir)
		return nil
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), kubectl, "kustomize", dir)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("kubectl kustomize %s: %v\n%s", dir, err, &stderr)
	}
	m := &manifests{}
	m.decode(t, string(out))
	return m
}

func TestNamesAgree(t *testing.T) {
	for name, m := range jobs(t) {
		t.Run(name, func(t *testing.T) {
			if len(m.accounts) != 1 || len(m.roles) != 1 || len(m.bindings) != 1 || len(m.jobs) != 1 {
				t.Fatalf("%d accounts, %d roles, %d bindings, %d jobs, want one of each",
					len(m.accounts), len(m.roles), len(m.bindings), len(m.jobs))
			}
			account, role, binding, job := m.accounts[0], m.roles[0], m.bindings[0], m.jobs[0]
			for _, ns := range []string{role.Namespace, binding.Namespace, job.Namespace} {
				if ns != account.Namespace || ns == "" {
					t.Errorf("namespace %q beside %q", ns, account.Namespace)
				}
			}
			if diff := cmp.Diff([]rbacv1.Subject{{Kind: "ServiceAccount", Name: account.Name, Namespace: account.Namespace}}, binding.Subjects); diff != "" {
				t.Errorf("the binding's subjects (-want +got):\n%s", diff)
			}
			if want := (rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name}); binding.RoleRef != want {
				t.Errorf("the binding's role is %+v, want %+v", binding.RoleRef, want)
			}
			pod := job.Spec.Template.Spec
			if pod.ServiceAccountName != account.Name {
				t.Errorf("the Job's account is %q, want %q", pod.ServiceAccountName, account.Name)
			}
			checkVolumes(t, pod)
		})
	}
}

// checkVolumes: what is mounted is there, and what is there is mounted.
func checkVolumes(t *testing.T, pod corev1.PodSpec) {
	t.Helper()
	mounted := map[string]bool{}
	for _, c := range containers(pod) {
		for _, v := range c.VolumeMounts {
			mounted[v.Name] = true
			if !slices.ContainsFunc(pod.Volumes, func(have corev1.Volume) bool { return have.Name == v.Name }) {
				t.Errorf("%s mounts %s, which is no volume", c.Name, v.Name)
			}
		}
	}
	for _, v := range pod.Volumes {
		if !mounted[v.Name] {
			t.Errorf("nothing mounts %s", v.Name)
		}
	}
}

func containers(pod corev1.PodSpec) []corev1.Container {
	return append(slices.Clone(pod.InitContainers), pod.Containers...)
}

func mounts(c corev1.Container, want corev1.VolumeMount) bool {
	return slices.ContainsFunc(c.VolumeMounts, func(v corev1.VolumeMount) bool { return cmp.Equal(v, want) })
}

// split tells the reporter's container and the adapter's, which is the first of
// the others: so the reporter takes it, too.
func split(t *testing.T, pod corev1.PodSpec) (reporter, adapter corev1.Container) {
	t.Helper()
	all := containers(pod)
	i := slices.IndexFunc(all, func(c corev1.Container) bool { return c.Name == "status-reporter" })
	if i < 0 || len(all) != 2 {
		t.Fatalf("want the containers status-reporter and adapter, have %d", len(all))
	}
	return all[i], all[1-i]
}

func TestReporterContainer(t *testing.T) {
	documented := documentedVariables(t)
	for name, m := range jobs(t) {
		t.Run(name, func(t *testing.T) {
			job := m.jobs[0]
			pod := job.Spec.Template.Spec
			reporter, adapter := split(t, pod)
			if len(reporter.Command) > 0 || len(reporter.Args) > 0 {
				t.Error("a command stands in the way of the image's entrypoint")
			}
			env := map[string]string{}
			for _, e := range reporter.Env {
				if !slices.Contains(documented, e.Name) {
					t.Errorf("the reporter does not know %s", e.Name)
				}
				env[e.Name] = e.Value
				if e.ValueFrom != nil {
					env[e.Name] = e.ValueFrom.FieldRef.FieldPath
				}
			}
			wantEnv := map[string]string{
				"JOB_NAME":              "metadata.labels['batch.kubernetes.io/job-name']",
				"JOB_NAMESPACE":         "metadata.namespace",
				"POD_NAME":              "metadata.name",
				"RESULTS_PATH":          "/results/adapter-result.json",
				"MAX_WAIT_TIME_SECONDS": "300",
			}
			if len(pod.InitContainers) == 0 { // a native sidecar's exit code fails nothing
				wantEnv["FAILURE_EXIT_CODE"] = "4"
			}
			if diff := cmp.Diff(wantEnv, env); diff != "" {
				t.Errorf("env (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]corev1.EnvVar{{Name: "RESULTS_PATH", Value: env["RESULTS_PATH"]}}, adapter.Env); diff != "" {
				t.Errorf("the adapter's env (-want +got):\n%s", diff)
			}
			want := corev1.VolumeMount{Name: "results", MountPath: filepath.Dir(env["RESULTS_PATH"])}
			if !mounts(adapter, want) {
				t.Errorf("the adapter does not mount %+v", want)
			}
			want.ReadOnly = true
			if !mounts(reporter, want) {
				t.Errorf("the reporter does not mount %+v", want)
			}
			grace := *pod.TerminationGracePeriodSeconds
			if got := *job.Spec.ActiveDeadlineSeconds; got < 300+grace+60 {
				t.Errorf("activeDeadlineSeconds %d leaves no room over MAX_WAIT_TIME_SECONDS, the grace period and a minute for scheduling", got)
			}
			// An API server that is away for a minute must cost no report: a second
			// container has its 30 minutes, a native sidecar the grace period.
			if len(pod.InitContainers) > 0 && grace < 90 {
				t.Errorf("a native sidecar has %d s to report after the adapter's end", grace)
			}
			if got := reporter.Resources.Limits.Memory().String(); got != "32Mi" {
				t.Errorf("memory limit is %s", got)
			}
		})
	}
}

// documentedVariables are those of the program's package comment.
func documentedVariables(t *testing.T) (names []string) {
	t.Helper()
	source, err := os.ReadFile("../main.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^//\t([A-Z_]+) `).FindAllStringSubmatch(string(source), -1) {
		names = append(names, m[1])
	}
	if len(names) < 9 {
		t.Fatalf("main.go's package comment lists only %q", names)
	}
	return names
}

// TestFailurePolicy: each exit code of a failed reporter has its own rule.
func TestFailurePolicy(t *testing.T) {
	job := read(t, "job.yaml").jobs[0]
	got := map[int32]batchv1.PodFailurePolicyAction{}
	for _, r := range job.Spec.PodFailurePolicy.Rules {
		if r.OnExitCodes == nil {
			continue
		}
		if c := r.OnExitCodes.ContainerName; c == nil || *c != "status-reporter" || r.OnExitCodes.Operator != batchv1.PodFailurePolicyOnExitCodesOpIn {
			t.Errorf("rule %+v", r)
		}
		for _, code := range r.OnExitCodes.Values {
			got[code] = r.Action
		}
	}
	want := map[int32]batchv1.PodFailurePolicyAction{
		1: batchv1.PodFailurePolicyActionFailJob, 4: batchv1.PodFailurePolicyActionFailJob, 78: batchv1.PodFailurePolicyActionFailJob,
		3: batchv1.PodFailurePolicyActionCount, 143: batchv1.PodFailurePolicyActionCount,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("actions by exit code (-want +got):\n%s", diff)
	}
	if first := job.Spec.PodFailurePolicy.Rules[0]; first.Action != batchv1.PodFailurePolicyActionIgnore || len(first.OnPodConditions) != 1 {
		t.Errorf("a disrupted Pod must be looked for first: %+v", first)
	}
	if job.Spec.Template.Spec.RestartPolicy != corev1.RestartPolicyNever {
		t.Error("the API refuses a podFailurePolicy with another restartPolicy than Never")
	}
}

// TestFailureFailsTheJob: beside a native sidecar the adapter's own exit code after a
// failure has a rule.
func TestFailureFailsTheJob(t *testing.T) {
	job := read(t, "job-native-sidecar.yaml").jobs[0]
	rule := job.Spec.PodFailurePolicy.Rules[1]
	if rule.Action != batchv1.PodFailurePolicyActionFailJob || rule.OnExitCodes == nil || *rule.OnExitCodes.ContainerName != "adapter" || !slices.Equal(rule.OnExitCodes.Values, []int32{4}) {
		t.Fatalf("rule %+v", rule)
	}
}

// TestAdapters runs the scripts: each leaves a result at RESULTS_PATH and nothing
// beside it, and ends with the code that the Job has a rule for after a failure alone.
func TestAdapters(t *testing.T) {
	all := jobs(t)
	for _, tt := range []struct {
		name, check, status string
		code                int
	}{
		{"job.yaml", "", "success", 0},
		{"job-native-sidecar.yaml", "true", "success", 0},
		{"job-native-sidecar.yaml", "false", "failure", 4},
		{"example", "", "failure", 0},
	} {
		m := all[tt.name]
		if m == nil {
			continue // there is no kubectl
		}
		_, adapter := split(t, m.jobs[0].Spec.Template.Spec)
		dir := t.TempDir()
		cmd := exec.CommandContext(t.Context(), "sh", "-euc", strings.ReplaceAll(adapter.Args[0], "[ -s /etc/resolv.conf ]", tt.check))
		cmd.Env = append(os.Environ(), "RESULTS_PATH="+filepath.Join(dir, "mine.json")) // whatever is set there
		err := cmd.Run()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		result, err := os.ReadFile(filepath.Join(dir, "mine.json"))
		if code := cmd.ProcessState.ExitCode(); err != nil || code != tt.code {
			t.Errorf("%s, %s: exit code %d, want %d; %v", tt.name, tt.status, code, tt.code, err)
		}
		if r, err := contract.Parse(result); err != nil || string(r.Status) != tt.status {
			t.Errorf("%s, %s: %+v, %v", tt.name, tt.status, r, err)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("%s, %s: left %v, %v", tt.name, tt.status, entries, err)
		}
	}
}

// TestKustomizePage: the kustomization of docs/deployment.md makes of a Job what it
// says, whatever the Job has already.
func TestKustomizePage(t *testing.T) {
	_, section, _ := strings.Cut(text(t, "../docs/deployment.md"), "\n## By kustomize\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := regexp.MustCompile("(?s)\n```yaml\n(.*?)```").FindAllStringSubmatch(section, -1)
	if len(blocks) != 2 {
		t.Fatalf("%d blocks on the page", len(blocks))
	}
	dir := t.TempDir()
	here, err := filepath.Abs("component")
	if err != nil {
		t.Fatal(err)
	}
	component, err := filepath.Rel(dir, here)
	if err != nil {
		t.Fatal(err)
	}
	job := `
apiVersion: batch/v1
kind: Job
metadata: {name: mine}
spec:
  template:
    spec:
      restartPolicy: Never
      initContainers: [{name: first, image: first}]
      containers: [{name: worker, image: worker, env: [{name: MINE, value: "1"}]}, {name: other, image: other}]
`
	kustomization := strings.Replace(blocks[0][1], "path/to/deploy/component", component, 1) + blocks[1][1]
	for name, content := range map[string]string{"kustomization.yaml": kustomization, "my-job.yaml": job} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m := kustomize(t, dir)
	if m == nil {
		return
	}
	pod := m.jobs[0].Spec.Template.Spec
	reporter, _ := reporterOf(t, m.jobs[0])
	label := corev1.EnvVar{Name: "OUTCOME_LABEL", Value: "example.com/outcome"}
	if pod.InitContainers[0].Name != "status-reporter" || reporter.Image != "my-registry/status-reporter:v1" || !slices.Contains(reporter.Env, label) || len(reporter.Env) < 6 {
		t.Errorf("the reporter: %+v", reporter)
	}
	worker := pod.Containers[0]
	if want := []corev1.EnvVar{{Name: "MINE", Value: "1"}, {Name: "RESULTS_PATH", Value: "/results/adapter-result.json"}}; !cmp.Equal(want, worker.Env) ||
		!mounts(worker, corev1.VolumeMount{Name: "results", MountPath: "/results"}) {
		t.Errorf("the first container: %+v", worker)
	}
	if other := pod.Containers[1]; len(other.Env) > 0 || len(other.VolumeMounts) > 0 {
		t.Errorf("the second container: %+v", other)
	}
}

// TestConsumersHaveTheRules: docs/consumers.md fails a Job by the rules of the
// manifests, and by no others.
func TestConsumersHaveTheRules(t *testing.T) {
	_, section, _ := strings.Cut(text(t, "../docs/consumers.md"), "\n## A Job that is Failed where the outcome is False\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := regexp.MustCompile("(?s)\n```yaml\n(.*?)```").FindAllStringSubmatch(section, -1)
	files := []string{"job.yaml", "job-native-sidecar.yaml"}
	if len(blocks) != len(files) {
		t.Fatalf("%d rules on the page", len(blocks))
	}
	for i, file := range files {
		spec := strict[batchv1.JobSpec](t, []byte(blocks[i][1]))
		rules := read(t, file).jobs[0].Spec.PodFailurePolicy.Rules
		if !slices.ContainsFunc(rules, func(r batchv1.PodFailurePolicyRule) bool { return cmp.Equal(r, spec.PodFailurePolicy.Rules[0]) }) {
			t.Errorf("%s has no rule %+v", file, spec.PodFailurePolicy.Rules[0])
		}
	}
}

// TestComponentIsTheSame: what is written twice is the same.
func TestComponentIsTheSame(t *testing.T) {
	rbac, component := read(t, "rbac.yaml"), read(t, "component/rbac.yaml", "component/sidecar.yaml")
	if diff := cmp.Diff(rbac.roles[0].Rules, component.roles[0].Rules); diff != "" {
		t.Errorf("rules (-rbac.yaml +component):\n%s", diff)
	}
	sidecar, _ := reporterOf(t, component.jobs[0])
	sidecar.Image, sidecar.SecurityContext = "", nil // where the Pod's own is not known, it says more
	for _, file := range []string{"job.yaml", "job-native-sidecar.yaml"} {
		job := read(t, file).jobs[0]
		c, volumes := reporterOf(t, job)
		c.Image, c.SecurityContext = "", nil
		if file == "job.yaml" {
			c.RestartPolicy = sidecar.RestartPolicy
			c.Env = slices.DeleteFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == "FAILURE_EXIT_CODE" })
		}
		if diff := cmp.Diff(c, sidecar); diff != "" {
			t.Errorf("the reporter's container (-%s +component):\n%s", file, diff)
		}
		if diff := cmp.Diff(volumes, component.jobs[0].Spec.Template.Spec.Volumes); diff != "" {
			t.Errorf("volumes (-%s +component):\n%s", file, diff)
		}
	}
}

func reporterOf(t *testing.T, job batchv1.Job) (corev1.Container, []corev1.Volume) {
	t.Helper()
	pod := job.Spec.Template.Spec
	for _, c := range containers(pod) {
		if c.Name == "status-reporter" {
			return c, pod.Volumes
		}
	}
	t.Fatalf("%s has no container status-reporter", job.Name)
	return corev1.Container{}, nil
}
