package kubeapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Error is an answer of the API server, or of something before it, that is not
// the success asked for.
type Error struct {
	Method, Path string
	Code         int           // HTTP status code, or a Status' code inside a watch
	Message      string        // the server's words, or the first kilobyte of a body that is no Status
	FromAPI      bool          // the body was a metav1.Status: the API server itself has spoken
	Wait         time.Duration // Retry-After; 0 where there was none
	hint         string
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s %s: %d %s", e.Method, e.Path, e.Code, http.StatusText(e.Code))
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.hint != "" {
		s += " (" + e.hint + ")"
	}
	return s
}

// StatusCode lets callers that do not import this package tell refusals apart.
// It is 0 where something before the API server has spoken: a load balancer's
// 404 does not say that the Pod is gone.
func (e *Error) StatusCode() int {
	if !e.FromAPI {
		return 0
	}
	return e.Code
}

// RetryAfter is the pause that the server asked for; 0 where it asked for none.
func (e *Error) RetryAfter() time.Duration { return e.Wait }

// roleDelay is how long a 403 may be the Role's late arrival: Roles are often
// created moments before or after the Job.
const roleDelay = time.Minute

// Final tells whether trying again is of no use. Since is the time since the
// first attempt. Everything but a clear refusal by the API server itself may
// pass: a 404 page of a load balancer says nothing about the Job.
func Final(err error, since time.Duration) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return errors.Is(err, ErrReplaced)
	}
	switch {
	case e.Code < 400, e.Code >= 500:
		return false
	case e.Code == http.StatusUnauthorized, // the token is read anew for each request
		e.Code == http.StatusRequestTimeout,
		e.Code == http.StatusConflict,
		e.Code == http.StatusTooEarly,
		e.Code == http.StatusTooManyRequests:
		return false
	case e.Code == http.StatusForbidden:
		return since >= roleDelay
	}
	return e.FromAPI
}

// ErrReplaced says that the Job was deleted and another one has its name.
var ErrReplaced = errors.New("the Job was deleted and made anew under the same name; this report belongs to its predecessor")

// readError makes an Error of an answer with a code other than 2xx. What has
// come of its body is all there is to tell; broken says why no more came.
func readError(method, path string, resp *http.Response) (e *Error, broken error) {
	e = &Error{Method: method, Path: path, Code: resp.StatusCode, Wait: retryAfter(resp.Header.Get("Retry-After"))}
	body, broken := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var status metav1.Status
	if json.Unmarshal(body, &status) == nil && status.Kind == "Status" {
		e.setStatus(&status)
		return e, broken
	}
	e.Message = strings.TrimSpace(string(body[:min(len(body), 1024)]))
	if e.Code >= 300 && e.Code < 400 {
		e.hint = "redirects are not followed; is " + resp.Request.URL.Host + " the API server?"
	}
	return e, broken
}

func (e *Error) setStatus(status *metav1.Status) {
	e.FromAPI, e.Message = true, status.Message
	if d := status.Details; d != nil && e.Wait == 0 {
		e.Wait = time.Duration(max(0, d.RetryAfterSeconds)) * time.Second
	}
	switch e.Code {
	case http.StatusUnauthorized:
		e.hint = "the token in SERVICE_ACCOUNT_DIR is not accepted"
	case http.StatusForbidden:
		e.hint = "grant it in the Role of the Pod's ServiceAccount: " + need(e.Method, e.Path)
	}
}

// need names the RBAC rule that a request of this package takes.
func need(method, path string) string {
	switch {
	case method == http.MethodPatch:
		return `verb "patch" on resource "jobs/status" in apiGroup "batch"`
	case strings.HasPrefix(path, "/apis/batch/"):
		return `verb "get" on resource "jobs" in apiGroup "batch"`
	case method == methodWatch:
		return `verb "watch" on resource "pods" in apiGroup ""`
	}
	return `verb "get" on resource "pods" in apiGroup ""`
}

func retryAfter(header string) time.Duration {
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
