package watch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// effects are the files that do things. All others are the state: what there is to
// report and how it gets onto the Job.
var effects = []string{"run.go", "ask.go", "loop.go", "file.go", "file_other.go", "file_linux.go", "fileobserver.go", "inotify_linux.go", "inotify_other.go", "place_linux.go", "descriptors.go"}

// The state is pure, so that its tables and the explorer play it whole: no clock, no
// channel, no goroutine, and nothing of the system.
func TestStateIsPure(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	pure := 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || slices.Contains(effects, name) {
			continue
		}
		pure++
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, what := range impurities(file) {
			t.Errorf("%s: %s", name, what)
		}
	}
	if pure < 17 {
		t.Errorf("%d files are the state", pure)
	}
}

// Each impurity is found, or the test above would prove nothing.
func TestImpurities(t *testing.T) {
	for _, tt := range []struct{ code, want string }{
		{`import "time"; var a = time.Unix(0, 0).Add(time.Second)`, ""},
		{`import "time"; var a = time.Now()`, "time.Now"},
		{`import "time"; var f = time.Since`, "time.Since"},
		{`import t "time"; func f() { t.Sleep(1) }`, "time.Sleep"},
		{`import "time"; var a = time.NewTimer(1)`, "time.NewTimer"},
		{`import "time"; type a struct{ t *time.Ticker }`, "time.Ticker"},
		{`import . "time"; var a = Now()`, `. "time"`},
		{`import "os"`, "os"},
		{`import "net/http"`, ""}, // for its constants
		{`import "net"`, "net"},
		{`import "net/http"; var c = http.DefaultClient`, "http.DefaultClient"},
		{`import "sync/atomic"`, "sync/atomic"},
		{`import "context"`, "context"},
		{`var c chan int`, "a channel"},
		{`func f() { go f() }`, "a goroutine"},
		{`func f() { select {} }`, "select"},
		{`func f(c T) { c <- 1 }`, "a channel"},
		{`func f(c T) { <-c }`, "a channel"},
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "a.go", "package a; "+tt.code, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(impurities(file), ", "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.code, got, tt.want)
		}
	}
}

// impurities lists what a pure file may not have.
func impurities(file *ast.File) (all []string) {
	var clock, http string // the names of the packages in this file
	for _, i := range file.Imports {
		name, _ := strconv.Unquote(i.Path.Value)
		local := name[strings.LastIndex(name, "/")+1:]
		if i.Name != nil {
			local = i.Name.Name
		}
		switch first, _, _ := strings.Cut(name, "/"); {
		case local == ".":
			all = append(all, ". "+i.Path.Value)
		case name == "time":
			clock = local
		case name == "net/http":
			http = local
		case slices.Contains([]string{"os", "net", "sync", "context", "syscall", "runtime", "io", "unsafe"}, first):
			all = append(all, name)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if from, ok := n.X.(*ast.Ident); ok {
				all = append(all, impureName(from.Name, n.Sel.Name, clock, http)...)
			}
		case *ast.ChanType, *ast.SendStmt:
			all = append(all, "a channel")
		case *ast.UnaryExpr:
			if n.Op == token.ARROW {
				all = append(all, "a channel")
			}
		case *ast.GoStmt:
			all = append(all, "a goroutine")
		case *ast.SelectStmt:
			all = append(all, "select")
		}
		return true
	})
	return all
}

func impureName(from, name, clock, http string) []string {
	clocks := []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Timer", "Ticker"}
	switch {
	case from == clock && slices.Contains(clocks, name):
		return []string{"time." + name}
	case from == http && !strings.HasPrefix(name, "Status"):
		return []string{"http." + name}
	}
	return nil
}
