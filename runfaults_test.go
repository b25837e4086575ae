package main

import (
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

const yesterdays = `{"status":"success","reason":"Yesterday","message":"of another Pod"}`

// leftOver has content lie in the file from before the adapter's start, on a volume
// that outlives Pods: another's clock may be a minute off.
func leftOver(content string, claim bool) func(h *harness) {
	return func(h *harness) {
		h.write(content)
		h.updatePod(func(pod *corev1.Pod) {
			source := corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/var/lib/results"}}
			later := 3 * time.Second
			if claim {
				source = corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "results"}}
				later = 63 * time.Second
			}
			pod.Spec.Volumes[0].VolumeSource = source
			adapterStatus(pod).State.Running.StartedAt.Time = time.Now().Add(later)
		})
	}
}

// again is the kubelet's start of the adapter after an end.
func (h *harness) again(code int32, reason string, after time.Duration) {
	h.terminate(code, reason)
	time.Sleep(after)
	h.restart()
}

// backOff is what the status tells between two runs that fail soon.
func (h *harness) backOff() {
	h.updatePod(func(pod *corev1.Pod) {
		s := adapterStatus(pod)
		s.LastTerminationState = s.State
		s.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 20s restarting failed container"}}
	})
}

func play(steps ...func(h *harness)) func(h *harness) {
	return func(h *harness) {
		for _, step := range steps {
			step(h)
		}
	}
}

func runs(d time.Duration) func(h *harness) { return func(h *harness) { h.run(d) } }

func writes(content string) func(h *harness) { return func(h *harness) { h.write(content) } }

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
		return func(h *harness) { h.again(137, "OOMKilled", after) }
	}
	stories := []story{
		{name: "a hostPath with yesterday's success, and the adapter crashes", want: crashed, exit: 1, within: 11 * time.Second,
			play: play(hostPath, runs(10*time.Second), (*harness).crash)},
		{name: "a hostPath with yesterday's success, and the adapter writes a failure", want: own, within: 13 * time.Second,
			play: play(hostPath, runs(10*time.Second), writesFailure)},
		{name: "a hostPath with yesterday's success, and the adapter writes the same again", want: contract.Outcome{Status: contract.True, Reason: "Yesterday", Message: "of another Pod"}, within: 13 * time.Second,
			play: play(hostPath, runs(10*time.Second), writes(yesterdays))},
		{name: "a hostPath with yesterday's success, and nothing comes", want: timedOut, exit: 1, within: 301 * time.Second,
			play: play(hostPath, runs(10*time.Second))},
		{name: "a hostPath with yesterday's success, and nothing comes, and the Role has no watch", want: timedOut, exit: 1, within: 301 * time.Second,
			play: play(hostPath, without("watch pods"), runs(10*time.Second))},
		{name: "a hostPath with yesterday's success, and the adapter ends well without a file", exit: 1, within: 11 * time.Second,
			want: missing, play: play(hostPath, runs(10*time.Second), endsWith(0, "Completed"))},
		{name: "a hostPath with yesterday's success, and SIGTERM", want: interruptedBy(contract.Unknown, "the Pod is being deleted"), exit: 143, within: 37 * time.Second,
			play: play(hostPath, runs(10*time.Second), deleted(30))},
		{name: "a hostPath with yesterday's success, and the adapter's image cannot be pulled", exit: 1, within: 301 * time.Second,
			want: contract.Outcome{Status: timedOut.Status, Reason: timedOut.Reason, Message: timedOut.Message + " (container is waiting: ImagePullBackOff: no such image)"},
			play: play(hostPath, cannotStart, runs(10*time.Second))},
		{name: "a hostPath with yesterday's success, and the Pod cannot be read for 20 s", want: crashed, exit: 1, within: 31 * time.Second,
			play: play(hostPath, func(h *harness) { h.server.Down() }, runs(20*time.Second), func(h *harness) { h.server.Up() }, pause(10*time.Second), (*harness).crash)},
		{name: "a hostPath with half a file of yesterday's, and a result after 30 s", want: good, within: 33 * time.Second,
			play: play(leftOver(halfFile, false), runs(30*time.Second), (*harness).finish)},
		{name: "a volume claim with yesterday's success, and the adapter crashes", want: crashed, exit: 1, within: 71 * time.Second,
			play: play(claim, runs(70*time.Second), (*harness).crash)},
		{name: "a volume claim with yesterday's success, and nothing comes", want: timedOut, exit: 1, within: 301 * time.Second,
			play: play(claim, runs(70*time.Second))},
		{name: "a native sidecar: a hostPath with yesterday's success, and the adapter crashes", want: crashed, exit: 1, within: 11 * time.Second,
			play: play(hostPath, (*harness).nativeSidecar, runs(10*time.Second), (*harness).crash, (*harness).sigterm2)},

		{name: "OnFailure: half a file, killed for its memory, and the next run succeeds", want: good, within: 33 * time.Second,
			play: play((*harness).onFailure, runs(9*time.Second), writes(halfFile), pause(3*time.Second), oomKilled(time.Second), pause(17*time.Second), (*harness).finish)},
		{name: "OnFailure: half a file, killed for its memory, 20 s of CrashLoopBackOff, and the next run succeeds", want: good, within: 53 * time.Second,
			play: play((*harness).onFailure, runs(9*time.Second), writes(halfFile), pause(3*time.Second), endsWith(137, "OOMKilled"), (*harness).backOff,
				pause(20*time.Second), (*harness).restart, pause(15*time.Second), (*harness).finish)},
		{name: "OnFailure: half a file, killed for its memory, and nothing comes", want: earlier("was killed due to out of memory (OOMKilled)"), exit: 0, within: 301 * time.Second,
			play: play((*harness).onFailure, runs(9*time.Second), writes(halfFile), pause(3*time.Second), oomKilled(time.Second))},
		{name: "OnFailure: half a file, crash, and the next run ends well without one", want: missing, exit: 0, within: 23 * time.Second,
			play: play((*harness).onFailure, runs(9*time.Second), writes(halfFile), pause(3*time.Second), (*harness).crash, pause(time.Second), (*harness).restart, pause(9*time.Second), endsWith(0, "Completed"))},
		{name: "OnFailure: NUL bytes of a node's crash, and the next run succeeds", want: good, within: 33 * time.Second,
			play: play((*harness).onFailure, writes(string(make([]byte, 190))), func(h *harness) {
				h.updatePod(func(pod *corev1.Pod) {
					endRun(adapterStatus(pod), 255, "Unknown", "")
					beginRun(adapterStatus(pod))
					adapterStatus(pod).State.Running.StartedAt.Time = time.Now().Add(3 * time.Second)
				})
			}, runs(30*time.Second), (*harness).finish)},
		{name: "OnFailure: an empty file is left, and the next run ends well without another", want: missing, exit: 0, within: 23 * time.Second,
			play: play((*harness).onFailure, runs(9*time.Second), writes(""), pause(3*time.Second), (*harness).crash, pause(time.Second), (*harness).restart, pause(9*time.Second), endsWith(0, "Completed"))},
		{name: "OnFailure: half a file, crash, and the next run leaves half a file, too", want: invalidHalf, exit: 0, within: 23 * time.Second,
			play: play((*harness).onFailure, runs(9*time.Second), writes(`{"sta`), pause(3*time.Second), (*harness).crash, pause(time.Second), (*harness).restart, pause(8*time.Second), writes(halfFile), pause(time.Second), endsWith(0, "Completed"))},
		{name: "OnFailure: half a file, crash, and the next run is deleted", want: interruptedBy(contract.Unknown, "the Pod is being deleted"), exit: 0, within: 140 * time.Second,
			play: play((*harness).onFailure, runs(9*time.Second), writes(halfFile), pause(3*time.Second), (*harness).crash, pause(time.Second), (*harness).restart, pause(90*time.Second), deleted(30))},
		{name: "OnFailure: a result, a crash before it is delivered, and the next run removes it", want: good, within: 40 * time.Second,
			play: play((*harness).onFailure, runs(9*time.Second), func(h *harness) { h.server.Down() }, (*harness).finish, pause(3*time.Second), (*harness).crash, pause(time.Second), (*harness).restart,
				func(h *harness) {
					if err := os.Remove(h.path); err != nil {
						h.t.Fatal(err)
					}
				}, pause(5*time.Second), func(h *harness) { h.server.Up() })},
		{name: "all containers were started again, the first try's failure is there, and the second succeeds", want: good, within: 13 * time.Second,
			play: play(startedAgain, runs(10*time.Second), (*harness).finish)},
		{name: "all containers were started again, the first try's failure is there, and the second crashes", want: crashed, exit: 1, within: 11 * time.Second,
			play: play(startedAgain, runs(10*time.Second), (*harness).crash)},
		{name: "all containers were started again, the first try's failure is there, and nothing comes", want: timedOut, exit: 1, within: 301 * time.Second,
			play: play(startedAgain, runs(10*time.Second))},
		{name: "all containers were started again, and the status still tells of the run before for 2 s", want: crashed, exit: 1, within: 11 * time.Second,
			play: play(startedAgainLate, runs(10*time.Second), (*harness).crash)},
	}
	return append(stories, guessFaults()...)
}

var missing = contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterMissingResults,
	Message: "Adapter container exited with code 0 but wrote no result file at /results/adapter-result.json"}

// deleted is a graceful deletion with its SIGTERM.
func deleted(seconds int64) func(h *harness) {
	return func(h *harness) {
		h.delete(seconds)
		h.sigterm()
	}
}

func cannotStart(h *harness) {
	h.updatePod(func(pod *corev1.Pod) {
		adapterStatus(pod).State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"}}
	})
}

// sigterm2 is the SIGTERM that a native sidecar gets at its adapter's end.
func (h *harness) sigterm2() {
	time.Sleep(100 * time.Millisecond)
	h.sigterm()
}

// startedAgain is a Pod of which all containers have been started again, with what
// the first try has written still there.
func startedAgain(h *harness) {
	h.restartRule()
	h.write(`{"status":"failure","reason":"FirstTry"}`)
	h.updatePod(func(pod *corev1.Pod) {
		for _, name := range []string{"adapter", "status-reporter"} {
			s := statusOf(pod, name)
			s.RestartCount++
			s.LastTerminationState = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "RestartingAllContainers"}}
		}
		adapterStatus(pod).State.Running.StartedAt.Time = time.Now().Add(3 * time.Second)
	})
}

// startedAgainLate has the status of before the start at first.
func startedAgainLate(h *harness) {
	before := h.server.Pod(namespace, podName).Status
	startedAgain(h)
	after := h.server.Pod(namespace, podName).Status
	old := time.Now().Add(-time.Minute)
	h.updatePod(func(pod *corev1.Pod) {
		pod.Status = before
		statusOf(pod, "status-reporter").State.Running.StartedAt.Time = old
	})
	go func() {
		time.Sleep(2 * time.Second)
		h.updatePod(func(pod *corev1.Pod) { pod.Status = after })
	}()
}

// guessFaults are ends of which kubelet and runtime only guess.
func guessFaults() []story {
	lost := func(h *harness) { h.again(137, "ContainerStatusUnknown", time.Second) }
	unknown := func(h *harness) { h.again(255, "Unknown", time.Second) }
	gone := "adapter container exited with code "
	return []story{
		{name: "OnFailure: an end of which nothing is known, and the next run hangs", want: timedOut, exit: 0, within: 301 * time.Second,
			play: play((*harness).onFailure, runs(10*time.Second), lost)},
		{name: "OnFailure: exit 255 with reason Unknown, and the next run hangs", want: timedOut, exit: 0, within: 301 * time.Second,
			play: play((*harness).onFailure, runs(10*time.Second), unknown)},
		{name: "OnFailure: exit 255 with reason Unknown just before the deadline", want: timedOut, exit: 0, within: 301 * time.Second,
			play: play((*harness).onFailure, runs(290*time.Second), unknown)},
		{name: "OnFailure: exit 255 with reason Unknown, and the next run succeeds", want: good, within: 33 * time.Second,
			play: play((*harness).onFailure, runs(10*time.Second), unknown, pause(18*time.Second), (*harness).finish)},
		{name: "OnFailure: exit 255 with reason Unknown, and the next run is deleted", want: interruptedBy(contract.Unknown, "the Pod is being deleted"), exit: 0, within: 60 * time.Second,
			play: play((*harness).onFailure, runs(10*time.Second), unknown, pause(10*time.Second), deleted(30))},
		{name: "containerd is started anew: exit 255 with reason Unknown", want: interruptedBy(contract.Unknown, gone+"255"), exit: 143, within: 11 * time.Second,
			play: play(runs(10*time.Second), endsWith(255, "Unknown"))},
		{name: "containerd is started anew, on the last try", want: interruptedBy(contract.False, gone+"255"), exit: 1, within: 11 * time.Second,
			play: play(lastTry, runs(10*time.Second), endsWith(255, "Unknown"))},
		{name: "containerd is started anew, and a result is there", want: good, within: 11 * time.Second,
			play: play(runs(10*time.Second), (*harness).finish, endsWith(255, "Unknown"))},
		{name: "containerd is started anew, and no watch tells", want: interruptedBy(contract.Unknown, gone+"255"), exit: 143, within: 20 * time.Second,
			play: play(without("watch pods"), runs(10*time.Second), endsWith(255, "Unknown"))},
		{name: "an end of which nothing is known", want: interruptedBy(contract.Unknown, gone+"137"), exit: 143, within: 11 * time.Second,
			play: play(runs(10*time.Second), endsWith(137, "ContainerStatusUnknown"))},
		{name: "the adapter itself exits with 255", exit: 1, within: 11 * time.Second,
			want: contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterExitedWithError, Message: "Adapter container exited with code 255: Error"},
			play: play(runs(10*time.Second), endsWith(255, "Error"))},
	}
}

func TestRunFaults(t *testing.T) { playStories(t, runFaults()) }
