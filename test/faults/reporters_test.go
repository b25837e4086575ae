package faults

import (
	"testing"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/test/program"
)

// beside plays two reporters in one Pod, with what the other one must come to.
func beside(before func(h *harness), want contract.Outcome, exit int, play func(h *harness, other *program.Rig)) func(h *harness) {
	return func(h *harness) {
		if before != nil {
			before(h)
		}
		other := h.Second()
		h.Start()
		other.Start()
		time.Sleep(10 * time.Second)
		play(h, other)
		other.End(exit)
		other.Expect(want.Status, want.Reason, want.Message)
	}
}

// severalFaults are reporters beside which there is another one, or which no Job
// has started.
func severalFaults() []story {
	drained := program.InterruptedBy(contract.Unknown, "the Pod is being deleted")
	cancelled := contract.Outcome{Status: contract.False, Reason: "Cancelled", Message: "No message provided"}
	cancels := func(r *program.Rig) { r.Write(`{"status":"failure","reason":"Cancelled"}`) }
	ofNoJob := debugCopy
	stories := []story{
		{Name: "two reporters: the adapter succeeds, and the other's crashes", Want: good,
			Play: beside(nil, crashed, 1, func(h *harness, other *program.Rig) { h.Finish(); other.EndContainer(program.Worker, 1, "Error") })},
		{Name: "two reporters: the other's adapter crashes, and the adapter succeeds a minute later", Want: good,
			Play: beside(nil, crashed, 1, func(h *harness, other *program.Rig) {
				other.EndContainer(program.Worker, 1, "Error")
				time.Sleep(time.Minute)
				h.Finish()
			})},
		{Name: "two reporters: the adapter crashes, and the other's succeeds a minute later", Want: crashed, Exit: 1,
			Play: beside(nil, good, 0, func(h *harness, other *program.Rig) { h.Crash(); time.Sleep(time.Minute); other.Finish() })},
		{Name: "two reporters: both adapters write a failure in the same moment", Want: cancelled,
			Play: beside(nil, cancelled, 0, func(h *harness, other *program.Rig) { cancels(h.Rig); cancels(other) })},
		{Name: "two reporters: both adapters crash in the same moment", Want: crashed, Exit: 1,
			Play: beside(nil, crashed, 1, func(h *harness, other *program.Rig) { h.Crash(); other.EndContainer(program.Worker, 1, "Error") })},
		{Name: "two reporters: the adapter succeeds, and of the other's nothing comes in time", Want: good,
			Play: beside(nil, timedOut, 1, func(h *harness, _ *program.Rig) { h.Finish() })},
		{Name: "two reporters: the adapter has succeeded, and the Pod is deleted", Want: good,
			Play: beside(nil, drained, 143, func(h *harness, other *program.Rig) {
				h.Finish()
				time.Sleep(time.Second)
				h.Delete(30)
				other.Sigterm()
			})},
		{Name: "two reporters: the Pod is deleted", Want: drained, Exit: 143,
			Play: beside(nil, drained, 143, func(h *harness, other *program.Rig) { h.Delete(30); h.Sigterm(); other.Sigterm() })},
		{Name: "two reporters, native sidecars: the adapter succeeds, and the other's crashes", Want: good,
			Play: beside((*harness).NativeSidecar, crashed, 1, func(h *harness, other *program.Rig) {
				h.Finish()
				h.Terminate(0, "Completed")
				other.EndContainer(program.Worker, 1, "Error")
				time.Sleep(time.Second)
				h.Sigterm()
				other.Sigterm()
			})},
		{Name: "two reporters, native sidecars that are started again: the adapter has succeeded, and the other's crashes", Want: good,
			Play: beside((*harness).NativeSidecar, crashed, 1, func(h *harness, other *program.Rig) {
				h.Finish()
				h.AwaitReport()
				h.Sigterm() // ends the first run of each; of the second nobody has told them to stop
				other.Sigterm()
				h.Wait()
				other.Wait()
				h.SidecarAgain()
				other.StartAgain(program.Worker + "-reporter")
				time.Sleep(10 * time.Second)
				other.EndContainer(program.Worker, 1, "Error")
				time.Sleep(2 * time.Second)
				h.Sigterm()
				other.Sigterm()
			})},
		{Name: "a Pod that no Job owns: its adapter succeeds", Want: good, Play: play(ofNoJob, runs(10*time.Second), (*harness).Finish)},
		{Name: "a Pod that no Job owns: its adapter crashes", Want: crashed, Exit: 1, Play: play(ofNoJob, runs(10*time.Second), (*harness).Crash)},
		{Name: "a Pod that no Job owns is deleted", Want: program.InterruptedBy(contract.Unknown, "the Pod is being deleted"), Exit: 143, Play: play(ofNoJob, runs(10*time.Second), deleted(30))},
		{Name: "a Pod that no Job owns: its adapter succeeds, and there is no Job", Exit: 3,
			Play: play(ofNoJob, func(h *harness) { h.Server.DeleteJob(namespace, jobName) }, runs(10*time.Second), (*harness).Finish)},
		{Name: "a copy for debugging, where JOB_NAME came from a label that copies do not get", Exit: 78, Env: map[string]string{"JOB_NAME": ""}, Untold: true,
			Play: play(debugCopy, runs(10*time.Second))},
	}
	return stories
}

func TestSeveralFaults(t *testing.T) { program.PlayStories(t, severalFaults()) }
