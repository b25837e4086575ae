package kubeapi_test

import (
	"testing"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// slow makes the next requests of every method take that long.
func (w *world) slow(d time.Duration) {
	w.s.ClearFaults()
	w.s.Fault(kubetest.Match{}, kubetest.Proceed().After(d).Forever())
}

const ms = time.Millisecond

// What a request may take goes by what the ones before it took, whatever their
// method was: 1.3 times the slowest of the last eight, and more than a third of
// what is left where they need it.
func TestTimeGoesByRecentAnswers(t *testing.T) {
	hang := kubetest.HangRequest()
	for _, tt := range []struct {
		name   string
		before []time.Duration // answers to GET Job, on a used connection
		left   time.Duration   // until SIGKILL; 0: not known
		fault  kubetest.Fault  // of the PATCH
		takes  time.Duration
		ok     bool
	}{
		{"fast", []time.Duration{100 * ms}, 0, hang, 3 * time.Second, false},
		{"a little less than a used connection may take", []time.Duration{2 * time.Second}, 0, hang, 3 * time.Second, false},
		{"nearly all that it may", []time.Duration{2900 * ms}, 0, hang, 3770 * ms, false},
		{"nearly all, and the PATCH more", []time.Duration{2900 * ms}, 0, kubetest.Proceed().After(3700 * ms), 3700 * ms, true},
		{"growing", []time.Duration{2900 * ms, 3700 * ms, 4800 * ms}, 0, kubetest.Proceed().After(6200 * ms), 6200 * ms, true},
		{"growing, then nothing", []time.Duration{2900 * ms, 3700 * ms, 4800 * ms, 6200 * ms, 8000 * ms, 10300 * ms}, 0, hang, 13390 * ms, false},
		{"slowest of the last eight", []time.Duration{2900 * ms, 0, 0, 0, 0, 0, 0, 0}, 0, hang, 3770 * ms, false},
		{"slow eight answers ago", []time.Duration{2900 * ms, 0, 0, 0, 0, 0, 0, 0, 0}, 0, hang, 3 * time.Second, false},

		{"killed late", []time.Duration{2900 * ms}, 40 * time.Second, hang, 3770 * ms, false},
		{"killed soon", []time.Duration{2900 * ms}, 6 * time.Second, hang, 3770 * ms, false},
		{"killed soon, answered", []time.Duration{2900 * ms}, 6 * time.Second, kubetest.Proceed().After(2900 * ms), 2900 * ms, true},
		{"killed sooner than that", []time.Duration{2900 * ms}, 3 * time.Second, hang, 3 * time.Second, false},
		{"a fast server's answers need no more than a third", []time.Duration{100 * ms}, 3 * time.Second, hang, time.Second, false},
		{"a third is more than they need", []time.Duration{1000 * ms}, 6 * time.Second, hang, 2 * time.Second, false},
		{"more than a third is needed", []time.Duration{1500 * ms}, 3 * time.Second, hang, 1950 * ms, false},
		{"killed already", []time.Duration{2900 * ms}, -time.Second, hang, 200 * ms, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			protocols(t, func(w *world) {
				w.use()
				for _, d := range tt.before {
					w.s.Fault(jobGet, kubetest.Proceed().After(d))
					if took, err := timed(w.getJob); took != d || err != nil {
						w.Fatalf("an answer that takes %s: %s, %v", d, took, err)
					}
				}
				if tt.left != 0 {
					w.c.SetKillAt(time.Now().Add(tt.left))
				}
				w.s.Fault(jobPatch, tt.fault)
				if took, err := timed(w.patch); took != tt.takes || (err == nil) != tt.ok {
					w.Errorf("took %s, %v; want %s", took, err, tt.takes)
				}
			})
		})
	}
}

// An answer may be as slow as it likes; what is waited for is bounded.
func TestTimeIsBounded(t *testing.T) {
	bubble(t, func(w *world) {
		for _, d := range []time.Duration{9 * time.Second, 11 * time.Second, 14 * time.Second, 18 * time.Second, 23 * time.Second, 29 * time.Second} {
			w.slow(d)
			if took, err := timed(w.getJob); took != d || err != nil {
				t.Fatalf("an answer that takes %s: %s, %v", d, took, err)
			}
		}
		w.s.ClearFaults()
		w.s.Fault(jobPatch, kubetest.HangRequest())
		if took, err := timed(w.patch); took != 30*time.Second || err == nil {
			t.Errorf("took %s, %v", took, err)
		}
	})
}

// A server that is reached and does not answer may need longer than a new
// connection has, as with a dead webhook on each write; in a stop there is no time
// to find that out, and one that is not reached has no more of it.
func TestTimeGrowsWhereNobodyAnswers(t *testing.T) {
	sec := time.Second
	for _, tt := range []struct {
		name    string
		before  func(w *world)
		takes   []time.Duration
		answers bool // the last of them
	}{
		{"for good", func(w *world) { w.s.Fault(jobPatch, kubetest.HangRequest().Forever()) }, []time.Duration{3 * sec, 10 * sec, 20 * sec, 30 * sec, 30 * sec}, false},
		{"for ten seconds and a bit", func(w *world) { w.s.Fault(jobPatch, kubetest.Proceed().After(10100*ms).Forever()) }, []time.Duration{3 * sec, 10 * sec, 10100 * ms, 10100 * ms}, true},
		{"killed in a minute", func(w *world) {
			w.s.Fault(jobPatch, kubetest.HangRequest().Forever())
			w.c.SetKillAt(time.Now().Add(time.Minute))
		}, []time.Duration{3 * sec, 10 * sec, 10 * sec, 10 * sec}, false},
		{"not even a handshake", func(w *world) { w.s.Freeze() }, []time.Duration{3 * sec, 10 * sec, 10 * sec, 10 * sec}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.use()
				tt.before(w)
				for i, want := range tt.takes {
					took, err := timed(w.patch)
					if took != want || (err == nil) != (tt.answers && i >= 2) {
						w.Errorf("request %d took %s, %v; want %s", i+1, took, err, want)
					}
				}
				w.s.Thaw()
			})
		})
	}
}

// The headers of a watch are an answer; its silence is none.
func TestWatchAnswersCount(t *testing.T) {
	bubble(t, func(w *world) {
		w.s.Fault(podWatch, kubetest.Proceed().After(6*time.Second))
		w.follow(w.Context(), "")
		time.Sleep(20 * time.Minute)
		w.s.Fault(jobPatch, kubetest.HangRequest())
		if took, err := timed(w.patch); took != 7800*ms || err == nil {
			t.Errorf("took %s, %v", took, err)
		}
	})
}

// A server that was fast and is slow from one moment to the next is found to
// work, though every answer takes longer than a used connection may.
func TestServerThatBecomesSlow(t *testing.T) {
	for _, d := range []time.Duration{3100 * ms, 4900 * ms, 7 * time.Second, 9 * time.Second, 9900 * ms} {
		bubble(t, func(w *world) {
			w.follow(w.Context(), "")
			w.use()
			w.slow(d)
			if took, err := timed(w.getPod); took != 3*time.Second || err == nil {
				t.Errorf("%s, the first request: %s, %v", d, took, err)
			}
			w.follow(w.Context(), "") // first on the new connection
			for _, call := range []func() error{w.getJob, w.patch, w.getPod, w.patch} {
				if took, err := timed(call); took != d || err != nil {
					t.Errorf("%s: %s, %v", d, took, err)
				}
			}
		})
	}
}

// The same within a grace period: what it takes to read the Pod and the Job and
// to write is there, also where a third of what is left is not enough.
func TestSlowServerInAStop(t *testing.T) {
	for _, tt := range []struct {
		takes, left time.Duration
		known       bool // that the server is slow
		failures    int
	}{
		{1500 * ms, 5 * time.Second, true, 0},
		{2900 * ms, 10 * time.Second, true, 0},
		{4900 * ms, 15 * time.Second, true, 0},
		{4900 * ms, 30 * time.Second, true, 0},
		{4900 * ms, 30 * time.Second, false, 1}, // 3 s
		{4900 * ms, 22 * time.Second, false, 1}, // 3 s
		{1500 * ms, 9 * time.Second, false, 0},
		{1500 * ms, 4 * time.Second, false, 1}, // 1.3 s
	} {
		bubble(t, func(w *world) {
			w.use()
			if tt.known {
				w.s.CutConnections()
				time.Sleep(ms)
				w.slow(tt.takes)
				w.use()
			}
			w.slow(tt.takes)
			killAt := time.Now().Add(tt.left)
			w.c.SetKillAt(killAt)
			failures := 0
			calls := []func() error{w.getPod, w.getJob, w.patch}
			if tt.left < 5*time.Second {
				calls = calls[2:]
			}
			for _, call := range calls {
				for call() != nil {
					if failures++; failures > 5 {
						t.Fatalf("%+v: no answer is waited for", tt)
					}
				}
			}
			if failures != tt.failures || time.Now().After(killAt) {
				t.Errorf("%+v: %d requests failed, %s left", tt, failures, time.Until(killAt))
			}
		})
	}
}

// A black hole in a stop: several attempts, each on a connection of its own, and
// none is waited for beyond the end.
func TestBlackHoleInAStop(t *testing.T) {
	protocols(t, func(w *world) {
		w.use()
		w.c.SetKillAt(time.Now().Add(30 * time.Second))
		w.s.Fault(jobPatch, kubetest.HangRequest().Forever())
		for i, want := range []time.Duration{
			3 * time.Second,  // a used connection
			9 * time.Second,  // a third of 27 s
			10 * time.Second, // 1.3 times that, but no more than a new connection has
			8 * time.Second,  // all that is left
			200 * ms,
		} {
			if took, err := timed(w.patch); took != want || err == nil {
				w.Errorf("attempt %d: %s, %v; want %s", i, took, err, want)
			}
		}
		if n := w.s.Connections(); n != 5 {
			w.Errorf("%d connections, want 5", n)
		}
	})
}
