package main

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/testdata/suite"
)

// TestGolden plays every case of the golden suite along the whole way: a file
// on disk, a Pod and a Job behind TLS, a condition read back from the Job.
func TestGolden(t *testing.T) {
	for _, c := range suite.Load(t) {
		t.Run(c.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { playGolden(newHarness(t, c).rig, c) })
		})
	}
}

func playGolden(r *rig, c suite.Case) {
	t := r.t
	r.start()
	switch c.Trigger {
	case suite.File:
		if c.Condition.Reason == contract.ReasonInvalidResultFormat {
			r.write(string(c.Input)) // of what was there before it, the reporter cannot know that nobody holds it open
		}
	case suite.Stop:
		r.sigterm()
	case suite.Gone:
		r.api.DeletePod(namespace, podName)
	}
	if c.NativeSidecar && c.Trigger != suite.Stop {
		r.awaitReport()
		select {
		case code := <-r.exit:
			t.Fatalf("a native sidecar ended before SIGTERM, with exit code %d", code)
		default:
			r.sigterm()
		}
	}
	r.end(c.ExitCode)
	got := r.condition()
	if got == nil {
		t.Fatal("the Job carries no condition")
	}
	want := c.Want(r.path)
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
	if got.LastProbeTime.IsZero() || got.LastTransitionTime.IsZero() {
		t.Errorf("times are missing: %+v", got)
	}
}
