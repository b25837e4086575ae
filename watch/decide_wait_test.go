package watch

import (
	"testing"
	"time"
)

func TestRule3InvalidFileSettles(t *testing.T) {
	seen := []event{at(sec), looks(half), tells(alive())}
	then := func(story ...event) []event { return append(append([]event(nil), seen...), story...) }
	checkRows(t, []row{
		{"a moment ago", seen, "wait"},
		{"just not long enough", then(at(11*sec - 1)), "wait"},
		{"long enough", then(at(11 * sec)), "look, read"},
		{"looked again, not read", then(at(11*sec), looks(half)), "read"},
		{"read again, not looked", then(at(11*sec), reads(alive())), "look"},
		{"what was read and looked at before does not count", then(at(10*sec), reads(alive()), looks(half), at(11*sec)), "look, read"},
		{"confirmed", then(at(11*sec), looks(half), reads(alive())), invalidFile},
		{"confirmed, Pod gone quiet", then(at(11*sec), looks(half), readRefused), invalidFile},
		{"confirmed, Pod never read", []event{at(sec), looks(half), at(11 * sec), looks(half), readRefused}, invalidFile},
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
		{"the last reading finds a node lost", then(at(11*sec), looks(half), reads(with(alive(), failed)), looks(half)), invalidFile},
		{"a writer is known", then(writes, at(50*sec)), "wait"},
		{"a writer becomes known at the last look", then(at(11*sec), looks(half), writes, reads(alive())), "wait"},
		{"its writer has closed it long after", then(writes, at(50*sec), closes), "look, read"},
		{"its writer has closed it, confirmed", then(writes, at(50*sec), closes, looks(half), reads(alive())), invalidFile},
		{"empty is not invalid", []event{at(sec), looks(empty), reads(alive()), at(59 * sec), looks(empty)}, "wait"},
		{"unreadable is not invalid", []event{at(sec), looks(locked), reads(alive()), at(59 * sec), looks(locked)}, "wait"},
		{"no file is not invalid", []event{at(sec), looks(absent), reads(alive()), at(59 * sec), looks(absent)}, "wait"},
		{"a longer poll interval", []event{settling(30 * sec), at(sec), looks(half), at(30 * sec)}, "wait"},
		{"a longer poll interval has passed", []event{settling(30 * sec), at(sec), looks(half), at(31 * sec)}, "look, read"},
		{"the Pod cannot be read", then(at(11*sec), looks(half), readFails), "read"},
		{"the Pod cannot be read for long", then(noDeadline, at(11*sec), looks(half), readFails, at(11*sec+30*time.Minute-1)), "read"},
		{"the Pod cannot be read for half an hour", then(noDeadline, at(11*sec), looks(half), readFails, at(11*sec+30*time.Minute)), invalidFile},
		{"the Pod is refused", then(at(11*sec), looks(half), readFails, at(20*sec), readRefused), invalidFile},
		{"while a stop runs", then(reads(with(alive(), deleting)), at(11*sec), looks(half), reads(with(alive(), deleting))), invalidFile + " [kill at 31s]"},
	})
}

func TestRule4Deadline(t *testing.T) {
	waiting := with(facts{grace: defaultGrace}, func(f *facts) { f.waiting = "ImagePullBackOff: no such image" })
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
		{"no file, container waiting", confirmed(absent, waiting), timeout + " (container is waiting: ImagePullBackOff: no such image)"},
		{"no file, Pod refused", []event{at(60 * sec), looks(absent), readRefused}, timeout},
		{"no file, Pod without status", confirmed(absent, facts{}), timeout},
		{"half a file", confirmed(half, alive()), invalidFile},
		{"half a file, being written", append(confirmed(half, alive()), writes), invalidFile},
		{"half a file that has just changed", []event{at(59 * sec), looks(half), at(60 * sec), looks(more), reads(alive())}, invalidFile},
		{"empty file", confirmed(empty, alive()), "False InvalidResultFormat: Failed to parse adapter result: empty"},
		{"unreadable file", confirmed(locked, alive()), "False InvalidResultFormat: Failed to parse adapter result: not readable: permission denied"},
		{"crash loop", confirmed(absent, crashed(1)), exit1},
		{"OOM loop", confirmed(absent, with(crashed(137), func(f *facts) { f.crashed.Reason = reasonOOM })), oom},
		{"crash loop, half a file", confirmed(half, crashed(1)), invalidFile},
		{"crash loop, container waiting", confirmed(absent, with(crashed(1), func(f *facts) { f.waiting = "CrashLoopBackOff" })), exit1},
		{"the last crash was somebody else's doing", confirmed(absent, with(crashed(143), disrupted)),
			cut + "PreemptionByScheduler: preempted; adapter container exited with code 143"},
		{"the last crash is the kubelet's guess", confirmed(absent, with(crashed(137), func(f *facts) { f.crashed.Reason = reasonLost })),
			cut + "adapter container exited with code 137"},
		{"the last look finds a result", []event{at(60 * sec), looks(success)}, own},
		{"the last reading finds the end", confirmed(absent, exited(0)), "look"},
		{"the last reading finds the end, looked since", append(confirmed(absent, exited(0)), looks(absent)), missing},
		{"the Pod cannot be read", []event{at(60 * sec), looks(absent), readFails}, "read"},
		{"the Pod cannot be read for long", []event{at(60 * sec), looks(absent), readFails, at(31*time.Minute - 1)}, "read"},
		{"the Pod cannot be read for half an hour", []event{at(60 * sec), looks(absent), readFails, at(31 * time.Minute)}, timeout},
		{"the Pod can be read again", []event{at(60 * sec), looks(absent), readFails, at(5 * time.Minute), reads(alive())}, timeout},
		{"noticed late", []event{at(sec), looks(absent), reads(alive()), at(10 * time.Minute)}, "look, read"},
		{"before rule 5", []event{at(50 * sec), sigterm, looks(absent), reads(alive()), at(60 * sec), looks(absent), reads(alive())}, timeout + " [kill at 1m20s]"},
		{"not before rule 3", []event{at(40 * sec), looks(half), at(50 * sec), looks(half), reads(alive()), at(60 * sec)}, invalidFile},
		{"not before rule 3, unconfirmed", []event{at(55 * sec), looks(half), reads(alive()), at(65 * sec), looks(half)}, "read"},
		{"not before rule 5 while unconfirmed", []event{at(50 * sec), sigterm, looks(absent), reads(alive()), at(60 * sec)}, "look, read"},
		{"unconfirmed until the stop's end", []event{at(50 * sec), sigterm, looks(absent), reads(alive()), at(75 * sec), looks(absent), readFails},
			cut + "the reporter received SIGTERM [kill at 1m20s], read"},
	})
}

func TestWake(t *testing.T) {
	tests := []struct {
		name  string
		story []event
		want  time.Duration // after the start; 0: never
	}{
		{"the deadline", []event{at(sec)}, 60 * sec},
		{"nothing after it", []event{at(60 * sec)}, 0},
		{"a candidate settles", []event{at(sec), looks(half)}, 11 * sec},
		{"not while a writer is known", []event{at(sec), looks(half), writes}, 60 * sec},
		{"not an empty one", []event{at(sec), looks(empty)}, 60 * sec},
		{"a candidate settles after the deadline", []event{at(55 * sec), looks(half)}, 60 * sec},
		{"it has settled", []event{at(sec), looks(half), at(11 * sec)}, 60 * sec},
		{"the last reading before a stop ends", []event{at(sec), sigterm}, 25 * sec},
		{"a stop ends", []event{at(sec), sigterm, at(25 * sec)}, 26 * sec},
		{"a stop ends, the Pod's grace period", []event{at(sec), tells(with(alive(), graced(10*sec))), sigterm, at(5 * sec)}, 6 * sec},
		{"a stop has ended", []event{at(sec), sigterm, at(26 * sec)}, 60 * sec},
		{"the earliest of all", []event{at(sec), sigterm, at(2 * sec), looks(half)}, 12 * sec},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newState("", time.Minute, 10*time.Second, start)
			for _, happens := range test.story {
				happens(&s)
			}
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
