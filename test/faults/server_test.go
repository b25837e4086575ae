package faults

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
	"github.com/openshift-hyperfleet/status-reporter/test/program"
)

var allRights = []string{"watch pods", "get pods", "get jobs", "patch jobs/status"}

// unsynced has the server come back, and refuse for a while what the Role allows:
// until the first attempt to do something of the kind has met it, and d longer.
func unsynced(d time.Duration, of kubetest.Match) func(h *harness) {
	return func(h *harness) {
		deny(h, allRights...)
		h.Server.Up()
		h.Await("an attempt", func() bool {
			for _, r := range h.Server.Requests(of) {
				if r.Code == http.StatusForbidden {
					return true
				}
			}
			return false
		})
		time.Sleep(d)
		allow(h, allRights...)
	}
}

// refusalFaults are 403s that pass: Roles come late, a server that was just started
// knows none, and a mesh is not the API server.
func refusalFaults() []story {
	outage := func(happens func(h *harness), d time.Duration, of kubetest.Match) func(h *harness) {
		return play(runs(10*time.Second), down, happens, pause(70*time.Second), unsynced(d, of))
	}
	mesh := kubetest.Respond(http.StatusForbidden, "text/plain", "RBAC: access denied").Forever()
	heals := func(h *harness) { h.Server.ClearFaults() }
	stories := []story{
		{Name: "an outage of 70 s, then 403 for a second, and a result", Want: good, Within: 110 * time.Second, Play: outage((*harness).Finish, time.Second, patches)},
		{Name: "an outage of 70 s, then 403 for 15 s, and a result", Want: good, Within: 130 * time.Second, Play: outage((*harness).Finish, 15*time.Second, patches)},
		{Name: "an outage of 70 s, then 403 for 45 s, and a result", Want: good, Within: 160 * time.Second, Play: outage((*harness).Finish, 45*time.Second, patches)},
		{Name: "an outage of 70 s, then 403 for 15 s, and a crash", Want: crashed, Exit: 1, Within: 130 * time.Second, Play: outage((*harness).Crash, 15*time.Second, anything)},
		{Name: "an outage of 70 s, then 403 for 15 s, and half a file", Want: invalidHalf, Exit: 1, Within: 140 * time.Second, Play: outage(writes(halfFile), 15*time.Second, anything)},
		{Name: "an outage of 70 s, then 403 for the PATCH alone for 15 s, and a result", Want: good, Within: 130 * time.Second,
			Play: play(runs(10*time.Second), down, (*harness).Finish, pause(70*time.Second), without("patch jobs/status"), up, pause(15*time.Second), with("patch jobs/status"))},
		{Name: "an outage of 70 s, then 403 for reading the Job alone for 15 s, and a crash", Want: crashed, Exit: 1, Within: 130 * time.Second,
			Play: play(runs(10*time.Second), down, (*harness).Crash, pause(70*time.Second), without("get jobs"), up, pause(15*time.Second), with("get jobs"))},
		{Name: "a native sidecar with a grace period of 90 s: an outage of 40 s, then 403 for 5 s, and a result", Want: good,
			Play: play((*harness).NativeSidecar, func(h *harness) { h.Grace(90) }, runs(10*time.Second), down, (*harness).Finish, pause(3*time.Second), endsWith(0, "Completed"), (*harness).StopSidecar,
				pause(40*time.Second), unsynced(5*time.Second, patches))},
		{Name: "the right to PATCH is taken away for 40 s when the result comes", Want: good, Within: 65 * time.Second,
			Play: play(runs(10*time.Second), without("patch jobs/status"), (*harness).Finish, pause(40*time.Second), with("patch jobs/status"))},
		{Name: "a mesh refuses the PATCH for 75 s with 403 in plain text", Want: good, Within: 110 * time.Second,
			Play: play(runs(10*time.Second), faults(patches, mesh), (*harness).Finish, pause(75*time.Second), heals)},
		{Name: "a mesh refuses everything for 10 min with 403 in plain text", Want: good, Within: 12 * time.Minute,
			Play: play(faults(anything, mesh), runs(10*time.Second), (*harness).Finish, pause(10*time.Minute), heals)},
		{Name: "a mesh refuses to let the Job be read for 75 s, and a crash", Want: crashed, Exit: 1, Within: 110 * time.Second,
			Play: play(runs(10*time.Second), faults(jobReads, mesh), (*harness).Crash, pause(75*time.Second), heals)},
		{Name: "a mesh refuses to let the Pod be read across the deadline, and the adapter crashes meanwhile", Want: crashed, Exit: 1, Within: 330 * time.Second,
			Play: play(without("watch pods"), runs(280*time.Second), faults(podReads, mesh), (*harness).Crash, pause(30*time.Second), heals)},
		{Name: "killed for its memory in an outage across the deadline, then 403 for a second", Want: oom, Exit: 1,
			Play: play(runs(280*time.Second), down, endsWith(137, "OOMKilled"), pause(21*time.Second), unsynced(time.Second, podReads))},
		{Name: "killed for its memory in an outage across the deadline, then 403 for 20 s", Want: oom, Exit: 1,
			Play: play(runs(280*time.Second), down, endsWith(137, "OOMKilled"), pause(21*time.Second), unsynced(20*time.Second, podReads))},
		{Name: "killed for its memory, and reading the Pod is refused for 20 s from the deadline on", Want: oom, Exit: 1,
			Play: play(without("watch pods"), runs(299*time.Second), without("get pods"), endsWith(137, "OOMKilled"), pause(20*time.Second), with("get pods"))},
		{Name: "half a file settles, killed for its memory, and reading the Pod is refused for 20 s", Want: oom, Exit: 1,
			Play: play(without("watch pods"), runs(9*time.Second), writes(halfFile), pause(10*time.Second), without("get pods"), endsWith(137, "OOMKilled"), pause(20*time.Second), with("get pods"))},
		{Name: "SIGTERM, the adapter crashes, and reading the Pod is refused for 5 s", Want: crashed, Exit: 1, Within: 41 * time.Second,
			Play: play(without("watch pods"), runs(10*time.Second), deleted(30), without("get pods"), pause(18*time.Second), (*harness).Crash, pause(5*time.Second), with("get pods"))},
	}
	return stories
}

func with(rights ...string) func(h *harness) { return func(h *harness) { allow(h, rights...) } }

// slowFaults are answers that come late, all of them, where the rest is well: mass
// drains are when a server is slow.
func slowFaults() []story {
	var stories []story
	for _, late := range []time.Duration{900 * time.Millisecond, 1500 * time.Millisecond, 2900 * time.Millisecond, 3100 * time.Millisecond, 4900 * time.Millisecond} {
		sidecar := false
		add := func(what string, s story) {
			s.Name = fmt.Sprintf("each answer comes %s late, and %s", late, what)
			if s.Play = play(slowed(late), runs(40*time.Second), s.Play); sidecar {
				s.Name, s.Play = "a native sidecar: "+s.Name, play((*harness).NativeSidecar, s.Play)
			}
			stories = append(stories, s)
		}
		add("a result", story{Want: good, Play: (*harness).Finish, Within: 60 * time.Second})
		add("a crash", story{Want: crashed, Exit: 1, Play: (*harness).Crash, Within: 75 * time.Second})
		add("the Pod is deleted", story{Want: interruptedBy(contract.Unknown, "the Pod is being deleted"), Exit: 143, Play: deleted(30), Within: 71 * time.Second})
		add("the Pod is deleted, and a result 20 s later", story{Want: good, Play: play(deleted(30), pause(20*time.Second), (*harness).Finish), Within: 71 * time.Second})
		if late > 4*time.Second { // a crash 10 s before SIGKILL takes three answers of 5 s
			add("the Pod is deleted, and a crash 9 s later", story{Want: crashed, Exit: 1, Play: play(deleted(30), pause(9*time.Second), (*harness).Crash), Within: 71 * time.Second})
		} else {
			add("the Pod is deleted, and a crash 20 s later", story{Want: crashed, Exit: 1, Play: play(deleted(30), pause(19*time.Second), (*harness).Crash), Within: 71 * time.Second})
		}
		sidecar = true
		add("the Pod is deleted", story{Want: interruptedBy(contract.Unknown, "the Pod is being deleted"), Exit: 143,
			Play: play(func(h *harness) { h.Delete(30) }, pause(29*time.Second), (*harness).StopSidecar), Within: 71 * time.Second})
	}
	return append(stories, story{Name: "each answer comes 1.5 s late from SIGTERM on", Want: interruptedBy(contract.Unknown, "the Pod is being deleted"), Exit: 143, Within: 41 * time.Second,
		Play: play(runs(10*time.Second), slowed(1500*time.Millisecond), deleted(30))},
		story{Name: "each answer comes 1.5 s late, and the Pod is deleted with a grace period of 10 s", Want: interruptedBy(contract.Unknown, "the Pod is being deleted"), Exit: 143, Within: 51 * time.Second,
			Play: play(slowed(1500*time.Millisecond), runs(40*time.Second), deleted(10))},
		story{Name: "each answer comes 0.3 s late, and the Pod is deleted with a grace period of 2 s", Want: interruptedBy(contract.Unknown, "the Pod is being deleted"), Exit: 143, Within: 43 * time.Second,
			Play: play(slowed(300*time.Millisecond), runs(40*time.Second), deleted(2))},
		story{Name: "GETs take 3.1 s, the first PATCH does not", Want: crashed, Exit: 1, Within: 40 * time.Second,
			Play: play(faults(kubetest.Match{Verb: "get"}, kubetest.Proceed().After(3100*time.Millisecond).Forever()), runs(20*time.Second), (*harness).Crash)})
}

func TestRefusalFaults(t *testing.T) { program.PlayStories(t, refusalFaults()) }
func TestSlowFaults(t *testing.T)    { program.PlayStories(t, slowFaults()) }
