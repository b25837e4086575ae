package kubetest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

var patches = kubetest.Match{Verb: "patch", Resource: "jobs/status"}

// What a fault does to a PATCH: seen by the client, by the Job and by the
// record of requests.
func TestFaults(t *testing.T) {
	const limit = 10 * time.Second // the client's, for one request
	tests := []struct {
		name    string
		fault   kubetest.Fault
		applied bool
		code    int           // of a whole answer
		err     error         // instead of one
		took    time.Duration // on the fake clock
		record  int           // the Code on record
		conns   int           // after one more request
	}{
		{name: "proceed", fault: kubetest.Proceed(), applied: true, code: 200, record: 200, conns: 1},
		{name: "delay", fault: kubetest.Proceed().After(3 * time.Second), applied: true, code: 200, record: 200, took: 3 * time.Second, conns: 1},
		{name: "delay beyond the client's patience", fault: kubetest.Proceed().After(time.Minute), err: context.DeadlineExceeded, took: limit, conns: 1},
		{name: "refusal", fault: kubetest.Status(503, "ServiceUnavailable", "m"), code: 503, record: 503, conns: 1},
		{name: "late refusal", fault: kubetest.Status(503, "ServiceUnavailable", "m").After(time.Second), code: 503, record: 503, took: time.Second, conns: 1},
		{name: "lost request", fault: kubetest.LoseRequest(), err: syscall.ECONNRESET, conns: 2},
		{name: "hanging request", fault: kubetest.HangRequest(), err: context.DeadlineExceeded, took: limit, conns: 1},
		{name: "lost answer", fault: kubetest.LoseAnswer(), applied: true, err: syscall.ECONNRESET, conns: 2},
		{name: "late lost answer", fault: kubetest.LoseAnswer().After(2 * time.Second), applied: true, err: syscall.ECONNRESET, took: 2 * time.Second, conns: 2},
		{name: "hanging answer", fault: kubetest.HangAnswer(), applied: true, err: context.DeadlineExceeded, took: limit, conns: 1},
		{name: "silent answer", fault: kubetest.SilentAnswer(), applied: true, err: context.DeadlineExceeded, took: limit, record: 200, conns: 1},
		{name: "stalled answer", fault: kubetest.StallAnswer(), applied: true, err: context.DeadlineExceeded, took: limit, record: 200, conns: 1},
		{name: "half an answer", fault: kubetest.TruncateAnswer(), applied: true, err: errTruncated, record: 200, conns: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *kubetest.Server, c *client) {
				c.do("GET", jobPath, "") // the connection is there
				s.Fault(patches, tt.fault)
				var a answer
				var err error
				took := c.within(limit, func() { a, err = c.patch("Available", "True") })

				if (tt.err == nil) != (err == nil) || a.code != tt.code && tt.err == nil {
					t.Errorf("code %d, error %v", a.code, err)
				}
				if tt.err == errTruncated {
					if half := len(mustMarshal(t, s.Job("ns", "job"))) / 2; len(a.body) != half || !strings.Contains(err.Error(), "INTERNAL_ERROR") {
						t.Errorf("%d bytes of %d, %v", len(a.body), half, err)
					}
				} else if !errors.Is(err, tt.err) {
					t.Errorf("error %v, want %v", err, tt.err)
				}
				if applied := conditions(s) != ""; applied != tt.applied {
					t.Errorf("applied: %t", applied)
				}
				if took != tt.took {
					t.Errorf("took %s, want %s", took, tt.took)
				}
				if r := s.Requests(patches)[0]; r.Code != tt.record || r.Fault != tt.fault.String() || r.Body == nil {
					t.Errorf("on record: %+v", r)
				}
				synctest.Wait() // the client has put a dead connection away
				if a, err = c.patch("Available", "True"); err != nil || a.code != 200 {
					t.Errorf("the next request: %d, %v", a.code, err)
				}
				if s.Connections() != tt.conns {
					t.Errorf("%d connections, want %d", s.Connections(), tt.conns)
				}
			})
		})
	}
}

var errTruncated = errors.New("half an answer")

func mustMarshal(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFaultsOnWatches(t *testing.T) {
	tests := []struct {
		fault kubetest.Fault
		want  string
	}{
		{kubetest.SilentAnswer(), ""},
		{kubetest.HangAnswer(), ""},
		{kubetest.StallAnswer(), ""},
		{kubetest.TruncateAnswer(), "garbage, broken"},
		{kubetest.Respond(200, "application/json", "{\"type\":\"NEWS\",\"object\":{}}\n"), "NEWS, end"},
	}
	for _, tt := range tests {
		bubble(t, func(t *testing.T, s *kubetest.Server, c *client) {
			s.Fault(kubetest.Match{Verb: "watch"}, tt.fault)
			w := c.watch("")
			time.Sleep(5 * time.Minute)
			if got := w.got(); got != tt.want {
				t.Errorf("%s: got %q, want %q", tt.fault, got, tt.want)
			}
		})
	}
}

func TestSilentAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, s *kubetest.Server, c *client) {
		s.Fault(patches, kubetest.SilentAnswer())
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()
		resp, err := c.send(ctx, "PATCH", patchPath, "{}")
		if err != nil || resp.StatusCode != 200 || resp.ContentLength <= 0 || time.Since(start) != 0 {
			t.Fatalf("headers: %+v, %v", resp, err)
		}
		defer resp.Body.Close()
		if b, err := io.ReadAll(resp.Body); len(b) != 0 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("body: %q, %v", b, err)
		}
	})
}

// The headers of the watch are on their way when its first event is lost; the
// client may or may not see them.
func TestLoseAnswerOfWatch(t *testing.T) {
	bubble(t, func(t *testing.T, s *kubetest.Server, c *client) {
		s.Fault(kubetest.Match{Verb: "watch"}, kubetest.LoseAnswer())
		if a, err := c.try("GET", watchPath, ""); !errors.Is(err, syscall.ECONNRESET) || a.body != "" {
			t.Errorf("%q, %v", a.body, err)
		}
	})
}

// Answers of something that is not the API server.
func TestRespond(t *testing.T) {
	bubble(t, func(t *testing.T, s *kubetest.Server, c *client) {
		busy := kubetest.Status(429, "TooManyRequests", "slow down")
		s.Fault(kubetest.Match{},
			kubetest.Respond(502, "text/html", "<html>"),
			kubetest.Respond(302, "text/html", "").Header("Location", "https://elsewhere/"),
			busy.Header("Retry-After", "7"),
			busy,
		)
		html := c.do("GET", podPath, "")
		if html.code != 502 || html.body != "<html>" || html.header.Get("Content-Type") != "text/html" {
			t.Errorf("%+v", html)
		}
		if redirect := c.do("GET", podPath, ""); redirect.code != 302 || redirect.header.Get("Location") != "https://elsewhere/" {
			t.Errorf("%+v", redirect)
		}
		late := c.do("GET", podPath, "")
		want := &metav1.Status{
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
			Status:   "Failure", Code: 429, Reason: "TooManyRequests", Message: "slow down",
		}
		if diff := cmp.Diff(want, decode[metav1.Status](t, late.body)); diff != "" || late.header.Get("Retry-After") != "7" {
			t.Errorf("%v\n%s", late.header, diff)
		}
		if other := c.do("GET", podPath, ""); other.code != 429 || other.header.Get("Retry-After") != "" {
			t.Errorf("a copy's header got into the original: %v", other.header)
		}
	})
}

func TestFaultQueues(t *testing.T) {
	s := kubetest.New(t, kubetest.InMemory())
	populate(s)
	c := newClient(t, s)
	codes := func(n int) (got []int) {
		for range n {
			got = append(got, c.do("GET", jobPath, "").code)
		}
		return got
	}
	respond := func(code int) kubetest.Fault { return kubetest.Respond(code, "text/plain", "") }

	s.Fault(kubetest.Match{Verb: "get", Resource: "pods"}, respond(599)) // no request meets it
	s.Fault(kubetest.Match{Verb: "get", Resource: "jobs"}, respond(501), kubetest.Proceed(), respond(502).Times(2))
	s.Fault(kubetest.Match{Name: "job"}, respond(503).Forever())
	if diff := cmp.Diff([]int{501, 200, 502, 502, 503, 503}, codes(6)); diff != "" {
		t.Error(diff)
	}
	s.ClearFaults()
	if diff := cmp.Diff([]int{200}, codes(1)); diff != "" {
		t.Error(diff)
	}
	if got := c.do("GET", podPath, "").code; got != 200 {
		t.Errorf("ClearFaults left a fault: %d", got)
	}
}

// Do runs at a known point: here the Job goes away between arrival and work.
func TestFaultDo(t *testing.T) {
	s := kubetest.New(t, kubetest.InMemory())
	populate(s)
	s.Fault(patches, kubetest.Proceed().Do(func() { s.DeleteJob("ns", "job") }))
	if a, err := newClient(t, s).patch("Available", "True"); err != nil || a.code != 404 {
		t.Errorf("%d, %v", a.code, err)
	}
}

// A fault does not outlive the server.
func TestCloseEndsHanging(t *testing.T) {
	for _, f := range []kubetest.Fault{kubetest.HangRequest(), kubetest.HangAnswer(), kubetest.StallAnswer(), kubetest.Proceed().After(time.Hour)} {
		bubble(t, func(t *testing.T, s *kubetest.Server, c *client) {
			s.Fault(patches, f)
			failed := make(chan error)
			go func() { _, err := c.patch("Available", "True"); failed <- err }()
			synctest.Wait()
			start := time.Now()
			s.Close()
			if err := <-failed; err == nil || time.Since(start) != 0 {
				t.Errorf("%s: error %v after %s", f, err, time.Since(start))
			}
			s.Close() // harmless
			synctest.Wait()
			if _, err := c.try("GET", jobPath, ""); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("after Close: %v", err)
			}
		})
	}
}

// With HTTP/1.1 nobody looks at a connection whose request is not read to its
// end.
func TestCloseEndsHangingUpload(t *testing.T) {
	bubble(t, func(t *testing.T, s *kubetest.Server, c *client) {
		c.Transport.(*http.Transport).ForceAttemptHTTP2 = false
		s.Fault(patches, kubetest.HangRequest())
		failed := make(chan error)
		go func() { _, err := c.try("PATCH", patchPath, strings.Repeat(" ", 4<<20)); failed <- err }()
		synctest.Wait()
		s.Close()
		if err := <-failed; err == nil {
			t.Error("no error")
		}
	})
}

func TestWaiting(t *testing.T) {
	bubble(t, func(t *testing.T, s *kubetest.Server, c *client) {
		s.Fault(patches, kubetest.Proceed().After(time.Minute))
		go c.patch("Available", "True")
		start := time.Now()
		arrived, err := s.WaitRequests(t.Context(), patches, 1)
		if err != nil || len(arrived) != 1 || time.Since(start) != 0 {
			t.Errorf("%v, %v after %s", arrived, err, time.Since(start))
		}
		answered, err := s.WaitAnswers(t.Context(), patches, 1)
		if err != nil || len(answered) != 1 || answered[0].Code != 200 || time.Since(start) != time.Minute {
			t.Errorf("%v, %v after %s", answered, err, time.Since(start))
		}
		go func() {
			time.Sleep(time.Second)
			s.UpdateJob("ns", "job", func(j *batchv1.Job) { j.Status.Failed = 1 })
		}()
		if err := s.Wait(t.Context(), func() bool { return s.Job("ns", "job").Status.Failed == 1 }); err != nil || time.Since(start) != 61*time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, io.ErrNoProgress)
		defer cancel()
		if _, err := s.WaitRequests(ctx, patches, 2); err != io.ErrNoProgress {
			t.Errorf("Wait beyond its context: %v", err)
		}
	})
}
