package kubetest_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// A client's whole life in a bubble: requests and a watch on one HTTP/2
// connection, minutes of silence, a time-out, an end.
func TestBubble(t *testing.T) {
	bubble(t, func(t *testing.T, s *kubetest.Server, c *client) {
		start := time.Now()
		w := c.watch("&allowWatchBookmarks=true")
		for range 3 {
			if a := c.do("GET", jobPath, ""); a.code != 200 || a.proto != "HTTP/2.0" {
				t.Errorf("%d %s", a.code, a.proto)
			}
		}
		time.Sleep(5*time.Minute + time.Second)
		touchPod(s)
		if got, want := w.got(), "ADDED 1002, BOOKMARK 1002 initial, BOOKMARK 1002, BOOKMARK 1002, BOOKMARK 1002, BOOKMARK 1002, BOOKMARK 1002, MODIFIED 1003"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		s.Fault(patches, kubetest.HangRequest())
		took := c.within(10*time.Second, func() {
			if _, err := c.patch("Available", "True"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a hanging PATCH: %v", err)
			}
		})
		if took != 10*time.Second || s.Connections() != 1 {
			t.Errorf("took %s, %d connections", took, s.Connections())
		}
		if got := time.Since(start); got != 5*time.Minute+11*time.Second {
			t.Errorf("the clock went %s", got)
		}
	})
}

func TestHTTP1(t *testing.T) {
	bubble(t, func(t *testing.T, s *kubetest.Server, c *client) {
		c.Transport.(*http.Transport).ForceAttemptHTTP2 = false
		w := c.watch("&timeoutSeconds=60")
		if a := c.do("GET", jobPath, ""); a.code != 200 || a.proto != "HTTP/1.1" {
			t.Errorf("%d %s", a.code, a.proto)
		}
		s.Fault(patches, kubetest.TruncateAnswer(), kubetest.LoseAnswer())
		if a, err := c.patch("Available", "True"); err == nil || len(a.body) == 0 {
			t.Errorf("%q, %v", a.body, err)
		}
		if _, err := c.patch("Available", "True"); !errors.Is(err, syscall.ECONNRESET) {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		if got := w.got(); got != "ADDED 1002, end" {
			t.Errorf("got %q", got)
		}
	})
}

// isReset reports a connection reset. A client on a real network may also meet
// it while it writes, or see the end alone.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrUnexpectedEOF)
}

// networks runs a test on both kinds of network.
func networks(t *testing.T, test func(t *testing.T, s *kubetest.Server, c *client)) {
	t.Run("memory", func(t *testing.T) { bubble(t, test) })
	t.Run("loopback", func(t *testing.T) {
		s := kubetest.New(t)
		populate(s)
		test(t, s, newClient(t, s))
	})
}

func TestDown(t *testing.T) {
	networks(t, func(t *testing.T, s *kubetest.Server, c *client) {
		w := c.watch("")
		port := s.Port()
		s.Down()
		if <-w.done; !isReset(w.err) {
			t.Errorf("the watch: %v", w.err)
		}
		if _, err := c.try("GET", jobPath, ""); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("while down: %v", err)
		}
		s.Up()
		s.Up() // harmless
		if a := c.do("GET", jobPath, ""); a.code != 200 || s.Port() != port {
			t.Errorf("up again: %d on port %s", a.code, s.Port())
		}
	})
}

func TestCutConnections(t *testing.T) {
	networks(t, func(t *testing.T, s *kubetest.Server, c *client) {
		w := c.watch("")
		s.CutConnections()
		if <-w.done; !isReset(w.err) {
			t.Errorf("the watch: %v", w.err)
		}
		if a := c.do("GET", jobPath, ""); a.code != 200 || s.Connections() < 2 {
			t.Errorf("%d, %d connections", a.code, s.Connections())
		}
	})
}

func TestLoseAnswer(t *testing.T) {
	networks(t, func(t *testing.T, s *kubetest.Server, c *client) {
		s.Fault(patches, kubetest.LoseAnswer())
		if _, err := c.patch("Available", "True"); !isReset(err) || conditions(s) != "Available=True" {
			t.Errorf("%v, conditions %s", err, conditions(s))
		}
	})
}

// What is sent into a frozen network arrives when it thaws.
func TestFreeze(t *testing.T) {
	networks(t, func(t *testing.T, s *kubetest.Server, c *client) {
		s.Freeze()
		done := make(chan answer)
		go func() {
			a, err := c.try("GET", jobPath, "")
			if err != nil {
				t.Error(err)
			}
			done <- a
		}()
		if err := s.Wait(t.Context(), func() bool { return s.Connections() == 1 }); err != nil {
			t.Error(err)
		}
		if got := s.Requests(); len(got) != 0 {
			t.Errorf("through the ice came %v", got)
		}
		s.Thaw()
		if a := <-done; a.code != 200 {
			t.Errorf("%+v", a)
		}
	})
}

func TestFreezeBlackHole(t *testing.T) {
	bubble(t, func(t *testing.T, s *kubetest.Server, c *client) {
		try := func() error {
			_, err := c.try("GET", jobPath, "")
			return err
		}
		if err := try(); err != nil {
			t.Fatal(err)
		}
		s.Freeze()
		if took := c.within(10*time.Second, func() {
			if err := try(); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("on the frozen connection: %v", err)
			}
		}); took != 10*time.Second {
			t.Errorf("took %s", took)
		}
		other := newClient(t, s)
		other.Transport.(*http.Transport).TLSHandshakeTimeout = 3 * time.Second
		start := time.Now()
		if _, err := other.try("GET", jobPath, ""); err == nil || time.Since(start) != 3*time.Second {
			t.Errorf("a handshake in the ice: %v after %s", err, time.Since(start))
		}
		s.Thaw()
		if err := try(); err != nil || s.Connections() != 2 {
			t.Errorf("thawed: %v, %d connections", err, s.Connections())
		}

		s.FreezeConnections()
		if err := newClient(t, s).do("GET", jobPath, "").code; err != 200 {
			t.Errorf("a new connection beside frozen ones: %d", err)
		}
		c.within(time.Second, func() {
			if err := try(); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("on the frozen connection: %v", err)
			}
		})
	})
}

// The end of a test reaches clients even through a frozen network.
func TestCloseWhileFrozen(t *testing.T) {
	bubble(t, func(t *testing.T, s *kubetest.Server, c *client) {
		w := c.watch("")
		w.got()
		s.Freeze()
		touchPod(s)
		if got := w.got(); got != "ADDED 1002" {
			t.Errorf("through the ice came %q", got)
		}
		s.Close()
		if got := w.got(); got != "ADDED 1002, MODIFIED 1003, broken" {
			t.Errorf("got %q", got)
		}
	})
}

// Servers do not trust each other's clients.
func TestOwnCA(t *testing.T) {
	bubble(t, func(t *testing.T, s *kubetest.Server, c *client) {
		other := kubetest.New(t, kubetest.InMemory())
		c.s = other
		c.Transport.(*http.Transport).DialContext = other.Dial
		var unknown x509.UnknownAuthorityError
		if _, err := c.try("GET", jobPath, ""); !errors.As(err, &unknown) {
			t.Errorf("error %v", err)
		}
		if got := other.Requests(); len(got) != 0 {
			t.Errorf("%v", got)
		}
	})
}

func TestDialContext(t *testing.T) {
	bubble(t, func(t *testing.T, s *kubetest.Server, c *client) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Dial(ctx, "tcp", s.Host()+":"+s.Port()); err != context.Canceled {
			t.Errorf("error %v", err)
		}
		synctest.Wait()
	})
}
