package contract_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

func TestComposedOutcomes(t *testing.T) {
	const oom = "Adapter container was killed due to out of memory (OOMKilled)"
	const overtaken = "Adapter did not produce results before the Job's deadline (DeadlineExceeded: Job was active longer than specified deadline)"
	for _, tt := range []struct {
		name            string
		got             contract.Outcome
		status          contract.ConditionStatus
		reason, message string
	}{
		{"out of memory", contract.OOMKilled(""), "False", "AdapterOOMKilled", oom},
		{"out of memory, with more", contract.OOMKilled(" heap full\n"), "False", "AdapterOOMKilled", oom + ": heap full"},
		{"more that is nothing", contract.OOMKilled(" \x00\u202e\n"), "False", "AdapterOOMKilled", oom},
		{"crash", contract.ExitedWithError(1, "Error", ""), "False", "AdapterExitedWithError", "Adapter container exited with code 1: Error"},
		{"crash without a state", contract.ExitedWithError(-1, "", ""), "False", "AdapterExitedWithError", "Adapter container exited with code -1: Error"},
		{"crash with more", contract.ExitedWithError(2, "StartError", "panic: quota API unreachable"), "False", "AdapterExitedWithError",
			"Adapter container exited with code 2: StartError: panic: quota API unreachable"},
		{"nothing written", contract.MissingResults("/results/r.json"), "False", "AdapterMissingResults",
			"Adapter container exited with code 0 but wrote no result file at /results/r.json"},
		{"invalid", contract.InvalidFormat(errors.New("status: must be either 'success' or 'failure'")), "False", "InvalidResultFormat",
			"Failed to parse adapter result: status: must be either 'success' or 'failure'"},
		{"time is up", contract.Timeout(5*time.Minute, "", ""), "False", "AdapterTimeout", "Adapter did not produce results within 5m0s"},
		{"time is up, waiting", contract.Timeout(90*time.Second, "ImagePullBackOff: no\x1b such image ", ""), "False", "AdapterTimeout",
			"Adapter did not produce results within 1m30s (container is waiting: ImagePullBackOff: no such image)"},
		{"the Job's time is up", contract.JobDeadline("DeadlineExceeded: Job was active longer than specified deadline", ""), "False", "AdapterTimeout", overtaken},
		{"the Job's time is up, with more", contract.JobDeadline(" DeadlineExceeded: Job was active longer than specified deadline\n", "adapter container exited with code 137"), "False", "AdapterTimeout",
			overtaken + "; adapter container exited with code 137"},
		{"stopped", contract.Interrupted(true), "Unknown", "AdapterInterrupted", "Adapter was stopped before it produced results"},
		{"stopped, with causes", contract.Interrupted(true, "the Pod is being deleted", "the Job is suspended"), "Unknown", "AdapterInterrupted",
			"Adapter was stopped before it produced results: the Pod is being deleted; the Job is suspended"},
		{"stopped in the last try", contract.Interrupted(false, "the Pod is gone"), "False", "AdapterInterrupted",
			"Adapter was stopped before it produced results: the Pod is gone"},
		{"misconfigured", contract.Misconfigured(errors.New("POD_NAME: required\nJOB_NAME: \x1b[0m")), "False", "ReporterMisconfigured", "POD_NAME: required\nJOB_NAME: [0m"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := contract.Outcome{Status: tt.status, Reason: tt.reason, Message: tt.message}
			if diff := cmp.Diff(want, tt.got); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
		})
	}
}

func TestComposedMessagesAreCut(t *testing.T) {
	long := strings.Repeat("é", 5000)
	for name, o := range map[string]contract.Outcome{
		"OOMKilled":       contract.OOMKilled(long),
		"ExitedWithError": contract.ExitedWithError(1, "Error", long),
		"MissingResults":  contract.MissingResults("/" + long),
		"InvalidFormat":   contract.InvalidFormat(errors.New(long)),
		"Timeout":         contract.Timeout(time.Second, long, long),
		"JobDeadline":     contract.JobDeadline(long, long),
		"Interrupted":     contract.Interrupted(true, long, long),
		"Misconfigured":   contract.Misconfigured(errors.New(long)),
	} {
		if n := len([]rune(o.Message)); n != contract.MaxMessageLength {
			t.Errorf("%s: message of %d characters", name, n)
		}
	}
}

// TestResultOutcome tries Results that never came from a file, so that Parse
// did not see to them.
func TestResultOutcome(t *testing.T) {
	outcome := func(status contract.ConditionStatus, reason, message string) contract.Outcome {
		return contract.Outcome{Status: status, Reason: reason, Message: message}
	}
	for _, tt := range []struct {
		name string
		in   contract.Result
		want contract.Outcome
	}{
		{"success", contract.Result{Status: contract.Success, Reason: "Ready", Message: "All good"}, outcome("True", "Ready", "All good")},
		{"failure", contract.Result{Status: contract.Failure, Reason: "Quota", Message: "None left"}, outcome("False", "Quota", "None left")},
		{"no status is no success", contract.Result{}, outcome("False", "NoReasonProvided", "No message provided")},
		{"another spelling is no success", contract.Result{Status: "Success"}, outcome("False", "NoReasonProvided", "No message provided")},
		{"invalid UTF-8", contract.Result{Status: contract.Success, Reason: "a\xffb", Message: "\xe2\x82"}, outcome("True", "a\ufffdb", "\ufffd\ufffd")},
		{"cut in characters", contract.Result{Reason: strings.Repeat("検", 129), Message: strings.Repeat("🚀", 1025)}, outcome("False", strings.Repeat("検", 128), strings.Repeat("🚀", 1024))},
		{"just as long as allowed", contract.Result{Reason: strings.Repeat("検", 128), Message: strings.Repeat("🚀", 1024)}, outcome("False", strings.Repeat("検", 128), strings.Repeat("🚀", 1024))},
		{"no space at the cut", contract.Result{Reason: strings.Repeat("r", 127) + " r", Message: strings.Repeat("m", 1022) + "\u00a0\nm"}, outcome("False", strings.Repeat("r", 127), strings.Repeat("m", 1022))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.in.Outcome()); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCleaning goes through every character that may be removed and its
// neighbours.
func TestCleaning(t *testing.T) {
	removed := func(r rune) bool {
		switch {
		case r == '\n', r == '\t':
			return false
		case r <= 0x1f, r == 0x7f, r >= 0x80 && r <= 0x9f:
			return true
		}
		return strings.ContainsRune("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069", r)
	}
	for r := rune(0); r < 0x3000; r++ {
		want := "a" + string(r) + "b"
		if removed(r) {
			want = "ab"
		}
		if got := (contract.Result{Message: "a" + string(r) + "b"}).Outcome().Message; got != want {
			t.Errorf("U+%04X: %q, want %q", r, got, want)
		}
	}
}
