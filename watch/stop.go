package watch

import "time"

const (
	// writeMargin is kept at the end of the grace period for the write, or what
	// answersInMargin of the slowest recent answers take before exitMargin, but never
	// more than two thirds of it: Job, Pod, and two tries of the PATCH.
	writeMargin     = 5 * time.Second
	answersInMargin = 4
	// minimumGracePeriod is what the kubelet still gives a container whose grace
	// period is used up.
	minimumGracePeriod = 2 * time.Second
	// interimDelay is how long a stop of the kubelet's own is kept quiet: SIGKILL
	// comes a second or two after SIGTERM, and an adapter's TERM trap may write until
	// then.
	interimDelay = 500 * time.Millisecond
	// interimDelayLong is for what has yet to be told from a stop: the adapter's end,
	// which reaches the Pod's status up to a second after it, and a restart in place.
	interimDelayLong = time.Second
)

// stop is the end of the run from outside. Three things bring it about, in any
// order: SIGTERM, a deletionTimestamp on the Pod, and the Pod's disappearance.
// Regular containers get SIGTERM when the Pod is deleted; a native sidecar only
// when its adapter has ended, which may be when the grace period is used up.
type stop struct {
	sigterm, deletion, deleted time.Time // when first seen; zero: not yet
}

// seen notes a trigger, and reports whether it is new: only its first time counts.
func seen(trigger *time.Time, now time.Time) bool {
	if !trigger.IsZero() {
		return false
	}
	*trigger = now
	return true
}

func (s *stop) begun() bool { return !s.began().IsZero() }

// began is when the grace period started to run.
func (s *stop) began() time.Time {
	return soonest(time.Time{}, s.sigterm, s.deletion, s.deleted)
}

// latest is when it was last seen to come nearer.
func (s *stop) latest() time.Time { return later(s.sigterm, later(s.deletion, s.deleted)) }

// kubelets reports whether it is, for all that is known, a stop of the kubelet's
// own: an eviction or a node's shutdown, of which the API shows nothing before all
// containers have ended.
func (s *stop) kubelets() bool {
	return !s.sigterm.IsZero() && s.deletion.IsZero() && s.deleted.IsZero()
}

// late is when the stop became one without time to observe; zero: it is not.
func (s *stop) late(sidecar bool) time.Time {
	switch {
	case !s.deleted.IsZero():
		return s.deleted
	case sidecar && !s.sigterm.IsZero() && !s.deletion.IsZero():
		return later(s.sigterm, s.deletion)
	}
	return time.Time{}
}

// killAt is when the process must expect SIGKILL.
func (s *stop) killAt(grace time.Duration, sidecar bool) time.Time {
	kill := s.began().Add(grace)
	if !s.deleted.IsZero() {
		return s.deleted.Add(minimumGracePeriod)
	}
	if at := s.late(sidecar); !at.IsZero() {
		kill = later(kill, at.Add(minimumGracePeriod)) // the kubelet gives it the rest, and at least this
	}
	return kill
}

// reportAt is when observing ends and what is known must be told.
func (s *stop) reportAt(grace time.Duration, sidecar bool, slowest time.Duration) time.Time {
	if at := s.late(sidecar); !at.IsZero() {
		return at
	}
	margin := min(max(writeMargin, answersInMargin*slowest+exitMargin), grace/3*2)
	return s.began().Add(grace - margin)
}

func (s *state) killAt() time.Time {
	kill := s.stop.killAt(s.pod.grace, s.pod.sidecar)
	if s.reportDue != 0 && !kill.After(s.reportDueSince) {
		return s.reportDueSince.Add(minimumGracePeriod) // the time was up before anybody looked, and yet it lives
	}
	return kill
}

// patience is how long a look may take: a filesystem that does not answer must
// not cost the report as well.
func (s *state) patience(now time.Time) time.Duration {
	if !s.stop.begun() {
		return lookPatience
	}
	most := s.killAt().Sub(now) / 3
	if interim := s.interimAt().Sub(now) / 2; interim > 0 && s.stop.kubelets() {
		most = min(most, interim)
	}
	return min(lookPatience, max(100*time.Millisecond, most))
}

func (s *state) reportAt() time.Time {
	return s.stop.reportAt(s.pod.grace, s.pod.sidecar, s.slowest)
}

// interimAt is when a stop, which must have begun, is told though it may come to more;
// zero: it is not. In one of the kubelet's own nobody knows how much time there is; in
// others a longer grace period than the usual one is for adapters that need it, not for
// those who wait.
func (s *state) interimAt() time.Time {
	switch {
	case !s.stop.kubelets():
		if at := s.stop.began().Add(defaultGrace - writeMargin); at.Before(s.reportAt()) {
			return at
		}
		return time.Time{}
	case s.pod.sidecar, s.pod.restartsAll:
		return s.stop.sigterm.Add(interimDelayLong)
	}
	return s.stop.sigterm.Add(interimDelay)
}

// prereadAt is when Job and Pod are read for an interim report on a stop of the
// kubelet's own; zero: there is none.
func (s *state) prereadAt() time.Time {
	if !s.stop.kubelets() {
		return time.Time{}
	}
	return s.interimAt().Add(-interimDelay)
}
