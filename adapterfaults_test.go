package main

import (
	"os"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/internal/reporter"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// oldCrashFaults are crashes of long ago, of an adapter that has run since.
func oldCrashFaults() []story {
	day := map[string]string{"MAX_WAIT_TIME_SECONDS": "86400"}
	once := play((*harness).onFailure, runs(10*time.Second), (*harness).crash, pause(time.Second), (*harness).restart)
	drained := interruptedBy(contract.Unknown, "the Pod is being deleted")
	earlier := timedOut
	earlier.Message += "; an earlier run of the adapter exited with code 1: Error"
	return []story{
		{name: "OnFailure: a crash, an hour's run, and the Pod is deleted", env: day, want: drained, exit: 0, play: play(once, pause(time.Hour), deleted(30))},
		{name: "OnFailure: a crash, an hour's run, and the Pod is deleted on the last try", env: day, want: interruptedBy(contract.False, "the Pod is being deleted"), exit: 0,
			play: play(lastTry, once, pause(time.Hour), deleted(30))},
		{name: "OnFailure: a crash, an hour's run, and the node shuts down", env: day, want: interruptedBy(contract.Unknown, "the reporter received SIGTERM"), exit: 0, play: play(once, pause(time.Hour), (*harness).sigterm2)},
		{name: "OnFailure: a crash, an hour's run, and the Pod is deleted by force", env: day, want: interruptedBy(contract.Unknown, "the Pod is gone"), exit: 0,
			play: play(once, pause(time.Hour), func(h *harness) { h.server.DeletePod(namespace, podName) })},
		{name: "OnFailure: a crash, an hour's run, and no watch tells of the deletion", env: day, want: drained, exit: 0, play: play(without("watch pods"), once, pause(time.Hour), deleted(30))},
		{name: "OnFailure: a crash, and the next run hangs", want: earlier, exit: 0, within: 301 * time.Second, play: once},
		{name: "OnFailure: a crash, 10 s of the next run, and the Pod is deleted", want: crashed, exit: 0, within: 60 * time.Second,
			play: play(once, pause(10*time.Second), deleted(30))},
		{name: "OnFailure: a crash, an hour's run, and then it loops", env: day, want: crashed, exit: 0, play: play(once, pause(time.Hour), (*harness).crash, (*harness).backOff, pause(time.Second), deleted(30))},
		{name: "an empty file from the start, and the Pod is deleted", want: drained, exit: 143, within: 36 * time.Second, play: play(writes(""), runs(10*time.Second), deleted(30))},
		{name: "an empty file from the start, and the Pod is deleted on the last try", want: interruptedBy(contract.False, "the Pod is being deleted"), exit: 1, within: 36 * time.Second,
			play: play(lastTry, writes(""), runs(10*time.Second), deleted(30))},
		{name: "a file of spaces, and the Pod is deleted", want: drained, exit: 143, within: 36 * time.Second, play: play(writes(" \n"), runs(10*time.Second), deleted(30))},
		{name: "an empty file from the start, and the adapter ends well", want: contract.Outcome{Status: contract.False, Reason: contract.ReasonInvalidResultFormat,
			Message: "Failed to parse adapter result: empty"}, exit: 1, within: 11 * time.Second, play: play(writes(""), runs(10*time.Second), endsWith(0, "Completed"))},
	}
}

// initFaults are adapters that never start.
func initFaults() []story {
	setup := func(state corev1.ContainerState) func(h *harness) {
		return func(h *harness) {
			h.nativeSidecar()
			h.updatePod(func(pod *corev1.Pod) {
				pod.Spec.InitContainers = append(pod.Spec.InitContainers, corev1.Container{Name: "setup", Image: "setup"})
				pod.Status.Phase = corev1.PodPending
				pod.Status.InitContainerStatuses = append(pod.Status.InitContainerStatuses, corev1.ContainerStatus{Name: "setup", State: state})
				adapterStatus(pod).State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"}}
			})
		}
	}
	fails := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", Message: `release "base" not found`, ContainerID: "containerd://setup"}}
	pulls := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"}}
	return []story{
		{name: "an init container before the adapter fails, and the native sidecar is told to stop", exit: 143, within: 41 * time.Second,
			want: interruptedBy(contract.Unknown, `init container setup exited with code 1: Error: release "base" not found`), play: play(setup(fails), runs(10*time.Second), (*harness).sigterm2)},
		{name: "an init container before the adapter fails on the last try, and the Pod is Failed", exit: 1, within: 13 * time.Second,
			want: interruptedBy(contract.False, `init container setup exited with code 1: Error: release "base" not found`), play: play(lastTry, setup(fails), runs(10*time.Second),
				(*harness).sigterm2, func(h *harness) { h.updatePod(func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodFailed }) })},
		{name: "an init container's image cannot be pulled, and nothing comes in time", exit: 1, within: 320 * time.Second,
			want: contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterTimeout, Message: timedOut.Message +
				" (container is waiting: PodInitializing; init container setup: ImagePullBackOff: no such image)"},
			play: play(setup(pulls), runs(310*time.Second), (*harness).sigterm2)},
	}
}

// sidecarAgain starts the reporter again as the kubelet does with a native sidecar:
// what its last run has left in the termination message stands in its status.
func (h *harness) sidecarAgain() {
	last := h.terminationMessage()
	h.updatePod(func(pod *corev1.Pod) {
		s := statusOf(pod, "status-reporter")
		endRun(s, 0, "Completed", last)
		beginRun(s)
	})
	h.put(h.last, "")
	h.signals = make(chan os.Signal, 1)
	h.start()
}

// sidecarRestarts are native sidecars that the kubelet starts again, of its own
// account, while the adapter runs on: the first result of a run stands.
func sidecarRestarts() []story {
	first := play((*harness).nativeSidecar, runs(10*time.Second), (*harness).finish, func(h *harness) {
		h.awaitReport()
		h.sigterm() // ends the first run; of the second nobody has told it to stop
		if code, _ := h.wait(); code != reporter.ExitReported {
			h.t.Errorf("exit code %d of the first run", code)
		}
	})
	over := play(pause(2*time.Second), (*harness).sigterm2)
	remove := (*harness).removeFile
	return []story{
		{name: "a native sidecar is started again after its report, and the adapter has tidied up and crashes", want: good, play: play(first, remove, (*harness).sidecarAgain, pause(10*time.Second), (*harness).crash, over)},
		{name: "a native sidecar is started again after its report, and the adapter has tidied up and ends well", want: good,
			play: play(first, remove, (*harness).sidecarAgain, pause(10*time.Second), endsWith(0, "Completed"), over)},
		{name: "a native sidecar is started again after its report, and the adapter has tidied up and works on past the deadline", want: good,
			play: play(first, remove, (*harness).sidecarAgain, pause(400*time.Second), over)},
		{name: "a native sidecar is started again after its report, and the adapter writes a failure", want: good, play: play(first, remove, (*harness).sidecarAgain, pause(10*time.Second), writesFailure, over)},
		{name: "a native sidecar is started again after its report, and the adapter has changed its file to a failure", want: good, play: play(first, writesFailure, (*harness).sidecarAgain, pause(10*time.Second), over)},
		{name: "a native sidecar is started again after its report, and the Pod is deleted", want: good, play: play(first, remove, (*harness).sidecarAgain, pause(10*time.Second), func(h *harness) { h.delete(30) }, over)},
		{name: "a native sidecar is started again after its report, and the Role has no watch", want: good,
			play: play(without("watch pods"), first, remove, (*harness).sidecarAgain, pause(10*time.Second), (*harness).crash, over)},
		{name: "OnFailure: a native sidecar is started again after its report, then the adapter, which writes a failure", exit: 0,
			want: contract.Outcome{Status: contract.False, Reason: "Cancelled", Message: "No message provided"},
			play: play((*harness).onFailure, first, remove, (*harness).crash, pause(time.Second), (*harness).restart, (*harness).sidecarAgain, pause(10*time.Second), writesFailure, over)},
		{name: "a native sidecar with a grace period of 90 s: the adapter ends well in an outage of a minute", want: good, within: 101 * time.Second,
			play: play((*harness).nativeSidecar, func(h *harness) { h.grace(90) }, runs(10*time.Second), down, (*harness).finish, pause(3*time.Second), endsWith(0, "Completed"), (*harness).sigterm2,
				pause(57*time.Second), up)},
		{name: "a native sidecar with a grace period of 90 s: the adapter crashes in an outage of a minute", want: crashed, exit: 1, within: 105 * time.Second,
			play: play((*harness).nativeSidecar, func(h *harness) { h.grace(90) }, runs(10*time.Second), down, (*harness).crash, (*harness).sigterm2, pause(60*time.Second), up)},
		{name: "a second container: the adapter ends well in an outage of a minute", want: good, within: 90 * time.Second,
			play: play(runs(10*time.Second), down, (*harness).finish, pause(3*time.Second), endsWith(0, "Completed"), pause(57*time.Second), up)},
	}
}

// settingFaults are settings that are wrong, or at their limits.
func settingFaults() []story {
	wrong := map[string]string{"MAX_WAIT_TIME_SECONDS": "soon"}
	misconfigured := contract.Outcome{Status: contract.False, Reason: contract.ReasonReporterMisconfigured,
		Message: `MAX_WAIT_TIME_SECONDS: must be a whole number of seconds, is "soon"`}
	start := func(h *harness) { h.start() }
	stories := []story{
		{name: "a setting is wrong", env: wrong, want: misconfigured, exit: reporter.ExitMisconfigured, within: 6 * time.Second, play: start},
		{name: "a setting is wrong, and the API server is away for 20 s", env: wrong, want: misconfigured, exit: reporter.ExitMisconfigured, within: 31 * time.Second,
			play: play(down, start, pause(20*time.Second), up)},
		{name: "a setting is wrong, and the API server is away for good", env: wrong, want: nothing, exit: reporter.ExitMisconfigured, within: 31 * time.Second, play: play(down, start)},
		{name: "a setting is wrong, the PATCH is answered 503 for good, and SIGTERM with a grace period of 10 s", env: wrong, want: nothing, exit: reporter.ExitMisconfigured, within: 14 * time.Second,
			play: play(faults(patches, unavailable.Forever()), func(h *harness) { h.grace(10) }, start, pause(3*time.Second), (*harness).sigterm2)},
		{name: "a setting is wrong, and the Job was made anew under the same name", env: wrong, untold: true, exit: reporter.ExitMisconfigured, within: 31 * time.Second, play: play(anew, start)},
		{name: "a setting is wrong, the Job was made anew, and the Pod's reading is answered 503 once", env: wrong, untold: true, exit: reporter.ExitMisconfigured, within: 31 * time.Second,
			play: play(anew, faults(podReads, unavailable), start)},
		{name: "a setting is wrong, the Job was made anew, and the Pod's reading is not answered once", env: wrong, untold: true, exit: reporter.ExitMisconfigured, within: 31 * time.Second,
			play: play(anew, faults(podReads, kubetest.HangRequest()), start)},
		{name: "a setting is wrong, and reading the Pod is answered 500 for good", env: wrong, want: misconfigured, exit: reporter.ExitMisconfigured, within: 31 * time.Second,
			play: play(faults(podReads, broken.Forever()), start)},
		{name: "the Job was made anew before the start, the Pod cannot be read or watched for 20 s, and the adapter writes a failure", want: nothing, exit: reporter.ExitUndelivered,
			play: play(anew, faults(podReads, unavailable.Forever()), faults(watches, unavailable.Forever()), runs(10*time.Second), writesFailure, pause(20*time.Second), func(h *harness) { h.server.ClearFaults() })},
		{name: "a setting is wrong, and the PATCH is answered badly once", env: wrong, want: misconfigured, exit: reporter.ExitMisconfigured, within: 31 * time.Second, badly: patches, play: play(badly, start)},
		{name: "a setting is wrong, the Pod is deleted, and its replacement has succeeded", env: wrong, want: replaced, exit: reporter.ExitMisconfigured, within: 31 * time.Second,
			play: play(anotherSucceeds, func(h *harness) { h.delete(30) }, start)},
		{name: "the interval of looks is 285 years, the Role has no watch, and the adapter crashes", exit: 1, want: crashed, most: 90, within: 76 * time.Minute,
			env:  map[string]string{"POLL_INTERVAL_SECONDS": "9000000000", "MAX_WAIT_TIME_SECONDS": "9200000000"},
			play: play(without("watch pods"), runs(10*time.Second), (*harness).crash)},
	}
	for _, name := range []string{"JOB_NAME", "POD_NAME", "RESULTS_PATH", "CONDITION_TYPE", "MAX_WAIT_TIME_SECONDS", "ADAPTER_CONTAINER_NAME"} {
		stories = append(stories, story{name: "white space around " + name, want: crashed, exit: 1, within: 11 * time.Second, play: func(h *harness) {
			value := map[string]string{"CONDITION_TYPE": "Available", "MAX_WAIT_TIME_SECONDS": "300", "ADAPTER_CONTAINER_NAME": "adapter"}[name]
			if h.env[name] != "" {
				value = h.env[name]
			}
			h.env[name] = " " + value + "\n"
			h.run(10 * time.Second)
			h.crash()
		}})
	}
	return stories
}

// endFaults are ends of which one is told after another.
func endFaults() []story {
	fails := func(h *harness) { h.updatePod(func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodFailed }) }
	return []story{
		{name: "the Pod is Failed without a reason", want: interruptedBy(contract.Unknown, "the Pod has failed; the node no longer reports on the adapter"), exit: 143, within: 11 * time.Second,
			play: play(runs(10*time.Second), fails)},
		{name: "the Pod is Failed, a report of it cannot be made, and the adapter's end well is told behind its result", want: good, env: map[string]string{"POLL_INTERVAL_SECONDS": "200"}, within: 40 * time.Second,
			play: play(runs(10*time.Second), faults(jobReads, unavailable.Times(4)), fails, pause(50*time.Millisecond), (*harness).finish, endsWith(0, "Completed"))},
		{name: "the Pod is Failed, a report of it cannot be made, and the adapter's crash is told", want: crashed, exit: 1, within: 40 * time.Second,
			play: play(runs(10*time.Second), faults(jobReads, unavailable.Times(4)), fails, pause(50*time.Millisecond), (*harness).crash)},
		{name: "the Job's deadline, and the adapter goes with SIGTERM", exit: 1, within: 16 * time.Second,
			want: contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterTimeout,
				Message: "Adapter did not produce results before the Job's deadline (DeadlineExceeded: too long); adapter container exited with code 143"},
			play: play(runs(10*time.Second), func(h *harness) {
				h.server.UpdateJob(namespace, jobName, func(j *batchv1.Job) {
					j.Status.Conditions = append(j.Status.Conditions, batchv1.JobCondition{Type: batchv1.JobFailureTarget, Status: corev1.ConditionTrue,
						Reason: batchv1.JobReasonDeadlineExceeded, Message: "too long", LastTransitionTime: metav1.Now()})
				})
			}, deleted(30), pause(5*time.Second), endsWith(143, "Error"))},
	}
}

func TestOldCrashFaults(t *testing.T)  { playStories(t, oldCrashFaults()) }
func TestInitFaults(t *testing.T)      { playStories(t, initFaults()) }
func TestSidecarRestarts(t *testing.T) { playStories(t, sidecarRestarts()) }
func TestSettingFaults(t *testing.T)   { playStories(t, settingFaults()) }
func TestEndFaults(t *testing.T)       { playStories(t, endFaults()) }
