package kubeapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi"
)

// Every code, said by the API server and by something before it, at every
// time that matters. A code that is in neither list passes whoever says it.
func TestFinal(t *testing.T) {
	passes := map[int]bool{401: true, 408: true, 409: true, 425: true, 429: true}
	for c := 100; c <= 599; c++ {
		for _, fromAPI := range []bool{true, false} {
			for _, since := range []time.Duration{0, time.Minute - 1, time.Minute, time.Hour} {
				want := false
				switch {
				case c == 403:
					want = since >= time.Minute
				case c >= 400 && c < 500 && !passes[c]:
					want = fromAPI
				}
				err := fmt.Errorf("wrapped: %w", &kubeapi.Error{Code: c, FromAPI: fromAPI})
				if got := kubeapi.Final(err, since); got != want {
					t.Errorf("%d after %s, from the API server: %v: final %v, want %v", c, since, fromAPI, got, want)
				}
			}
		}
	}
	for _, err := range []error{io.ErrUnexpectedEOF, context.DeadlineExceeded, context.Canceled, errors.New("any")} {
		if kubeapi.Final(err, time.Hour) {
			t.Errorf("final: %v", err)
		}
	}
	if !kubeapi.Final(fmt.Errorf("wrapped: %w", kubeapi.ErrReplaced), 0) {
		t.Error("a Job made anew is not final")
	}
}

func ExampleFinal() {
	refused := &kubeapi.Error{Method: "PATCH", Path: "/apis/batch/v1/namespaces/ns/jobs/job/status", Code: 404, FromAPI: true, Message: `jobs.batch "job" not found`}
	fmt.Println(refused)
	fmt.Println(kubeapi.Final(refused, 0))
	// Output:
	// PATCH /apis/batch/v1/namespaces/ns/jobs/job/status: 404 Not Found: jobs.batch "job" not found
	// true
}

// What crosses over to callers that do not know this package.
func TestOldEntryPoints(t *testing.T) {
	bubble(t, func(w *world) {
		if _, err := w.c.PatchJobStatus(w.Context(), kubeapi.StatusPatch{UID: w.job.UID, Condition: condition}); err != nil {
			t.Error(err)
		}
	})
	e := &kubeapi.Error{Code: 429, FromAPI: true, Wait: 4 * time.Second}
	if e.StatusCode() != 429 || e.RetryAfter() != 4*time.Second {
		t.Errorf("%d, %s", e.StatusCode(), e.RetryAfter())
	}
	if e.FromAPI = false; e.StatusCode() != 0 || e.RetryAfter() != 4*time.Second {
		t.Errorf("a page: %d, %s", e.StatusCode(), e.RetryAfter())
	}
}
