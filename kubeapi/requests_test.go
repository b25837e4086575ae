package kubeapi_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"sync"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/google/go-cmp/cmp"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// golden is a request as it must be, body included, byte for byte.
type golden struct {
	Method, Path string
	Query        url.Values
	Body         string
}

func goldens(requests []kubetest.Request) (g []golden) {
	for _, r := range requests {
		g = append(g, golden{r.Method, r.Path, r.Query, string(r.Body)})
	}
	return g
}

// The common case of a Job: watch, GET, PATCH, on one connection.
func TestRequests(t *testing.T) {
	bubble(t, func(w *world) {
		f := w.follow(w.Context(), "")
		job, err := w.c.GetJob(w.Context())
		if err != nil || job.UID != w.job.UID {
			t.Fatalf("GetJob: %v, %v", job, err)
		}
		for _, cached := range []bool{false, true} {
			pod, err := w.c.GetPod(w.Context(), cached)
			if err != nil || pod.Name != podName {
				t.Fatalf("GetPod: %v, %v", pod, err)
			}
		}
		after, err := w.c.PatchJobStatus(w.Context(), w.meant(), report())
		if err != nil {
			t.Fatal(err)
		}
		want := condition
		if diff := cmp.Diff([]batchv1.JobCondition{want}, after.Status.Conditions); diff != "" {
			t.Errorf("the Job that the PATCH returned (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]batchv1.JobCondition{want}, w.s.Job(namespace, jobName).Status.Conditions); diff != "" {
			t.Errorf("the Job on the server (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]apiwatch.EventType{"ADDED", "BOOKMARK"}, f.types()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}

		body := `{"metadata":{"uid":"` + string(w.job.UID) + `"},"status":{"conditions":[` +
			`{"type":"Available","status":"True","lastProbeTime":"2026-02-03T04:05:06Z","lastTransitionTime":"2026-02-03T04:05:06Z",` +
			`"reason":"AllGood","message":"is \u003cb\u003e\"ready\"\u003c/b\u003e"}]}}`
		wantRequests := []golden{
			{"GET", podsPath, url.Values{"watch": {"true"}, "allowWatchBookmarks": {"true"}, "fieldSelector": {"metadata.name=" + podName}}, ""},
			{"GET", jobPath, url.Values{}, ""},
			{"GET", podPath, url.Values{}, ""},
			{"GET", podPath, url.Values{"resourceVersion": {"0"}}, ""},
			{"PATCH", jobPath + "/status", url.Values{}, body},
		}
		if diff := cmp.Diff(wantRequests, goldens(w.s.Requests())); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
		for _, r := range w.s.Requests() {
			if r.Conn != 1 || r.Proto != "HTTP/2.0" || r.Code != http.StatusOK {
				t.Errorf("%s %s: connection %d, %s, code %d", r.Method, r.Path, r.Conn, r.Proto, r.Code)
			}
		}
		if n := w.s.Connections(); n != 1 {
			t.Errorf("%d connections", n)
		}
	})
}

// Every byte of a patch: what it is guarded by, what is set, and nothing else,
// whatever else the Job that is to be reported holds.
func TestPatchBodies(t *testing.T) {
	bubble(t, func(w *world) {
		version := w.job.ResourceVersion // the Job's before the first patch
		uid, none, other := w.job.UID, "", types.UID("other")
		conditions := `"status":{"conditions":[` + encode(t, condition) + `]}}`
		for _, tt := range []struct {
			name     string
			on       metav1.Preconditions
			change   func(what *batchv1.Job)
			metadata string
			code     int // 0: success
		}{
			{"uid", metav1.Preconditions{UID: &uid}, nil, `{"uid":"` + string(uid) + `"}`, 0},
			{"nothing", metav1.Preconditions{}, nil, `{}`, 0},
			{"empty", metav1.Preconditions{UID: new(types.UID), ResourceVersion: &none}, nil, `{}`, 0},
			{"stale", metav1.Preconditions{UID: &uid, ResourceVersion: &version}, nil,
				`{"uid":"` + string(uid) + `","resourceVersion":"` + version + `"}`, 409},
			{"other Job", metav1.Preconditions{UID: &other}, nil, `{"uid":"other"}`, 422},
			{"label and annotation", metav1.Preconditions{UID: &uid}, func(what *batchv1.Job) {
				what.Labels = map[string]string{"b": "1", "a": "2"}
				what.Annotations = map[string]string{"c": `{"x":1}`}
			}, `{"uid":"` + string(uid) + `","labels":{"a":"2","b":"1"},"annotations":{"c":"{\"x\":1}"}}`, 0},
			{"no label", metav1.Preconditions{UID: &uid}, func(what *batchv1.Job) {
				what.Labels, what.Annotations = map[string]string{}, map[string]string{}
			}, `{"uid":"` + string(uid) + `"}`, 0},
			{"a whole Job", metav1.Preconditions{UID: &uid}, func(what *batchv1.Job) {
				what.Name, what.UID, what.ResourceVersion, what.Finalizers = "else", "else", "7", []string{"f"}
				what.Spec.Template.Spec.Containers = []corev1.Container{{Name: "c"}}
				what.Status.Failed = 3
			}, `{"uid":"` + string(uid) + `"}`, 0},
		} {
			what := report()
			if tt.change != nil {
				tt.change(what)
			}
			_, err := w.c.PatchJobStatus(w.Context(), tt.on, what)
			if code(err) != tt.code || (err == nil) != (tt.code == 0) {
				t.Errorf("%s: %v, want code %d", tt.name, err, tt.code)
			}
			requests := w.s.Requests(jobPatch)
			last := requests[len(requests)-1]
			if want := `{"metadata":` + tt.metadata + `,` + conditions; string(last.Body) != want {
				t.Errorf("%s:\n got %s\nwant %s", tt.name, last.Body, want)
			}
			if last.ContentType != "application/strategic-merge-patch+json" {
				t.Errorf("%s: content type %s", tt.name, last.ContentType)
			}
		}
		job := w.s.Job(namespace, jobName)
		if job.Labels["a"] != "2" || job.Annotations["c"] != `{"x":1}` {
			t.Errorf("labels %v, annotations %v", job.Labels, job.Annotations)
		}
	})
}

// Anything but one condition is not sent.
func TestPatchIsOneCondition(t *testing.T) {
	bubble(t, func(w *world) {
		for _, conditions := range [][]batchv1.JobCondition{nil, {}, {condition, {Type: "Ready", Status: "True"}}} {
			_, err := w.c.PatchJobStatus(w.Context(), w.meant(), &batchv1.Job{Status: batchv1.JobStatus{Conditions: conditions}})
			if err == nil || len(w.s.Requests()) != 0 {
				t.Errorf("%d conditions: %v, %d requests", len(conditions), err, len(w.s.Requests()))
			}
		}
	})
}

// A resumed watch, and one cleanly ended.
func TestWatchResumes(t *testing.T) {
	bubble(t, func(w *world) {
		version := w.s.Pod(namespace, podName).ResourceVersion
		f := w.follow(w.Context(), version)
		w.s.CloseWatches()
		if err := <-f.ended; err != nil {
			t.Error(err)
		}
		if got := w.s.Requests()[0].Query["resourceVersion"]; !cmp.Equal(got, []string{version}) {
			t.Errorf("resourceVersion %q, want %s", got, version)
		}
	})
}

// Every header that goes out, with either protocol.
func TestHeaders(t *testing.T) {
	const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for _, tt := range []struct {
		http2 bool
		trace string
	}{{true, ""}, {false, ""}, {true, traceparent}, {false, traceparent}} {
		t.Run(fmt.Sprintf("http2=%v traceparent=%s", tt.http2, tt.trace), func(t *testing.T) {
			var mu sync.Mutex
			var seen []http.Header
			c := serve(t, tt.http2, func(rw http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				seen = append(seen, r.Header.Clone())
				if want := map[bool]int{true: 2, false: 1}[tt.http2]; r.ProtoMajor != want {
					t.Errorf("%s", r.Proto)
				}
				if r.Body != nil {
					io.Copy(io.Discard, r.Body)
				}
			}, func(cfg *kubeapi.Config) { cfg.Traceparent = tt.trace })
			c.GetPod(t.Context(), false)
			c.GetJob(t.Context())
			c.WatchPod(t.Context(), "", func() {}, func(apiwatch.Event) {})
			c.PatchJobStatus(t.Context(), metav1.Preconditions{}, report())

			read := http.Header{
				"Authorization": {"Bearer the-token"}, // the file's newline is not part of it
				"Accept":        {"application/json"},
				"User-Agent":    {"status-reporter/test"},
			}
			if tt.trace != "" {
				read.Set("Traceparent", tt.trace)
			}
			patch := read.Clone()
			patch.Set("Content-Type", "application/strategic-merge-patch+json")
			mu.Lock()
			defer mu.Unlock()
			for i := range seen {
				if i == 3 {
					if seen[i].Get("Content-Length") == "" {
						t.Error("the patch has no length")
					}
				}
				delete(seen[i], "Content-Length")
			}
			if diff := cmp.Diff([]http.Header{read, read, read, patch}, seen); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
		})
	}
}

// Names never end a path, a query or a selector early.
func TestNamesAreEscaped(t *testing.T) {
	var seen []string
	c := serve(t, true, func(rw http.ResponseWriter, r *http.Request) { seen = append(seen, r.RequestURI) },
		func(cfg *kubeapi.Config) { cfg.Namespace, cfg.Job, cfg.Pod = "n?#%s", "j?#%s", "p&= ?" })
	c.GetPod(t.Context(), true)
	c.GetJob(t.Context())
	c.WatchPod(t.Context(), "1&2", func() {}, func(apiwatch.Event) {})
	c.PatchJobStatus(t.Context(), metav1.Preconditions{}, report())
	want := []string{
		"/api/v1/namespaces/n%3F%23%25s/pods/p&=%20%3F?resourceVersion=0",
		"/apis/batch/v1/namespaces/n%3F%23%25s/jobs/j%3F%23%25s",
		"/api/v1/namespaces/n%3F%23%25s/pods?allowWatchBookmarks=true&fieldSelector=metadata.name%3Dp%26%3D+%3F&resourceVersion=1%262&watch=true",
		"/apis/batch/v1/namespaces/n%3F%23%25s/jobs/j%3F%23%25s/status",
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("request targets (-want +got):\n%s", diff)
	}
}

// serve makes a client of a bare server on loopback, for what the fake API
// server does not show: headers, and HTTP/1.1.
func serve(t *testing.T, http2 bool, handler http.HandlerFunc, changes ...func(*kubeapi.Config)) *kubeapi.Client {
	t.Helper()
	srv := httptest.NewUnstartedServer(handler)
	srv.EnableHTTP2 = http2
	srv.StartTLS()
	t.Cleanup(srv.Close)
	dir := t.TempDir()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	writeFile(t, filepath.Join(dir, "ca.crt"), string(ca))
	writeFile(t, filepath.Join(dir, "token"), "the-token\n")
	host, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	cfg := kubeapi.Config{
		Host: host, Port: port, ServiceAccountDir: dir, Namespace: namespace, Job: jobName, Pod: podName,
		UserAgent: "status-reporter/test", Log: slog.New(slog.DiscardHandler),
	}
	for _, change := range changes {
		change(&cfg)
	}
	c, err := kubeapi.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
