package kubeapi_test

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// The texts that users meet, made by the server's real answers.
func TestErrorTexts(t *testing.T) {
	forbidden := ` is forbidden: User "system:serviceaccount:adapters:status-reporter-sa" cannot `
	for _, tt := range []struct {
		name  string
		setUp func(w *world)
		call  func(w *world) error
		want  string
	}{
		{"403 get Pod", func(w *world) { w.s.Deny("get", "pods") }, (*world).getPod,
			`GET ` + podPath + `: 403 Forbidden: pods "adapter-job-x7k2p"` + forbidden + `get resource "pods" in API group "" in the namespace "adapters"` +
				` (grant it in the Role of the Pod's ServiceAccount: verb "get" on resource "pods" in apiGroup "")`},
		{"403 watch Pod", func(w *world) { w.s.Deny("watch", "pods") }, (*world).watch,
			`WATCH ` + podsPath + `: 403 Forbidden: pods "adapter-job-x7k2p"` + forbidden + `watch resource "pods" in API group "" in the namespace "adapters"` +
				` (grant it in the Role of the Pod's ServiceAccount: verb "watch" on resource "pods" in apiGroup "")`},
		{"403 get Job", func(w *world) { w.s.Deny("get", "jobs") }, (*world).getJob,
			`GET ` + jobPath + `: 403 Forbidden: jobs.batch "adapter-job"` + forbidden + `get resource "jobs" in API group "batch" in the namespace "adapters"` +
				` (grant it in the Role of the Pod's ServiceAccount: verb "get" on resource "jobs" in apiGroup "batch")`},
		{"403 patch Job", func(w *world) { w.s.Deny("patch", "jobs/status") }, (*world).patch,
			`PATCH ` + jobPath + `/status: 403 Forbidden: jobs.batch "adapter-job"` + forbidden + `patch resource "jobs/status" in API group "batch" in the namespace "adapters"` +
				` (grant it in the Role of the Pod's ServiceAccount: verb "patch" on resource "jobs/status" in apiGroup "batch")`},
		{"401", func(w *world) { w.s.SetAcceptedTokens() }, (*world).getJob,
			`GET ` + jobPath + `: 401 Unauthorized: Unauthorized (the token in SERVICE_ACCOUNT_DIR is not accepted)`},
		{"404", func(w *world) { w.s.DeleteJob(namespace, jobName) }, (*world).getJob,
			`GET ` + jobPath + `: 404 Not Found: jobs.batch "adapter-job" not found`},
		{"no message", func(w *world) { w.s.Fault(jobGet, kubetest.Status(503, "ServiceUnavailable", "")) }, (*world).getJob,
			`GET ` + jobPath + `: 503 Service Unavailable`},
		{"HTML", func(w *world) { w.s.Fault(jobGet, kubetest.Respond(502, "text/html", "<h1>Bad Gateway</h1>\r\n")) }, (*world).getJob,
			`GET ` + jobPath + `: 502 Bad Gateway: <h1>Bad Gateway</h1>`},
		{"JSON that is no Status", func(w *world) { w.s.Fault(jobGet, kubetest.Respond(404, "application/json", `{"kind":"Error"}`)) }, (*world).getJob,
			`GET ` + jobPath + `: 404 Not Found: {"kind":"Error"}`},
		{"redirect", func(w *world) { w.s.Fault(jobGet, kubetest.Respond(302, "", "moved").Header("Location", podPath)) }, (*world).getJob,
			`GET ` + jobPath + `: 302 Found: moved (redirects are not followed; is 127.0.0.1:1 the API server?)`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				tt.setUp(w)
				if err := tt.call(w); err == nil || err.Error() != tt.want {
					w.Errorf("\n got %v\nwant %s", err, tt.want)
				}
			})
		})
	}
}

func (w *world) watch() error {
	return w.c.WatchPod(w.Context(), "", func() {}, func(apiwatch.Event) {})
}

// A body that is no Status keeps its code and its first kilobyte, whatever its size.
func TestErrorBodies(t *testing.T) {
	for _, tt := range []struct {
		name    string
		fault   kubetest.Fault
		message string
		fromAPI bool
	}{
		{"kilobyte", kubetest.Respond(500, "", strings.Repeat("x", 1024)), strings.Repeat("x", 1024), false},
		{"longer", kubetest.Respond(500, "", strings.Repeat("x", 5<<20)), strings.Repeat("x", 1024), false},
		{"empty", kubetest.Respond(500, "", ""), "", false},
		{"garbled Status", kubetest.Respond(500, "application/json", `{"kind":"Status","code":50`), `{"kind":"Status","code":50`, false},
		{"Status", kubetest.Status(500, "InternalError", "the words"), "the words", true},
		{"long Status", kubetest.Status(500, "InternalError", strings.Repeat("m", 60000)), strings.Repeat("m", 60000), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.s.Fault(jobGet, tt.fault)
				var e *kubeapi.Error
				if err := w.getJob(); !errors.As(err, &e) {
					t.Fatalf("not an *Error: %v", err)
				}
				if e.Code != 500 || e.Message != tt.message || e.FromAPI != tt.fromAPI || e.Method != "GET" || e.Path != jobPath {
					t.Errorf("%+v", e)
				}
			})
		})
	}
}

// A Retry-After in the header, as a page and as a Status: the client waits for whole
// seconds, never for too few, and never for less than none.
func TestRetryAfter(t *testing.T) {
	const most = math.MaxInt32
	for _, tt := range []struct {
		header  string
		want    time.Duration
		seconds int
	}{
		{"0", 0, 0},
		{"1", time.Second, 1},
		{"86400", 24 * time.Hour, 86400},
		{"2147483647", most * time.Second, most},
		{"2147483648", most * time.Second, most},
		{"99999999999", most * time.Second, most},
		{"99999999999999999999", most * time.Second, most},
		{"Sat, 01 Jan 2000 00:01:30 GMT", 90*time.Second - 300*time.Millisecond, 90}, // a bubble's time begins with 2000
		{"Saturday, 01-Jan-00 00:01:30 GMT", 90*time.Second - 300*time.Millisecond, 90},
		{"Sat Jan  1 00:00:01 2000", 700 * time.Millisecond, 1},
		{"Sat, 01 Jan 2000 00:00:00 GMT", 0, 0},
		{"Fri, 31 Dec 1999 23:59:59 GMT", 0, 0},
		{"Fri, 31 Dec 9999 23:59:59 GMT", math.MaxInt64, most},
		{"Mon, 01 Jan 0001 00:00:00 GMT", 0, 0},
		{"-1", 0, 0},
		{"-99999999999", 0, 0},
		{"1.5", 0, 0},
		{"soon", 0, 0},
		{"", 0, 0},
	} {
		t.Run(tt.header, func(t *testing.T) {
			bubble(t, func(w *world) {
				time.Sleep(300 * time.Millisecond)
				w.s.Fault(jobGet, kubetest.Respond(429, "text/plain", "later").Header("Retry-After", tt.header),
					kubetest.Status(429, metav1.StatusReasonTooManyRequests, "later").Header("Retry-After", tt.header))
				for _, isStatus := range []bool{false, true} {
					var e *kubeapi.Error
					if err := w.getJob(); !errors.As(err, &e) {
						t.Fatalf("not an *Error: %v", err)
					}
					if e.RetryAfter != tt.want || e.Code != http.StatusTooManyRequests || e.FromAPI != isStatus {
						t.Errorf("%d, Retry-After %s; want %s", e.Code, e.RetryAfter, tt.want)
					}
					seconds, ok := apierrors.SuggestsClientDelay(fmt.Errorf("wrapped: %w", e))
					if seconds != tt.seconds || ok != (tt.seconds > 0) {
						t.Errorf("Status %v: a delay of %d s, %v; want %d s", isStatus, seconds, ok, tt.seconds)
					}
				}
			})
		})
	}
}

// Where the header is missing, the Status may carry the time. The header wins.
func TestRetryAfterOfStatus(t *testing.T) {
	body := func(seconds string) string {
		return `{"kind":"Status","message":"later","details":{"retryAfterSeconds":` + seconds + `}}`
	}
	for _, tt := range []struct {
		name  string
		fault kubetest.Fault
		want  time.Duration
	}{
		{"ServerTimeout without", kubetest.Respond(500, "application/json", `{"kind":"Status","reason":"ServerTimeout","message":"later","details":{"retryAfterSeconds":-5}}`), 0},
		{"Status", kubetest.Respond(429, "application/json", body("7")), 7 * time.Second},
		{"both", kubetest.Respond(429, "application/json", body("7")).Header("Retry-After", "3"), 3 * time.Second},
		{"largest", kubetest.Respond(429, "application/json", body("2147483647")), 2147483647 * time.Second},
		{"negative", kubetest.Respond(429, "application/json", body("-5")), 0},
		{"none", kubetest.Respond(429, "application/json", `{"kind":"Status","message":"later"}`), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.s.Fault(jobGet, tt.fault)
				var e *kubeapi.Error
				if err := w.getJob(); !errors.As(err, &e) {
					t.Fatalf("not an *Error: %v", err)
				}
				if e.RetryAfter != tt.want || e.Message != "later" {
					t.Errorf("wait %s, want %s; message %q", e.RetryAfter, tt.want, e.Message)
				}
				if seconds, _ := apierrors.SuggestsClientDelay(e); seconds != int(tt.want/time.Second) {
					t.Errorf("a delay of %d s, want %s", seconds, tt.want)
				}
			})
		})
	}
}
