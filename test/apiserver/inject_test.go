package apiserver_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/test/apiserver"
)

const injectedImage = "registry.example.com/status-reporter:v1"

// labelled is a Job that asks for the reporter, and knows nothing of it.
func labelled() *batchv1.Job {
	j := apiserver.Job("job")
	j.Labels = map[string]string{"status-reporter/inject": "true"}
	j.Spec.Template.Spec.ServiceAccountName = "default"
	return j
}

// injection is a Job, and what must become of it beside the sidecar.
type injection struct {
	name   string
	change func(j *batchv1.Job)
	values map[string]string // of the ConfigMap beside the image
	want   func(t *testing.T, made *batchv1.Job)
}

// sidecarOf is the reporter, which must be the first init container.
func sidecarOf(t *testing.T, j *batchv1.Job) corev1.Container {
	t.Helper()
	init := j.Spec.Template.Spec.InitContainers
	if len(init) == 0 || init[0].Name != "status-reporter" {
		t.Fatalf("the sidecar is not the first init container: %+v", init)
	}
	return init[0]
}

// envOf is a variable's value: as for the kubelet the last of its name counts.
func envOf(c corev1.Container, name string) (value string) {
	for _, e := range c.Env {
		if e.Name == name {
			value = e.Value
		}
	}
	return value
}

// shares checks that both mount one volume where the result is, the reporter read-only.
func shares(path, dir, volume string, adapter int) func(*testing.T, *batchv1.Job) {
	return func(t *testing.T, j *batchv1.Job) {
		t.Helper()
		c, r := j.Spec.Template.Spec.Containers[adapter], sidecarOf(t, j)
		if got := envOf(c, "RESULTS_PATH"); got != path || envOf(r, "RESULTS_PATH") != path {
			t.Errorf("RESULTS_PATH %q and %q, want %q", got, envOf(r, "RESULTS_PATH"), path)
		}
		at := func(m corev1.VolumeMount) bool { return m.Name == volume && m.MountPath == dir }
		i, k := slices.IndexFunc(c.VolumeMounts, at), slices.IndexFunc(r.VolumeMounts, at)
		if i < 0 || k < 0 {
			t.Fatalf("%s at %s is not mounted into both: %+v, %+v", volume, dir, c.VolumeMounts, r.VolumeMounts)
		}
		want := c.VolumeMounts[i]
		want.ReadOnly = true
		if diff := cmp.Diff(want, r.VolumeMounts[k]); diff != "" {
			t.Errorf("mounts (-adapter's +reporter's):\n%s", diff)
		}
	}
}

func mount(name, path string, source corev1.VolumeSource) func(*batchv1.Job) {
	return func(j *batchv1.Job) {
		pod := &j.Spec.Template.Spec
		pod.Volumes = append(pod.Volumes, corev1.Volume{Name: name, VolumeSource: source})
		if path != "" {
			pod.Containers[0].VolumeMounts = append(pod.Containers[0].VolumeMounts, corev1.VolumeMount{Name: name, MountPath: path, SubPath: "sub"})
		}
	}
}

func injections() []injection {
	const path, dir = "/results/adapter-result.json", "/results"
	plain := shares(path, dir, "results", 0)
	empty := corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
	claim := corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "claim"}}
	env := func(name, value string) func(*batchv1.Job) {
		return func(j *batchv1.Job) {
			j.Spec.Template.Spec.Containers[0].Env = append(j.Spec.Template.Spec.Containers[0].Env, corev1.EnvVar{Name: name, Value: value})
		}
	}
	second := func(j *batchv1.Job) {
		j.Spec.Template.Spec.Containers = append(j.Spec.Template.Spec.Containers, corev1.Container{Name: "worker", Image: "worker"})
	}
	return []injection{
		{name: "nothing of its own", change: func(*batchv1.Job) {}, want: plain},
		{name: "an account of its own", change: func(j *batchv1.Job) { j.Spec.Template.Spec.ServiceAccountName = "own" }, want: func(t *testing.T, j *batchv1.Job) {
			if pod := j.Spec.Template.Spec; pod.ServiceAccountName != "own" || pod.AutomountServiceAccountToken != nil {
				t.Errorf("account %s, automount %v", pod.ServiceAccountName, pod.AutomountServiceAccountToken)
			}
		}},
		{name: "generateName", change: func(j *batchv1.Job) { j.Name, j.GenerateName = "", "job-" }, want: func(t *testing.T, j *batchv1.Job) {
			if sidecarOf(t, j).Env[0].ValueFrom.FieldRef.FieldPath != "metadata.labels['batch.kubernetes.io/job-name']" {
				t.Error("JOB_NAME is not the label's")
			}
		}},
		{name: "suspended", change: func(j *batchv1.Job) { j.Spec.Suspend = new(bool); *j.Spec.Suspend = true }, want: plain},
		{name: "OnFailure, Indexed", change: both(indexed(3), func(j *batchv1.Job) { j.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyOnFailure }), want: plain},
		{name: "init containers", change: func(j *batchv1.Job) {
			j.Spec.Template.Spec.InitContainers = []corev1.Container{{Name: "a", Image: "a"}, {Name: "b", Image: "b"}}
		}, want: func(t *testing.T, j *batchv1.Job) {
			sidecarOf(t, j)
			if init := j.Spec.Template.Spec.InitContainers; len(init) != 3 || init[1].Name != "a" || init[2].Name != "b" {
				t.Errorf("init containers %+v", init)
			}
		}},
		{name: "variables and mounts", change: both(env("A", "b"), mount("data", "/data", empty)), want: func(t *testing.T, j *batchv1.Job) {
			plain(t, j)
			if c := j.Spec.Template.Spec.Containers[0]; envOf(c, "A") != "b" || len(c.VolumeMounts) != 2 || len(j.Spec.Template.Spec.Volumes) != 3 {
				t.Errorf("container %+v", c)
			}
		}},
		{name: "volumes of these names", change: both(mount("results", "/data", empty), mount("api-access", "", empty)), want: func(t *testing.T, j *batchv1.Job) {
			shares(path, dir, "status-reporter-results", 0)(t, j)
			if m := sidecarOf(t, j).VolumeMounts[1]; m.Name != "status-reporter-api-access" {
				t.Errorf("the token is mounted from %s", m.Name)
			}
		}},
		{name: "a volume where results are", change: mount("claim", dir, claim), want: shares(path, dir, "claim", 0)},
		{name: "a volume above", change: both(mount("claim", "/srv", claim), env("RESULTS_PATH", "/srv/a/b.json")), want: shares("/srv/a/b.json", "/srv", "claim", 0)},
		{name: "a volume above and one below", change: both(mount("claim", "/srv", claim), mount("inner", "/srv/a/", empty), env("RESULTS_PATH", "/srv/a/b.json")),
			want: shares("/srv/a/b.json", "/srv/a/", "inner", 0)},
		{name: "a volume beside", change: both(mount("claim", "/results2", claim)), want: plain},
		{name: "a path of its own", change: env("RESULTS_PATH", "/out/r.json"), want: shares("/out/r.json", "/out", "results", 0)},
		{name: "a path that is written twice", change: both(env("RESULTS_PATH", "/one/r.json"), env("RESULTS_PATH", "/two/r.json")), want: shares("/two/r.json", "/two", "results", 0)},
		{name: "a mount by the Pod's name", change: func(j *batchv1.Job) {
			mount("shared", dir, empty)(j)
			m := &j.Spec.Template.Spec.Containers[0].VolumeMounts[0]
			m.SubPath, m.SubPathExpr = "", "$(POD_NAME)"
		}, want: shares(path, dir, "shared", 0)},
		{name: "a mount elsewhere by the adapter's own variable", change: func(j *batchv1.Job) {
			mount("shared", "/data", empty)(j)
			m := &j.Spec.Template.Spec.Containers[0].VolumeMounts[0]
			m.SubPath, m.SubPathExpr = "", "$(SHARD)"
		}, want: plain},
		{name: "two containers", change: second, want: plain},
		{name: "another container", change: both(second, meta(map[string]string{"status-reporter/inject": "true"}, map[string]string{"status-reporter/container": "worker"})), want: func(t *testing.T, j *batchv1.Job) {
			shares(path, dir, "results", 1)(t, j)
			if c := j.Spec.Template.Spec.Containers[0]; len(c.Env) > 0 || len(c.VolumeMounts) > 0 {
				t.Errorf("the first container is changed: %+v", c)
			}
			if got := envOf(sidecarOf(t, j), "ADAPTER_CONTAINER_NAME"); got != "worker" {
				t.Errorf("ADAPTER_CONTAINER_NAME %q", got)
			}
		}},
		{name: "a Pod of root's", change: func(j *batchv1.Job) {
			j.Spec.Template.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsUser: new(int64)}
		}, want: func(t *testing.T, j *batchv1.Job) {
			if u := sidecarOf(t, j).SecurityContext.RunAsUser; u == nil || *u != 65532 {
				t.Errorf("runAsUser %v", u)
			}
		}},
		{name: "values that are empty", change: func(*batchv1.Job) {}, values: map[string]string{
			"maxWaitTimeSeconds": "", "conditionType": " ", "cpuRequest": "", "memoryRequest": "\n", "memoryLimit": "", "cpuLimit": "", "outcomeLabel": "", "detailsAnnotation": "",
		}, want: func(t *testing.T, j *batchv1.Job) {
			r := sidecarOf(t, j)
			if len(r.Env) != 5 || envOf(r, "MAX_WAIT_TIME_SECONDS") != "300" || len(r.Resources.Limits) != 1 || r.Resources.Limits.Memory().String() != "32Mi" ||
				r.Resources.Requests.Cpu().String() != "5m" || r.Resources.Requests.Memory().String() != "16Mi" {
				t.Errorf("not as if they were left out: %+v", r)
			}
		}},
		{name: "values", change: func(*batchv1.Job) {}, values: map[string]string{
			"maxWaitTimeSeconds": "60", "conditionType": "Validated", "cpuRequest": "7m", "memoryRequest": "17Mi", "memoryLimit": "64Mi", "cpuLimit": "50m",
			"outcomeLabel": " example.com/outcome\n", "detailsAnnotation": "example.com/details ",
		}, want: func(t *testing.T, j *batchv1.Job) {
			r := sidecarOf(t, j)
			for name, want := range map[string]string{
				"MAX_WAIT_TIME_SECONDS": "60", "CONDITION_TYPE": "Validated",
				"OUTCOME_LABEL": "example.com/outcome", "DETAILS_ANNOTATION": "example.com/details",
			} {
				if got := envOf(r, name); got != want {
					t.Errorf("%s %q, want %q", name, got, want)
				}
			}
			for what, got := range map[string]string{
				"7m": r.Resources.Requests.Cpu().String(), "17Mi": r.Resources.Requests.Memory().String(),
				"64Mi": r.Resources.Limits.Memory().String(), "50m": r.Resources.Limits.Cpu().String(),
			} {
				if got != what {
					t.Errorf("%s, want %s", got, what)
				}
			}
		}},
	}
}

// testInject has Jobs injected, and holds the sidecar to job-native-sidecar.yaml's.
func testInject(t *testing.T, cluster *apiserver.Cluster) {
	cluster.Needs(t, apiserver.MutatingPolicies)
	cluster.Apply(t, "deploy/inject/policy.yaml")
	n := configured(t, cluster, nil)
	n.Await("deploy/inject/policy.yaml in force", func() bool {
		made := &batchv1.Job{}
		_, refusal := n.Try(labelled(), made)
		return refusal == "" && len(made.Spec.Template.Spec.InitContainers) > 0
	})
	model := &batchv1.Job{}
	if _, refusal := n.Try(deployed(t, "job-native-sidecar.yaml", nil), model); refusal != "" {
		t.Fatal(refusal)
	}
	for _, i := range injections() {
		t.Run(i.name, func(t *testing.T) {
			n := n
			if i.values != nil {
				n = configured(t, cluster, i.values)
			}
			j := labelled()
			i.change(j)
			made := inject(t, n, j)
			i.want(t, made)
			if i.values == nil {
				sameSidecar(t, sidecarOf(t, model), sidecarOf(t, made))
			}
			again := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "again", Labels: made.Labels, Annotations: made.Annotations}, Spec: *made.Spec.DeepCopy()}
			again.Spec.Selector, again.Spec.Template.Labels = nil, nil
			if twice := inject(t, n, again); !cmp.Equal(made.Spec.Template.Spec, twice.Spec.Template.Spec) {
				t.Errorf("injected once more:\n%s", cmp.Diff(made.Spec.Template.Spec, twice.Spec.Template.Spec))
			}
		})
	}
	t.Run("the model's volumes", func(t *testing.T) {
		if diff := cmp.Diff(model.Spec.Template.Spec.Volumes, inject(t, n, labelled()).Spec.Template.Spec.Volumes); diff != "" {
			t.Errorf("volumes (-job-native-sidecar.yaml +injected):\n%s", diff)
		}
	})
	t.Run("refused", func(t *testing.T) { testInjectionRefused(t, cluster, n) })
	t.Run("left alone", func(t *testing.T) { testNotInjected(t, cluster, n) })
	t.Run("its rights", func(t *testing.T) { testInjectedRights(t, cluster) })
	t.Run("admitted", func(t *testing.T) { testInjectedPod(t, cluster) })
}

// sameSidecar compares member by member. What the model has from its Pod's
// security context, and what the case has changed, is known to differ.
func sameSidecar(t *testing.T, model, made corev1.Container) {
	t.Helper()
	yes, user := true, made.SecurityContext.RunAsUser
	model = *model.DeepCopy()
	model.SecurityContext.RunAsNonRoot, model.SecurityContext.RunAsUser = &yes, user
	model.SecurityContext.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	for i := range model.Env {
		if model.Env[i].Name == "RESULTS_PATH" {
			model.Env[i].Value = envOf(made, "RESULTS_PATH")
		}
	}
	if len(made.Env) > len(model.Env) { // ADAPTER_CONTAINER_NAME
		model.Env = append(model.Env, made.Env[len(model.Env):]...)
	}
	model.VolumeMounts[0], model.VolumeMounts[1].Name = made.VolumeMounts[0], made.VolumeMounts[1].Name
	if diff := cmp.Diff(model, made); diff != "" {
		t.Errorf("the sidecar (-job-native-sidecar.yaml +injected):\n%s", diff)
	}
}

// configured is a namespace with the policies and the ConfigMap.
func configured(t *testing.T, cluster *apiserver.Cluster, values map[string]string, with ...func(*metav1.ObjectMeta)) *apiserver.Namespace {
	t.Helper()
	n := cluster.Namespace(t, append([]func(*metav1.ObjectMeta){apiserver.Enforced}, with...)...)
	data := map[string]string{"image": injectedImage}
	for k, v := range values {
		data[k] = v
	}
	n.CreateAccount("default")
	n.Configure("status-reporter", data)
	return n
}

// inject makes a Job that is not kept, without a word of lint.yaml's.
func inject(t *testing.T, n *apiserver.Namespace, j *batchv1.Job) *batchv1.Job {
	t.Helper()
	made := &batchv1.Job{}
	warnings, refusal := n.Try(j, made)
	if refusal != "" {
		t.Fatalf("refused: %s", refusal)
	}
	for _, w := range warnings {
		if !strings.Contains(w, "volume claim outlives the Pod") && !strings.Contains(w, "hides previous definition") {
			t.Errorf("warning %s", w)
		}
	}
	return made
}

func testNotInjected(t *testing.T, cluster *apiserver.Cluster, n *apiserver.Namespace) {
	unlabelled := labelled()
	unlabelled.Labels = map[string]string{"status-reporter/inject": "false"}
	for name, made := range map[string]*batchv1.Job{"the Job": inject(t, n, unlabelled), "the namespace": inject(t, cluster.Namespace(t), labelled())} {
		if len(made.Spec.Template.Spec.InitContainers) > 0 {
			t.Errorf("injected, though %s has no label", name)
		}
	}
	second, made := labelled(), &batchv1.Job{}
	reporter(false)(second)
	if _, refusal := n.Try(second, made); refusal != "" || len(made.Spec.Template.Spec.InitContainers) > 0 {
		t.Errorf("injected beside a reporter; refused: %q", refusal)
	}
}

// testInjectionRefused: what cannot be injected is refused, with a sentence that
// says what to write.
func testInjectionRefused(t *testing.T, cluster *apiserver.Cluster, n *apiserver.Namespace) {
	container := func(name string) func(*batchv1.Job) {
		return meta(map[string]string{"status-reporter/inject": "true"}, map[string]string{"status-reporter/container": name})
	}
	path := func(env ...corev1.EnvVar) func(*batchv1.Job) {
		return func(j *batchv1.Job) {
			for _, e := range env {
				e.Name = "RESULTS_PATH"
				j.Spec.Template.Spec.Containers[0].Env = append(j.Spec.Template.Spec.Containers[0].Env, e)
			}
		}
	}
	value := func(v string) func(*batchv1.Job) { return path(corev1.EnvVar{Value: v}) }
	const (
		write  = ", which the reporter cannot follow: leave it out, or write the path of a file in a directory as its value, such as /results/adapter-result.json."
		config = "in this namespace the ConfigMap status-reporter must have image, and quantities for CPU and memory as in deploy/inject/config.yaml."
	)
	for _, test := range []struct {
		name   string
		change func(*batchv1.Job)
		values map[string]string // of the ConfigMap
		want   string
	}{
		{"a container that there is not", container("worker"), nil, `the annotation status-reporter/container names "worker", which is no container of this Job.`},
		{"an annotation with two", container("adapter,worker"), nil, `names "adapter,worker", which is no container`},
		{"an empty annotation", container(""), nil, `names "", which is no container`},
		{"a path from elsewhere", path(corev1.EnvVar{ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.annotations['path']"}}}), nil, "the RESULTS_PATH of container adapter is from elsewhere" + write},
		{"an empty path", value(""), nil, "is empty" + write},
		{"a relative path", value("out/r.json"), nil, "is out/r.json" + write},
		{"a path by reference", value("$(DIR)/r.json"), nil, "is $(DIR)/r.json" + write},
		{"a reference within a path", value("/out/$(DIR)/r.json"), nil, "is /out/$(DIR)/r.json" + write},
		{"a path at the root", value("/r.json"), nil, "is /r.json" + write},
		{"a directory", value("/results/"), nil, "is /results/" + write},
		{"a path that is wrong the second time", path(corev1.EnvVar{Value: "/results/r.json"}, corev1.EnvVar{Value: "r.json"}), nil, "is r.json" + write},
		{"a mount by the adapter's own variable", func(j *batchv1.Job) {
			c := &j.Spec.Template.Spec.Containers[0]
			mount("shared", "/results", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}})(j)
			c.VolumeMounts[0].SubPath, c.VolumeMounts[0].SubPathExpr = "", "$(POD_NAME)/$(SHARD)"
		}, nil, "the subPathExpr of volume shared takes variables that the reporter does not have: write subPath, or a RESULTS_PATH that is not on that volume."},
		{"a selector by hand", func(j *batchv1.Job) {
			j.Spec.ManualSelector = new(bool)
			*j.Spec.ManualSelector = true
			j.Spec.Selector, j.Spec.Template.Labels = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}, map[string]string{"a": "b"}
		}, nil, "with manualSelector the Pod lacks the label batch.kubernetes.io/job-name,"},
		{"no image", nil, map[string]string{"image": ""}, config},
		{"a request that is no quantity", nil, map[string]string{"cpuRequest": "much"}, config},
		{"a limit that is no quantity", nil, map[string]string{"memoryLimit": "32 Mi"}, config},
	} {
		t.Run(test.name, func(t *testing.T) {
			n, j := n, labelled()
			if test.values != nil {
				n = configured(t, cluster, test.values)
			}
			if test.change != nil {
				test.change(j)
			}
			if _, refusal := n.Try(j, nil); !strings.Contains(refusal, "'status-reporter-injected' denied request: ") || !strings.HasSuffix(refusal, ".") || !strings.Contains(refusal, test.want) {
				t.Errorf("refused: %q, want %q", refusal, test.want)
			}
		})
	}
	if _, refusal := cluster.Namespace(t, apiserver.Enforced).Try(labelled(), nil); !strings.HasSuffix(refusal, config) {
		t.Errorf("no ConfigMap: %q", refusal)
	}
}

// testInjectedPod makes Pods of an injected Job's template in namespaces that
// ask something of them.
func testInjectedPod(t *testing.T, cluster *apiserver.Cluster) {
	yes, no, user := true, false, int64(1000)
	limits := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("64Mi")}
	restricted := labelled()
	c := &restricted.Spec.Template.Spec.Containers[0]
	c.Resources = corev1.ResourceRequirements{Limits: limits, Requests: limits}
	c.SecurityContext = &corev1.SecurityContext{
		RunAsNonRoot: &yes, RunAsUser: &user, AllowPrivilegeEscalation: &no,
		Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	for _, test := range []struct {
		name   string
		level  string // of Pod Security
		quota  []corev1.ResourceName
		values map[string]string
	}{
		{"restricted", "restricted", nil, nil},
		{"a quota", "privileged", []corev1.ResourceName{"requests.cpu", "requests.memory", "limits.memory"}, nil},
		{"a quota that asks for CPU limits", "privileged", []corev1.ResourceName{"limits.cpu", "limits.memory"}, map[string]string{"cpuLimit": "50m"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := configured(t, cluster, test.values, func(m *metav1.ObjectMeta) { m.Labels["pod-security.kubernetes.io/enforce"] = test.level })
			if hard := (corev1.ResourceList{}); test.quota != nil {
				for _, name := range test.quota {
					hard[name] = resource.MustParse("1Gi")
				}
				n.Limit(hard)
				bare := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "bare"}, Spec: labelled().Spec.Template.Spec}
				n.Await("a quota in force", func() bool { _, refusal := n.Try(bare, nil); return refusal != "" })
			}
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "pod"}, Spec: inject(t, n, restricted).Spec.Template.Spec}
			if _, refusal := n.Try(pod, nil); refusal != "" {
				t.Errorf("refused: %s", refusal)
			}
		})
	}
}

// testInjectedRights has the Job controller make the Pod of an injected Job: with
// the token of the namespace's default account it may report, on that Job alone.
func testInjectedRights(t *testing.T, cluster *apiserver.Cluster) {
	n := configured(t, cluster, map[string]string{"outcomeLabel": "example.com/outcome", "detailsAnnotation": "example.com/details"})
	n.ApplyRBAC("deploy/inject/rbac.yaml")
	other := labelled()
	other.Name = "other"
	n.CreateJob(labelled())
	n.CreateJob(other)
	token := n.Token("default", n.AdoptPod("job", corev1.PodStatus{Phase: corev1.PodRunning}))
	n.Await("the right", func() bool { return n.Patch(token, "job", apiserver.StrategicMerge, good).Code == 200 })
	keyed := `{"metadata":{"labels":{"example.com/outcome":"True"},"annotations":{"example.com/details":"{}"}},` + good[1:]
	if got := n.Patch(token, "job", apiserver.StrategicMerge, keyed); got.Code != 200 {
		t.Errorf("the ConfigMap's label and annotation: %+v", got)
	}
	if got := n.Patch(token, "job", apiserver.StrategicMerge, `{"metadata":{"labels":{"outcome":"True"}},`+good[1:]); got.Code != 403 {
		t.Errorf("another label: %+v", got)
	}
	if got := n.Patch(token, "other", apiserver.StrategicMerge, good); got.Code != 403 {
		t.Errorf("another Job: %+v", got)
	}
	if got := n.Patch(token, "job", apiserver.StrategicMerge, condition(`"type":"FailureTarget","status":"True"`)); got.Code != 403 {
		t.Errorf("another condition: %+v", got)
	}
}
