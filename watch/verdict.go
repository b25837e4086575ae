package watch

import (
	"slices"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

// Verdict is what there is to report.
type Verdict struct {
	Own         bool      // the adapter's own result
	Provisional bool      // told early because the Pod cannot be read; more may be learnt
	KillAt      time.Time // when the process must expect SIGKILL; zero: no end in sight

	Outcome contract.Outcome // as far as the Job has no part in it: see For

	cut *interruption // where set, the Job tells the rest
}

// interruption is a run that ended through no fault of the adapter's.
type interruption struct {
	causes  []string // that the Pod tells
	adapter string   // what became of the adapter, where that is known
}

// NeedsJob tells that the outcome depends on the Job as it is now.
func (v Verdict) NeedsJob() bool { return v.cut != nil }

// For is the outcome, given the Job and then the Pod as last read; nil where
// they cannot be read.
func (v Verdict) For(job *batchv1.Job, pod *corev1.Pod) contract.Outcome {
	if v.cut == nil {
		return v.Outcome
	}
	why := append([]string(nil), v.cut.causes...)
	if job != nil {
		c := over(job)
		switch {
		case c != nil && c.Reason == batchv1.JobReasonDeadlineExceeded:
			return contract.JobDeadline(phrase(c.Reason, c.Message), v.cut.adapter)
		case c != nil:
			why = append(why, "Job "+string(c.Type)+": "+phrase(c.Reason, c.Message))
		case job.DeletionTimestamp != nil:
			why = append(why, "the Job is being deleted")
		}
		if suspended(job) {
			why = append(why, "the Job is suspended")
		}
	}
	if v.cut.adapter != "" {
		why = append(why, v.cut.adapter)
	}
	if len(why) == 0 {
		why = append(why, "the reporter received SIGTERM")
	}
	return contract.Interrupted(mayTryAgain(job, pod), why...)
}

// over is the condition that says that the Job is, or will be once its Pods
// have ended; nil where it goes on.
func over(job *batchv1.Job) *batchv1.JobCondition {
	for _, kind := range []batchv1.JobConditionType{batchv1.JobFailed, batchv1.JobFailureTarget, batchv1.JobComplete, batchv1.JobSuccessCriteriaMet} {
		for i := range job.Status.Conditions {
			if c := &job.Status.Conditions[i]; c.Type == kind && c.Status == corev1.ConditionTrue {
				return c
			}
		}
	}
	return nil
}

func suspended(job *batchv1.Job) bool { return job.Spec.Suspend != nil && *job.Spec.Suspend }

// mayTryAgain tells whether another Pod of the Job may follow. Where it cannot
// be told the answer is no: on a Job that is over, Unknown would leave its
// reader waiting for ever.
func mayTryAgain(job *batchv1.Job, pod *corev1.Pod) bool {
	if job == nil || over(job) != nil || job.DeletionTimestamp != nil {
		return false
	}
	if job.Spec.PodFailurePolicy != nil || suspended(job) {
		return true
	}
	limit := int32(6) // the API's default
	if job.Spec.BackoffLimit != nil {
		limit = *job.Spec.BackoffLimit
	}
	if perIndex := job.Spec.BackoffLimitPerIndex; perIndex != nil && !indexMayTryAgain(pod, *perIndex) {
		return false
	}
	return failures(job, pod) <= limit
}

// indexMayTryAgain goes by the failures that the Pod's index of the Job had before it.
func indexMayTryAgain(pod *corev1.Pod, limit int32) bool {
	if pod == nil {
		return false
	}
	before, err := strconv.ParseInt(pod.Annotations[batchv1.JobIndexFailureCountAnnotation], 10, 32)
	return err == nil && int32(before) < limit
}

// failures is how many Pods have failed when this one has. The Job controller
// counts a Pod it deletes at once, others when they have ended, and in both
// cases takes its finalizer away once the Job's status accounts for it; so the
// Job must have been read before the Pod.
func failures(job *batchv1.Job, pod *corev1.Pod) int32 {
	n := job.Status.Failed
	var listed bool
	if u := job.Status.UncountedTerminatedPods; u != nil {
		n += int32(len(u.Failed))
		listed = pod != nil && slices.Contains(u.Failed, pod.UID)
	}
	if pod == nil || !listed && slices.Contains(pod.Finalizers, batchv1.JobTrackingFinalizer) {
		n++
	}
	return n
}

// same tells that two verdicts, or none, say the same.
func (v *Verdict) same(other *Verdict) bool {
	if v == nil || other == nil {
		return v == other
	}
	return v.Own == other.Own && v.Provisional == other.Provisional && v.KillAt.Equal(other.KillAt) &&
		v.NeedsJob() == other.NeedsJob() && v.For(nil, nil) == other.For(nil, nil)
}
