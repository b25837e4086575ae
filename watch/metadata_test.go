package watch

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

const (
	labelKey      = "example.com/outcome"
	annotationKey = "example.com/details"
)

func withLabel(c *Config)      { c.OutcomeLabel = labelKey }
func withAnnotation(c *Config) { c.DetailsAnnotation, c.Version = annotationKey, "v1.2.3" }

// detailed is a valid result with details.
func detailed(details string) look {
	return look{kind: fileValid, result: contract.Result{Status: contract.Success, Reason: "Ready", Message: "All set", Details: json.RawMessage(details)}}
}

// TestAnnotated: what is known, and nothing else.
func TestAnnotated(t *testing.T) {
	began, ended := start.Add(-time.Minute), start.Add(-time.Second)
	own := verdict{own: true}
	failed := func(n int32) *batchv1.Job { return theJob(func(j *batchv1.Job) { j.Status.Failed = n }) }
	big := func(n int) string { return `"` + strings.Repeat("x", n-2) + `"` }
	another := failed(0)
	another.UID = "job-2"
	for _, tt := range []struct {
		name    string
		verdict verdict
		file    look
		job     *batchv1.Job
		pod     *corev1.Pod
		want    string
	}{
		{"nothing is known", verdict{}, look{}, nil, nil, `{"pod":"adapter-job-x7k2p","reporterVersion":"v1.2.3","v":1}`},
		{"all is known", own, detailed("{\n \"z\": \"<b> \u202e\", \"a\": 1}"), failed(2), pod(ends(0, "Completed"), endTimes(began, ended), ofTheJob),
			`{"attempt":3,"details":{"z":"<b> \u202e","a":1},"finishedAt":"2026-01-15T08:59:59Z","pod":"adapter-job-x7k2p","podUID":"1","reporterVersion":"v1.2.3","startedAt":"2026-01-15T08:59:00Z","v":1}`},
		{"it runs", own, detailed("[]"), failed(0), pod(runs(began), ofTheJob),
			`{"attempt":1,"details":[],"pod":"adapter-job-x7k2p","podUID":"1","reporterVersion":"v1.2.3","startedAt":"2026-01-15T08:59:00Z","v":1}`},
		{"it waits to be started again", verdict{}, look{}, nil, pod(waits("CrashLoopBackOff", ""), endedBefore(1, "Error"), endTimes(began, ended)),
			`{"finishedAt":"2026-01-15T08:59:59Z","pod":"adapter-job-x7k2p","podUID":"1","reporterVersion":"v1.2.3","startedAt":"2026-01-15T08:59:00Z","v":1}`},
		{"it has never started", verdict{}, look{}, nil, pod(waits("ImagePullBackOff", "")), `{"pod":"adapter-job-x7k2p","podUID":"1","reporterVersion":"v1.2.3","v":1}`},
		{"no statuses yet", verdict{}, look{}, nil, pod(func(p *corev1.Pod) { p.Status = corev1.PodStatus{} }), `{"pod":"adapter-job-x7k2p","podUID":"1","reporterVersion":"v1.2.3","v":1}`},
		{"no times of a lost end", verdict{}, look{}, nil, pod(ends(137, reasonLost)), `{"pod":"adapter-job-x7k2p","podUID":"1","reporterVersion":"v1.2.3","v":1}`},
		{"a runtime that could not start it says 1970", verdict{}, look{}, nil, pod(ends(128, "StartError"), endTimes(time.Unix(0, 0), ended)),
			`{"finishedAt":"2026-01-15T08:59:59Z","pod":"adapter-job-x7k2p","podUID":"1","reporterVersion":"v1.2.3","v":1}`},
		{"the Job is another of the same name", verdict{}, look{}, another, pod(waits("", ""), ofTheJob), `{"pod":"adapter-job-x7k2p","podUID":"1","reporterVersion":"v1.2.3","v":1}`},
		{"details are of the adapter's own result alone", verdict{}, detailed("{}"), nil, nil, `{"pod":"adapter-job-x7k2p","reporterVersion":"v1.2.3","v":1}`},
		{"null is none", own, detailed("null"), nil, nil, `{"pod":"adapter-job-x7k2p","reporterVersion":"v1.2.3","v":1}`},
		{"16 KiB", own, detailed(big(16 << 10)), nil, nil, `{"details":` + big(16<<10) + `,"pod":"adapter-job-x7k2p","reporterVersion":"v1.2.3","v":1}`},
		{"a byte more", own, detailed(big(16<<10 + 1)), nil, nil, `{"detailsBytes":16385,"pod":"adapter-job-x7k2p","reporterVersion":"v1.2.3","v":1}`},
		{"white space does not count", own, detailed(strings.Repeat(" ", 20000) + "{ }"), nil, nil, `{"details":{},"pod":"adapter-job-x7k2p","reporterVersion":"v1.2.3","v":1}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := Config{Wait: time.Minute}
			withAnnotation(&c)
			s := newTestState(c)
			s.file.look, s.job.last, s.pod.last = tt.file, tt.job, tt.pod
			if got := s.annotated(tt.verdict); got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestAnnotatedWithoutAdapter: which container it is cannot be told.
func TestAnnotatedWithoutAdapter(t *testing.T) {
	s := newTestState(Config{Wait: time.Minute})
	s.pod.last, s.pod.roles.adapter = pod(ends(0, "Completed")), nil
	if got, want := s.annotated(verdict{}), `{"pod":"adapter-job-x7k2p","podUID":"1","v":1}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// ofTheJob makes the Pod one of theJob's.
func ofTheJob(p *corev1.Pod) {
	yes := true
	p.OwnerReferences = []metav1.OwnerReference{{Kind: "Job", Name: "adapter-job", UID: "job-1", Controller: &yes}}
}

var jobs = schema.GroupResource{Group: "batch", Resource: "jobs"}

// words are an error as an API server has them.
type words string

func (w words) Error() string { return string(w) }

// refusalOf is what an API server says, in its words.
func refusalOf(code int32, message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: code, Message: message}}
}

func notValid(path ...string) error {
	var all field.ErrorList
	for _, p := range path {
		all = append(all, field.Invalid(field.NewPath("metadata", p), "x", "is not valid"))
	}
	return apierrors.NewInvalid(schema.GroupKind{Group: "batch", Kind: "Job"}, "adapter-job", all)
}

// Refusals, as an API server of 1.37 words them.
var (
	errRBAC         = apierrors.NewForbidden(jobs, "adapter-job", words(`User "system:serviceaccount:a:b" cannot patch resource "jobs/status" in API group "batch" in the namespace "a"`))
	errNotReady     = apierrors.NewForbidden(jobs, "adapter-job", words("not yet ready to handle request"))
	errPolicyDenial = fmt.Errorf("PATCH: %w", apierrors.NewForbidden(jobs, "adapter-job", words("ValidatingAdmissionPolicy 'no-labels' with binding 'no-labels' denied request: no labels, please")))
)

const (
	byPolicy  = `jobs.batch "adapter-job" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p' denied request: no`
	byWebhook = `admission webhook "w.example.com" denied the request: no`
)

// TestDrop: which refusals come of a label or an annotation, and which of the two goes.
func TestDrop(t *testing.T) {
	const both, none = "label and annotation", ""
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"none", nil, none},
		{"the network", errNetwork, none},
		{"a page", aPage, none},
		{"a right is missing", errRBAC, none},
		{"a server that has just started", errNotReady, none},
		{"a policy, 403", errPolicyDenial, both},
		{"a policy, 422", refusalOf(422, byPolicy), both},
		{"a policy, 401", refusalOf(401, byPolicy), both},
		{"a policy, 413", refusalOf(413, byPolicy), both},
		{"a webhook, 403", refusalOf(403, byWebhook), both},
		{"a webhook, 400", refusalOf(400, byWebhook), both},
		{"a webhook, 409", refusalOf(409, byWebhook), both},
		{"a webhook, 404", refusalOf(404, byWebhook), both},
		{"a webhook, 410", refusalOf(410, byWebhook), both},
		{"a webhook, 503", refusalOf(503, byWebhook), both},
		{"a webhook that quotes a missing right", refusalOf(403, `admission webhook "w" denied the request: pods is forbidden: User "x" cannot get resource "pods"`), both},
		{"a webhook that is away", refusalOf(500, `Internal error occurred: failed calling webhook "w": no route to host`), none},
		{"a plugin", apierrors.NewForbidden(jobs, "adapter-job", words("exceeded quota: q")), both},
		{"the label", notValid("labels"), "label"},
		{"the annotation", notValid("annotations"), "annotation"},
		{"both, by name", notValid("labels", "annotations"), both},
		{"a policy that names the annotation", refusalOf(403, byPolicy+": metadata.annotations is not yours"), "annotation"},
		{"another field", notValid("finalizers"), both},
		{"another Job of its name", notValid("uid"), none},
		{"etcd", refusalOf(500, "etcdserver: request is too large"), both},
		{"etcd's client", refusalOf(500, "rpc error: code = ResourceExhausted desc = trying to send message larger than max (2100000 vs. 2097152)"), both},
		{"400", refusalOf(400, "bad request"), both},
		{"413", refusalOf(413, "too large"), both},
		{"401", apierrors.NewUnauthorized("Unauthorized"), none},
		{"404", apierrors.NewNotFound(jobs, "adapter-job"), none},
		{"409", apierrors.NewConflict(jobs, "adapter-job", words("changed")), none},
		{"410", status410, none},
		{"429", apierrors.NewTooManyRequests("slow down", 1), none},
		{"500", refusalOf(500, "etcdserver: leader changed"), none},
	} {
		t.Run(tt.name, func(t *testing.T) {
			full := metadata{label: labelKey, annotation: annotationKey}
			for _, c := range []struct {
				has, want string
			}{{both, tt.want}, {"label", "label"}, {"annotation", "annotation"}, {none, none}} {
				m, sent := full, &batchv1.Job{}
				if strings.Contains(c.has, "label") {
					metav1.SetMetaDataLabel(&sent.ObjectMeta, labelKey, "True")
				}
				if strings.Contains(c.has, "annotation") {
					metav1.SetMetaDataAnnotation(&sent.ObjectMeta, annotationKey, "{}")
				}
				want := c.want
				if tt.want == none {
					want = none
				}
				dropped := m.drop(sent, tt.err)
				if dropped != (want != none) || m.dropped.what != want {
					t.Errorf("with %q: %v, %q goes, want %q", c.has, dropped, m.dropped.what, want)
				}
				if (m.label == "") != strings.Contains(want, "label") || (m.annotation == "") != strings.Contains(want, "annotation") {
					t.Errorf("with %q: %q and %q stay", c.has, m.label, m.annotation)
				}
			}
		})
	}
}

// TestDeliverMetadata: the label and the annotation go in the PATCH, and cost nothing.
func TestDeliverMetadata(t *testing.T) {
	refuses := func(err error) scene { return fail("metadata", err) }
	checkDelivery(t, []delivers{
		{"success", aSecond(finished(success)),
			"read Job; PATCH True Ready uid=job-1 label=True annotation; reported True Ready; end delivered own"},
		{"failure", aSecond(finished(failure)),
			"read Job; read Job; PATCH False Broken uid=job-1 rv=1 label=False annotation; reported False Broken; end delivered own"},
		{"an interruption, and what replaces it", aSecond(stops, until(2*sec), finished(success)),
			"read Job; read Pod; read Job; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=1 label=Unknown annotation; reported Unknown AdapterInterrupted; PATCH True Ready uid=job-1 label=True annotation; reported True Ready; end delivered own"},
		{"a policy refuses them", aSecond(refuses(errPolicyDenial), finished(success)),
			"read Job; PATCH True Ready uid=job-1 label=True annotation!; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"a policy refuses them, failure: the guard is the same", aSecond(refuses(errPolicyDenial), finished(failure)),
			"read Job; read Job; PATCH False Broken uid=job-1 rv=1 label=False annotation!; PATCH False Broken uid=job-1 rv=1; reported False Broken; end delivered own"},
		{"the annotation is refused, then the label", aSecond(refuses(notValid("annotations")), finished(success)),
			"read Job; PATCH True Ready uid=job-1 label=True annotation!; PATCH True Ready uid=job-1 label=True!; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"once refused they do not come again", aSecond(refuses(errPolicyDenial), stops, until(2*sec), finished(success)),
			"read Job; read Pod; read Job; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=1 label=Unknown annotation!; PATCH Unknown AdapterInterrupted uid=job-1 rv=1; reported Unknown AdapterInterrupted; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"refused, and the verdict is another meanwhile", aSecond(refuses(errPolicyDenial), hold("metadata"), stops, until(2*sec), finished(success), release("metadata"), until(4*sec)),
			"read Job; read Pod; read Job; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=1 label=Unknown annotation!; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"they are refused, and so is the report: that is final", aSecond(fail("PATCH", refusalOf(422, byPolicy)), refuses(refusalOf(422, byPolicy)), finished(success)),
			"read Job; PATCH True Ready uid=job-1 label=True annotation!; PATCH True Ready uid=job-1!; refused True Ready; end own"},
		{"a right that is missing and comes is none of theirs", aSecond(refuses(errRBAC), finished(success), until(30*sec), clock, refuses(nil), until(43*sec)),
			"read Job; PATCH True Ready uid=job-1 label=True annotation!; trying True Ready; PATCH True Ready uid=job-1 label=True annotation!; @30s; PATCH True Ready uid=job-1 label=True annotation; reported True Ready; end delivered own"},
		{"nor is an outage", aSecond(refuses(errNetwork), finished(success), until(30*sec), clock, refuses(nil), until(43*sec)),
			"read Job; PATCH True Ready uid=job-1 label=True annotation!; trying True Ready; PATCH True Ready uid=job-1 label=True annotation!; @30s; PATCH True Ready uid=job-1 label=True annotation; reported True Ready; end delivered own"},
		{"the Job is made anew", aSecond(madeAnew, refuses(notValid("uid")), finished(success), until(2*sec)),
			"read Job; PATCH True Ready uid=job-1 label=True annotation!; refused True Ready; end own"},
	}, withLabel, withAnnotation)
	checkDelivery(t, []delivers{
		{"the label alone", aSecond(finished(success)), "read Job; PATCH True Ready uid=job-1 label=True; reported True Ready; end delivered own"},
		{"the label alone, refused", aSecond(refuses(errPolicyDenial), finished(success)), "read Job; PATCH True Ready uid=job-1 label=True!; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
	}, withLabel)
	checkDelivery(t, []delivers{
		{"the annotation alone", aSecond(finished(success)), "read Job; PATCH True Ready uid=job-1 annotation; reported True Ready; end delivered own"},
	}, withAnnotation)
}

// What the API server refuses is said once.
func TestLoopTellsOfMetadata(t *testing.T) {
	inBubble(t, newFakeAPI(ownPod()), func(t *testing.T, r *rig) {
		r.fail("metadata", errPolicyDenial)
		r.stop()
		r.until(2 * sec)
		r.write(valid)
		r.delivers("500ms Unknown AdapterInterrupted", "500ms Unknown AdapterInterrupted", "4s True Ready")
		if n := r.logged(`level=WARN msg="the API server refuses the report with its label and annotation; it goes without"`); n != 1 {
			t.Errorf("it is said %d times", n)
		}
		if r.logged("ValidatingAdmissionPolicy 'no-labels'") != 1 {
			t.Error("the log does not say why")
		}
	}, func(r *rig) { withLabel(&r.Config); withAnnotation(&r.Config) })
}
