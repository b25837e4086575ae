package kubeapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Error is an answer of the API server, or of something before it, that is not
// the success asked for. It is an [apierrors.APIStatus], so that IsNotFound and
// its kin hold for it, and for what the API server itself has said alone: a load
// balancer's 404 does not say that the Pod is deleted. SuggestsClientDelay holds
// for any answer: the API server's own 429 may be plain text.
type Error struct {
	Method, Path string
	Code         int           // HTTP status code, or a Status' code inside a watch
	Message      string        // the server's words, or the first kilobyte of a body that is no Status
	FromAPI      bool          // the body was a metav1.Status: the API server itself has spoken
	RetryAfter   time.Duration // 0 where the server asked for none
	status       metav1.Status // as it came
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

// Status is what the API server has said, with the HTTP status code. Where it
// was something before the API server, its code and reason are empty. Retry-After
// is in the details in either case, in whole seconds and never too few of them.
func (e *Error) Status() metav1.Status {
	var s metav1.Status
	if e.FromAPI {
		s = e.status
		s.Code, s.Message = int32(e.Code), e.Message
	}
	if s.Details != nil || e.RetryAfter > 0 {
		var details metav1.StatusDetails
		if s.Details != nil {
			details = *s.Details
		}
		details.RetryAfterSeconds = wholeSeconds(e.RetryAfter)
		s.Details = &details
	}
	return s
}

// wholeSeconds rounds up: a server is not to be asked before it has said.
func wholeSeconds(d time.Duration) int32 {
	seconds := d / time.Second
	if d%time.Second > 0 {
		seconds++
	}
	return int32(min(max(seconds, 0), math.MaxInt32))
}

// readError makes an Error of an answer with a code other than 2xx. What has
// come of its body is all there is to tell; broken says why no more came.
func readError(method, path string, resp *http.Response) (e *Error, broken error) {
	e = &Error{Method: method, Path: path, Code: resp.StatusCode, RetryAfter: retryAfter(resp.Header.Get("Retry-After"))}
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
	e.FromAPI, e.Message, e.status = true, status.Message, *status
	if d := status.Details; d != nil && e.RetryAfter == 0 {
		e.RetryAfter = time.Duration(max(0, d.RetryAfterSeconds)) * time.Second
	}
	switch {
	case e.Code == http.StatusUnauthorized && !fromAdmission(e.Message):
		e.hint = "the token in SERVICE_ACCOUNT_DIR is not accepted"
	case e.Code == http.StatusForbidden && fromRBAC(e.Message):
		e.hint = "grant it in the Role of the Pod's ServiceAccount: " + need(e.Method, e.Path)
	}
}

// fromAdmission reports whether a webhook or a policy has denied the request:
// either may do so with any code.
func fromAdmission(message string) bool {
	return strings.HasPrefix(message, "admission webhook ") || strings.Contains(message, " denied request: ")
}

// fromRBAC reports whether it is RBAC that denied the request, so that a rule in
// the Role would allow it. Quotas, policies and webhooks say 403 as well, and a
// webhook may quote what it was itself denied. What follows the namespace is the
// authorizers' reasons: RBAC's own, or that of one which left it to RBAC; any
// other has denied it whatever the Role allows.
func fromRBAC(message string) bool {
	denial := regexp.MustCompile(`(?s)^[a-z.]+( "[^"]*")? is forbidden: User "([^"]+)" cannot [a-z]+ resource "[^"]+" in API group "[^"]*" in the namespace "[^"]*"` +
		`(: (RBAC: |[^:]* not have opinion ).*)?$`).FindStringSubmatch(message)
	return denial != nil && denial[2] != "system:anonymous" && !strings.HasPrefix(denial[2], "system:node:")
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

// retryAfter reads a Retry-After of either form: seconds, or the date until which
// to wait. More than the API's own type can say is the most that it can say.
func retryAfter(header string) time.Duration {
	seconds, err := strconv.ParseUint(header, 10, 31)
	if err == nil || errors.Is(err, strconv.ErrRange) { // ParseUint gives the largest then
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
