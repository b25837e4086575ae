package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const events = `{"Action":"run","Test":"TestAPIServer"}
{"Action":"run","Test":"TestAPIServer/golden"}
{"Action":"run","Test":"TestAPIServer/golden/contract/a"}
{"Action":"output","Test":"TestAPIServer/golden/contract/a","Output":"    rig_test.go:93: the reporter's log:\n"}
{"Action":"pass","Test":"TestAPIServer/golden/contract/a"}
{"Action":"run","Test":"TestAPIServer/golden/containers/b"}
{"Action":"output","Test":"TestAPIServer/golden/containers/b","Output":"    apiserver_test.go:31: restart rules: since Kubernetes 1.35, and this is 1.30\n"}
{"Action":"output","Test":"TestAPIServer/golden/containers/b","Output":"--- SKIP: TestAPIServer/golden/containers/b (0.00s)\n"}
{"Action":"skip","Test":"TestAPIServer/golden/containers/b"}
{"Action":"pass","Test":"TestAPIServer/golden"}
{"Action":"run","Test":"TestAPIServer/controllers/load/0 success"}
{"Action":"pass","Test":"TestAPIServer/controllers/load/0 success"}
{"Action":"pass","Test":"TestAPIServer/controllers/load"}
{"Action":"output","Test":"TestPolicies/lint/none","Output":"    lint_test.go:172: refused\n"}
{"Action":"fail","Test":"TestPolicies/lint/none"}
{"Action":"fail","Test":"TestPolicies/lint"}
{"Action":"output","Test":"TestPolicies/inject","Output":"    inject_test.go:172: policies: since Kubernetes 1.36, and this is 1.30\n"}
{"Action":"skip","Test":"TestPolicies/inject"}
{"Action":"fail","Test":"TestPolicies"}
{"Action":"pass","Test":"TestAPIServer"}
{"Action":"fail"}
`

func TestRead(t *testing.T) {
	var shown bytes.Buffer
	r, err := read("1.30.14", strings.NewReader(events), &shown)
	if err != nil {
		t.Fatal(err)
	}
	want := &result{version: "1.30.14", passed: []int{1, 0, 1, 0, 0, 0}, failures: 1, skips: []*skip{
		{"policies: since Kubernetes 1.36, and this is 1.30", []string{"policies: inject"}},
		{"restart rules: since Kubernetes 1.35, and this is 1.30", []string{"golden suite: containers/b"}},
	}}
	if diff := cmp.Diff(want, r, cmp.AllowUnexported(result{}, skip{})); diff != "" {
		t.Error(diff)
	}
	if got := shown.String(); got != "    lint_test.go:172: refused\n" {
		t.Errorf("shown: %q", got)
	}
	if got := r.empty(); got != "deliveries" {
		t.Errorf("empty: %q", got)
	}
	if _, err := read("1.30.14", strings.NewReader("no JSON"), &shown); err == nil {
		t.Error("read what is no JSON")
	}
}

// TestTests: what has a column is run, once each.
func TestTests(t *testing.T) {
	if got, want := tests(), "^(TestAPIServer|TestPolicies|TestConsumers|TestFidelity)$"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestUpdate(t *testing.T) {
	const page = "# Title\n\n" + begin + "anything\n" + end + "\nThe end.\n"
	first, err := update(page, []*result{
		{version: "1.37.2", passed: []int{6, 5, 4, 3, 2, 1}},
		{version: "1.30.14", passed: []int{1, 2, 3, 4, 5, 6}, skips: []*skip{{"rules: since Kubernetes 1.35, and this is 1.30", []string{"golden suite: a", "golden suite: b"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(first, "# Title\n\n"+begin) || !strings.HasSuffix(first, end+"\nThe end.\n") || strings.Contains(first, "anything") {
		t.Errorf("the page around the table is not as it was:\n%s", first)
	}
	second, err := update(first, []*result{{version: "1.9.1", passed: []int{9, 9, 9, 9, 9, 9}}, {version: "1.37.2", passed: []int{7, 7, 7, 7, 7, 7}}})
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, want := range []string{
		"| 1.9.1 | 9 passed | 9 passed | 9 passed | 9 passed | 9 passed | 9 passed | 0 |\n",
		"| 1.30.14 | 1 passed | 2 passed | 3 passed | 4 passed | 5 passed | 6 passed | 2 |\n",
		"| 1.37.2 | 7 passed | 7 passed | 7 passed | 7 passed | 7 passed | 7 passed | 0 |\n",
		"- **1.30.14**, rules: since Kubernetes 1.35, and this is 1.30: golden suite: a; golden suite: b\n",
	} {
		i := strings.Index(second[at:], want)
		if i < 0 || strings.Count(second, want) != 1 {
			t.Fatalf("%q is not there once, in its place:\n%s", want, second)
		}
		at += i
	}
	if _, err := update("# Title\n", nil); err == nil {
		t.Error("a page without the lines is taken")
	}
}

// TestPage holds docs/versions.md to what the suites say of the versions.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/versions.md")
	if err != nil {
		t.Fatal(err)
	}
	same, err := update(string(page), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(page), same); diff != "" {
		t.Errorf("make test-matrix writes what versions differ in (-page +made):\n%s", diff)
	}
}
