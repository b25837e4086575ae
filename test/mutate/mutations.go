package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
)

// mutation is a change of a source file that its tests must notice.
type mutation struct {
	line     int
	from, to int // what of the file is replaced, in bytes
	with     string
	what     string // the same from version to version, for all that moves around it
}

func (m mutation) apply(src []byte) []byte {
	return slices.Concat(src[:m.from], []byte(m.with), src[m.to:])
}

// finder collects the mutations of one file.
type finder struct {
	src   []byte
	files *token.FileSet
	found []mutation
}

// mutations of a file, in the order of its text.
func mutations(src []byte) ([]mutation, error) {
	f := &finder{src: src, files: token.NewFileSet()}
	file, err := parser.ParseFile(f.files, "", src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	ast.Inspect(file, func(n ast.Node) bool {
		f.expression(n)
		f.statement(n)
		return true
	})
	slices.SortStableFunc(f.found, func(a, b mutation) int { return a.from - b.from })
	return f.found, nil
}

func (f *finder) offset(p token.Pos) int { return f.files.Position(p).Offset }

func (f *finder) text(n ast.Node) string {
	return string(f.src[f.offset(n.Pos()):f.offset(n.End())])
}

// add has a mutation replace what stands from a node's start to another's end.
func (f *finder) add(from, to ast.Node, with, kind string) {
	m := mutation{line: f.files.Position(from.Pos()).Line, from: f.offset(from.Pos()), to: f.offset(to.End()), with: with}
	m.what = fmt.Sprintf("%s: %s", kind, strings.Join(strings.Fields(string(f.src[m.from:m.to])), " "))
	if short := []rune(m.what); len(short) > 110 {
		m.what = string(short[:110]) + "…"
	}
	f.found = append(f.found, m)
}

var boundaries = map[token.Token]string{token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">"}

var opposites = map[token.Token]string{
	token.EQL: "!=", token.NEQ: "==", token.ADD: "-", token.SUB: "+", token.MUL: "/", token.QUO: "*",
}

func (f *finder) expression(n ast.Node) {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		f.binary(n)
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			f.add(n, n, f.text(n.X), "not negated")
		}
	case *ast.CallExpr:
		name := f.text(n.Fun)
		if len(n.Args) == 2 && slices.Contains([]string{"min", "max", "later", "earlier"}, name) {
			f.add(n, n, "("+f.text(n.Args[0])+")", "first only")
			f.add(n, n, "("+f.text(n.Args[1])+")", "second only")
		}
		if strings.HasSuffix(name, ".IsZero") {
			f.add(n, n, "!"+f.text(n), "negated")
		}
	case *ast.ValueSpec:
		for _, v := range n.Values {
			if text := f.text(v); strings.Contains(text, "time.") && !strings.Contains(text, "func") {
				f.add(v, v, "2*("+text+")", "doubled")
			}
		}
	}
}

func (f *finder) binary(n *ast.BinaryExpr) {
	left, right := f.text(n.X), f.text(n.Y)
	switch {
	case n.Op == token.LAND || n.Op == token.LOR:
		f.add(n, n, left, "left only")
		f.add(n, n, right, "right only")
	case boundaries[n.Op] != "":
		f.add(n, n, left+" "+boundaries[n.Op]+" "+right, "boundary")
	case opposites[n.Op] != "" && !strings.Contains(left+right, `"`): // not of strings
		f.add(n, n, left+" "+opposites[n.Op]+" "+right, "opposite")
	}
}

func (f *finder) statement(n ast.Node) {
	switch n := n.(type) {
	case *ast.CaseClause:
		if n.List == nil {
			return
		}
		f.add(n, n, "", "without case")
		for i := range n.List {
			if rest := slices.Delete(slices.Clone(n.List), i, i+1); len(rest) > 0 {
				f.add(n.List[0], n.List[len(n.List)-1], f.list(rest), fmt.Sprintf("without %d of", i+1))
			}
		}
	case *ast.IfStmt:
		if n.Init == nil && n.Else == nil {
			f.add(n, n, "", "without if")
		}
	case *ast.ExprStmt, *ast.IncDecStmt:
		f.add(n, n, "", "without")
	case *ast.AssignStmt:
		f.assignment(n)
	}
}

func (f *finder) assignment(n *ast.AssignStmt) {
	switch {
	case n.Tok == token.DEFINE:
	case len(n.Lhs) == 1:
		f.add(n, n, "", "without")
	case len(n.Lhs) == len(n.Rhs):
		for i := range n.Lhs {
			left, right := slices.Delete(slices.Clone(n.Lhs), i, i+1), slices.Delete(slices.Clone(n.Rhs), i, i+1)
			f.add(n, n, f.list(left)+" "+n.Tok.String()+" "+f.list(right), fmt.Sprintf("without %d of", i+1))
		}
	}
}

func (f *finder) list(nodes []ast.Expr) string {
	var texts []string
	for _, n := range nodes {
		texts = append(texts, f.text(n))
	}
	return strings.Join(texts, ", ")
}
