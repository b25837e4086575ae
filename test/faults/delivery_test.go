package faults

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/internal/reporter"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
	"github.com/openshift-hyperfleet/status-reporter/test/program"
)

var (
	unavailable = kubetest.Status(503, metav1.StatusReasonServiceUnavailable, "not now")
	broken      = kubetest.Status(500, metav1.StatusReasonInternalError, "broken")
	twoHours    = map[string]string{"MAX_WAIT_TIME_SECONDS": "7200"}
)

func down(h *harness) { h.Server.Down() }
func up(h *harness)   { h.Server.Up() }

func faults(match kubetest.Match, faults ...kubetest.Fault) func(h *harness) {
	return func(h *harness) { h.Server.Fault(match, faults...) }
}

func badly(h *harness) { h.Badly() }

// tried waits until a report has been sent, whatever becomes of it.
func tried(h *harness) {
	h.Await("an attempt", func() bool { return len(h.Server.Requests(patches)) > 0 })
}

func slowed(d time.Duration) func(h *harness) {
	return faults(anything, kubetest.Proceed().After(d).Forever())
}

// withdrawnFaults are verdicts that come and go before they are delivered: each new
// one has time, requests and words of its own.
func withdrawnFaults() []story {
	atIt := writes(goodFile[:len(goodFile)/2])
	return []story{
		{Name: "half a file settles, its PATCH is answered badly, the file is taken away, and a result comes 35 min later", Env: twoHours, Want: good, Badly: patches,
			Play: play(runs(10*time.Second), writes(halfFile), badly, tried, (*harness).RemoveFile, pause(35*time.Minute), (*harness).Finish)},
		{Name: "half a file settles, its PATCH is answered badly, the adapter begins anew, and its result comes 35 min later", Env: twoHours, Want: good, Badly: patches,
			Play: play(runs(10*time.Second), writes(halfFile), badly, tried, (*harness).RemoveFile, pause(35*time.Minute), atIt, pause(time.Second), (*harness).Finish)},
		{Name: "half a file settles, the Job's reading for it is answered badly, the file is taken away, and a result comes 35 min later", Env: twoHours, Want: good, Badly: jobReads,
			Play: play(runs(19*time.Second), writes(halfFile), badly, pause(10500*time.Millisecond), (*harness).RemoveFile, pause(35*time.Minute), (*harness).Finish)},
		{Name: "a grace period of 2 h, the Pod's reading at SIGTERM is answered badly, and a result comes 40 min later", Env: twoHours, Want: good, Badly: podReads,
			Play: play(func(h *harness) { h.Grace(7200) }, runs(10*time.Second), badly, (*harness).StopSidecar, pause(3*time.Second), func(h *harness) { h.Delete(7200) }, pause(40*time.Minute), (*harness).Finish)},
		{Name: "a grace period of 2 h, the API server is away for 3 s at SIGTERM, and a result comes 40 min later", Env: twoHours, Want: good,
			Play: play(func(h *harness) { h.Grace(7200) }, runs(10*time.Second), down, (*harness).StopSidecar, pause(3*time.Second), up, pause(time.Second), func(h *harness) { h.Delete(7200) }, pause(40*time.Minute), (*harness).Finish)},
		{Name: "a grace period of 2 h, and the interim report cannot be delivered for 31 min, then a result", Env: twoHours, Want: good,
			Play: play(func(h *harness) { h.Grace(7200) }, runs(10*time.Second), deleted(7200), pause(20*time.Second), down, pause(35*time.Minute), up, pause(20*time.Second), (*harness).Finish)},
		{Name: "answers take 2 s, half a file settles, and the adapter goes on while the Job is read for it", Want: good, Env: map[string]string{"POLL_INTERVAL_SECONDS": "1"},
			Play: play(runs(10*time.Second), writes(halfFile), pause(9*time.Second), slowed(2*time.Second), func(h *harness) {
				h.Await("the Job's reading", func() bool { return len(h.Server.Requests(jobReads)) > 1 })
			}, pause(time.Second), atIt, pause(2*time.Second), (*harness).Finish)},
		{Name: "answers take 2 s, the time is up, and the kill for its memory is told while the Job is read for it", Want: oom, Exit: 1,
			Play: play(runs(299*time.Second), slowed(2*time.Second), pause(3500*time.Millisecond), endsWith(137, "OOMKilled"))},
		{Name: "answers take 2 s, the time is up, and a result is there while the Job is read for it", Want: good, Env: map[string]string{"POLL_INTERVAL_SECONDS": "1"},
			Play: play(runs(299*time.Second), slowed(2*time.Second), pause(3500*time.Millisecond), (*harness).Finish)},
		{Name: "a fault is answered 429 with Retry-After 20, and a result overtakes it", Want: good, AtLeast: 40 * time.Second, Within: 46 * time.Second, Most: 6,
			Play: play(runs(10*time.Second), faults(patches, kubetest.Status(429, metav1.StatusReasonTooManyRequests, "slow down").Header("Retry-After", "20")),
				writes(halfFile), tried, pause(time.Second), (*harness).Finish)},
		{Name: "a crash is answered 503 with Retry-After 20, and a result overtakes it", Want: good, AtLeast: 30 * time.Second, Within: 36 * time.Second, Most: 6,
			Play: play(runs(10*time.Second), faults(patches, unavailable.Header("Retry-After", "20")), (*harness).Crash, tried, pause(time.Second), (*harness).Finish)},
	}
}

// ownFailure is one that the adapter has called as the reporter calls an interruption.
var ownFailure = contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterInterrupted, Message: "by the user"}

func writesInterrupted(h *harness) {
	h.Write(`{"status":"failure","reason":"AdapterInterrupted","message":"by the user"}`)
}

// debugCopy takes the Pod its owner, as `kubectl debug --copy-to` does, which keeps
// its environment.
func debugCopy(h *harness) {
	h.UpdatePod(func(pod *corev1.Pod) { pod.OwnerReferences, pod.Labels, pod.Finalizers = nil, nil, nil })
}

// supersededFaults are reports that meet another Pod's: what says more stands.
func supersededFaults() []story {
	interrupted := func(name string, match kubetest.Match) story {
		return story{Name: "another Pod's success stands, SIGTERM, and " + name + " is answered badly once", Badly: match, Want: replaced, Exit: 143,
			Play: play(anotherSucceeds, runs(10*time.Second), badly, deleted(30))}
	}
	stories := []story{
		interrupted("the Job's reading", jobReads),
		interrupted("the Pod's reading", podReads),
		{Name: "another Pod's success stands, the Pod is deleted by force, and the Job's reading is answered badly once", Badly: jobReads, Want: replaced, Exit: 143,
			Play: play(anotherSucceeds, runs(10*time.Second), badly, func(h *harness) { h.Server.DeletePod(namespace, podName) })},
		{Name: "the Pod is deleted, its replacement succeeds, its adapter writes a failure, and the Job's reading is answered badly once", Badly: jobReads, Want: replaced, Exit: 143,
			Play: outlived(func(h *harness) { h.Badly(); writesFailure(h) })},
		{Name: "the Pod is deleted, its replacement succeeds, its adapter crashes, and the Job's reading is answered badly once", Badly: jobReads, Want: replaced, Exit: 143,
			Play: outlived(func(h *harness) { h.Badly(); h.Crash() })},
		{Name: "the Pod is deleted, its replacement succeeds, its adapter crashes, and the Pod's reading is answered badly once", Badly: podReads, Want: replaced, Exit: 143,
			Play: outlived(func(h *harness) { h.Badly(); h.Crash() })},
		{Name: "the Pod is deleted, its replacement succeeds, its adapter writes a failure, and the PATCH is answered badly once", Badly: patches, Want: replaced, Exit: 143,
			Play: outlived(func(h *harness) { h.Badly(); writesFailure(h) })},
		{Name: "a crash, an outage of 70 s in which the Pod is deleted and its replacement succeeds, and the Job's reading is answered badly once", Badly: jobReads, Want: replaced, Exit: 143,
			Play: play(runs(10*time.Second), faults(jobReads, unavailable), (*harness).Crash, func(*harness) { synctest.Wait() }, down, pause(70*time.Second), func(h *harness) { h.Delete(300) },
				anotherSucceeds, badly, up)},
		{Name: "a failure, an outage of 70 s in which the Pod is deleted and its replacement succeeds, and the Pod's reading is answered badly once", Badly: podReads, Want: replaced, Exit: 143,
			Play: play(runs(10*time.Second), down, pause(70*time.Second), writesFailure, func(h *harness) { h.Delete(300) }, anotherSucceeds, badly, up)},
		{Name: "an outage of a minute in which the Pod is deleted and its replacement succeeds, and a failure before the watch is back", Want: replaced, Exit: 143,
			Play: play(runs(10*time.Second), down, pause(time.Minute), func(h *harness) { h.Delete(300) }, anotherSucceeds, writesFailure, pause(1900*time.Millisecond), up)},
		{Name: "an outage of a minute in which the Pod is removed and its replacement succeeds, and a crash before it", Want: replaced, Exit: 143,
			Play: play(runs(10*time.Second), (*harness).CrashUnseen, down, pause(time.Minute), anotherSucceeds, func(h *harness) { h.Server.DeletePod(namespace, podName) }, up)},
		{Name: "a crash, and in an outage of 10 s the Pod is deleted and its replacement succeeds, and the Pod's reading is answered badly once", Badly: podReads, Want: replaced, Exit: 143,
			Play: cutOff(func(h *harness) { h.Badly(); h.Crash() })},
		{Name: "a failure, and in an outage of 10 s the Pod is deleted and its replacement succeeds, and the Pod's reading is answered badly once", Badly: podReads, Want: replaced, Exit: 143,
			Play: cutOff(func(h *harness) { h.Badly(); writesFailure(h) })},
		{Name: "a failure that calls itself AdapterInterrupted, on a Job that another Pod has reported on, and the PATCH is answered badly once", Badly: patches, Want: ownFailure,
			Play: play(runs(10*time.Second), anotherSucceeds, badly, writesInterrupted)},
		{Name: "a failure that calls itself AdapterInterrupted, on a Job that another Pod has reported on, and the Job's reading is answered badly once", Badly: jobReads, Want: ownFailure,
			Play: play(runs(10*time.Second), anotherSucceeds, badly, writesInterrupted)},
		{Name: "a failure that calls itself AdapterInterrupted in a Pod that is being deleted, and another Pod's success stands", Want: replaced, Exit: 143,
			Play: outlived(writesInterrupted)},
		{Name: "a copy for debugging crashes, and the Job's own success stands", Want: replaced, Exit: 143, Play: play(debugCopy, anotherSucceeds, runs(10*time.Second), (*harness).Crash)},
		{Name: "a copy for debugging writes a failure, and the Job's own success stands", Want: replaced, Exit: 143, Play: play(debugCopy, anotherSucceeds, runs(10*time.Second), writesFailure)},
		{Name: "a copy for debugging leaves half a file, and the Job's own success stands", Want: replaced, Exit: 143, Play: play(debugCopy, anotherSucceeds, runs(10*time.Second), writes(halfFile))},
		{Name: "a copy for debugging hangs, and the Job's own success stands", Want: replaced, Exit: 143, Play: play(debugCopy, anotherSucceeds, runs(10*time.Second))},
		{Name: "a copy for debugging succeeds", Want: good, Play: play(debugCopy, anotherSucceeds, runs(10*time.Second), (*harness).Finish)},
		{Name: "a Pod of another Job's crashes, and the success of the Job that it is told of stands", Want: replaced, Exit: 143, Play: play(func(h *harness) {
			h.UpdatePod(func(pod *corev1.Pod) { pod.OwnerReferences[0].Name, pod.OwnerReferences[0].UID = "another", "another" })
		}, anotherSucceeds, runs(10*time.Second), (*harness).Crash)},
		{Name: "a failure stands by another Pod, and the adapter succeeds", Want: good, Play: play(anotherFails, runs(10*time.Second), (*harness).Finish)},
		{Name: "a failure stands by another Pod, and the adapter crashes", Want: crashed, Exit: 1, Play: play(anotherFails, runs(10*time.Second), (*harness).Crash)},
	}
	return stories
}

func anotherFails(h *harness) {
	h.Server.UpdateJob(namespace, jobName, func(j *batchv1.Job) {
		j.Status.Conditions = append(j.Status.Conditions, batchv1.JobCondition{Type: "Available", Status: "False", Reason: "Earlier"})
	})
}

// readingFaults are objects that cannot be read, or not for a while, where the rest
// is well.
func readingFaults() []story {
	podsHang := faults(podReads, kubetest.HangRequest().Forever())
	jobsFail := faults(jobReads, broken.Forever())
	jobsHang := faults(jobReads, kubetest.HangRequest().Forever())
	deletion := interruptedBy(contract.Unknown, "the Pod is being deleted")
	return []story{
		{Name: "reading the Pod is never answered, watch and PATCH are, and the Pod is deleted", Want: deletion, Exit: 143, Within: 41 * time.Second,
			Play: play(runs(10*time.Second), podsHang, deleted(30))},
		{Name: "reading the Pod is never answered, watch and PATCH are, and the Pod is deleted with a grace period of 10 s", Want: deletion, Exit: 143, Within: 21 * time.Second,
			Play: play(func(h *harness) { h.Grace(10) }, runs(10*time.Second), podsHang, deleted(10))},
		{Name: "reading the Pod is never answered, watch and PATCH are, and the Pod is deleted with a grace period of 10 min", Want: timedOut, Exit: 1, Within: 381 * time.Second,
			Play: play(func(h *harness) { h.Grace(600) }, runs(10*time.Second), podsHang, deleted(600))},
		{Name: "reading the Pod is never answered, watch and PATCH are, the Pod is deleted, and the adapter crashes", Want: crashed, Exit: 1, Within: 41 * time.Second,
			Play: play(runs(10*time.Second), podsHang, deleted(30), pause(time.Second), (*harness).Crash)},
		{Name: "reading the Pod is never answered, watch and PATCH are, and SIGTERM", Want: interruptedBy(contract.Unknown, "the reporter received SIGTERM"), Exit: 143, Within: 41 * time.Second,
			Play: play(runs(10*time.Second), podsHang, (*harness).StopSidecar)},
		{Name: "reading the Pod is never answered, watch and PATCH are, and half a file stays when the Pod is deleted", Want: invalidHalf, Exit: 1, Within: 41 * time.Second,
			Play: play(runs(10*time.Second), podsHang, writes(halfFile), deleted(30))},
		{Name: "reading the Job is never answered, watch and PATCH are, and the Pod is deleted", Want: deletion, Exit: 143, Within: 41 * time.Second,
			Play: play(runs(10*time.Second), jobsHang, deleted(30))},
		{Name: "reading the Job is never answered, watch and PATCH are, the Pod is deleted, and the adapter crashes", Want: crashed, Exit: 1, Within: 41 * time.Second,
			Play: play(runs(10*time.Second), jobsHang, deleted(30), pause(time.Second), (*harness).Crash)},
		{Name: "reading the Job is never answered, the Pod is deleted, and another Pod has succeeded meanwhile", Want: replaced, Exit: 3, Within: 41 * time.Second,
			Play: play(runs(10*time.Second), jobsHang, anotherSucceeds, deleted(30))},
		{Name: "reading the Pod is never answered, watch and PATCH are, and nothing comes in time", Want: timedOut, Exit: 1, Within: 375 * time.Second,
			Play: play(runs(10*time.Second), podsHang)},
		{Name: "reading the Pod is answered 500 for good, watch and PATCH work, and nothing comes in time", Want: timedOut, Exit: 1, Within: 375 * time.Second,
			Play: play(runs(10*time.Second), faults(podReads, broken.Forever()))},
		{Name: "reading the Pod is never answered, watch and PATCH are, and the adapter crashes", Want: crashed, Exit: 1, Within: 11 * time.Second,
			Play: play(runs(10*time.Second), podsHang, (*harness).Crash)},
		{Name: "reading the Pod is never answered, watch and PATCH are, and half a file stays", Want: invalidHalf, Exit: 1, Within: 100 * time.Second,
			Play: play(runs(10*time.Second), podsHang, writes(halfFile))},
		{Name: "reading the Job is answered 500 for good, the Pod is deleted, and the adapter crashes", Want: crashed, Exit: 1, Within: 38 * time.Second,
			Play: play(runs(10*time.Second), jobsFail, deleted(30), pause(time.Second), (*harness).Crash)},
		{Name: "reading the Job is answered 500 for good, the Pod is deleted, and the adapter writes a failure", Exit: 0, Within: 40 * time.Second,
			Want: contract.Outcome{Status: contract.False, Reason: "Cancelled", Message: "No message provided"},
			Play: play(runs(10*time.Second), jobsFail, deleted(30), pause(time.Second), writesFailure)},
		{Name: "reading the Job is answered 500 for good, the Pod is deleted, and nothing more", Want: interruptedBy(contract.Unknown, "the Pod is being deleted"), Exit: 143, Within: 41 * time.Second,
			Play: play(runs(10*time.Second), jobsFail, deleted(30))},
		{Name: "reading the Job is answered 500 for good, and the adapter succeeds", Want: good, Within: 13 * time.Second,
			Play: play(runs(10*time.Second), jobsFail, (*harness).Finish)},
		{Name: "POD_NAME is wrong, SIGTERM, and there is no other try", Want: interruptedBy(contract.False, "the reporter received SIGTERM"), Exit: 1, Within: 36 * time.Second,
			Play: play(misnamed, lastTry, runs(10*time.Second), (*harness).StopSidecar)},
		{Name: "POD_NAME is wrong, SIGTERM, and there is another try", Want: interruptedBy(contract.Unknown, "the reporter received SIGTERM"), Exit: 143, Within: 36 * time.Second,
			Play: play(misnamed, runs(10*time.Second), (*harness).StopSidecar)},
		{Name: "POD_NAME is wrong, and all tries but this have failed", Want: interruptedBy(contract.False, "the reporter received SIGTERM"), Exit: 1, Within: 36 * time.Second,
			Play: play(misnamed, func(h *harness) {
				h.Server.UpdateJob(namespace, jobName, func(j *batchv1.Job) { j.Status.Failed = *j.Spec.BackoffLimit })
			}, runs(10*time.Second), (*harness).StopSidecar)},
		{Name: "etcd is restored: versions begin anew, the watch is silent, and the adapter crashes", Want: crashed, Exit: 1, Within: 302 * time.Second,
			Play: play(runs(10*time.Second), restored, pause(2*time.Second), (*harness).Crash)},
		{Name: "etcd is restored, the watch cannot be resumed, and the adapter crashes", Want: crashed, Exit: 1, Within: 302 * time.Second,
			Play: play(runs(10*time.Second), restored, func(h *harness) { h.Server.Compact(); h.Server.CloseWatches() }, pause(2*time.Second), (*harness).Crash)},
		{Name: "the last try under a podFailurePolicy that ignores disruptions, and the Pod is deleted", Want: interruptedBy(contract.False, "the Pod is being deleted"), Exit: 1, Within: 36 * time.Second,
			Play: play(lastTry, ignoresDisruptions, runs(10*time.Second), deleted(30))},
		{Name: "the last try under a podFailurePolicy that ignores disruptions, and the node is drained", Exit: 143, Within: 36 * time.Second,
			Want: interruptedBy(contract.Unknown, "EvictionByEvictionAPI: node drain; the Pod is being deleted"),
			Play: play(lastTry, ignoresDisruptions, runs(10*time.Second), drained, deleted(30))},
		{Name: "a podFailurePolicy that fails the Job for 143 and 137, and the Pod is deleted", Want: interruptedBy(contract.False, "the Pod is being deleted"), Exit: 1, Within: 36 * time.Second,
			Play: play(failsForSignals, runs(10*time.Second), deleted(30))},
		{Name: "a podFailurePolicy that fails the Job for 3, and the Pod is deleted", Want: interruptedBy(contract.Unknown, "the Pod is being deleted"), Exit: 143, Within: 36 * time.Second,
			Play: play(func(h *harness) { failsFor(h, 3) }, runs(10*time.Second), deleted(30))},
	}
}

func misnamed(h *harness) { h.Env["POD_NAME"] = "another" }

func drained(h *harness) {
	h.UpdatePod(func(pod *corev1.Pod) {
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue,
			Reason: "EvictionByEvictionAPI", Message: "node drain"})
	})
}

func failsForSignals(h *harness) { failsFor(h, 137, 143) }

func failsFor(h *harness, codes ...int32) {
	h.Server.UpdateJob(namespace, jobName, func(j *batchv1.Job) {
		j.Spec.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
			Action:      batchv1.PodFailurePolicyActionFailJob,
			OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: codes},
		}}}
	})
}

// restored has etcd begin anew with lower versions: what a watch or a cache had was
// of versions that are far ahead.
func restored(h *harness) {
	h.UpdatePod(func(pod *corev1.Pod) {})
	ahead := h.Server.Pod(namespace, podName)
	ahead.ResourceVersion = "100000"
	h.Server.SendEvent(program.WatchEvent(h.T, ahead))
}

// TestWithdrawnReportIsForgotten: what is not to be reported any more leaves nothing in
// the termination message, which may be all that is left.
func TestWithdrawnReportIsForgotten(t *testing.T) {
	program.Bubble(t, func(h *harness) {
		play(runs(10*time.Second), faults(patches, unavailable.Forever()), writes(halfFile), tried, pause(time.Second))(h)
		if text := h.TerminationMessage(); !strings.Contains(text, "not delivered yet") {
			t.Errorf("the report that is pending is not told: %s", text)
		}
		h.RemoveFile()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if text := h.TerminationMessage(); text != "" {
			t.Errorf("a report that is not to be made any more is told still: %s", text)
		}
		h.Server.ClearFaults()
		h.Crash()
		h.End(reporter.ExitFault)
		if text := h.TerminationMessage(); !strings.Contains(text, `"msg":"reported"`) || strings.Contains(text, "InvalidResultFormat") {
			t.Errorf("the termination message is %s, want that of the crash", text)
		}
	})
}

func TestWithdrawnFaults(t *testing.T)  { program.PlayStories(t, withdrawnFaults()) }
func TestSupersededFaults(t *testing.T) { program.PlayStories(t, supersededFaults()) }
func TestReadingFaults(t *testing.T)    { program.PlayStories(t, readingFaults()) }
