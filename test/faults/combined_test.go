package faults

import (
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
	"github.com/openshift-hyperfleet/status-reporter/test/program"
)

// disrupted has somebody be about to end the Pod.
func disrupted(reason string) func(h *harness) {
	return func(h *harness) {
		h.UpdatePod(func(pod *corev1.Pod) {
			pod.Finalizers = []string{batchv1.JobTrackingFinalizer}
			pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: reason})
		})
	}
}

// lastOfItsIndex is a Pod whose index has no other try, of a Job that has others.
func lastOfItsIndex(h *harness) {
	h.Server.UpdateJob(namespace, jobName, func(j *batchv1.Job) {
		j.Spec.BackoffLimit, j.Spec.BackoffLimitPerIndex, j.Spec.CompletionMode = nil, new(int32(1)), new(batchv1.IndexedCompletion)
	})
	h.UpdatePod(func(pod *corev1.Pod) {
		pod.Finalizers = []string{batchv1.JobTrackingFinalizer}
		pod.Annotations = map[string]string{batchv1.JobCompletionIndexAnnotation: "0", batchv1.JobIndexFailureCountAnnotation: "1"}
	})
}

func suspends(h *harness) {
	h.Server.UpdateJob(namespace, jobName, func(j *batchv1.Job) { j.Spec.Suspend = new(true) })
}

func removed(h *harness) { h.Server.DeletePod(namespace, podName) }

func well(h *harness) { h.Server.ClearFaults() }

func graceOf(seconds int64) func(h *harness) { return func(h *harness) { h.Grace(seconds) } }

func onDeletion(seconds int64) func(h *harness) { return func(h *harness) { h.Delete(seconds) } }

// combinedFaults are two things at once that the other tables have one by one.
func combinedFaults() []story {
	own := contract.Outcome{Status: contract.False, Reason: "Cancelled", Message: "No message provided"}
	hangs, lost := kubetest.HangRequest(), kubetest.LoseAnswer()
	unauthorized := kubetest.Status(401, "Unauthorized", "Unauthorized")
	later := kubetest.Status(429, "TooManyRequests", "slow down").Header("Retry-After", "20")
	again := play((*harness).Crash, pause(time.Second), (*harness).Restart)
	return []story{
		{Name: "OnFailure: reading the Pod is never answered, a crash, and the next run succeeds", Want: good, Within: 35 * time.Second,
			Play: play((*harness).OnFailure, faults(podReads, hangs.Forever()), runs(10*time.Second), again, pause(20*time.Second), (*harness).Finish)},
		{Name: "OnFailure: a hostPath with yesterday's success, the API server is away for 2 min from the start, a crash meanwhile, and the next run succeeds", Want: good,
			Play: play((*harness).OnFailure, leftOver(yesterdays, false), down, runs(10*time.Second), again, pause(5*time.Second), (*harness).Finish, pause(100*time.Second), up)},
		{Name: "OnFailure: the result was there before the reporter, the Pod is never to be read, and evicted", Kill: time.Second, Want: good,
			Play: play((*harness).OnFailure, (*harness).Finish, faults(podReads, unavailable.Forever()), faults(watches, unavailable.Forever()), runs(10*time.Second), (*harness).Sigterm)},
		{Name: "OnFailure: a native sidecar tells of half a file, killed for its memory, and the next run ends well without one", Want: missing, Exit: 0,
			Play: play((*harness).NativeSidecar, (*harness).OnFailure, runs(9*time.Second), writes(halfFile), pause(15*time.Second), endsWith(137, "OOMKilled"), pause(time.Second), (*harness).Restart,
				pause(10*time.Second), endsWith(0, "Completed"), (*harness).StopSidecar)},
		{Name: "a native sidecar: the answer to the time-out's PATCH is lost, and a result comes after all", Want: good,
			Play: play((*harness).NativeSidecar, faults(patches, lost), runs(301*time.Second), (*harness).Finish, pause(5*time.Second), (*harness).Sigterm)},
		{Name: "a native sidecar with a grace period of 90 s: the Pod is deleted in an outage of 40 s, and the adapter writes meanwhile", Want: good,
			Play: play((*harness).NativeSidecar, graceOf(90), runs(10*time.Second), down, onDeletion(90), pause(20*time.Second), (*harness).Finish, pause(20*time.Second), up,
				pause(5*time.Second), endsWith(0, "Completed"), (*harness).StopSidecar)},
		{Name: "a failure is answered 429 with Retry-After 20, and the node shuts down", Kill: 15 * time.Second, Want: own,
			Play: play(runs(10*time.Second), faults(patches, later), writesFailure, pause(3*time.Second), (*harness).Sigterm)},
		{Name: "the answer to the interim PATCH is lost, another Pod succeeds, and the adapter writes a failure", Want: replaced, Exit: 143,
			Play: play(runs(10*time.Second), faults(patches, lost), (*harness).Sigterm, pause(2*time.Second), onDeletion(30), func(h *harness) {
				h.Server.UpdateJob(namespace, jobName, func(j *batchv1.Job) { j.Status.Conditions = nil })
				anotherSucceeds(h)
			}, writesFailure)},
		{Name: "the Pod is deleted, everything is answered 500 for 20 s, and the adapter crashes meanwhile", Want: crashed, Exit: 1, Within: 41 * time.Second,
			Play: play(runs(10*time.Second), deleted(30), faults(anything, broken.Forever()), pause(3*time.Second), (*harness).Crash, pause(17*time.Second), well)},
		{Name: "401 for everything for a minute across the deadline, and the adapter crashes meanwhile", Want: crashed, Exit: 1,
			Play: play(runs(290*time.Second), faults(anything, unauthorized.Forever()), (*harness).Crash, pause(time.Minute), well)},
		{Name: "preempted on the last try under a podFailurePolicy that ignores disruptions, and the adapter goes with SIGTERM", Exit: 143,
			Want: interruptedBy(contract.Unknown, "PreemptionByScheduler; the Pod is being deleted; adapter container exited with code 143"),
			Play: play(lastTry, ignoresDisruptions, runs(10*time.Second), disrupted("PreemptionByScheduler"), deleted(30), pause(2*time.Second), endsWith(143, "Error"))},
		{Name: "the node is cut off for a minute, and the Pod is deleted for that", Exit: 143, Want: interruptedBy(contract.Unknown, "DeletionByTaintManager; the Pod is being deleted"),
			Play: play(runs(10*time.Second), down, pause(time.Minute), disrupted("DeletionByTaintManager"), onDeletion(30), up, pause(time.Second), (*harness).Sigterm)},
		{Name: "an index of the Job has no other try, and the Pod is deleted", Exit: 1, Want: interruptedBy(contract.False, "the Pod is being deleted"), Play: play(lastOfItsIndex, runs(10*time.Second), deleted(30))},
		{Name: "the Job is suspended in an outage of 40 s, and the Pod removed", Exit: 143, Want: interruptedBy(contract.Unknown, "the Pod is gone; the Job is suspended"),
			Play: play(runs(10*time.Second), down, suspends, pause(40*time.Second), removed, up)},
	}
}

func TestCombinedFaults(t *testing.T) { program.PlayStories(t, combinedFaults()) }
