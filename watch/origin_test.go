package watch

import (
	"errors"
	"testing"
	"time"
)

// The adapter's containers of these stories may have been started before. The
// present run started at 20 s, the reporter when the table does.
func restartable(f *facts) { f.mayRestart = true }
func known(f *facts)       { f.reporterStarted = start }

// stale is what a status from before a restart of the reporter in place tells.
func stale(f facts) facts {
	return with(f, restartable, func(f *facts) { f.reporterStarted = start.Add(-1500 * ms) })
}

func restartsOf(n int32) func(*facts) {
	return func(f *facts) { f.restarts = n }
}

// again is the second run of an adapter that runs since 20 s.
func again(changes ...func(*facts)) facts {
	return with(with(alive(), restartable, restartsOf(1), known, startedAt(20*sec)), changes...)
}

// changedAt is a file that was changed then.
func changedAt(l look, d time.Duration) look {
	l.changed = start.Add(d)
	return l
}

// TestWhoseResult: a result belongs to the run of the adapter that wrote it.
func TestWhoseResult(t *testing.T) {
	const wait, reads1, broken = "wait", "read", "own False Broken: No quota"
	old := changedAt(success, 0)
	first := func(f facts, l look) []event { return []event{at(30 * sec), tells(f), looks(l)} }
	on := func(v volume, f facts, l look) []event { return after([]event{keptIn(v)}, first(f, l)...) }
	checkRows(t, []row{
		// Nothing can be left over: no check, no wait.
		{"emptyDir, Never", first(alive(), old), own},
		{"emptyDir, Never, restarted in place by hand of the runtime", first(with(alive(), restartsOf(1), startedAt(20*sec)), old), own},
		{"no volume", on(volumeNone, with(alive(), restartable), old), own},
		{"emptyDir, first run, the reporter known", first(with(alive(), restartable, known), old), own},
		{"the reporter's container is not known", on(volumeUnknown, with(alive(), restartable), old), own},
		{"the adapter is not known", after([]event{noAdapter}, on(volumeOther, alive(), old)...), own},

		// By the clock.
		{"emptyDir, second run, of the first", first(again(), old), wait},
		{"emptyDir, second run, of the second", first(again(), changedAt(success, 21*sec)), own},
		{"hostPath, first run, of another Pod", on(volumeHostPath, again(restartsOf(0)), old), wait},
		{"hostPath, just before the start", on(volumeHostPath, again(), changedAt(success, 20*sec-100*ms-1)), wait},
		{"hostPath, in doubt from there", on(volumeHostPath, again(), changedAt(success, 20*sec-100*ms)), wait},
		{"hostPath, in doubt until a second after", on(volumeHostPath, again(), changedAt(success, 21*sec-1)), wait},
		{"hostPath, a second after", on(volumeHostPath, again(), changedAt(success, 21*sec)), own},
		{"another volume, a minute before", on(volumeOther, again(), changedAt(success, -40*sec-1)), wait},
		{"another volume, in doubt from there", on(volumeOther, again(), changedAt(success, -40*sec)), wait},
		{"another volume, a minute after", on(volumeOther, again(), changedAt(success, 81*sec)), own},
		{"another volume, in doubt until then", on(volumeOther, again(), changedAt(success, 81*sec-1)), wait},
		{"no change time is known", on(volumeOther, again(), success), own},
		{"left over and invalid: never believed", append(first(again(), changedAt(half, 0)), at(50*sec), looks(changedAt(half, 0))), wait},

		// In doubt it counts when the run has ended, however.
		{"in doubt, the adapter ended well", after(first(again(), changedAt(success, 20500*ms)), tells(with(exited(0), restartable, restartsOf(1), known, startedAt(20*sec))), looks(changedAt(success, 20500*ms))), own},
		{"in doubt, the adapter crashed", after(first(again(), changedAt(success, 20500*ms)), tells(again(waitsFor("CrashLoopBackOff")))), own},
		{"in doubt, the adapter crashed and runs again at once", after(first(again(), changedAt(success, 20500*ms)), at(31*sec), tells(again(restartsOf(2), startedAt(31*sec)))), own},
		{"in doubt, the adapter crashed, runs again and has written another", after(first(again(), changedAt(success, 20500*ms)), at(31*sec), tells(again(restartsOf(2), startedAt(31*sec))), looks(changedAt(failure, 32*sec))), own},
		{"in doubt and invalid, the adapter crashed and runs again at once", after(first(again(), changedAt(half, 20500*ms)), at(31*sec), tells(again(restartsOf(2), startedAt(31*sec))), looks(changedAt(success, 35*sec))), own},
		{"in doubt, and it is not known whose status ends", []event{at(30 * sec), tells(with(again(), func(f *facts) { f.reporterStarted = time.Time{} })), looks(changedAt(success, 20500*ms)), at(31 * sec), tells(again(restartsOf(2), startedAt(31*sec)))}, wait},
		{"in doubt, the Pod Failed", after(first(again(), changedAt(success, 20500*ms)), tells(again(failed))), own},
		{"in doubt, the deadline", after(first(again(), changedAt(success, 20500*ms)), at(60*sec)), own},
		{"in doubt, a stop ends", after(first(again(), changedAt(success, 20500*ms)), tells(again(deleting)), at(55*sec), looks(changedAt(success, 20500*ms))), own + " [kill at 1m0s]"},
		{"in doubt, a stop begins", after(first(again(), changedAt(success, 20500*ms)), tells(again(deleting)), confirms(changedAt(success, 20500*ms), again(deleting)), at(54*sec)), wait},
		{"left over, the adapter ended well", after(first(again(), old), tells(with(exited(0), restartable, restartsOf(1), known, startedAt(20*sec))), looks(old)), missing},
		{"left over, at the deadline", after(first(again(), old), at(60*sec), confirms(old, again())), timeout},

		// Seen to happen.
		{"seen to appear", after(first(again(), absent), looks(old)), own},
		{"seen to change", after(first(again(), changedAt(half, 0)), looks(old)), own},
		{"seen to be removed and to come back", after(first(again(), old), looks(absent), looks(old)), own},
		{"unreadable in between: the same", after(first(again(), old), looks(locked), looks(old)), wait},
		{"unreadable in between: another", after(first(again(), changedAt(half, 0)), looks(locked), looks(old)), own},
		{"unreadable, then what was there before", []event{at(30 * sec), tells(again()), looks(locked), looks(old)}, wait},
		{"the same stamp, other content", after(first(again(), changedAt(half, 0)), looks(look{kind: fileValid, version: 9, stamp: half.stamp, changed: start, result: success.result})), own},
		{"the same content, another stamp: touched or written anew", after(first(again(), old), looks(look{kind: fileValid, version: 1, stamp: 9, changed: start, result: success.result})), own},

		// Taken for its run's it stays, delivered or not.
		{"taken, then the adapter starts anew", []event{tells(with(alive(), restartable, known)), looks(old), at(30 * sec), tells(again()), looks(absent)}, own},
		{"taken, then it becomes half a file", []event{tells(with(alive(), restartable, known)), looks(old), at(30 * sec), tells(again()), looks(half)}, own},

		// Whose it is cannot be known yet.
		{"Pod not read", []event{looks(old)}, reads1},
		{"Pod not read, a reading has failed", []event{looks(old), readFails}, wait},
		{"Pod not read for a minute", []event{looks(old), readFails, at(59 * sec), looks(old), at(60*sec - 1)}, wait},
		{"Pod not read for a minute: believed", []event{looks(old), readFails, at(60 * sec)}, own},
		{"a file that appears is of the present run", []event{looks(absent), readFails, looks(old)}, own},
		{"an emptyDir, the status is of the reporter's run before", []event{at(sec), tells(with(alive(), restartable, func(f *facts) { f.reporterStarted = start.Add(-1500 * ms) })), looks(old)}, reads1},
		{"it becomes known", []event{at(sec), tells(with(alive(), restartable)), looks(old), tells(with(alive(), restartable, known))}, own},
		{"never known: believed after a minute", []event{noDeadline, at(sec), tells(with(alive(), restartable)), looks(old), readFails, at(61 * sec)}, own},
		{"in a stop: not before half of it", []event{at(sec), tells(with(alive(), restartable, deleting)), looks(old), readFails, at(13500*ms - 1)}, wait},
		{"in a stop of the kubelet's: believed when the interruption would be told", []event{at(sec), tells(with(alive(), restartable)), looks(old), readFails, at(10 * sec), sigterm, at(10*sec + interimDelay)}, own + " [kill at 40s]"},
		{"in a stop of the kubelet's: not before", []event{at(sec), tells(with(alive(), restartable)), looks(old), readFails, at(10 * sec), sigterm, at(10*sec + interimDelay - ms)}, wait},
		{"in a stop: believed after half of it", []event{at(sec), tells(with(alive(), restartable, deleting)), looks(old), readFails, at(13500 * ms)}, own + " [kill at 31s]"},
		{"in a stop, found late", []event{at(sec), tells(with(alive(), restartable, deleting)), at(5 * sec), looks(old), readFails, at(15500 * ms)}, own + " [kill at 31s]"},

		// It is gone, or hidden, before it is known.
		{"gone, then known: the run's", []event{at(sec), tells(stale(alive())), looks(old), looks(absent), tells(with(alive(), restartable, known))}, own},
		{"gone, and not known yet", []event{at(sec), tells(stale(alive())), looks(old), looks(absent), readFails, at(59 * sec)}, wait},
		{"gone, and never known: not believed", []event{noDeadline, at(sec), tells(stale(alive())), looks(old), looks(absent), readFails, at(62 * sec)}, wait},
		{"gone, then known: left over", []event{at(30 * sec), tells(stale(again())), looks(old), looks(absent), tells(again())}, wait},
		{"changed, then known: the first stands", []event{at(sec), tells(stale(alive())), looks(changedAt(failure, 0)), looks(old), tells(with(alive(), restartable, known))}, broken},
		{"changed, and not known yet: the first may stand", []event{at(sec), tells(stale(alive())), looks(changedAt(failure, 0)), looks(old)}, reads1},
		{"left over and changed, and gone, of a native sidecar", []event{at(30 * sec), tells(stale(again(sidecar))), looks(old), looks(changedAt(failure, 31*sec)), looks(absent), tells(again(sidecar))}, broken},
		{"changed and gone, and not known yet", []event{at(sec), tells(stale(alive())), looks(changedAt(failure, 0)), looks(old), looks(absent), readFails}, wait},
		{"changed twice and gone, of a native sidecar: the first stands", []event{at(sec), tells(stale(with(alive(), sidecar))), looks(absent), looks(changedAt(failure, 0)), looks(old), looks(absent), tells(with(alive(), sidecar, known))}, broken},
		{"hidden, then known", []event{at(sec), tells(stale(alive())), looks(old), looks(lookFails), tells(with(alive(), restartable, known))}, own},
		{"in doubt and hidden", after(first(again(), changedAt(success, 20500*ms)), looks(lookFails)), wait},
		{"in doubt and hidden, the adapter ended", after(first(again(), changedAt(success, 20500*ms)), looks(lookFails), tells(with(exited(0), restartable, restartsOf(1), known, startedAt(20*sec)))), own},
		{"in doubt and gone, the adapter ended", after(first(again(), changedAt(success, 20500*ms)), looks(absent), tells(with(exited(0), restartable, restartsOf(1), known, startedAt(20*sec))), looks(absent)), missing},
		{"in doubt, gone and hidden, the adapter ended", after(first(again(), changedAt(success, 20500*ms)), looks(absent), looks(lookFails), tells(with(exited(0), restartable, restartsOf(1), known, startedAt(20*sec))), looks(lookFails)), wait},

		// The start is not known.
		{"start not known, restarted", []event{at(30 * sec), tells(with(alive(), restartable, restartsOf(1), known)), looks(old)}, reads1},
		{"start not known, restarted: believed after a minute", []event{noDeadline, at(30 * sec), tells(with(alive(), restartable, restartsOf(1), known)), looks(old), readFails, at(90 * sec)}, own},
		{"not started yet, another volume", on(volumeOther, with(alive(), known, waitsFor("ContainerCreating")), old), wait},
		{"start not known, ended", []event{at(30 * sec), tells(with(exited(0), restartable, restartsOf(1), known)), looks(old)}, own},
		{"between two runs, invalid", []event{at(30 * sec), tells(again(waitsFor("CrashLoopBackOff"))), looks(changedAt(half, 25*sec)), at(50 * sec), looks(changedAt(half, 25*sec))}, wait},
		{"between two runs, a result of the last one", []event{at(30 * sec), tells(again(waitsFor("CrashLoopBackOff"))), looks(changedAt(success, 25*sec))}, own},
	})
}

// TestLeftOver: what a run leaves behind and was not valid is never the next one's.
func TestLeftOver(t *testing.T) {
	const wait = "wait"
	first := with(alive(), restartable, known, startedAt(0))
	before := []event{tells(first), at(2 * sec), looks(changedAt(half, 2*sec)), at(5 * sec)}
	crash := tells(again(startedAt(5*sec), func(f *facts) { f.crashed = terminated(137, "OOMKilled").Terminated }))
	strayed := look{kind: fileInvalid, version: 7, err: errors.New("a symbolic link that leaves its directory")}
	gone := tells(with(first, waitsFor("CrashLoopBackOff"), func(f *facts) { f.crashed = terminated(1, "Error").Terminated }))
	then := func(story ...event) []event { return after(before, story...) }
	checkRows(t, []row{
		{"still of the run", then(at(12*sec), confirms(changedAt(half, 2*sec), first)), invalidFile},
		{"left over", then(crash, at(30*sec), confirms(changedAt(half, 2*sec), again())), wait},
		{"left over, waiting to be started", then(gone, at(30*sec), looks(changedAt(half, 2*sec))), wait},
		{"left over, changed since", then(crash, at(10*sec), looks(changedAt(more, 10*sec)), at(20*sec), confirms(changedAt(more, 10*sec), again())), invalidFile},
		{"left over, then a result", then(crash, at(10*sec), looks(changedAt(success, 10*sec))), own},
		{"left over, removed, then another", then(crash, at(10*sec), looks(absent), looks(changedAt(more, 10*sec)), at(20*sec), confirms(changedAt(more, 10*sec), again())), invalidFile},
		{"of the new run, whose start is told late", then(at(6*sec), looks(changedAt(more, 6*sec)), at(7*sec), crash, at(16*sec), confirms(changedAt(more, 6*sec), again())), invalidFile},
		{"of the new run by another clock: left over", after([]event{keptIn(volumeOther)}, then(at(6*sec), looks(changedAt(more, 6*sec)), at(7*sec), crash, at(16*sec), confirms(changedAt(more, 6*sec), again()))...), wait},
		{"of the new run or not: in doubt is left over", then(looks(changedAt(more, 5900*ms)), at(7*sec), crash, at(17*sec), confirms(changedAt(more, 5900*ms), again())), wait},
		{"of the new run or not: in doubt it counts at the end", then(looks(changedAt(more, 5900*ms)), at(7*sec), crash, at(17*sec), tells(with(exited(0), restartable, restartsOf(1), known, startedAt(5*sec))), looks(changedAt(more, 5900*ms))), invalidFile},
		{"in doubt, and another run is seen", then(looks(changedAt(more, 5900*ms)), at(7*sec), crash, at(17*sec), tells(again(restartsOf(2), startedAt(16*sec))), at(30*sec), tells(with(exited(0), restartable, restartsOf(2), known, startedAt(16*sec))), looks(changedAt(more, 5900*ms))), missing},
		{"from just before the new run: left over", then(looks(changedAt(more, 4899*ms)), at(7*sec), crash, at(17*sec), tells(with(exited(0), restartable, restartsOf(1), known, startedAt(5*sec))), looks(changedAt(more, 4899*ms))), missing},
		{"as it started, for all that is known: in doubt", then(looks(changedAt(more, 4900*ms)), at(7*sec), crash, at(17*sec), tells(with(exited(0), restartable, restartsOf(1), known, startedAt(5*sec))), looks(changedAt(more, 4900*ms))), invalidFile},
		{"empty is left over too", []event{tells(first), at(2 * sec), looks(changedAt(empty, 2*sec)), crash, at(60 * sec), confirms(changedAt(empty, 2*sec), again(startedAt(5*sec)))}, timeout},
		{"told by the count alone", then(tells(again(startedAt(5*sec))), at(30*sec), confirms(changedAt(half, 2*sec), again())), wait},
		{"a link that leads nowhere, then a result", []event{tells(first), looks(strayed), at(5 * sec), crash, at(10 * sec), looks(changedAt(success, 10*sec))}, own},
		{"a link that leads nowhere, and stays", []event{tells(first), looks(strayed), at(5 * sec), crash, at(30 * sec), looks(strayed)}, wait},
		{"nothing was found out before, then a result of the next run", []event{tells(first), looks(locked), at(5 * sec), crash, at(10 * sec), looks(changedAt(success, 10*sec))}, own},
		{"nothing was found out before, then half a file of the first", []event{tells(first), looks(locked), at(5 * sec), crash, at(30 * sec), looks(changedAt(half, 2*sec)), at(50 * sec), looks(changedAt(half, 2*sec))}, wait},
		{"half a file, nothing found out, then the same", then(looks(locked), crash, at(10*sec), looks(changedAt(half, 2*sec)), at(30*sec)), wait},
		{"by another clock: half a file, nothing found out, then the same", after([]event{keptIn(volumeOther)}, then(looks(locked), crash, at(10*sec), looks(changedAt(half, 2*sec)), tells(with(again(startedAt(5*sec)), waitsFor("CrashLoopBackOff"))))...), wait},
		{"no next run: it counts", then(tells(with(exited(0), restartable, known, startedAt(0))), looks(changedAt(half, 2*sec))), invalidFile},
		{"the start is not told: left over", then(tells(with(again(), func(f *facts) { f.started = time.Time{} })), noDeadline, at(70*sec), confirms(changedAt(half, 2*sec), with(again(), func(f *facts) { f.started = time.Time{} }))), wait},
	})
}

// keptIn is the kind of volume that the result file lies in.
func keptIn(v volume) event { return func(s *state) { s.pod.volume = v } }

func noAdapter(s *state) { s.pod.roles.adapter = nil }
