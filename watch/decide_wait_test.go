package watch

import (
	"testing"
	"time"
)

func TestRule3InvalidFileSettles(t *testing.T) {
	seen := []event{at(sec), looks(half), tells(alive())}
	then := func(story ...event) []event { return after(seen, story...) }
	checkRows(t, []row{
		{"a moment ago", seen, "wait"},
		{"just not long enough", then(at(11*sec - 1)), "wait"},
		{"long enough", then(at(11 * sec)), "look, read"},
		{"looked again, not read", then(at(11*sec), looks(half)), "read"},
		{"read again, not looked", then(at(11*sec), reads(alive())), "look"},
		{"what was read and looked at before does not count", then(at(10*sec), reads(alive()), looks(half), at(11*sec)), "look, read"},
		{"confirmed", then(at(11*sec), looks(half), reads(alive())), invalidFile},
		{"confirmed, the Pod is refused, read before: that may pass", then(at(11*sec), looks(half), readRefused), "read"},
		{"confirmed, the Pod is refused, never read: whose is it?", []event{at(sec), looks(half), readRefused, at(50 * sec), looks(half)}, "wait"},
		{"Pod never read, believed after a minute", []event{noDeadline, at(sec), looks(half), readRefused, at(61 * sec), looks(half), readRefused}, invalidFile},
		{"a look finds the same", then(at(8*sec), looks(half), at(11*sec)), "look, read"},
		{"a look finds it changed", then(at(8*sec), looks(more), at(11*sec)), "wait"},
		{"changed, and long enough since", then(at(8*sec), looks(more), at(18*sec)), "look, read"},
		{"changed back counts as changed", then(at(5*sec), looks(more), at(6*sec), looks(half), at(15*sec)), "wait"},
		{"of the same version but another kind", then(at(8*sec), looks(look{kind: fileNotYet, version: half.version, err: empty.err}), at(9*sec), looks(half), at(18*sec)), "wait"},
		{"the last look finds it changed", then(at(11*sec), looks(more), reads(alive())), "wait"},
		{"the last look finds it gone", then(at(11*sec), looks(absent), reads(alive())), "wait"},
		{"the last look finds it empty", then(at(11*sec), looks(empty), reads(alive())), "wait"},
		{"the last look finds a result", then(at(11*sec), looks(success)), own},
		{"the last reading finds an OOM kill", then(at(11*sec), looks(half), reads(oomKilled(137))), "look"},
		{"the last reading finds a node lost", then(at(11*sec), looks(half), reads(with(alive(), failed)), looks(half)), nodeLost},
		{"a writer is known", then(writes, at(50*sec)), "wait"},
		{"a writer becomes known at the last look", then(at(11*sec), looks(half), writes, reads(alive())), "wait"},
		{"its writer has closed it long after", then(writes, at(50*sec), closes), "look, read"},
		{"its writer has closed it, confirmed", then(writes, at(50*sec), closes, looks(half), reads(alive())), invalidFile},
		{"empty is not invalid", []event{at(sec), looks(empty), reads(alive()), at(59 * sec), looks(empty)}, "wait"},
		{"unreadable is not invalid", []event{at(sec), looks(locked), reads(alive()), at(59 * sec), looks(locked)}, "wait"},
		{"no file is not invalid", []event{at(sec), looks(absent), reads(alive()), at(59 * sec), looks(absent)}, "wait"},
		{"a longer poll interval", []event{settling(30 * sec), at(sec), looks(half), tells(alive()), at(30 * sec)}, "wait"},
		{"a longer poll interval has passed", []event{settling(30 * sec), at(sec), looks(half), tells(alive()), at(31 * sec)}, "look, read"},
		{"the Pod cannot be read", then(at(11*sec), looks(half), readFails), "read"},
		{"the Pod cannot be read for long", then(noDeadline, at(11*sec), looks(half), readFails, at(71*sec-1)), "read"},
		{"the Pod cannot be read for a minute", then(noDeadline, at(11*sec), looks(half), readFails, at(71*sec)), invalidFile + ", read"},
		{"no answer for a minute", then(noDeadline, at(11*sec), looks(half), at(71*sec)), invalidFile + ", read"},
		{"the Pod is refused for a minute", then(noDeadline, at(11*sec), looks(half), readRefused, at(71*sec)), invalidFile + ", read"},
		{"while a stop runs", then(tells(with(alive(), deleting)), at(11*sec), looks(half), reads(with(alive(), deleting))), invalidFile + " [kill at 31s]"},
	})
}

func TestRule4Deadline(t *testing.T) {
	pulling := with(alive(), waitsFor("ImagePullBackOff: no such image"))
	confirmed := func(l look, f facts) []event {
		return []event{at(sec), looks(absent), reads(alive()), at(60 * sec), looks(l), reads(f)}
	}
	checkRows(t, []row{
		{"just before", []event{at(sec), looks(absent), reads(alive()), at(60*sec - 1)}, "wait"},
		{"at once", []event{at(sec), looks(absent), reads(alive()), at(60 * sec)}, "look, read"},
		{"nothing was ever seen", []event{at(60 * sec)}, "look, read"},
		{"looked, not read", []event{at(60 * sec), looks(absent)}, "read"},
		{"read, not looked", []event{at(60 * sec), reads(alive())}, "look"},
		{"what was seen just before does not count", []event{at(60*sec - 1), looks(absent), reads(alive()), at(60 * sec)}, "look, read"},
		{"no file", confirmed(absent, alive()), timeout},
		{"no file, container waiting", confirmed(absent, pulling), timeout + " (container is waiting: ImagePullBackOff: no such image)"},
		{"no file, Pod refused", []event{at(60 * sec), looks(absent), readRefused}, timeout},
		{"no file, Pod without status", confirmed(absent, facts{}), timeout},
		{"half a file", confirmed(half, alive()), invalidFile},
		{"half a file, being written", append(confirmed(half, alive()), writes), invalidFile},
		{"half a file that has just changed", []event{at(59 * sec), looks(half), at(60 * sec), looks(more), reads(alive())}, invalidFile},
		{"empty file", confirmed(empty, alive()), "False InvalidResultFormat: Failed to parse adapter result: empty"},
		{"unreadable file", confirmed(locked, alive()), "False InvalidResultFormat: Failed to parse adapter result: not readable: permission denied"},
		{"crash loop", confirmed(absent, crashed(1)), exit1},
		{"OOM loop", confirmed(absent, with(crashed(137), func(f *facts) { f.crashed.Reason = reasonOOM })), oom},
		{"crash loop, the half a file that the crash left", confirmed(half, crashed(1)), exit1},
		{"crash loop, half a file since", append(confirmed(absent, crashed(1)), looks(half)), invalidFile},
		{"a crash, and running for a minute since", confirmed(absent, with(crashed(1), startedAt(0))), timeout + "; an earlier run of the adapter exited with code 1: Error"},
		{"a crash, and running for less than a minute", confirmed(absent, with(crashed(1), startedAt(sec))), exit1},
		{"crash loop, container waiting", confirmed(absent, with(crashed(1), waitsFor("CrashLoopBackOff"))), exit1},
		{"the last crash was somebody else's doing", confirmed(absent, with(crashed(143), disrupted)),
			stopped + "PreemptionByScheduler: preempted; adapter container exited with code 143"},
		{"the last crash is the kubelet's guess", confirmed(absent, with(crashed(137), func(f *facts) { f.crashed.Reason = reasonLost })),
			stopped + "adapter container exited with code 137"},
		{"the last look finds a result", []event{at(sec), tells(alive()), at(60 * sec), looks(success)}, own},
		{"the last reading finds the end", confirmed(absent, exited(0)), "look"},
		{"the last reading finds the end, looked since", append(confirmed(absent, exited(0)), looks(absent)), missing},
		{"the Pod cannot be read", []event{at(60 * sec), looks(absent), readFails}, "read"},
		{"the Pod cannot be read for long", []event{at(60 * sec), looks(absent), readFails, at(120*sec - 1)}, "read"},
		{"the Pod cannot be read for a minute", []event{at(60 * sec), looks(absent), readFails, at(120 * sec)}, timeout + ", read"},
		{"the Pod can be read again", []event{at(60 * sec), looks(absent), readFails, at(100 * sec), reads(alive())}, timeout},
		{"the Pod can be read again after long", []event{at(60 * sec), looks(absent), readFails, at(5 * time.Minute), reads(alive())}, timeout},
		{"noticed late", []event{at(sec), looks(absent), reads(alive()), at(10 * time.Minute)}, "look, read"},
		{"before rule 5", []event{at(50 * sec), sigterm, looks(absent), reads(alive()), at(60 * sec), looks(absent), reads(alive())}, timeout + " [kill at 1m20s]"},
		{"before rule 5, half a file", []event{at(50 * sec), sigterm, looks(absent), reads(alive()), at(60 * sec), looks(half), reads(alive())}, invalidFile + " [kill at 1m20s]"},
		{"before rule 5, empty file: no time to write it", []event{at(50 * sec), sigterm, looks(absent), reads(alive()), at(60 * sec), looks(empty), reads(alive())}, timeout + " [kill at 1m20s]"},
		{"not before rule 3", []event{at(40 * sec), tells(alive()), looks(half), at(50 * sec), looks(half), reads(alive()), at(60 * sec)}, invalidFile},
		{"not before rule 3, unconfirmed", []event{at(55 * sec), looks(half), reads(alive()), at(65 * sec), looks(half)}, "read"},
		{"the interim report while unconfirmed", []event{at(50 * sec), sigterm, looks(absent), reads(alive()), at(60 * sec)},
			"interim " + stopped + "the reporter received SIGTERM" + maybeMore + " [kill at 1m20s], look, read"},
		{"unconfirmed until the stop's end", []event{at(50 * sec), sigterm, looks(absent), reads(alive()), at(75 * sec), looks(absent), readFails},
			stopped + "the reporter received SIGTERM [kill at 1m20s], read"},
	})
}

func TestWake(t *testing.T) {
	before := with(alive(), sidecar, func(f *facts) { f.reporterStarted = start.Add(-time.Hour) }) // a status from before a restart
	tests := []struct {
		name  string
		story []event
		want  time.Duration // after the start; 0: never
	}{
		{"the deadline", []event{tells(alive()), looks(absent), at(sec)}, 60 * sec},
		{"enough of waiting for the Pod", []event{tells(alive()), at(55 * sec), looks(absent), at(60 * sec)}, 120 * sec},
		{"nothing after it", []event{tells(alive()), looks(absent), jobAnswers, at(60 * sec), at(120 * sec), jobAnswers, at(24 * time.Hour)}, 0},
		{"a candidate settles", []event{tells(alive()), at(sec), looks(half)}, 11 * sec},
		{"not while a writer is known", []event{tells(alive()), at(sec), looks(half), writes}, 60 * sec},
		{"not an empty one", []event{tells(alive()), at(sec), looks(empty)}, 60 * sec},
		{"not one of an earlier run", []event{tells(alive()), at(sec), looks(half), tells(crashed(1))}, 60 * sec},
		{"a candidate settles after the deadline", []event{tells(alive()), at(55 * sec), looks(half)}, 60 * sec},
		{"it has settled", []event{tells(alive()), at(sec), looks(half), at(11 * sec)}, 60 * sec},
		{"a file is believed", []event{noDeadline, looks(success), readFails, at(59 * sec)}, 60 * sec},
		{"a file is believed of which a native sidecar does not know whether it is reported", []event{noDeadline, at(sec), tells(before), looks(success), jobAnswers, at(52 * sec), reads(before)}, 61 * sec},
		{"the Job is read once more", []event{noDeadline, tells(alive()), looks(absent), at(sec), jobRefused}, 61 * sec},
		{"the Job is refused for a minute", []event{tells(alive()), looks(absent), jobRefused, at(60 * sec), jobRefused, at(120 * sec)}, 0},
		{"the interim report", []event{tells(alive()), at(sec), sigterm}, 1500 * ms},
		{"the interim report of a native sidecar, for which Job and Pod are read before", []event{tells(with(alive(), sidecar)), at(sec), sigterm, at(sec + 101*ms)}, 1500 * ms},
		{"a stop ends", []event{tells(with(alive(), deleting)), looks(absent), reads(with(alive(), deleting)), at(5 * sec)}, 25 * sec},
		{"a stop ends, the Pod's grace period", []event{tells(with(alive(), deleting, graced(10*sec))), at(4 * sec)}, 5 * sec},
		{"a stop ends, slow answers", []event{tells(with(alive(), deleting)), slow(3 * sec), at(5 * sec)}, 17800 * ms},
		{"the earliest of all", []event{tells(with(alive(), deleting)), at(2 * sec), looks(half)}, 12 * sec},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := happened(test.story...)
			var want time.Time
			if test.want != 0 {
				want = start.Add(test.want)
			}
			if got := s.wake(); !got.Equal(want) {
				t.Errorf("woken at %v, want %v", got, want)
			}
		})
	}
}

func settling(d time.Duration) event { return func(s *state) { s.settle = d } }

func noDeadline(s *state) { s.deadline = start.Add(24 * time.Hour) }
