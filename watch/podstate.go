package watch

import (
	"cmp"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openshift-hyperfleet/status-reporter/internal/backoff"
)

// readingPatience bounds the wait for a fresh reading of the Pod: while the server
// is away nothing can be delivered either, and each attempt to reads it first.
const readingPatience = time.Minute

// rereadInterval is the first pause before the Pod is read again for what must
// become readable soon; the pauses double.
const rereadInterval = 100 * time.Millisecond

// podState is what is known of the Pod: the facts of the newest reading, and what only
// their order tells, such as which end of a run was seen first and under what. News
// come by fresh readings, which are believed over all that came before they began, and
// by a watch or a cache, which are believed where they are newer. A Pod that was read
// once is not forgotten, deleted or not. It is a part of state: no effects, no lock.
type podState struct {
	facts
	roles     roles
	volume    volume      // of the result file
	last      *corev1.Pod // as last read; nil: never
	synced    bool        // it has been read, or may not be
	known     bool        // the last reading is of this very run of the reporter
	complaint string      // why the result file alone is followed, where it is
	err       error       // why it has not been read yet; nil once it was, or may not be

	reading bool      // a fresh reading is under way
	askedAt time.Time // when it began
	read    seq       // when the last fresh reading began that was answered, or refused for good
	missed  seq       // when the last one failed for a reason that may pass
	taken   seq       // when the last news was taken in
	retryAt time.Time
	backoff backoff.Backoff
	// refusing is since when the API server itself has given no other answer than
	// that the Pod may not be read, or that it cannot; zero: it has.
	refusing time.Time
	rereadAt time.Time

	sawEnd    seq    // when the adapter was first seen ended for good
	sawFailed seq    // when the Pod was first seen Failed
	sawAgain  seq    // when all of its containers were first seen to be started again
	run       string // the last whose end was seen
	disrupted bool   // that end was first seen while somebody else was ending the Pod
}

// tried is when the last fresh reading began that has had any answer.
func (p *podState) tried() seq { return max(p.read, p.missed) }

func (s *state) beganReadPod() seq {
	s.pod.reading, s.pod.askedAt = true, s.now
	return s.clock
}

// sawPodReading takes in the answer to a fresh reading that began at a seq.
func (s *state) sawPodReading(pod *corev1.Pod, err error, began seq) {
	p := &s.pod
	p.reading = false
	p.rereadAt = s.now.Add(max(rereadInterval, s.now.Sub(later(s.started, s.stop.sigterm))))
	err = genuine(pod, err, p.last != nil)
	a := answerOf(err)
	if a != forbidden && a != unable {
		p.refusing = time.Time{}
	} else if p.refusing.IsZero() {
		p.refusing = s.now
	}
	switch {
	case a == answered:
		p.backoff.Reset()
		p.read = began
		// Over what was taken in before it began a fresh reading is true whatever its
		// resourceVersion: etcd may have been restored.
		if p.taken <= began || newer(pod, p.last) {
			s.takePod(pod)
			s.feed.resumeFrom(pod.ResourceVersion)
		}
	case a == notFound && p.last != nil:
		s.podDeleted()
		p.read = began
	case p.last == nil && (a == forbidden || a == notFound || a == refused):
		p.refuse(err)
		p.read = began
		s.feed.get = false // or it would be asked again at once, and so on
	default:
		p.lacking(err)
		p.missed = s.clock // it tells of now, whenever it began
		p.retryAt = s.now.Add(p.backoff.Next(retryAfter(err)))
	}
}

// sawCachedPod takes in an answer that may be a little old.
func (s *state) sawCachedPod(pod *corev1.Pod, err error) {
	switch a := answerOf(err); {
	case a == answered:
		s.sawPodEvent(pod)
	case a == notFound && s.pod.last != nil:
		s.feed.get = true // a lagging cache is no proof
	case s.pod.last == nil && (a == forbidden || a == notFound || a == refused):
		s.pod.refuse(err)
	}
}

// sawPodEvent takes in what a watch or a cache has of the Pod.
func (s *state) sawPodEvent(pod *corev1.Pod) {
	if s.pod.last == nil || genuine(pod, nil, true) == nil && newer(pod, s.pod.last) {
		s.takePod(pod)
	}
}

// lacking notes why the Pod has not been read yet.
func (p *podState) lacking(err error) {
	if !p.synced {
		p.err = err
	}
}

func (p *podState) refuse(err error) {
	p.synced, p.err = true, nil
	p.complaint = "the Pod cannot be read, so the result file alone is followed: " + err.Error()
}

func (s *state) podDeleted() {
	seen(&s.stop.deleted, s.now)
	s.pod.taken = s.tick()
}

func (s *state) takePod(pod *corev1.Pod) {
	p := &s.pod
	if p.last != nil && p.last.UID != pod.UID { // another one has its name
		s.podDeleted()
		return
	}
	r, err := findContainers(pod, s.adapterName, s.variables)
	p.complaint = ""
	if err != nil {
		p.complaint = err.Error() + "; the result file alone is followed"
	}
	p.roles, p.volume = r, resultVolume(pod, r, s.path)
	s.sawFacts(factsOf(pod, r))
	p.last, p.synced, p.err, p.taken = pod, true, nil, s.tick()
}

// sawFacts takes in what a reading says.
func (s *state) sawFacts(f facts) {
	p := &s.pod
	if f.deleting {
		seen(&s.stop.deletion, s.now)
	}
	if f.deleting && f.grace == 0 { // by force: as good as deleted
		seen(&s.stop.deleted, s.now)
	}
	if s.runEnded(f) {
		if s.file.kind == fileValid && s.origin() == originDoubt { // which counts when the run has ended
			s.file.taken = true
		}
		s.file.runEnded(f, p.local())
	}
	s.mark(&p.sawEnd, f.ended != nil)
	s.mark(&p.sawFailed, f.failed)
	s.mark(&p.sawAgain, f.restartingAll)
	p.facts = f
	// To the second, as the kubelet has it, and one second allowed: a status from
	// before a restart in place tells of the run before.
	p.known = !f.reporterStarted.IsZero() && !f.reporterStarted.Before(s.started.Truncate(time.Second).Add(-time.Second))
	if p.known && f.sidecar && !(s.file.taken && s.out.sent[s.file.result.Outcome()]) {
		s.out.takePrior(f, s.conditionType)
	}
}

// runEnded takes in how a run of the adapter has ended, where a reading is the first
// to tell, and reports whether it was not the last.
func (s *state) runEnded(f facts) (again bool) {
	p := &s.pod
	again = p.last != nil && f.restarts > p.restarts
	end := cmp.Or(f.ended, f.crashed)
	if end == nil || runOf(end) == p.run {
		return again
	}
	// A second container gets SIGTERM together with the adapter. Evictions by the
	// kubelet and node shutdowns tell the API only when all is over.
	p.run, p.disrupted = runOf(end), f.disrupted() || !f.sidecar && !s.stop.sigterm.IsZero()
	return again || f.ended == nil
}

// mustReread reports whether the Pod is read again and again for what must become
// readable soon: the adapter's end, without which a native sidecar gets no SIGTERM
// unless its Pod is deleted or stopped by the kubelet, or the reporter's own run.
func (s *state) mustReread() bool {
	p := &s.pod
	endIsDue := !s.stop.sigterm.IsZero() && s.stop.deletion.IsZero() && p.sidecar && p.ended == nil
	return endIsDue && s.stop.deleted.IsZero() || s.mustKnow()
}

func (s *state) reread() bool {
	return s.mustReread() && s.pod.tried() > 0 && !s.now.Before(later(s.pod.rereadAt, s.pod.retryAt))
}

// newer reports whether a is not known to be older than b. Resource versions have
// been comparable as numbers since Kubernetes 1.35 (KEP-5504), and were in fact
// before.
func newer(a, b *corev1.Pod) bool {
	va, errA := strconv.ParseUint(a.ResourceVersion, 10, 64)
	vb, errB := strconv.ParseUint(b.ResourceVersion, 10, 64)
	return errA != nil || errB != nil || va >= vb
}
