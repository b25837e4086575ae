package kubeapi_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/google/go-cmp/cmp"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// What happens to the Pod comes as it happens, with the Pod in it.
func TestWatchEvents(t *testing.T) {
	protocols(t, func(w *world) {
		f := w.follow(w.Context(), "")
		first := <-f.events
		pod, ok := first.Object.(*corev1.Pod)
		if first.Type != apiwatch.Added || !ok || pod.Name != podName || pod.UID == "" {
			w.Fatalf("first event: %+v", first)
		}
		if bookmark := <-f.events; bookmark.Type != apiwatch.Bookmark {
			w.Errorf("second event: %+v", bookmark)
		}
		time.Sleep(10 * time.Second) // no limit of a request holds for a watch
		began := time.Now()
		changed := w.s.UpdatePod(namespace, podName, func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed })
		got := <-f.events
		if pod := got.Object.(*corev1.Pod); got.Type != apiwatch.Modified || pod.Status.Phase != corev1.PodFailed || pod.ResourceVersion != changed.ResourceVersion {
			w.Errorf("%+v", got)
		}
		w.s.Bookmark()
		if got := <-f.events; got.Type != apiwatch.Bookmark || got.Object.(*corev1.Pod).ResourceVersion <= changed.ResourceVersion {
			w.Errorf("%+v", got)
		}
		w.s.DeletePod(namespace, podName)
		if got := <-f.events; got.Type != apiwatch.Modified || got.Object.(*corev1.Pod).DeletionTimestamp.IsZero() {
			w.Errorf("%+v", got)
		}
		if got := <-f.events; got.Type != apiwatch.Deleted || got.Object.(*corev1.Pod).Name != podName {
			w.Errorf("%+v", got)
		}
		if took := time.Since(began); took != 0 {
			w.Errorf("the events took %s", took)
		}
	})
}

// What a server or something before it may send, and what comes of it.
func TestWatchStream(t *testing.T) {
	named := func(name string) string {
		return `{"kind":"Pod","metadata":{"name":"` + name + `","resourceVersion":"9"}}`
	}
	padded := func(n int) string {
		return strings.Replace(`{"type":"MODIFIED","object":`+named(podName)+`}`, `"9"`, `"9","annotations":{"a":"`+strings.Repeat("x", n)+`"}`, 1)
	}
	for _, tt := range []struct {
		name   string
		stream string
		events []apiwatch.EventType
		err    string // in the error; empty: the watch goes on
	}{
		{"another Pod", `{"type":"MODIFIED","object":` + named("other") + `}{"type":"DELETED","object":` + named(podName) + `}`, []apiwatch.EventType{"DELETED"}, ""},
		{"no object", `{"type":"DELETED"}`, nil, "WATCH " + podsPath + ": DELETED event cannot be read"},
		{"null object", `{"type":"DELETED","object":null}`, nil, ""},
		{"wrong object", `{"type":"ADDED","object":[]}`, nil, "ADDED event cannot be read"},
		{"bookmark", `{"type":"BOOKMARK","object":{"kind":"Pod","metadata":{"resourceVersion":"12"}}}`, []apiwatch.EventType{"BOOKMARK"}, ""},
		{"unknown type", `{"type":"PATCHED","object":{"any":1}}{"type":"DELETED","object":` + named(podName) + `}`, []apiwatch.EventType{"PATCHED", "DELETED"}, ""},
		{"no type", `{}`, []apiwatch.EventType{""}, ""},
		{"no newline between", `{"type":"ADDED","object":` + named(podName) + `}{"type":"MODIFIED","object":` + named(podName) + `}`, []apiwatch.EventType{"ADDED", "MODIFIED"}, ""},
		{"garbage", "<html>\n", nil, "WATCH " + podsPath + ": the watch broke off: invalid character '<'"},
		{"garbage after an event", `{"type":"ADDED","object":` + named(podName) + `}}`, []apiwatch.EventType{"ADDED"}, "the watch broke off"},
		{"wrong type of type", `{"type":1}`, nil, "the watch broke off"},
		{"list", `[]`, nil, "the watch broke off"},
		{"large", padded(maxObject - 200), []apiwatch.EventType{"MODIFIED"}, ""},
		{"large, again and again", padded(maxObject-200) + padded(maxObject-200) + padded(9), []apiwatch.EventType{"MODIFIED", "MODIFIED", "MODIFIED"}, ""},
		{"too large", padded(maxObject), nil, "an event is larger than 2097152 bytes"},
		{"5 MiB", padded(5 << 20), nil, "an event is larger than 2097152 bytes"},
		{"nothing but space", strings.Repeat(" ", 5<<20), nil, "an event is larger than 2097152 bytes"},
		{"ERROR 410", `{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}`, nil, "WATCH " + podsPath + ": 410 Gone: too old"},
		{"ERROR 500 with retryAfterSeconds", `{"type":"ERROR","object":{"kind":"Status","code":500,"details":{"retryAfterSeconds":4}}}`, nil, "500 Internal Server Error"},
		{"ERROR without an object", `{"type":"ERROR"}`, nil, "ERROR event cannot be read"},
		{"ERROR of a wrong kind", `{"type":"ERROR","object":"boom"}`, nil, "ERROR event cannot be read"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				f := w.follow(w.Context(), w.s.Pod(namespace, podName).ResourceVersion)
				w.s.SendEvent([]byte(tt.stream + "\n"))
				if diff := cmp.Diff(tt.events, f.types()); diff != "" {
					w.Errorf("events (-want +got):\n%s", diff)
				}
				if tt.err == "" {
					w.s.CloseWatches() // still there, and it ends in good order
					if err := <-f.ended; err != nil {
						w.Error(err)
					}
					return
				}
				err := <-f.ended
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					w.Errorf("%v, want %q in it", err, tt.err)
				}
			})
		})
	}
}

// The code and the retryAfterSeconds of an ERROR event cross over to callers that do not
// know this package.
func TestWatchErrorEvent(t *testing.T) {
	bubble(t, func(w *world) {
		f := w.follow(w.Context(), "")
		w.s.SendEvent([]byte(`{"type":"ERROR","object":{"kind":"Status","code":429,"reason":"TooManyRequests","message":"m","details":{"retryAfterSeconds":4}}}` + "\n"))
		var e *kubeapi.Error
		if err := <-f.ended; !errors.As(err, &e) {
			t.Fatal(err)
		}
		if !apierrors.IsTooManyRequests(e) || e.RetryAfter != 4*time.Second || !e.FromAPI {
			t.Errorf("%+v", e)
		}
	})
}

func TestWatchExpired(t *testing.T) {
	bubble(t, func(w *world) {
		old := w.s.Pod(namespace, podName).ResourceVersion
		w.s.Compact()
		f := w.follow(w.Context(), old)
		if err := <-f.ended; code(err) != http.StatusGone {
			t.Error(err)
		}
	})
}

// A watch that is refused was never opened.
func TestWatchRefused(t *testing.T) {
	for _, tt := range []struct {
		name  string
		setUp func(w *world)
		code  int
	}{
		{"403", func(w *world) { w.s.Deny("watch", "pods") }, 403},
		{"401", func(w *world) { w.s.SetAcceptedTokens() }, 401},
		{"429", func(w *world) { w.s.Fault(podWatch, kubetest.Status(429, "TooManyRequests", "")) }, 429},
		{"302", func(w *world) { w.s.Fault(podWatch, kubetest.Respond(302, "", "").Header("Location", podPath)) }, 302},
		{"no answer", func(w *world) { w.s.Fault(podWatch, kubetest.HangRequest()) }, 0},
		{"lost", func(w *world) { w.s.Fault(podWatch, kubetest.LoseRequest()) }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				tt.setUp(w)
				err := w.c.WatchPod(w.Context(), "", func() { w.Error("opened") }, func(apiwatch.Event) { w.Error("event") })
				if err == nil || code(err) != tt.code {
					w.Errorf("%v, want code %d", err, tt.code)
				}
			})
		})
	}
}

func TestWatchEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(w *world, cancel context.CancelFunc)
		want string // in the error; empty: a clean end
	}{
		{"closed by the server", func(w *world, _ context.CancelFunc) { w.s.CloseWatches() }, ""},
		{"broken off in an event", func(w *world, _ context.CancelFunc) { w.s.BreakWatches() }, "the watch broke off"},
		{"connection cut", func(w *world, _ context.CancelFunc) { w.s.CutConnections() }, "the watch broke off"},
		{"cancelled", func(_ *world, cancel context.CancelFunc) { cancel() }, context.Canceled.Error()},
		{"client closed", func(w *world, _ context.CancelFunc) { w.c.Close() }, "closed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			protocols(t, func(w *world) {
				ctx, cancel := context.WithCancel(w.Context())
				defer cancel()
				f := w.follow(ctx, "")
				f.types()
				began := time.Now()
				tt.end(w, cancel)
				err := <-f.ended
				if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
					w.Errorf("%v, want %q", err, tt.want)
				}
				if errors.Is(err, context.Canceled) != (tt.name == "cancelled") {
					w.Errorf("told as a cancellation: %v", err)
				}
				if took := time.Since(began); took != 0 {
					w.Errorf("it took %s to see", took)
				}
			})
		})
	}
}

// A watch may be silent for as long as nothing happens, also when the end of
// the process is near.
func TestWatchHasNoTimeout(t *testing.T) {
	bubble(t, func(w *world) {
		f := w.follow(w.Context(), "")
		w.c.SetKillAt(time.Now().Add(time.Second))
		time.Sleep(25 * time.Minute)
		w.s.DeletePod(namespace, podName)
		synctest.Wait()
		if types := f.types(); len(types) == 0 || types[len(types)-1] != apiwatch.Deleted {
			t.Errorf("events %v", types)
		}
		if n := len(w.s.Requests()); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}
