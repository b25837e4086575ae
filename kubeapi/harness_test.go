package kubeapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

const (
	namespace = "adapters"
	jobName   = "adapter-job"
	podName   = "adapter-job-x7k2p"
	podsPath  = "/api/v1/namespaces/adapters/pods"
	podPath   = podsPath + "/adapter-job-x7k2p"
	jobPath   = "/apis/batch/v1/namespaces/adapters/jobs/adapter-job"
)

// The requests of this package, as the server matches them.
var (
	podGet   = kubetest.Match{Verb: "get", Resource: "pods"}
	podWatch = kubetest.Match{Verb: "watch", Resource: "pods"}
	jobGet   = kubetest.Match{Verb: "get", Resource: "jobs"}
	jobPatch = kubetest.Match{Verb: "patch", Resource: "jobs/status"}
)

// TestMain gives every test an environment full of proxies, none of which may
// ever be asked. It has to be done before the first request: net/http reads
// these variables once.
func TestMain(m *testing.M) {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"} {
		os.Setenv(name, "http://127.0.0.1:9")
	}
	os.Unsetenv("NO_PROXY")
	os.Unsetenv("no_proxy")
	os.Exit(m.Run())
}

// world is a server with a Job and its Pod, and a client of it.
type world struct {
	*testing.T
	s   *kubetest.Server
	c   *kubeapi.Client
	cfg kubeapi.Config
	log *buffer
	job *batchv1.Job
}

// bubble runs a test in a bubble with fake time, its server in memory.
func bubble(t *testing.T, f func(w *world), opts ...kubetest.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f(newWorld(t, append(opts, kubetest.InMemory())...))
	})
}

func newWorld(t *testing.T, opts ...kubetest.Option) *world {
	w := &world{T: t, s: kubetest.New(t, opts...), log: &buffer{}}
	w.job = w.s.CreateJob(&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: jobName}})
	w.s.CreatePod(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: podName}})
	w.cfg = kubeapi.Config{
		Host: w.s.Host(), Port: w.s.Port(), ServiceAccountDir: w.s.ServiceAccountDir(),
		Namespace: namespace, Job: jobName, Pod: podName,
		UserAgent: "status-reporter/test", Log: slog.New(slog.NewJSONHandler(w.log, nil)), Dial: w.s.Dial,
	}
	w.c = w.client(w.cfg)
	return w
}

// client makes a client that is closed when the test ends.
func (w *world) client(cfg kubeapi.Config) *kubeapi.Client {
	w.Helper()
	c, err := kubeapi.New(cfg)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(c.Close)
	return c
}

func (w *world) getPod() error {
	_, err := w.c.GetPod(w.Context(), false)
	return err
}

func (w *world) getJob() error {
	_, err := w.c.GetJob(w.Context())
	return err
}

func (w *world) patch() error {
	_, err := w.c.PatchJobStatus(w.Context(), w.meant(), report())
	return err
}

// meant is the Job that a report is about, by its UID.
func (w *world) meant() metav1.Preconditions { return metav1.Preconditions{UID: &w.job.UID} }

// condition is one that the server takes.
var condition = batchv1.JobCondition{
	Type: "Available", Status: corev1.ConditionTrue, Reason: "AllGood", Message: "is <b>\"ready\"</b>",
	LastProbeTime:      metav1.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC),
	LastTransitionTime: metav1.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC),
}

func report() *batchv1.Job {
	return &batchv1.Job{Status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{condition}}}
}

// use makes the connection one that has been used.
func (w *world) use() {
	w.Helper()
	if err := w.getPod(); err != nil {
		w.Fatal(err)
	}
}

// timed tells how long f takes, and its error.
func timed(f func() error) (time.Duration, error) {
	began := time.Now()
	err := f()
	return time.Since(began), err
}

// follower is a watch that runs in the background.
type follower struct {
	opened chan struct{}
	events chan apiwatch.Event
	ended  chan error
}

// follow starts a watch and waits until it is accepted.
func (w *world) follow(ctx context.Context, resourceVersion string) *follower {
	w.Helper()
	f := &follower{make(chan struct{}), make(chan apiwatch.Event, 100), make(chan error, 1)}
	go func() {
		f.ended <- w.c.WatchPod(ctx, resourceVersion, func() { close(f.opened) }, func(e apiwatch.Event) { f.events <- e })
	}()
	select {
	case <-f.opened:
	case err := <-f.ended:
		w.Fatalf("the watch was not accepted: %v", err)
	}
	return f
}

// types waits until nothing happens any more, and lists the events so far.
func (f *follower) types() (types []apiwatch.EventType) {
	synctest.Wait()
	for {
		select {
		case e := <-f.events:
			types = append(types, e.Type)
		default:
			return types
		}
	}
}

// mayPass demands an error of the kind that is worth another attempt, and is
// not the caller's own doing.
func mayPass(t *testing.T, err error) {
	t.Helper()
	switch {
	case err == nil:
		t.Error("no error")
	case refused(err):
		t.Errorf("an answer of the API server's: %v", err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		t.Errorf("looks like the end of the caller's own context: %v", err)
	}
}

// refused reports whether the API server itself has answered.
func refused(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Code != 0
}

// code is the status code that an error tells; 0: it tells none.
func code(err error) int {
	var e *kubeapi.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// buffer is a log.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
