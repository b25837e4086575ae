package program

import (
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/testdata/suite"
)

// PlayGolden plays a case of the golden suite along the whole way: a file on disk, a
// Pod and a Job behind TLS, a condition read back from the Job.
func PlayGolden(r *Rig, c suite.Case) {
	t := r.T
	r.Start()
	switch c.Trigger {
	case suite.File:
		if c.Condition.Reason == contract.ReasonInvalidResultFormat {
			r.replace(string(c.Input)) // of what was there before it, the reporter cannot know that nobody holds it open
		}
	case suite.Stop:
		r.Sigterm()
	case suite.Gone:
		r.API.DeletePod(Namespace, PodName)
	}
	if c.NativeSidecar && c.Trigger != suite.Stop {
		r.AwaitReport()
		select {
		case code := <-r.Exit:
			t.Fatalf("a native sidecar ended before SIGTERM, with exit code %d", code)
		default:
			r.Sigterm()
		}
	}
	r.End(c.ExitCode)
	checkGolden(r, c)
}

// checkGolden compares what stands on the Job with what the case says.
func checkGolden(r *Rig, c suite.Case) {
	t := r.T
	got := r.Condition()
	if got == nil {
		t.Fatal("the Job carries no condition")
	}
	want := c.Want(r.Path)
	if len(c.Names) > 0 {
		for _, name := range c.Names {
			if !strings.Contains(got.Message, name) {
				t.Errorf("the message does not name %s: %s", name, got.Message)
			}
		}
		want.Message = got.Message
	}
	if diff := cmp.Diff(want, suite.Condition{
		Type: string(got.Type), Status: string(got.Status), Reason: got.Reason, Message: got.Message,
	}); diff != "" {
		t.Errorf("condition (-want +got):\n%s", diff)
	}
	labels := r.API.Job(Namespace, JobName).Labels
	for key, value := range c.Labels {
		if labels[key] != value {
			t.Errorf("label %s is %q, want %q", key, labels[key], value)
		}
	}
	if got.LastProbeTime.IsZero() || got.LastTransitionTime.IsZero() {
		t.Errorf("times are missing: %+v", got)
	}
}
