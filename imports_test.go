package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	goparser "go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

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

// readsEnvironment reports whether a file names a function of os or syscall that
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

// house is the map of CONTRIBUTING.md: what it names, each without a slash behind it.
func house(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## The house\n")
	section, _, _ = strings.Cut(section, "\n## ")
	named := map[string]bool{}
	for line := range strings.Lines(section) {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
				named[strings.TrimSuffix(m[1], "/")] = true
			}
		}
	}
	return named
}

// TestMap: CONTRIBUTING.md's map names what is there, every package by itself or by
// its folder, and each of those in internal and test by itself.
func TestMap(t *testing.T) {
	named := house(t)
	for name := range named {
		if _, err := os.Stat(name); err != nil {
			t.Errorf("the map names %s: %v", name, err)
		}
	}
	for _, file := range tracked(t) {
		dir, rest, below := strings.Cut(file, "/")
		if dir == "internal" || dir == "test" {
			next, _, _ := strings.Cut(rest, "/")
			dir = path.Join(dir, next)
		}
		if below && !strings.HasPrefix(dir, ".") && !named[dir] || !below && strings.HasSuffix(file, ".go") && !named[file] {
			t.Errorf("the map does not name %s, where %s is", dir, file)
		}
	}
}

// TestRoot: what a newcomer sees first is short.
func TestRoot(t *testing.T) {
	entries := map[string]bool{}
	var code []string
	for _, file := range tracked(t) {
		name, _, below := strings.Cut(file, "/")
		entries[name] = true
		if !below && strings.HasSuffix(name, ".go") {
			code = append(code, name)
		}
	}
	if len(entries) > 26 {
		t.Errorf("the root has %d entries, 26 at most: %s", len(entries), slices.Sorted(maps.Keys(entries)))
	}
	if diff := cmp.Diff([]string{"imports_test.go", "main.go", "main_test.go"}, code); diff != "" {
		t.Errorf("Go files in the root (-want +got):\n%s", diff)
	}
}

// TestFilesAreShort: one that is no test has 300 lines at most.
func TestFilesAreShort(t *testing.T) {
	for _, file := range tracked(t) {
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			continue // removed, and not committed yet
		}
		if n := bytes.Count(text, []byte("\n")); n > 300 {
			t.Errorf("%s has %d lines", file, n)
		}
	}
}

// TestFileNames: none says again what its folder says.
func TestFileNames(t *testing.T) {
	for _, file := range tracked(t) {
		dir, name := path.Split(file)
		if strings.HasPrefix(name, path.Base(dir)+"_") && name != path.Base(dir)+"_test.go" && strings.HasSuffix(name, ".go") {
			t.Errorf("%s begins with its folder's name", file)
		}
	}
}

// tracked are the files of the repository, sorted: committed, or added to be so. What
// else a user has lying about is nobody's business; without git there is no telling.
func tracked(t *testing.T) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "ls-files").Output()
	if err != nil || len(out) == 0 {
		t.Skip("this is no clone: ", err)
	}
	files := slices.Sorted(strings.FieldsFuncSeq(string(out), func(r rune) bool { return r == '\n' }))
	return slices.DeleteFunc(files, func(name string) bool { // of a file that is removed and not committed git tells too
		_, err := os.Lstat(name)
		return err != nil
	})
}

// TestHelp: make tells of every target, in lines that a terminal holds, and first of
// what a newcomer tries.
func TestHelp(t *testing.T) {
	text, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "make", "-s", "help").Output()
	if err != nil {
		t.Skip("make: ", err)
	}
	for line := range strings.Lines(string(out)) {
		if n := utf8.RuneCountInString(line); n > 121 { // with its end
			t.Errorf("%d characters: %s", n, line)
		}
	}
	if _, titles, _ := strings.Cut(string(out), "\n\n"); !strings.HasPrefix(titles, "Try\n") {
		t.Errorf("it begins with %.40q", titles)
	}
	targets := regexp.MustCompile(`(?m)^\.PHONY: (.+)$`).FindAllStringSubmatch(string(text), -1)
	if len(targets) < 25 {
		t.Errorf("the Makefile has but %d targets", len(targets))
	}
	for _, m := range targets {
		if m[1] != "engine" && !strings.Contains(string(out), "\n  "+m[1]+" ") && !strings.HasPrefix(string(out), "  "+m[1]+" ") {
			t.Errorf("make help does not tell of %s", m[1])
		}
	}
}

// TestSuitesAreListed: CONTRIBUTING.md says what every target is for that tests,
// searches or measures.
func TestSuitesAreListed(t *testing.T) {
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	_, suites, _ := strings.Cut(string(makefile), "\n##@ Test\n")
	suites, _, _ = strings.Cut(suites, "\n##@ Try\n")
	targets := regexp.MustCompile(`(?m)^([a-z0-9-]+):.*##`).FindAllStringSubmatch(suites, -1)
	if len(targets) < 15 {
		t.Errorf("%d targets between Test and Try", len(targets))
	}
	for _, m := range targets {
		if !regexp.MustCompile("`make "+m[1]+"[` ]").Match(page) && m[1] != "test-coverage" { // which test-coverage-html runs
			t.Errorf("CONTRIBUTING.md does not say what make %s is for", m[1])
		}
	}
}
