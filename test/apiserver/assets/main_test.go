package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLocate(t *testing.T) {
	all := []string{"etcd", "kube-apiserver", "kube-controller-manager"}
	tests := []struct {
		name          string
		assets, cache []string // what is there; no assets: the variable is not set
		want          []string
		built         []string
	}{
		{"nothing there", nil, nil, []string{"cache"}, all},
		{"all in the cache", nil, all, []string{"cache"}, nil},
		{"all in KUBEBUILDER_ASSETS", all, nil, []string{"assets"}, nil},
		{"KUBEBUILDER_ASSETS goes first", all, all, []string{"assets"}, nil},
		{"KUBEBUILDER_ASSETS as envtest has it", []string{"etcd", "kube-apiserver", "kubectl"}, nil,
			[]string{"assets", "cache"}, []string{"kube-controller-manager"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			assets, cache := "", filepath.Join(dir, "cache")
			if tt.assets != nil {
				assets = filepath.Join(dir, "assets")
				fill(t, assets, tt.assets)
			}
			fill(t, cache, tt.cache)
			var built []string
			dirs, err := locate(names(), assets, cache, func(name, file string) error {
				built = append(built, name)
				return os.WriteFile(file, nil, 0o755)
			})
			for i := range dirs {
				dirs[i] = filepath.Base(dirs[i])
			}
			if diff := cmp.Diff(tt.want, dirs); diff != "" || err != nil {
				t.Errorf("%v\n%s", err, diff)
			}
			if diff := cmp.Diff(tt.built, built); diff != "" {
				t.Errorf("built (-want +got):\n%s", diff)
			}
		})
	}
}

func fill(t *testing.T, dir string, names []string) {
	t.Helper()
	if len(names) == 0 {
		return
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPinned holds the control plane to the version of the API that the
// reporter is built with: k8s.io/api v0.X.Y is published with Kubernetes v1.X.Y.
func TestPinned(t *testing.T) {
	root, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	api := regexp.MustCompile(`k8s\.io/api (v\S+)`).FindSubmatch(root)
	if api == nil {
		t.Fatal("go.mod does not require k8s.io/api")
	}
	staging := string(api[1])
	got, err := pinned("../kubernetes/go.mod")
	if want := strings.Replace(staging, "v0.", "v1.", 1); got != want || err != nil {
		t.Errorf("k8s.io/kubernetes %s, %v; want %s", got, err, want)
	}
	nested, err := os.ReadFile("../kubernetes/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	replaced := regexp.MustCompile(`(?m)^\s(k8s\.io/\S+) => \S+ (v\S+)`).FindAllStringSubmatch(string(nested), -1)
	if len(replaced) == 0 {
		t.Error("nothing is replaced")
	}
	for _, r := range replaced {
		if r[2] != staging {
			t.Errorf("%s %s, want %s", r[1], r[2], staging)
		}
	}
}
