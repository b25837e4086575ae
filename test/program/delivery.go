package program

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
	"github.com/openshift-hyperfleet/status-reporter/testdata/suite"
)

// Delivery is a report on its way to a Job, played against both servers: here
// is all that a real one can be brought to, in the time that it takes there. The
// stories have what it cannot.
type Delivery struct {
	Name   string
	pod    func(pod *corev1.Pod) // as it is made; nil: an adapter runs
	before func(r *Rig)          // what happens before the reporter starts
	play   func(r *Rig)          // what happens then; nil: finish
	Want   contract.Outcome
	Exit   int
	Within time.Duration              // from the end of play, where that is the point
	keeps  []batchv1.JobConditionType // conditions that must still be True
	says   string                     // part of the termination message
	Badly  string                     // the name without the answer, where there is a row for each of badAnswers
	Alone  bool                       // it disturbs others on the same server
	Faulty bool                       // the way to the server misbehaves
	Events bool                       // it needs inotify, and so real time
}

// Deliveries are all of them, to Jobs as a version of the Job controller leaves them.
// Those that take longest begin.
func Deliveries(v kubetest.Version) []Delivery {
	var all []Delivery
	for _, list := range [][]Delivery{watchDeliveries(), outageDeliveries(), slowDeliveries(), badDeliveries(), refusedDeliveries(), pressedDeliveries()} {
		for _, d := range list {
			d.Faulty = true
			all = append(all, d)
		}
	}
	return slices.Concat(all, fileDeliveries(), runDeliveries(v), stopDeliveries(), serverDeliveries(), jobDeliveries(v))
}

// Case is the Job and the Pod that it is played with.
func (d *Delivery) Case(t testing.TB) suite.Case {
	t.Helper()
	c := DefaultCase(t)
	if d.pod != nil {
		pod := decode[corev1.Pod](t, c.Pod)
		d.pod(pod)
		var err error
		if c.Pod, err = json.Marshal(pod); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// Run plays it on a rig of its case that is not started yet.
func (d *Delivery) Run(r *Rig) {
	t := r.T
	if d.before != nil {
		d.before(r)
	}
	if d.Want == Nothing { // a condition of another's may be there
		r.stands = func() bool { return false }
	}
	if d.Faulty {
		r.Patience *= 4
	}
	r.Start()
	if d.play == nil {
		r.Finish()
	} else {
		d.play(r)
	}
	played := time.Now()
	r.End(d.Exit)
	if took := time.Since(played); d.Within > 0 && took > d.Within+r.Slack {
		t.Errorf("took %s, want at most %s, and %s of slack", took, d.Within, r.Slack)
	}
	d.check(r)
}

// check judges what stands on the Job in the end, and what is left of the run.
func (d *Delivery) check(r *Rig) {
	t := r.T
	t.Helper()
	job := r.API.Job(Namespace, JobName)
	for _, kind := range d.keeps {
		if c := kubeapi.Condition(job, kind); c == nil || c.Status != corev1.ConditionTrue || c.Reason != "Kept" {
			t.Errorf("of the Job's own conditions %s is not as it was: %+v", kind, job.Status.Conditions)
		}
	}
	last := r.TerminationMessage()
	if !strings.Contains(last, d.says) {
		t.Errorf("the termination message does not say %q: %s", d.says, last)
	}
	if r.faulted {
		d.checkFaults(r)
	}
	if d.Want != Nothing {
		r.Expect(d.Want.Status, d.Want.Reason, strings.ReplaceAll(d.Want.Message, "/results/adapter-result.json", r.Path))
		return
	}
	if job != nil && len(job.Status.Conditions) != len(d.keeps) {
		t.Errorf("something was written: %+v", job.Status.Conditions)
	}
	if last == "" {
		t.Error("the termination message says nothing of the report that is lost")
	}
}

// checkFaults: a fault that no request has met shows nothing.
func (d *Delivery) checkFaults(r *Rig) {
	r.T.Helper()
	for _, request := range r.way().Requests() {
		if request.Fault != "" {
			return
		}
	}
	r.T.Error("no request has met a fault")
}

func isTrue(kind batchv1.JobConditionType) batchv1.JobCondition {
	return batchv1.JobCondition{Type: kind, Status: corev1.ConditionTrue, Reason: "Kept", LastTransitionTime: metav1.Now()}
}

// ReplaceJob deletes the Job and makes another one of its name.
func (r *Rig) ReplaceJob() {
	old := r.API.Job(Namespace, JobName)
	r.API.DeleteJob(Namespace, JobName)
	next := &batchv1.Job{Spec: old.Spec}
	next.Namespace, next.Name = Namespace, JobName
	next.Spec.Selector, next.Spec.Template.Labels = nil, nil
	r.API.CreateJob(next)
}

// CompleteIn is what a version of the Job controller sets on a Job that is done.
func CompleteIn(v kubetest.Version) []batchv1.JobConditionType {
	if !kubetest.SuccessCriteria.In(v) {
		return []batchv1.JobConditionType{batchv1.JobComplete}
	}
	return []batchv1.JobConditionType{batchv1.JobSuccessCriteriaMet, batchv1.JobComplete}
}

// FailedIn is the same for a Job whose backoffLimit is exceeded.
func FailedIn(v kubetest.Version) []batchv1.JobConditionType {
	if !kubetest.SuccessCriteria.In(v) {
		return []batchv1.JobConditionType{batchv1.JobFailed}
	}
	return []batchv1.JobConditionType{batchv1.JobFailureTarget, batchv1.JobFailed}
}
