package kubetest

import (
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	complete = batchv1.JobComplete
	failed   = batchv1.JobFailed
	target   = batchv1.JobFailureTarget
	success  = batchv1.JobSuccessCriteriaMet
)

// checkStatus holds the Job controller's own conditions to what the API server
// of a version demands of them; all others are free.
func (v Version) checkStatus(job, old *batchv1.Job) (invalid field.ErrorList) {
	c := statusChange{job, old}
	for _, r := range statusRules {
		if (r.since == nil || r.since.In(v)) && (r.until == nil || !r.until.In(v)) && r.broken(c) {
			invalid = append(invalid, r.invalid(&job.Status))
		}
	}
	return invalid
}

// statusChange is a Job before and after a change of its status.
type statusChange struct{ job, old *batchv1.Job }

// is reports whether all these conditions are True.
func (c statusChange) is(types ...batchv1.JobConditionType) bool {
	return !slices.ContainsFunc(types, func(t batchv1.JobConditionType) bool { return !isTrue(c.job, t) })
}

// changed reports whether one of these conditions has become True, or ceased to be.
func (c statusChange) changed(types ...batchv1.JobConditionType) bool {
	return slices.ContainsFunc(types, func(t batchv1.JobConditionType) bool { return isTrue(c.job, t) != isTrue(c.old, t) })
}

// finishes reports whether the Job ends by the change.
func (c statusChange) finishes() bool {
	return (c.is(complete) || c.is(failed)) && !isTrue(c.old, complete) && !isTrue(c.old, failed)
}

// statusRule is one demand. The server checks it only where a change touches what
// it is about, and so does broken.
type statusRule struct {
	since, until *Feature // the feature that brought it, the one that took it away; nil: none
	broken       func(c statusChange) bool
	invalid      func(s *batchv1.JobStatus) *field.Error
}

// statusRules are in the order in which the server names what is broken.
var statusRules = []statusRule{
	{CheckedConditions, nil, func(c statusChange) bool { return c.is(complete, failed) && c.changed(complete, failed) },
		condition("cannot set Complete=True and Failed=true conditions")},
	{CheckedConditions, nil, func(c statusChange) bool { return c.is(complete, target) && c.changed(complete, target) },
		condition("cannot set Complete=True and FailureTarget=true conditions")},
	{CheckedConditions, nil, func(c statusChange) bool {
		return c.job.Status.CompletionTime != nil && !c.is(complete) && c.changed(complete)
	}, member("completionTime", func(s *batchv1.JobStatus) any { return s.CompletionTime },
		"cannot set completionTime when there is no Complete=True condition")},
	{CheckedConditions, nil, func(c statusChange) bool {
		return c.job.Status.CompletionTime == nil && c.is(complete) && c.changed(complete)
	}, required("completionTime", "completionTime is required for Complete jobs")},
	{CheckedConditions, nil, func(c statusChange) bool { return c.is(failed) && !c.is(target) && c.changed(failed) },
		condition("cannot set Failed=True condition without the FailureTarget=true condition")},
	{CheckedConditions, nil, func(c statusChange) bool { return c.is(complete) && !c.is(success) && c.changed(complete, success) },
		condition("cannot set Complete=True condition without the SuccessCriteriaMet=true condition")},
	{CheckedConditions, nil, func(c statusChange) bool { return c.finishes() && c.job.Status.Active > 0 },
		member("active", func(s *batchv1.JobStatus) any { return s.Active }, "active>0 is invalid for finished job")},
	{CheckedConditions, nil, func(c statusChange) bool { return c.finishes() && c.job.Status.StartTime == nil },
		required("startTime", "startTime is required for finished job")},
	{CheckedConditions, nil, func(c statusChange) bool {
		u := c.job.Status.UncountedTerminatedPods
		return c.finishes() && u != nil && len(u.Succeeded)+len(u.Failed) > 0
	}, member("uncountedTerminatedPods", func(s *batchv1.JobStatus) any { return s.UncountedTerminatedPods }, "must be empty for finished job")},
	{CheckedConditions, nil, func(c statusChange) bool {
		n := c.job.Status.Terminating
		return c.finishes() && n != nil && *n > 0
	}, member("terminating", func(s *batchv1.JobStatus) any { return s.Terminating }, "terminating>0 is invalid for finished job")},

	{nil, SuccessCriteria, func(c statusChange) bool {
		mode := c.job.Spec.CompletionMode
		return c.is(success) && (mode == nil || *mode != batchv1.IndexedCompletion)
	}, condition("cannot set SuccessCriteriaMet to NonIndexed Job")},
	{nil, nil, func(c statusChange) bool { return c.is(success, failed) },
		condition("cannot set SuccessCriteriaMet=True and Failed=true conditions")},
	{nil, nil, func(c statusChange) bool { return c.is(success, target) },
		condition("cannot set SuccessCriteriaMet=True and FailureTarget=true conditions")},
	{nil, SuccessCriteria, func(c statusChange) bool { return c.is(success) && c.job.Spec.SuccessPolicy == nil },
		condition("cannot set SuccessCriteriaMet=True for Job without SuccessPolicy")},

	final(CheckedConditions, failed, "cannot disable the terminal Failed=True condition"),
	final(CheckedConditions, complete, "cannot disable the terminal Complete=True condition"),
	final(CheckedConditions, target, "cannot disable the terminal FailureTarget=True condition"),
	final(nil, success, "cannot disable the SuccessCriteriaMet=True condition"),
}

// final is the rule that a condition which is True stays so.
func final(since *Feature, t batchv1.JobConditionType, detail string) statusRule {
	return statusRule{since, nil, func(c statusChange) bool { return !c.is(t) && c.changed(t) }, condition(detail)}
}

func condition(detail string) func(*batchv1.JobStatus) *field.Error {
	return member("conditions", func(*batchv1.JobStatus) any { return field.OmitValueType{} }, detail)
}

func member(name string, value func(s *batchv1.JobStatus) any, detail string) func(*batchv1.JobStatus) *field.Error {
	return func(s *batchv1.JobStatus) *field.Error {
		return field.Invalid(field.NewPath("status", name), value(s), detail)
	}
}

func required(name, detail string) func(*batchv1.JobStatus) *field.Error {
	return func(*batchv1.JobStatus) *field.Error { return field.Required(field.NewPath("status", name), detail) }
}

func isTrue(job *batchv1.Job, t batchv1.JobConditionType) bool {
	return slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
		return c.Type == t && c.Status == corev1.ConditionTrue
	})
}
