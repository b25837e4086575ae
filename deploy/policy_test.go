package deploy_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What the policies do is seen on a real API server (make test-apiserver); here,
// that what they repeat is what they repeat.

// TestPoliciesWhere: one label on a namespace turns all of them on, and each
// binding has its policy.
func TestPoliciesWhere(t *testing.T) {
	m := read(t, "policy/own-condition.yaml", "policy/lint.yaml", "inject/policy.yaml")
	actions := map[string][]admissionv1.ValidationAction{}
	selectors := map[string]*metav1.LabelSelector{}
	for _, b := range m.validatingBindings {
		actions[b.Spec.PolicyName], selectors[b.Spec.PolicyName] = b.Spec.ValidationActions, b.Spec.MatchResources.NamespaceSelector
	}
	for _, b := range m.mutatingBindings {
		selectors[b.Spec.PolicyName] = b.Spec.MatchResources.NamespaceSelector
	}
	want := &metav1.LabelSelector{MatchLabels: map[string]string{"status-reporter/policies": "enabled"}}
	fail := map[string]admissionv1.FailurePolicyType{}
	for _, p := range m.validating {
		fail[p.Name] = *p.Spec.FailurePolicy
	}
	for _, p := range m.mutating {
		fail[p.Name] = *p.Spec.FailurePolicy
	}
	if diff := cmp.Diff(map[string]admissionv1.FailurePolicyType{
		"status-reporter-own-condition": admissionv1.Fail, "status-reporter-inject": admissionv1.Fail,
		"status-reporter-injected": admissionv1.Fail, "status-reporter-lint": admissionv1.Ignore,
	}, fail); diff != "" {
		t.Errorf("failurePolicy (-want +got):\n%s", diff)
	}
	for name := range fail {
		if diff := cmp.Diff(want, selectors[name]); diff != "" {
			t.Errorf("%s: namespaces (-want +got):\n%s", name, diff)
		}
	}
	if got := actions["status-reporter-lint"]; !slices.Equal(got, []admissionv1.ValidationAction{admissionv1.Warn, admissionv1.Audit}) {
		t.Errorf("lint.yaml does %q", got)
	}
	for _, v := range m.validating[0].Spec.Validations {
		if v.Reason == nil || *v.Reason != metav1.StatusReasonForbidden {
			t.Errorf("own-condition.yaml: a refusal without reason Forbidden is a 422: %s", v.Expression)
		}
	}
}

// TestOwnConditionAgrees: the Job controller's types are those that the reporter
// refuses as CONDITION_TYPE, and its container is known by the same variables.
func TestOwnConditionAgrees(t *testing.T) {
	source, err := os.ReadFile("../internal/reporter/config.go")
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`(?s)controllerTypes = .*?\{(.*?)\}`).FindSubmatch(source)
	if list == nil {
		t.Fatal("config.go has no controllerTypes")
	}
	var want []string
	for _, m := range regexp.MustCompile(`batchv1\.Job(\w+)`).FindAllStringSubmatch(string(list[1]), -1) {
		want = append(want, "'"+m[1]+"'")
	}
	if policy := text(t, "policy/own-condition.yaml"); !strings.Contains(policy, "["+strings.Join(want, ", ")+"]") {
		t.Errorf("own-condition.yaml does not leave out %q", want)
	}
	list = regexp.MustCompile(`(?s)\nvar variables = .*?\{(.*?)\n\}`).FindSubmatch(source)
	if list == nil {
		t.Fatal("config.go has no variables")
	}
	own := strings.Join(strings.Fields(strings.NewReplacer(`"`, "'", ",\n}", "").Replace(string(list[1]))), " ")
	if policy := strings.Join(strings.Fields(text(t, "policy/own-condition.yaml")), " "); !strings.Contains(policy, "["+strings.TrimSuffix(own, ",")+"].filter(") {
		t.Errorf("own-condition.yaml does not count %s", own)
	}
}

// TestInjectedIsTheSame: all that job-native-sidecar.yaml says of the reporter
// and its volumes is in the policy, and the rights are rbac.yaml's.
func TestInjectedIsTheSame(t *testing.T) {
	policy := text(t, "inject/policy.yaml")
	reporter, volumes := reporterOf(t, read(t, "job-native-sidecar.yaml").jobs[0])
	reporter.Image = ""
	for _, part := range []any{reporter, volumes} {
		var tree any
		data, err := json.Marshal(part)
		if err == nil {
			err = json.Unmarshal(data, &tree)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, leaf := range leaves(tree) {
			if !strings.Contains(policy, leaf) {
				t.Errorf("inject/policy.yaml lacks %s", leaf)
			}
		}
	}
	if diff := cmp.Diff(read(t, "rbac.yaml").roles[0].Rules, read(t, "inject/rbac.yaml").roles[0].Rules); diff != "" {
		t.Errorf("rules (-rbac.yaml +inject/rbac.yaml):\n%s", diff)
	}
}

// leaves are members and values as a policy writes them: quoted strings, and
// "member: value" for the others.
func leaves(v any) (all []string) {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			switch value := value.(type) {
			case bool, float64:
				all = append(all, fmt.Sprintf("%s: %v", name, value))
			case string:
				if !slices.Contains([]string{"results", "api-access", "/results", "/results/adapter-result.json", ""}, value) { // the Job's own may take their place
					all = append(all, fmt.Sprintf("%q", value))
				}
			default:
				all = append(all, leaves(value)...)
			}
		}
	case []any:
		for _, value := range v {
			if s, ok := value.(string); ok {
				all = append(all, fmt.Sprintf("%q", s))
			}
			all = append(all, leaves(value)...)
		}
	}
	return all
}

// TestInjectKustomization: one namespace for all that belongs to one, and the
// policy's ConfigMap among it.
func TestInjectKustomization(t *testing.T) {
	m := kustomize(t, "inject")
	if m == nil {
		return
	}
	if len(m.roles) != 1 || len(m.bindings) != 1 || len(m.configs) != 1 || len(m.mutating) != 1 || len(m.validating) != 3 {
		t.Fatalf("%d roles, %d bindings, %d ConfigMaps, %d and %d policies", len(m.roles), len(m.bindings), len(m.configs), len(m.mutating), len(m.validating))
	}
	ns := m.roles[0].Namespace
	if ns == "" || m.bindings[0].Namespace != ns || m.configs[0].Namespace != ns {
		t.Errorf("namespaces %q, %q, %q", ns, m.bindings[0].Namespace, m.configs[0].Namespace)
	}
	if want := (rbacv1.Subject{Kind: "Group", APIGroup: rbacv1.GroupName, Name: "system:serviceaccounts:" + ns}); m.bindings[0].Subjects[0] != want {
		t.Errorf("the subject is %+v, want %+v", m.bindings[0].Subjects[0], want)
	}
	if ref := m.bindings[0].RoleRef.Name; ref != m.roles[0].Name {
		t.Errorf("the role is %q, want %q", ref, m.roles[0].Name)
	}
	if param := m.mutatingBindings[0].Spec.ParamRef; param.Name != m.configs[0].Name || param.Namespace != "" || m.configs[0].Data["image"] == "" {
		t.Errorf("the parameter is %+v, the ConfigMap %+v", param, m.configs[0])
	}
	known := regexp.MustCompile(`variables\.values\[\??['"](\w+)['"]\]`).FindAllStringSubmatch(text(t, "inject/policy.yaml"), -1)
	for _, k := range known {
		if !regexp.MustCompile(`(?m)^  (# )?` + k[1] + `: `).MatchString(text(t, "inject/config.yaml")) {
			t.Errorf("config.yaml does not name %s", k[1])
		}
	}
}

// TestInjectionLabel: the policies and the documents have one label.
func TestInjectionLabel(t *testing.T) {
	for _, p := range read(t, "inject/policy.yaml").mutating {
		if got := p.Spec.MatchConstraints.ObjectSelector.MatchLabels["status-reporter/inject"]; got != "true" {
			t.Errorf("the label's value is %q", got)
		}
	}
	if !strings.Contains(text(t, "policy/lint.yaml"), "'status-reporter/inject'") {
		t.Error("lint.yaml does not know of injected Jobs")
	}
}

func text(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
