package main

import (
	"os"
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
)

var (
	unavailable = kubetest.Status(503, metav1.StatusReasonServiceUnavailable, "not now")
	broken      = kubetest.Status(500, metav1.StatusReasonInternalError, "broken")
	twoHours    = map[string]string{"MAX_WAIT_TIME_SECONDS": "7200"}
)

func (h *harness) removeFile() {
	if err := os.Remove(h.path); err != nil {
		h.t.Fatal(err)
	}
}

func down(h *harness) { h.server.Down() }
func up(h *harness)   { h.server.Up() }

func faults(match kubetest.Match, faults ...kubetest.Fault) func(h *harness) {
	return func(h *harness) { h.server.Fault(match, faults...) }
}

func badly(h *harness) { h.badly() }

// tried waits until a report has been sent, whatever becomes of it.
func tried(h *harness) {
	h.await("an attempt", func() bool { return len(h.server.Requests(patches)) > 0 })
}

func slowed(d time.Duration) func(h *harness) {
	return faults(anything, kubetest.Proceed().After(d).Forever())
}

// withdrawnFaults are verdicts that come and go before they are delivered: each new
// one has time, requests and words of its own.
func withdrawnFaults() []story {
	atIt := writes(goodFile[:len(goodFile)/2])
	return []story{
		{name: "half a file settles, its PATCH is answered badly, the file is taken away, and a result comes 35 min later", env: twoHours, want: good, badly: patches,
			play: play(runs(10*time.Second), writes(halfFile), badly, tried, (*harness).removeFile, pause(35*time.Minute), (*harness).finish)},
		{name: "half a file settles, its PATCH is answered badly, the adapter begins anew, and its result comes 35 min later", env: twoHours, want: good, badly: patches,
			play: play(runs(10*time.Second), writes(halfFile), badly, tried, (*harness).removeFile, pause(35*time.Minute), atIt, pause(time.Second), (*harness).finish)},
		{name: "half a file settles, the Job's reading for it is answered badly, the file is taken away, and a result comes 35 min later", env: twoHours, want: good, badly: jobReads,
			play: play(runs(19*time.Second), writes(halfFile), badly, pause(10500*time.Millisecond), (*harness).removeFile, pause(35*time.Minute), (*harness).finish)},
		{name: "a grace period of 2 h, the Pod's reading at SIGTERM is answered badly, and a result comes 40 min later", env: twoHours, want: good, badly: podReads,
			play: play(func(h *harness) { h.grace(7200) }, runs(10*time.Second), badly, (*harness).sigterm2, pause(3*time.Second), func(h *harness) { h.delete(7200) }, pause(40*time.Minute), (*harness).finish)},
		{name: "a grace period of 2 h, the API server is away for 3 s at SIGTERM, and a result comes 40 min later", env: twoHours, want: good,
			play: play(func(h *harness) { h.grace(7200) }, runs(10*time.Second), down, (*harness).sigterm2, pause(3*time.Second), up, pause(time.Second), func(h *harness) { h.delete(7200) }, pause(40*time.Minute), (*harness).finish)},
		{name: "a grace period of 2 h, and the interim report cannot be delivered for 31 min, then a result", env: twoHours, want: good,
			play: play(func(h *harness) { h.grace(7200) }, runs(10*time.Second), deleted(7200), pause(20*time.Second), down, pause(35*time.Minute), up, pause(20*time.Second), (*harness).finish)},
		{name: "answers take 2 s, half a file settles, and the adapter goes on while the Job is read for it", want: good, env: map[string]string{"POLL_INTERVAL_SECONDS": "1"},
			play: play(runs(10*time.Second), writes(halfFile), pause(9*time.Second), slowed(2*time.Second), func(h *harness) {
				h.await("the Job's reading", func() bool { return len(h.server.Requests(jobReads)) > 1 })
			}, pause(time.Second), atIt, pause(2*time.Second), (*harness).finish)},
		{name: "answers take 2 s, the time is up, and the kill for its memory is told while the Job is read for it", want: oom, exit: 1,
			play: play(runs(299*time.Second), slowed(2*time.Second), pause(3500*time.Millisecond), endsWith(137, "OOMKilled"))},
		{name: "answers take 2 s, the time is up, and a result is there while the Job is read for it", want: good, env: map[string]string{"POLL_INTERVAL_SECONDS": "1"},
			play: play(runs(299*time.Second), slowed(2*time.Second), pause(3500*time.Millisecond), (*harness).finish)},
		{name: "a fault is answered 429 with Retry-After 20, and a result overtakes it", want: good, atLeast: 40 * time.Second, within: 46 * time.Second, most: 6,
			play: play(runs(10*time.Second), faults(patches, kubetest.Status(429, metav1.StatusReasonTooManyRequests, "slow down").Header("Retry-After", "20")),
				writes(halfFile), tried, pause(time.Second), (*harness).finish)},
		{name: "a crash is answered 503 with Retry-After 20, and a result overtakes it", want: good, atLeast: 30 * time.Second, within: 36 * time.Second, most: 6,
			play: play(runs(10*time.Second), faults(patches, unavailable.Header("Retry-After", "20")), (*harness).crash, tried, pause(time.Second), (*harness).finish)},
	}
}

// ownFailure is one that the adapter has called as the reporter calls an interruption.
var ownFailure = contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterInterrupted, Message: "by the user"}

func writesInterrupted(h *harness) {
	h.write(`{"status":"failure","reason":"AdapterInterrupted","message":"by the user"}`)
}

// debugCopy takes the Pod its owner, as `kubectl debug --copy-to` does, which keeps
// its environment.
func debugCopy(h *harness) {
	h.updatePod(func(pod *corev1.Pod) { pod.OwnerReferences, pod.Labels, pod.Finalizers = nil, nil, nil })
}

// supersededFaults are reports that meet another Pod's: what says more stands.
func supersededFaults() []story {
	interrupted := func(name string, match kubetest.Match) story {
		return story{name: "another Pod's success stands, SIGTERM, and " + name + " is answered badly once", badly: match, want: replaced, exit: 143,
			play: play(anotherSucceeds, runs(10*time.Second), badly, deleted(30))}
	}
	stories := []story{
		interrupted("the Job's reading", jobReads),
		interrupted("the Pod's reading", podReads),
		{name: "another Pod's success stands, the Pod is deleted by force, and the Job's reading is answered badly once", badly: jobReads, want: replaced, exit: 143,
			play: play(anotherSucceeds, runs(10*time.Second), badly, func(h *harness) { h.server.DeletePod(namespace, podName) })},
		{name: "the Pod is deleted, its replacement succeeds, its adapter writes a failure, and the Job's reading is answered badly once", badly: jobReads, want: replaced, exit: 143,
			play: outlived(func(h *harness) { h.badly(); writesFailure(h) })},
		{name: "the Pod is deleted, its replacement succeeds, its adapter crashes, and the Job's reading is answered badly once", badly: jobReads, want: replaced, exit: 143,
			play: outlived(func(h *harness) { h.badly(); h.crash() })},
		{name: "the Pod is deleted, its replacement succeeds, its adapter crashes, and the Pod's reading is answered badly once", badly: podReads, want: replaced, exit: 143,
			play: outlived(func(h *harness) { h.badly(); h.crash() })},
		{name: "the Pod is deleted, its replacement succeeds, its adapter writes a failure, and the PATCH is answered badly once", badly: patches, want: replaced, exit: 143,
			play: outlived(func(h *harness) { h.badly(); writesFailure(h) })},
		{name: "a crash, an outage of 70 s in which the Pod is deleted and its replacement succeeds, and the Job's reading is answered badly once", badly: jobReads, want: replaced, exit: 143,
			play: play(runs(10*time.Second), faults(jobReads, unavailable), (*harness).crash, func(*harness) { synctest.Wait() }, down, pause(70*time.Second), func(h *harness) { h.delete(300) },
				anotherSucceeds, badly, up)},
		{name: "a failure, an outage of 70 s in which the Pod is deleted and its replacement succeeds, and the Pod's reading is answered badly once", badly: podReads, want: replaced, exit: 143,
			play: play(runs(10*time.Second), down, pause(70*time.Second), writesFailure, func(h *harness) { h.delete(300) }, anotherSucceeds, badly, up)},
		{name: "an outage of a minute in which the Pod is deleted and its replacement succeeds, and a failure before the watch is back", want: replaced, exit: 143,
			play: play(runs(10*time.Second), down, pause(time.Minute), func(h *harness) { h.delete(300) }, anotherSucceeds, writesFailure, pause(1900*time.Millisecond), up)},
		{name: "an outage of a minute in which the Pod is removed and its replacement succeeds, and a crash before it", want: replaced, exit: 143,
			play: play(runs(10*time.Second), (*harness).crash2, down, pause(time.Minute), anotherSucceeds, func(h *harness) { h.server.DeletePod(namespace, podName) }, up)},
		{name: "a crash, and in an outage of 10 s the Pod is deleted and its replacement succeeds, and the Pod's reading is answered badly once", badly: podReads, want: replaced, exit: 143,
			play: cutOff(func(h *harness) { h.badly(); h.crash() })},
		{name: "a failure, and in an outage of 10 s the Pod is deleted and its replacement succeeds, and the Pod's reading is answered badly once", badly: podReads, want: replaced, exit: 143,
			play: cutOff(func(h *harness) { h.badly(); writesFailure(h) })},
		{name: "a failure that calls itself AdapterInterrupted, on a Job that another Pod has reported on, and the PATCH is answered badly once", badly: patches, want: ownFailure,
			play: play(runs(10*time.Second), anotherSucceeds, badly, writesInterrupted)},
		{name: "a failure that calls itself AdapterInterrupted, on a Job that another Pod has reported on, and the Job's reading is answered badly once", badly: jobReads, want: ownFailure,
			play: play(runs(10*time.Second), anotherSucceeds, badly, writesInterrupted)},
		{name: "a failure that calls itself AdapterInterrupted in a Pod that is being deleted, and another Pod's success stands", want: replaced, exit: 143,
			play: outlived(writesInterrupted)},
		{name: "a copy for debugging crashes, and the Job's own success stands", want: replaced, exit: 143, play: play(debugCopy, anotherSucceeds, runs(10*time.Second), (*harness).crash)},
		{name: "a copy for debugging writes a failure, and the Job's own success stands", want: replaced, exit: 143, play: play(debugCopy, anotherSucceeds, runs(10*time.Second), writesFailure)},
		{name: "a copy for debugging leaves half a file, and the Job's own success stands", want: replaced, exit: 143, play: play(debugCopy, anotherSucceeds, runs(10*time.Second), writes(halfFile))},
		{name: "a copy for debugging hangs, and the Job's own success stands", want: replaced, exit: 143, play: play(debugCopy, anotherSucceeds, runs(10*time.Second))},
		{name: "a copy for debugging succeeds", want: good, play: play(debugCopy, anotherSucceeds, runs(10*time.Second), (*harness).finish)},
		{name: "a Pod of another Job's crashes, and the success of the Job that it is told of stands", want: replaced, exit: 143, play: play(func(h *harness) {
			h.updatePod(func(pod *corev1.Pod) { pod.OwnerReferences[0].Name, pod.OwnerReferences[0].UID = "another", "another" })
		}, anotherSucceeds, runs(10*time.Second), (*harness).crash)},
		{name: "a failure stands by another Pod, and the adapter succeeds", want: good, play: play(anotherFails, runs(10*time.Second), (*harness).finish)},
		{name: "a failure stands by another Pod, and the adapter crashes", want: crashed, exit: 1, play: play(anotherFails, runs(10*time.Second), (*harness).crash)},
	}
	return stories
}

// crash2 ends the adapter, which nobody is told of before the outage.
func (h *harness) crash2() {
	h.server.BreakWatches()
	h.crash()
}

func anotherFails(h *harness) {
	h.server.UpdateJob(namespace, jobName, func(j *batchv1.Job) {
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
		{name: "reading the Pod is never answered, watch and PATCH are, and the Pod is deleted", want: deletion, exit: 143, within: 41 * time.Second,
			play: play(runs(10*time.Second), podsHang, deleted(30))},
		{name: "reading the Pod is never answered, watch and PATCH are, and the Pod is deleted with a grace period of 10 s", want: deletion, exit: 143, within: 21 * time.Second,
			play: play(func(h *harness) { h.grace(10) }, runs(10*time.Second), podsHang, deleted(10))},
		{name: "reading the Pod is never answered, watch and PATCH are, and the Pod is deleted with a grace period of 10 min", want: timedOut, exit: 1, within: 381 * time.Second,
			play: play(func(h *harness) { h.grace(600) }, runs(10*time.Second), podsHang, deleted(600))},
		{name: "reading the Pod is never answered, watch and PATCH are, the Pod is deleted, and the adapter crashes", want: crashed, exit: 1, within: 41 * time.Second,
			play: play(runs(10*time.Second), podsHang, deleted(30), pause(time.Second), (*harness).crash)},
		{name: "reading the Pod is never answered, watch and PATCH are, and SIGTERM", want: interruptedBy(contract.Unknown, "the reporter received SIGTERM"), exit: 143, within: 41 * time.Second,
			play: play(runs(10*time.Second), podsHang, (*harness).sigterm2)},
		{name: "reading the Pod is never answered, watch and PATCH are, and half a file stays when the Pod is deleted", want: invalidHalf, exit: 1, within: 41 * time.Second,
			play: play(runs(10*time.Second), podsHang, writes(halfFile), deleted(30))},
		{name: "reading the Job is never answered, watch and PATCH are, and the Pod is deleted", want: deletion, exit: 143, within: 41 * time.Second,
			play: play(runs(10*time.Second), jobsHang, deleted(30))},
		{name: "reading the Job is never answered, watch and PATCH are, the Pod is deleted, and the adapter crashes", want: crashed, exit: 1, within: 41 * time.Second,
			play: play(runs(10*time.Second), jobsHang, deleted(30), pause(time.Second), (*harness).crash)},
		{name: "reading the Job is never answered, the Pod is deleted, and another Pod has succeeded meanwhile", want: replaced, exit: 3, within: 41 * time.Second,
			play: play(runs(10*time.Second), jobsHang, anotherSucceeds, deleted(30))},
		{name: "reading the Pod is never answered, watch and PATCH are, and nothing comes in time", want: timedOut, exit: 1, within: 375 * time.Second,
			play: play(runs(10*time.Second), podsHang)},
		{name: "reading the Pod is answered 500 for good, watch and PATCH work, and nothing comes in time", want: timedOut, exit: 1, within: 375 * time.Second,
			play: play(runs(10*time.Second), faults(podReads, broken.Forever()))},
		{name: "reading the Pod is never answered, watch and PATCH are, and the adapter crashes", want: crashed, exit: 1, within: 11 * time.Second,
			play: play(runs(10*time.Second), podsHang, (*harness).crash)},
		{name: "reading the Pod is never answered, watch and PATCH are, and half a file stays", want: invalidHalf, exit: 1, within: 100 * time.Second,
			play: play(runs(10*time.Second), podsHang, writes(halfFile))},
		{name: "reading the Job is answered 500 for good, the Pod is deleted, and the adapter crashes", want: crashed, exit: 1, within: 38 * time.Second,
			play: play(runs(10*time.Second), jobsFail, deleted(30), pause(time.Second), (*harness).crash)},
		{name: "reading the Job is answered 500 for good, the Pod is deleted, and the adapter writes a failure", exit: 0, within: 40 * time.Second,
			want: contract.Outcome{Status: contract.False, Reason: "Cancelled", Message: "No message provided"},
			play: play(runs(10*time.Second), jobsFail, deleted(30), pause(time.Second), writesFailure)},
		{name: "reading the Job is answered 500 for good, the Pod is deleted, and nothing more", want: interruptedBy(contract.Unknown, "the Pod is being deleted"), exit: 143, within: 41 * time.Second,
			play: play(runs(10*time.Second), jobsFail, deleted(30))},
		{name: "reading the Job is answered 500 for good, and the adapter succeeds", want: good, within: 13 * time.Second,
			play: play(runs(10*time.Second), jobsFail, (*harness).finish)},
		{name: "POD_NAME is wrong, SIGTERM, and there is no other try", want: interruptedBy(contract.False, "the reporter received SIGTERM"), exit: 1, within: 36 * time.Second,
			play: play(misnamed, lastTry, runs(10*time.Second), (*harness).sigterm2)},
		{name: "POD_NAME is wrong, SIGTERM, and there is another try", want: interruptedBy(contract.Unknown, "the reporter received SIGTERM"), exit: 143, within: 36 * time.Second,
			play: play(misnamed, runs(10*time.Second), (*harness).sigterm2)},
		{name: "POD_NAME is wrong, and all tries but this have failed", want: interruptedBy(contract.False, "the reporter received SIGTERM"), exit: 1, within: 36 * time.Second,
			play: play(misnamed, func(h *harness) {
				h.server.UpdateJob(namespace, jobName, func(j *batchv1.Job) { j.Status.Failed = *j.Spec.BackoffLimit })
			}, runs(10*time.Second), (*harness).sigterm2)},
		{name: "etcd is restored: versions begin anew, the watch is silent, and the adapter crashes", want: crashed, exit: 1, within: 302 * time.Second,
			play: play(runs(10*time.Second), restored, pause(2*time.Second), (*harness).crash)},
		{name: "etcd is restored, the watch cannot be resumed, and the adapter crashes", want: crashed, exit: 1, within: 302 * time.Second,
			play: play(runs(10*time.Second), restored, func(h *harness) { h.server.Compact(); h.server.CloseWatches() }, pause(2*time.Second), (*harness).crash)},
		{name: "the last try under a podFailurePolicy that ignores disruptions, and the Pod is deleted", want: interruptedBy(contract.False, "the Pod is being deleted"), exit: 1, within: 36 * time.Second,
			play: play(lastTry, ignoresDisruptions, runs(10*time.Second), deleted(30))},
		{name: "the last try under a podFailurePolicy that ignores disruptions, and the node is drained", exit: 143, within: 36 * time.Second,
			want: interruptedBy(contract.Unknown, "EvictionByEvictionAPI: node drain; the Pod is being deleted"),
			play: play(lastTry, ignoresDisruptions, runs(10*time.Second), drained, deleted(30))},
		{name: "a podFailurePolicy that fails the Job for 143 and 137, and the Pod is deleted", want: interruptedBy(contract.False, "the Pod is being deleted"), exit: 1, within: 36 * time.Second,
			play: play(failsForSignals, runs(10*time.Second), deleted(30))},
		{name: "a podFailurePolicy that fails the Job for 3, and the Pod is deleted", want: interruptedBy(contract.Unknown, "the Pod is being deleted"), exit: 143, within: 36 * time.Second,
			play: play(func(h *harness) { failsFor(h, 3) }, runs(10*time.Second), deleted(30))},
	}
}

func misnamed(h *harness) { h.env["POD_NAME"] = "another" }

func drained(h *harness) {
	h.updatePod(func(pod *corev1.Pod) {
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue,
			Reason: "EvictionByEvictionAPI", Message: "node drain"})
	})
}

func failsForSignals(h *harness) { failsFor(h, 137, 143) }

func failsFor(h *harness, codes ...int32) {
	h.server.UpdateJob(namespace, jobName, func(j *batchv1.Job) {
		j.Spec.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
			Action:      batchv1.PodFailurePolicyActionFailJob,
			OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: codes},
		}}}
	})
}

// restored has etcd begin anew with lower versions: what a watch or a cache had was
// of versions that are far ahead.
func restored(h *harness) {
	h.updatePod(func(pod *corev1.Pod) {})
	ahead := h.server.Pod(namespace, podName)
	ahead.ResourceVersion = "100000"
	h.server.SendEvent(watchEvent(h.t, ahead))
}

// TestWithdrawnReportIsForgotten: what is not to be reported any more leaves nothing in
// the termination message, which may be all that is left.
func TestWithdrawnReportIsForgotten(t *testing.T) {
	bubble(t, func(h *harness) {
		play(runs(10*time.Second), faults(patches, unavailable.Forever()), writes(halfFile), tried, pause(time.Second))(h)
		if text := h.terminationMessage(); !strings.Contains(text, "not delivered yet") {
			t.Errorf("the report that is pending is not told: %s", text)
		}
		h.removeFile()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if text := h.terminationMessage(); text != "" {
			t.Errorf("a report that is not to be made any more is told still: %s", text)
		}
		h.server.ClearFaults()
		h.crash()
		h.end(reporter.ExitFault)
		if text := h.terminationMessage(); !strings.Contains(text, `"msg":"reported"`) || strings.Contains(text, "InvalidResultFormat") {
			t.Errorf("the termination message is %s, want that of the crash", text)
		}
	})
}

func TestWithdrawnFaults(t *testing.T)  { playStories(t, withdrawnFaults()) }
func TestSupersededFaults(t *testing.T) { playStories(t, supersededFaults()) }
func TestReadingFaults(t *testing.T)    { playStories(t, readingFaults()) }
