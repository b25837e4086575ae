package deploy_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// right is a verb on a resource.
type right struct{ verb, resource string }

func rights(t *testing.T, rules []rbacv1.PolicyRule) map[right]bool {
	t.Helper()
	groups := map[string]string{"pods": "", "jobs": "batch", "jobs/status": "batch"}
	all := map[right]bool{}
	for _, rule := range rules {
		for _, resource := range rule.Resources {
			if group, ok := groups[resource]; !ok || !slices.Equal(rule.APIGroups, []string{group}) {
				t.Errorf("rule %+v is for no resource of the reporter's", rule)
			}
			for _, verb := range rule.Verbs {
				all[right{verb, resource}] = true
			}
		}
	}
	return all
}

// TestRole runs the real program with the rights of a Role and nothing else. Of
// rbac.yaml's it must ask for each one, and for no other. The Role that users of
// the original have must do as well.
func TestRole(t *testing.T) {
	binary := build(t)
	smallest := rights(t, read(t, "rbac.yaml").roles[0].Rules)
	t.Run("rbac.yaml", func(t *testing.T) {
		if diff := cmp.Diff(smallest, requested(t, binary, smallest), cmp.AllowUnexported(right{})); diff != "" {
			t.Errorf("the Role's rights and those that the reporter asked for (-Role +asked for):\n%s", diff)
		}
	})
	t.Run("the original's", func(t *testing.T) {
		requested(t, binary, map[right]bool{
			{"get", "jobs"}:        true,
			{"get", "jobs/status"}: true, {"update", "jobs/status"}: true, {"patch", "jobs/status"}: true,
			{"get", "pods"}: true, {"list", "pods"}: true,
		})
	})
}

func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "status-reporter")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "..").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// requested lets an adapter that does nothing run into its time, which takes
// every kind of request, and returns the rights that were asked for. A real
// process keeps real time: two seconds, the least that can be set.
func requested(t *testing.T, binary string, allowed map[right]bool) map[right]bool {
	t.Helper()
	s := kubetest.New(t)
	for r := range allRights {
		if !allowed[r] {
			s.Deny(r.verb, r.resource)
		}
	}
	for r := range allowed {
		s.Allow(r.verb, r.resource)
	}
	s.CreateJob(&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "job"}})
	s.CreatePod(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "pod"},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			Containers:    []corev1.Container{{Name: "adapter"}, {Name: "status-reporter"}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{
			{Name: "adapter", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
		}},
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary)
	cmd.Env = append(s.Environ(), "JOB_NAME=job", "JOB_NAMESPACE="+namespace, "POD_NAME=pod",
		"RESULTS_PATH="+filepath.Join(t.TempDir(), "result.json"), "POLL_INTERVAL_SECONDS=1", "MAX_WAIT_TIME_SECONDS=2")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Fatalf("the reporter ended with %v, want exit code 1:\n%s", err, out)
	}
	conditions := s.Job(namespace, "job").Status.Conditions
	if len(conditions) != 1 || conditions[0].Reason != "AdapterTimeout" {
		t.Errorf("the Job's conditions are %+v, want AdapterTimeout\n%s", conditions, out)
	}
	asked := map[right]bool{}
	for _, r := range s.Requests() {
		asked[right{r.Verb, r.Resource}] = true
	}
	return asked
}

// allRights are those that kubetest grants at first.
var allRights = map[right]bool{
	{"get", "pods"}: true, {"list", "pods"}: true, {"watch", "pods"}: true,
	{"get", "jobs"}: true, {"patch", "jobs/status"}: true,
}
