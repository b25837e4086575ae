package program

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
	"github.com/openshift-hyperfleet/status-reporter/testdata/suite"
)

// Where every case plays.
const (
	Namespace = "adapters"
	JobName   = "adapter-job"
	PodName   = "adapter-job-x7k2p"
)

// Harness is a rig in a synctest bubble: its clock is fake, its server in
// memory, its files real. Inotify has no place in a bubble (its reads are the
// kernel's), so the file is polled; a Child has it all for real.
type Harness struct {
	*Rig
	Server *kubetest.Server
	Badly  func() // gives the story's next request a bad answer
}

// Bubble runs a test in a bubble with a Job, its Pod and a reporter that is not
// started yet.
func Bubble(t *testing.T, f func(h *Harness)) {
	t.Helper()
	c := DefaultCase(t)
	synctest.Test(t, func(t *testing.T) { f(NewHarness(t, c)) })
}

// DefaultCase is a Pod whose adapter runs.
func DefaultCase(t testing.TB) suite.Case {
	for _, c := range suite.Load(t, suite.Containers) {
		if c.Name == "deadline-running" {
			c.Env = nil // the defaults: a poll every 2 s, for 5 minutes
			return c
		}
	}
	t.Fatal("the golden suite has no case of a running adapter")
	return suite.Case{}
}

// NewHarness is for tests that make their bubble themselves.
func NewHarness(t testing.TB, c suite.Case, opts ...kubetest.Option) *Harness {
	t.Helper()
	keepRealTime(t)
	s := kubetest.New(t, append(opts, kubetest.InMemory())...)
	h := &Harness{Rig: NewRig(t, c, s), Server: s}
	h.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := s.Dial(ctx, network, address)
		return &busyConn{Conn: conn, h: h}, err
	}
	h.pollOnly, h.Patience, h.Slack = true, 2*time.Hour, 0
	h.settle = func(func() bool) { synctest.Wait() }
	h.stands = func() bool { return len(h.acknowledged()) > 0 }
	return h
}

// busyConn ends a test whose reporter asks again and again without a pause: in a
// bubble that takes no time, and so would never end.
type busyConn struct {
	net.Conn
	h    *Harness
	mu   sync.Mutex
	at   time.Time
	many int
}

func (c *busyConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now != c.at {
		c.at, c.many = now, 0
	}
	if c.many++; c.many > 2000 {
		requests := c.h.Server.Requests()
		panic(fmt.Sprintf("%s: requests without a pause: %v\n%s", c.h.T.Name(), requests[len(requests)-10:], c.h.Log))
	}
	return c.Conn.Write(p)
}

// keepRealTime sets the bubble's clock, which begins in 2000, by that of the files:
// whether a file is of the adapter's present run is told by its times. What a story
// takes is not added to the times of the files that are written in it.
func keepRealTime(t testing.TB) {
	t.Helper()
	info, err := os.Stat(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(info.ModTime()))
}

func decode[T any](t testing.TB, data []byte) *T {
	t.Helper()
	v := new(T)
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
	return v
}

// Resend has the server receive a request once more, on a connection of its own.
func (h *Harness) Resend(r kubetest.Request) {
	h.T.Helper()
	transport := &http.Transport{DialContext: h.Server.Dial, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	url := "https://" + net.JoinHostPort(h.Server.Host(), h.Server.Port()) + r.Path
	req, err := http.NewRequestWithContext(h.T.Context(), r.Method, url, bytes.NewReader(r.Body))
	if err != nil {
		h.T.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer " + h.Server.Token()}, "Content-Type": {r.ContentType}}
	answer, err := transport.RoundTrip(req)
	if err != nil {
		h.T.Fatal(err)
	}
	answer.Body.Close()
}

// acknowledged lists the patches that the server itself answered with success.
func (h *Harness) acknowledged() (patches []kubetest.Request) {
	for _, r := range h.Server.Requests(kubetest.Match{Verb: "patch"}) {
		if r.Code/100 == 2 && !strings.HasPrefix(r.Fault, "Respond") {
			patches = append(patches, r)
		}
	}
	return patches
}

// WatchEvent is the line of a watch that tells of a Pod.
func WatchEvent(t testing.TB, pod *corev1.Pod) []byte {
	t.Helper()
	pod.APIVersion, pod.Kind = "v1", "Pod"
	line, err := json.Marshal(map[string]any{"type": "MODIFIED", "object": pod})
	if err != nil {
		t.Fatal(err)
	}
	return append(line, '\n')
}
