package kubeapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/google/go-cmp/cmp"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// kinds are the questions that callers may ask of an error, with the code that
// stands for each where the server gives no reason.
var kinds = []struct {
	name string
	is   func(error) bool
	code int
}{
	{"BadRequest", apierrors.IsBadRequest, 400},
	{"Unauthorized", apierrors.IsUnauthorized, 401},
	{"Forbidden", apierrors.IsForbidden, 403},
	{"NotFound", apierrors.IsNotFound, 404},
	{"Conflict", apierrors.IsConflict, 409},
	{"Gone", apierrors.IsGone, 410},
	{"RequestEntityTooLarge", apierrors.IsRequestEntityTooLargeError, 413},
	{"Invalid", apierrors.IsInvalid, 422},
	{"TooManyRequests", apierrors.IsTooManyRequests, 429},
	{"InternalError", apierrors.IsInternalError, 500},
	{"ServiceUnavailable", apierrors.IsServiceUnavailable, 503},
	{"Timeout", apierrors.IsTimeout, 504},
}

// Every code, as a Status and as a page: the API server's word counts, and
// nobody else's; either may ask for a pause.
func TestStatusOfEveryCode(t *testing.T) {
	bubble(t, func(w *world) {
		for code := 300; code <= 599; code++ {
			for _, isStatus := range []bool{true, false} {
				fault := kubetest.Respond(code, "text/plain", "a page")
				if isStatus {
					fault = kubetest.Status(code, "", "the words")
				}
				w.s.Fault(jobGet, fault.Header("Retry-After", "3"))
				err := fmt.Errorf("wrapped: %w", w.getJob())
				for _, kind := range kinds {
					if got, want := kind.is(err), isStatus && code == kind.code; got != want {
						t.Errorf("%d, Status %v: Is%s %v, want %v", code, isStatus, kind.name, got, want)
					}
				}
				if seconds, ok := apierrors.SuggestsClientDelay(err); seconds != 3 || !ok {
					t.Errorf("%d, Status %v: a delay of %d s, %v; want 3 s", code, isStatus, seconds, ok)
				}
				var e *kubeapi.Error
				if !errors.As(err, &e) || e.Code != code {
					t.Errorf("%d, Status %v: %v", code, isStatus, err)
				}
			}
		}
	})
}

// All that the server has said comes through, but for the code, which is that of
// the answer. A page is no Status, whatever it looks like.
func TestStatusIsWhole(t *testing.T) {
	whole := metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, ListMeta: metav1.ListMeta{ResourceVersion: "7"},
		Status: metav1.StatusFailure, Reason: metav1.StatusReasonInvalid, Message: "the words", Code: 422,
		Details: &metav1.StatusDetails{
			Group: "batch", Kind: "Job", Name: jobName, UID: "1", RetryAfterSeconds: 2,
			Causes: []metav1.StatusCause{{Type: "FieldValueInvalid", Field: "metadata.uid", Message: "field is immutable"}},
		},
	}
	change := func(f func(s *metav1.Status)) metav1.Status {
		s := *whole.DeepCopy()
		f(&s)
		return s
	}
	pause := func(seconds int32) *metav1.StatusDetails {
		return &metav1.StatusDetails{RetryAfterSeconds: seconds}
	}
	for _, tt := range []struct {
		name       string
		code       int
		body       string
		retryAfter string
		want       metav1.Status
	}{
		{"whole", 422, encode(t, whole), "", whole},
		{"another code", 409, encode(t, whole), "", change(func(s *metav1.Status) { s.Code = 409 })},
		{"another pause", 422, encode(t, whole), "9", change(func(s *metav1.Status) { s.Details.RetryAfterSeconds = 9 })},
		{"no code", 404, `{"kind":"Status"}`, "", metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status"}, Code: 404}},
		{"no details", 429, `{"kind":"Status"}`, "4", metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status"}, Code: 429, Details: pause(4)}},
		{"negative pause", 429, `{"kind":"Status","details":{"retryAfterSeconds":-4}}`, "",
			metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status"}, Code: 429, Details: pause(0)}},
		{"page", 404, "404 page not found", "", metav1.Status{}},
		{"page with a pause", 429, "Too many requests, please try again later.\n", "1", metav1.Status{Details: pause(1)}},
		{"another kind", 404, `{"kind":"Error","reason":"NotFound","code":404}`, "", metav1.Status{}},
		{"no kind", 404, `{"status":"Failure","reason":"NotFound","code":404}`, "", metav1.Status{}},
		{"half a Status", 404, `{"kind":"Status","code":404,"reason":"Not`, "", metav1.Status{}},
		{"a Status of wrong types", 404, `{"kind":"Status","code":"404"}`, "", metav1.Status{}},
		{"empty", 403, "", "", metav1.Status{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.s.Fault(jobGet, kubetest.Respond(tt.code, "application/json", tt.body).Header("Retry-After", tt.retryAfter))
				var status apierrors.APIStatus
				if err := w.getJob(); !errors.As(err, &status) {
					t.Fatalf("no APIStatus: %v", err)
				}
				for range 2 { // nothing that is given away is kept
					got := status.Status()
					if diff := cmp.Diff(tt.want, got); diff != "" {
						t.Errorf("Status (-want +got):\n%s", diff)
					}
					if got.Details != nil {
						got.Details.RetryAfterSeconds, got.Details.Name = 99, "changed"
					}
				}
			})
		})
	}
}

// An ERROR event of a watch carries a Status of its own.
func TestStatusOfAWatchEvent(t *testing.T) {
	bubble(t, func(w *world) {
		f := w.follow(w.Context(), "")
		w.s.SendEvent([]byte(`{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"m"}}` + "\n"))
		if err := <-f.ended; !apierrors.IsResourceExpired(err) {
			t.Error(err)
		}
	})
}

// Who denies a request names what is wrong; that a rule is missing in the Role is
// said where RBAC has denied it, and nowhere else.
func TestHints(t *testing.T) {
	const (
		user   = `User "system:serviceaccount:adapters:status-reporter-sa" `
		cannot = user + `cannot patch resource "jobs/status" in API group "batch" in the namespace "adapters"`
		job    = `jobs.batch "adapter-job" is forbidden: `
		role   = ` (grant it in the Role of the Pod's ServiceAccount: verb "patch" on resource "jobs/status" in apiGroup "batch")`
		token  = ` (the token in SERVICE_ACCOUNT_DIR is not accepted)`
	)
	for _, tt := range []struct {
		name    string
		code    int
		message string
		hint    string
	}{
		{"RBAC", 403, job + cannot, role},
		{"RBAC, no name", 403, `jobs.batch is forbidden: ` + cannot, role},
		{"RBAC, role not found", 403, job + cannot + `: RBAC: role.rbac.authorization.k8s.io "status-reporter" not found`, role},
		{"RBAC, roles not found", 403, job + cannot + `: RBAC: [clusterrole.rbac.authorization.k8s.io "a" not found, role.rbac.authorization.k8s.io "b" not found]`, role},
		{"RBAC, after an authorizer without an opinion", 403, job + cannot + `: Azure does not have opinion for this user.`, role},
		{"RBAC, both", 403, job + cannot + ": Azure does not have opinion for this user.\nRBAC: role.rbac.authorization.k8s.io \"b\" not found", role},
		{"RBAC, core group", 403, `pods "adapter-job-x7k2p" is forbidden: ` + user + `cannot get resource "pods" in API group "" in the namespace "adapters"`, role},

		{"anonymous", 403, job + strings.Replace(cannot, "system:serviceaccount:adapters:status-reporter-sa", "system:anonymous", 1), ""},
		{"node authorizer", 403, job + strings.Replace(cannot, "system:serviceaccount:adapters:status-reporter-sa", "system:node:node-1", 1), ""},
		{"node authorizer, with its reason", 403, job + strings.Replace(cannot, "system:serviceaccount:adapters:status-reporter-sa", "system:node:node-1", 1) + `: no relationship found between node 'node-1' and this object`, ""},
		{"authorization webhook", 403, job + cannot + `: denied by the company's rules`, ""},
		{"impersonation", 403, `users "u" is forbidden: ` + user + `cannot impersonate resource "users" in API group "" at the cluster scope`, ""},
		{"path", 403, `forbidden: ` + user + `cannot get path "/"`, ""},
		{"webhook", 403, `admission webhook "jobs.example.com" denied the request: no conditions here`, ""},
		{"webhook, no words", 403, `admission webhook "jobs.example.com" denied the request without explanation`, ""},
		{"webhook that was denied itself", 403, `admission webhook "jobs.example.com" denied the request: ` + job + cannot, ""},
		{"webhook that was denied, over two lines", 403, "admission webhook \"jobs.example.com\" denied the request:\n" + job + cannot, ""},
		{"policy", 403, job + `ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no conditions here`, ""},
		{"policy that quotes RBAC", 403, job + `ValidatingAdmissionPolicy 'p' with binding 'b' denied request: ` + cannot, ""},
		{"mutating policy", 403, job + `MutatingAdmissionPolicy 'p' with binding 'b' denied request: no`, ""},
		{"quota", 403, job + `exceeded quota: q, requested: count/jobs.batch=1, used: count/jobs.batch=9, limited: count/jobs.batch=9`, ""},
		{"Pod Security", 403, `pods "p" is forbidden: violates PodSecurity "restricted:latest": privileged`, ""},
		{"namespace at its end", 403, job + `unable to create new content in namespace adapters because it is being terminated`, ""},
		{"owner references", 403, job + `cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on`, ""},
		{"no words", 403, "", ""},
		{"policy, 422", 422, job + `ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no`, ""},
		{"webhook, 400", 400, `admission webhook "w" denied the request: no`, ""},
		{"webhook, 500", 500, `Internal error occurred: failed calling webhook "w": context deadline exceeded`, ""},
		{"RBAC's words with another code", 404, job + cannot, ""},

		{"token", 401, "Unauthorized", token},
		{"token, no words", 401, "", token},
		{"webhook, 401", 401, `admission webhook "w" denied the request: who are you?`, ""},
		{"policy, 401", 401, `jobs.batch "adapter-job" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: who are you?`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				body, err := json.Marshal(map[string]any{"kind": "Status", "code": tt.code, "message": tt.message})
				if err != nil {
					t.Fatal(err)
				}
				w.s.Fault(jobPatch, kubetest.Respond(tt.code, "application/json", string(body)),
					kubetest.Respond(tt.code, "text/plain", tt.message))
				start := fmt.Sprintf("PATCH %s/status: %d %s", jobPath, tt.code, http.StatusText(tt.code))
				if tt.message != "" {
					start += ": " + tt.message
				}
				if err := w.patch(); err == nil || err.Error() != start+tt.hint {
					t.Errorf("\n got %v\nwant %s", err, start+tt.hint)
				}
				if err := w.patch(); err == nil || err.Error() != start {
					t.Errorf("as a page\n got %v\nwant %s", err, start)
				}
			})
		})
	}
}
