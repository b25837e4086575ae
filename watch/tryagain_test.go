package watch

import (
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// job is one that may try again, changed.
func job(changes ...func(*batchv1.Job)) *batchv1.Job {
	limit := int32(2)
	j := &batchv1.Job{Spec: batchv1.JobSpec{BackoffLimit: &limit}}
	for _, c := range changes {
		c(j)
	}
	return j
}

func has(kind batchv1.JobConditionType, status corev1.ConditionStatus, reason, message string) func(*batchv1.Job) {
	return func(j *batchv1.Job) {
		j.Status.Conditions = append(j.Status.Conditions, batchv1.JobCondition{Type: kind, Status: status, Reason: reason, Message: message})
	}
}

func backoffLimit(n int32) func(*batchv1.Job) {
	return func(j *batchv1.Job) { j.Spec.BackoffLimit = &n }
}
func failedPods(n int32) func(*batchv1.Job) { return func(j *batchv1.Job) { j.Status.Failed = n } }
func isSuspended(j *batchv1.Job)            { yes := true; j.Spec.Suspend = &yes }
func perIndex(n int32) func(*batchv1.Job) {
	return func(j *batchv1.Job) { j.Spec.BackoffLimitPerIndex = &n }
}
func failedIndexes(list string) func(*batchv1.Job) {
	return func(j *batchv1.Job) { j.Status.FailedIndexes = &list }
}
func maxFailedIndexes(n int32) func(*batchv1.Job) {
	return func(j *batchv1.Job) { j.Spec.MaxFailedIndexes = &n }
}

// ofIndex is a Pod of an index that has failed so often before it.
func ofIndex(index, before string) change {
	return func(p *corev1.Pod) {
		p.Annotations = map[string]string{batchv1.JobCompletionIndexAnnotation: index, batchv1.JobIndexFailureCountAnnotation: before}
	}
}
func jobDeleted(j *batchv1.Job) { now := metav1.Now(); j.DeletionTimestamp = &now }
func uncounted(uids ...types.UID) func(*batchv1.Job) {
	return func(j *batchv1.Job) {
		j.Status.UncountedTerminatedPods = &batchv1.UncountedTerminatedPods{Failed: uids}
	}
}

// tracked is a Pod that the Job controller has not counted yet.
func tracked(p *corev1.Pod) { p.Finalizers = []string{batchv1.JobTrackingFinalizer} }

func TestMayTryAgain(t *testing.T) {
	const deleted = true
	no := false
	without := func(j *batchv1.Job) { j.Spec.BackoffLimit = nil }
	tests := []struct {
		name    string
		job     *batchv1.Job
		pod     *corev1.Pod
		deleted bool
		want    bool
	}{
		{"the Job cannot be read", nil, pod(tracked), !deleted, false},
		{"to fail", job(has(batchv1.JobFailureTarget, "True", "", "")), pod(tracked), !deleted, false},
		{"failed", job(has(batchv1.JobFailed, "True", "", "")), pod(tracked), !deleted, false},
		{"complete", job(has(batchv1.JobComplete, "True", "", "")), pod(tracked), !deleted, false},
		{"to be complete", job(has(batchv1.JobSuccessCriteriaMet, "True", "", "")), pod(tracked), !deleted, false},
		{"the Job is being deleted", job(jobDeleted), pod(tracked), !deleted, false},
		{"the Job is being deleted, and suspended", job(jobDeleted, isSuspended), pod(tracked), !deleted, false},
		{"failed and suspended", job(isSuspended, has(batchv1.JobFailed, "True", "", "")), pod(tracked), !deleted, false},
		{"suspended", job(backoffLimit(0), isSuspended), pod(tracked), !deleted, true},
		{"suspend is false", job(backoffLimit(0), func(j *batchv1.Job) { j.Spec.Suspend = &no }), pod(tracked), !deleted, false},
		{"not failed", job(has(batchv1.JobFailed, "False", "", "")), pod(tracked), !deleted, true},
		{"another condition", job(has(batchv1.JobSuspended, "True", "", "")), pod(tracked), !deleted, true},

		{"first of three tries", job(), pod(tracked), !deleted, true},
		{"second of three tries", job(failedPods(1)), pod(tracked), !deleted, true},
		{"third of three tries", job(failedPods(2)), pod(tracked), !deleted, false},
		{"the only try", job(backoffLimit(0)), pod(tracked), !deleted, false},
		{"the only try, never read", job(backoffLimit(0)), nil, !deleted, false},
		{"second of three tries, never read", job(failedPods(1)), nil, !deleted, true},
		{"third of three tries, never read", job(failedPods(2)), nil, !deleted, false},
		{"second of three tries, counted already", job(failedPods(2)), pod(), !deleted, true},
		{"third of three tries, counted already", job(failedPods(3)), pod(), !deleted, false},
		{"second of three tries, deleted", job(failedPods(2)), pod(tracked), deleted, true},
		{"third of three tries, deleted", job(failedPods(3)), pod(tracked), deleted, false},
		{"others are not counted yet", job(failedPods(1), uncounted("2")), pod(tracked), !deleted, false},
		{"others are not counted yet, deleted", job(failedPods(1), uncounted("2")), pod(tracked), deleted, true},
		{"itself is listed", job(failedPods(1), uncounted("1")), pod(tracked), !deleted, true},
		{"itself and another are listed", job(failedPods(1), uncounted("1", "2")), pod(tracked), !deleted, false},
		{"without backoffLimit, sixth", job(without, failedPods(5)), pod(tracked), !deleted, true},
		{"without backoffLimit, seventh", job(without, failedPods(6)), pod(tracked), !deleted, false},

		{"first of two tries of an index", job(perIndex(1)), pod(tracked, ofIndex("3", "0")), !deleted, true},
		{"second of two tries of an index", job(perIndex(1)), pod(tracked, ofIndex("3", "1")), !deleted, false},
		{"first of two tries of an index, last of the Job", job(perIndex(1), backoffLimit(0)), pod(tracked, ofIndex("3", "0")), !deleted, false},
		{"first of two tries of an index, the Job has no limit of its own", job(perIndex(1), without, failedPods(99)), pod(tracked, ofIndex("3", "0")), !deleted, true},
		{"the only try of an index", job(perIndex(0)), pod(tracked, ofIndex("3", "0")), !deleted, false},
		{"an index that has not been counted", job(perIndex(5)), pod(tracked), !deleted, false},
		{"an index that cannot be read", job(perIndex(5)), pod(tracked, ofIndex("3", "many")), !deleted, false},
		{"tries of an index, never read", job(perIndex(5)), nil, !deleted, false},
		{"tries of an index, deleted", job(perIndex(0), failedPods(1)), pod(tracked, ofIndex("3", "0")), deleted, true},
		{"an index that has failed, deleted", job(perIndex(0), failedPods(1), failedIndexes("3")), pod(tracked, ofIndex("3", "0")), deleted, false},
		{"the first of those that have failed", job(perIndex(1), failedIndexes("3-5,7")), pod(tracked, ofIndex("3", "0")), !deleted, false},
		{"the last of those that have failed", job(perIndex(1), failedIndexes("1,3-5")), pod(tracked, ofIndex("5", "0")), !deleted, false},
		{"between those that have failed", job(perIndex(1), failedIndexes("1,3-5,7")), pod(tracked, ofIndex("6", "0")), !deleted, true},
		{"below those that have failed", job(perIndex(1), failedIndexes("13")), pod(tracked, ofIndex("3", "0")), !deleted, true},
		{"none that has failed", job(perIndex(1), failedIndexes("")), pod(tracked, ofIndex("0", "0")), !deleted, true},
		{"a list that cannot be read", job(perIndex(1), failedIndexes("1,x")), pod(tracked, ofIndex("3", "0")), !deleted, false},
		{"an interval that cannot be read", job(perIndex(1), failedIndexes("1-x")), pod(tracked, ofIndex("3", "0")), !deleted, false},
		{"others have failed, an index that is not known", job(perIndex(1), failedIndexes("1")), pod(tracked, ofIndex("", "0")), !deleted, false},
		{"as many failed indexes as may be", job(perIndex(1), maxFailedIndexes(4), failedIndexes("1,3-5")), pod(tracked, ofIndex("8", "0")), !deleted, true},
		{"more failed indexes than may be", job(perIndex(1), maxFailedIndexes(3), failedIndexes("1,3-5")), pod(tracked, ofIndex("8", "0")), !deleted, false},
		{"more failed indexes than may be, counted already", job(perIndex(1), maxFailedIndexes(3), failedIndexes("1,3-5")), pod(ofIndex("8", "0")), !deleted, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := mayTryAgain(test.job, test.pod, test.deleted, roles{}); got != test.want {
				t.Errorf("may try again: %v, want %v", got, test.want)
			}
		})
	}
}
