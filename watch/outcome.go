package watch

import (
	batchv1 "k8s.io/api/batch/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

// outcome is what to report, given the Job, and the Pod as it was read after it.
func (s *state) outcome(v verdict) contract.Outcome {
	o := v.result
	if v.interrupted {
		o = s.interrupted(v)
	}
	if v.interim {
		o = contract.Interim(o)
	}
	return o
}

func (s *state) interrupted(v verdict) contract.Outcome {
	var why []string
	add := func(text string) {
		if text != "" {
			why = append(why, text)
		}
	}
	add(v.causes)
	job := s.job.last
	if a := answerOf(s.job.err); a != answered && a != unable && a != unanswered {
		job = nil // what it was before says nothing of now
	}
	if job != nil {
		c := over(job)
		switch {
		case c != nil && c.Reason == batchv1.JobReasonDeadlineExceeded:
			return contract.JobDeadline(phrase(c.Reason, c.Message), v.adapter)
		case c != nil:
			add("Job " + string(c.Type) + ": " + phrase(c.Reason, c.Message))
		case job.DeletionTimestamp != nil:
			add("the Job is being deleted")
		}
		if suspended(job) {
			add("the Job is suspended")
		}
	}
	add(v.adapter)
	if len(why) == 0 {
		add("the reporter received SIGTERM")
	}
	pod := s.pod.last
	if s.pod.read < s.job.seen { // its finalizer is from before the Job's counters
		pod = nil
	}
	deleted := s.pod.last != nil && !s.stop.deleted.IsZero()
	return contract.Interrupted(mayTryAgain(job, pod, deleted, s.pod.roles), why...)
}
