package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const troubleshooting = "docs/troubleshooting.md"

// elsewhere are packages that are not in the program, by the beginning of their path.
var elsewhere = regexp.MustCompile(`^(kubeapi/kubetest|testdata|test|hack|deploy)(/|$)`)

// sources are the program's files, parsed.
func sources(t *testing.T) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	for _, name := range tree(t) {
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || elsewhere.MatchString(path.Dir(name)) {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = file
	}
	if len(files) < 30 {
		t.Fatalf("only %d files were found", len(files))
	}
	return files
}

// text is the value of a string literal, or of several that are added; what is
// added and is no literal is a verb in it.
func text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if s, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return s
		}
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			return text(e.X) + text(e.Y)
		}
	case *ast.ParenExpr:
		return text(e.X)
	}
	return "%v"
}

var verb = regexp.MustCompile(`%[-+# 0-9.*]*[a-zA-Z]`)

// longest is the longest part of a message that is always the same.
func longest(message string) (most string) {
	for _, part := range verb.Split(message, -1) {
		if part = strings.Trim(part, " ;:,()\"\n"); len(part) > len(most) {
			most = part
		}
	}
	return most
}

// calls are what makes an error or a line of log, and which argument is its text.
var calls = map[string]int{
	"errors.New": 0, "fmt.Errorf": 0, "p.fail": 1,
	"invalid": 0,                                   // of a result file
	"Debug":   0, "Info": 0, "Warn": 0, "Error": 0, // of a log
}

// messages are the program's errors and log lines, each with the file it is in.
func messages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for name, file := range sources(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				of, function := names(n.Fun)
				at, is := calls[strings.TrimPrefix(of+"."+function, ".")]
				if !is && strings.EqualFold(of, "log") {
					at, is = calls[function]
				}
				if is && at < len(n.Args) {
					found[text(n.Args[at])] = name
				}
			case *ast.ValueSpec: // msgReported and its like
				for i, id := range n.Names {
					if i < len(n.Values) && strings.HasPrefix(id.Name, "msg") {
						found[text(n.Values[i])] = name
					}
				}
			case *ast.AssignStmt: // what is added to an error, what is wrong with the Pod
				if _, field := names(n.Lhs[0]); field == "hint" || field == "complaint" {
					found[text(n.Rhs[0])] = name
				}
			case *ast.CompositeLit:
				if _, of := names(n.Type); of == "ParseError" {
					for _, e := range n.Elts {
						if kv, ok := e.(*ast.KeyValueExpr); ok && kv.Key.(*ast.Ident).Name == "Problem" {
							found[text(kv.Value)] = name
						}
					}
				}
			}
			return true
		})
	}
	if len(found) < 40 {
		t.Fatalf("only %d messages were found", len(found))
	}
	return found
}

// names are those of a function or a field, and of what it belongs to.
func names(e ast.Expr) (of, name string) {
	switch e := e.(type) {
	case *ast.Ident:
		return "", e.Name
	case *ast.SelectorExpr:
		_, of = names(e.X)
		return of, e.Sel.Name
	}
	return "", ""
}

// notTold are messages that no user meets.
var notTold = map[string]string{
	"closed":                            "ends what runs when the reporter ends",
	"a report is one condition, not %d": "a fault of the program's own",
}

// TestEveryMessageIsExplained: what to do about an error or a line of log is in
// docs/troubleshooting.md.
func TestEveryMessageIsExplained(t *testing.T) {
	page := read(t, troubleshooting)
	for message, file := range messages(t) {
		part := longest(message)
		if _, ok := notTold[message]; ok || len(part) < 3 {
			continue
		}
		if !strings.Contains(page, part) {
			t.Errorf("%s does not say what to do about %q, of %s: it must hold %q", troubleshooting, message, file, part)
		}
	}
}

// others are quoted on the page, and said by somebody else.
var others = []string{"403 Forbidden", "401 Unauthorized", "tls: failed to verify certificate: ", "no such file or directory", "not reported: "}

// TestQuotedMessages: what docs/troubleshooting.md quotes in the first column of
// its tables is in the program. Each part between two … holds a whole text of the
// program's, or is a piece of one.
func TestQuotedMessages(t *testing.T) {
	var patterns []*regexp.Regexp
	var literals []string
	for _, file := range sources(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			e, ok := n.(ast.Expr)
			if !ok {
				return true
			}
			s := text(e)
			if len(longest(s)) < 3 || s == "%v" {
				return true
			}
			literals = append(literals, s)
			var expression strings.Builder
			for i, fixed := range verb.Split(s, -1) {
				if i > 0 {
					expression.WriteString(".*")
				}
				expression.WriteString(regexp.QuoteMeta(fixed))
			}
			if len(longest(s)) >= 8 {
				patterns = append(patterns, regexp.MustCompile(expression.String()))
			}
			return false // not the literals within
		})
	}
	known := func(part string) bool {
		return slices.ContainsFunc(literals, func(s string) bool { return strings.Contains(s, part) }) ||
			slices.ContainsFunc(patterns, func(re *regexp.Regexp) bool { return re.MatchString(part) }) ||
			slices.ContainsFunc(others, func(s string) bool { return strings.Contains(part, s) || strings.Contains(s, part) })
	}
	quoted := 0
	for line := range strings.Lines(read(t, troubleshooting)) {
		cells := strings.Split(line, " | ")
		if !strings.HasPrefix(line, "| `") && !strings.HasPrefix(line, "| …") {
			continue
		}
		for _, m := range span.FindAllStringSubmatch(cells[0], -1) {
			for _, part := range strings.Split(m[4], "…") {
				if part = strings.Trim(part, ` ";:,()`); len(part) < 6 {
					continue
				}
				quoted++
				if !known(part) {
					t.Errorf("%s quotes %q: nothing in the program says %q", troubleshooting, m[4], part)
				}
			}
		}
	}
	if quoted < 60 {
		t.Errorf("only %d quotes were found", quoted)
	}
}
