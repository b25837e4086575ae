package kubetest_test

import (
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// TestStatusRules has for each rule a change that breaks it, and the versions
// that refuse that: from the first to the last.
func TestStatusRules(t *testing.T) {
	const oldest, newest = kubetest.Oldest, kubetest.Newest
	now := metav1.Unix(0, 0)
	when := func(conditions ...batchv1.JobConditionType) func(*batchv1.Job) {
		return func(j *batchv1.Job) {
			for _, t := range conditions {
				j.Status.Conditions = append(j.Status.Conditions, batchv1.JobCondition{Type: t, Status: corev1.ConditionTrue})
			}
		}
	}
	with := func(change func(s *batchv1.JobStatus), conditions ...batchv1.JobConditionType) func(*batchv1.Job) {
		return func(j *batchv1.Job) {
			when(conditions...)(j)
			j.Status.StartTime, j.Status.CompletionTime = &now, &now
			change(&j.Status)
		}
	}
	set := func(t, status string) string { return condition(`"type":"` + t + `","status":"` + status + `"`) }
	for _, tt := range []struct {
		rule        string // what the refusal says
		present     func(j *batchv1.Job)
		patch       string
		first, last kubetest.Version
	}{
		{"cannot set Complete=True and Failed=true conditions", when("Failed"), set("Complete", "True"), 32, newest},
		{"cannot set Complete=True and FailureTarget=true conditions", when("FailureTarget"), set("Complete", "True"), 32, newest},
		{"cannot set completionTime when there is no Complete=True condition",
			with(func(*batchv1.JobStatus) {}, "SuccessCriteriaMet", "Complete"), set("Complete", "False"), 32, newest},
		{"completionTime is required for Complete jobs", when("SuccessCriteriaMet"), set("Complete", "True"), 32, newest},
		{"cannot set Failed=True condition without the FailureTarget=true condition", when(), set("Failed", "True"), 32, newest},
		{"cannot set Complete=True condition without the SuccessCriteriaMet=true condition", when(), set("Complete", "True"), 32, newest},
		{"active>0 is invalid for finished job", with(func(s *batchv1.JobStatus) { s.Active = 1 }, "SuccessCriteriaMet"), set("Complete", "True"), 32, newest},
		{"startTime is required for finished job", when("FailureTarget"), set("Failed", "True"), 32, newest},
		{"must be empty for finished job", with(func(s *batchv1.JobStatus) {
			s.UncountedTerminatedPods = &batchv1.UncountedTerminatedPods{Failed: []types.UID{"u"}}
		}, "SuccessCriteriaMet"), set("Complete", "True"), 32, newest},
		{"terminating>0 is invalid for finished job", with(func(s *batchv1.JobStatus) { s.Terminating = new(int32); *s.Terminating = 1 }, "SuccessCriteriaMet"),
			set("Complete", "True"), 32, newest},
		{"cannot set SuccessCriteriaMet to NonIndexed Job", when(), set("SuccessCriteriaMet", "True"), oldest, 30},
		{"cannot set SuccessCriteriaMet=True for Job without SuccessPolicy", when(), set("SuccessCriteriaMet", "True"), oldest, 30},
		{"cannot set SuccessCriteriaMet=True and Failed=true conditions", when("FailureTarget", "Failed"), set("SuccessCriteriaMet", "True"), oldest, newest},
		{"cannot set SuccessCriteriaMet=True and FailureTarget=true conditions", when("FailureTarget"), set("SuccessCriteriaMet", "True"), oldest, newest},
		{"cannot disable the terminal Failed=True condition", when("FailureTarget", "Failed"), set("Failed", "False"), 32, newest},
		{"cannot disable the terminal Complete=True condition", when("SuccessCriteriaMet", "Complete"), set("Complete", "False"), 32, newest},
		{"cannot disable the terminal FailureTarget=True condition", when("FailureTarget"), set("FailureTarget", "False"), 32, newest},
		{"cannot disable the SuccessCriteriaMet=True condition", when("SuccessCriteriaMet"), set("SuccessCriteriaMet", "False"), oldest, newest},
	} {
		for v := oldest; v <= newest; v++ {
			s := kubetest.New(t, kubetest.InMemory(), kubetest.Kubernetes(v))
			populate(s)
			s.UpdateJob("ns", "job", tt.present)
			a := newClient(t, s).do("PATCH", patchPath, tt.patch)
			refused := a.code == 422 && strings.Contains(strings.ReplaceAll(a.body, `\u003e`, ">"), tt.rule)
			if want := v >= tt.first && v <= tt.last; refused != want {
				t.Errorf("%s: refused by %s: %t, want %t", tt.rule, v, refused, want)
			}
		}
	}
}
