package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	goparser "go/parser"
	"go/token"
	"io"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const module = "github.com/openshift-hyperfleet/status-reporter"

// linkedModules are the modules of which some part is in the binary. Every
// addition is a decision, and has to be made here as well.
var linkedModules = []string{
	"github.com/fxamacker/cbor/v2",
	"github.com/go-logr/logr",
	"github.com/json-iterator/go",
	"github.com/modern-go/concurrent",
	"github.com/modern-go/reflect2",
	"github.com/x448/float16",
	"go.yaml.in/yaml/v2",
	"golang.org/x/net",
	"golang.org/x/text",
	"gopkg.in/inf.v0",
	"k8s.io/api",
	"k8s.io/apimachinery",
	"k8s.io/klog/v2",
	"k8s.io/kube-openapi",
	"k8s.io/utils",
	"sigs.k8s.io/json",
	"sigs.k8s.io/randfill",
	"sigs.k8s.io/structured-merge-diff/v6",
}

// pkg is what go list tells of a package.
type pkg struct {
	ImportPath, Dir         string
	Standard                bool
	GoFiles, IgnoredGoFiles []string
	Module                  *struct{ Path string }
}

// linked lists a package and all that it needs, tests aside.
func linked(t *testing.T, name string) map[string]pkg {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(goTool(t, "list", "-deps", "-json=ImportPath,Dir,Standard,GoFiles,IgnoredGoFiles,Module", name)))
	all := map[string]pkg{}
	for {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p
	}
	if len(all) < 10 { // there is no package that needs less
		t.Fatalf("go list -deps %s: %d packages", name, len(all))
	}
	return all
}

func goTool(t *testing.T, args ...string) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return out
}

// Who may need whom, by way of others too.
func TestImports(t *testing.T) {
	for _, tt := range []struct {
		name  string
		never []string
	}{
		{".", []string{"kubeapi/kubetest", "test/...", "testdata/..."}},
		{"internal/reporter", []string{"internal/command"}},
		{"internal/command", []string{"internal/reporter", "watch", "kubeapi"}},
		{"internal/env", []string{"internal/reporter", "internal/command", "watch", "kubeapi", "contract"}},
		{"kubeapi", []string{"watch", "contract", "internal/env"}},
		{"watch", []string{"kubeapi", "internal/env"}},
		{"kubeapi/kubetest", []string{"kubeapi", "watch", "contract"}},
	} {
		all := linked(t, "./"+tt.name)
		if _, ok := all[path.Join(module, tt.name)]; !ok {
			t.Errorf("%s is not there", tt.name)
		}
		for _, never := range tt.never {
			below, tree := strings.CutSuffix(never, "/...")
			for name := range all {
				if name == path.Join(module, below) || tree && strings.HasPrefix(name, path.Join(module, below)+"/") {
					t.Errorf("%s needs %s", tt.name, name)
				}
			}
		}
	}
}

// TestMainImports: main is these two, and what the system gives a process.
func TestMainImports(t *testing.T) {
	var got []string
	for name := range strings.FieldsSeq(string(goTool(t, "list", "-f", `{{join .Imports " "}}`, "."))) {
		if own, ok := strings.CutPrefix(name, module+"/"); ok {
			got = append(got, own)
		} else if strings.Contains(name, ".") {
			t.Errorf("main imports %s", name)
		}
	}
	if diff := cmp.Diff([]string{"internal/command", "internal/reporter"}, got); diff != "" {
		t.Errorf("main's imports (-want +got):\n%s", diff)
	}
}

// An adapter that imports contract gets no dependency.
func TestContractNeedsTheStandardLibraryOnly(t *testing.T) {
	for name, p := range linked(t, "./contract") {
		if !p.Standard && name != module+"/contract" {
			t.Errorf("contract needs %s", name)
		}
	}
}

func TestLinkedModules(t *testing.T) {
	var got []string
	for name, p := range linked(t, ".") {
		switch {
		case p.Standard || p.Module != nil && p.Module.Path == module:
		case p.Module == nil:
			t.Errorf("%s belongs to no module", name)
		case !slices.Contains(got, p.Module.Path):
			got = append(got, p.Module.Path)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(linkedModules, got); diff != "" {
		t.Errorf("modules in the binary (-want +got):\n%s", diff)
	}
	for name := range linked(t, ".") {
		for _, never := range []string{"testing", "net/http/httptest", "k8s.io/client-go", "github.com/google/go-cmp/cmp"} {
			if name == never || strings.HasPrefix(name, never+"/") {
				t.Errorf("%s is in the binary", name)
			}
		}
	}
}

func TestDirectRequirements(t *testing.T) {
	var mod struct {
		Module  struct{ Path string }
		Require []struct {
			Path     string
			Indirect bool
		}
		Replace, Exclude, Tool []any
	}
	if err := json.Unmarshal(goTool(t, "mod", "edit", "-json"), &mod); err != nil {
		t.Fatal(err)
	}
	var direct []string
	for _, r := range mod.Require {
		if !r.Indirect {
			direct = append(direct, r.Path)
		}
	}
	slices.Sort(direct)
	if diff := cmp.Diff([]string{"github.com/google/go-cmp", "k8s.io/api", "k8s.io/apimachinery"}, direct); diff != "" {
		t.Errorf("direct requirements (-want +got):\n%s", diff)
	}
	if len(mod.Replace)+len(mod.Exclude)+len(mod.Tool) > 0 || mod.Module.Path != module {
		t.Errorf("go.mod of %s replaces, excludes or has tools: %v %v %v", mod.Module.Path, mod.Replace, mod.Exclude, mod.Tool)
	}
}

// The environment is read in one place, so that main.go's list of variables is
// all there is.
func TestOnlyMainReadsTheEnvironment(t *testing.T) {
	var readers []string
	for name, p := range linked(t, ".") {
		if p.Module == nil || p.Module.Path != module {
			continue
		}
		for _, f := range slices.Concat(p.GoFiles, p.IgnoredGoFiles) { // of other systems too
			file, err := goparser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, f), nil, goparser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			if readsEnvironment(t, file) {
				readers = append(readers, path.Join(name, f))
			}
		}
	}
	if diff := cmp.Diff([]string{module + "/main.go"}, readers); diff != "" {
		t.Errorf("files that read the environment (-want +got):\n%s", diff)
	}
}

// readsEnvironment tells whether a file names a function of os or syscall that
// reads environment variables.
func readsEnvironment(t *testing.T, file *ast.File) bool {
	t.Helper()
	names := map[string]bool{} // by which os and syscall go in this file
	for _, i := range file.Imports {
		imported, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if imported != "os" && imported != "syscall" {
			continue
		}
		name := imported
		if i.Name != nil {
			name = i.Name.Name
		}
		names[name] = true
	}
	found := false
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			from, ok := s.X.(*ast.Ident)
			found = found || ok && names[from.Name] && slices.Contains([]string{"Getenv", "LookupEnv", "Environ", "ExpandEnv"}, s.Sel.Name)
		}
		return true
	})
	return found || names["."]
}
