package kubeapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"
)

// Whatever a stream holds: no panic, an end, and events that the observer can
// rely on.
func FuzzWatchPod(f *testing.F) {
	for _, seed := range []string{
		``,
		`{"type":"ADDED","object":{"kind":"Pod","metadata":{"name":"pod","resourceVersion":"1"}}}`,
		`{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"2"}}}{"type":"DELETED","object":{"metadata":{"name":"pod"}}}`,
		`{"type":"ERROR","object":{"kind":"Status","code":410,"details":{"retryAfterSeconds":-1}}}`,
		`{"type":"NEW","object":7}`,
		`{"type":"MODIFIED","object":null}`,
		`{"type":"MODIFIED","object":{"metadata":{"name":"pod"},"spec":{"containers":[{"name":1}]}}}`,
		"<html>", "[]", "{}", "null", "\x00\xff",
	} {
		f.Add([]byte(seed))
	}
	dir := account(f)
	f.Fuzz(func(t *testing.T, stream []byte) {
		opened := 0
		err := answering(t, dir, 200, nil, bytes.NewReader(stream)).WatchPod(t.Context(), "", func() { opened++ }, func(e apiwatch.Event) {
			pod, _ := e.Object.(*corev1.Pod)
			switch e.Type {
			case apiwatch.Added, apiwatch.Modified, apiwatch.Deleted:
				if pod == nil || pod.Name != "pod" {
					t.Errorf("%s without the Pod: %v", e.Type, e.Object)
				}
			case apiwatch.Bookmark:
				if pod == nil {
					t.Error("bookmark without an object")
				}
			case apiwatch.Error:
				t.Error("an ERROR event was handed on")
			default:
				if e.Object != nil {
					t.Errorf("%s with %v", e.Type, e.Object)
				}
			}
		})
		if opened != 1 {
			t.Errorf("opened %d times", opened)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "WATCH /api/v1/namespaces/ns/pods: ") {
			t.Errorf("the request is not named: %v", err)
		}
		if e := new(Error); errors.As(err, &e) && !bytes.Contains(bytes.ToLower(stream), []byte("error")) {
			t.Errorf("an answer of the API server's: %v", err)
		}
	})
}

// Whatever comes instead of a success keeps its code, is bounded, and never asks
// for a negative pause.
func FuzzErrorAnswer(f *testing.F) {
	f.Add(403, "", []byte(`{"kind":"Status","code":403,"message":"m","details":{"retryAfterSeconds":-9}}`))
	f.Add(429, "1", []byte("Too many requests"))
	f.Add(503, "Sat, 01 Jan 2000 00:00:00 GMT", []byte{})
	f.Add(302, "-1", []byte("<html>"))
	f.Add(500, "99999999999", []byte("\xff\xfe\x00{"))
	dir := account(f)
	f.Fuzz(func(t *testing.T, code int, retryAfter string, body []byte) {
		if code < 300 || code > 599 {
			t.Skip()
		}
		_, err := answering(t, dir, code, http.Header{"Retry-After": {retryAfter}}, bytes.NewReader(body)).GetJob(t.Context())
		var e *Error
		if !errors.As(err, &e) {
			t.Fatalf("not an *Error: %v", err)
		}
		if e.Code != code || e.RetryAfter < 0 || !strings.HasPrefix(e.Error(), "GET /apis/batch/v1/namespaces/ns/jobs/job: ") {
			t.Errorf("%+v", e)
		}
		if !e.FromAPI && len(e.Message) > 1024 {
			t.Errorf("%d bytes of message", len(e.Message))
		}
	})
}

// Whatever claims to be a success is a Job of the asked-for kind or an error.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"kind":"Job","status":{"conditions":[{"type":"Available"}]}}`))
	f.Add([]byte(`{"kind":"Job","status":{"conditions":{}}}`))
	f.Add([]byte(`{"kind":"Status"}`))
	f.Add([]byte("<html>"))
	dir := account(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		job, err := answering(t, dir, 200, nil, bytes.NewReader(body)).GetJob(t.Context())
		if (job == nil) != (err != nil) {
			t.Errorf("%v and %v", job, err)
		}
		var kind struct{ Kind string }
		if json.Unmarshal(body, &kind); err == nil && kind.Kind != "Job" {
			t.Errorf("kind %q", kind.Kind)
		}
		if e := new(Error); errors.As(err, &e) {
			t.Errorf("a refusal: %v", err)
		}
	})
}
