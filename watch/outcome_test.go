package watch

import (
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

func lastTry(j *batchv1.Job)      { no := int32(0); j.Spec.BackoffLimit = &no }
func oneRetryUsed(j *batchv1.Job) { one := int32(1); j.Spec.BackoffLimit = &one; j.Status.Failed = 1 }

// finds is a reading of the Job that begins now.
func finds(changes ...func(*batchv1.Job)) event {
	return func(s *state) { s.sawJob(theJob(changes...), nil, s.beganReadJob()) }
}

func findsNo(err error) event { return func(s *state) { s.sawJob(nil, err, s.beganReadJob()) } }

// TestOutcomeOfInterruption: what it says, and whether the Job may try again.
func TestOutcomeOfInterruption(t *testing.T) {
	const (
		says     = " AdapterInterrupted: Adapter was stopped before it produced results: "
		unknown  = "Unknown" + says
		final    = "False" + says
		deadline = "False AdapterTimeout: Adapter did not produce results before the Job's deadline "
	)
	late := has(batchv1.JobFailureTarget, "True", "DeadlineExceeded", "Job was active longer than specified deadline")
	dying := with(alive(), deleting)
	killed := func(code int32) facts { return with(exited(code), deleting) }
	tests := []struct {
		name  string
		story []event
		want  string
	}{
		{"nothing is known", []event{sigterm, finds()}, unknown + "the reporter received SIGTERM"},
		{"the Job was never read", []event{sigterm}, final + "the reporter received SIGTERM"},
		{"the Job may not be read any more", []event{sigterm, finds(), findsNo(status403)}, final + "the reporter received SIGTERM"},
		{"the network is away: as last read, and written only while nobody else has", []event{sigterm, finds(), findsNo(errNetwork)}, unknown + "the reporter received SIGTERM"},
		{"the Job cannot be read, but was", []event{sigterm, finds(), findsNo(status503)}, unknown + "the reporter received SIGTERM"},
		{"causes", []event{finds(), reads(with(dying, func(f *facts) { f.causes = []string{"Evicted: low on memory"} }))},
			unknown + "Evicted: low on memory; the Pod is being deleted"},
		{"causes and the adapter's end", []event{finds(), reads(killed(143))}, unknown + "the Pod is being deleted; adapter container exited with code 143"},
		{"the adapter's end alone", []event{finds(), sigterm, reads(exited(137))}, unknown + "adapter container exited with code 137"},
		{"the kubelet's guess", []event{finds(), reads(with(exited(137), func(f *facts) { f.ended.Reason = reasonLost }))}, unknown + "adapter container exited with code 137"},
		{"suspended", []event{finds(isSuspended, lastTry), reads(killed(143))}, unknown + "the Pod is being deleted; the Job is suspended; adapter container exited with code 143"},
		{"Job failed", []event{finds(has(batchv1.JobFailed, "True", "BackoffLimitExceeded", "too often")), reads(dying)},
			final + "the Pod is being deleted; Job Failed: BackoffLimitExceeded: too often"},
		{"Job is to fail", []event{sigterm, finds(has(batchv1.JobFailureTarget, "True", "PodFailurePolicy", ""))}, final + "Job FailureTarget: PodFailurePolicy"},
		{"Job is to be complete", []event{sigterm, finds(has(batchv1.JobSuccessCriteriaMet, "True", "SuccessPolicy", "Matched rules at index 0"))},
			final + "Job SuccessCriteriaMet: SuccessPolicy: Matched rules at index 0"},
		{"Job deleted", []event{finds(jobDeleted), reads(dying)}, final + "the Pod is being deleted; the Job is being deleted"},
		{"Job failed and deleted", []event{sigterm, finds(jobDeleted, has(batchv1.JobFailed, "True", "B", ""))}, final + "Job Failed: B"},
		{"a condition that is not true", []event{sigterm, finds(has(batchv1.JobFailed, "False", "B", ""))}, unknown + "the reporter received SIGTERM"},
		{"Job's deadline", []event{finds(late), reads(dying)}, deadline + "(DeadlineExceeded: Job was active longer than specified deadline)"},
		{"Job's deadline and the adapter's end", []event{sigterm, finds(late), reads(exited(137))},
			deadline + "(DeadlineExceeded: Job was active longer than specified deadline); adapter container exited with code 137"},
		{"Job failed by its deadline", []event{sigterm, finds(has(batchv1.JobFailed, "True", "DeadlineExceeded", "late"))}, deadline + "(DeadlineExceeded: late)"},
		{"Job's deadline, and it cannot be read any more", []event{finds(late), reads(dying), findsNo(status503)}, deadline + "(DeadlineExceeded: Job was active longer than specified deadline)"},

		{"the last try", []event{finds(lastTry), reads(dying, tracked)}, final + "the Pod is being deleted"},
		{"another may follow", []event{finds(), reads(dying, tracked)}, unknown + "the Pod is being deleted"},
		{"the only retry is used up", []event{finds(oneRetryUsed), reads(dying, tracked)}, final + "the Pod is being deleted"},
		{"this Pod was the one that is counted", []event{finds(oneRetryUsed), reads(dying)}, unknown + "the Pod is being deleted"},
		{"a Pod from before the Job's counters tells nothing", []event{reads(dying), finds(oneRetryUsed)}, final + "the Pod is being deleted"},
		{"a Pod that is gone is counted", []event{tells(dying), finds(oneRetryUsed), podGone}, unknown + "the Pod is gone"},
		{"a Pod that was never found is not", []event{readNotFound, finds(oneRetryUsed), sigterm}, final + "the reporter received SIGTERM"},
		{"the node no longer reports", []event{finds(), reads(with(alive(), failed, disrupted))}, unknown + "PreemptionByScheduler: preempted; the node no longer reports on the adapter"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := happened(test.story...)
			v := s.interruption()
			if e := s.pod.ended; e != nil {
				v = s.ending(e)
			}
			o := s.outcome(*v)
			if got := string(o.Status) + " " + o.Reason + ": " + o.Message; got != test.want {
				t.Errorf("\n got %s\nwant %s", got, test.want)
			}
			if again := s.outcome(*v); again != o {
				t.Errorf("it changed with use: %+v", again)
			}
			v.interim = true
			if interim := s.outcome(*v); interim.Message != o.Message+maybeMore || interim.Status != o.Status {
				t.Errorf("the interim report is %+v", interim)
			}
		})
	}
}

// What the adapter did does not depend on the Job.
func TestOutcomeOfOthers(t *testing.T) {
	want := contract.OOMKilled("")
	s := happened(sigterm, finds(has(batchv1.JobFailed, "True", "DeadlineExceeded", "")))
	if got := s.outcome(verdict{result: want}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestMessageOfInterruptionIsCut(t *testing.T) {
	s := happened(finds())
	v := verdict{interrupted: true, causes: strings.Repeat("é", 5000)}
	for range 2 {
		if n := len([]rune(s.outcome(v).Message)); n != contract.MaxMessageLength {
			t.Errorf("the message has %d characters, want %d", n, contract.MaxMessageLength)
		}
		v.interim = true
	}
}
