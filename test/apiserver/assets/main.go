// Command assets prints where the binaries of a Kubernetes control plane are, as
// a list like PATH: etcd, kube-apiserver and kube-controller-manager. Those that
// KUBEBUILDER_ASSETS has are taken from there. The others are built from their
// Go modules, at the version that ../kubernetes/go.mod pins, and kept in the
// user's cache directory; that takes minutes, once.
//
// With -kubernetes the control plane is of another version, never taken from
// KUBEBUILDER_ASSETS, beside the pinned etcd.
//
// It is run in the root directory of the repository.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

const module = "test/apiserver/kubernetes"

// packages are the binaries, each with where it is built from.
var packages = map[string]string{
	"etcd":                    "go.etcd.io/etcd/server/v3",
	"kube-apiserver":          "k8s.io/kubernetes/cmd/kube-apiserver",
	"kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
}

func main() {
	kubernetes := flag.String("kubernetes", "", "the `version` of Kubernetes, as 1.30.14; the pinned one where empty")
	flag.Parse()
	dirs, err := run(*kubernetes)
	if err != nil {
		fmt.Fprintln(os.Stderr, "assets:", err)
		os.Exit(1)
	}
	fmt.Println(strings.Join(dirs, string(filepath.ListSeparator)))
}

func run(kubernetes string) ([]string, error) {
	version, err := pinned(filepath.Join(module, "go.mod"))
	if err != nil {
		return nil, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	p := places{assets: os.Getenv("KUBEBUILDER_ASSETS"), cache: filepath.Join(cache, "status-reporter"), pinned: version}
	p.build = func(version, name, file string) error {
		if version == p.pinned {
			return build(module, version, name, file)
		}
		return buildOther(version, name, file)
	}
	return p.directories(kubernetes)
}

// places are where binaries come from.
type places struct {
	assets string // KUBEBUILDER_ASSETS
	cache  string
	pinned string // the version that ../kubernetes/go.mod has
	build  func(version, name, file string) error
}

// directories are those that have a control plane of a version, the pinned one
// where none is asked for. The first that has a binary counts.
func (p *places) directories(kubernetes string) ([]string, error) {
	other, err := otherVersion(kubernetes, p.pinned)
	if err != nil {
		return nil, err
	}
	if other == "" {
		return p.locate(slices.Sorted(maps.Keys(packages)), p.assets, p.pinned)
	}
	dirs, err := p.locate(controlPlane, "", other)
	if err != nil {
		return nil, err
	}
	etcd, err := p.locate([]string{"etcd"}, p.assets, p.pinned)
	return append(dirs, etcd...), err
}

// pinned is the version of k8s.io/kubernetes in a go.mod.
func pinned(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	found := regexp.MustCompile(`(?m)^\s*k8s\.io/kubernetes (v\S+)`).FindSubmatch(data)
	if found == nil {
		return "", fmt.Errorf("%s does not require k8s.io/kubernetes", file)
	}
	return string(found[1]), nil
}

// locate returns the directories that have these binaries of a version, once those
// that are neither in assets nor in the cache are built.
func (p *places) locate(names []string, assets, version string) (dirs []string, err error) {
	for _, name := range names {
		dir := assets
		if dir == "" || !exists(filepath.Join(dir, name)) {
			dir = filepath.Join(p.cache, "kubernetes-"+version)
			if file := filepath.Join(dir, name); !exists(file) {
				if err := os.MkdirAll(dir, 0o755); err != nil {
					return nil, err
				}
				if err := p.build(version, name, file); err != nil {
					return nil, err
				}
			}
		}
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs, nil
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return !errors.Is(err, fs.ErrNotExist)
}

// build builds one binary of a module's dependencies. Another run that does the
// same meanwhile does no harm.
func build(module, version, name, file string, flags ...string) error {
	fmt.Fprintf(os.Stderr, "building %s (Kubernetes %s) …\n", name, version)
	began := time.Now()
	part := fmt.Sprintf("%s.%d", file, os.Getpid())
	defer os.Remove(part)
	major, minor, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	const stamp = " -X k8s.io/component-base/version." // else the server says that it is v0.0.0
	args := append([]string{"build", "-C", module, "-trimpath", "-buildvcs=false", "-o", part,
		"-ldflags", "-s -w" + stamp + "gitVersion=" + version + stamp + "gitMajor=" + major + stamp + "gitMinor=" + minor}, flags...)
	cmd := goCommand(append(args, packages[name])...)
	cmd.Stdout = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	fmt.Fprintf(os.Stderr, "built %s in %s\n", name, time.Since(began).Round(time.Second))
	return os.Rename(part, file)
}

func goCommand(args ...string) *exec.Cmd {
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=", "CGO_ENABLED=0", "GOOS=", "GOARCH=")
	cmd.Stderr = os.Stderr
	return cmd
}
