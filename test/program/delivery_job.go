package program

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

func status(change func(s *batchv1.JobStatus)) func(r *Rig) {
	return func(r *Rig) {
		r.API.UpdateJob(Namespace, JobName, func(j *batchv1.Job) { change(&j.Status) })
	}
}

func deny(rights ...string) func(r *Rig)  { return func(r *Rig) { r.Deny(rights...) } }
func allow(rights ...string) func(r *Rig) { return func(r *Rig) { r.Allow(rights...) } }

// jobDeliveries are to Jobs in every state, by Roles of every kind.
func jobDeliveries(v kubetest.Version) []Delivery {
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
		{Name: "a result", Want: Good},
		{Name: "a crash", play: (*Rig).Crash, Want: Crashed, Exit: 1},
		{Name: "to a Complete Job", play: func(r *Rig) { completes(r); r.Finish() }, Want: Good,
			keeps: CompleteIn(v)},
		{Name: "to a Failed Job", play: func(r *Rig) { fails(r); r.Crash() }, Want: Crashed, Exit: 1,
			keeps: FailedIn(v)},
		{Name: "to a Job that is Failed next", play: func(r *Rig) { r.Crash(); r.AwaitReport(); fails(r) }, Want: Crashed, Exit: 1,
			keeps: FailedIn(v)},
		{Name: "to a suspended Job", before: status(func(s *batchv1.JobStatus) {
			s.Conditions = append(s.Conditions, isTrue(batchv1.JobSuspended))
		}), Want: Good, keeps: []batchv1.JobConditionType{batchv1.JobSuspended}},
		{Name: "to a Job that is deleted", play: func(r *Rig) { r.API.DeleteJob(Namespace, JobName); r.Finish() }, Exit: 3},
		{Name: "to a Job that is made anew", play: func(r *Rig) { r.ReplaceJob(); r.Finish() }, Exit: 3},
		{Name: "to a Job that was made anew before the start", before: (*Rig).ReplaceJob, Exit: 3},
		{Name: "an interruption to a Job that was made anew", play: func(r *Rig) { r.ReplaceJob(); r.API.DeletePod(Namespace, PodName) }, Exit: 3},
		{Name: "an interruption where another Pod has reported", before: status(func(s *batchv1.JobStatus) {
			s.Conditions = append(s.Conditions, isTrue("Available"))
		}), play: func(r *Rig) { r.API.DeletePod(Namespace, PodName) }, Exit: 143, keeps: []batchv1.JobConditionType{"Available"}},
		{Name: "an interim report, then a result", play: func(r *Rig) { r.Sigterm(); r.AwaitReport(); r.Finish() }, Want: Good},
		{Name: "an interim report, then a crash", play: func(r *Rig) { r.Sigterm(); r.AwaitReport(); r.Crash() }, Want: Crashed, Exit: 1},
		{Name: "an interim report to a Job that is Failed next, then a result", play: func(r *Rig) { r.Sigterm(); r.AwaitReport(); fails(r); r.Finish() }, Want: Good,
			keeps: FailedIn(v)},
		{Name: "an interim report, where the Pod cannot be watched, then a crash", before: deny("watch pods"),
			play: func(r *Rig) { r.Sigterm(); r.AwaitReport(); r.Crash() }, Want: Crashed, Exit: 1},
		{Name: "an interruption, where Pods cannot be read and another Pod has reported", before: func(r *Rig) {
			deny("watch pods", "get pods")(r)
			status(func(s *batchv1.JobStatus) { s.Conditions = append(s.Conditions, isTrue("Available")) })(r)
		}, play: (*Rig).Sigterm, Exit: 143, keeps: []batchv1.JobConditionType{"Available"}},
		{Name: "an end of which nothing is known", play: func(r *Rig) { r.Terminate(255, "Unknown") }, Want: InterruptedBy(contract.Unknown, "adapter container exited with code 255"), Exit: 143},
		{Name: "to a Job that may be patched a little later", before: deny("patch jobs/status"), play: func(r *Rig) {
			r.Finish()
			r.awaitTrying()
			r.Allow("patch jobs/status")
		}, Want: Good},
		{Name: "a crash, where the Pod cannot be watched", before: deny("watch pods"), play: (*Rig).Crash, Want: Crashed, Exit: 1},
		{Name: "a result, where Pods cannot be read", before: deny("watch pods", "get pods"), Want: Good},
		{Name: "a result, where the Job cannot be read", before: deny("get jobs"), Want: Good},
		{Name: "a result, where nothing can be read", before: deny("watch pods", "get pods", "get jobs"), Want: Good},
		{Name: "a result, with a token that is good a little later", play: func(r *Rig) {
			r.trouble().SpoilToken()
			r.Finish()
			r.awaitTrying()
			r.trouble().NewToken()
		}, Want: Good},
	}
}
