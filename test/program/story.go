package program

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// Story is one thing that goes wrong, played from start to end. Its name is a
// row of docs/faults.md, which TestFaultsDocument generates from these tables.
type Story struct {
	Name string
	Env  map[string]string
	Play func(h *Harness) // starts the reporter, and does to it what the name says
	Want contract.Outcome // zero: nothing can be delivered
	Exit int
	// Within bounds the whole run on the fake clock, where that is the point.
	Within time.Duration
	// AtLeast is what a run takes that does as the server asks.
	AtLeast time.Duration
	// Most bounds the requests of the whole run, where that is the point.
	Most int
	// Kill is when SIGKILL comes, counted from the end of play: what stands on the Job
	// by then counts, and nothing after.
	Kill time.Duration
	// Untold is a run that leaves the Job as it is: there is nothing to say.
	Untold bool
	// Badly is for stories that are played with each of BadAnswers to the next of
	// these requests, once play calls h.badly.
	Badly kubetest.Match
}

// BadAnswer is what a request may meet.
type BadAnswer struct {
	Name  string
	fault kubetest.Fault
}

// BadAnswers are what a request may meet once, where the server is well otherwise.
var BadAnswers = []BadAnswer{
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
	Good     = contract.Outcome{Status: contract.True, Reason: "Ready", Message: "all done"}
	GoodFile = `{"status":"success","reason":"Ready","message":"all done"}`
	// Yesterdays is a file that another Pod has left.
	Yesterdays = `{"status":"success","reason":"Yesterday","message":"of another Pod"}`
	Crashed    = contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterExitedWithError,
		Message: "Adapter container exited with code 1: Error"}
	OOMKilled = contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterOOMKilled,
		Message: "Adapter container was killed due to out of memory (OOMKilled)"}
	TimedOut = contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterTimeout,
		Message: "Adapter did not produce results within 5m0s"}
	Nothing contract.Outcome
)

// InterruptedBy is an adapter that was stopped, and what by.
func InterruptedBy(status contract.ConditionStatus, why string) contract.Outcome {
	return contract.Outcome{Status: status, Reason: contract.ReasonAdapterInterrupted,
		Message: "Adapter was stopped before it produced results: " + why}
}

// PlayStories plays each as a test of its own.
func PlayStories(t *testing.T, stories []Story) {
	c := DefaultCase(t)
	for _, s := range stories {
		play := func(t *testing.T, badly func(h *Harness)) {
			synctest.Test(t, func(t *testing.T) {
				h := NewHarness(t, c)
				h.Badly = func() { badly(h) }
				s.run(h)
			})
		}
		t.Run(s.Name, func(t *testing.T) {
			if s.Badly == (kubetest.Match{}) {
				play(t, func(*Harness) { t.Fatal("the story does not say which requests") })
				return
			}
			for _, bad := range BadAnswers {
				t.Run(bad.Name, func(t *testing.T) {
					play(t, func(h *Harness) { h.Server.Fault(s.Badly, bad.fault) })
				})
			}
		})
	}
}

func (s *Story) run(h *Harness) {
	t := h.T
	for k, v := range s.Env {
		h.Env[k] = v
	}
	s.Play(h)
	if s.Kill > 0 {
		s.endKilled(h)
		return
	}
	ran := h.End(s.Exit)
	if s.Within > 0 && ran > s.Within {
		t.Errorf("took %s, want at most %s", ran, s.Within)
	}
	if ran < s.AtLeast {
		t.Errorf("took %s, want at least %s", ran, s.AtLeast)
	}
	s.checkLoad(h)
	if s.Untold {
		if n := len(h.acknowledged()); n > 0 {
			t.Errorf("%d reports, want none", n)
		}
		return
	}
	if s.Want == Nothing {
		if h.Log.Has("reported") {
			t.Error("claims to have reported what never came through")
		}
		if last, _ := os.ReadFile(h.Last); len(last) == 0 {
			t.Error("the termination message says nothing of the report that is lost")
		}
		return
	}
	h.Expect(s.Want.Status, s.Want.Reason, strings.ReplaceAll(s.Want.Message, "/results/adapter-result.json", h.Path))
}

func (s *Story) checkLoad(h *Harness) {
	h.T.Helper()
	if n := len(h.Server.Requests()); s.Most > 0 && n > s.Most {
		h.T.Errorf("%d requests, want at most %d", n, s.Most)
	}
}

// endKilled has the process end as SIGKILL would have it.
func (s *Story) endKilled(h *Harness) {
	time.Sleep(s.Kill)
	synctest.Wait()
	s.checkLoad(h)
	h.Server.Down() // nothing after this is real
	h.Expect(s.Want.Status, s.Want.Reason, s.Want.Message)
	h.Wait()
}

// Run starts the reporter, waits a while, and leaves it waiting.
func (h *Harness) Run(d time.Duration) {
	h.Start()
	time.Sleep(d)
	synctest.Wait()
}

var (
	Anything = kubetest.Match{}
	Patches  = kubetest.Match{Verb: "patch"}
	Watches  = kubetest.Match{Verb: "watch"}
	PodReads = kubetest.Match{Verb: "get", Resource: "pods"}
	JobReads = kubetest.Match{Verb: "get", Resource: "jobs"}
)
