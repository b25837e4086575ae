package watch

import "time"

// fileState is what is known of the result file, and whose it is. Looks are
// taken in one after the other; once a valid one is taken for the present run's, none
// changes anything any more. It is a part of state: no effects, no lock.
type fileState struct {
	look              // the last one
	read    seq       // when it began
	since   time.Time // the file has been the same since
	found   time.Time // since when there has been one; zero: there is none
	writing bool      // a writer is known to hold it open, or may

	base     look // the last look that tells one file from another
	based    bool // there has been one
	fresh    bool // the file was seen to appear or change: the present run has written it
	leftOver bool // it was not valid when a run was seen to end, and has not changed since
	taken    bool // a valid one, for the present run's: it stays, whatever becomes of the file
	// passed are valid ones of earlier looks, while it is not known whose: the one that
	// was there at first, and the first that was seen to appear.
	passed, passedFresh look
}

// saw takes in a look that began at a seq, and the time at which it came back. Of two
// results of one run the first stands.
func (f *fileState) saw(l look, began seq, at time.Time) {
	first := f.read == 0
	f.read = max(f.read, began)
	if f.taken {
		return
	}
	if first || l.kind != f.kind || l.version != f.version {
		f.since = at
	}
	f.pass()
	f.look = l
	if l.kind != fileAbsent && f.found.IsZero() {
		f.found = at
	}
	if l.blind() {
		return // it cannot be told from another
	}
	if f.based && l.kind != fileAbsent && !f.base.sameFile(l) {
		f.fresh, f.leftOver = true, false
	}
	f.base, f.based = l, true
}

// pass keeps a valid file that the next look may not find any more.
func (f *fileState) pass() {
	kept := &f.passed
	if f.fresh {
		kept = &f.passedFresh
	}
	if kept.kind != fileValid && f.kind == fileValid {
		*kept = f.look
	}
}

// sameFile reports whether two looks found the same file, unchanged. Within a tick
// of the filesystem's clock content alone tells.
func (l look) sameFile(m look) bool {
	read := func(l look) bool { return l.kind == fileValid || l.kind == fileInvalid }
	return l.kind != fileAbsent && l.stamp == m.stamp && (!read(l) || !read(m) || l.version == m.version)
}

// runEnded takes in that a run of the adapter was seen to end, and was not the last.
func (f *fileState) runEnded(now facts, local bool) {
	if f.kind == fileAbsent || f.kind == fileValid || f.blind() && !f.based {
		return
	}
	switch begun := now.running || now.ended != nil; {
	case !begun, !local, now.started.IsZero(), f.changed.Before(now.started.Add(-startSkew)):
		f.leftOver = true
	case f.changed.Before(now.startedBy()): // in doubt
		f.fresh = false
	}
}

// origin says whose file it is.
type origin int

const (
	originPresent  origin = iota // the adapter's present run has written it
	originBelieved               // no reading has told in time: it counts until one does
	originUnknown                // a reading of the Pod will tell
	originDoubt                  // it counts when the run has ended
	originEarlier                // left over: no file
)

const (
	// knowPatience is how long a file waits to be told from one that is left over.
	knowPatience = time.Minute
	// remoteSkew is how far the clock of a volume's server may be off.
	remoteSkew = time.Minute
	// startSkew is how late the kubelet may note that a container has started.
	startSkew = 100 * time.Millisecond
)

// startedBy is when the present run had started for certain: the kubelet cuts to
// whole seconds.
func (f *facts) startedBy() time.Time { return f.started.Add(time.Second) }

// local reports whether the file's times are of this node's clock.
func (p *podState) local() bool { return p.volume != volumeOther }

// origin goes by what was seen to happen, else by the file's change time, which
// `cp -p` and `tar` cannot set, against the start of the adapter's present run.
func (s *state) origin() origin { return s.originOf(&s.file) }

func (s *state) originOf(f *fileState) origin {
	p := &s.pod
	switch {
	case f.kind == fileAbsent, f.taken:
		return originPresent
	case f.leftOver:
		return originEarlier
	case f.fresh, p.last != nil && p.roles.adapter == nil:
		return originPresent
	case p.last == nil || p.mayBeLeftOver() && !p.known:
		if s.now.Before(s.believeAt()) {
			return originUnknown
		}
		return originBelieved
	case !p.mayBeLeftOver(), p.volume == volumeEmptyDir && p.restarts == 0:
		return originPresent
	}
	return s.originByTime(f)
}

// passedOrigin says whose the valid file was that is there no more.
func (s *state) passedOrigin() origin {
	return s.originOf(&fileState{look: s.file.passed, found: s.file.found})
}

// recall takes a valid file for the present run's that was gone before it was known
// to be, or is hidden by a filesystem that fails.
func (s *state) recall() {
	f := &s.file
	if f.taken || s.awaitsPrior() {
		return
	}
	o, hidden := s.passedOrigin(), f.failed() && f.base.sameFile(f.passed)
	switch {
	case f.passed.kind != fileValid, o == originEarlier:
		f.passed = look{}
	case o == originPresent, hidden && s.runOver():
		f.look, f.taken = f.passed, true
	case o == originUnknown:
		return // of two results of one run the first stands
	}
	if !f.taken && f.passedFresh.kind == fileValid {
		f.look, f.taken = f.passedFresh, true
	}
}

// mayBeLeftOver reports whether there can be a file from before the adapter's
// present run: not in an emptyDir while it cannot have been started again.
func (p *podState) mayBeLeftOver() bool {
	switch p.volume {
	case volumeNone, volumeUnknown:
		return false
	case volumeEmptyDir:
		return p.mayRestart
	}
	return true
}

func (s *state) originByTime(f *fileState) origin {
	p := &s.pod
	if !p.running && p.ended == nil && f.kind != fileValid {
		return originEarlier // between two runs
	}
	if p.started.IsZero() {
		switch {
		case p.ended == nil && p.restarts == 0 && !p.running:
			return originEarlier // it has not started yet
		case p.ended != nil, !s.now.Before(s.believeAt()):
			return originPresent
		}
		return originUnknown
	}
	before, by := p.started.Add(-startSkew), p.startedBy()
	if !p.local() {
		before, by = p.started.Add(-remoteSkew), by.Add(remoteSkew)
	}
	switch {
	case f.changed.IsZero(), !f.changed.Before(by):
		return originPresent
	case f.changed.Before(before):
		return originEarlier
	}
	return originDoubt
}

// believeAt is when a file counts although nothing tells whose it is.
func (s *state) believeAt() time.Time {
	at := s.halfway(s.file.found)
	if s.stop.kubelets() {
		at = earlier(at, s.interimAt()) // SIGKILL may come as soon again
	}
	return at
}

// halfway is until when that is waited for which has been wanting since then: a
// minute, or half of what a stop leaves.
func (s *state) halfway(since time.Time) time.Time {
	at := since.Add(knowPatience)
	if s.stop.begun() {
		at = earlier(at, midway(later(since, s.stop.began()), s.reportAt()))
	}
	return at
}

// unseen reports whether the last look has failed, and a better one is waited for: a
// filesystem that does not answer may hold a result.
func (s *state) unseen() bool {
	return s.file.failed() && !s.file.taken && s.now.Before(s.halfway(s.file.since))
}

// mustKnow reports whether a valid file waits for a reading of the Pod that knows
// this very run of the reporter: for whose it is, or for what an earlier run of a
// native sidecar has reported.
func (s *state) mustKnow() bool {
	f := &s.file
	switch {
	case f.taken:
		return false
	case f.passed.kind == fileValid && s.passedOrigin() == originUnknown:
		return true
	case f.kind == fileValid || f.passed.kind == fileValid || f.passedFresh.kind == fileValid:
		return s.awaitsPrior() || f.kind == fileValid && s.origin() == originUnknown
	}
	return false
}

// awaitsPrior reports whether an earlier process may have reported what this one sees,
// and no reading has told.
func (s *state) awaitsPrior() bool {
	p := &s.pod
	started := p.reporterRestarts > 0 || !p.reporterStarted.IsZero() || !p.started.IsZero() || p.restarts > 0
	return p.last != nil && p.sidecar && started && !p.known && s.now.Before(s.believeAt())
}

// kind is that of a file which counts: one that is left over is none.
func (s *state) fileKind() fileKind {
	switch s.origin() {
	case originEarlier:
		return fileAbsent
	case originUnknown, originDoubt:
		if !s.runOver() {
			return fileAbsent
		}
	}
	return s.file.kind
}

// runOver reports whether the adapter's run has ended, or must be taken to have.
func (s *state) runOver() bool {
	p := &s.pod
	killed := s.stop.kubelets() && !s.now.Before(s.interimAt()) // for all that will be known of it
	return killed || p.sawEnd != 0 || p.sawFailed != 0 || s.timedOut != 0 || s.reportDue != 0 || p.last != nil && !p.running && !p.started.IsZero()
}

// candidate reports whether the file is an invalid one that is believed if it stays.
func (s *state) candidate() bool { return s.fileKind() == fileInvalid && !s.file.writing }
