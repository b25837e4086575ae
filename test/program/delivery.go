package program

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// Delivery is a report on its way to a Job, played against both servers: here
// is all that a real one can be brought to. The stories have what it cannot.
type Delivery struct {
	Name   string
	before func(r *Rig) // what happens before the reporter starts
	play   func(r *Rig) // what happens then; nil: finish
	want   contract.Outcome
	exit   int
	keeps  []batchv1.JobConditionType // conditions that must still be True
	Alone  bool                       // it disturbs others on the same server
}

// Deliveries are all of them, to Jobs as a version of the Job controller leaves them.
func Deliveries(v kubetest.Version) []Delivery {
	deny := func(rights ...[2]string) func(r *Rig) {
		return func(r *Rig) {
			for _, right := range rights {
				r.API.Deny(right[0], right[1])
			}
		}
	}
	status := func(change func(s *batchv1.JobStatus)) func(r *Rig) {
		return func(r *Rig) {
			r.API.UpdateJob(Namespace, JobName, func(j *batchv1.Job) { change(&j.Status) })
		}
	}
	completes := status(func(s *batchv1.JobStatus) {
		s.Active, s.Succeeded, s.CompletionTime = 0, 1, &metav1.Time{Time: time.Now()}
		for _, kind := range CompleteIn(v) {
			s.Conditions = append(s.Conditions, isTrue(kind))
		}
	})
	fails := status(func(s *batchv1.JobStatus) {
		s.Active, s.Failed = 0, 1
		for _, kind := range FailedIn(v) {
			s.Conditions = append(s.Conditions, isTrue(kind))
		}
	})
	return []Delivery{
		{Name: "a result", want: Good},
		{Name: "a crash", play: (*Rig).Crash, want: Crashed, exit: 1},
		{Name: "to a Complete Job", play: func(r *Rig) { completes(r); r.Finish() }, want: Good,
			keeps: CompleteIn(v)},
		{Name: "to a Failed Job", play: func(r *Rig) { fails(r); r.Crash() }, want: Crashed, exit: 1,
			keeps: FailedIn(v)},
		{Name: "to a Job that is Failed next", play: func(r *Rig) { r.Crash(); r.AwaitReport(); fails(r) }, want: Crashed, exit: 1,
			keeps: FailedIn(v)},
		{Name: "to a suspended Job", before: status(func(s *batchv1.JobStatus) {
			s.Conditions = append(s.Conditions, isTrue(batchv1.JobSuspended))
		}), want: Good, keeps: []batchv1.JobConditionType{batchv1.JobSuspended}},
		{Name: "to a Job that is deleted", play: func(r *Rig) { r.API.DeleteJob(Namespace, JobName); r.Finish() }, exit: 3},
		{Name: "to a Job that is made anew", play: func(r *Rig) { r.ReplaceJob(); r.Finish() }, exit: 3},
		{Name: "to a Job that was made anew before the start", before: (*Rig).ReplaceJob, exit: 3},
		{Name: "an interruption to a Job that was made anew", play: func(r *Rig) { r.ReplaceJob(); r.API.DeletePod(Namespace, PodName) }, exit: 3},
		{Name: "an interruption where another Pod has reported", before: status(func(s *batchv1.JobStatus) {
			s.Conditions = append(s.Conditions, isTrue("Available"))
		}), play: func(r *Rig) { r.API.DeletePod(Namespace, PodName) }, exit: 143, keeps: []batchv1.JobConditionType{"Available"}},
		{Name: "an interim report, then a result", play: func(r *Rig) { r.Sigterm(); r.AwaitReport(); r.Finish() }, want: Good},
		{Name: "an interim report, then a crash", play: func(r *Rig) { r.Sigterm(); r.AwaitReport(); r.Crash() }, want: Crashed, exit: 1},
		{Name: "an interim report to a Job that is Failed next, then a result", play: func(r *Rig) { r.Sigterm(); r.AwaitReport(); fails(r); r.Finish() }, want: Good,
			keeps: FailedIn(v)},
		{Name: "an interim report, where the Pod cannot be watched, then a crash", before: deny([2]string{"watch", "pods"}),
			play: func(r *Rig) { r.Sigterm(); r.AwaitReport(); r.Crash() }, want: Crashed, exit: 1},
		{Name: "an interruption, where Pods cannot be read and another Pod has reported", before: func(r *Rig) {
			deny([2]string{"watch", "pods"}, [2]string{"get", "pods"})(r)
			status(func(s *batchv1.JobStatus) { s.Conditions = append(s.Conditions, isTrue("Available")) })(r)
		}, play: (*Rig).Sigterm, exit: 143, keeps: []batchv1.JobConditionType{"Available"}},
		{Name: "an end of which nothing is known", play: func(r *Rig) { r.Terminate(255, "Unknown") }, want: InterruptedBy(contract.Unknown, "adapter container exited with code 255"), exit: 143},
		{Name: "to a Job that may be patched a little later", before: deny([2]string{"patch", "jobs/status"}), play: func(r *Rig) {
			r.Finish()
			r.settle(func() bool { return r.Log.Has("the report is not delivered yet; trying on") })
			r.API.Allow("patch", "jobs/status")
		}, want: Good},
		{Name: "a crash, where the Pod cannot be watched", before: deny([2]string{"watch", "pods"}), play: (*Rig).Crash, want: Crashed, exit: 1},
		{Name: "a result, where Pods cannot be read", before: deny([2]string{"watch", "pods"}, [2]string{"get", "pods"}), want: Good},
		{Name: "a result, where the Job cannot be read", before: deny([2]string{"get", "jobs"}), want: Good},
		{Name: "a result, where nothing can be read", before: deny([2]string{"watch", "pods"}, [2]string{"get", "pods"}, [2]string{"get", "jobs"}), want: Good},
		{Name: "a result, with a token that is good a little later", play: func(r *Rig) {
			r.trouble().SpoilToken()
			r.Finish()
			r.settle(func() bool { return r.Log.Has("the report is not delivered yet; trying on") })
			r.trouble().NewToken()
		}, want: Good},
		{Name: "a result, after the server was started anew", Alone: true, play: func(r *Rig) { r.trouble().Restart(); r.Finish() }, want: Good},
		{Name: "a crash, after the server was started anew", Alone: true, play: func(r *Rig) { r.trouble().Restart(); r.Crash() }, want: Crashed, exit: 1},
	}
}

// Run plays it on a rig that is not started yet.
func (d *Delivery) Run(r *Rig) {
	t := r.T
	if d.before != nil {
		d.before(r)
	}
	if d.want == Nothing { // a condition of another's may be there
		r.stands = func() bool { return false }
	}
	r.Start()
	if d.play == nil {
		r.Finish()
	} else {
		d.play(r)
	}
	r.End(d.exit)
	job := r.API.Job(Namespace, JobName)
	for _, kind := range d.keeps {
		if c := kubeapi.Condition(job, kind); c == nil || c.Status != corev1.ConditionTrue || c.Reason != "Kept" {
			t.Errorf("of the Job's own conditions %s is not as it was: %+v", kind, job.Status.Conditions)
		}
	}
	if d.want != Nothing {
		r.Expect(d.want.Status, d.want.Reason, d.want.Message)
		return
	}
	if job != nil && len(job.Status.Conditions) != len(d.keeps) {
		t.Errorf("something was written: %+v", job.Status.Conditions)
	}
	if r.TerminationMessage() == "" {
		t.Error("the termination message says nothing of the report that is lost")
	}
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

// trouble is what can be made with either server.
type trouble interface {
	SpoilToken()
	NewToken()
	Restart()
}

func (r *Rig) trouble() trouble {
	if s, ok := r.API.(*kubetest.Server); ok {
		return fakeTrouble{s}
	}
	return r.API.(trouble)
}

// fakeTrouble has a kubetest.Server do what a cluster does by itself.
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
