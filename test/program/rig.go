// Package program plays the whole reporter: real files, TLS to an API server, the
// condition read back from the Job. A Rig is one reporter on whichever server; a
// Harness is a rig on a fake clock and a server in memory, for which Stories are
// written; a Child is the binary as a process.
package program

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

// Server is what a case needs of an API server: a kubetest.Server, or a
// namespace of a real one.
type Server interface {
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

// Rig is one reporter with its files, its Pod and its Job, on whichever server. Its
// methods are for the test's goroutine: they play what happens around the reporter, and
// those that wait end the test after Patience. Nothing but Sigterm and its own report
// ends the reporter: a test waits for that, by End or Wait.
type Rig struct {
	T       testing.TB
	API     Server
	Path    string // of the result file
	Env     map[string]string
	Log     *Log
	Last    string // the termination message file
	Signals chan os.Signal
	Exit    chan int
	Kind    batchv1.JobConditionType
	Began   time.Time
	Command []string // runs the reporter as a process; nil: it is run in this one

	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	pollOnly bool
	faulted  bool                       // a fault was made that a request must meet
	Patience time.Duration              // with the reporter's end
	Slack    time.Duration              // by which a machine that does other things as well may be late
	settle   func(expected func() bool) // waits until all is done that follows from what was done
	stands   func() bool                // the server has acknowledged a report
}

// NewRig puts the case's Job, Pod and file in place. The reporter is not
// started yet. Settings are those for a real server.
func NewRig(t testing.TB, c suite.Case, api Server) *Rig {
	t.Helper()
	r := &Rig{
		T:        t,
		API:      api,
		Path:     filepath.Join(t.TempDir(), "adapter-result.json"),
		Log:      &Log{},
		Last:     filepath.Join(t.TempDir(), "termination-log"),
		Signals:  make(chan os.Signal, 1),
		Exit:     make(chan int, 1),
		Kind:     batchv1.JobConditionType(c.Condition.Type),
		dial:     api.Dial,
		Patience: time.Minute,
		Slack:    10 * time.Second,
	}
	r.settle = func(expected func() bool) { r.Log.Await(t, r.Patience, expected) }
	r.stands = func() bool { return r.Condition() != nil }
	r.createObjects(c)
	r.Env = map[string]string{
		"JOB_NAME": JobName, "JOB_NAMESPACE": Namespace, "POD_NAME": PodName, "RESULTS_PATH": r.Path, "LOG_LEVEL": "debug",
	}
	maps.Copy(r.Env, api.Env())
	maps.Copy(r.Env, c.Env)
	if c.Input != nil {
		r.Write(string(c.Input))
	}
	r.Put(r.Last, "")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the reporter's log:\n%s", r.Log)
		}
	})
	return r
}

// createObjects makes Job and Pod. A real server gives them UIDs of its own,
// and each names the other's.
func (r *Rig) createObjects(c suite.Case) {
	r.T.Helper()
	job := decode[batchv1.Job](r.T, c.Job)
	madeJob := r.API.CreateJob(job)
	pod := decode[corev1.Pod](r.T, bytes.ReplaceAll(r.played(c.Pod), []byte(job.UID), []byte(madeJob.UID)))
	madePod := r.API.CreatePod(pod)
	if bytes.Contains(c.Job, []byte(pod.UID)) {
		job = decode[batchv1.Job](r.T, bytes.ReplaceAll(c.Job, []byte(pod.UID), []byte(madePod.UID)))
		r.API.UpdateJob(Namespace, JobName, func(j *batchv1.Job) { j.Status = job.Status })
	}
}

// caseStart is when the reporter of every case starts, as its Pod has it.
const caseStart = "2026-01-15T09:00:01Z"

// played is the case's Pod with its reporter started now, so that it knows its own
// status from one of a run before, and the volume mounted where the file is. The
// adapter started long ago.
func (r *Rig) played(pod []byte) []byte {
	pod = bytes.ReplaceAll(pod, []byte(caseStart), []byte(time.Now().UTC().Format(time.RFC3339)))
	return bytes.ReplaceAll(pod, []byte(`"/results"`), []byte(strconv.Quote(filepath.Dir(r.Path))))
}

// Start starts the reporter and waits until it has read its Pod, or has ended.
func (r *Rig) Start() {
	r.T.Helper()
	p := reporter.Process{
		Getenv: func(name string) string { return r.Env[name] },
		Stderr: r.Log, Signals: r.Signals, TerminationLog: r.Last,
		Version: "dev", Dial: r.dial, PollOnly: r.pollOnly,
	}
	r.Began = time.Now()
	if r.Command != nil {
		r.exec()
	} else {
		go func() {
			r.Exit <- reporter.Run(p)
			r.Log.Write(nil)
		}()
	}
	r.settle(func() bool {
		return len(r.Exit) > 0 || r.Log.Has("following the adapter") || strings.Contains(r.Log.String(), "the result file alone is followed")
	})
}

// Sigterm is the kubelet's word to stop.
func (r *Rig) Sigterm() { r.Signals <- syscall.SIGTERM }

// Write writes the result file.
func (r *Rig) Write(content string) { r.Put(r.Path, content) }

// replace writes the result file in one step: half of one may be a result.
func (r *Rig) replace(content string) {
	r.T.Helper()
	r.Put(r.Path+".new", content)
	if err := os.Rename(r.Path+".new", r.Path); err != nil {
		r.T.Fatal(err)
	}
}

// Put writes a file.
func (r *Rig) Put(path, content string) {
	r.T.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		r.T.Fatal(err)
	}
}

// Deny takes rights such as "get pods" from the Role.
func (r *Rig) Deny(rights ...string) { eachRight(rights, r.API.Deny) }

// Allow gives them back.
func (r *Rig) Allow(rights ...string) { eachRight(rights, r.API.Allow) }

func eachRight(rights []string, do func(verb, resource string)) {
	for _, right := range rights {
		verb, resource, _ := strings.Cut(right, " ")
		do(verb, resource)
	}
}

// Wait waits for the reporter's end, and returns its exit code and how long it
// ran.
func (r *Rig) Wait() (code int, ran time.Duration) {
	r.T.Helper()
	select {
	case code = <-r.Exit:
		return code, time.Since(r.Began)
	case <-time.After(r.Patience):
		r.T.Fatal("the reporter does not end")
		return -1, 0
	}
}

// AwaitReport waits until the Job carries a condition, and what follows it is done.
func (r *Rig) AwaitReport() {
	r.T.Helper()
	r.Await("a report", func() bool { return r.Condition() != nil })
	r.settle(func() bool { return r.Log.Has("reported") })
}

// Await waits until something holds on the server.
func (r *Rig) Await(what string, cond func() bool) {
	r.T.Helper()
	ctx, cancel := context.WithTimeout(r.T.Context(), r.Patience)
	defer cancel()
	if err := r.API.Wait(ctx, cond); err != nil {
		r.T.Fatalf("%s did not come", what)
	}
}

// Condition is the one on the Job; nil where there is none.
func (r *Rig) Condition() *batchv1.JobCondition {
	job := r.API.Job(Namespace, JobName)
	if job == nil {
		return nil
	}
	return kubeapi.Condition(job, r.Kind)
}

// Expect checks the condition on the Job.
func (r *Rig) Expect(status contract.ConditionStatus, reason, message string) {
	r.T.Helper()
	c := r.Condition()
	if c == nil {
		r.T.Fatalf("no condition; want %s %s: %s", status, reason, message)
	}
	if string(c.Status) != string(status) || c.Reason != reason || c.Message != message {
		r.T.Errorf("condition:\n got %s %s: %s\nwant %s %s: %s", c.Status, c.Reason, c.Message, status, reason, message)
	}
}

// End waits for the reporter's end and checks its exit code and the promise
// that its log claims a report if and only if there is one.
func (r *Rig) End(code int) time.Duration {
	r.T.Helper()
	got, ran := r.Wait()
	if got != code {
		r.T.Errorf("exit code %d, want %d", got, code)
	}
	if claimed, stands := r.Log.Has("reported"), r.stands(); claimed != stands {
		r.T.Errorf("claimed to have reported: %v; the server acknowledged a report: %v", claimed, stands)
	}
	return ran
}

// TerminationMessage is what the kubelet would read of the run.
func (r *Rig) TerminationMessage() string {
	r.T.Helper()
	data, err := os.ReadFile(r.Last)
	if err != nil {
		r.T.Fatal(err)
	}
	return string(data)
}
