package docs_test

import (
	"errors"
	"go/ast"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

// TestResultExamples: each result file that is shown is one.
func TestResultExamples(t *testing.T) {
	for _, name := range []string{"README.md", "docs/contract.md", "docs/adapters.md"} {
		blocks := regexp.MustCompile("(?ms)^```json\n(.*?)^```$").FindAllStringSubmatch(read(t, name), -1)
		if len(blocks) == 0 {
			t.Errorf("%s shows no result file", name)
		}
		for _, m := range blocks {
			if i := contract.Inspect([]byte(m[1])); i.Fault != nil || len(i.Warnings) > 0 {
				t.Errorf("%s: %v, %v in\n%s", name, i.Fault, i.Warnings, m[1])
			}
		}
	}
}

// TestOutcomeTable: the rows of docs/outcomes.md are what the contract says.
func TestOutcomeTable(t *testing.T) {
	page := read(t, "docs/outcomes.md")
	_, invalid := contract.Parse([]byte("{}"))
	for _, o := range []contract.Outcome{
		contract.OOMKilled(""),
		contract.ExitedWithError(1, "Error", ""),
		contract.MissingResults(contract.DefaultResultsPath),
		contract.InvalidFormat(invalid),
		contract.Timeout(5*time.Minute, "", ""),
		contract.JobDeadline("DeadlineExceeded: Job was active longer than specified deadline", ""),
		contract.Interrupted(true, "the Pod is being deleted"),
		contract.Interrupted(false, "Evicted: The node was low on resource: memory."),
		contract.Misconfigured(errors.New(`POLL_INTERVAL_SECONDS: must be a whole number of seconds, is "two"`)),
	} {
		row := " | " + strings.Join([]string{string(o.Status), o.Reason, o.Message}, " | ") + " |\n"
		if !strings.Contains(page, row) {
			t.Errorf("docs/outcomes.md has no row that ends with%s", row)
		}
	}
	suffix := strings.TrimPrefix(contract.Interim(contract.Outcome{}).Message, " ")
	if !strings.Contains(page, "`"+suffix+"`") {
		t.Errorf("docs/outcomes.md does not say how an interim report ends: %s", suffix)
	}
}

// TestVariables: docs/configuration.md has every variable that the program knows.
func TestVariables(t *testing.T) {
	page := read(t, "docs/configuration.md")
	variable := regexp.MustCompile(`^[A-Z]+(_[A-Z]+)+$`)
	found := map[string]bool{}
	for _, file := range sources(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			if e, ok := n.(*ast.BasicLit); ok && variable.MatchString(text(e)) {
				found[text(e)] = true
			}
			return true
		})
	}
	if len(found) < 12 {
		t.Errorf("only %d variables were found: %v", len(found), found)
	}
	for name := range found {
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("docs/configuration.md does not know %s", name)
		}
	}
}

// TestExitCodes: docs/deployment.md has a row for each of the sidecar's.
func TestExitCodes(t *testing.T) {
	page := read(t, "docs/deployment.md")
	codes := 0
	for name, file := range sources(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Names) != 1 || len(spec.Values) != 1 || !regexp.MustCompile(`^[eE]xit[A-Z]`).MatchString(spec.Names[0].Name) {
				return true
			}
			code, ok := spec.Values[0].(*ast.BasicLit)
			if !ok || strings.EqualFold(spec.Names[0].Name, "exitUsage") { // of the commands
				return true
			}
			codes++
			if !strings.Contains(page, "\n| "+code.Value+" | ") {
				t.Errorf("docs/deployment.md has no row for exit code %s, of %s", code.Value, name)
			}
			return true
		})
	}
	if codes < 5 {
		t.Errorf("only %d exit codes were found", codes)
	}
}
