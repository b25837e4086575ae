package main

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

const (
	namespace = "adapters"
	jobName   = "adapter-job"
	podName   = "adapter-job-x7k2p"
)

// harness is a rig in a synctest bubble: its clock is fake, its server in
// memory, its files real. Inotify has no place in a bubble (its reads are the
// kernel's), so the file is polled; process_test.go has it all for real.
type harness struct {
	*rig
	server *kubetest.Server
	badly  func() // gives the story's next request a bad answer
}

// bubble runs a test in a bubble with a Job, its Pod and a reporter that is not
// started yet.
func bubble(t *testing.T, f func(h *harness)) {
	t.Helper()
	c := defaultCase(t)
	synctest.Test(t, func(t *testing.T) { f(newHarness(t, c)) })
}

// defaultCase is a Pod whose adapter runs.
func defaultCase(t *testing.T) suite.Case {
	for _, c := range suite.Load(t, suite.Containers) {
		if c.Name == "deadline-running" {
			c.Env = nil // the defaults: a poll every 2 s, for 5 minutes
			return c
		}
	}
	t.Fatal("the golden suite has no case of a running adapter")
	return suite.Case{}
}

func newHarness(t *testing.T, c suite.Case) *harness {
	t.Helper()
	keepRealTime(t)
	s := kubetest.New(t, kubetest.InMemory())
	h := &harness{rig: newRig(t, c, s), server: s}
	h.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := s.Dial(ctx, network, address)
		return &busyConn{Conn: conn, h: h}, err
	}
	h.pollOnly, h.patience = true, 2*time.Hour
	h.settle = func(func() bool) { synctest.Wait() }
	h.stands = func() bool { return len(h.acknowledged()) > 0 }
	return h
}

// busyConn ends a test whose reporter asks again and again without a pause: in a
// bubble that takes no time, and so would never end.
type busyConn struct {
	net.Conn
	h    *harness
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
		requests := c.h.server.Requests()
		panic(fmt.Sprintf("%s: requests without a pause: %v\n%s", c.h.t.Name(), requests[len(requests)-10:], c.h.log))
	}
	return c.Conn.Write(p)
}

// keepRealTime sets the bubble's clock, which begins in 2000, by that of the files:
// whether a file is of the adapter's present run is told by its times. What a story
// takes is not added to the times of the files that are written in it.
func keepRealTime(t *testing.T) {
	t.Helper()
	info, err := os.Stat(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(info.ModTime()))
}

func decode[T any](t *testing.T, data []byte) *T {
	t.Helper()
	v := new(T)
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
	return v
}

// resend has the server receive a request once more, on a connection of its own.
func (h *harness) resend(r kubetest.Request) {
	h.t.Helper()
	transport := &http.Transport{DialContext: h.server.Dial, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	url := "https://" + net.JoinHostPort(h.server.Host(), h.server.Port()) + r.Path
	req, err := http.NewRequestWithContext(h.t.Context(), r.Method, url, bytes.NewReader(r.Body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer " + h.server.Token()}, "Content-Type": {r.ContentType}}
	answer, err := transport.RoundTrip(req)
	if err != nil {
		h.t.Fatal(err)
	}
	answer.Body.Close()
}

// acknowledged lists the patches that the server itself answered with success.
func (h *harness) acknowledged() (patches []kubetest.Request) {
	for _, r := range h.server.Requests(kubetest.Match{Verb: "patch"}) {
		if r.Code/100 == 2 && !strings.HasPrefix(r.Fault, "Respond") {
			patches = append(patches, r)
		}
	}
	return patches
}

// logBuffer is the reporter's log.
type logBuffer struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	wrote chan struct{} // closed at the next write; nil while nobody waits
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.wrote != nil {
		close(b.wrote)
		b.wrote = nil
	}
	return b.buf.Write(p)
}

// await waits until cond holds, and looks after every write.
func (b *logBuffer) await(t *testing.T, patience time.Duration, cond func() bool) {
	t.Helper()
	timeout := time.After(patience)
	for {
		b.mu.Lock()
		if b.wrote == nil {
			b.wrote = make(chan struct{})
		}
		wrote := b.wrote
		b.mu.Unlock()
		if cond() {
			return
		}
		select {
		case <-wrote:
		case <-timeout:
			t.Fatal("the log does not tell what was expected")
		}
	}
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// has tells whether a line has exactly this message.
func (b *logBuffer) has(msg string) bool {
	for line := range bytes.Lines([]byte(b.String())) {
		var record struct{ Msg string }
		if json.Unmarshal(line, &record) == nil && record.Msg == msg {
			return true
		}
	}
	return false
}

// watchEvent is the line of a watch that tells of a Pod.
func watchEvent(t *testing.T, pod *corev1.Pod) []byte {
	t.Helper()
	pod.APIVersion, pod.Kind = "v1", "Pod"
	line, err := json.Marshal(map[string]any{"type": "MODIFIED", "object": pod})
	if err != nil {
		t.Fatal(err)
	}
	return append(line, '\n')
}
