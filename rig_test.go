package main

import (
	"bytes"
	"context"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/internal/reporter"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi"
	"github.com/openshift-hyperfleet/status-reporter/testdata/suite"
)

// server is what a case needs of an API server: a kubetest.Server, or a
// namespace of a real one.
type server interface {
	Env() map[string]string
	Dial(ctx context.Context, network, address string) (net.Conn, error)
	Wait(ctx context.Context, cond func() bool) error

	CreateJob(job *batchv1.Job) *batchv1.Job
	Job(namespace, name string) *batchv1.Job
	UpdateJob(namespace, name string, change func(job *batchv1.Job)) *batchv1.Job
	DeleteJob(namespace, name string)
	CreatePod(pod *corev1.Pod) *corev1.Pod
	UpdatePod(namespace, name string, change func(pod *corev1.Pod)) *corev1.Pod
	DeletePod(namespace, name string)

	Allow(verb, resource string)
	Deny(verb, resource string)
}

// rig is one reporter with its files, its Pod and its Job, on whichever server.
type rig struct {
	t       *testing.T
	api     server
	path    string // of the result file
	env     map[string]string
	log     *logBuffer
	last    string // the termination message file
	signals chan os.Signal
	exit    chan int
	kind    batchv1.JobConditionType
	began   time.Time

	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	pollOnly bool
	patience time.Duration              // with the reporter's end
	settle   func(expected func() bool) // waits until all is done that follows from what was done
	stands   func() bool                // the server has acknowledged a report
}

// newRig puts the case's Job, Pod and file in place. The reporter is not
// started yet. Settings are those for a real server.
func newRig(t *testing.T, c suite.Case, api server) *rig {
	t.Helper()
	r := &rig{
		t:        t,
		api:      api,
		path:     filepath.Join(t.TempDir(), "adapter-result.json"),
		log:      &logBuffer{},
		last:     filepath.Join(t.TempDir(), "termination-log"),
		signals:  make(chan os.Signal, 1),
		exit:     make(chan int, 1),
		kind:     batchv1.JobConditionType(c.Condition.Type),
		dial:     api.Dial,
		patience: time.Minute,
	}
	r.settle = func(expected func() bool) { r.log.await(t, r.patience, expected) }
	r.stands = func() bool { return r.condition() != nil }
	r.createObjects(c)
	r.env = map[string]string{
		"JOB_NAME": jobName, "JOB_NAMESPACE": namespace, "POD_NAME": podName, "RESULTS_PATH": r.path, "LOG_LEVEL": "debug",
	}
	maps.Copy(r.env, api.Env())
	maps.Copy(r.env, c.Env)
	if c.Input != nil {
		r.write(string(c.Input))
	}
	r.put(r.last, "")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the reporter's log:\n%s", r.log)
		}
	})
	return r
}

// createObjects makes Job and Pod. A real server gives them UIDs of its own,
// and each names the other's.
func (r *rig) createObjects(c suite.Case) {
	r.t.Helper()
	job := decode[batchv1.Job](r.t, c.Job)
	madeJob := r.api.CreateJob(job)
	pod := decode[corev1.Pod](r.t, bytes.ReplaceAll(r.played(c.Pod), []byte(job.UID), []byte(madeJob.UID)))
	madePod := r.api.CreatePod(pod)
	if bytes.Contains(c.Job, []byte(pod.UID)) {
		job = decode[batchv1.Job](r.t, bytes.ReplaceAll(c.Job, []byte(pod.UID), []byte(madePod.UID)))
		r.api.UpdateJob(namespace, jobName, func(j *batchv1.Job) { j.Status = job.Status })
	}
}

// caseStart is when the reporter of every case starts, as its Pod has it.
const caseStart = "2026-01-15T09:00:01Z"

// played is the case's Pod with its reporter started now, so that it knows its own
// status from one of a run before, and the volume mounted where the file is. The
// adapter started long ago.
func (r *rig) played(pod []byte) []byte {
	pod = bytes.ReplaceAll(pod, []byte(caseStart), []byte(time.Now().UTC().Format(time.RFC3339)))
	return bytes.ReplaceAll(pod, []byte(`"/results"`), []byte(strconv.Quote(filepath.Dir(r.path))))
}

// start starts the reporter and waits until it has read its Pod, or has ended.
func (r *rig) start() {
	r.t.Helper()
	p := reporter.Process{
		Getenv: func(name string) string { return r.env[name] },
		Stderr: r.log, Signals: r.signals, TerminationLog: r.last,
		Version: "dev", Dial: r.dial, PollOnly: r.pollOnly,
	}
	r.began = time.Now()
	go func() {
		r.exit <- reporter.Run(p)
		r.log.Write(nil)
	}()
	r.settle(func() bool {
		return len(r.exit) > 0 || r.log.has("following the adapter") || strings.Contains(r.log.String(), "the result file alone is followed")
	})
}

func (r *rig) sigterm() { r.signals <- syscall.SIGTERM }

func (r *rig) write(content string) { r.put(r.path, content) }

func (r *rig) put(path, content string) {
	r.t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// wait waits for the reporter's end, and returns its exit code and how long it
// ran.
func (r *rig) wait() (code int, ran time.Duration) {
	r.t.Helper()
	select {
	case code = <-r.exit:
		return code, time.Since(r.began)
	case <-time.After(r.patience):
		r.t.Fatal("the reporter does not end")
		return -1, 0
	}
}

// awaitReport waits until the Job carries a condition, and what follows it is done.
func (r *rig) awaitReport() {
	r.t.Helper()
	r.await("a report", func() bool { return r.condition() != nil })
	r.settle(func() bool { return r.log.has("reported") })
}

func (r *rig) await(what string, cond func() bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), r.patience)
	defer cancel()
	if err := r.api.Wait(ctx, cond); err != nil {
		r.t.Fatalf("%s did not come", what)
	}
}

// condition is the one on the Job; nil where there is none.
func (r *rig) condition() *batchv1.JobCondition {
	job := r.api.Job(namespace, jobName)
	if job == nil {
		return nil
	}
	return kubeapi.Condition(job, r.kind)
}

// expect checks the condition on the Job.
func (r *rig) expect(status contract.ConditionStatus, reason, message string) {
	r.t.Helper()
	c := r.condition()
	if c == nil {
		r.t.Fatalf("no condition; want %s %s: %s", status, reason, message)
	}
	if string(c.Status) != string(status) || c.Reason != reason || c.Message != message {
		r.t.Errorf("condition:\n got %s %s: %s\nwant %s %s: %s", c.Status, c.Reason, c.Message, status, reason, message)
	}
}

// end waits for the reporter's end and checks its exit code and the promise
// that its log claims a report if and only if there is one.
func (r *rig) end(code int) time.Duration {
	r.t.Helper()
	got, ran := r.wait()
	if got != code {
		r.t.Errorf("exit code %d, want %d", got, code)
	}
	if claimed, stands := r.log.has("reported"), r.stands(); claimed != stands {
		r.t.Errorf("claimed to have reported: %v; the server acknowledged a report: %v", claimed, stands)
	}
	return ran
}

func (r *rig) terminationMessage() string {
	r.t.Helper()
	data, err := os.ReadFile(r.last)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(data)
}
