package contract_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/testdata/suite"
)

// The golden suite checks itself here: ./... passes over directories that are
// named testdata, and would pass over tests in them.

func TestSuiteFilesAreTheIndex(t *testing.T) {
	index, err := suite.Read()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{
		"index.json": true, index.Schema: true, "default.pod.json": true, "default.job.json": true,
		"README.md": true, "testdata.go": true, "suite/suite.go": true,
	}
	for _, c := range index.Cases {
		f := c.Files
		for path, suffix := range map[string]string{f.Input: ".input", f.Pod: ".pod.json", f.Job: ".job.json", f.Condition: ".condition.json"} {
			if path == "" || path == "default"+suffix {
				continue
			}
			if path != c.String()+suffix {
				t.Errorf("%s: file %s, want %s", c, path, c.String()+suffix)
			}
			want[path] = true
		}
	}
	got := map[string]bool{}
	err = fs.WalkDir(os.DirFS(suiteDir), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasPrefix(path, "examples/") && !strings.HasPrefix(path, "e2e/") && !strings.HasPrefix(path, "upgrade/") {
			got[path] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("files (-index +directory):\n%s", diff)
	}
}

func TestSuiteIndex(t *testing.T) {
	index, err := suite.Read()
	if err != nil {
		t.Fatal(err)
	}
	schema, err := os.ReadFile(suiteDir + "/" + index.Schema)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(schema), "/v"+index.Version+".json") {
		t.Errorf("the schema's $id does not bear the version %s", index.Version)
	}
	groups := []string{suite.Contract, suite.Containers, suite.Config}
	ordered := slices.IsSortedFunc(index.Cases, func(a, b suite.Case) int {
		if d := slices.Index(groups, a.Group) - slices.Index(groups, b.Group); d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
	if !ordered {
		t.Error("cases are not sorted by group and name")
	}
	name := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	seen := map[string]bool{}
	for _, c := range index.Cases {
		switch {
		case seen[c.String()]:
			t.Errorf("%s: twice", c)
		case !slices.Contains(groups, c.Group):
			t.Errorf("%s: unknown group", c)
		case !name.MatchString(c.Name):
			t.Errorf("%s: not a name", c)
		case !strings.HasSuffix(c.Description, "."):
			t.Errorf("%s: %q is no sentence", c, c.Description)
		}
		seen[c.String()] = true
	}
}

func TestSuiteRulesAreExplained(t *testing.T) {
	readme, err := os.ReadFile(suiteDir + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	explained, used := map[string]bool{}, map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllStringSubmatch(string(readme), -1) {
		explained[m[1]] = true
	}
	for _, c := range suite.Load(t) {
		used[c.Rule] = true
	}
	if diff := cmp.Diff(explained, used); diff != "" {
		t.Errorf("rules (-README.md +index.json):\n%s", diff)
	}
}

func TestSuiteReachesEveryReason(t *testing.T) {
	reached := map[string]bool{}
	for _, c := range suite.Load(t) {
		reached[c.Condition.Reason] = true
	}
	reasons := constants(t, "Reason", "DefaultReason")
	if len(reasons) < 8 {
		t.Fatalf("only %d reasons found in the package's source", len(reasons))
	}
	for name, reason := range reasons {
		if !reached[reason] {
			t.Errorf("no case reaches %s", name)
		}
	}
}

// constants are the package's string constants whose names begin with one of
// the prefixes.
func constants(t *testing.T, prefixes ...string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, file := range sources(t, parser.SkipObjectResolution) {
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			literal, ok := spec.Values[0].(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			for _, p := range prefixes {
				if strings.HasPrefix(spec.Names[0].Name, p) {
					value, err := strconv.Unquote(literal.Value)
					if err != nil {
						t.Fatal(err)
					}
					found[spec.Names[0].Name] = value
				}
			}
			return true
		})
	}
	return found
}

func TestSuiteConditions(t *testing.T) {
	for _, c := range suite.Load(t) {
		data, err := os.ReadFile(suiteDir + "/" + c.Files.Condition)
		if err != nil {
			t.Fatal(err)
		}
		if want := encode(t, c.Condition); string(data) != string(want) {
			t.Errorf("%s: not in canonical form:\n%s", c.Files.Condition, cmp.Diff(string(want), string(data)))
		}
		if c.Condition.Type != contract.DefaultConditionType {
			t.Errorf("%s: type %q", c, c.Condition.Type)
		}
		if n := utf8.RuneCountInString(c.Condition.Message); n > contract.MaxMessageLength || n == 0 && c.Group != suite.Config {
			t.Errorf("%s: message of %d characters", c, n)
		}
		unknown := c.Condition.Status == string(contract.Unknown)
		if unknown && c.Condition.Reason != contract.ReasonAdapterInterrupted {
			t.Errorf("%s: Unknown with reason %s", c, c.Condition.Reason)
		}
	}
}
