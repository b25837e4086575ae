package faults

import (
	"fmt"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/internal/reporter"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
	"github.com/openshift-hyperfleet/status-reporter/test/program"
)

// oldCrashFaults are crashes of long ago, of an adapter that has run since.
func oldCrashFaults() []story {
	day := map[string]string{"MAX_WAIT_TIME_SECONDS": "86400"}
	once := play((*harness).OnFailure, runs(10*time.Second), (*harness).Crash, pause(time.Second), (*harness).Restart)
	drained := interruptedBy(contract.Unknown, "the Pod is being deleted")
	earlier := timedOut
	earlier.Message += "; an earlier run of the adapter exited with code 1: Error"
	return []story{
		{Name: "OnFailure: a crash, an hour's run, and the Pod is deleted", Env: day, Want: drained, Exit: 0, Play: play(once, pause(time.Hour), deleted(30))},
		{Name: "OnFailure: a crash, an hour's run, and the Pod is deleted on the last try", Env: day, Want: interruptedBy(contract.False, "the Pod is being deleted"), Exit: 0,
			Play: play(lastTry, once, pause(time.Hour), deleted(30))},
		{Name: "OnFailure: a crash, an hour's run, and the node shuts down", Env: day, Want: interruptedBy(contract.Unknown, "the reporter received SIGTERM"), Exit: 0, Play: play(once, pause(time.Hour), (*harness).StopSidecar)},
		{Name: "OnFailure: a crash, an hour's run, and the Pod is deleted by force", Env: day, Want: interruptedBy(contract.Unknown, "the Pod is gone"), Exit: 0,
			Play: play(once, pause(time.Hour), func(h *harness) { h.Server.DeletePod(namespace, podName) })},
		{Name: "OnFailure: a crash, an hour's run, and no watch tells of the deletion", Env: day, Want: drained, Exit: 0, Play: play(without("watch pods"), once, pause(time.Hour), deleted(30))},
		{Name: "OnFailure: a crash, and the next run hangs", Want: earlier, Exit: 0, Within: 301 * time.Second, Play: once},
		{Name: "OnFailure: a crash, 10 s of the next run, and the Pod is deleted", Want: crashed, Exit: 0, Within: 60 * time.Second,
			Play: play(once, pause(10*time.Second), deleted(30))},
		{Name: "OnFailure: a crash, an hour's run, and then it loops", Env: day, Want: crashed, Exit: 0, Play: play(once, pause(time.Hour), (*harness).Crash, (*harness).BackOff, pause(time.Second), deleted(30))},
		{Name: "an empty file from the start, and the Pod is deleted", Want: drained, Exit: 143, Within: 36 * time.Second, Play: play(writes(""), runs(10*time.Second), deleted(30))},
		{Name: "an empty file from the start, and the Pod is deleted on the last try", Want: interruptedBy(contract.False, "the Pod is being deleted"), Exit: 1, Within: 36 * time.Second,
			Play: play(lastTry, writes(""), runs(10*time.Second), deleted(30))},
		{Name: "a file of spaces, and the Pod is deleted", Want: drained, Exit: 143, Within: 36 * time.Second, Play: play(writes(" \n"), runs(10*time.Second), deleted(30))},
		{Name: "an empty file from the start, and the adapter ends well", Want: contract.Outcome{Status: contract.False, Reason: contract.ReasonInvalidResultFormat,
			Message: "Failed to parse adapter result: empty"}, Exit: 1, Within: 11 * time.Second, Play: play(writes(""), runs(10*time.Second), endsWith(0, "Completed"))},
	}
}

// initFaults are adapters that never start.
func initFaults() []story {
	setup := func(state corev1.ContainerState) func(h *harness) {
		return func(h *harness) {
			h.NativeSidecar()
			h.UpdatePod(func(pod *corev1.Pod) {
				pod.Spec.InitContainers = append(pod.Spec.InitContainers, corev1.Container{Name: "setup", Image: "setup"})
				pod.Status.Phase = corev1.PodPending
				pod.Status.InitContainerStatuses = append(pod.Status.InitContainerStatuses, corev1.ContainerStatus{Name: "setup", State: state})
				program.AdapterStatus(pod).State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"}}
			})
		}
	}
	fails := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", Message: `release "base" not found`, ContainerID: "containerd://setup"}}
	pulls := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"}}
	return []story{
		{Name: "an init container before the adapter fails, and the native sidecar is told to stop", Exit: 143, Within: 41 * time.Second,
			Want: interruptedBy(contract.Unknown, `init container setup exited with code 1: Error: release "base" not found`), Play: play(setup(fails), runs(10*time.Second), (*harness).StopSidecar)},
		{Name: "an init container before the adapter fails on the last try, and the Pod is Failed", Exit: 1, Within: 13 * time.Second,
			Want: interruptedBy(contract.False, `init container setup exited with code 1: Error: release "base" not found`), Play: play(lastTry, setup(fails), runs(10*time.Second),
				(*harness).StopSidecar, func(h *harness) { h.UpdatePod(func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodFailed }) })},
		{Name: "an init container's image cannot be pulled, and nothing comes in time", Exit: 1, Within: 320 * time.Second,
			Want: contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterTimeout, Message: timedOut.Message +
				" (container is waiting: PodInitializing; init container setup: ImagePullBackOff: no such image)"},
			Play: play(setup(pulls), runs(310*time.Second), (*harness).StopSidecar)},
	}
}

// sidecarReports is the first run of a native sidecar that the kubelet starts again:
// it has reported a result.
func sidecarReports(file string) func(h *harness) {
	return play((*harness).NativeSidecar, runs(10*time.Second), writes(file), func(h *harness) {
		h.AwaitReport()
		h.Sigterm() // ends the first run; of the second nobody has told it to stop
		if code, _ := h.Wait(); code != reporter.ExitReported {
			h.T.Errorf("exit code %d of the first run", code)
		}
	})
}

func amongTwelve(h *harness) {
	h.UpdatePod(func(pod *corev1.Pod) {
		for i := range 10 {
			pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: fmt.Sprintf("proxy-%d", i)})
		}
	})
}

// sidecarRestarts are native sidecars that the kubelet starts again, of its own
// account, while the adapter runs on: the first result of a run stands.
func sidecarRestarts() []story {
	first := sidecarReports(goodFile)
	long := contract.Outcome{Status: contract.True, Reason: "Ready", Message: strings.Repeat("all done ", 100) + "."}
	longFile := `{"status":"success","reason":"Ready","message":"` + long.Message + `"}`
	over := play(pause(2*time.Second), (*harness).StopSidecar)
	remove := (*harness).RemoveFile
	return []story{
		{Name: "a native sidecar is started again after its report, and the adapter has tidied up and crashes", Want: good, Play: play(first, remove, (*harness).SidecarAgain, pause(10*time.Second), (*harness).Crash, over)},
		{Name: "a native sidecar is started again after its report, and the adapter has tidied up and ends well", Want: good,
			Play: play(first, remove, (*harness).SidecarAgain, pause(10*time.Second), endsWith(0, "Completed"), over)},
		{Name: "a native sidecar is started again after its report, and the adapter has tidied up and works on past the deadline", Want: good,
			Play: play(first, remove, (*harness).SidecarAgain, pause(400*time.Second), over)},
		{Name: "a native sidecar is started again after its report, and the adapter writes a failure", Want: good, Play: play(first, remove, (*harness).SidecarAgain, pause(10*time.Second), writesFailure, over)},
		{Name: "a native sidecar is started again after its report, and the adapter has changed its file to a failure", Want: good, Play: play(first, writesFailure, (*harness).SidecarAgain, pause(10*time.Second), over)},
		{Name: "a native sidecar among twelve containers is started again after a long report, of which the kubelet has cut the end, and the adapter has changed its file to a failure",
			Want: long, Play: play(amongTwelve, sidecarReports(longFile), writesFailure, (*harness).SidecarAgain, pause(10*time.Second), over)},
		{Name: "a native sidecar is started again after its report, and the Pod is deleted", Want: good, Play: play(first, remove, (*harness).SidecarAgain, pause(10*time.Second), func(h *harness) { h.Delete(30) }, over)},
		{Name: "a native sidecar is started again after its report, and the Role has no watch", Want: good,
			Play: play(without("watch pods"), first, remove, (*harness).SidecarAgain, pause(10*time.Second), (*harness).Crash, over)},
		{Name: "OnFailure: a native sidecar is started again after its report, then the adapter, which writes a failure", Exit: 0,
			Want: contract.Outcome{Status: contract.False, Reason: "Cancelled", Message: "No message provided"},
			Play: play((*harness).OnFailure, first, remove, (*harness).Crash, pause(time.Second), (*harness).Restart, (*harness).SidecarAgain, pause(10*time.Second), writesFailure, over)},
		{Name: "a native sidecar with a grace period of 90 s: the adapter ends well in an outage of a minute", Want: good, Within: 101 * time.Second,
			Play: play((*harness).NativeSidecar, func(h *harness) { h.Grace(90) }, runs(10*time.Second), down, (*harness).Finish, pause(3*time.Second), endsWith(0, "Completed"), (*harness).StopSidecar,
				pause(57*time.Second), up)},
		{Name: "a native sidecar with a grace period of 90 s: the adapter crashes in an outage of a minute", Want: crashed, Exit: 1, Within: 105 * time.Second,
			Play: play((*harness).NativeSidecar, func(h *harness) { h.Grace(90) }, runs(10*time.Second), down, (*harness).Crash, (*harness).StopSidecar, pause(60*time.Second), up)},
		{Name: "a second container: the adapter ends well in an outage of a minute", Want: good, Within: 90 * time.Second,
			Play: play(runs(10*time.Second), down, (*harness).Finish, pause(3*time.Second), endsWith(0, "Completed"), pause(57*time.Second), up)},
	}
}

// settingFaults are settings that are wrong, or at their limits.
func settingFaults() []story {
	wrong := map[string]string{"MAX_WAIT_TIME_SECONDS": "soon"}
	misconfigured := contract.Outcome{Status: contract.False, Reason: contract.ReasonReporterMisconfigured,
		Message: `MAX_WAIT_TIME_SECONDS: must be a whole number of seconds, is "soon"`}
	start := func(h *harness) { h.Start() }
	stories := []story{
		{Name: "a setting is wrong", Env: wrong, Want: misconfigured, Exit: reporter.ExitMisconfigured, Within: 6 * time.Second, Play: start},
		{Name: "a setting is wrong, and the API server is away for 20 s", Env: wrong, Want: misconfigured, Exit: reporter.ExitMisconfigured, Within: 31 * time.Second,
			Play: play(down, start, pause(20*time.Second), up)},
		{Name: "a setting is wrong, and the API server is away for good", Env: wrong, Want: nothing, Exit: reporter.ExitMisconfigured, Within: 31 * time.Second, Play: play(down, start)},
		{Name: "a setting is wrong, the PATCH is answered 503 for good, and SIGTERM with a grace period of 10 s", Env: wrong, Want: nothing, Exit: reporter.ExitMisconfigured, Within: 14 * time.Second,
			Play: play(faults(patches, unavailable.Forever()), func(h *harness) { h.Grace(10) }, start, pause(3*time.Second), (*harness).StopSidecar)},
		{Name: "a setting is wrong, and the Job was made anew under the same name", Env: wrong, Untold: true, Exit: reporter.ExitMisconfigured, Within: 31 * time.Second, Play: play(anew, start)},
		{Name: "a setting is wrong, the Job was made anew, and the Pod's reading is answered 503 once", Env: wrong, Untold: true, Exit: reporter.ExitMisconfigured, Within: 31 * time.Second,
			Play: play(anew, faults(podReads, unavailable), start)},
		{Name: "a setting is wrong, the Job was made anew, and the Pod's reading is not answered once", Env: wrong, Untold: true, Exit: reporter.ExitMisconfigured, Within: 31 * time.Second,
			Play: play(anew, faults(podReads, kubetest.HangRequest()), start)},
		{Name: "a setting is wrong, and reading the Pod is answered 500 for good", Env: wrong, Want: misconfigured, Exit: reporter.ExitMisconfigured, Within: 31 * time.Second,
			Play: play(faults(podReads, broken.Forever()), start)},
		{Name: "the Job was made anew before the start, the Pod cannot be read or watched for 20 s, and the adapter writes a failure", Want: nothing, Exit: reporter.ExitUndelivered,
			Play: play(anew, faults(podReads, unavailable.Forever()), faults(watches, unavailable.Forever()), runs(10*time.Second), writesFailure, pause(20*time.Second), func(h *harness) { h.Server.ClearFaults() })},
		{Name: "a setting is wrong, and the PATCH is answered badly once", Env: wrong, Want: misconfigured, Exit: reporter.ExitMisconfigured, Within: 31 * time.Second, Badly: patches, Play: play(badly, start)},
		{Name: "a setting is wrong, the Pod is deleted, and its replacement has succeeded", Env: wrong, Want: replaced, Exit: reporter.ExitMisconfigured, Within: 31 * time.Second,
			Play: play(anotherSucceeds, func(h *harness) { h.Delete(30) }, start)},
		{Name: "the interval of looks is 285 years, the Role has no watch, and the adapter crashes", Exit: 1, Want: crashed, Most: 90, Within: 76 * time.Minute,
			Env:  map[string]string{"POLL_INTERVAL_SECONDS": "9000000000", "MAX_WAIT_TIME_SECONDS": "9200000000"},
			Play: play(without("watch pods"), runs(10*time.Second), (*harness).Crash)},
	}
	for _, name := range []string{"JOB_NAME", "POD_NAME", "RESULTS_PATH", "CONDITION_TYPE", "MAX_WAIT_TIME_SECONDS", "ADAPTER_CONTAINER_NAME"} {
		stories = append(stories, story{Name: "white space around " + name, Want: crashed, Exit: 1, Within: 11 * time.Second, Play: func(h *harness) {
			value := map[string]string{"CONDITION_TYPE": "Available", "MAX_WAIT_TIME_SECONDS": "300", "ADAPTER_CONTAINER_NAME": "adapter"}[name]
			if h.Env[name] != "" {
				value = h.Env[name]
			}
			h.Env[name] = " " + value + "\n"
			h.Run(10 * time.Second)
			h.Crash()
		}})
	}
	return stories
}

// endFaults are ends of which one is told after another.
func endFaults() []story {
	fails := func(h *harness) { h.UpdatePod(func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodFailed }) }
	return []story{
		{Name: "the Pod is Failed without a reason", Want: interruptedBy(contract.Unknown, "the Pod has failed; the node no longer reports on the adapter"), Exit: 143, Within: 11 * time.Second,
			Play: play(runs(10*time.Second), fails)},
		{Name: "the Pod is Failed, a report of it cannot be made, and the adapter's end well is told behind its result", Want: good, Env: map[string]string{"POLL_INTERVAL_SECONDS": "200"}, Within: 40 * time.Second,
			Play: play(runs(10*time.Second), faults(jobReads, unavailable.Times(4)), fails, pause(50*time.Millisecond), (*harness).Finish, endsWith(0, "Completed"))},
		{Name: "the Pod is Failed, a report of it cannot be made, and the adapter's crash is told", Want: crashed, Exit: 1, Within: 40 * time.Second,
			Play: play(runs(10*time.Second), faults(jobReads, unavailable.Times(4)), fails, pause(50*time.Millisecond), (*harness).Crash)},
		{Name: "the Job's deadline, and the adapter goes with SIGTERM", Exit: 1, Within: 16 * time.Second,
			Want: contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterTimeout,
				Message: "Adapter did not produce results before the Job's deadline (DeadlineExceeded: too long); adapter container exited with code 143"},
			Play: play(runs(10*time.Second), func(h *harness) {
				h.Server.UpdateJob(namespace, jobName, func(j *batchv1.Job) {
					j.Status.Conditions = append(j.Status.Conditions, batchv1.JobCondition{Type: batchv1.JobFailureTarget, Status: corev1.ConditionTrue,
						Reason: batchv1.JobReasonDeadlineExceeded, Message: "too long", LastTransitionTime: metav1.Now()})
				})
			}, deleted(30), pause(5*time.Second), endsWith(143, "Error"))},
	}
}

func TestOldCrashFaults(t *testing.T)  { program.PlayStories(t, oldCrashFaults()) }
func TestInitFaults(t *testing.T)      { program.PlayStories(t, initFaults()) }
func TestSidecarRestarts(t *testing.T) { program.PlayStories(t, sidecarRestarts()) }
func TestSettingFaults(t *testing.T)   { program.PlayStories(t, settingFaults()) }
func TestEndFaults(t *testing.T)       { program.PlayStories(t, endFaults()) }
