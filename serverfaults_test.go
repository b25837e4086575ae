package main

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

var allRights = []string{"watch pods", "get pods", "get jobs", "patch jobs/status"}

// unsynced has the server come back, and refuse for a while what the Role allows:
// until the first attempt to do something of the kind has met it, and d longer.
func unsynced(d time.Duration, of kubetest.Match) func(h *harness) {
	return func(h *harness) {
		deny(h, allRights...)
		h.server.Up()
		h.await("an attempt", func() bool {
			for _, r := range h.server.Requests(of) {
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
	heals := func(h *harness) { h.server.ClearFaults() }
	stories := []story{
		{name: "an outage of 70 s, then 403 for a second, and a result", want: good, within: 110 * time.Second, play: outage((*harness).finish, time.Second, patches)},
		{name: "an outage of 70 s, then 403 for 15 s, and a result", want: good, within: 130 * time.Second, play: outage((*harness).finish, 15*time.Second, patches)},
		{name: "an outage of 70 s, then 403 for 45 s, and a result", want: good, within: 160 * time.Second, play: outage((*harness).finish, 45*time.Second, patches)},
		{name: "an outage of 70 s, then 403 for 15 s, and a crash", want: crashed, exit: 1, within: 130 * time.Second, play: outage((*harness).crash, 15*time.Second, anything)},
		{name: "an outage of 70 s, then 403 for 15 s, and half a file", want: invalidHalf, exit: 1, within: 140 * time.Second, play: outage(writes(halfFile), 15*time.Second, anything)},
		{name: "an outage of 70 s, then 403 for the PATCH alone for 15 s, and a result", want: good, within: 130 * time.Second,
			play: play(runs(10*time.Second), down, (*harness).finish, pause(70*time.Second), without("patch jobs/status"), up, pause(15*time.Second), with("patch jobs/status"))},
		{name: "an outage of 70 s, then 403 for reading the Job alone for 15 s, and a crash", want: crashed, exit: 1, within: 130 * time.Second,
			play: play(runs(10*time.Second), down, (*harness).crash, pause(70*time.Second), without("get jobs"), up, pause(15*time.Second), with("get jobs"))},
		{name: "a native sidecar with a grace period of 90 s: an outage of 40 s, then 403 for 5 s, and a result", want: good,
			play: play((*harness).nativeSidecar, func(h *harness) { h.grace(90) }, runs(10*time.Second), down, (*harness).finish, pause(3*time.Second), endsWith(0, "Completed"), (*harness).sigterm2,
				pause(40*time.Second), unsynced(5*time.Second, patches))},
		{name: "the right to PATCH is taken away for 40 s when the result comes", want: good, within: 65 * time.Second,
			play: play(runs(10*time.Second), without("patch jobs/status"), (*harness).finish, pause(40*time.Second), with("patch jobs/status"))},
		{name: "a mesh refuses the PATCH for 75 s with 403 in plain text", want: good, within: 110 * time.Second,
			play: play(runs(10*time.Second), faults(patches, mesh), (*harness).finish, pause(75*time.Second), heals)},
		{name: "a mesh refuses everything for 10 min with 403 in plain text", want: good, within: 12 * time.Minute,
			play: play(faults(anything, mesh), runs(10*time.Second), (*harness).finish, pause(10*time.Minute), heals)},
		{name: "a mesh refuses to let the Job be read for 75 s, and a crash", want: crashed, exit: 1, within: 110 * time.Second,
			play: play(runs(10*time.Second), faults(jobReads, mesh), (*harness).crash, pause(75*time.Second), heals)},
		{name: "a mesh refuses to let the Pod be read across the deadline, and the adapter crashes meanwhile", want: crashed, exit: 1, within: 330 * time.Second,
			play: play(without("watch pods"), runs(280*time.Second), faults(podReads, mesh), (*harness).crash, pause(30*time.Second), heals)},
		{name: "killed for its memory in an outage across the deadline, then 403 for a second", want: oom, exit: 1,
			play: play(runs(280*time.Second), down, endsWith(137, "OOMKilled"), pause(21*time.Second), unsynced(time.Second, podReads))},
		{name: "killed for its memory in an outage across the deadline, then 403 for 20 s", want: oom, exit: 1,
			play: play(runs(280*time.Second), down, endsWith(137, "OOMKilled"), pause(21*time.Second), unsynced(20*time.Second, podReads))},
		{name: "killed for its memory, and reading the Pod is refused for 20 s from the deadline on", want: oom, exit: 1,
			play: play(without("watch pods"), runs(299*time.Second), without("get pods"), endsWith(137, "OOMKilled"), pause(20*time.Second), with("get pods"))},
		{name: "half a file settles, killed for its memory, and reading the Pod is refused for 20 s", want: oom, exit: 1,
			play: play(without("watch pods"), runs(9*time.Second), writes(halfFile), pause(10*time.Second), without("get pods"), endsWith(137, "OOMKilled"), pause(20*time.Second), with("get pods"))},
		{name: "SIGTERM, the adapter crashes, and reading the Pod is refused for 5 s", want: crashed, exit: 1, within: 41 * time.Second,
			play: play(without("watch pods"), runs(10*time.Second), deleted(30), without("get pods"), pause(18*time.Second), (*harness).crash, pause(5*time.Second), with("get pods"))},
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
			s.name = fmt.Sprintf("each answer comes %s late, and %s", late, what)
			if s.play = play(slowed(late), runs(40*time.Second), s.play); sidecar {
				s.name, s.play = "a native sidecar: "+s.name, play((*harness).nativeSidecar, s.play)
			}
			stories = append(stories, s)
		}
		add("a result", story{want: good, play: (*harness).finish, within: 60 * time.Second})
		add("a crash", story{want: crashed, exit: 1, play: (*harness).crash, within: 75 * time.Second})
		add("the Pod is deleted", story{want: interruptedBy(contract.Unknown, "the Pod is being deleted"), exit: 143, play: deleted(30), within: 71 * time.Second})
		add("the Pod is deleted, and a result 20 s later", story{want: good, play: play(deleted(30), pause(20*time.Second), (*harness).finish), within: 71 * time.Second})
		if late > 4*time.Second { // a crash 10 s before SIGKILL takes three answers of 5 s
			add("the Pod is deleted, and a crash 9 s later", story{want: crashed, exit: 1, play: play(deleted(30), pause(9*time.Second), (*harness).crash), within: 71 * time.Second})
		} else {
			add("the Pod is deleted, and a crash 20 s later", story{want: crashed, exit: 1, play: play(deleted(30), pause(19*time.Second), (*harness).crash), within: 71 * time.Second})
		}
		sidecar = true
		add("the Pod is deleted", story{want: interruptedBy(contract.Unknown, "the Pod is being deleted"), exit: 143,
			play: play(func(h *harness) { h.delete(30) }, pause(29*time.Second), (*harness).sigterm2), within: 71 * time.Second})
	}
	return append(stories, story{name: "each answer comes 1.5 s late from SIGTERM on", want: interruptedBy(contract.Unknown, "the Pod is being deleted"), exit: 143, within: 41 * time.Second,
		play: play(runs(10*time.Second), slowed(1500*time.Millisecond), deleted(30))},
		story{name: "each answer comes 1.5 s late, and the Pod is deleted with a grace period of 10 s", want: interruptedBy(contract.Unknown, "the Pod is being deleted"), exit: 143, within: 51 * time.Second,
			play: play(slowed(1500*time.Millisecond), runs(40*time.Second), deleted(10))},
		story{name: "each answer comes 0.3 s late, and the Pod is deleted with a grace period of 2 s", want: interruptedBy(contract.Unknown, "the Pod is being deleted"), exit: 143, within: 43 * time.Second,
			play: play(slowed(300*time.Millisecond), runs(40*time.Second), deleted(2))},
		story{name: "GETs take 3.1 s, the first PATCH does not", want: crashed, exit: 1, within: 40 * time.Second,
			play: play(faults(kubetest.Match{Verb: "get"}, kubetest.Proceed().After(3100*time.Millisecond).Forever()), runs(20*time.Second), (*harness).crash)})
}

func TestRefusalFaults(t *testing.T) { playStories(t, refusalFaults()) }
func TestSlowFaults(t *testing.T)    { playStories(t, slowFaults()) }
