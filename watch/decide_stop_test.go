package watch

import (
	"testing"
	"time"
)

const (
	ms      = time.Millisecond
	told    = stopped + "the reporter received SIGTERM [kill at 31s]"
	interim = "interim " + stopped + "the reporter received SIGTERM" + maybeMore + " [kill at 31s]"
	deleted = stopped + "the Pod is being deleted [kill at 31s]"
	gone    = stopped + "the Pod is gone [kill at 3s]"
)

// running is a run of a second in which there is nothing to report.
var running = []event{at(sec), looks(absent), reads(alive())}

// confirms is what a stop and the deadline ask for at once.
func confirms(l look, f facts) event {
	return func(s *state) { looks(l)(s); reads(f)(s) }
}

func TestRule5Stop(t *testing.T) {
	then := func(story ...event) []event { return after(running, story...) }
	seenAll := confirms(absent, alive())
	checkRows(t, []row{
		{"SIGTERM", then(sigterm), "look, read"},
		{"looked", then(sigterm, looks(absent)), "read"},
		{"read", then(sigterm, reads(alive())), "look"},
		{"looked and read: observe", then(sigterm, seenAll), "wait"},
		{"over: look once more", then(sigterm, seenAll, at(26*sec)), "look"},
		{"all but over", then(sigterm, seenAll, at(26*sec-1), looks(absent)), interim},
		{"over", then(sigterm, seenAll, at(26*sec), looks(absent)), told},
		{"over, half a file", then(sigterm, seenAll, at(26*sec), looks(half)), invalidFile + " [kill at 31s]"},
		{"over, empty file: no time to write it", then(sigterm, seenAll, at(26*sec), looks(empty)), told},
		{"over, unreadable file", then(sigterm, seenAll, at(26*sec), looks(locked)), told},
		{"over, half a file being written", then(sigterm, confirms(half, alive()), writes, at(26*sec), looks(half)), invalidFile + " [kill at 31s]"},
		{"over, crash loop", then(sigterm, confirms(absent, with(crashed(1), waitsFor("CrashLoopBackOff"))), at(26*sec), looks(absent)), exit1 + " [kill at 31s]"},
		{"over, started again a moment ago", then(sigterm, confirms(absent, crashed(1)), at(26*sec), looks(absent)), exit1 + " [kill at 31s]"},
		{"over, crash loop and half a file", then(sigterm, confirms(absent, with(crashed(1), waitsFor(""))), at(26*sec), looks(half)), invalidFile + " [kill at 31s]"},
		{"over, crash loop and the half a file that the crash left", then(looks(half), tells(with(crashed(1), waitsFor(""))), sigterm, confirms(half, with(crashed(1), waitsFor(""))), at(26*sec), looks(half)),
			exit1 + " [kill at 31s]"},
		{"over, the last crash was somebody else's doing", then(sigterm, confirms(absent, with(crashed(143), disrupted)), at(26*sec), looks(absent)),
			stopped + "PreemptionByScheduler: preempted; adapter container exited with code 143 [kill at 31s]"},
		{"the adapter ends in time", then(sigterm, seenAll, at(5*sec), tells(exited(0)), looks(absent)), missing + " [kill at 31s]"},
		{"exit 143: so was the adapter's", then(sigterm, seenAll, at(5*sec), tells(exited(143)), looks(absent)),
			stopped + "adapter container exited with code 143 [kill at 31s]"},
		{"exit 1", then(sigterm, seenAll, at(5*sec), tells(exited(1)), looks(absent)), exit1 + " [kill at 31s]"},
		{"a run that ended with 143 before", then(tells(crashed(143)), sigterm, confirms(absent, crashed(143)), at(26*sec), looks(absent)),
			"False AdapterExitedWithError: Adapter container exited with code 143: Error [kill at 31s]"},
		{"then the deletion, exit 143", then(sigterm, seenAll, at(1200*ms), tells(with(exited(143), deleting)), looks(absent)),
			stopped + "the Pod is being deleted; adapter container exited with code 143 [kill at 31s]"},
		{"result in the grace period", then(sigterm, seenAll, at(5*sec), looks(success)), own + " [kill at 31s]"},
		{"a second one", then(sigterm, seenAll, at(20*sec), sigterm, at(26*sec), looks(absent)), told},
		{"before anything else", []event{sigterm}, "look, read"},
		{"before anything else, over", []event{sigterm, looks(absent), at(25 * sec), looks(absent)}, stopped + "the reporter received SIGTERM [kill at 30s], read"},
		{"a longer grace period is learnt", then(tells(alive()), sigterm, at(26*sec), confirms(absent, with(alive(), graced(600*sec)))),
			"interim " + stopped + "the reporter received SIGTERM" + maybeMore + " [kill at 10m1s]"},
		{"a shorter grace period is learnt", []event{at(sec), sigterm, looks(absent), at(3 * sec), reads(with(alive(), graced(2*sec))), looks(absent)},
			stopped + "the reporter received SIGTERM [kill at 5s]"},
		{"slow answers", then(slow(3*sec), sigterm, seenAll, at(18800*ms), looks(absent)), told},
		{"slow answers, all but over", then(slow(3*sec), sigterm, seenAll, at(18800*ms-1), looks(absent)), interim},
		{"on a disrupted Pod", then(sigterm, confirms(absent, with(alive(), disrupted)), at(26*sec), looks(absent)),
			stopped + "PreemptionByScheduler: preempted [kill at 31s]"},
		{"the Pod is never read: over", then(sigterm, looks(absent), readFails, at(26*sec), looks(absent)), told + ", read"},
		{"the Pod is never read: result", then(sigterm, looks(absent), readFails, at(5*sec), looks(success)), own + " [kill at 31s]"},
		{"the Pod is refused, never read: over", []event{at(sec), sigterm, looks(absent), readRefused, at(26 * sec), looks(absent)}, told},
		{"the Pod is refused, read before: that may pass", then(sigterm, looks(absent), readRefused), "read"},

		{"sidecar: exit 143: it would have come as well", then(tells(with(alive(), sidecar)), sigterm, looks(absent), tells(with(exited(143), sidecar)), looks(absent)),
			"False AdapterExitedWithError: Adapter container exited with code 143: Error [kill at 31s]"},
		{"sidecar: SIGTERM alone", then(tells(with(alive(), sidecar)), sigterm, confirms(absent, with(alive(), sidecar))), "wait"},
	})
}

// TestRule5Interim: a stop of the kubelet's own shows in nothing but SIGTERM, and may
// leave a second.
func TestRule5Interim(t *testing.T) {
	then := func(story ...event) []event { return after(running, story...) }
	seenAll := confirms(absent, alive())
	checkRows(t, []row{
		{"not yet", then(sigterm, seenAll, at(1500*ms-1)), "wait"},
		{"after half a second", then(sigterm, seenAll, at(1500*ms)), interim},
		{"not looked", then(sigterm, reads(alive()), at(1500*ms)), "look"},
		{"not read", then(sigterm, looks(absent), at(1500*ms)), interim + ", read"},
		{"a filesystem that fails, the adapter has crashed", then(tells(exited(1)), looks(lookFails), sigterm, at(1500*ms-1)), "wait"},
		{"a filesystem that fails, the adapter has crashed: due", then(tells(exited(1)), looks(lookFails), sigterm, at(1500*ms)), "interim " + exit1 + maybeMore + " [kill at 31s]"},
		{"a filesystem that fails, the Pod has Failed", then(tells(with(alive(), failed)), looks(lookFails), sigterm, at(1500*ms)), "interim " + stopped + "the Pod has failed; the node no longer reports on the adapter" + maybeMore + " [kill at 31s]"},
		{"a filesystem that fails, a native sidecar whose adapter has ended", then(tells(with(exited(1), sidecar)), looks(lookFails), sigterm, at(2*sec)), "wait"},
		{"the reading fails", then(sigterm, looks(absent), readFails, at(1500*ms)), interim + ", read"},
		{"the Pod is refused, never read", []event{at(sec), sigterm, looks(absent), readRefused, at(1500 * ms)}, interim},
		{"nothing is known", []event{sigterm, looks(absent), at(500 * ms)}, "interim " + stopped + "the reporter received SIGTERM" + maybeMore + " [kill at 30s], read"},
		{"half a file: not of the file", then(sigterm, confirms(half, alive()), at(1500*ms)), interim},
		{"a crash loop: not of the crash", then(tells(crashed(1)), sigterm, confirms(absent, crashed(1)), at(1500*ms)), interim},
		{"a result", then(sigterm, seenAll, at(1500*ms), looks(success)), own + " [kill at 31s]"},
		{"the adapter's end", then(sigterm, seenAll, at(1500*ms), tells(exited(1)), looks(absent)), exit1 + " [kill at 31s]"},
		{"the Pod Failed", then(sigterm, seenAll, at(1500*ms), tells(with(alive(), failed, disrupted)), looks(absent)),
			stopped + "PreemptionByScheduler: preempted; the node no longer reports on the adapter [kill at 31s]"},
		{"an OOM kill", then(sigterm, seenAll, at(1500*ms), tells(oomKilled(137)), looks(absent)), oom + " [kill at 31s]"},
		{"it is a deletion after all", then(sigterm, seenAll, at(1200*ms), tells(with(alive(), deleting)), at(1500*ms)), "wait"},
		{"a deletion that is seen later takes it back", then(sigterm, seenAll, at(1500*ms), tells(with(alive(), deleting))), "wait"},
		{"gone", then(sigterm, seenAll, at(1500*ms), podGone, looks(absent)), stopped + "the Pod is gone [kill at 3.5s]"},
		{"the time is up", then(sigterm, seenAll, at(26*sec), looks(absent)), told},
		{"a cause becomes known", then(sigterm, seenAll, tells(with(alive(), disrupted)), at(1500*ms)),
			"interim " + stopped + "PreemptionByScheduler: preempted" + maybeMore + " [kill at 31s]"},

		{"sidecar: not after half a second", then(tells(with(alive(), sidecar)), sigterm, confirms(absent, with(alive(), sidecar)), at(2*sec-1)), "wait"},
		{"sidecar: after a second", then(tells(with(alive(), sidecar)), sigterm, confirms(absent, with(alive(), sidecar)), at(2*sec)), interim},

		{"a rule restarts all: not after half a second", then(tells(with(alive(), hasRule)), sigterm, confirms(absent, with(alive(), hasRule)), at(2*sec-1)), "wait"},
		{"a rule restarts all: after a second", then(tells(with(alive(), hasRule)), sigterm, confirms(absent, with(alive(), hasRule)), at(2*sec)), interim},

		{"a long grace period: SIGTERM", then(tells(with(alive(), graced(600*sec))), sigterm, confirms(absent, with(alive(), graced(600*sec))), at(1500*ms)),
			"interim " + stopped + "the reporter received SIGTERM" + maybeMore + " [kill at 10m1s]"},
		{"a long grace period: deletion", then(tells(with(alive(), graced(600*sec), deleting)), confirms(absent, with(alive(), graced(600*sec), deleting)), at(26*sec-1)), "wait"},
		{"a long grace period: deletion, 25 s", then(tells(with(alive(), graced(600*sec), deleting)), confirms(absent, with(alive(), graced(600*sec), deleting)), at(26*sec)),
			"interim " + stopped + "the Pod is being deleted" + maybeMore + " [kill at 10m1s]"},
	})
}

// TestRule5RestartInPlace: a RestartAllContainers rule is the end of nothing.
func TestRule5RestartInPlace(t *testing.T) {
	restarting := with(alive(), allRestart)
	then := func(story ...event) []event { return after(running, story...) }
	checkRows(t, []row{
		{"no SIGTERM yet", then(tells(restarting)), "wait"},
		{"at the deadline", then(at(60*sec), confirms(absent, restarting)), "False AdapterTimeout: Adapter did not produce results within 1m0s"},
		{"the adapter ended", then(tells(with(exited(42), allRestart)), looks(absent)), "wait"},
		{"SIGTERM", then(tells(restarting), sigterm), "look"},
		{"SIGTERM, looked", then(tells(restarting), sigterm, looks(absent)), "end"},
		{"SIGTERM, half a file", then(tells(restarting), sigterm, looks(half)), "end"},
		{"SIGTERM, a result", then(tells(restarting), sigterm, looks(success)), own + " [kill at 31s]"},
		{"SIGTERM after the deadline", then(tells(restarting), at(61*sec), sigterm, looks(absent)), "end"},
		{"SIGTERM, then it is seen", then(sigterm, looks(absent), at(1900*ms), tells(restarting)), "look"},
		{"after the interim report", then(tells(with(alive(), hasRule)), sigterm, confirms(absent, with(alive(), hasRule)), at(2*sec), tells(restarting)), "look"},
		{"the Pod is being deleted", then(tells(with(restarting, deleting)), looks(absent), reads(with(restarting, deleting)), at(26*sec), looks(absent)), deleted},
		{"the Pod is gone", then(tells(restarting), podGone, looks(absent)), gone},
	})
}

func TestRule5Deletion(t *testing.T) {
	dying := with(alive(), deleting)
	then := func(story ...event) []event { return after(running, story...) }
	checkRows(t, []row{
		{"deletion", then(tells(dying)), "look, read"},
		{"looked and read", then(tells(dying), confirms(absent, dying)), "wait"},
		{"over", then(tells(dying), confirms(absent, dying), at(26*sec), looks(absent)), deleted},
		{"of a Pod whose adapter waits", then(tells(with(dying, waitsFor("ErrImagePull"))), confirms(absent, dying), at(26*sec), looks(absent)), deleted},
		{"then SIGTERM does not start anew", then(tells(dying), confirms(absent, dying), at(20*sec), sigterm), "wait"},
		{"after SIGTERM does not start anew", then(sigterm, confirms(absent, alive()), at(20*sec), tells(dying), at(26*sec), looks(absent)), deleted},
		{"with its own grace period", then(tells(with(dying, graced(2*sec))), confirms(absent, with(dying, graced(2*sec))), at(2*sec), looks(absent)),
			stopped + "the Pod is being deleted [kill at 3s]"},
		{"over, an old crash", then(tells(with(crashed(1), startedAt(-time.Hour), deleting)), confirms(absent, with(crashed(1), startedAt(-time.Hour), deleting)), at(26*sec), looks(absent)), deleted},
		{"over, a crash since", then(tells(with(crashed(1), startedAt(0), deleting)), confirms(absent, with(crashed(1), startedAt(0), deleting)), at(26*sec), looks(absent)), exit1 + " [kill at 31s]"},
		{"over, empty file", then(tells(dying), confirms(empty, dying), at(26*sec), looks(empty)), deleted},

		{"sidecar: deletion alone", then(tells(with(dying, sidecar)), confirms(absent, with(dying, sidecar)), at(15*sec)), "wait"},
		{"sidecar: SIGTERM during it is late", then(tells(with(dying, sidecar)), confirms(absent, with(dying, sidecar)), at(15*sec), sigterm), "look"},
		{"sidecar: SIGTERM during it, looked", then(tells(with(dying, sidecar)), confirms(absent, with(dying, sidecar)), at(15*sec), sigterm, looks(absent)), deleted},
		{"sidecar: SIGTERM at its end", then(tells(with(dying, sidecar)), confirms(absent, with(dying, sidecar)), at(31*sec), sigterm, looks(half)), invalidFile + " [kill at 33s]"},
		{"sidecar: learnt after SIGTERM", then(tells(with(alive(), sidecar)), sigterm, reads(with(dying, sidecar)), looks(absent)), deleted},

		{"by force", then(tells(with(dying, graced(0)))), "look"},
		{"by force, looked", then(tells(with(dying, graced(0))), looks(absent)), gone},
		{"by force, then gone", then(tells(with(dying, graced(0))), at(2*sec), podGone, looks(absent)), gone},
		{"no grace period, no deletion", then(tells(with(alive(), graced(0))), looks(absent)), "wait"},

		{"gone", then(podGone), "look"},
		{"gone, looked", then(podGone, looks(absent)), gone},
		{"gone, told by a fresh reading", then(readNotFound, looks(absent)), gone},
		{"gone when the deadline passes: it was not the time that was short", then(at(90*sec), podGone, readRefused, looks(absent)), stopped + "the Pod is gone [kill at 1m32s]"},
		{"gone, half a file", then(podGone, looks(half)), invalidFile + " [kill at 3s]"},
		{"gone after its deletion", then(tells(dying), confirms(absent, dying), at(5*sec), podGone, looks(absent)), stopped + "the Pod is gone [kill at 7s]"},
		{"gone after SIGTERM", then(sigterm, confirms(absent, alive()), at(5*sec), podGone, looks(absent)), stopped + "the Pod is gone [kill at 7s]"},
		{"gone, a crash loop", then(tells(with(crashed(1), waitsFor("CrashLoopBackOff"))), podGone, looks(absent)), exit1 + " [kill at 3s]"},
		{"gone under a disruption", then(tells(with(alive(), disrupted)), podGone, looks(absent)),
			stopped + "PreemptionByScheduler: preempted; the Pod is gone [kill at 3s]"},
	})
}

// slow has an answer take so long.
func slow(took time.Duration) event { return func(s *state) { s.recent.add(took) } }
