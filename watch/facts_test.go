package watch

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func TestFactsOf(t *testing.T) {
	run := func(code int32, reason string) *corev1.ContainerStateTerminated {
		return terminated(code, reason).Terminated
	}
	oneOf := func(change func(*facts)) facts { return with(facts{grace: 30 * sec}, change) }
	onFailure := restartPolicy(corev1.RestartPolicyOnFailure)
	tests := []struct {
		name string
		pod  *corev1.Pod
		want facts
	}{
		{"running", pod(), oneOf(func(f *facts) { f.running = true })},
		{"no statuses yet", pod(func(p *corev1.Pod) { p.Status = corev1.PodStatus{Phase: corev1.PodPending} }), oneOf(func(f *facts) {})},
		{"waiting", pod(waits("ImagePullBackOff", "no such image")), oneOf(func(f *facts) { f.waiting = "ImagePullBackOff: no such image" })},
		{"waiting without a message", pod(waits("ContainerCreating", "")), oneOf(func(f *facts) { f.waiting = "ContainerCreating" })},
		{"exited 0", pod(ends(0, "Completed")), oneOf(func(f *facts) { f.ended = run(0, "Completed") })},
		{"exited 1", pod(ends(1, "Error")), oneOf(func(f *facts) { f.ended = run(1, "Error") })},
		{"exited with a termination message", pod(ends(1, "Error"), func(p *corev1.Pod) { adapterStatus(p).State.Terminated.Message = "panic" }),
			oneOf(func(f *facts) { f.ended = run(1, "Error"); f.ended.Message = "panic" })},
		{"OOM-killed", pod(ends(137, "OOMKilled")), oneOf(func(f *facts) { f.ended = run(137, "OOMKilled") })},
		{"OOM-killed with a code of its own", pod(ends(3, "OOMKilled")), oneOf(func(f *facts) { f.ended = run(3, "OOMKilled") })},
		{"lost from sight", pod(ends(137, "ContainerStatusUnknown")), oneOf(func(f *facts) { f.ended = run(137, "ContainerStatusUnknown") })},

		{"OnFailure, exited 0", pod(onFailure, ends(0, "Completed")), oneOf(func(f *facts) { f.ended = run(0, "Completed") })},
		{"OnFailure, terminated", pod(onFailure, ends(1, "Error")), oneOf(func(f *facts) { f.crashed = run(1, "Error") })},
		{"OnFailure, CrashLoopBackOff", pod(onFailure, waits("CrashLoopBackOff", "back-off 10s"), endedBefore(1, "Error")),
			oneOf(func(f *facts) {
				f.waiting = "CrashLoopBackOff: back-off 10s"
				f.crashed = run(1, "Error")
			})},
		{"OnFailure, running again", pod(onFailure, endedBefore(137, "OOMKilled")),
			oneOf(func(f *facts) { f.running = true; f.crashed = run(137, "OOMKilled") })},
		{"OnFailure, OOM-killed with exit 0 before", pod(onFailure, endedBefore(0, "OOMKilled")),
			oneOf(func(f *facts) { f.running = true; f.crashed = run(0, "OOMKilled") })},
		{"OnFailure, a crash and then the last one", pod(onFailure, endedBefore(1, "Error"), func(p *corev1.Pod) {
			adapterStatus(p).State = terminated(2, "Error")
		}), oneOf(func(f *facts) { f.crashed = run(2, "Error") })},
		{"OnFailure, a crash and then success", pod(onFailure, endedBefore(1, "Error"), ends(0, "Completed")),
			oneOf(func(f *facts) { f.ended = run(0, "Completed") })},
		{"OnFailure, CrashLoopBackOff while the Pod is deleted", pod(onFailure, waits("CrashLoopBackOff", ""), endedBefore(1, "Error"), isDeleted(none)),
			oneOf(func(f *facts) {
				f.deleting = true
				f.waiting = "CrashLoopBackOff"
				f.ended = run(1, "Error")
			})},
		{"OnFailure, running while the Pod is deleted", pod(onFailure, endedBefore(1, "Error"), isDeleted(none)),
			oneOf(func(f *facts) {
				f.deleting, f.running = true, true
				f.crashed = run(1, "Error")
			})},
		{"OnFailure, terminated in a Failed Pod", pod(onFailure, ends(1, "Error"), inPhase(corev1.PodFailed, "", "")),
			oneOf(func(f *facts) { f.failed = true; f.ended = run(1, "Error") })},
		{"Always by its own policy, in a Succeeded Pod", pod(ends(0, "Completed"), inPhase(corev1.PodSucceeded, "", ""), func(p *corev1.Pod) {
			p.Spec.Containers[0] = native(p.Spec.Containers[0])
		}), oneOf(func(f *facts) { f.ended = run(0, "Completed") })},
		{"Always by its own policy", pod(ends(0, "Completed"), func(p *corev1.Pod) {
			p.Spec.Containers[0] = native(p.Spec.Containers[0])
		}), oneOf(func(f *facts) {})},

		{"Never, yet started again", pod(waits("ContainerCreating", ""), endedBefore(1, "Error")),
			oneOf(func(f *facts) { f.waiting = "ContainerCreating"; f.crashed = run(1, "Error") })},

		{"deleted, running", pod(isDeleted(none)), oneOf(func(f *facts) { f.deleting, f.running = true, true })},
		{"deleted, ended", pod(isDeleted(none), ends(143, "Error")), oneOf(func(f *facts) { f.deleting = true; f.ended = run(143, "Error") })},
		{"deleted with a grace period of its own", pod(isDeleted(2)), oneOf(func(f *facts) { f.deleting, f.running = true, true; f.grace = 2 * sec })},
		{"Failed while running", pod(inPhase(corev1.PodFailed, "NodeLost", "node-1 is gone")),
			oneOf(func(f *facts) { f.failed, f.running = true, true; f.causes = []string{"NodeLost: node-1 is gone"} })},
		{"evicted", pod(inPhase(corev1.PodFailed, "Evicted", "low on memory"), isDisrupted("TerminationByKubelet", "low on memory"), ends(137, "Error")),
			oneOf(func(f *facts) {
				f.failed = true
				f.causes = []string{"Evicted: low on memory", "TerminationByKubelet: low on memory"}
				f.ended = run(137, "Error")
			})},
		{"a cause told twice", pod(inPhase(corev1.PodFailed, "Preempted", "by another"), isDisrupted("Preempted", "by another")),
			oneOf(func(f *facts) { f.failed, f.running = true, true; f.causes = []string{"Preempted: by another"} })},
		{"disrupted", pod(isDisrupted("EvictionByEvictionAPI", "drained")), oneOf(func(f *facts) { f.running = true; f.causes = []string{"EvictionByEvictionAPI: drained"} })},
		{"disruption without words", pod(isDisrupted("", "drained")), oneOf(func(f *facts) { f.running = true; f.causes = []string{"drained"} })},
		{"disruption that is over", pod(isDisrupted("EvictionByEvictionAPI", "drained"), func(p *corev1.Pod) {
			p.Status.Conditions[0].Status = corev1.ConditionFalse
		}), oneOf(func(f *facts) { f.running = true })},
		{"another condition", pod(isDisrupted("Ready", ""), func(p *corev1.Pod) { p.Status.Conditions[0].Type = corev1.PodReady }), oneOf(func(f *facts) { f.running = true })},
		{"a reason without failure", pod(inPhase(corev1.PodRunning, "Hm", "")), oneOf(func(f *facts) { f.running = true })},

		{"native sidecar", pod(asSidecar, ends(1, "Error")), oneOf(func(f *facts) { f.sidecar = true; f.ended = run(1, "Error") })},
		{"no grace period", pod(func(p *corev1.Pod) { p.Spec.TerminationGracePeriodSeconds = nil }), oneOf(func(f *facts) { f.running = true })},
		{"a grace period of 0", pod(isDeleted(0)), oneOf(func(f *facts) { f.deleting, f.running = true, true; f.grace = 0 })},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := assign(test.pod, "", variables)
			if err != nil {
				t.Fatal(err)
			}
			got := factsOf(test.pod, r)
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(facts{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The reporter's container ends and starts as well: that is no news.
func TestFactsOfAnotherContainer(t *testing.T) {
	p := pod(func(p *corev1.Pod) {
		s := status(p, reporterName)
		s.State, s.LastTerminationState = terminated(3, "Error"), terminated(3, "Error")
	})
	r, err := assign(p, "", variables)
	if err != nil {
		t.Fatal(err)
	}
	if f := factsOf(p, r); f.ended != nil || f.crashed != nil || !f.running {
		t.Errorf("the reporter's end was taken for the adapter's: %+v", f)
	}
}

// Without an adapter the Pod's own end is still seen.
func TestFactsOfUnknownAdapter(t *testing.T) {
	f := factsOf(pod(ends(1, "Error"), isDeleted(7), inPhase(corev1.PodFailed, "Evicted", "")), roles{})
	want := facts{failed: true, deleting: true, causes: []string{"Evicted"}, grace: 7 * sec}
	if diff := cmp.Diff(want, f, cmp.AllowUnexported(facts{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Two runs of a container differ by their ID or, where the kubelet gives none,
// by their end's time.
func TestEndsDiffer(t *testing.T) {
	a := terminated(1, "Error").Terminated
	for name, change := range map[string]func(*corev1.ContainerStateTerminated){
		"container ID": func(s *corev1.ContainerStateTerminated) { s.ContainerID = "run-2" },
		"time":         func(s *corev1.ContainerStateTerminated) { s.FinishedAt.Time = start },
	} {
		b := a.DeepCopy()
		change(b)
		if runOf(a) == runOf(b) {
			t.Errorf("runs of another %s are the same %q", name, runOf(a))
		}
	}
}

func TestGracePeriodHasALimit(t *testing.T) {
	if got := gracePeriod(pod(gracePeriodOf(math.MaxInt64))); got < 24*time.Hour {
		t.Errorf("the longest grace period is taken for %v", got)
	}
}
