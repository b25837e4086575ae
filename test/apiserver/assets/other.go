package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// controlPlane is what a version of Kubernetes brings of its own.
var controlPlane = []string{"kube-apiserver", "kube-controller-manager"}

// otherVersion is the version that is asked for, with its v; "" for the pinned one.
func otherVersion(asked, pinned string) (string, error) {
	version := "v" + strings.TrimPrefix(asked, "v")
	switch {
	case asked == "" || version == pinned:
		return "", nil
	case !regexp.MustCompile(`^v1\.[0-9]+\.[0-9]+$`).MatchString(version):
		return "", fmt.Errorf("-kubernetes %s: want a whole version, as 1.30.14", asked)
	}
	return version, nil
}

// buildOther builds a binary of a version that no go.mod here knows.
func buildOther(version, name, file string) error {
	dir, err := os.MkdirTemp("", "kubernetes-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := writeModule(dir, version); err != nil {
		return fmt.Errorf("k8s.io/kubernetes %s: %w", version, err)
	}
	return build(dir, version, name, file, "-mod=mod") // which adds the sums of the staging modules
}

// writeModule writes a module whose dependencies are those of k8s.io/kubernetes
// at a version, with what that has in its staging directory taken from the
// modules published with it. Go's checksum database vouches for them all.
func writeModule(dir, version string) error {
	out, err := goCommand("mod", "download", "-json", "k8s.io/kubernetes@"+version).Output()
	var module struct{ GoMod, Dir, Error string }
	if json.Unmarshal(out, &module) == nil && module.Error != "" {
		return fmt.Errorf("%s", module.Error)
	} else if err != nil {
		return err
	}
	mod, err := os.ReadFile(module.GoMod)
	if err != nil {
		return err
	}
	text, err := rewriteModule(string(mod), version)
	if err != nil {
		return err
	}
	sums, err := os.ReadFile(filepath.Join(module.Dir, "go.sum"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "go.mod"), []byte(text), 0o644)
}

var (
	moduleLine = regexp.MustCompile(`(?m)^module k8s\.io/kubernetes$`)
	staged     = regexp.MustCompile(`(?m)^(\s*(?:replace )?)(k8s\.io/\S+) => \./staging/src/\S+$`)
)

// rewriteModule makes of the go.mod of k8s.io/kubernetes one that depends on it:
// with its go line and its godebug lines, which change what a program does.
func rewriteModule(mod, version string) (string, error) {
	if !moduleLine.MatchString(mod) || !staged.MatchString(mod) {
		return "", fmt.Errorf("its go.mod is not as expected: no module line, or nothing from ./staging")
	}
	mod = moduleLine.ReplaceAllLiteralString(mod, "module controlplane\n\nrequire k8s.io/kubernetes "+version)
	return staged.ReplaceAllString(mod, "${1}${2} => ${2} v0."+strings.TrimPrefix(version, "v1.")), nil
}
