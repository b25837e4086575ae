package watch

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

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

// mayTryAgain reports whether another Pod of the Job may follow this one. Pod is
// as last read, after the Job; nil where it never was. Deleted says that it was
// read, and is there no more.
//
// Where it cannot be told the answer is no: on a Job that is over, Unknown would
// leave its reader waiting for ever.
func mayTryAgain(job *batchv1.Job, pod *corev1.Pod, deleted bool, r roles) bool {
	if job == nil || over(job) != nil || job.DeletionTimestamp != nil {
		return false
	}
	if suspended(job) {
		return true
	}
	if accounted(job, pod, deleted) {
		return failures(job) <= failureLimit(job) && indexGoesOn(job, pod)
	}
	for _, action := range actions(job.Spec.PodFailurePolicy, pod, r) {
		if !goesOn(job, pod, action) {
			return false
		}
	}
	return true
}

// accounted reports whether the Job's status tells of this Pod's failure, and of
// what the policy made of it. The Job controller takes its finalizer away only
// then, and a Pod that has one cannot vanish.
func accounted(job *batchv1.Job, pod *corev1.Pod, deleted bool) bool {
	if deleted || pod == nil {
		return deleted
	}
	u := job.Status.UncountedTerminatedPods
	return u != nil && slices.Contains(u.Failed, pod.UID) || !slices.Contains(pod.Finalizers, batchv1.JobTrackingFinalizer)
}

// goesOn reports whether a Pod may follow one that is not accounted for yet and
// whose failure leads to this action.
func goesOn(job *batchv1.Job, pod *corev1.Pod, action batchv1.PodFailurePolicyAction) bool {
	switch action {
	case batchv1.PodFailurePolicyActionIgnore:
		return failures(job) <= failureLimit(job) && indexGoesOn(job, pod)
	case batchv1.PodFailurePolicyActionCount:
		return failures(job)+1 <= failureLimit(job) && indexMayFail(job, pod)
	}
	return false // FailJob, FailIndex, and what is not known here
}

// failures is how many Pods of the Job have failed as far as its status tells.
func failures(job *batchv1.Job) int64 {
	n := int64(job.Status.Failed)
	if u := job.Status.UncountedTerminatedPods; u != nil {
		n += int64(len(u.Failed))
	}
	return n
}

// failureLimit is backoffLimit: the Job's, else the API's default.
func failureLimit(job *batchv1.Job) int64 {
	switch {
	case job.Spec.BackoffLimit != nil:
		return int64(*job.Spec.BackoffLimit)
	case job.Spec.BackoffLimitPerIndex != nil:
		return math.MaxInt32
	}
	return 6
}

// indexMayFail reports whether the Pod's index of the Job has a try left after
// this one, by the failures that it had before.
func indexMayFail(job *batchv1.Job, pod *corev1.Pod) bool {
	limit := job.Spec.BackoffLimitPerIndex
	if limit == nil {
		return true
	}
	before, known := annotation(pod, batchv1.JobIndexFailureCountAnnotation)
	return known && before < int64(*limit) && indexGoesOn(job, pod)
}

// indexGoesOn reports whether the Pod's index is not among those that have
// failed, and these are not too many.
func indexGoesOn(job *batchv1.Job, pod *corev1.Pod) bool {
	if job.Spec.BackoffLimitPerIndex == nil || job.Status.FailedIndexes == nil || *job.Status.FailedIndexes == "" {
		return true
	}
	index, known := annotation(pod, batchv1.JobCompletionIndexAnnotation)
	if !known {
		return false
	}
	var failed int64
	for part := range strings.SplitSeq(*job.Status.FailedIndexes, ",") { // as in 1,3-5,7
		first, last, _ := strings.Cut(part, "-")
		from, err := strconv.ParseInt(first, 10, 32)
		to, errTo := strconv.ParseInt(cmp.Or(last, first), 10, 32)
		if err != nil || errTo != nil || from <= index && index <= to {
			return false
		}
		failed += to - from + 1
	}
	return job.Spec.MaxFailedIndexes == nil || failed <= int64(*job.Spec.MaxFailedIndexes)
}

// annotation is the number in one of the Pod's annotations.
func annotation(pod *corev1.Pod, key string) (n int64, known bool) {
	if pod == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(pod.Annotations[key], 10, 32)
	return n, err == nil
}
