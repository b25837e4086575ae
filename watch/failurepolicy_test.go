package watch

import (
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

const (
	ignore    = batchv1.PodFailurePolicyActionIgnore
	failJob   = batchv1.PodFailurePolicyActionFailJob
	failIndex = batchv1.PodFailurePolicyActionFailIndex
	count     = batchv1.PodFailurePolicyActionCount

	in    = batchv1.PodFailurePolicyOnExitCodesOpIn
	notIn = batchv1.PodFailurePolicyOnExitCodesOpNotIn
)

type policyRule = batchv1.PodFailurePolicyRule

// policy is a Job's, of these rules.
func policy(rules ...policyRule) func(*batchv1.Job) {
	return func(j *batchv1.Job) { j.Spec.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: rules} }
}

// onCodes is a rule for the exit codes of a container, or of any where it has no name.
func onCodes(action batchv1.PodFailurePolicyAction, container string, operator batchv1.PodFailurePolicyOnExitCodesOperator, codes ...int32) policyRule {
	on := &batchv1.PodFailurePolicyOnExitCodesRequirement{Operator: operator, Values: codes}
	if container != "" {
		on.ContainerName = &container
	}
	return policyRule{Action: action, OnExitCodes: on}
}

func onCondition(action batchv1.PodFailurePolicyAction, kind corev1.PodConditionType, status corev1.ConditionStatus) policyRule {
	return policyRule{Action: action, OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{{Type: "Other", Status: "True"}, {Type: kind, Status: status}}}
}

// adds gives the Pod one more container, in the state that is given; the zero
// state is one that has not started.
func adds(name string, s corev1.ContainerState) change {
	return func(p *corev1.Pod) {
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: name})
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{Name: name, State: s})
	}
}

// addsInit gives it one more init container.
func addsInit(c corev1.Container, s corev1.ContainerState) change {
	return func(p *corev1.Pod) {
		p.Spec.InitContainers = append(p.Spec.InitContainers, c)
		p.Status.InitContainerStatuses = append(p.Status.InitContainerStatuses, corev1.ContainerStatus{Name: c.Name, State: s})
	}
}

// TestPodFailurePolicy: the Job has one try left for what is counted, or none.
func TestPodFailurePolicy(t *testing.T) {
	disruption := onCondition(ignore, corev1.DisruptionTarget, corev1.ConditionTrue)
	drained := isDisrupted("EvictionByEvictionAPI", "drained")
	running := pod(tracked)
	crashed := pod(tracked, ends(3, "Error"))
	type rules = []policyRule
	const yes, no, counts = "yes", "no", "counts" // counts: yes where a try is left
	tests := []struct {
		name  string
		rules rules
		pod   *corev1.Pod
		want  string
	}{
		{"no rules", nil, running, counts},
		{"no rule that matches", rules{onCodes(failJob, "adapter", in, 42)}, running, counts},
		{"a rule with neither", rules{{Action: failJob}}, running, counts},

		{"ignores a disruption", rules{disruption}, pod(tracked, drained), yes},
		{"ignores a disruption that is not there", rules{disruption}, running, counts},
		{"ignores a disruption that is over", rules{disruption}, pod(tracked, drained, func(p *corev1.Pod) { p.Status.Conditions[0].Status = "False" }), counts},
		{"another condition", rules{disruption}, pod(tracked, drained, func(p *corev1.Pod) { p.Status.Conditions[0].Type = "Ready" }), counts},
		{"the status of a condition is True by default", rules{onCondition(ignore, corev1.DisruptionTarget, "")}, pod(tracked, drained), yes},
		{"a condition that must be False", rules{onCondition(failJob, corev1.PodReady, corev1.ConditionFalse)}, pod(tracked, func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
		}), no},
		{"fails for a disruption", rules{onCondition(failJob, corev1.DisruptionTarget, "True")}, pod(tracked, drained), no},
		{"counts a disruption", rules{onCondition(count, corev1.DisruptionTarget, "True")}, pod(tracked, drained), counts},
		{"the first rule decides", rules{disruption, onCondition(failJob, corev1.DisruptionTarget, "True")}, pod(tracked, drained), yes},
		{"the first rule decides, the other way", rules{onCondition(failJob, corev1.DisruptionTarget, "True"), disruption}, pod(tracked, drained), no},
		{"counting ends the search", rules{onCodes(count, "", in, 3), onCodes(failJob, "", in, 3)}, crashed, counts},

		{"a known code, In", rules{onCodes(failJob, "adapter", in, 2, 3)}, crashed, no},
		{"a known code, not In", rules{onCodes(failJob, "adapter", in, 2, 4)}, crashed, counts},
		{"a known code, NotIn", rules{onCodes(failJob, "adapter", notIn, 2, 4)}, crashed, no},
		{"a known code, not NotIn", rules{onCodes(failJob, "adapter", notIn, 2, 3)}, crashed, counts},
		{"a known code is ignored", rules{onCodes(ignore, "adapter", in, 3)}, crashed, yes},
		{"a known code fails the index", rules{onCodes(failIndex, "adapter", in, 3)}, crashed, no},
		{"exit 0 matches nothing", rules{onCodes(failJob, "adapter", notIn, 5)}, pod(tracked, ends(0, "Completed")), counts},
		{"a code of any container", rules{onCodes(ignore, "", in, 3)}, crashed, yes},
		{"another container's rule", rules{onCodes(failJob, "proxy", in, 3)}, crashed, counts},
		{"what was guessed is what the Job controller sees", rules{onCodes(ignore, "adapter", in, 137)}, pod(tracked, ends(137, "ContainerStatusUnknown")), yes},
		{"the last end of one that waits", rules{onCodes(failJob, "adapter", in, 3)}, pod(tracked, waits("CrashLoopBackOff", ""), endedBefore(3, "Error")), no},
		{"the end before the present run", rules{onCodes(failJob, "adapter", in, 3)}, pod(tracked, endedBefore(3, "Error")), counts},

		{"a running adapter, both codes", rules{onCodes(ignore, "adapter", in, 137, 143)}, running, yes},
		{"a running adapter, SIGTERM's code alone", rules{onCodes(ignore, "adapter", in, 143)}, running, counts},
		{"a running adapter, SIGKILL's code alone", rules{onCodes(ignore, "adapter", in, 137)}, running, counts},
		{"a running adapter, fails for SIGTERM", rules{onCodes(failJob, "adapter", in, 143), onCodes(ignore, "adapter", in, 137)}, running, no},
		{"a running adapter, fails for SIGKILL", rules{onCodes(failJob, "adapter", in, 137), onCodes(ignore, "adapter", in, 143)}, running, no},
		{"a running adapter, each has its rule", rules{onCodes(ignore, "adapter", in, 137), onCodes(ignore, "adapter", in, 143)}, running, yes},
		{"a running adapter, fails for its own codes", rules{onCodes(failJob, "adapter", notIn, 137, 143)}, running, counts},

		{"the reporter's own code", rules{onCodes(ignore, reporterName, in, 143)}, running, yes},
		{"the reporter's own code is not 137", rules{onCodes(failJob, reporterName, in, 137)}, running, counts},
		{"the reporter's own code, whatever a reading from before its restart shows", rules{onCodes(failJob, reporterName, in, 3)},
			pod(tracked, func(p *corev1.Pod) { status(p, reporterName).State = terminated(3, "Error") }), counts},
		{"a native sidecar's own code", rules{onCodes(ignore, reporterName, in, 143)}, pod(tracked, asSidecar), yes},
		{"any container, and the reporter is one", rules{onCodes(failJob, "", in, 143)}, crashed, no},
		{"misconfigured is not what it is", rules{onCodes(failJob, reporterName, in, 1, 2, 78)}, running, counts},

		{"a failed init container", rules{onCodes(failJob, "setup", in, 3)}, pod(tracked, addsInit(container("setup"), terminated(3, "Error"))), no},
		{"a failed init container, any name", rules{onCodes(ignore, "", in, 3)}, pod(tracked, addsInit(container("setup"), terminated(3, "Error"))), yes},
		{"an init container that is done", rules{onCodes(failJob, "setup", notIn, 3)}, pod(tracked, addsInit(container("setup"), terminated(0, "Completed"))), counts},
		{"another container's end", rules{onCodes(failJob, "proxy", in, 3)}, pod(tracked, adds("proxy", terminated(3, "Error"))), no},
		{"a proxy may exit with 0", rules{onCodes(ignore, "proxy", in, 137, 143)}, pod(tracked, adds("proxy", stateRunning)), counts},
		{"a proxy may be told to stop", rules{onCodes(failJob, "proxy", in, 143)}, pod(tracked, adds("proxy", stateRunning)), no},
		{"a proxy may be killed", rules{onCodes(failJob, "proxy", in, 137)}, pod(tracked, addsInit(native(container("proxy")), stateRunning)), no},

		{"an adapter that has not started may get 137", rules{onCodes(failJob, "adapter", in, 137)}, pod(tracked, waits("ImagePullBackOff", "")), no},
		{"an adapter that has not started may get none", rules{onCodes(ignore, "adapter", in, 137)}, pod(tracked, waits("ImagePullBackOff", "")), counts},
		{"an adapter that has not started gets no SIGTERM", rules{onCodes(failJob, "adapter", in, 143)}, pod(tracked, waits("ImagePullBackOff", "")), counts},
		{"a proxy may exit with 0 where the adapter has not started", rules{onCodes(ignore, "proxy", in, 137, 143), onCodes(failJob, "adapter", in, 137)}, pod(tracked, adds("proxy", stateRunning), waits("ImagePullBackOff", "")), no},
		{"no statuses yet", rules{onCodes(failJob, "adapter", in, 137)}, pod(tracked, func(p *corev1.Pod) { p.Status = corev1.PodStatus{} }), no},

		{"an action that is not known", rules{onCodes("Hold", "adapter", in, 3)}, crashed, no},
		{"an action that is not known, of a rule that does not match", rules{onCodes("Hold", "adapter", in, 4)}, crashed, counts},
		{"an operator that is not known", rules{onCodes(ignore, "adapter", "Near", 3)}, crashed, no},
		{"an operator that is not known, behind a rule that matches", rules{onCodes(ignore, "adapter", in, 3), onCodes(ignore, "adapter", "Near", 3)}, crashed, yes},

		{"never read, a rule that ignores", rules{disruption}, nil, counts},
		{"never read, a rule that fails", rules{disruption, onCodes(failJob, "adapter", in, 42)}, nil, no},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var r roles
			if test.pod != nil {
				var err error
				if r, err = findContainers(test.pod, "adapter", variables); err != nil {
					t.Fatal(err)
				}
			}
			for limit, want := range map[int32]bool{1: test.want != no, 0: test.want == yes} {
				if got := mayTryAgain(job(policy(test.rules...), backoffLimit(limit)), test.pod, false, r); got != want {
					t.Errorf("backoffLimit %d: may try again: %v, want %v", limit, got, want)
				}
			}
		})
	}
}

func TestPodFailurePolicyAndTheCount(t *testing.T) {
	disruption := policy(onCondition(ignore, corev1.DisruptionTarget, corev1.ConditionTrue))
	failing := policy(onCondition(failIndex, corev1.DisruptionTarget, corev1.ConditionTrue))
	drained := isDisrupted("EvictionByEvictionAPI", "drained")
	tests := []struct {
		name    string
		job     *batchv1.Job
		pod     *corev1.Pod
		deleted bool
		want    bool
	}{
		{"ignored, others have used up the limit", job(disruption, failedPods(2)), pod(tracked, drained), false, true},
		{"ignored, others have gone beyond the limit", job(disruption, failedPods(2), uncounted("2")), pod(tracked, drained), false, false},
		{"ignored, the last try of an index", job(disruption, perIndex(0)), pod(tracked, drained, ofIndex("3", "0")), false, true},
		{"ignored, an index that has failed", job(disruption, perIndex(0), failedIndexes("3")), pod(tracked, drained, ofIndex("3", "0")), false, false},
		{"counted, though it reads as ignored", job(disruption, failedPods(2), uncounted("1")), pod(tracked, drained), false, false},
		{"not ignored, and counted", job(disruption, failedPods(3)), pod(), false, false},
		{"ignored, and accounted for", job(disruption, failedPods(2)), pod(drained), false, true},
		{"deleted, and ignored", job(disruption, failedPods(2)), pod(tracked), true, true},
		{"deleted, and counted", job(disruption, failedPods(3)), pod(tracked, drained), true, false},
		{"the index fails", job(failing, perIndex(5)), pod(tracked, drained, ofIndex("3", "0")), false, false},
		{"the index has failed, deleted", job(failing, perIndex(5), failedIndexes("3")), pod(tracked, drained, ofIndex("3", "0")), true, false},
		{"suspended", job(policy(onCondition(failJob, corev1.DisruptionTarget, "True")), isSuspended), pod(tracked, drained), false, true},
		{"over", job(disruption, has(batchv1.JobFailureTarget, "True", "", "")), pod(tracked, drained), false, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := findContainers(test.pod, "", variables)
			if err != nil {
				t.Fatal(err)
			}
			if got := mayTryAgain(test.job, test.pod, test.deleted, r); got != test.want {
				t.Errorf("may try again: %v, want %v", got, test.want)
			}
		})
	}
}
