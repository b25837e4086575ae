package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDirectories(t *testing.T) {
	const pinned, old = "v1.37.2", "v1.30.14"
	all := []string{"etcd", "kube-apiserver", "kube-controller-manager"}
	tests := []struct {
		name       string
		kubernetes string
		assets     []string            // what is there; nil: the variable is not set
		cache      map[string][]string // by version
		want       []string
		built      []string
	}{
		{"nothing there", "", nil, nil, []string{pinned}, []string{pinned + " etcd", pinned + " kube-apiserver", pinned + " kube-controller-manager"}},
		{"all in the cache", "", nil, map[string][]string{pinned: all}, []string{pinned}, nil},
		{"all in KUBEBUILDER_ASSETS", "", all, nil, []string{"assets"}, nil},
		{"KUBEBUILDER_ASSETS goes first", "", all, map[string][]string{pinned: all}, []string{"assets"}, nil},
		{"KUBEBUILDER_ASSETS as envtest has it", "", []string{"etcd", "kube-apiserver", "kubectl"}, nil, []string{"assets", pinned}, []string{pinned + " kube-controller-manager"}},
		{"the pinned version by its name", "1.37.2", all, nil, []string{"assets"}, nil},
		{"another version", "1.30.14", nil, map[string][]string{pinned: all}, []string{old, pinned}, []string{old + " kube-apiserver", old + " kube-controller-manager"}},
		{"another version, built before", "1.30.14", nil, map[string][]string{pinned: all, old: all[1:]}, []string{old, pinned}, nil},
		{"another version, and KUBEBUILDER_ASSETS has who knows which", "1.30.14", all, map[string][]string{old: all[1:]}, []string{old, "assets"}, nil},
		{"another version, and no etcd", "1.30.14", nil, map[string][]string{old: all[1:]}, []string{old, pinned}, []string{pinned + " etcd"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			var built []string
			p := places{cache: dir, pinned: pinned, build: func(version, name, file string) error {
				built = append(built, version+" "+name)
				return os.WriteFile(file, nil, 0o755)
			}}
			if tt.assets != nil {
				p.assets = filepath.Join(dir, "assets")
				fill(t, p.assets, tt.assets)
			}
			for version, names := range tt.cache {
				fill(t, filepath.Join(dir, "kubernetes-"+version), names)
			}
			dirs, err := p.directories(tt.kubernetes)
			for i := range dirs {
				dirs[i] = strings.TrimPrefix(filepath.Base(dirs[i]), "kubernetes-")
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
