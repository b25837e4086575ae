// Command assets prints where the binaries of a Kubernetes control plane are, as
// a list like PATH: etcd, kube-apiserver and kube-controller-manager. Those that
// KUBEBUILDER_ASSETS has are taken from there. The others are built from their
// Go modules, at the version that ../kubernetes/go.mod pins, and kept in the
// user's cache directory; that takes minutes, once.
//
// It is run in the root directory of the repository.
package main

import (
	"errors"
	"fmt"
	"io/fs"
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
	dirs, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "assets:", err)
		os.Exit(1)
	}
	fmt.Println(strings.Join(dirs, string(filepath.ListSeparator)))
}

func run() ([]string, error) {
	version, err := pinned(filepath.Join(module, "go.mod"))
	if err != nil {
		return nil, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(cache, "status-reporter", "kubernetes-"+version)
	return locate(os.Getenv("KUBEBUILDER_ASSETS"), dir, func(name, file string) error { return build(version, name, file) })
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

// locate returns the directories that have the binaries, once those that are
// neither in assets nor in cache are built into cache.
func locate(assets, cache string, build func(name, file string) error) (dirs []string, err error) {
	var names []string
	for name := range packages {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		dir := assets
		if dir == "" || !exists(filepath.Join(dir, name)) {
			dir = cache
			if file := filepath.Join(dir, name); !exists(file) {
				if err := os.MkdirAll(dir, 0o755); err != nil {
					return nil, err
				}
				if err := build(name, file); err != nil {
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

// build builds one binary. Another run that does the same meanwhile does no harm.
func build(version, name, file string) error {
	fmt.Fprintf(os.Stderr, "building %s (Kubernetes %s) …\n", name, version)
	began := time.Now()
	part := fmt.Sprintf("%s.%d", file, os.Getpid())
	defer os.Remove(part)
	major, minor, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	const stamp = " -X k8s.io/component-base/version." // else the server says that it is v0.0.0
	cmd := exec.Command("go", "build", "-C", module, "-trimpath", "-buildvcs=false", "-o", part,
		"-ldflags", "-s -w"+stamp+"gitVersion="+version+stamp+"gitMajor="+major+stamp+"gitMinor="+minor, packages[name])
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=", "CGO_ENABLED=0", "GOOS=", "GOARCH=")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	fmt.Fprintf(os.Stderr, "built %s in %s\n", name, time.Since(began).Round(time.Second))
	return os.Rename(part, file)
}
