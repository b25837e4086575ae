package watch

import (
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openshift-hyperfleet/status-reporter/contract"
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

func condition(kind batchv1.JobConditionType, status corev1.ConditionStatus, reason, message string) func(*batchv1.Job) {
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
func failedBefore(n string) change {
	return func(p *corev1.Pod) { p.Annotations = map[string]string{batchv1.JobIndexFailureCountAnnotation: n} }
}
func jobDeleted(j *batchv1.Job) { now := metav1.Now(); j.DeletionTimestamp = &now }
func uncounted(uids ...types.UID) func(*batchv1.Job) {
	return func(j *batchv1.Job) {
		j.Status.UncountedTerminatedPods = &batchv1.UncountedTerminatedPods{Failed: uids}
	}
}

// tracked is a Pod that the Job controller has not counted yet.
func tracked(p *corev1.Pod) { p.Finalizers = []string{batchv1.JobTrackingFinalizer} }

func TestVerdictFor(t *testing.T) {
	const stopped = "Adapter was stopped before it produced results: "
	failing := condition(batchv1.JobFailureTarget, "True", "DeadlineExceeded", "Job was active longer than specified deadline")
	tests := []struct {
		name    string
		causes  []string
		adapter string
		job     *batchv1.Job
		want    string
	}{
		{"nothing is known", nil, "", job(), "Unknown AdapterInterrupted: " + stopped + "the reporter received SIGTERM"},
		{"the Job cannot be read", nil, "", nil, "False AdapterInterrupted: " + stopped + "the reporter received SIGTERM"},
		{"causes", []string{"Evicted: low on memory", "the Pod is being deleted"}, "", job(),
			"Unknown AdapterInterrupted: " + stopped + "Evicted: low on memory; the Pod is being deleted"},
		{"causes and the adapter's end", []string{"the Pod is being deleted"}, "adapter container exited with code 143", job(),
			"Unknown AdapterInterrupted: " + stopped + "the Pod is being deleted; adapter container exited with code 143"},
		{"the adapter's end alone", nil, "adapter container exited with code 137", job(),
			"Unknown AdapterInterrupted: " + stopped + "adapter container exited with code 137"},
		{"suspended", []string{"the Pod is being deleted"}, "adapter container exited with code 143", job(isSuspended),
			"Unknown AdapterInterrupted: " + stopped + "the Pod is being deleted; the Job is suspended; adapter container exited with code 143"},
		{"Job failed", []string{"the Pod is being deleted"}, "", job(condition(batchv1.JobFailed, "True", "BackoffLimitExceeded", "too often")),
			"False AdapterInterrupted: " + stopped + "the Pod is being deleted; Job Failed: BackoffLimitExceeded: too often"},
		{"Job is to fail", nil, "", job(condition(batchv1.JobFailureTarget, "True", "PodFailurePolicy", "")),
			"False AdapterInterrupted: " + stopped + "Job FailureTarget: PodFailurePolicy"},
		{"Job failed comes before FailureTarget", nil, "", job(condition(batchv1.JobFailureTarget, "True", "A", ""), condition(batchv1.JobFailed, "True", "B", "")),
			"False AdapterInterrupted: " + stopped + "Job Failed: B"},
		{"Job complete", nil, "", job(condition(batchv1.JobComplete, "True", "CompletionsReached", "")),
			"False AdapterInterrupted: " + stopped + "Job Complete: CompletionsReached"},
		{"Job is to be complete", nil, "", job(condition(batchv1.JobSuccessCriteriaMet, "True", "SuccessPolicy", "Matched rules at index 0")),
			"False AdapterInterrupted: " + stopped + "Job SuccessCriteriaMet: SuccessPolicy: Matched rules at index 0"},
		{"Job complete comes before SuccessCriteriaMet", nil, "", job(condition(batchv1.JobSuccessCriteriaMet, "True", "A", ""), condition(batchv1.JobComplete, "True", "B", "")),
			"False AdapterInterrupted: " + stopped + "Job Complete: B"},
		{"Job deleted", []string{"the Pod is being deleted"}, "", job(jobDeleted),
			"False AdapterInterrupted: " + stopped + "the Pod is being deleted; the Job is being deleted"},
		{"Job failed and deleted", nil, "", job(jobDeleted, condition(batchv1.JobFailed, "True", "B", "")),
			"False AdapterInterrupted: " + stopped + "Job Failed: B"},
		{"a condition that is not true", nil, "", job(condition(batchv1.JobFailed, "False", "B", "")),
			"Unknown AdapterInterrupted: " + stopped + "the reporter received SIGTERM"},
		{"Job's deadline", []string{"the Pod is being deleted"}, "", job(failing),
			"False AdapterTimeout: Adapter did not produce results before the Job's deadline (DeadlineExceeded: Job was active longer than specified deadline)"},
		{"Job's deadline and the adapter's end", nil, "adapter container exited with code 137", job(failing),
			"False AdapterTimeout: Adapter did not produce results before the Job's deadline (DeadlineExceeded: Job was active longer than specified deadline); adapter container exited with code 137"},
		{"Job failed by its deadline", nil, "", job(condition(batchv1.JobFailed, "True", "DeadlineExceeded", "late")),
			"False AdapterTimeout: Adapter did not produce results before the Job's deadline (DeadlineExceeded: late)"},
		{"last try", nil, "", job(failedPods(3)), "False AdapterInterrupted: " + stopped + "the reporter received SIGTERM"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			v := Verdict{cut: &interruption{causes: test.causes, adapter: test.adapter}}
			if !v.NeedsJob() {
				t.Error("an interruption depends on the Job")
			}
			for range 2 { // it must not change with use
				o := v.For(test.job, pod())
				if got := string(o.Status) + " " + o.Reason + ": " + o.Message; got != test.want {
					t.Errorf("\n got %s\nwant %s", got, test.want)
				}
			}
		})
	}
}

// What the adapter did does not depend on the Job.
func TestVerdictForOtherOutcomes(t *testing.T) {
	want := contract.OOMKilled("")
	v := Verdict{Outcome: want}
	if v.NeedsJob() {
		t.Error("it needs no Job")
	}
	if got := v.For(job(condition(batchv1.JobFailed, "True", "DeadlineExceeded", "")), pod()); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestMessageOfInterruptionIsCut(t *testing.T) {
	v := Verdict{cut: &interruption{causes: []string{strings.Repeat("é", 5000)}}}
	if n := len([]rune(v.For(job(), pod()).Message)); n != contract.MaxMessageLength {
		t.Errorf("the message has %d characters, want %d", n, contract.MaxMessageLength)
	}
}

func TestMayTryAgain(t *testing.T) {
	policy := func(j *batchv1.Job) { j.Spec.PodFailurePolicy = &batchv1.PodFailurePolicy{} }
	no := false
	tests := []struct {
		name string
		job  *batchv1.Job
		pod  *corev1.Pod
		want bool
	}{
		{"the Job cannot be read", nil, pod(tracked), false},
		{"first of three tries", job(), pod(tracked), true},
		{"second of three tries", job(failedPods(1)), pod(tracked), true},
		{"third of three tries", job(failedPods(2)), pod(tracked), false},
		{"third of three tries, Pod unknown", job(failedPods(2)), nil, false},
		{"second of three tries, counted already", job(failedPods(2)), pod(), true},
		{"third of three tries, counted already", job(failedPods(3)), pod(), false},
		{"the only try", job(backoffLimit(0)), pod(tracked), false},
		{"others are not counted yet", job(failedPods(1), uncounted("2")), pod(tracked), false},
		{"itself is listed", job(failedPods(1), uncounted("1")), pod(tracked), true},
		{"itself and another are listed", job(failedPods(1), uncounted("1", "2")), pod(tracked), false},
		{"without backoffLimit, sixth", job(func(j *batchv1.Job) { j.Spec.BackoffLimit = nil }, failedPods(5)), pod(tracked), true},
		{"without backoffLimit, seventh", job(func(j *batchv1.Job) { j.Spec.BackoffLimit = nil }, failedPods(6)), pod(tracked), false},
		{"a policy may ignore it", job(backoffLimit(0), policy), pod(tracked), true},
		{"suspended", job(backoffLimit(0), isSuspended), pod(tracked), true},
		{"first of two tries of an index", job(perIndex(1)), pod(tracked, failedBefore("0")), true},
		{"second of two tries of an index", job(perIndex(1)), pod(tracked, failedBefore("1")), false},
		{"first of two tries of an index, last of the Job", job(perIndex(1), backoffLimit(0)), pod(tracked, failedBefore("0")), false},
		{"the only try of an index", job(perIndex(0)), pod(tracked, failedBefore("0")), false},
		{"the only try of an index, with a policy", job(perIndex(0), policy), pod(tracked, failedBefore("0")), true},
		{"tries of an index, Pod gone", job(perIndex(5)), pod(), false},
		{"tries of an index, Pod unknown", job(perIndex(5)), nil, false},
		{"suspend is false", job(backoffLimit(0), func(j *batchv1.Job) { j.Spec.Suspend = &no }), pod(tracked), false},
		{"to fail", job(condition(batchv1.JobFailureTarget, "True", "", "")), pod(tracked), false},
		{"failed", job(condition(batchv1.JobFailed, "True", "", "")), pod(tracked), false},
		{"complete", job(condition(batchv1.JobComplete, "True", "", "")), pod(tracked), false},
		{"to be complete", job(condition(batchv1.JobSuccessCriteriaMet, "True", "", "")), pod(tracked), false},
		{"deleted", job(jobDeleted), pod(tracked), false},
		{"failed, with a policy and suspended", job(policy, isSuspended, condition(batchv1.JobFailed, "True", "", "")), pod(tracked), false},
		{"not failed", job(condition(batchv1.JobFailed, "False", "", "")), pod(tracked), true},
		{"another condition", job(condition(batchv1.JobSuspended, "True", "", "")), pod(tracked), true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := mayTryAgain(test.job, test.pod); got != test.want {
				t.Errorf("may try again: %v, want %v", got, test.want)
			}
		})
	}
}

// Whoever waits for another verdict must not be woken by the same, nor miss one.
func TestVerdictSame(t *testing.T) {
	timeout := func() *Verdict { return &Verdict{Outcome: contract.Timeout(sec, "")} }
	cut := func(causes ...string) *Verdict { return &Verdict{cut: &interruption{causes: causes}} }
	change := func(v *Verdict, f func(*Verdict)) *Verdict { f(v); return v }
	tests := []struct {
		name string
		a, b *Verdict
		want bool
	}{
		{"none", nil, nil, true},
		{"one and none", timeout(), nil, false},
		{"none and one", nil, timeout(), false},
		{"the same", timeout(), timeout(), true},
		{"another outcome", timeout(), &Verdict{Outcome: contract.OOMKilled("")}, false},
		{"the same interruption", cut("a"), cut("a"), true},
		{"another cause", cut("a"), cut("b"), false},
		{"another time", timeout(), change(timeout(), func(v *Verdict) { v.KillAt = start }), false},
		{"provisional", timeout(), change(timeout(), func(v *Verdict) { v.Provisional = true }), false},
		{"the adapter's own", timeout(), change(timeout(), func(v *Verdict) { v.Own = true }), false},
		{"as the Job makes it", cut(), &Verdict{Outcome: cut().For(nil, nil)}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.a.same(test.b); got != test.want {
				t.Errorf("same: %v, want %v", got, test.want)
			}
		})
	}
}
