package main

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

// story is one thing that goes wrong, played from start to end. Its name is a
// row of docs/faults.md, which TestFaultsDocument generates from these tables.
type story struct {
	name string
	env  map[string]string
	play func(h *harness) // starts the reporter, and does to it what the name says
	want contract.Outcome // zero: nothing can be delivered
	exit int
	// within bounds the whole run on the fake clock, where that is the point.
	within time.Duration
	// atLeast is what a run takes that does as the server asks.
	atLeast time.Duration
	// most bounds the requests of the whole run, where that is the point.
	most int
}

var (
	good     = contract.Outcome{Status: contract.True, Reason: "Ready", Message: "all done"}
	goodFile = `{"status":"success","reason":"Ready","message":"all done"}`
	crashed  = contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterExitedWithError,
		Message: "Adapter container exited with code 1: Error"}
	timedOut = contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterTimeout,
		Message: "Adapter did not produce results within 5m0s"}
	nothing contract.Outcome
)

func playStories(t *testing.T, stories []story) {
	c := defaultCase(t)
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { s.run(newHarness(t, c)) })
		})
	}
}

func (s *story) run(h *harness) {
	t := h.t
	for k, v := range s.env {
		h.env[k] = v
	}
	s.play(h)
	ran := h.end(s.exit)
	if s.within > 0 && ran > s.within {
		t.Errorf("took %s, want at most %s", ran, s.within)
	}
	if ran < s.atLeast {
		t.Errorf("took %s, want at least %s", ran, s.atLeast)
	}
	if n := len(h.server.Requests()); s.most > 0 && n > s.most {
		t.Errorf("%d requests, want at most %d", n, s.most)
	}
	if s.want == nothing {
		if h.log.has("reported") {
			t.Error("claims to have reported what never came through")
		}
		if last, _ := os.ReadFile(h.last); len(last) == 0 {
			t.Error("the termination message says nothing of the report that is lost")
		}
		return
	}
	h.expect(s.want.Status, s.want.Reason, s.want.Message)
}

// run starts the reporter, waits a while, and leaves it waiting.
func (h *harness) run(d time.Duration) {
	h.start()
	time.Sleep(d)
	synctest.Wait()
}

// finish is the adapter's end as it should be.
func (r *rig) finish() { r.write(goodFile) }

// crash ends the adapter with exit code 1.
func (r *rig) crash() { r.terminate(1, "Error") }

func (r *rig) terminate(code int32, reason string) {
	r.updatePod(func(pod *corev1.Pod) {
		s := adapterStatus(pod)
		s.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, ContainerID: "containerd://1"}}
	})
}

func (r *rig) updatePod(change func(pod *corev1.Pod)) {
	r.api.UpdatePod(namespace, podName, change)
}

func adapterStatus(pod *corev1.Pod) *corev1.ContainerStatus {
	for i := range pod.Status.ContainerStatuses {
		if s := &pod.Status.ContainerStatuses[i]; s.Name == "adapter" {
			return s
		}
	}
	panic("the Pod has no adapter")
}
