package kubetest

import (
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// checkStatus holds the Job controller's own conditions to what the API server
// of a version demands of them; all others are free.
func (v Version) checkStatus(job, old *batchv1.Job) (invalid field.ErrorList) {
	if CheckedConditions.In(v) {
		invalid = checkEnd(job, old)
	}
	reject := func(broken bool, detail string) {
		if broken {
			invalid = append(invalid, invalidCondition(detail))
		}
	}
	success := isTrue(job, batchv1.JobSuccessCriteriaMet)
	indexed := job.Spec.CompletionMode != nil && *job.Spec.CompletionMode == batchv1.IndexedCompletion
	reject(success && !indexed && !SuccessCriteria.In(v), "cannot set SuccessCriteriaMet to NonIndexed Job")
	reject(success && isTrue(job, batchv1.JobFailed), "cannot set SuccessCriteriaMet=True and Failed=true conditions")
	reject(success && isTrue(job, batchv1.JobFailureTarget), "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions")
	reject(success && job.Spec.SuccessPolicy == nil && !SuccessCriteria.In(v), "cannot set SuccessCriteriaMet=True for Job without SuccessPolicy")
	if CheckedConditions.In(v) {
		for _, t := range []batchv1.JobConditionType{batchv1.JobFailed, batchv1.JobComplete, batchv1.JobFailureTarget} {
			reject(isTrue(old, t) && !isTrue(job, t), "cannot disable the terminal "+string(t)+"=True condition")
		}
	}
	reject(isTrue(old, batchv1.JobSuccessCriteriaMet) && !success, "cannot disable the SuccessCriteriaMet=True condition")
	return invalid
}

func invalidCondition(detail string) *field.Error {
	return field.Invalid(field.NewPath("status", "conditions"), field.OmitValueType{}, detail)
}

// checkEnd is about how a Job ends. The server checks a rule only where a change
// touches it, and so does this.
func checkEnd(job, old *batchv1.Job) (invalid field.ErrorList) {
	at, condition := field.NewPath("status"), invalidCondition
	reject := func(broken bool, err *field.Error) {
		if broken {
			invalid = append(invalid, err)
		}
	}
	changed := func(types ...batchv1.JobConditionType) bool {
		for _, t := range types {
			if isTrue(job, t) != isTrue(old, t) {
				return true
			}
		}
		return false
	}
	complete, failed := isTrue(job, batchv1.JobComplete), isTrue(job, batchv1.JobFailed)
	target, success := isTrue(job, batchv1.JobFailureTarget), isTrue(job, batchv1.JobSuccessCriteriaMet)
	finished := (complete || failed) && !isTrue(old, batchv1.JobComplete) && !isTrue(old, batchv1.JobFailed)
	s := &job.Status

	reject(complete && failed && changed(batchv1.JobComplete, batchv1.JobFailed),
		condition("cannot set Complete=True and Failed=true conditions"))
	reject(complete && target && changed(batchv1.JobComplete, batchv1.JobFailureTarget),
		condition("cannot set Complete=True and FailureTarget=true conditions"))
	reject(s.CompletionTime != nil && !complete && changed(batchv1.JobComplete),
		field.Invalid(at.Child("completionTime"), s.CompletionTime, "cannot set completionTime when there is no Complete=True condition"))
	reject(s.CompletionTime == nil && complete && changed(batchv1.JobComplete),
		field.Required(at.Child("completionTime"), "completionTime is required for Complete jobs"))
	reject(failed && !target && changed(batchv1.JobFailed),
		condition("cannot set Failed=True condition without the FailureTarget=true condition"))
	reject(complete && !success && changed(batchv1.JobComplete, batchv1.JobSuccessCriteriaMet),
		condition("cannot set Complete=True condition without the SuccessCriteriaMet=true condition"))
	reject(finished && s.Active > 0, field.Invalid(at.Child("active"), s.Active, "active>0 is invalid for finished job"))
	reject(finished && s.StartTime == nil, field.Required(at.Child("startTime"), "startTime is required for finished job"))
	if u := s.UncountedTerminatedPods; u != nil {
		reject(finished && len(u.Succeeded)+len(u.Failed) > 0,
			field.Invalid(at.Child("uncountedTerminatedPods"), u, "must be empty for finished job"))
	}
	reject(finished && s.Terminating != nil && *s.Terminating > 0,
		field.Invalid(at.Child("terminating"), s.Terminating, "terminating>0 is invalid for finished job"))
	return invalid
}

func isTrue(job *batchv1.Job, t batchv1.JobConditionType) bool {
	for _, c := range job.Status.Conditions {
		if c.Type == t && c.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}
