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
	corev1 "k8s.io/api/core/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

const casesDir = "../testdata/e2e"

func loadAll(t *testing.T) []testCase {
	t.Helper()
	cases, err := load(options{
		image: "reporter:1", adapterImage: "adapter:1", deploy: "../deploy", cases: casesDir, only: regexp.MustCompile(""),
	})
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
		if len(containers) != 2 || len(pod.InitContainers) == 1 != c.sidecar || i < 0 {
			t.Fatalf("%s: %d containers; want one adapter and one reporter", c, len(containers))
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
		if pod.SecurityContext == nil || pod.Containers[0].SecurityContext == nil {
			t.Errorf("%s: the adapter has more rights than the deployed one", c)
		}
	}
}

// TestCases checks what each case needs of its adapter.
func TestCases(t *testing.T) {
	reached := map[string]bool{}
	for _, c := range loadAll(t) {
		adapter := c.job.Spec.Template.Spec.Containers[0]
		script := adapter.Command[len(adapter.Command)-1]
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
		if len(c.want) > 1 {
			want[c.Name+".before.condition.json"] = true
		}
	}
	got := map[string]bool{}
	err := fs.WalkDir(os.DirFS(casesDir), ".", func(path string, d fs.DirEntry, err error) error {
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
		var c condition
		if err := readJSON(path, &c); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(c); err != nil {
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
