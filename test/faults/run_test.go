package faults

import (
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/test/program"
)

// leftOver has content lie in the file from before the adapter's start, on a volume
// that outlives Pods: another's clock may be a minute off.
func leftOver(content string, claim bool) func(h *harness) {
	return func(h *harness) {
		h.Write(content)
		h.UpdatePod(func(pod *corev1.Pod) {
			source := corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/var/lib/results"}}
			later := 3 * time.Second
			if claim {
				source = corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "results"}}
				later = 63 * time.Second
			}
			pod.Spec.Volumes[0].VolumeSource = source
			program.AdapterStatus(pod).State.Running.StartedAt.Time = time.Now().Add(later)
		})
	}
}

func play(steps ...func(h *harness)) func(h *harness) {
	return func(h *harness) {
		for _, step := range steps {
			step(h)
		}
	}
}

func runs(d time.Duration) func(h *harness) { return func(h *harness) { h.Run(d) } }

func writes(content string) func(h *harness) { return func(h *harness) { h.Write(content) } }

// runFaults are files that an earlier run has left, of this adapter or of another
// Pod: a result belongs to the run that wrote it.
func runFaults() []story {
	own := contract.Outcome{Status: contract.False, Reason: "Cancelled", Message: "No message provided"}
	earlier := func(what string) contract.Outcome {
		o := timedOut
		o.Message += "; an earlier run of the adapter " + what
		return o
	}
	hostPath, claim := leftOver(yesterdays, false), leftOver(yesterdays, true)
	oomKilled := func(after time.Duration) func(h *harness) {
		return func(h *harness) { h.Again(137, "OOMKilled", after) }
	}
	stories := []story{
		{Name: "a hostPath with yesterday's success, and the adapter crashes", Want: crashed, Exit: 1, Within: 11 * time.Second,
			Play: play(hostPath, runs(10*time.Second), (*harness).Crash)},
		{Name: "a hostPath with yesterday's success, and the adapter writes a failure", Want: own, Within: 13 * time.Second,
			Play: play(hostPath, runs(10*time.Second), writesFailure)},
		{Name: "a hostPath with yesterday's success, and the adapter writes the same again", Want: contract.Outcome{Status: contract.True, Reason: "Yesterday", Message: "of another Pod"}, Within: 13 * time.Second,
			Play: play(hostPath, runs(10*time.Second), writes(yesterdays))},
		{Name: "a hostPath with yesterday's success, and nothing comes", Want: timedOut, Exit: 1, Within: 301 * time.Second,
			Play: play(hostPath, runs(10*time.Second))},
		{Name: "a hostPath with yesterday's success, and nothing comes, and the Role has no watch", Want: timedOut, Exit: 1, Within: 301 * time.Second,
			Play: play(hostPath, without("watch pods"), runs(10*time.Second))},
		{Name: "a hostPath with yesterday's success, and the adapter ends well without a file", Exit: 1, Within: 11 * time.Second,
			Want: missing, Play: play(hostPath, runs(10*time.Second), endsWith(0, "Completed"))},
		{Name: "a hostPath with yesterday's success, and SIGTERM", Want: interruptedBy(contract.Unknown, "the Pod is being deleted"), Exit: 143, Within: 37 * time.Second,
			Play: play(hostPath, runs(10*time.Second), deleted(30))},
		{Name: "a hostPath with yesterday's success, and the adapter's image cannot be pulled", Exit: 1, Within: 301 * time.Second,
			Want: contract.Outcome{Status: timedOut.Status, Reason: timedOut.Reason, Message: timedOut.Message + " (container is waiting: ImagePullBackOff: no such image)"},
			Play: play(hostPath, cannotStart, runs(10*time.Second))},
		{Name: "a hostPath with yesterday's success, and the Pod cannot be read for 20 s", Want: crashed, Exit: 1, Within: 31 * time.Second,
			Play: play(hostPath, func(h *harness) { h.Server.Down() }, runs(20*time.Second), func(h *harness) { h.Server.Up() }, pause(10*time.Second), (*harness).Crash)},
		{Name: "a hostPath with half a file of yesterday's, and a result after 30 s", Want: good, Within: 33 * time.Second,
			Play: play(leftOver(halfFile, false), runs(30*time.Second), (*harness).Finish)},
		{Name: "a volume claim with yesterday's success, and the adapter crashes", Want: crashed, Exit: 1, Within: 71 * time.Second,
			Play: play(claim, runs(70*time.Second), (*harness).Crash)},
		{Name: "a volume claim with yesterday's success, and nothing comes", Want: timedOut, Exit: 1, Within: 301 * time.Second,
			Play: play(claim, runs(70*time.Second))},
		{Name: "a native sidecar: a hostPath with yesterday's success, and the adapter crashes", Want: crashed, Exit: 1, Within: 11 * time.Second,
			Play: play(hostPath, (*harness).NativeSidecar, runs(10*time.Second), (*harness).Crash, (*harness).StopSidecar)},

		{Name: "OnFailure: half a file, killed for its memory, and the next run succeeds", Want: good, Within: 33 * time.Second,
			Play: play((*harness).OnFailure, runs(9*time.Second), writes(halfFile), pause(3*time.Second), oomKilled(time.Second), pause(17*time.Second), (*harness).Finish)},
		{Name: "OnFailure: half a file, killed for its memory, 20 s of CrashLoopBackOff, and the next run succeeds", Want: good, Within: 53 * time.Second,
			Play: play((*harness).OnFailure, runs(9*time.Second), writes(halfFile), pause(3*time.Second), endsWith(137, "OOMKilled"), (*harness).BackOff,
				pause(20*time.Second), (*harness).Restart, pause(15*time.Second), (*harness).Finish)},
		{Name: "OnFailure: half a file, killed for its memory, and nothing comes", Want: earlier("was killed due to out of memory (OOMKilled)"), Exit: 0, Within: 301 * time.Second,
			Play: play((*harness).OnFailure, runs(9*time.Second), writes(halfFile), pause(3*time.Second), oomKilled(time.Second))},
		{Name: "OnFailure: half a file, crash, and the next run ends well without one", Want: missing, Exit: 0, Within: 23 * time.Second,
			Play: play((*harness).OnFailure, runs(9*time.Second), writes(halfFile), pause(3*time.Second), (*harness).Crash, pause(time.Second), (*harness).Restart, pause(9*time.Second), endsWith(0, "Completed"))},
		{Name: "OnFailure: NUL bytes of a node's crash, and the next run succeeds", Want: good, Within: 33 * time.Second,
			Play: play((*harness).OnFailure, writes(string(make([]byte, 190))), func(h *harness) {
				h.UpdatePod(func(pod *corev1.Pod) {
					program.EndRun(program.AdapterStatus(pod), 255, "Unknown", "")
					program.BeginRun(program.AdapterStatus(pod))
					program.AdapterStatus(pod).State.Running.StartedAt.Time = time.Now().Add(3 * time.Second)
				})
			}, runs(30*time.Second), (*harness).Finish)},
		{Name: "OnFailure: an empty file is left, and the next run ends well without another", Want: missing, Exit: 0, Within: 23 * time.Second,
			Play: play((*harness).OnFailure, runs(9*time.Second), writes(""), pause(3*time.Second), (*harness).Crash, pause(time.Second), (*harness).Restart, pause(9*time.Second), endsWith(0, "Completed"))},
		{Name: "OnFailure: half a file, crash, and the next run leaves half a file, too", Want: invalidHalf, Exit: 0, Within: 23 * time.Second,
			Play: play((*harness).OnFailure, runs(9*time.Second), writes(`{"sta`), pause(3*time.Second), (*harness).Crash, pause(time.Second), (*harness).Restart, pause(8*time.Second), writes(halfFile), pause(time.Second), endsWith(0, "Completed"))},
		{Name: "OnFailure: half a file, crash, and the next run is deleted", Want: interruptedBy(contract.Unknown, "the Pod is being deleted"), Exit: 0, Within: 140 * time.Second,
			Play: play((*harness).OnFailure, runs(9*time.Second), writes(halfFile), pause(3*time.Second), (*harness).Crash, pause(time.Second), (*harness).Restart, pause(90*time.Second), deleted(30))},
		{Name: "OnFailure: a result, a crash before it is delivered, and the next run removes it", Want: good, Within: 40 * time.Second,
			Play: play((*harness).OnFailure, runs(9*time.Second), func(h *harness) { h.Server.Down() }, (*harness).Finish, pause(3*time.Second), (*harness).Crash, pause(time.Second), (*harness).Restart,
				func(h *harness) {
					if err := os.Remove(h.Path); err != nil {
						h.T.Fatal(err)
					}
				}, pause(5*time.Second), func(h *harness) { h.Server.Up() })},
		{Name: "all containers were started again, the first try's failure is there, and the second succeeds", Want: good, Within: 13 * time.Second,
			Play: play(startedAgain, runs(10*time.Second), (*harness).Finish)},
		{Name: "all containers were started again, the first try's failure is there, and the second crashes", Want: crashed, Exit: 1, Within: 11 * time.Second,
			Play: play(startedAgain, runs(10*time.Second), (*harness).Crash)},
		{Name: "all containers were started again, the first try's failure is there, and nothing comes", Want: timedOut, Exit: 1, Within: 301 * time.Second,
			Play: play(startedAgain, runs(10*time.Second))},
		{Name: "all containers were started again, and the status still tells of the run before for 2 s", Want: crashed, Exit: 1, Within: 11 * time.Second,
			Play: play(startedAgainLate, runs(10*time.Second), (*harness).Crash)},
		{Name: "a hostPath with yesterday's success, the API server is away for 70 s from the start, and the adapter crashes", Want: crashed, Exit: 1, Within: 101 * time.Second,
			Play: play(hostPath, down, runs(70*time.Second), up, pause(30*time.Second), (*harness).Crash)},
		{Name: "a hostPath with yesterday's success, the API server is away for 70 s from the start, the Pod's reading is then answered badly once, and the adapter crashes", Badly: podReads,
			Want: crashed, Exit: 1, Play: play(hostPath, down, runs(70*time.Second), badly, faults(watches, unavailable.Times(3)), up, pause(40*time.Second), (*harness).Crash)},
		{Name: "all containers were started again, the status still tells of the run before, the API server is away for 70 s then, and the second succeeds", Want: good,
			Play: play(startedAgainUnseen, runs(100*time.Second), (*harness).Finish)},
	}
	return append(stories, guessFaults()...)
}

var missing = contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterMissingResults,
	Message: "Adapter container exited with code 0 but wrote no result file at /results/adapter-result.json"}

// deleted is a graceful deletion with its SIGTERM.
func deleted(seconds int64) func(h *harness) {
	return func(h *harness) {
		h.Delete(seconds)
		h.Sigterm()
	}
}

func cannotStart(h *harness) {
	h.UpdatePod(func(pod *corev1.Pod) {
		program.AdapterStatus(pod).State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"}}
	})
}

// startedAgain is a Pod of which all containers have been started again, with what
// the first try has written still there.
func startedAgain(h *harness) {
	h.RestartRule()
	h.Write(`{"status":"failure","reason":"FirstTry"}`)
	h.UpdatePod(func(pod *corev1.Pod) {
		program.StartedAgain(pod)
		program.AdapterStatus(pod).State.Running.StartedAt.Time = time.Now().Add(3 * time.Second)
	})
}

// startedAgainLate has the status of before the start for a while at first.
func startedAgainLate(h *harness) {
	now := startedAgainBehind(h)
	go func() {
		time.Sleep(2 * time.Second)
		now()
	}()
}

// startedAgainUnseen has it when an outage begins, which ends with it.
func startedAgainUnseen(h *harness) {
	now := startedAgainBehind(h)
	go func() {
		time.Sleep(time.Second)
		h.Server.Down()
		time.Sleep(70 * time.Second)
		now()
		h.Server.Up()
	}()
}

// startedAgainBehind has the status of before the start until now is called.
func startedAgainBehind(h *harness) (now func()) {
	before := h.Server.Pod(namespace, podName).Status
	startedAgain(h)
	after := h.Server.Pod(namespace, podName).Status
	old := time.Now().Add(-time.Minute)
	h.UpdatePod(func(pod *corev1.Pod) {
		pod.Status = before
		program.StatusOf(pod, "status-reporter").State.Running.StartedAt.Time = old
	})
	return func() { h.UpdatePod(func(pod *corev1.Pod) { pod.Status = after }) }
}

// guessFaults are ends of which kubelet and runtime only guess.
func guessFaults() []story {
	lost := func(h *harness) { h.Again(137, "ContainerStatusUnknown", time.Second) }
	unknown := func(h *harness) { h.Again(255, "Unknown", time.Second) }
	gone := "adapter container exited with code "
	return []story{
		{Name: "OnFailure: an end of which nothing is known, and the next run hangs", Want: timedOut, Exit: 0, Within: 301 * time.Second,
			Play: play((*harness).OnFailure, runs(10*time.Second), lost)},
		{Name: "OnFailure: exit 255 with reason Unknown, and the next run hangs", Want: timedOut, Exit: 0, Within: 301 * time.Second,
			Play: play((*harness).OnFailure, runs(10*time.Second), unknown)},
		{Name: "OnFailure: exit 255 with reason Unknown just before the deadline", Want: timedOut, Exit: 0, Within: 301 * time.Second,
			Play: play((*harness).OnFailure, runs(290*time.Second), unknown)},
		{Name: "OnFailure: exit 255 with reason Unknown, and the next run succeeds", Want: good, Within: 33 * time.Second,
			Play: play((*harness).OnFailure, runs(10*time.Second), unknown, pause(18*time.Second), (*harness).Finish)},
		{Name: "OnFailure: exit 255 with reason Unknown, and the next run is deleted", Want: interruptedBy(contract.Unknown, "the Pod is being deleted"), Exit: 0, Within: 60 * time.Second,
			Play: play((*harness).OnFailure, runs(10*time.Second), unknown, pause(10*time.Second), deleted(30))},
		{Name: "containerd is started anew: exit 255 with reason Unknown", Want: interruptedBy(contract.Unknown, gone+"255"), Exit: 143, Within: 11 * time.Second,
			Play: play(runs(10*time.Second), endsWith(255, "Unknown"))},
		{Name: "containerd is started anew, on the last try", Want: interruptedBy(contract.False, gone+"255"), Exit: 1, Within: 11 * time.Second,
			Play: play(lastTry, runs(10*time.Second), endsWith(255, "Unknown"))},
		{Name: "containerd is started anew, and a result is there", Want: good, Within: 11 * time.Second,
			Play: play(runs(10*time.Second), (*harness).Finish, endsWith(255, "Unknown"))},
		{Name: "containerd is started anew, and no watch tells", Want: interruptedBy(contract.Unknown, gone+"255"), Exit: 143, Within: 20 * time.Second,
			Play: play(without("watch pods"), runs(10*time.Second), endsWith(255, "Unknown"))},
		{Name: "an end of which nothing is known", Want: interruptedBy(contract.Unknown, gone+"137"), Exit: 143, Within: 11 * time.Second,
			Play: play(runs(10*time.Second), endsWith(137, "ContainerStatusUnknown"))},
		{Name: "the adapter itself exits with 255", Exit: 1, Within: 11 * time.Second,
			Want: contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterExitedWithError, Message: "Adapter container exited with code 255: Error"},
			Play: play(runs(10*time.Second), endsWith(255, "Error"))},
	}
}

func TestRunFaults(t *testing.T) { program.PlayStories(t, runFaults()) }
