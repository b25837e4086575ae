package main

import (
	"fmt"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

var (
	podReads = kubetest.Match{Verb: "get", Resource: "pods"}
	jobReads = kubetest.Match{Verb: "get", Resource: "jobs"}
	oom      = contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterOOMKilled,
		Message: "Adapter container was killed due to out of memory (OOMKilled)"}
)

// stopped is what is told of a stop of the kubelet's own while it goes on.
func stopped(status contract.ConditionStatus) contract.Outcome {
	return contract.Interim(interruptedBy(status, "the reporter received SIGTERM"))
}

// lastTry makes this Pod the Job's last.
func lastTry(h *harness) {
	none := int32(0)
	h.server.UpdateJob(namespace, jobName, func(j *batchv1.Job) { j.Spec.BackoffLimit = &none })
}

// stops has the kubelet stop the Pod of its own, and then something happen.
func stops(before func(h *harness), after ...func(h *harness)) func(h *harness) {
	return func(h *harness) {
		if before != nil {
			before(h)
		}
		h.run(10*time.Second + 200*time.Millisecond)
		h.sigterm()
		for _, happens := range after {
			happens(h)
		}
	}
}

func pause(d time.Duration) func(h *harness) { return func(*harness) { time.Sleep(d) } }

func without(rights ...string) func(h *harness) { return func(h *harness) { deny(h, rights...) } }

func endsWith(code int32, reason string) func(h *harness) {
	return func(h *harness) { h.terminate(code, reason) }
}

// kubeletFaults are stops of which the API shows nothing before all containers have
// ended: SIGTERM, no deletionTimestamp, and SIGKILL long before the grace period is over.
func kubeletFaults() []story {
	const evicted, shutdown = time.Second, 15 * time.Second
	quick := map[string]string{"POLL_INTERVAL_SECONDS": "1"}
	stories := []story{
		{name: "evicted: SIGKILL 1 s after SIGTERM", kill: evicted, want: stopped(contract.Unknown), play: stops(nil)},
		{name: "evicted on the last try", kill: evicted, want: stopped(contract.False), play: stops(lastTry)},
		{name: "evicted on the last try under a podFailurePolicy that ignores disruptions", kill: evicted, want: stopped(contract.False),
			play: stops(func(h *harness) { lastTry(h); ignoresDisruptions(h) })},
		{name: "evicted, as a native sidecar: SIGKILL 2 s after SIGTERM", kill: 2 * time.Second, want: stopped(contract.Unknown),
			play: stops((*harness).nativeSidecar)},
		{name: "evicted, as a native sidecar on the last try", kill: 2 * time.Second, want: stopped(contract.False),
			play: stops(func(h *harness) { h.nativeSidecar(); lastTry(h) })},
		{name: "the node shuts down: SIGKILL 15 s after SIGTERM", kill: shutdown, want: stopped(contract.Unknown), play: stops(nil)},
		{name: "evicted, and the Role has no watch", kill: evicted, want: stopped(contract.Unknown), play: stops(without("watch pods"))},
		{name: "evicted, and Pods may not be read", kill: evicted, want: stopped(contract.Unknown), play: stops(without("watch pods", "get pods"))},
		{name: "evicted, as a native sidecar, and the Role has no watch", kill: 2 * time.Second, want: stopped(contract.Unknown),
			play: stops(func(h *harness) { h.nativeSidecar(); deny(h, "watch pods") })},
		{name: "evicted, and the Job may not be read, as for a minute already", kill: evicted, want: stopped(contract.False),
			play: func(h *harness) {
				deny(h, "get jobs")
				h.run(70 * time.Second)
				h.sigterm()
			}},
		{name: "evicted, and each answer comes 80 ms late", kill: evicted, want: stopped(contract.Unknown), play: stops(func(h *harness) {
			h.server.Fault(anything, kubetest.Proceed().After(80*time.Millisecond).Forever())
		})},
		{name: "evicted within the reporter's first second", kill: evicted, want: stopped(contract.Unknown), play: func(h *harness) {
			h.run(300 * time.Millisecond)
			h.sigterm()
		}},
		{name: "evicted, half a file is there", kill: evicted, want: stopped(contract.Unknown),
			play: func(h *harness) {
				h.run(9 * time.Second)
				h.write(halfFile)
				time.Sleep(2 * time.Second)
				h.sigterm()
			}},
		{name: "evicted, an empty file is there", kill: evicted, want: stopped(contract.Unknown),
			play: stops(func(h *harness) { h.write("") })},
		{name: "evicted, and the adapter writes when it is told to stop", kill: 2 * time.Second, env: quick, want: good,
			play: stops(nil, pause(300*time.Millisecond), (*harness).finish)},
		{name: "evicted, and the adapter writes after that was told", env: quick, kill: 2 * time.Second, want: good,
			play: stops(nil, pause(600*time.Millisecond), (*harness).finish)},
		{name: "evicted, as a native sidecar, and the adapter writes when it is told to stop", kill: 2 * time.Second, env: quick, want: good,
			play: stops((*harness).nativeSidecar, pause(300*time.Millisecond), (*harness).finish)},
		{name: "the node shuts down, and the adapter crashes", want: crashed, exit: 1, within: 16 * time.Second,
			play: stops(nil, pause(5*time.Second), (*harness).crash)},
		{name: "the node shuts down, and the adapter is killed for its memory", want: oom, exit: 1, within: 16 * time.Second,
			play: stops(nil, pause(5*time.Second), endsWith(137, "OOMKilled"))},
		{name: "the node shuts down, and the adapter goes with SIGTERM", exit: 143, within: 16 * time.Second,
			want: interruptedBy(contract.Unknown, "adapter container exited with code 143"), play: stops(nil, pause(5*time.Second), endsWith(143, "Error"))},
		{name: "SIGTERM, a deletionTimestamp 0.3 s later, and nothing more", exit: 143, within: 36 * time.Second,
			want: interruptedBy(contract.Unknown, "the Pod is being deleted"), most: 8,
			play: stops(nil, pause(300*time.Millisecond), func(h *harness) { h.delete(30) })},
		{name: "SIGTERM, a deletionTimestamp 3 s later, and nothing more", exit: 143, within: 36 * time.Second,
			want: interruptedBy(contract.Unknown, "the Pod is being deleted"), play: stops(nil, pause(3*time.Second), func(h *harness) { h.delete(30) })},
		{name: "evicted, and another Pod's success stands", kill: evicted, want: replaced, play: stops(anotherSucceeds)},
		{name: "evicted, and the Pod is Failed at last", exit: 143, want: interruptedBy(contract.Unknown, "Evicted: too much; adapter container exited with code 137"), within: 13 * time.Second,
			play: stops(nil, pause(1500*time.Millisecond), func(h *harness) {
				h.updatePod(func(pod *corev1.Pod) {
					pod.Status.Phase, pod.Status.Reason, pod.Status.Message = corev1.PodFailed, "Evicted", "too much"
					endRun(adapterStatus(pod), 137, "Error", "")
				})
			})},
	}
	for _, what := range []struct {
		of    string
		match kubetest.Match
	}{{"the Pod's reading", podReads}, {"the Job's reading", jobReads}, {"the PATCH", patches}} {
		stories = append(stories, story{name: "the node shuts down, and " + what.of + " is answered badly once", kill: shutdown, badly: what.match,
			want: stopped(contract.Unknown), play: func(h *harness) {
				h.run(10 * time.Second)
				h.badly()
				h.sigterm()
			}})
	}
	for _, seconds := range []int64{0, 2, 10, 7200} {
		want := stopped(contract.Unknown)
		if seconds < 3 { // by which the time is up
			want = interruptedBy(contract.Unknown, "the reporter received SIGTERM")
		}
		stories = append(stories, story{name: fmt.Sprintf("evicted, with a grace period of %d s in the Pod", seconds), kill: evicted, want: want,
			play: stops(func(h *harness) { h.grace(seconds) })})
	}
	return append(stories, restartFaults()...)
}

// ignoresDisruptions is the policy of deploy/job.yaml: of all failures those with
// DisruptionTarget do not count.
func ignoresDisruptions(h *harness) {
	h.server.UpdateJob(namespace, jobName, func(j *batchv1.Job) {
		j.Spec.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
			Action:          batchv1.PodFailurePolicyActionIgnore,
			OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue}},
		}}}
	})
}

const restartAllCode = 42

// restartRule has all of the Pod's containers started again when the adapter ends
// with one code.
func (h *harness) restartRule() {
	h.updatePod(func(pod *corev1.Pod) {
		never := corev1.ContainerRestartPolicyNever
		c := &pod.Spec.Containers[0]
		c.RestartPolicy = &never
		c.RestartPolicyRules = []corev1.ContainerRestartRule{{
			Action:    corev1.ContainerRestartRuleActionRestartAllContainers,
			ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{Operator: corev1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{restartAllCode}},
		}}
	})
}

// restartsAll is the kubelet's word for it while it does so.
func (h *harness) restartsAll() {
	h.updatePod(func(pod *corev1.Pod) {
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.AllContainersRestarting, Status: corev1.ConditionTrue})
	})
}

// restartFaults: that all containers are started again is no end of anything, and
// the next reporter goes on.
func restartFaults() []story {
	again := endsWith(restartAllCode, "Error")
	return []story{
		{name: "all containers are started again", untold: true, exit: 143, within: 11 * time.Second,
			play: func(h *harness) {
				h.restartRule()
				h.run(10 * time.Second)
				again(h)
				time.Sleep(200 * time.Millisecond)
				h.sigterm()
			}},
		{name: "all containers are started again, which the status tells 0.8 s after SIGTERM", untold: true, exit: 143, within: 12 * time.Second,
			play: stops((*harness).restartRule, pause(800*time.Millisecond), again)},
		{name: "all containers are started again, of which the condition alone tells", untold: true, exit: 143, within: 12 * time.Second,
			play: stops((*harness).restartRule, pause(300*time.Millisecond), (*harness).restartsAll)},
		{name: "all containers are started again, and the Role has no watch", untold: true, exit: 143, within: 12 * time.Second,
			play: stops(func(h *harness) { h.restartRule(); deny(h, "watch pods") }, pause(300*time.Millisecond), again)},
		{name: "all containers are started again, of which the status tells 2 s late", want: stopped(contract.Unknown), exit: 143, within: 13 * time.Second,
			play: stops((*harness).restartRule, pause(2*time.Second), again)},
		{name: "all containers are started again, and the API server is away across the deadline", untold: true, exit: 143, env: map[string]string{"MAX_WAIT_TIME_SECONDS": "11"},
			play: stops((*harness).restartRule, func(h *harness) { h.server.Down(); again(h) }, pause(3*time.Second), func(h *harness) { h.server.Up() })},
		{name: "all containers are started again, and a result is there", want: good, within: 12 * time.Second,
			play: stops((*harness).restartRule, (*harness).finish, pause(300*time.Millisecond), again)},
		{name: "all containers are started again, and half a file is there", untold: true, exit: 143, within: 12 * time.Second,
			play: stops((*harness).restartRule, func(h *harness) { h.write(halfFile) }, pause(300*time.Millisecond), again)},
		{name: "a native sidecar: all containers are started again", untold: true, exit: 143, within: 12 * time.Second,
			play: stops(func(h *harness) { h.nativeSidecar(); h.restartRule() }, pause(300*time.Millisecond), again)},
		{name: "all containers are to be started again, and are not", want: contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterExitedWithError,
			Message: "Adapter container exited with code 42: Error"}, exit: 1, within: 301 * time.Second,
			play: func(h *harness) { h.restartRule(); h.run(10 * time.Second); again(h) }},
		{name: "evicted, where a rule has all containers started again", kill: 2 * time.Second, want: stopped(contract.Unknown), play: stops((*harness).restartRule)},
		{name: "deleted, where a rule has all containers started again, and the adapter ends with its code", exit: 1, within: 13 * time.Second,
			want: contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterExitedWithError, Message: "Adapter container exited with code 42: Error"},
			play: stops((*harness).restartRule, func(h *harness) { h.delete(30) }, pause(time.Second), again)},
	}
}

func TestKubeletFaults(t *testing.T) { playStories(t, kubeletFaults()) }
