package faults

import (
	"fmt"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
	"github.com/openshift-hyperfleet/status-reporter/test/program"
)

// stopped is what is told of a stop of the kubelet's own while it goes on.
func stopped(status contract.ConditionStatus) contract.Outcome {
	return contract.Interim(interruptedBy(status, "the reporter received SIGTERM"))
}

// lastTry makes this Pod the Job's last.
func lastTry(h *harness) {
	none := int32(0)
	h.Server.UpdateJob(namespace, jobName, func(j *batchv1.Job) { j.Spec.BackoffLimit = &none })
}

// stops has the kubelet stop the Pod of its own, and then something happen.
func stops(before func(h *harness), after ...func(h *harness)) func(h *harness) {
	return func(h *harness) {
		if before != nil {
			before(h)
		}
		h.Run(10*time.Second + 200*time.Millisecond)
		h.Sigterm()
		for _, happens := range after {
			happens(h)
		}
	}
}

func pause(d time.Duration) func(h *harness) { return func(*harness) { time.Sleep(d) } }

func without(rights ...string) func(h *harness) { return func(h *harness) { deny(h, rights...) } }

func endsWith(code int32, reason string) func(h *harness) {
	return func(h *harness) { h.Terminate(code, reason) }
}

// kubeletFaults are stops of which the API shows nothing before all containers have
// ended: SIGTERM, no deletionTimestamp, and SIGKILL long before the grace period is over.
func kubeletFaults() []story {
	const evicted, shutdown = time.Second, 15 * time.Second
	quick := map[string]string{"POLL_INTERVAL_SECONDS": "1"}
	stories := []story{
		{Name: "evicted: SIGKILL 1 s after SIGTERM", Kill: evicted, Want: stopped(contract.Unknown), Play: stops(nil)},
		{Name: "evicted on the last try", Kill: evicted, Want: stopped(contract.False), Play: stops(lastTry)},
		{Name: "evicted on the last try under a podFailurePolicy that ignores disruptions", Kill: evicted, Want: stopped(contract.False),
			Play: stops(func(h *harness) { lastTry(h); ignoresDisruptions(h) })},
		{Name: "evicted, as a native sidecar: SIGKILL 2 s after SIGTERM", Kill: 2 * time.Second, Want: stopped(contract.Unknown),
			Play: stops((*harness).NativeSidecar)},
		{Name: "evicted, as a native sidecar on the last try", Kill: 2 * time.Second, Want: stopped(contract.False),
			Play: stops(func(h *harness) { h.NativeSidecar(); lastTry(h) })},
		{Name: "the node shuts down: SIGKILL 15 s after SIGTERM", Kill: shutdown, Want: stopped(contract.Unknown), Play: stops(nil)},
		{Name: "evicted, and the Role has no watch", Kill: evicted, Want: stopped(contract.Unknown), Play: stops(without("watch pods"))},
		{Name: "evicted, and Pods may not be read", Kill: evicted, Want: stopped(contract.Unknown), Play: stops(without("watch pods", "get pods"))},
		{Name: "evicted, as a native sidecar, and the Role has no watch", Kill: 2 * time.Second, Want: stopped(contract.Unknown),
			Play: stops(func(h *harness) { h.NativeSidecar(); deny(h, "watch pods") })},
		{Name: "evicted, and the Job may not be read, as for a minute already", Kill: evicted, Want: stopped(contract.False),
			Play: func(h *harness) {
				deny(h, "get jobs")
				h.Run(70 * time.Second)
				h.Sigterm()
			}},
		{Name: "evicted, and each answer comes 80 ms late", Kill: evicted, Want: stopped(contract.Unknown), Play: stops(func(h *harness) {
			h.Server.Fault(anything, kubetest.Proceed().After(80*time.Millisecond).Forever())
		})},
		{Name: "evicted, and each answer comes 400 ms late", Kill: 2 * time.Second, Want: stopped(contract.Unknown), Play: stops(func(h *harness) {
			h.Server.Fault(anything, kubetest.Proceed().After(400*time.Millisecond).Forever())
		})},
		{Name: "evicted within the reporter's first second", Kill: evicted, Want: stopped(contract.Unknown), Play: func(h *harness) {
			h.Run(300 * time.Millisecond)
			h.Sigterm()
		}},
		{Name: "evicted, half a file is there", Kill: evicted, Want: stopped(contract.Unknown),
			Play: func(h *harness) {
				h.Run(9 * time.Second)
				h.Write(halfFile)
				time.Sleep(2 * time.Second)
				h.Sigterm()
			}},
		{Name: "evicted, an empty file is there", Kill: evicted, Want: stopped(contract.Unknown),
			Play: stops(func(h *harness) { h.Write("") })},
		{Name: "evicted, and the adapter writes when it is told to stop", Kill: 2 * time.Second, Env: quick, Want: good,
			Play: stops(nil, pause(300*time.Millisecond), (*harness).Finish)},
		{Name: "evicted, and the adapter writes after that was told", Env: quick, Kill: 2 * time.Second, Want: good,
			Play: stops(nil, pause(600*time.Millisecond), (*harness).Finish)},
		{Name: "evicted, as a native sidecar, and the adapter writes when it is told to stop", Kill: 2 * time.Second, Env: quick, Want: good,
			Play: stops((*harness).NativeSidecar, pause(300*time.Millisecond), (*harness).Finish)},
		{Name: "evicted, Pods may not be read, and the result was there before the reporter", Kill: evicted, Want: good,
			Play: stops(func(h *harness) { deny(h, "watch pods", "get pods"); h.Finish() })},
		{Name: "evicted, and the result on a volume claim is of the adapter's first seconds", Kill: evicted, Want: good,
			Play: stops(func(h *harness) { h.Finish(); onClaim(h) })},
		{Name: "the node shuts down, and the adapter crashes", Want: crashed, Exit: 1, Within: 16 * time.Second,
			Play: stops(nil, pause(5*time.Second), (*harness).Crash)},
		{Name: "the node shuts down, and the adapter is killed for its memory", Want: oom, Exit: 1, Within: 16 * time.Second,
			Play: stops(nil, pause(5*time.Second), endsWith(137, "OOMKilled"))},
		{Name: "the node shuts down, and the adapter goes with SIGTERM", Exit: 143, Within: 16 * time.Second,
			Want: interruptedBy(contract.Unknown, "adapter container exited with code 143"), Play: stops(nil, pause(5*time.Second), endsWith(143, "Error"))},
		{Name: "SIGTERM, a deletionTimestamp 0.3 s later, and nothing more", Exit: 143, Within: 36 * time.Second,
			Want: interruptedBy(contract.Unknown, "the Pod is being deleted"), Most: 8,
			Play: stops(nil, pause(300*time.Millisecond), func(h *harness) { h.Delete(30) })},
		{Name: "SIGTERM, a deletionTimestamp 3 s later, and nothing more", Exit: 143, Within: 36 * time.Second,
			Want: interruptedBy(contract.Unknown, "the Pod is being deleted"), Play: stops(nil, pause(3*time.Second), func(h *harness) { h.Delete(30) })},
		{Name: "evicted, and another Pod's success stands", Kill: evicted, Want: replaced, Play: stops(anotherSucceeds)},
		{Name: "evicted, and the Pod is Failed at last", Exit: 143, Want: interruptedBy(contract.Unknown, "Evicted: too much; adapter container exited with code 137"), Within: 13 * time.Second,
			Play: stops(nil, pause(1500*time.Millisecond), func(h *harness) {
				h.UpdatePod(func(pod *corev1.Pod) {
					pod.Status.Phase, pod.Status.Reason, pod.Status.Message = corev1.PodFailed, "Evicted", "too much"
					program.EndRun(program.AdapterStatus(pod), 137, "Error", "")
				})
			})},
	}
	for _, what := range []struct {
		of    string
		match kubetest.Match
	}{{"the Pod's reading", podReads}, {"the Job's reading", jobReads}, {"the PATCH", patches}} {
		stories = append(stories, story{Name: "the node shuts down, and " + what.of + " is answered badly once", Kill: shutdown, Badly: what.match,
			Want: stopped(contract.Unknown), Play: func(h *harness) {
				h.Run(10 * time.Second)
				h.Badly()
				h.Sigterm()
			}})
	}
	for _, what := range []struct {
		of    string
		match kubetest.Match
	}{{"reading of the Pod", podReads}, {"reading of the Job", jobReads}, {"PATCH", patches}} {
		hangs := play(runs(10*time.Second), faults(what.match, kubetest.HangRequest()), (*harness).Sigterm)
		stories = append(stories,
			story{Name: "evicted, and one " + what.of + " is never answered", Kill: evicted, Want: stopped(contract.Unknown), Most: 7, Play: hangs},
			story{Name: "evicted, as a native sidecar, and one " + what.of + " is never answered", Kill: 2 * time.Second, Want: stopped(contract.Unknown), Most: 12,
				Play: play((*harness).NativeSidecar, hangs)})
	}
	stories = append(stories,
		story{Name: "evicted, the interim report's PATCH is never answered, and a result comes meanwhile", Kill: 2 * time.Second, Env: quick, Want: good, Most: 7,
			Play: play(runs(10400*time.Millisecond), faults(patches, kubetest.HangRequest()), (*harness).Sigterm, pause(550*time.Millisecond), (*harness).Finish)},
		story{Name: "evicted, the interim report's PATCH is never answered, nor is the second, and a result comes meanwhile", Kill: 1200 * time.Millisecond, Env: quick, Want: good,
			Play: play(runs(10400*time.Millisecond), faults(patches, kubetest.HangRequest().Times(2)), (*harness).Sigterm, pause(900*time.Millisecond), (*harness).Finish)},
		story{Name: "evicted, the adapter writes when it is told to stop, and one PATCH is never answered", Kill: 2 * time.Second, Env: quick, Want: good,
			Play: play(faults(patches, kubetest.HangRequest()), stops(nil, pause(300*time.Millisecond), (*harness).Finish))},
		story{Name: "evicted, and a reading of the Job that is under way by then is never answered", Kill: evicted, Want: stopped(contract.Unknown),
			Play: play(faults(jobReads, kubetest.HangRequest()), runs(300*time.Millisecond), (*harness).Sigterm)},
		story{Name: "evicted, and the result's PATCH that is under way by then is never answered", Kill: evicted, Env: quick, Want: good,
			Play: play(runs(10*time.Second), faults(patches, kubetest.HangRequest()), (*harness).Finish, pause(1100*time.Millisecond), (*harness).Sigterm)},
		story{Name: "evicted, and one PATCH that is made is never answered", Kill: evicted, Want: stopped(contract.Unknown),
			Play: play(faults(patches, kubetest.HangAnswer()), stops(nil))})
	for _, seconds := range []int64{0, 2, 10, 7200} {
		want := stopped(contract.Unknown)
		if seconds < 3 { // by which the time is up
			want = interruptedBy(contract.Unknown, "the reporter received SIGTERM")
		}
		stories = append(stories, story{Name: fmt.Sprintf("evicted, with a grace period of %d s in the Pod", seconds), Kill: evicted, Want: want,
			Play: stops(func(h *harness) { h.Grace(seconds) })})
	}
	return append(stories, restartFaults()...)
}

// onClaim has the file lie on a volume whose server has a clock of its own.
func onClaim(h *harness) {
	h.UpdatePod(func(pod *corev1.Pod) {
		pod.Spec.Volumes[0].VolumeSource = corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "results"}}
		program.AdapterStatus(pod).State.Running.StartedAt.Time = time.Now().Add(-2 * time.Second)
	})
}

// ignoresDisruptions is the policy of deploy/job.yaml: of all failures those with
// DisruptionTarget do not count.
func ignoresDisruptions(h *harness) {
	h.Server.UpdateJob(namespace, jobName, func(j *batchv1.Job) {
		j.Spec.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
			Action:          batchv1.PodFailurePolicyActionIgnore,
			OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue}},
		}}}
	})
}

// restartFaults: that all containers are started again is no end of anything, and
// the next reporter goes on.
func restartFaults() []story {
	again := endsWith(program.RestartAllCode, "Error")
	return []story{
		{Name: "all containers are started again", Untold: true, Exit: 143, Within: 11 * time.Second,
			Play: func(h *harness) {
				h.RestartRule()
				h.Run(10 * time.Second)
				again(h)
				time.Sleep(200 * time.Millisecond)
				h.Sigterm()
			}},
		{Name: "all containers are started again, which the status tells 0.8 s after SIGTERM", Untold: true, Exit: 143, Within: 12 * time.Second,
			Play: stops((*harness).RestartRule, pause(800*time.Millisecond), again)},
		{Name: "all containers are started again, of which the condition alone tells", Untold: true, Exit: 143, Within: 12 * time.Second,
			Play: stops((*harness).RestartRule, pause(300*time.Millisecond), (*harness).RestartsAll)},
		{Name: "all containers are started again, and the Role has no watch", Untold: true, Exit: 143, Within: 12 * time.Second,
			Play: stops(func(h *harness) { h.RestartRule(); deny(h, "watch pods") }, pause(300*time.Millisecond), again)},
		{Name: "all containers are started again, of which the status tells 2 s late", Want: stopped(contract.Unknown), Exit: 143, Within: 13 * time.Second,
			Play: stops((*harness).RestartRule, pause(2*time.Second), again)},
		{Name: "all containers are started again, and the API server is away across the deadline", Untold: true, Exit: 143, Env: map[string]string{"MAX_WAIT_TIME_SECONDS": "11"},
			Play: stops((*harness).RestartRule, func(h *harness) { h.Server.Down(); again(h) }, pause(3*time.Second), func(h *harness) { h.Server.Up() })},
		{Name: "all containers are started again, and a result is there", Want: good, Within: 12 * time.Second,
			Play: stops((*harness).RestartRule, (*harness).Finish, pause(300*time.Millisecond), again)},
		{Name: "all containers are started again, and half a file is there", Untold: true, Exit: 143, Within: 12 * time.Second,
			Play: stops((*harness).RestartRule, func(h *harness) { h.Write(halfFile) }, pause(300*time.Millisecond), again)},
		{Name: "a native sidecar: all containers are started again", Untold: true, Exit: 143, Within: 12 * time.Second,
			Play: stops(func(h *harness) { h.NativeSidecar(); h.RestartRule() }, pause(300*time.Millisecond), again)},
		{Name: "all containers are to be started again, and are not", Want: contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterExitedWithError,
			Message: "Adapter container exited with code 42: Error"}, Exit: 1, Within: 301 * time.Second,
			Play: func(h *harness) { h.RestartRule(); h.Run(10 * time.Second); again(h) }},
		{Name: "evicted, where a rule has all containers started again", Kill: 2 * time.Second, Want: stopped(contract.Unknown), Play: stops((*harness).RestartRule)},
		{Name: "deleted, where a rule has all containers started again, and the adapter ends with its code", Exit: 1, Within: 13 * time.Second,
			Want: contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterExitedWithError, Message: "Adapter container exited with code 42: Error"},
			Play: stops((*harness).RestartRule, func(h *harness) { h.Delete(30) }, pause(time.Second), again)},
	}
}

func TestKubeletFaults(t *testing.T) { program.PlayStories(t, kubeletFaults()) }
