package main

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
	"github.com/openshift-hyperfleet/status-reporter/testdata/suite"
)

const (
	namespace = "adapters"
	jobName   = "adapter-job"
	podName   = "adapter-job-x7k2p"
)

// harness is one reporter in a synctest bubble: its clock is fake, its server
// in memory, its files real. Inotify has no place in a bubble (its reads are
// the kernel's), so the file is polled; process_test.go has it all for real.
type harness struct {
	t       *testing.T
	server  *kubetest.Server
	path    string // of the result file
	env     map[string]string
	log     *logBuffer
	last    string // the termination message file
	signals chan os.Signal
	exit    chan int
	kind    batchv1.JobConditionType
	began   time.Time
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
			return c
		}
	}
	t.Fatal("the golden suite has no case of a running adapter")
	return suite.Case{}
}

func newHarness(t *testing.T, c suite.Case) *harness {
	t.Helper()
	h := &harness{
		t:       t,
		server:  kubetest.New(t, kubetest.InMemory()),
		path:    filepath.Join(t.TempDir(), "adapter-result.json"),
		log:     &logBuffer{},
		last:    filepath.Join(t.TempDir(), "termination-log"),
		signals: make(chan os.Signal, 1),
		exit:    make(chan int, 1),
		kind:    batchv1.JobConditionType(c.Condition.Type),
	}
	h.env = map[string]string{
		"JOB_NAME": jobName, "JOB_NAMESPACE": namespace, "POD_NAME": podName, "RESULTS_PATH": h.path,
	}
	maps.Copy(h.env, h.server.Env())
	maps.Copy(h.env, c.Env)
	h.server.CreateJob(decode[batchv1.Job](t, c.Job))
	h.server.CreatePod(decode[corev1.Pod](t, c.Pod))
	if c.Input != nil {
		h.write(string(c.Input))
	}
	h.put(h.last, "")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the reporter's log:\n%s", h.log)
		}
	})
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

// start starts the reporter and waits until it waits.
func (h *harness) start() {
	p := &process{
		getenv: func(name string) string { return h.env[name] },
		stdout: h.log, stderr: h.log, signals: h.signals, terminationLog: h.last,
		dial: h.server.Dial, pollOnly: true,
	}
	h.began = time.Now()
	go func() { h.exit <- p.run(nil) }()
	synctest.Wait()
}

func (h *harness) sigterm() { h.signals <- syscall.SIGTERM }

func (h *harness) write(content string) { h.put(h.path, content) }

func (h *harness) put(path, content string) {
	h.t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

// wait waits for the reporter's end, and returns its exit code and how long it
// ran.
func (h *harness) wait() (code int, ran time.Duration) {
	h.t.Helper()
	select {
	case code = <-h.exit:
		return code, time.Since(h.began)
	case <-time.After(2 * time.Hour):
		h.t.Fatal("the reporter does not end")
		return -1, 0
	}
}

// awaitReport waits until the Job carries a condition, and what follows it is done.
func (h *harness) awaitReport() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Hour)
	defer cancel()
	if err := h.server.Wait(ctx, func() bool { return h.condition() != nil }); err != nil {
		h.t.Fatal("no report came")
	}
	synctest.Wait()
}

// condition is the one on the Job; nil where there is none.
func (h *harness) condition() *batchv1.JobCondition {
	job := h.server.Job(namespace, jobName)
	if job == nil {
		return nil
	}
	return kubeapi.Condition(job, h.kind)
}

// expect checks the condition on the Job.
func (h *harness) expect(status contract.ConditionStatus, reason, message string) {
	h.t.Helper()
	c := h.condition()
	if c == nil {
		h.t.Fatalf("no condition; want %s %s: %s", status, reason, message)
	}
	if string(c.Status) != string(status) || c.Reason != reason || c.Message != message {
		h.t.Errorf("condition:\n got %s %s: %s\nwant %s %s: %s", c.Status, c.Reason, c.Message, status, reason, message)
	}
}

// end waits for the reporter's end and checks its exit code and the promise
// that its log claims a report if and only if there is one.
func (h *harness) end(code int) time.Duration {
	h.t.Helper()
	got, ran := h.wait()
	if got != code {
		h.t.Errorf("exit code %d, want %d", got, code)
	}
	if claimed, stands := h.log.has("reported"), len(h.acknowledged()) > 0; claimed != stands {
		h.t.Errorf("claimed to have reported: %v; the server acknowledged a report: %v", claimed, stands)
	}
	return ran
}

// acknowledged lists the patches that were answered with success.
func (h *harness) acknowledged() (patches []kubetest.Request) {
	for _, r := range h.server.Requests(kubetest.Match{Verb: "patch"}) {
		if r.Code/100 == 2 {
			patches = append(patches, r)
		}
	}
	return patches
}

// logBuffer is the reporter's log.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
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
