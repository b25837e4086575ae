package watch

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

const (
	// minSettle is how long an invalid file must stay as it is before it is
	// believed: adapters write slowly and in pieces.
	minSettle = 10 * time.Second
	// readPatience bounds the wait for a fresh reading of the Pod.
	readPatience = 30 * time.Minute
)

// moment orders what happened: a look or a reading that began at a moment has
// seen all that happened up to it.
type moment int

// state is all that has been seen. It changes only between decisions.
type state struct {
	path     string // of the result file, for messages
	wait     time.Duration
	settle   time.Duration
	deadline time.Time

	now    time.Time
	moment moment

	file      look
	looked    moment    // when the last look began
	fileSince time.Time // the file has been the same since
	writing   bool      // a writer is known to hold it open

	pod       facts
	known     bool   // there is a reading of the Pod
	ended     moment // when the adapter was first seen ended for good, or the Pod failed
	run       string // the last whose end was seen
	innocent  bool   // that end was first seen while somebody else was ending the Pod
	podRead   moment // when the last fresh reading began that was answered or refused
	podFailed moment // when the last fresh reading began that failed for a reason that may pass

	stop stop

	// The moments at which these were first noticed; 0: not yet.
	overdue, settled, stopped, last, due moment
	dueSince                             time.Time
}

func newState(path string, wait, settle time.Duration, now time.Time) state {
	return state{path: path, wait: wait, settle: settle, deadline: now.Add(wait), now: now, pod: facts{grace: defaultGrace}}
}

// step is what to do next. Nothing of it: wait.
type step struct {
	speak *Verdict
	look  bool // at the file, freshly
	read  bool // the Pod, freshly
}

// decide is the decision, and the only one: its rules are those of the
// README's table, in order. It has no effects.
func (s *state) decide() step {
	if s.file.kind == fileValid {
		return s.say(Verdict{Own: true, Outcome: s.file.result.Outcome()})
	}
	switch {
	case s.ended == 0:
	case s.looked < s.ended:
		return step{look: true}
	case s.pod.ended != nil:
		return s.say(s.ending(s.pod.ended))
	default:
		return s.say(s.interrupted())
	}
	var next step
	if s.settled != 0 {
		if next = s.confirm(s.settled, s.fileSince.Add(s.settle)); next == (step{}) {
			return s.say(s.invalid())
		}
	}
	if s.overdue != 0 && s.stop.gone.IsZero() { // else it was not the time that was short
		if next = s.confirm(s.overdue, s.deadline); next == (step{}) {
			return s.say(s.unfinished(Verdict{Outcome: contract.Timeout(s.wait, s.pod.waiting)}))
		}
	}
	if s.stop.begun() {
		stop := s.decideStop()
		stop.look, stop.read = stop.look || next.look, stop.read || next.read
		return stop
	}
	return next
}

// endIsDue tells that the adapter must have ended, though the Pod does not tell
// yet: otherwise a native sidecar gets SIGTERM only when its Pod is deleted.
func (s *state) endIsDue() bool {
	return !s.stop.sigterm.IsZero() && s.stop.deletion.IsZero() && s.pod.sidecar && s.pod.ended == nil
}

// wake is when the clock alone may change the decision; zero: never again.
func (s *state) wake() time.Time {
	times := []time.Time{s.deadline}
	if s.candidate() {
		times = append(times, s.fileSince.Add(s.settle))
	}
	if s.stop.begun() {
		times = append(times, s.lastReadAt(), s.speakAt())
	}
	return soonest(s.now, times...)
}

// soonest is the earliest time that lies ahead; zero: there is none.
func soonest(now time.Time, times ...time.Time) (at time.Time) {
	for _, t := range times {
		if t.After(now) && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	return at
}

// confirm asks for what must be seen after a moment before anything is told
// that rests on the adapter still running: half a file may be what an OOM kill
// left a moment ago. An empty step means that all of it is there.
func (s *state) confirm(since moment, at time.Time) step {
	patient := s.now.Sub(at) < readPatience
	return step{look: s.looked < since, read: s.podRead < since && patient}
}

// decideStop tells nothing before it has to: in its grace period the adapter
// may still write its result.
func (s *state) decideStop() step {
	if s.looked < s.stopped || s.due != 0 && s.looked < s.due {
		return step{look: true, read: s.podRead < s.stopped && s.stop.gone.IsZero()}
	}
	if s.due != 0 {
		return s.say(s.interrupted())
	}
	next := step{read: s.podRead < max(s.stopped, s.last)}
	if s.podFailed >= s.stopped && s.podRead < s.stopped || !s.known && s.podRead >= s.stopped {
		early := s.say(s.interrupted())
		early.speak.Provisional = true
		early.read = next.read
		return early
	}
	return next
}

// note marks what the clock has brought about.
func (s *state) note(now time.Time) {
	s.now = now
	s.mark(&s.overdue, !now.Before(s.deadline))
	s.mark(&s.settled, s.candidate() && now.Sub(s.fileSince) >= s.settle)
	s.mark(&s.stopped, s.stop.begun())
	s.mark(&s.last, s.stop.begun() && !now.Before(s.lastReadAt()))
	if s.due == 0 {
		s.dueSince = now
	}
	s.mark(&s.due, s.stop.begun() && !now.Before(s.speakAt()))
}

// sawPod takes in a reading of the Pod.
func (s *state) sawPod(f facts) {
	if f.deleting {
		seen(&s.stop.deletion, s.now)
	}
	if f.deleting && f.grace == 0 { // by force: as good as gone
		seen(&s.stop.gone, s.now)
	}
	if last := cmp.Or(f.ended, f.crashed); last != nil && runOf(last) != s.run {
		// A regular sidecar gets SIGTERM together with the adapter. Evictions by the
		// kubelet and node shutdowns tell the API only when all is over.
		s.run, s.innocent = runOf(last), f.disrupted() || !f.sidecar && !s.stop.sigterm.IsZero()
	}
	s.mark(&s.ended, f.ended != nil || f.failed)
	s.pod, s.known = f, true
}

// sawFile takes in a look that began at a moment and a time.
// Of two results the first stands, whatever becomes of the file.
func (s *state) sawFile(l look, began moment, at time.Time) {
	s.looked = max(s.looked, began)
	if s.file.kind == fileValid {
		return
	}
	if s.fileSince.IsZero() || l.kind != s.file.kind || l.version != s.file.version {
		s.fileSince = at
	}
	s.file = l
}

func (s *state) mark(m *moment, holds bool) {
	switch {
	case !holds:
		*m = 0
	case *m == 0:
		s.moment++
		*m = s.moment
	}
}

// candidate is an invalid file that would be believed if it stayed.
func (s *state) candidate() bool { return s.file.kind == fileInvalid && !s.writing }

func (s *state) say(v Verdict) step {
	if s.stop.begun() {
		v.KillAt = s.killAt()
	}
	return step{speak: &v}
}

// ending judges an adapter that has ended for good.
func (s *state) ending(e *corev1.ContainerStateTerminated) Verdict {
	switch {
	case e.Reason == reasonOOM:
		return Verdict{Outcome: contract.OOMKilled(e.Message)}
	case e.Reason == reasonLost, s.innocent && (e.ExitCode == 143 || e.ExitCode == 137):
		v := s.cut()
		v.cut.adapter = fmt.Sprintf("adapter container exited with code %d", e.ExitCode)
		return v
	case e.ExitCode != 0:
		return Verdict{Outcome: contract.ExitedWithError(e.ExitCode, e.Reason, e.Message)}
	case s.file.kind == fileAbsent:
		return Verdict{Outcome: contract.MissingResults(s.path)}
	}
	return s.invalid()
}

// unfinished is what there is to tell of an adapter that has not ended for
// good: the file or a crash, else this.
func (s *state) unfinished(v Verdict) Verdict {
	switch {
	case s.file.kind != fileAbsent:
		return s.invalid()
	case s.pod.crashed != nil:
		return s.ending(s.pod.crashed)
	}
	return v
}

func (s *state) interrupted() Verdict { return s.unfinished(s.cut()) }

func (s *state) invalid() Verdict { return Verdict{Outcome: contract.InvalidFormat(s.file.err)} }

// cut is the interruption as far as the Pod tells.
func (s *state) cut() Verdict {
	cut := &interruption{causes: slices.Clone(s.pod.causes)}
	switch {
	case !s.stop.gone.IsZero():
		cut.causes = append(cut.causes, "the Pod is gone")
	case !s.stop.deletion.IsZero():
		cut.causes = append(cut.causes, "the Pod is being deleted")
	}
	if s.pod.failed && s.pod.running {
		cut.adapter = "the node no longer reports on the adapter"
	}
	return Verdict{cut: cut}
}

func (s *state) killAt() time.Time {
	kill := s.stop.killAt(s.pod.grace, s.pod.sidecar)
	if s.due != 0 && !kill.After(s.dueSince) {
		return s.dueSince.Add(lateLeft) // the time was up before anybody looked, and yet it lives
	}
	return kill
}

func (s *state) speakAt() time.Time { return s.stop.speakAt(s.pod.grace, s.pod.sidecar) }

// lastReadAt is shortly before speakAt: the Pod is read once more, since nobody
// may have told of the adapter's end.
func (s *state) lastReadAt() time.Time {
	at := s.speakAt()
	return at.Add(-min(time.Second, max(0, at.Sub(s.stop.began())/2)))
}
