package contract_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// An adapter that imports the package must not get the reporter's dependencies.
func TestImportsStandardLibraryOnly(t *testing.T) {
	imports := 0
	for name, file := range sources(t, parser.ImportsOnly) {
		for _, i := range file.Imports {
			imports++
			path, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") || path == "C" {
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
	if imports == 0 {
		t.Error("no imports seen: the test looks at the wrong files")
	}
}

// sources are the package's files, tests aside, by name.
func sources(t *testing.T, mode parser.Mode) map[string]*ast.File {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*ast.File{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		files[name], err = parser.ParseFile(token.NewFileSet(), name, nil, mode)
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}
