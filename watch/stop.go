package watch

import "time"

const (
	// writeMargin is kept for the write at the end of the grace period, but
	// never more than half of it.
	writeMargin = 5 * time.Second
	// lateLeft is what the kubelet still gives a container whose grace period
	// is used up.
	lateLeft = 2 * time.Second
)

// stop is the end of the run from outside. Three things bring it about, in any
// order: SIGTERM, a deletionTimestamp on the Pod, and the Pod's disappearance.
// Regular containers get SIGTERM when the Pod is deleted; a native sidecar only
// when its adapter has ended, which may be when the grace period is used up.
type stop struct {
	sigterm, deletion, gone time.Time // when first seen; zero: not yet
}

// seen notes a trigger; only its first time counts.
func seen(trigger *time.Time, now time.Time) bool {
	if !trigger.IsZero() {
		return false
	}
	*trigger = now
	return true
}

func (s *stop) begun() bool { return !s.began().IsZero() }

// began is when the grace period started to run.
func (s *stop) began() time.Time { return soonest(time.Time{}, s.sigterm, s.deletion, s.gone) }

// late is when the stop became one without time to observe; zero: it is not.
func (s *stop) late(sidecar bool) time.Time {
	switch {
	case !s.gone.IsZero():
		return s.gone
	case sidecar && !s.sigterm.IsZero() && !s.deletion.IsZero():
		return later(s.sigterm, s.deletion)
	}
	return time.Time{}
}

// killAt is when the process must expect SIGKILL.
func (s *stop) killAt(grace time.Duration, sidecar bool) time.Time {
	kill := s.began().Add(grace)
	if !s.gone.IsZero() {
		return s.gone.Add(lateLeft)
	}
	if at := s.late(sidecar); !at.IsZero() {
		kill = later(kill, at.Add(lateLeft)) // the kubelet gives it the rest, and at least this
	}
	return kill
}

// speakAt is when observing ends and what is known must be told.
func (s *stop) speakAt(grace time.Duration, sidecar bool) time.Time {
	if at := s.late(sidecar); !at.IsZero() {
		return at
	}
	return s.began().Add(grace - min(writeMargin, grace/2))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
