package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

const casesDir = "../../testdata/e2e"

func loadAll(t *testing.T, changes ...func(*options)) []testCase {
	t.Helper()
	o := options{image: "reporter:1", adapterImage: "adapter:1", deploy: "../../deploy", cases: casesDir, only: regexp.MustCompile("")}
	for _, change := range changes {
		change(&o)
	}
	cases, err := load(o)
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

func TestGraft(t *testing.T) {
	for _, c := range loadAll(t) {
		pod := c.job.Spec.Template.Spec
		containers := slices.Concat(pod.InitContainers, pod.Containers)
		i := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == reporterName })
		if want := c.place(); i != want || pod.Containers[0].Name != "adapter" {
			t.Fatalf("%s: container %d of %d is the reporter, want %d", c, i, len(containers), want)
		}
		env := map[string]string{}
		for _, e := range containers[i].Env {
			env[e.Name] = e.Value
		}
		for name, value := range c.Env {
			if env[name] != value {
				t.Errorf("%s: %s is %q in the reporter's environment, want %q", c, name, env[name], value)
			}
		}
		if containers[i].Image != "reporter:1" || c.job.Name != c.String() {
			t.Errorf("%s: image %s, Job %s", c, containers[i].Image, c.job.Name)
		}
		for _, m := range containers[i].VolumeMounts {
			if !slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name }) {
				t.Errorf("%s: the Pod has no volume %s", c, m.Name)
			}
		}
		if len(containers[i].VolumeMounts) == 0 || pod.ServiceAccountName != "status-reporter-sa" {
			t.Errorf("%s: the reporter has no volume mounts or no ServiceAccount", c)
		}
		for _, other := range containers {
			if pod.SecurityContext == nil || other.SecurityContext == nil {
				t.Errorf("%s: %s has more rights than the deployed one", c, other.Name)
			}
		}
		if pod.TerminationGracePeriodSeconds == nil {
			t.Errorf("%s: not the deployed grace period", c)
		}
	}
}

// An injected case has nothing of what the policy puts there, and all of its own.
func TestLabel(t *testing.T) {
	cases := loadAll(t, func(o *options) { o.inject = true })
	mounts := 0
	for _, c := range cases {
		pod := c.job.Spec.Template.Spec
		for _, container := range slices.Concat(pod.InitContainers, pod.Containers) {
			if container.Name == reporterName {
				t.Errorf("%s has the reporter already", c)
			}
			for _, m := range container.VolumeMounts {
				if mounts++; !slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name }) {
					t.Errorf("%s: the Pod has no volume %s", c, m.Name)
				}
			}
		}
		if c.job.Labels["status-reporter/inject"] != "true" || !strings.HasSuffix(c.job.Name, "-injected") || !c.sidecar {
			t.Errorf("%s: labels %v, sidecar %t", c, c.job.Labels, c.sidecar)
		}
	}
	if mounts == 0 || len(cases) != len(loadAll(t))/2+1 {
		t.Errorf("%d cases with %d mounts of volumes of their own", len(cases), mounts)
	}
}

// place is where the reporter must be among all containers of the case.
func (c testCase) place() int {
	all := len(c.job.Spec.Template.Spec.InitContainers) + len(c.job.Spec.Template.Spec.Containers)
	switch {
	case c.SidecarFirst:
		return 0
	case c.sidecar:
		return all - 2
	}
	return all - 1
}

func TestHostPathsAreOfOneJob(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range loadAll(t) {
		for _, v := range c.job.Spec.Template.Spec.Volumes {
			if v.HostPath != nil && (seen[v.HostPath.Path] || !strings.HasPrefix(v.HostPath.Path, "/tmp/status-reporter-e2e/")) {
				t.Errorf("%s: %s is another's", c, v.HostPath.Path)
			} else if v.HostPath != nil {
				seen[v.HostPath.Path] = true
			}
		}
	}
	if len(seen) == 0 {
		t.Error("no volume outlives its Pod")
	}
}

// TestCases checks what each case needs of its adapter.
func TestCases(t *testing.T) {
	reached := map[string]bool{}
	for _, c := range loadAll(t) {
		adapter := c.job.Spec.Template.Spec.Containers[0]
		script := strings.Join(slices.Concat(adapter.Command, adapter.Args), " ")
		if now := strings.Contains(script, "echo now"); now != (c.Within > 0) {
			t.Errorf("%s: the adapter says now: %v; there is a limit: %v", c, now, c.Within > 0)
		}
		if ready := strings.Contains(script, "echo ready"); ready != (c.Do != "") {
			t.Errorf("%s: the adapter says ready: %v; to do: %q", c, ready, c.Do)
		}
		if !strings.HasSuffix(c.Description, ".") {
			t.Errorf("%s: %q is no sentence", c, c.Description)
		}
		for _, w := range c.want {
			reached[w.Reason] = true
		}
	}
	for _, reason := range []string{
		contract.ReasonAdapterOOMKilled, contract.ReasonAdapterExitedWithError, contract.ReasonAdapterMissingResults,
		contract.ReasonInvalidResultFormat, contract.ReasonAdapterTimeout, contract.ReasonAdapterInterrupted,
		contract.ReasonReporterMisconfigured,
	} {
		if !reached[reason] {
			t.Errorf("no case reaches %s", reason)
		}
	}
}

func TestFilesAreTheIndex(t *testing.T) {
	want := map[string]bool{"index.json": true, "README.md": true}
	for _, c := range loadAll(t) {
		want[c.Name+".job.yaml"], want[c.Name+".condition.json"] = true, true
	}
	got := map[string]bool{}
	err := fs.WalkDir(os.DirFS(casesDir), ".", func(path string, d fs.DirEntry, err error) error {
		if own, ok := strings.CutSuffix(path, ".sidecar.condition.json"); ok {
			path = own + ".condition.json" // which may differ, or not
		}
		if err == nil && !d.IsDir() {
			got[path] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-index +directory):\n%s", diff)
	}
}

func TestConditionsAreCanonical(t *testing.T) {
	paths, err := filepath.Glob(casesDir + "/*.condition.json")
	if err != nil || len(paths) == 0 {
		t.Fatal("no conditions", err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var all conditions
		if err := readJSON(path, &all); err != nil {
			t.Fatal(err)
		}
		var canonical any = all
		if len(all) == 1 {
			canonical = all[0]
		}
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(canonical); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(b.String(), string(data)); diff != "" {
			t.Errorf("%s:\n%s", path, diff)
		}
	}
}

func TestMatches(t *testing.T) {
	got := condition{"Available", "False", "Reason", "waiting: ErrImagePull: no such image"}
	for message, want := range map[string]bool{
		got.Message: true, "*": true, "waiting: *": true, "*image": true, "waiting: *ImagePull*no such image": true,
		"": false, "waiting:": false, "waiting: ": false, "* ": false, "waiting: *BackOff*": false, "*no such image*image*": false,
	} {
		golden := got
		golden.Message = message
		if golden.matches(got) != want {
			t.Errorf("%q matches %q: %v", message, got.Message, !want)
		}
	}
	for _, golden := range []condition{
		{"Ready", "False", "Reason", "*"}, {"Available", "True", "Reason", "*"}, {"Available", "False", "Other", "*"},
	} {
		if golden.matches(got) {
			t.Errorf("%+v matches %+v", golden, got)
		}
	}
}

// TestDeployedPolicy: where a case asks for it, the Job fails by deploy's own rules.
func TestDeployedPolicy(t *testing.T) {
	deployed := 0
	for _, c := range loadAll(t) {
		policy := c.job.Spec.PodFailurePolicy
		if c.Deployed {
			deployed++
			if policy == nil || !slices.ContainsFunc(policy.Rules, func(r batchv1.PodFailurePolicyRule) bool {
				return r.OnExitCodes != nil && slices.Contains(r.OnExitCodes.Values, 4) && r.Action == batchv1.PodFailurePolicyActionFailJob
			}) {
				t.Errorf("%s: no rule for code 4: %+v", c, policy)
			}
		}
		if c.Cron && c.Ends == "" || c.SidecarEnds != "" && c.Ends == "" {
			t.Errorf("%s: how does the Job end?", c)
		}
		containers := slices.Concat(c.job.Spec.Template.Spec.InitContainers, c.job.Spec.Template.Spec.Containers)
		i := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == reporterName })
		index := slices.IndexFunc(containers[i].Env, func(e corev1.EnvVar) bool { return e.Name == "INDEX" })
		kind := slices.IndexFunc(containers[i].Env, func(e corev1.EnvVar) bool { return strings.Contains(e.Value, "$(INDEX)") })
		if c.Indexed != (index >= 0) || c.Indexed && index > kind {
			t.Errorf("%s: INDEX must come before the variable that names it: %d, %d", c, index, kind)
		}
	}
	if deployed == 0 {
		t.Error("no case has them")
	}
}

// TestIndexedIsThePagesRecipe: docs/consumers.md gives each index its condition as the
// case does.
func TestIndexedIsThePagesRecipe(t *testing.T) {
	page, err := os.ReadFile("../../docs/consumers.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n## A condition for each index of an Indexed Job\n")
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindStringSubmatch(section)
	if !found || block == nil {
		t.Fatal("docs/consumers.md has no such recipe")
	}
	var recipe corev1.Container
	if err := yaml.UnmarshalStrict([]byte(block[1]), &recipe); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(loadAll(t), func(c testCase) bool { return c.Indexed })
	c := loadAll(t)[i]
	var played corev1.Container
	c.setEnv(&played)
	played.Env = slices.DeleteFunc(played.Env, func(e corev1.EnvVar) bool { return e.Name == "FAILURE_EXIT_CODE" })
	if diff := cmp.Diff(played.Env, recipe.Env); diff != "" {
		t.Errorf("the page (-case +page):\n%s", diff)
	}
}
