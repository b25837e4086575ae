package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMutations(t *testing.T) {
	for _, tt := range []struct {
		code string
		want []string // what the code becomes
	}{
		{`a = b && c`, []string{``, `a = b`, `a = c`}},
		{`a = b <= c`, []string{``, `a = b < c`}},
		{`a = b > c`, []string{``, `a = b >= c`}},
		{`a = b == c`, []string{``, `a = b != c`}},
		{`a = b + c`, []string{``, `a = b - c`}},
		{`a = b + "c"`, []string{``}},
		{`a := !b`, []string{`a := b`}},
		{`a := min(b, c)`, []string{`a := (b)`, `a := (c)`}},
		{`a := t.IsZero()`, []string{`a := !t.IsZero()`}},
		{`const a = 3 * time.Second`, []string{`const a = 2*(3 * time.Second)`, `const a = 3 / time.Second`}},
		{`if a { b() }`, []string{``, `if a {  }`}},
		{`if a { b() } else { c() }`, []string{`if a {  } else { c() }`, `if a { b() } else {  }`}},
		{`a++`, []string{``}},
		{`a, b = c, d`, []string{`b = d`, `a = c`}},
		{`switch { case a, b: return }`, []string{`switch {  }`, `switch { case b: return }`, `switch { case a: return }`}},
		{`switch { default: return }`, nil},
	} {
		src := "package p\nfunc f() { " + tt.code + " }\n"
		found, err := mutations([]byte(src))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range found {
			changed := string(m.apply([]byte(src)))
			got = append(got, strings.TrimSuffix(strings.TrimPrefix(changed, "package p\nfunc f() { "), " }\n"))
			if m.line != 2 || m.what == "" {
				t.Errorf("%s: line %d, %q", tt.code, m.line, m.what)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tt.code, diff)
		}
	}
	if _, err := mutations([]byte("no Go")); err == nil {
		t.Error("what is no Go is taken")
	}
}
