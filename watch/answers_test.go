package watch

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// apiError is somebody's answer; its code is 0 where that is not the API server.
type apiError struct {
	code int32
	wait time.Duration
}

func (e apiError) Error() string { return fmt.Sprintf("the answer was %d", e.code) }

func (e apiError) Status() metav1.Status {
	return metav1.Status{Code: e.code, Details: &metav1.StatusDetails{RetryAfterSeconds: int32(e.wait / time.Second)}}
}

var (
	errNetwork = errors.New("connection reset")
	aPage      = apiError{}
	status403  = apiError{code: 403}
	status404  = apiError{code: 404}
	status409  = apiError{code: 409}
	status410  = apiError{code: 410}
	status422  = apiError{code: 422}
	status429  = apiError{code: 429, wait: 7 * time.Second}
	status503  = apiError{code: 503}
)

func TestAnswerOf(t *testing.T) {
	for _, test := range []struct {
		err  error
		want answer
	}{
		{nil, answered},
		{errNetwork, unanswered},
		{context.DeadlineExceeded, unanswered},
		{aPage, unanswered},
	} {
		if got := answerOf(test.err); got != test.want {
			t.Errorf("%v: %d, want %d", test.err, got, test.want)
		}
	}
	for code, want := range map[int32]answer{
		200: unanswered, 204: unanswered, 301: unanswered, 302: unanswered, 399: unanswered,
		400: refused, 401: busy, 402: refused, 403: forbidden, 404: notFound, 405: refused, 406: refused, 408: busy, 409: busy,
		410: expired, 413: refused, 415: refused, 422: refused, 425: busy, 429: busy, 499: refused,
		500: unable, 502: unable, 503: unable, 504: unable, 599: unable,
	} {
		for name, err := range map[string]error{"bare": apiError{code: code}, "wrapped": fmt.Errorf("as it is: %w", apiError{code: code})} {
			if got := answerOf(err); got != want {
				t.Errorf("%d, %s: %d, want %d", code, name, got, want)
			}
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for _, test := range []struct {
		err      error
		want     time.Duration
		somebody bool
	}{
		{nil, 0, false},
		{errNetwork, 0, false},
		{aPage, 0, true},
		{apiError{wait: 5 * sec}, 5 * sec, true}, // a page's
		{status429, 7 * sec, true},
		{fmt.Errorf("wrapped: %w", status429), 7 * sec, true},
		{status503, 0, true},
	} {
		if got := retryAfter(test.err); got != test.want {
			t.Errorf("%v: %v, want %v", test.err, got, test.want)
		}
		if got := somebody(test.err); got != test.somebody {
			t.Errorf("%v: somebody's answer %v, want %v", test.err, got, test.somebody)
		}
	}
}

// The slowest of the last eight answers counts.
func TestRecentAnswers(t *testing.T) {
	var r recent
	if got := r.slowest(); got != 0 {
		t.Errorf("slowest of none: %v", got)
	}
	r.add(3 * sec)
	for range 7 {
		r.add(time.Millisecond)
	}
	if got := r.slowest(); got != 3*sec {
		t.Errorf("slowest of eight: %v, want 3s", got)
	}
	r.add(time.Millisecond)
	if got := r.slowest(); got != time.Millisecond {
		t.Errorf("slowest after eight more: %v, want 1ms", got)
	}
}
