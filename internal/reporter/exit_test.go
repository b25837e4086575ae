package reporter

import (
	"testing"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/watch"
)

// TestExitCode is one row for each way in which a run may end, with what it is where
// the kubelet would start the reporter again.
func TestExitCode(t *testing.T) {
	no, yes, unknown := contract.Outcome{Status: contract.False}, contract.Outcome{Status: contract.True}, contract.Outcome{Status: contract.Unknown}
	for _, tt := range []struct {
		name            string
		result          watch.Result
		plain, restarts int
	}{
		{"the adapter's success", watch.Result{Delivered: true, Own: true, Outcome: yes}, 0, 0},
		{"the adapter's failure", watch.Result{Delivered: true, Own: true, Outcome: no}, 4, 0},
		{"the adapter's failure, not delivered", watch.Result{Own: true, Outcome: no}, 3, 3},
		{"the adapter's success, not delivered", watch.Result{Own: true, Outcome: yes}, 3, 3},
		{"a fault", watch.Result{Delivered: true, Outcome: no}, 1, 0},
		{"a fault, not delivered", watch.Result{Outcome: no}, 3, 3},
		{"an interruption", watch.Result{Delivered: true, Outcome: unknown}, 143, 0},
		{"another Pod's report stands", watch.Result{Delivered: true, Superseded: true, Outcome: no}, 143, 0},
		{"all containers are started again", watch.Result{Delivered: true, Superseded: true}, 143, 0},
	} {
		again := tt.result
		again.Restarts = true
		if got := exitCode(tt.result, 4); got != tt.plain {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.plain)
		}
		if got := exitCode(again, 4); got != tt.restarts {
			t.Errorf("%s, OnFailure: %d, want %d", tt.name, got, tt.restarts)
		}
		if got := exitCode(tt.result, 0); tt.plain != 4 && got != tt.plain || tt.plain == 4 && got != 0 {
			t.Errorf("%s, without a code for a failure: %d", tt.name, got)
		}
	}
}
