package main

import (
	"testing"
	"testing/synctest"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// deliveryCase is a report on its way to a Job, played against both servers: here
// is all that a real one can be brought to. The stories have what it cannot.
type deliveryCase struct {
	name   string
	before func(r *rig) // what happens before the reporter starts
	play   func(r *rig) // what happens then; nil: finish
	want   contract.Outcome
	exit   int
	keeps  []batchv1.JobConditionType // conditions that must still be True
	alone  bool                       // it disturbs others on the same server
}

func deliveries() []deliveryCase {
	deny := func(rights ...[2]string) func(r *rig) {
		return func(r *rig) {
			for _, right := range rights {
				r.api.Deny(right[0], right[1])
			}
		}
	}
	status := func(change func(s *batchv1.JobStatus)) func(r *rig) {
		return func(r *rig) {
			r.api.UpdateJob(namespace, jobName, func(j *batchv1.Job) { change(&j.Status) })
		}
	}
	completes := status(func(s *batchv1.JobStatus) {
		s.Active, s.Succeeded, s.CompletionTime = 0, 1, &metav1.Time{Time: time.Now()}
		s.Conditions = append(s.Conditions, isTrue(batchv1.JobSuccessCriteriaMet), isTrue(batchv1.JobComplete))
	})
	fails := status(func(s *batchv1.JobStatus) {
		s.Active, s.Failed = 0, 1
		s.Conditions = append(s.Conditions, isTrue(batchv1.JobFailureTarget), isTrue(batchv1.JobFailed))
	})
	return []deliveryCase{
		{name: "a result", want: good},
		{name: "a crash", play: (*rig).crash, want: crashed, exit: 1},
		{name: "to a Complete Job", play: func(r *rig) { completes(r); r.finish() }, want: good,
			keeps: complete},
		{name: "to a Failed Job", play: func(r *rig) { fails(r); r.crash() }, want: crashed, exit: 1,
			keeps: failed},
		{name: "to a Job that is Failed next", play: func(r *rig) { r.crash(); r.awaitReport(); fails(r) }, want: crashed, exit: 1,
			keeps: failed},
		{name: "to a suspended Job", before: status(func(s *batchv1.JobStatus) {
			s.Conditions = append(s.Conditions, isTrue(batchv1.JobSuspended))
		}), want: good, keeps: []batchv1.JobConditionType{batchv1.JobSuspended}},
		{name: "to a Job that is deleted", play: func(r *rig) { r.api.DeleteJob(namespace, jobName); r.finish() }, exit: 3},
		{name: "to a Job that is made anew", play: func(r *rig) { r.replaceJob(); r.finish() }, exit: 3},
		{name: "to a Job that was made anew before the start", before: (*rig).replaceJob, exit: 3},
		{name: "an interruption to a Job that was made anew", play: func(r *rig) { r.replaceJob(); r.api.DeletePod(namespace, podName) }, exit: 3},
		{name: "an interruption where another Pod has reported", before: status(func(s *batchv1.JobStatus) {
			s.Conditions = append(s.Conditions, isTrue("Available"))
		}), play: func(r *rig) { r.api.DeletePod(namespace, podName) }, exit: 143, keeps: []batchv1.JobConditionType{"Available"}},
		{name: "an interim report, then a result", play: func(r *rig) { r.sigterm(); r.awaitReport(); r.finish() }, want: good},
		{name: "an interim report, then a crash", play: func(r *rig) { r.sigterm(); r.awaitReport(); r.crash() }, want: crashed, exit: 1},
		{name: "an interim report to a Job that is Failed next, then a result", play: func(r *rig) { r.sigterm(); r.awaitReport(); fails(r); r.finish() }, want: good,
			keeps: failed},
		{name: "an interim report, where the Pod cannot be watched, then a crash", before: deny([2]string{"watch", "pods"}),
			play: func(r *rig) { r.sigterm(); r.awaitReport(); r.crash() }, want: crashed, exit: 1},
		{name: "an interruption, where Pods cannot be read and another Pod has reported", before: func(r *rig) {
			deny([2]string{"watch", "pods"}, [2]string{"get", "pods"})(r)
			status(func(s *batchv1.JobStatus) { s.Conditions = append(s.Conditions, isTrue("Available")) })(r)
		}, play: (*rig).sigterm, exit: 143, keeps: []batchv1.JobConditionType{"Available"}},
		{name: "an end of which nothing is known", play: func(r *rig) { r.terminate(255, "Unknown") }, want: interruptedBy(contract.Unknown, "adapter container exited with code 255"), exit: 143},
		{name: "to a Job that may be patched a little later", before: deny([2]string{"patch", "jobs/status"}), play: func(r *rig) {
			r.finish()
			r.settle(func() bool { return r.log.has("the report is not delivered yet; trying on") })
			r.api.Allow("patch", "jobs/status")
		}, want: good},
		{name: "a crash, where the Pod cannot be watched", before: deny([2]string{"watch", "pods"}), play: (*rig).crash, want: crashed, exit: 1},
		{name: "a result, where Pods cannot be read", before: deny([2]string{"watch", "pods"}, [2]string{"get", "pods"}), want: good},
		{name: "a result, where the Job cannot be read", before: deny([2]string{"get", "jobs"}), want: good},
		{name: "a result, where nothing can be read", before: deny([2]string{"watch", "pods"}, [2]string{"get", "pods"}, [2]string{"get", "jobs"}), want: good},
		{name: "a result, with a token that is good a little later", play: func(r *rig) {
			r.trouble().SpoilToken()
			r.finish()
			r.settle(func() bool { return r.log.has("the report is not delivered yet; trying on") })
			r.trouble().NewToken()
		}, want: good},
		{name: "a result, after the server was started anew", alone: true, play: func(r *rig) { r.trouble().Restart(); r.finish() }, want: good},
		{name: "a crash, after the server was started anew", alone: true, play: func(r *rig) { r.trouble().Restart(); r.crash() }, want: crashed, exit: 1},
	}
}

// TestDelivery plays the deliveries against the fake server; TestAPIServer does
// it against a real one.
func TestDelivery(t *testing.T) {
	for _, d := range deliveries() {
		t.Run(d.name, func(t *testing.T) {
			c := defaultCase(t)
			synctest.Test(t, func(t *testing.T) { d.run(newHarness(t, c).rig) })
		})
	}
}

func (d *deliveryCase) run(r *rig) {
	t := r.t
	if d.before != nil {
		d.before(r)
	}
	if d.want == nothing { // a condition of another's may be there
		r.stands = func() bool { return false }
	}
	r.start()
	if d.play == nil {
		r.finish()
	} else {
		d.play(r)
	}
	r.end(d.exit)
	job := r.api.Job(namespace, jobName)
	for _, kind := range d.keeps {
		if c := kubeapi.Condition(job, kind); c == nil || c.Status != corev1.ConditionTrue || c.Reason != "Kept" {
			t.Errorf("of the Job's own conditions %s is not as it was: %+v", kind, job.Status.Conditions)
		}
	}
	if d.want != nothing {
		r.expect(d.want.Status, d.want.Reason, d.want.Message)
		return
	}
	if job != nil && len(job.Status.Conditions) != len(d.keeps) {
		t.Errorf("something was written: %+v", job.Status.Conditions)
	}
	if r.terminationMessage() == "" {
		t.Error("the termination message says nothing of the report that is lost")
	}
}

func isTrue(kind batchv1.JobConditionType) batchv1.JobCondition {
	return batchv1.JobCondition{Type: kind, Status: corev1.ConditionTrue, Reason: "Kept", LastTransitionTime: metav1.Now()}
}

// replaceJob deletes the Job and makes another one of its name.
func (r *rig) replaceJob() {
	old := r.api.Job(namespace, jobName)
	r.api.DeleteJob(namespace, jobName)
	next := &batchv1.Job{Spec: old.Spec}
	next.Namespace, next.Name = namespace, jobName
	next.Spec.Selector, next.Spec.Template.Labels = nil, nil
	r.api.CreateJob(next)
}

// trouble is what can be made with either server.
type trouble interface {
	SpoilToken()
	NewToken()
	Restart()
}

func (r *rig) trouble() trouble {
	if s, ok := r.api.(*kubetest.Server); ok {
		return fakeTrouble{s}
	}
	return r.api.(trouble)
}

type fakeTrouble struct{ s *kubetest.Server }

func (f fakeTrouble) SpoilToken() { f.s.SetAcceptedTokens() }
func (f fakeTrouble) NewToken()   { f.s.RotateToken("another", false) }

// Restart forgets the past, as a real server does.
func (f fakeTrouble) Restart() {
	f.s.Down()
	f.s.Compact()
	time.Sleep(5 * time.Second)
	f.s.Up()
}
