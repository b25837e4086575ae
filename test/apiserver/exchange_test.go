package apiserver_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

const (
	strategic = "application/strategic-merge-patch+json"
	merge     = "application/merge-patch+json"
	jsonPatch = "application/json-patch+json"
	apply     = "application/apply-patch+yaml"

	podPath    = "/api/v1/namespaces/" + ns + "/pods/" + pod
	listPath   = "/api/v1/namespaces/" + ns + "/pods?fieldSelector=metadata.name=" + pod
	jobPath    = "/apis/batch/v1/namespaces/" + ns + "/jobs/" + job
	statusPath = jobPath + "/status"
)

// exchange is one request and what comes of it.
type exchange struct {
	name   string
	job    string         // its state: running (as well if empty), suspended, complete, failed, none
	before func(s server) // what happens before
	first  *exchange      // what is said before
	method string         // PATCH if empty
	path   string         // statusPath if empty
	kind   string         // of the patch; strategic if empty
	token  string         // in place of the account's
	body   string         // UID, VERSION and OLD stand for the Job's, and for a resourceVersion before its present one
	want   string         // as outcome.String has it
	older  string         // the same before kubetest.CheckedConditions, where it differs
}

var past = metav1.Unix(1767225600, 0)

func is(kinds ...batchv1.JobConditionType) (list []batchv1.JobCondition) {
	for _, k := range kinds {
		list = append(list, batchv1.JobCondition{Type: k, Status: corev1.ConditionTrue, Reason: "R", Message: "m", LastProbeTime: past, LastTransitionTime: past})
	}
	return list
}

// states are Jobs as the Job controller leaves them.
var states = map[string]batchv1.JobStatus{
	"running":   {StartTime: &past, Active: 1},
	"suspended": {Conditions: is(batchv1.JobSuspended)},
	"complete":  {StartTime: &past, CompletionTime: &past, Succeeded: 1, Conditions: is(batchv1.JobSuccessCriteriaMet, batchv1.JobComplete)},
	"failed":    {StartTime: &past, Failed: 1, Conditions: is(batchv1.JobFailureTarget, batchv1.JobFailed)},
}

func template() corev1.PodSpec {
	return corev1.PodSpec{ServiceAccountName: "status-reporter-sa", RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "adapter", Image: "adapter"}}}
}

// wanted is what the table says of a version.
func (x *exchange) wanted(v kubetest.Version) string {
	want := x.want
	if x.older != "" && !kubetest.CheckedConditions.In(v) {
		want = x.older
	}
	if !kubetest.SuccessCriteria.In(v) {
		want = strings.Replace(want, "SuccessCriteriaMet=True Complete=True", "Complete=True", 1)
	}
	return want
}

// stateOf is a state as the Job controller of a version leaves it.
func stateOf(name string, v kubetest.Version) batchv1.JobStatus {
	s := states[name]
	if name == "complete" && !kubetest.SuccessCriteria.In(v) {
		s.Conditions = is(batchv1.JobComplete)
	}
	return s
}

// play has the exchange with a server and checks what the table says of it.
func (x *exchange) play(t *testing.T, s server, v kubetest.Version) *outcome {
	t.Helper()
	state := x.job
	if state == "" {
		state = "running"
	}
	var old, made *batchv1.Job
	if state != "none" {
		suspend := state == "suspended"
		old = s.CreateJob(&batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: job},
			Spec:       batchv1.JobSpec{Suspend: &suspend, Template: corev1.PodTemplateSpec{Spec: template()}},
		})
		made = s.UpdateJob(ns, job, func(j *batchv1.Job) { j.Status = stateOf(state, v) })
	}
	c := newCaller(t, s) // before there is a Pod, so that its token outlives it
	s.CreatePod(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: pod}, Spec: template()})
	if x.before != nil {
		x.before(s)
		made = s.Job(ns, job)
	}
	if x.first != nil {
		x.first.say(c, x.first.body)
		made = s.Job(ns, job)
	}
	body := x.body
	if made != nil {
		body = strings.NewReplacer(`"UID"`, `"`+string(made.UID)+`"`, `"VERSION"`, `"`+made.ResourceVersion+`"`, `"OLD"`, `"`+old.ResourceVersion+`"`).Replace(body)
	}
	o := x.say(c, body)
	if after := s.Job(ns, job); after != nil && made != nil {
		o.Changed = after.ResourceVersion != made.ResourceVersion
		o.Conditions = after.Status.Conditions
		o.Metadata = fmt.Sprint(ours(after.Labels), ours(after.Annotations), after.Finalizers)
		o.Suspend = *after.Spec.Suspend
	}
	if got, want := o.String(), x.wanted(v); got != want {
		t.Errorf("%T:\n got %s\nwant %s\n%+v", s, got, want, o.Status)
	}
	return o
}

func (x *exchange) say(c *caller, body string) *outcome {
	c.t.Helper()
	method, path, kind := x.method, x.path, x.kind
	if method == "" {
		method = "PATCH"
	}
	if path == "" {
		path = statusPath
	}
	if kind == "" && method == "PATCH" {
		kind = strategic
	}
	return c.do(method, path, kind, x.token, body)
}

// ours leaves out what a real server adds to a Job.
func ours(m map[string]string) map[string]string {
	maps.DeleteFunc(m, func(k, _ string) bool { return !strings.HasPrefix(k, "test/") })
	return m
}
