package kubeapi_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// protocols runs a test with HTTP/2 and with HTTP/1.1.
func protocols(t *testing.T, f func(w *world), opts ...kubetest.Option) {
	t.Helper()
	t.Run("HTTP2", func(t *testing.T) { bubble(t, f, opts...) })
	t.Run("HTTP1", func(t *testing.T) {
		t.Setenv("GODEBUG", "http2client=0")
		bubble(t, f, opts...)
	})
}

// How long a request waits, and that what comes in time is taken.
func TestTimeouts(t *testing.T) {
	for _, tt := range []struct {
		name  string
		used  bool          // the connection
		left  time.Duration // until SIGKILL; 0: not known
		fault kubetest.Fault
		takes time.Duration
		ok    bool
	}{
		{"new, headers in time", false, 0, kubetest.Proceed().After(9900 * time.Millisecond), 9900 * time.Millisecond, true},
		{"new, headers late", false, 0, kubetest.Proceed().After(10100 * time.Millisecond), 10 * time.Second, false},
		{"new, headers never", false, 0, kubetest.HangRequest(), 10 * time.Second, false},
		{"new, body never", false, 0, kubetest.SilentAnswer(), 10 * time.Second, false},
		{"new, half a body after 9 s", false, 0, kubetest.StallAnswer().After(9 * time.Second), 19 * time.Second, false},
		{"used, headers in time", true, 0, kubetest.Proceed().After(2900 * time.Millisecond), 2900 * time.Millisecond, true},
		{"used, headers late", true, 0, kubetest.Proceed().After(3100 * time.Millisecond), 3 * time.Second, false},
		{"used, answer never", true, 0, kubetest.HangAnswer(), 3 * time.Second, false},
		{"used, half a body", true, 0, kubetest.StallAnswer(), 3 * time.Second, false},
		{"used, half a body after 2 s", true, 0, kubetest.StallAnswer().After(2 * time.Second), 5 * time.Second, false},

		{"killed late, new", false, 40 * time.Second, kubetest.HangRequest(), 10 * time.Second, false},
		{"killed in 15 s, new", false, 15 * time.Second, kubetest.HangRequest(), 5 * time.Second, false},
		{"killed in 15 s, used", true, 15 * time.Second, kubetest.HangRequest(), 3 * time.Second, false},
		{"killed in 6 s, used", true, 6 * time.Second, kubetest.HangRequest(), 2 * time.Second, false},
		{"killed in 6 s, half a body after 1 s", true, 6 * time.Second, kubetest.StallAnswer().After(time.Second), 3 * time.Second, false},
		{"killed in 600 ms", true, 600 * time.Millisecond, kubetest.HangRequest(), 200 * time.Millisecond, false},
		{"killed in 30 ms", true, 30 * time.Millisecond, kubetest.HangRequest(), 200 * time.Millisecond, false},
		{"killed already", true, -time.Minute, kubetest.HangRequest(), 200 * time.Millisecond, false},
		{"killed already, answered in time", true, -time.Minute, kubetest.Proceed().After(190 * time.Millisecond), 190 * time.Millisecond, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			protocols(t, func(w *world) {
				if tt.used {
					w.use()
				}
				if tt.left != 0 {
					w.c.SetKillAt(time.Now().Add(tt.left))
				}
				w.s.Fault(jobPatch, tt.fault)
				took, err := timed(w.patch)
				if took != tt.takes || (err == nil) != tt.ok {
					w.Errorf("took %s, error %v; want %s", took, err, tt.takes)
				}
				if tt.ok {
					return
				}
				mayPass(w.T, err)
				before := w.s.Connections()
				if err := w.patch(); err != nil {
					w.Errorf("the next attempt: %v", err)
				}
				if n := w.s.Connections(); n != before+1 {
					w.Errorf("the next attempt used connection %d of %d, want a new one", n, before)
				}
			})
		})
	}
}

// The text is that of the limit, not of net/http.
func TestTimeoutText(t *testing.T) {
	bubble(t, func(w *world) {
		w.use()
		w.s.Fault(jobGet, kubetest.HangRequest())
		if err := w.getJob(); err == nil || err.Error() != "GET "+jobPath+": no answer within 3s" {
			t.Error(err)
		}
		w.c.SetKillAt(time.Now().Add(13 * time.Second))
		w.s.Fault(jobGet, kubetest.StallAnswer())
		if err := w.getJob(); err == nil || err.Error() != "GET "+jobPath+": no answer within 4.333s" {
			t.Error(err)
		}
	})
}

// Black holes of every kind: what can be told is told in time, and the first
// attempt after them succeeds.
func TestBlackHoles(t *testing.T) {
	for _, tt := range []struct {
		name   string
		used   bool
		freeze func(s *kubetest.Server)
		takes  time.Duration
	}{
		{"handshake", false, (*kubetest.Server).Freeze, 10 * time.Second},
		{"connection", true, (*kubetest.Server).Freeze, 3 * time.Second},
		{"connection, new ones work", true, (*kubetest.Server).FreezeConnections, 3 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			protocols(t, func(w *world) {
				if tt.used {
					w.use()
				}
				tt.freeze(w.s)
				took, err := timed(w.patch)
				if took != tt.takes {
					w.Errorf("took %s, want %s", took, tt.takes)
				}
				mayPass(w.T, err)
				if tt.name != "connection, new ones work" {
					if took, err := timed(w.patch); took != 10*time.Second || err == nil {
						w.Errorf("in the black hole still: took %s, %v; want 10 s for a new connection", took, err)
					}
					w.s.Thaw()
				}
				if took, err := timed(w.patch); took != 0 || err != nil {
					w.Errorf("after it: took %s, %v", took, err)
				}
			})
		})
	}
}

// The end of the caller's own context is told as that, and is no reason to
// leave the connection.
func TestCallersContext(t *testing.T) {
	protocols(t, func(w *world) {
		w.use()
		mine := errors.New("mine")
		for _, tt := range []struct {
			name  string
			ctx   func() (context.Context, context.CancelFunc)
			fault kubetest.Fault
			want  error
		}{
			{"deadline", func() (context.Context, context.CancelFunc) { return context.WithTimeout(w.Context(), time.Second) },
				kubetest.HangRequest(), context.DeadlineExceeded},
			{"deadline in the body", func() (context.Context, context.CancelFunc) { return context.WithTimeout(w.Context(), time.Second) },
				kubetest.StallAnswer(), context.DeadlineExceeded},
			{"cancelled", func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(w.Context())
				time.AfterFunc(time.Second, cancel)
				return ctx, cancel
			}, kubetest.HangRequest(), context.Canceled},
			{"cause", func() (context.Context, context.CancelFunc) {
				return context.WithTimeoutCause(w.Context(), time.Second, mine)
			}, kubetest.HangRequest(), mine},
		} {
			w.s.Fault(jobGet, tt.fault)
			ctx, cancel := tt.ctx()
			began := time.Now()
			_, err := w.c.GetJob(ctx)
			if took := time.Since(began); took != time.Second || !errors.Is(err, tt.want) {
				w.Errorf("%s: took %s, %v; want %v after 1 s", tt.name, took, err, tt.want)
			}
			if refused(err) {
				w.Errorf("%s: an answer of the API server's", tt.name)
			}
			cancel()
			synctest.Wait()
		}
		if first := w.s.Requests()[0]; first.Proto == "HTTP/2.0" && w.s.Connections() != 1 {
			w.Errorf("%d connections", w.s.Connections())
		}
	})
}

// A connection is a used one when it has answered, not when it carries a
// request.
func TestConnectionThatHasNotAnswered(t *testing.T) {
	bubble(t, func(w *world) {
		w.s.Fault(podGet, kubetest.Proceed().After(5*time.Second))
		w.s.Fault(jobGet, kubetest.Proceed().After(5*time.Second))
		first := make(chan error, 1)
		go func() { first <- w.getPod() }()
		time.Sleep(time.Second)
		if took, err := timed(w.getJob); took != 5*time.Second || err != nil {
			t.Errorf("%s, %v", took, err)
		}
		if err := <-first; err != nil || w.s.Connections() != 1 {
			t.Errorf("%v, %d connections", err, w.s.Connections())
		}
	})
}

// A connection that was lost without a time-out is followed by a new one with
// the time of a new one.
func TestReconnectionHasTheTimeOfANewConnection(t *testing.T) {
	protocols(t, func(w *world) {
		w.use()
		w.s.CutConnections()
		synctest.Wait()
		w.s.Fault(jobPatch, kubetest.Proceed().After(5*time.Second))
		if took, err := timed(w.patch); took != 5*time.Second || err != nil {
			w.Errorf("%s, %v", took, err)
		}
	})
}

// A server that takes longer than a used connection may, yet answers, gets the
// longer limit on the next attempt, though a watch has come first on the new
// connection. One that has answered fast for a while is trusted again.
func TestSlowServer(t *testing.T) {
	bubble(t, func(w *world) {
		f := w.follow(w.Context(), "")
		w.s.Fault(jobPatch, kubetest.Proceed().After(5*time.Second).Forever())
		mayPass(w.T, w.patch())
		<-f.ended
		w.follow(w.Context(), "")
		w.use()
		for range 2 {
			if took, err := timed(w.patch); took != 5*time.Second || err != nil {
				t.Errorf("the next attempt: %s, %v", took, err)
			}
		}
		w.s.ClearFaults()
		for range 8 {
			if err := w.patch(); err != nil {
				t.Error(err)
			}
		}
		w.s.Fault(jobPatch, kubetest.HangRequest())
		if took, err := timed(w.patch); took != 3*time.Second || err == nil {
			t.Errorf("after fast answers: %s, %v", took, err)
		}
	})
}
