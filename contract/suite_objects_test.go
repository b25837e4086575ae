package contract_test

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/testdata/suite"
)

// TestSuiteRuns checks what a runner does with each case against what the
// case's own Pod and condition say.
func TestSuiteRuns(t *testing.T) {
	for _, c := range suite.Load(t) {
		pod, job := objects(t, c)
		sidecar := nativeSidecar(pod)
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
		labels := map[string]string{}
		if key := c.Env["OUTCOME_LABEL"]; key != "" && c.Group != suite.Config {
			labels[key] = c.Condition.Status
		}
		if !maps.Equal(labels, c.Labels) {
			t.Errorf("%s: labels %v, by the condition %v", c, c.Labels, labels)
		}
		if c.Trigger == suite.File && c.Input == nil {
			t.Errorf("%s: no file to trigger", c)
		}
		if again := mayTryAgain(job, pod); c.Condition.Reason == contract.ReasonAdapterInterrupted && (c.Condition.Status == "Unknown") != again {
			t.Errorf("%s: status %s, but the Job may try again: %v", c, c.Condition.Status, again)
		}
	}
}

// nativeSidecar reports whether the reporter is one: no suite's Pod has another.
func nativeSidecar(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.InitContainers, func(c corev1.Container) bool { return c.RestartPolicy != nil })
}

func exitCode(c suite.Case, pod *corev1.Pod) int {
	if c.Group == suite.Config {
		return 78
	}
	if c.Input != nil {
		if r, err := contract.Parse(c.Input); err == nil && r.Reason == c.Condition.Reason {
			code, err := strconv.Atoi(strings.TrimSpace(c.Env["FAILURE_EXIT_CODE"]))
			if err != nil || r.Status == contract.Success || pod.Spec.RestartPolicy == corev1.RestartPolicyOnFailure {
				return 0
			}
			return code
		}
	}
	if pod.Spec.RestartPolicy == corev1.RestartPolicyOnFailure {
		return 0
	}
	if c.Condition.Status == "Unknown" {
		return 143
	}
	return 1
}

// mayTryAgain reports whether the Job is not over, and what it has counted of failures,
// with this Pod's, not above its limit. The finalizer goes when a Pod is counted.
func mayTryAgain(job *batchv1.Job, pod *corev1.Pod) bool {
	for _, c := range job.Status.Conditions {
		if c.Status == corev1.ConditionTrue && c.Type != batchv1.JobSuspended {
			return false
		}
	}
	failed := int(job.Status.Failed)
	if slices.Contains(pod.Finalizers, batchv1.JobTrackingFinalizer) {
		switch policyAction(job, pod) {
		case batchv1.PodFailurePolicyActionFailJob:
			return *job.Spec.Suspend
		case batchv1.PodFailurePolicyActionCount:
			failed++
		}
	}
	return failed <= int(*job.Spec.BackoffLimit) || *job.Spec.Suspend
}

// policyAction is that of the first rule which matches the Pod's conditions, or
// the adapter's exit code and the reporter's, which is 143.
func policyAction(job *batchv1.Job, pod *corev1.Pod) batchv1.PodFailurePolicyAction {
	if job.Spec.PodFailurePolicy == nil {
		return batchv1.PodFailurePolicyActionCount
	}
	codes := map[string]int32{"status-reporter": 143}
	for _, s := range pod.Status.ContainerStatuses {
		if s.State.Terminated != nil && s.Name != "status-reporter" {
			codes[s.Name] = s.State.Terminated.ExitCode
		}
	}
	for _, rule := range job.Spec.PodFailurePolicy.Rules {
		for _, want := range rule.OnPodConditions {
			for _, c := range pod.Status.Conditions {
				if c.Type == want.Type && c.Status == want.Status {
					return rule.Action
				}
			}
		}
		if on := rule.OnExitCodes; on != nil && slices.Contains(on.Values, codes[*on.ContainerName]) {
			return rule.Action
		}
	}
	return batchv1.PodFailurePolicyActionCount
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
	return decode[corev1.Pod](t, c.Files.Pod, c.Pod), decode[batchv1.Job](t, c.Files.Job, c.Job)
}

// decoded are the objects by file: half of the cases share the defaults, and
// strict decoding is slow.
var decoded = map[string]any{}

func decode[T any](t *testing.T, name string, data []byte) *T {
	t.Helper()
	if object, ok := decoded[name].(*T); ok {
		return object
	}
	object := new(T)
	if err := yaml.UnmarshalStrict(data, object); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	decoded[name] = object
	return object
}
