package watch

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestFactsOf(t *testing.T) {
	run := func(code int32, reason string) *corev1.ContainerStateTerminated {
		return terminated(code, reason).Terminated
	}
	oneOf := func(change func(*facts)) facts { return with(facts{grace: 30 * sec}, change) }
	again := func(change func(*facts)) facts { return with(oneOf(change), func(f *facts) { f.mayRestart = true }) }
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

		{"OnFailure, exited 0", pod(onFailure, ends(0, "Completed")), again(func(f *facts) { f.ended = run(0, "Completed") })},
		{"OnFailure, terminated", pod(onFailure, ends(1, "Error")), again(func(f *facts) { f.crashed = run(1, "Error") })},
		{"OnFailure, CrashLoopBackOff", pod(onFailure, waits("CrashLoopBackOff", "back-off 10s"), endedBefore(1, "Error")),
			again(func(f *facts) {
				f.waiting = "CrashLoopBackOff: back-off 10s"
				f.crashed = run(1, "Error")
			})},
		{"OnFailure, running again", pod(onFailure, endedBefore(137, "OOMKilled")),
			again(func(f *facts) { f.running = true; f.crashed = run(137, "OOMKilled") })},
		{"OnFailure, OOM-killed with exit 0 before", pod(onFailure, endedBefore(0, "OOMKilled")),
			again(func(f *facts) { f.running = true; f.crashed = run(0, "OOMKilled") })},
		{"OnFailure, a crash and then the last one", pod(onFailure, endedBefore(1, "Error"), func(p *corev1.Pod) {
			adapterStatus(p).State = terminated(2, "Error")
		}), again(func(f *facts) { f.crashed = run(2, "Error") })},
		{"OnFailure, a crash and then success", pod(onFailure, endedBefore(1, "Error"), ends(0, "Completed")),
			again(func(f *facts) { f.ended = run(0, "Completed") })},
		{"OnFailure, CrashLoopBackOff while the Pod is deleted", pod(onFailure, waits("CrashLoopBackOff", ""), endedBefore(1, "Error"), isDeleted(none)),
			again(func(f *facts) {
				f.deleting = true
				f.waiting = "CrashLoopBackOff"
				f.ended = run(1, "Error")
			})},
		{"OnFailure, running while the Pod is deleted", pod(onFailure, endedBefore(1, "Error"), isDeleted(none)),
			again(func(f *facts) {
				f.deleting, f.running = true, true
				f.crashed = run(1, "Error")
			})},
		{"OnFailure, terminated in a Failed Pod", pod(onFailure, ends(1, "Error"), inPhase(corev1.PodFailed, "", "")),
			again(func(f *facts) { f.failed = true; f.ended = run(1, "Error") })},
		{"Always by its own policy, in a Succeeded Pod", pod(ends(0, "Completed"), inPhase(corev1.PodSucceeded, "", ""), func(p *corev1.Pod) {
			p.Spec.Containers[0] = native(p.Spec.Containers[0])
		}), again(func(f *facts) { f.ended = run(0, "Completed") })},
		{"Always by its own policy", pod(ends(0, "Completed"), func(p *corev1.Pod) {
			p.Spec.Containers[0] = native(p.Spec.Containers[0])
		}), again(func(f *facts) {})},

		{"OnFailure, lost and running again", pod(onFailure, endedBefore(137, "ContainerStatusUnknown")), again(func(f *facts) { f.running = true })},
		{"OnFailure, the runtime forgot it, and it runs again", pod(onFailure, endedBefore(255, "Unknown")), again(func(f *facts) { f.running = true })},
		{"OnFailure, the runtime has just forgotten it", pod(onFailure, ends(255, "Unknown")), again(func(f *facts) {})},
		{"OnFailure, a crash and then a guess", pod(onFailure, endedBefore(1, "Error"), ends(255, "Unknown")), again(func(f *facts) {})},
		{"OnFailure, exit 255 of its own", pod(onFailure, endedBefore(255, "Error")), again(func(f *facts) { f.running = true; f.crashed = run(255, "Error") })},
		{"OnFailure, lost while the Pod is deleted", pod(onFailure, ends(137, "ContainerStatusUnknown"), isDeleted(none)),
			again(func(f *facts) { f.deleting = true; f.ended = run(137, "ContainerStatusUnknown") })},
		{"the runtime forgot it, for good", pod(ends(255, "Unknown")), oneOf(func(f *facts) { f.ended = run(255, "Unknown") })},

		{"started", pod(runs(atSecond(5)), restarted(2)), oneOf(func(f *facts) { f.running = true; f.started = atSecond(5); f.restarts = 2 })},
		{"ended, started", pod(ends(1, "Error"), endTimes(atSecond(5), atSecond(8))), oneOf(func(f *facts) { f.ended = timed(run(1, "Error"), atSecond(5), atSecond(8)); f.started = atSecond(5) })},
		{"waiting, started before", pod(onFailure, waits("CrashLoopBackOff", ""), endedBefore(1, "Error"), endTimes(atSecond(5), atSecond(8))),
			again(func(f *facts) {
				f.waiting = "CrashLoopBackOff"
				f.crashed = timed(run(1, "Error"), atSecond(5), atSecond(8))
				f.started = atSecond(5)
			})},
		{"running, started before too", pod(onFailure, endedBefore(1, "Error"), endTimes(atSecond(5), atSecond(8)), runs(atSecond(9))),
			again(func(f *facts) {
				f.running, f.started = true, atSecond(9)
				f.crashed = timed(run(1, "Error"), atSecond(5), atSecond(8))
			})},
		{"the runtime could not start it", pod(ends(128, "StartError"), endTimes(time.Unix(0, 0), atSecond(8))),
			oneOf(func(f *facts) {
				f.ended = timed(run(128, "StartError"), time.Unix(0, 0), atSecond(8))
				f.started = atSecond(8)
			})},

		{"all start again, by its own exit code", pod(hasRules("adapter", restartAll(42)), ends(42, "Error")),
			again(func(f *facts) { f.restartsAll, f.restartingAll = true, true; f.crashed = run(42, "Error") })},
		{"all start again, by another's exit code", pod(adds("proxy", terminated(42, "Error")), hasRules("proxy", restartAll(42)), ends(137, "Error")),
			again(func(f *facts) { f.restartsAll, f.restartingAll = true, true })},
		{"all start again, and it had exited with 0", pod(adds("proxy", terminated(42, "Error")), hasRules("proxy", restartAll(42)), ends(0, "Completed")),
			again(func(f *facts) { f.restartsAll, f.restartingAll = true, true })},
		{"all start again, the kubelet says", pod(hasRules("adapter", restartAll(42)), ends(143, "Error"), isRestartingAll("True")),
			again(func(f *facts) { f.restartsAll, f.restartingAll = true, true })},
		{"all start again, an init container is stopped for it", pod(hasRules("adapter", restartAll(42)), waits("PodInitializing", ""), addsInit(container("setup"), terminated(143, "Error")), isRestartingAll("True")),
			again(func(f *facts) {
				f.restartsAll, f.restartingAll = true, true
				f.neverStarted = "init container setup exited with code 143: Error"
				f.waiting = "PodInitializing; " + f.neverStarted
			})},
		{"all have started again", pod(hasRules("adapter", restartAll(42)), ends(143, "Error"), isRestartingAll("False")),
			again(func(f *facts) { f.restartsAll = true; f.ended = run(143, "Error") })},
		{"all start again, its container is removed", pod(hasRules("adapter", restartAll(42)), ends(137, "RestartingAllContainers")),
			again(func(f *facts) { f.restartsAll = true })},
		{"all start again, it runs", pod(hasRules("adapter", restartAll(42)), endedBefore(137, "RestartingAllContainers")),
			again(func(f *facts) { f.restartsAll = true; f.running = true })},
		{"all would start again, but the Pod is deleted", pod(hasRules("adapter", restartAll(42)), ends(42, "Error"), isDeleted(none)),
			again(func(f *facts) { f.restartsAll, f.deleting = true, true; f.ended = run(42, "Error") })},
		{"all would start again, but the Pod is deleted, between two runs", pod(hasRules("adapter", restartAll(42)), waits("ContainerCreating", ""), endedBefore(137, "RestartingAllContainers"), isDeleted(none)),
			again(func(f *facts) {
				f.restartsAll, f.deleting = true, true
				f.waiting = "ContainerCreating"
				f.ended = run(137, "RestartingAllContainers")
			})},
		{"a rule for all that does not match", pod(hasRules("adapter", restartAll(42)), ends(41, "Error")),
			again(func(f *facts) { f.restartsAll = true; f.ended = run(41, "Error") })},
		{"a rule of its own before the one for all", pod(hasRules("adapter", restartAlone(42), restartAll(42)), ends(42, "Error")),
			again(func(f *facts) { f.restartsAll = true; f.crashed = run(42, "Error") })},

		{"the reporter", pod(reporterRuns(atSecond(3), 2), func(p *corev1.Pod) { status(p, reporterName).LastTerminationState = said("reported") }),
			oneOf(func(f *facts) { f.running = true; f.reporterStarted, f.reporterRestarts = atSecond(3), 2 })},
		{"the reporter as a native sidecar", pod(asSidecar, reporterRuns(atSecond(3), 2), func(p *corev1.Pod) { status(p, reporterName).LastTerminationState = said("reported") }),
			oneOf(func(f *facts) {
				f.running, f.sidecar = true, true
				f.reporterStarted, f.reporterRestarts, f.lastReport = atSecond(3), 2, "reported"
			})},
		{"the reporter reads as ended", pod(asSidecar, func(p *corev1.Pod) { status(p, reporterName).State = said("reported") }),
			oneOf(func(f *facts) { f.running, f.sidecar, f.reporterRestarts = true, true, 1 })},
		{"the reporter reads as ended, and to be started again", pod(func(p *corev1.Pod) {
			s := status(p, reporterName)
			s.State, s.LastTerminationState = waiting("CrashLoopBackOff", ""), said("")
		}), oneOf(func(f *facts) { f.running, f.reporterRestarts = true, 1 })},
		{"the reporter has no status yet", pod(func(p *corev1.Pod) { p.Status.ContainerStatuses = p.Status.ContainerStatuses[:1] }), oneOf(func(f *facts) { f.running = true })},

		{"an init container failed", pod(waits("PodInitializing", ""), addsInit(container("setup"), terminated(3, "Error"))),
			oneOf(func(f *facts) {
				f.failed = true
				f.neverStarted = "init container setup exited with code 3: Error"
				f.waiting = "PodInitializing; " + f.neverStarted
			})},
		{"an init container failed, no status of the adapter", pod(func(p *corev1.Pod) { p.Status.ContainerStatuses = nil }, addsInit(container("setup"), terminated(3, "Error"))),
			oneOf(func(f *facts) {
				f.failed = true
				f.neverStarted = "init container setup exited with code 3: Error"
				f.waiting = f.neverStarted
			})},
		{"an init container failed, and is started again", pod(func(p *corev1.Pod) { p.Spec.RestartPolicy = corev1.RestartPolicyOnFailure }, waits("PodInitializing", ""), addsInit(container("setup"), terminated(3, "Error"))),
			again(func(f *facts) {
				f.neverStarted = "init container setup exited with code 3: Error"
				f.waiting = "PodInitializing; " + f.neverStarted
			})},
		{"an init container failed after the adapter ran", pod(addsInit(container("setup"), terminated(3, "Error"))), oneOf(func(f *facts) { f.running = true })},
		{"a native sidecar in the way ended", pod(waits("PodInitializing", ""), addsInit(native(container("proxy")), terminated(3, "Error"))),
			oneOf(func(f *facts) {
				f.neverStarted = "init container proxy exited with code 3: Error"
				f.waiting = "PodInitializing; " + f.neverStarted
			})},
		{"an init container failed, the adapter is guessed to have ended", pod(ends(137, "ContainerStatusUnknown"), inPhase(corev1.PodFailed, "", ""), addsInit(container("setup"), terminated(3, "Error"))),
			oneOf(func(f *facts) {
				f.failed = true
				f.ended = run(137, "ContainerStatusUnknown")
				f.neverStarted = "init container setup exited with code 3: Error"
			})},

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
			r, err := findContainers(test.pod, "", variables)
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

// atSecond is a time of that many seconds into the story.
func atSecond(n int) time.Time { return start.Add(time.Duration(n) * sec) }

// The reporter's container ends and starts as well: that is no news.
func TestFactsOfAnotherContainer(t *testing.T) {
	p := pod(func(p *corev1.Pod) {
		s := status(p, reporterName)
		s.State, s.LastTerminationState = terminated(3, "Error"), terminated(3, "Error")
	})
	r, err := findContainers(p, "", variables)
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

func TestWhy(t *testing.T) {
	failed := inPhase(corev1.PodFailed, "", "")
	tests := []struct {
		name string
		pod  *corev1.Pod
		want []string
	}{
		{"nothing", pod(), nil},
		{"failed without a word", pod(failed), []string{"the Pod has failed"}},
		{"failed with a reason", pod(inPhase(corev1.PodFailed, "Evicted", "")), []string{"Evicted"}},
		{"failed and disrupted", pod(failed, isDisrupted("", "drained")), []string{"drained"}},
		{"failed and deleted", pod(failed, isDeleted(none)), nil},
		{"failed, and the adapter's end is known", pod(failed, ends(137, "ContainerStatusUnknown")), nil},
		{"failed with its init container", pod(failed, waits("PodInitializing", ""), addsInit(container("setup"), terminated(1, "Error"))), nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := findContainers(test.pod, "", variables)
			if err != nil {
				t.Fatal(err)
			}
			f := factsOf(test.pod, r)
			if diff := cmp.Diff(test.want, f.why()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if disturbed := len(f.causes) > 0 || f.deleting; f.disrupted() != disturbed {
				t.Errorf("disrupted: %v", f.disrupted())
			}
		})
	}
}

func TestCrashLooping(t *testing.T) {
	crash := terminated(1, "Error").Terminated
	tests := []struct {
		name  string
		facts facts
		want  bool
	}{
		{"no crash", facts{running: true, started: start}, false},
		{"no crash, waiting", facts{waiting: "ContainerCreating"}, false},
		{"waits to be started again", facts{crashed: crash, waiting: "CrashLoopBackOff", started: start.Add(-time.Hour)}, true},
		{"has just ended", facts{crashed: crash, started: start.Add(-time.Hour)}, true},
		{"has just been started again", facts{crashed: crash, running: true, started: start}, true},
		{"runs for less than a minute", facts{crashed: crash, running: true, started: start.Add(-59 * sec)}, true},
		{"runs for a minute", facts{crashed: crash, running: true, started: start.Add(-time.Minute)}, false},
		{"a second ahead of this clock", facts{crashed: crash, running: true, started: start.Add(sec)}, true},
		{"the clock was set back", facts{crashed: crash, running: true, started: start.Add(time.Hour)}, false},
		{"it is not known since when it runs", facts{crashed: crash, running: true}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.facts.crashLooping(start); got != test.want {
				t.Errorf("crash loop: %v, want %v", got, test.want)
			}
		})
	}
}

func TestGuessed(t *testing.T) {
	tests := []struct {
		code   int32
		reason string
		want   bool
	}{
		{137, "ContainerStatusUnknown", true},
		{0, "ContainerStatusUnknown", true},
		{137, "RestartingAllContainers", true},
		{255, "Unknown", true},
		{255, "Error", false},
		{255, "", false},
		{1, "Unknown", false},
		{137, "OOMKilled", false},
		{137, "Error", false},
		{0, "Completed", false},
	}
	for _, test := range tests {
		if got := guessed(terminated(test.code, test.reason).Terminated); got != test.want {
			t.Errorf("%d %s: guessed %v, want %v", test.code, test.reason, got, test.want)
		}
	}
}

func TestController(t *testing.T) {
	yes, no := true, false
	owned := func(owners ...metav1.OwnerReference) *corev1.Pod {
		return pod(func(p *corev1.Pod) { p.OwnerReferences = owners })
	}
	tests := []struct {
		name string
		pod  *corev1.Pod
		want bool
	}{
		{"none, as a copy that kubectl debug made", owned(), false},
		{"the Job", owned(metav1.OwnerReference{UID: "job", Controller: &yes}), true},
		{"the Job, among others", owned(metav1.OwnerReference{UID: "other"}, metav1.OwnerReference{UID: "job", Controller: &yes}), true},
		{"the Job owns it, but does not control it", owned(metav1.OwnerReference{UID: "job", Controller: &no}), false},
		{"the Job, before it was made anew", owned(metav1.OwnerReference{UID: "other", Controller: &yes}), false},
	}
	for _, test := range tests {
		if got := controlledBy(test.pod, "job"); got != test.want {
			t.Errorf("%s: controlled %v, want %v", test.name, got, test.want)
		}
	}
}
