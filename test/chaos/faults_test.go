package chaos

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
	"github.com/openshift-hyperfleet/status-reporter/test/program"
)

// drawFaults draws what goes wrong with the API server and on the way to it.
func (s *scenario) drawFaults() {
	if s.chance(0.25) {
		return
	}
	if s.stop == "deleted" || s.stop == "drained" || s.stop == "Job's deadline" {
		if s.chance(0.2) {
			s.slowDrain()
			return
		}
	}
	for range 1 + s.rng.IntN(3) {
		s.drawFault(s.key())
	}
}

// slowDrain is a server that is slow since a whole node is drained.
func (s *scenario) slowDrain() {
	s.slow = s.span(500*ms, 5*time.Second)
	at := max(0, s.stopAt-s.span(10*time.Second, 100*time.Second))
	s.trouble(at, 3*time.Hour, fmt.Sprintf("each answer comes %s late", s.slow), func(w *world) {
		w.faults["a slow drain"]++
		w.Server.Fault(program.Anything, kubetest.Proceed().After(s.slow).Forever())
	})
}

func (s *scenario) drawFault(at time.Duration) {
	d := s.length()
	switch s.weighted("down", 14, "frozen", 8, "dead connections", 8, "cut", 4, "burst", 30, "watch", 12, "token", 6, "RBAC", 8, "slow", 6, "down, then refuses", 6) {
	case "down":
		s.between(at, d, "the server is down", release((*kubetest.Server).Down), on((*kubetest.Server).Up))
	case "frozen":
		s.between(at, d, "the server says nothing", freeze((*kubetest.Server).Freeze), release(func(k *kubetest.Server) {
			if s.chance(0.5) {
				k.CutConnections()
			}
			k.Thaw()
		}))
	case "dead connections":
		dead := freeze((*kubetest.Server).FreezeConnections)
		if s.chance(0.5) {
			s.between(at, d, "the connections are dead", dead, release((*kubetest.Server).Thaw))
		} else {
			s.trouble(at, 0, "the connections are dead for good", dead)
		}
	case "cut":
		s.trouble(at, 0, "the connections are cut", release((*kubetest.Server).CutConnections))
	case "burst":
		s.burst(at)
	case "watch":
		s.spoilWatch(at)
	case "token":
		s.between(at, d, "the token is not accepted", on(func(k *kubetest.Server) { k.SetAcceptedTokens("new") }),
			on(func(k *kubetest.Server) { k.RotateToken("new", false) }))
	case "RBAC":
		s.drawRole(at, d)
	case "down, then refuses": // its informers have not synced when it is back
		s.between(at, d, "the server is down", release((*kubetest.Server).Down), on((*kubetest.Server).Up))
		s.refuse(at+d, s.span(100*ms, 20*time.Second), [][2]string{{"watch", "pods"}, {"get", "pods"}, {"get", "jobs"}, {"patch", "jobs/status"}})
	case "slow":
		late := s.span(100*ms, 9*time.Second)
		s.between(at, d, fmt.Sprintf("each answer comes %.0f s late", late.Seconds()),
			on(func(k *kubetest.Server) { k.Fault(program.Anything, kubetest.Proceed().After(late).Forever()) }), on((*kubetest.Server).ClearFaults))
	}
}

func on(do func(k *kubetest.Server)) func(w *world) { return func(w *world) { do(w.Server) } }

// freeze is for what makes black holes of connections, release for what makes
// them let go.
func freeze(do func(k *kubetest.Server)) func(w *world) {
	return func(w *world) {
		if w.frozen == 0 {
			w.frozen = w.now()
		}
		do(w.Server)
	}
}

func release(do func(k *kubetest.Server)) func(w *world) {
	return func(w *world) {
		w.releases = append(w.releases, w.now())
		do(w.Server)
	}
}

// length is how long something lasts: seconds mostly, a minute or two at times,
// longer than anybody waits now and then.
func (s *scenario) length() time.Duration {
	switch n := s.rng.IntN(20); {
	case n == 0:
		return s.span(20*time.Minute, 70*time.Minute)
	case n < 5:
		return s.span(20*time.Second, 150*time.Second)
	}
	return s.span(100*ms, 20*time.Second)
}

// trouble is something that happens to the server; what it brings about lasts
// for a while.
func (s *scenario) trouble(at, lasts time.Duration, what string, do func(w *world)) {
	s.at(at, what, func(w *world) {
		w.trouble(w.now(), w.now()+lasts)
		do(w)
	})
}

func (s *scenario) between(at, lasts time.Duration, what string, begin, end func(w *world)) {
	s.at(at, fmt.Sprintf("%s, for %s", what, lasts), func(w *world) {
		w.trouble(w.now(), w.now()+lasts)
		w.faults[what]++
		begin(w)
	})
	s.at(at+lasts, "no more: "+what, func(w *world) {
		w.trouble(w.now(), w.now())
		end(w)
	})
}

// drawRole takes rights away for a while; from the start, it is a Role that
// comes late.
func (s *scenario) drawRole(at, d time.Duration) {
	if s.chance(0.5) {
		at = 0
	}
	rights := [][2]string{{"watch", "pods"}, {"get", "pods"}, {"get", "jobs"}, {"patch", "jobs/status"}}
	if s.chance(0.5) {
		n := s.rng.IntN(len(rights))
		rights = rights[n : n+1]
	}
	s.refuse(at, d, rights)
}

func (s *scenario) refuse(at, d time.Duration, rights [][2]string) {
	s.refuses = true
	s.between(at, d, fmt.Sprint("no right to ", rights), func(w *world) {
		for _, r := range rights {
			w.Server.Deny(r[0], r[1])
		}
	}, func(w *world) {
		for _, r := range rights {
			if !(s.noWatch && r[0] == "watch" || s.noPods && r[1] == "pods" || s.noJobs && r[1] == "jobs") {
				w.Server.Allow(r[0], r[1])
			}
		}
	})
}

// burst lets faults befall the next requests of a kind.
func (s *scenario) burst(at time.Duration) {
	of := []kubetest.Match{program.Patches, program.Patches, program.Patches, program.JobReads, program.PodReads, program.Watches, program.Anything}
	match := of[s.rng.IntN(len(of))]
	f := s.fault(match).Times(1 + s.rng.IntN(8))
	s.at(at, fmt.Sprintf("%s of %+v, some times", f, match), func(w *world) { w.Server.Fault(match, f) })
}

func (s *scenario) fault(match kubetest.Match) kubetest.Fault {
	f := kubetest.Proceed()
	switch s.weighted("code", 40, "429", 12, "page", 12, "lose", 8, "answer", 12, "hang", 10, "slow", 6) {
	case "code":
		code := s.pick(500, 503, 504, 408, 409, 425, 401)
		f = kubetest.Status(code, "", "not now")
		if s.chance(0.3) {
			f = f.Header("Retry-After", fmt.Sprint(s.retryAfter(1, 2, 10)))
		}
	case "429":
		f = kubetest.Status(429, metav1.StatusReasonTooManyRequests, "slow down").Header("Retry-After", fmt.Sprint(s.retryAfter(1, 2, 5, 32, 86400)))
	case "page":
		f = kubetest.Respond(s.pick(502, 500, 404, 302, 200), "text/html", "<html>welcome</html>")
		if s.chance(0.4) {
			f = kubetest.Respond(200, "application/json", []string{`{"kind":"Job","metadata":{]`, `{"kind":"Status","status":"Success"}`,
				`{"kind":"Job","metadata":{"name":"` + program.JobName + `"}}`}[s.rng.IntN(3)])
		}
	case "lose":
		f = kubetest.LoseRequest()
	case "answer":
		f = []kubetest.Fault{kubetest.LoseAnswer(), kubetest.TruncateAnswer()}[s.rng.IntN(2)]
	case "hang":
		f = []kubetest.Fault{kubetest.HangRequest(), kubetest.HangAnswer(), kubetest.StallAnswer(), kubetest.SilentAnswer()}[s.rng.IntN(4)]
	case "slow":
		f = kubetest.Proceed().After(s.span(50*ms, 12*time.Second))
	}
	return f
}

// retryAfter draws a Retry-After, and notes it.
func (s *scenario) retryAfter(of ...int) int {
	n := s.pick(of...)
	s.wishes = max(s.wishes, min(30*time.Second, time.Duration(n)*time.Second))
	return n
}

func (s *scenario) spoilWatch(at time.Duration) {
	kind := s.weighted("closed", 3, "broken", 3, "410", 3, "garbage", 1, "5 MiB", 1, "unknown", 2, "bookmark", 1, "silent", 2, "closes at once", 2)
	s.trouble(at, 0, "watch: "+kind, on(func(k *kubetest.Server) {
		switch kind {
		case "closed":
			k.CloseWatches()
		case "broken":
			k.BreakWatches()
		case "410":
			k.Compact()
			k.CloseWatches()
		case "garbage":
			k.SendEvent([]byte("{]\n"))
		case "5 MiB":
			k.SendEvent([]byte(`{"type":"MODIFIED","object":{"metadata":{"annotations":{"a":"` + strings.Repeat("x", 5<<20) + "\"}}}}\n"))
		case "unknown":
			k.SendEvent([]byte(`{"type":"NOVELTY","object":{"kind":"Pod"}}` + "\n"))
		case "bookmark":
			k.Bookmark()
		case "silent":
			k.Fault(program.Watches, kubetest.SilentAnswer())
			k.CloseWatches()
		case "closes at once":
			k.Fault(program.Watches, kubetest.Respond(http.StatusOK, "application/json", "").Times(5))
			k.CloseWatches()
		}
	}))
}
