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
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

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
		if err == nil && !d.IsDir() && !strings.HasPrefix(path, "examples/") {
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

// TestSuiteRuns checks what a runner does with each case against what the
// case's own Pod and condition say.
func TestSuiteRuns(t *testing.T) {
	for _, c := range suite.Load(t) {
		pod, job := objects(t, c)
		sidecar := len(pod.Spec.InitContainers) == 1
		if sidecar != c.NativeSidecar {
			t.Errorf("%s: nativeSidecar is %v, by the Pod's spec %v", c, c.NativeSidecar, sidecar)
		}
		if got := exitCode(c, pod); got != c.ExitCode {
			t.Errorf("%s: exitCode is %d, by the rules %d", c, c.ExitCode, got)
		}
		if (c.Env["MAX_WAIT_TIME_SECONDS"] == "2") != (c.Trigger == suite.Deadline) {
			t.Errorf("%s: a deadline, and only a deadline, sets MAX_WAIT_TIME_SECONDS=2", c)
		}
		if (c.Group == suite.Config) != (c.Trigger == suite.Start) || (c.Group == suite.Config) != (len(c.Names) > 0) {
			t.Errorf("%s: trigger %s and names %v in group %s", c, c.Trigger, c.Names, c.Group)
		}
		if !slices.Contains([]suite.Trigger{suite.File, suite.Pod, suite.Deadline, suite.Stop, suite.Gone, suite.Start}, c.Trigger) {
			t.Errorf("%s: unknown trigger %q", c, c.Trigger)
		}
		if c.Trigger == suite.File && c.Input == nil {
			t.Errorf("%s: no file to trigger", c)
		}
		if again := mayTryAgain(job); c.Condition.Reason == contract.ReasonAdapterInterrupted && (c.Condition.Status == "Unknown") != again {
			t.Errorf("%s: status %s, but the Job may try again: %v", c, c.Condition.Status, again)
		}
	}
}

func exitCode(c suite.Case, pod *corev1.Pod) int {
	if c.Group == suite.Config {
		return 2
	}
	if c.Input != nil {
		if r, err := contract.Parse(c.Input); err == nil && r.Reason == c.Condition.Reason {
			return 0
		}
	}
	if pod.Spec.RestartPolicy == corev1.RestartPolicyOnFailure && len(pod.Spec.InitContainers) == 0 {
		return 0
	}
	return 1
}

func mayTryAgain(job *batchv1.Job) bool {
	for _, c := range job.Status.Conditions {
		if c.Status == corev1.ConditionTrue && c.Type != batchv1.JobSuspended {
			return false
		}
	}
	return job.Status.Failed < *job.Spec.BackoffLimit || job.Spec.PodFailurePolicy != nil || *job.Spec.Suspend
}

func TestSuiteObjects(t *testing.T) {
	for _, c := range suite.Load(t) {
		pod, job := objects(t, c)
		owner := pod.OwnerReferences[0]
		if owner.UID != job.UID || owner.Name != job.Name || pod.Namespace != job.Namespace || owner.Controller == nil || !*owner.Controller {
			t.Errorf("%s: the Pod is not the Job's", c)
		}
		if job.Spec.Template.Spec.RestartPolicy != pod.Spec.RestartPolicy {
			t.Errorf("%s: restartPolicy %s in the Job, %s in the Pod", c, job.Spec.Template.Spec.RestartPolicy, pod.Spec.RestartPolicy)
		}
		if pod.ResourceVersion != "" || job.ResourceVersion != "" || job.Spec.Selector != nil {
			t.Errorf("%s: create would refuse a resourceVersion or a selector", c)
		}
		statuses := pod.Status.ContainerStatuses
		if !slices.IsSortedFunc(statuses, func(a, b corev1.ContainerStatus) int { return strings.Compare(a.Name, b.Name) }) {
			t.Errorf("%s: containerStatuses are not sorted by name", c)
		}
		if pod.Spec.NodeName == "" {
			continue
		}
		if len(statuses) != len(pod.Spec.Containers) || len(pod.Status.InitContainerStatuses) != len(pod.Spec.InitContainers) {
			t.Errorf("%s: a status for each container, please", c)
		}
	}
}

// objects decodes strictly: an unknown or doubled field is a typing error.
func objects(t *testing.T, c suite.Case) (*corev1.Pod, *batchv1.Job) {
	t.Helper()
	var pod corev1.Pod
	if err := yaml.UnmarshalStrict(c.Pod, &pod); err != nil {
		t.Fatalf("%s: %v", c.Files.Pod, err)
	}
	var job batchv1.Job
	if err := yaml.UnmarshalStrict(c.Job, &job); err != nil {
		t.Fatalf("%s: %v", c.Files.Job, err)
	}
	return &pod, &job
}
