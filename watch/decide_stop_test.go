package watch

import (
	"testing"
	"time"
)

func TestRule5Stop(t *testing.T) {
	const (
		told    = cut + "the reporter received SIGTERM [kill at 31s]"
		deleted = cut + "the Pod is being deleted [kill at 31s]"
		gone    = cut + "the Pod is gone [kill at 3s]"
	)
	dying := with(alive(), deleting)
	before := []event{at(sec), looks(absent), reads(alive())}
	then := func(story ...event) []event { return append(append([]event(nil), before...), story...) }
	checkRows(t, []row{
		{"SIGTERM", then(sigterm), "look, read"},
		{"SIGTERM, looked", then(sigterm, looks(absent)), "read"},
		{"SIGTERM, read", then(sigterm, reads(alive())), "look"},
		{"SIGTERM, looked and read: observe", then(sigterm, looks(absent), reads(alive())), "wait"},
		{"SIGTERM, read once more before it is over", then(sigterm, looks(absent), reads(alive()), at(25*sec)), "read"},
		{"SIGTERM, not before that", then(sigterm, looks(absent), reads(alive()), at(25*sec-1)), "wait"},
		{"SIGTERM, read once more, refused", then(sigterm, looks(absent), reads(alive()), at(25*sec), readRefused), "wait"},
		{"SIGTERM, read once more: the end", then(sigterm, looks(absent), reads(alive()), at(25*sec), reads(oomKilled(137)), looks(absent)), oom + " [kill at 31s]"},
		{"SIGTERM, read once more, failing: no word before it is over", then(sigterm, looks(absent), reads(alive()), at(25*sec), readFails), "read"},
		{"SIGTERM, over, whatever became of that reading", then(sigterm, looks(absent), reads(alive()), at(25*sec), readFails, at(26*sec), looks(absent)), told},
		{"a grace period of 2 s is read again half-way", then(tells(with(alive(), graced(2*sec))), sigterm, looks(absent), reads(with(alive(), graced(2*sec))), at(1500*time.Millisecond)), "read"},
		{"SIGTERM, all but over", then(sigterm, looks(absent), reads(alive()), at(25*sec), reads(alive()), at(26*sec-1)), "wait"},
		{"SIGTERM, over: look once more", then(sigterm, looks(absent), reads(alive()), at(26*sec)), "look"},
		{"SIGTERM, over", then(sigterm, looks(absent), reads(alive()), at(26*sec), looks(absent)), told},
		{"SIGTERM, over, half a file", then(sigterm, looks(absent), reads(alive()), at(26*sec), looks(half)), invalidFile + " [kill at 31s]"},
		{"SIGTERM, over, empty file", then(sigterm, looks(absent), reads(alive()), at(26*sec), looks(empty)),
			"False InvalidResultFormat: Failed to parse adapter result: empty [kill at 31s]"},
		{"SIGTERM, over, half a file being written", then(sigterm, looks(half), reads(alive()), writes, at(26*sec), looks(half)), invalidFile + " [kill at 31s]"},
		{"SIGTERM, over, crash loop", then(sigterm, looks(absent), reads(crashed(1)), at(26*sec), looks(absent)), exit1 + " [kill at 31s]"},
		{"SIGTERM, over, crash loop and half a file", then(sigterm, looks(absent), reads(crashed(1)), at(26*sec), looks(half)), invalidFile + " [kill at 31s]"},
		{"SIGTERM, over, the last crash was somebody else's doing", then(sigterm, looks(absent), reads(with(crashed(143), disrupted)), at(26*sec), looks(absent)),
			cut + "PreemptionByScheduler: preempted; adapter container exited with code 143 [kill at 31s]"},
		{"SIGTERM, the adapter ends in time", then(sigterm, looks(absent), reads(alive()), at(5*sec), tells(exited(0)), looks(absent)), missing + " [kill at 31s]"},
		{"SIGTERM, exit 143: so was the adapter's", then(sigterm, looks(absent), reads(alive()), at(5*sec), tells(exited(143)), looks(absent)),
			cut + "adapter container exited with code 143 [kill at 31s]"},
		{"SIGTERM, exit 1", then(sigterm, looks(absent), reads(alive()), at(5*sec), tells(exited(1)), looks(absent)), exit1 + " [kill at 31s]"},
		{"SIGTERM, a run that ended with 143 before", then(tells(crashed(143)), sigterm, looks(absent), reads(crashed(143)), at(26*sec), looks(absent)),
			"False AdapterExitedWithError: Adapter container exited with code 143: Error [kill at 31s]"},
		{"sidecar: SIGTERM, exit 143: it would have come as well", then(tells(with(alive(), sidecar)), sigterm, looks(absent), tells(with(exited(143), sidecar)), looks(absent)),
			"False AdapterExitedWithError: Adapter container exited with code 143: Error [kill at 31s]"},
		{"SIGTERM, then the deletion, exit 143", then(sigterm, looks(absent), reads(dying), at(5*sec), tells(with(exited(143), deleting)), looks(absent)),
			cut + "the Pod is being deleted; adapter container exited with code 143 [kill at 31s]"},
		{"SIGTERM, result in the grace period", then(sigterm, looks(absent), reads(alive()), at(5*sec), looks(success)), own + " [kill at 31s]"},
		{"SIGTERM, a second one", then(sigterm, looks(absent), reads(alive()), at(20*sec), sigterm, at(26*sec), looks(absent)), told},
		{"SIGTERM before anything else", []event{sigterm}, "look, read"},
		{"SIGTERM before anything else, over", []event{sigterm, looks(absent), at(25 * sec), looks(absent)}, cut + "the reporter received SIGTERM [kill at 30s]"},
		{"SIGTERM, a longer grace period is learnt", []event{at(sec), sigterm, looks(absent), at(26 * sec), reads(with(alive(), graced(600*sec))), looks(absent)}, "wait"},
		{"SIGTERM, a shorter grace period is learnt", []event{at(sec), sigterm, looks(absent), at(3 * sec), reads(with(alive(), graced(2*sec))), looks(absent)},
			cut + "the reporter received SIGTERM [kill at 5s]"},
		{"SIGTERM seen after the grace period", then(sigterm, at(90*sec), looks(absent), readRefused), timeout + " [kill at 1m32s]"},
		{"SIGTERM, on a disrupted Pod", then(sigterm, looks(absent), reads(with(alive(), disrupted)), at(26*sec), looks(absent)),
			cut + "PreemptionByScheduler: preempted [kill at 31s]"},

		{"SIGTERM, the Pod cannot be read", then(sigterm, looks(absent), readFails), "provisional " + told + ", read"},
		{"SIGTERM, the Pod cannot be read, not looked", then(sigterm, readFails), "look, read"},
		{"SIGTERM, the Pod could not be read before", then(asked, readFails, at(2*sec), sigterm, looks(absent)), "read"},
		{"SIGTERM, the Pod cannot be read, half a file", then(sigterm, looks(half), readFails), "provisional " + invalidFile + " [kill at 31s], read"},
		{"SIGTERM, the Pod cannot be read, crash loop", then(tells(crashed(1)), sigterm, looks(absent), readFails), "provisional " + exit1 + " [kill at 31s], read"},
		{"SIGTERM, the Pod can be read again", then(sigterm, looks(absent), readFails, at(3*sec), reads(alive())), "wait"},
		{"SIGTERM, the Pod is never read: over", then(sigterm, looks(absent), readFails, at(26*sec), looks(absent)), told},
		{"SIGTERM, the Pod is never read: result", then(sigterm, looks(absent), readFails, at(5*sec), looks(success)), own + " [kill at 31s]"},
		{"SIGTERM, the Pod is refused, never read", []event{at(sec), sigterm, looks(absent), readRefused}, "provisional " + told},
		{"SIGTERM, the Pod is refused, never read: over", []event{at(sec), sigterm, looks(absent), readRefused, at(26 * sec), looks(absent)}, told},
		{"SIGTERM, the Pod is refused, read before", then(sigterm, looks(absent), readRefused), "wait"},

		{"deletion", then(tells(dying)), "look, read"},
		{"deletion, looked and read", then(tells(dying), looks(absent), reads(dying)), "wait"},
		{"deletion, over", then(tells(dying), looks(absent), reads(dying), at(26*sec), looks(absent)), deleted},
		{"deletion of a Pod whose adapter waits", then(tells(with(facts{grace: defaultGrace, waiting: "ErrImagePull"}, deleting)), looks(absent), reads(dying), at(26*sec), looks(absent)), deleted},
		{"deletion, then SIGTERM does not start anew", then(tells(dying), looks(absent), reads(dying), at(20*sec), sigterm), "wait"},
		{"SIGTERM, then deletion does not start anew", then(sigterm, looks(absent), reads(alive()), at(20*sec), tells(dying), at(26*sec), looks(absent)), deleted},
		{"deletion with its own grace period", then(tells(with(dying, graced(2*sec))), looks(absent), reads(with(dying, graced(2*sec))), at(2*sec), looks(absent)),
			cut + "the Pod is being deleted [kill at 3s]"},

		{"sidecar: SIGTERM alone", then(tells(with(alive(), sidecar)), sigterm, looks(absent), reads(with(alive(), sidecar))), "wait"},
		{"sidecar: deletion alone", then(tells(with(dying, sidecar)), looks(absent), reads(with(dying, sidecar)), at(15*sec)), "wait"},
		{"sidecar: SIGTERM during a deletion is late", then(tells(with(dying, sidecar)), looks(absent), reads(with(dying, sidecar)), at(15*sec), sigterm), "look"},
		{"sidecar: SIGTERM during a deletion, looked", then(tells(with(dying, sidecar)), looks(absent), reads(with(dying, sidecar)), at(15*sec), sigterm, looks(absent)), deleted},
		{"sidecar: SIGTERM at the end of a deletion", then(tells(with(dying, sidecar)), looks(absent), reads(with(dying, sidecar)), at(31*sec), sigterm, looks(half)), invalidFile + " [kill at 33s]"},
		{"sidecar: deletion learnt after SIGTERM", then(tells(with(alive(), sidecar)), sigterm, reads(with(dying, sidecar)), looks(absent)), deleted},

		{"deletion by force", then(tells(with(dying, graced(0)))), "look"},
		{"deletion by force, looked", then(tells(with(dying, graced(0))), looks(absent)), gone},
		{"deletion by force, then gone", then(tells(with(dying, graced(0))), at(2*sec), podGone, looks(absent)), gone},
		{"no grace period, no deletion", then(tells(with(alive(), graced(0))), looks(absent)), "wait"},

		{"gone", then(podGone), "look"},
		{"gone, looked", then(podGone, looks(absent)), gone},
		{"gone when the deadline passes: it was not the time that was short", then(at(90*sec), podGone, readRefused, looks(absent)), cut + "the Pod is gone [kill at 1m32s]"},
		{"gone, half a file", then(podGone, looks(half)), invalidFile + " [kill at 3s]"},
		{"gone after its deletion", then(tells(dying), looks(absent), reads(dying), at(5*sec), podGone, looks(absent)), cut + "the Pod is gone [kill at 7s]"},
		{"gone after SIGTERM", then(sigterm, looks(absent), reads(alive()), at(5*sec), podGone, looks(absent)), cut + "the Pod is gone [kill at 7s]"},
		{"gone, a crash loop", then(tells(crashed(1)), podGone, looks(absent)), exit1 + " [kill at 3s]"},
		{"gone under a disruption", then(tells(with(alive(), disrupted)), podGone, looks(absent)),
			cut + "PreemptionByScheduler: preempted; the Pod is gone [kill at 3s]"},
	})
}
