package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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
	s := kubetest.New(t, kubetest.InMemory())
	h := &harness{newRig(t, c, s), s}
	h.pollOnly, h.patience = true, 2*time.Hour
	h.settle = func(func() bool) { synctest.Wait() }
	h.stands = func() bool { return len(h.acknowledged()) > 0 }
	return h
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
