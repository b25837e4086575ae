package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
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
	// kill is when SIGKILL comes, counted from the end of play: what stands on the Job
	// by then counts, and nothing after.
	kill time.Duration
	// untold is a run that leaves the Job as it is: there is nothing to say.
	untold bool
	// badly is for stories that are played with each of badAnswers to the next of
	// these requests, once play calls h.badly.
	badly kubetest.Match
}

// badAnswers are what a request may meet once, where the server is well otherwise.
var badAnswers = []struct {
	name  string
	fault kubetest.Fault
}{
	{"403", kubetest.Status(http.StatusForbidden, metav1.StatusReasonForbidden, "is forbidden: User cannot do this at the cluster scope: RBAC: clusterrole not found")},
	{"403 of a mesh", kubetest.Respond(http.StatusForbidden, "text/plain", "RBAC: access denied")},
	{"429", kubetest.Status(http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests, "slow down").Header("Retry-After", "1")},
	{"500", kubetest.Status(http.StatusInternalServerError, metav1.StatusReasonInternalError, "leader changed")},
	{"503", kubetest.Status(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "not now")},
	{"504", kubetest.Status(http.StatusGatewayTimeout, metav1.StatusReasonTimeout, "timed out")},
	{"a page", kubetest.Respond(http.StatusBadGateway, "text/html", "<html>bad gateway</html>")},
	{"404 page", kubetest.Respond(http.StatusNotFound, "text/plain", "404 page not found")},
	{"cut off", kubetest.LoseRequest()},
	{"no answer", kubetest.HangRequest()},
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
		play := func(t *testing.T, badly func(h *harness)) {
			synctest.Test(t, func(t *testing.T) {
				h := newHarness(t, c)
				h.badly = func() { badly(h) }
				s.run(h)
			})
		}
		t.Run(s.name, func(t *testing.T) {
			if s.badly == (kubetest.Match{}) {
				play(t, func(*harness) { t.Fatal("the story does not say which requests") })
				return
			}
			for _, bad := range badAnswers {
				t.Run(bad.name, func(t *testing.T) {
					play(t, func(h *harness) { h.server.Fault(s.badly, bad.fault) })
				})
			}
		})
	}
}

func (s *story) run(h *harness) {
	t := h.t
	for k, v := range s.env {
		h.env[k] = v
	}
	s.play(h)
	if s.kill > 0 {
		s.endKilled(h)
		return
	}
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
	if s.untold {
		if n := len(h.acknowledged()); n > 0 {
			t.Errorf("%d reports, want none", n)
		}
		return
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
	h.expect(s.want.Status, s.want.Reason, strings.ReplaceAll(s.want.Message, "/results/adapter-result.json", h.path))
}

// endKilled has the process end as SIGKILL would have it.
func (s *story) endKilled(h *harness) {
	time.Sleep(s.kill)
	synctest.Wait()
	h.server.Down() // nothing after this is real
	h.expect(s.want.Status, s.want.Reason, s.want.Message)
	h.wait()
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
	r.updatePod(func(pod *corev1.Pod) { endRun(adapterStatus(pod), code, reason, "") })
}

// endRun is what the kubelet writes of a container's end.
func endRun(s *corev1.ContainerStatus, code int32, reason, message string) {
	end := &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, Message: message, FinishedAt: metav1.Now(),
		ContainerID: fmt.Sprintf("containerd://%s-%d", s.Name, s.RestartCount)}
	if s.State.Running != nil {
		end.StartedAt = s.State.Running.StartedAt
	}
	s.State = corev1.ContainerState{Terminated: end}
}

// beginRun is what it writes of the next start: of the end only lastState tells then.
func beginRun(s *corev1.ContainerStatus) {
	if s.State.Terminated != nil {
		s.LastTerminationState = s.State
	}
	s.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
	s.RestartCount++
}

func (r *rig) updatePod(change func(pod *corev1.Pod)) {
	r.api.UpdatePod(namespace, podName, change)
}

func adapterStatus(pod *corev1.Pod) *corev1.ContainerStatus { return statusOf(pod, "adapter") }

func statusOf(pod *corev1.Pod, name string) *corev1.ContainerStatus {
	for _, list := range [][]corev1.ContainerStatus{pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	panic("the Pod has no container " + name)
}
