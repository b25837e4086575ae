package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestTry: what the tests hold is noticed, what they do not is not.
func TestTry(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module sample\n\ngo 1.26\n",
		"a.go":   "package sample\n\nfunc larger(a, b int) bool { return a > b }\n\nfunc loops(n int) {\n\tfor n > 0 {\n\t\tn--\n\t}\n}\n",
		"a_test.go": "package sample\n\nimport \"testing\"\n\nfunc TestLarger(t *testing.T) {\n\tif larger(1, 1) {\n\t\tt.Error(\"1 is not larger than 1\")\n\t}\n" +
			"\tif !larger(2, 1) {\n\t\tpanic(\"it is\")\n\t}\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := candidates([]string{filepath.Join(dir, "a.go")})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]verdict{}
	for _, c := range all {
		if c.what == "without: n--" { // would hang, and nothing calls it
			continue
		}
		if got[c.name()], _, err = c.try(t.Context(), t.TempDir()); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]verdict{"a.go: boundary: a > b": noticed, "a.go: boundary: n > 0": unnoticed}
	if len(got) != len(want) {
		t.Errorf("tried %v", got)
	}
	for name, v := range want {
		if got[name] != v {
			t.Errorf("%s: %d, want %d", name, got[name], v)
		}
	}
	broken := candidate{path: all[0].path, src: all[0].src, mutation: mutation{from: 0, to: 7, with: "packed"}}
	if v, _, err := broken.try(t.Context(), t.TempDir()); v != noProgram || err != nil {
		t.Errorf("what is no program: %d, %v", v, err)
	}
}
