package watch

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

// lacks is what has to be seen by this attempt before the write; enough reports
// whether all of it has. Blind is a verdict that rests on a reading of the Pod which
// was not to be had.
func (s *state) lacks(v verdict, guarded, blind bool) (do step, enough bool) {
	judging := s.readable() && guarded && s.foreignTrue(v)
	for _, e := range s.readings(v, guarded, blind, judging) {
		if e.wanted && !e.had {
			return e.do, false
		}
	}
	if judging && s.insistsOnPod() || guarded && s.insistsOnOwner() || s.insistsOnRun(v) {
		do = s.failed(errPodUnread)
		s.out.retryAt = later(s.out.retryAt, s.pod.retryAt)
		return do, false
	}
	return s.lastLook(v)
}

// reading is one that an attempt may want.
type reading struct {
	wanted, had bool
	do          step
}

// readings are in their order.
func (s *state) readings(v verdict, guarded, blind, judging bool) [4]reading {
	a, p, j := s.out.attempt, &s.pod, &s.job
	pod, job := step{readPod: true}, step{readJob: true}
	return [...]reading{
		// The Pod knows which Job is meant, whose the file is, and what has come while it
		// could not be read.
		{s.readable() && (blind || !p.synced || s.uid() == "" || s.believes(v)), s.askedPod(a), pod},
		{guarded || s.uid() == "", j.tried >= a, job},
		// Its finalizer tells whether the Job counts it already.
		{s.readable() && s.restsOnRun(v) && j.tried >= a, s.askedPod(j.seen), pod},
		// Is it being deleted?
		{judging, s.askedPod(a), pod},
	}
}

// readable reports whether there is a Pod to be read.
func (s *state) readable() bool { return s.podName != "" && s.stop.deleted.IsZero() }

// askedPod reports whether a fresh reading of the Pod has begun since and had its
// answer, or has had all the time that there is for one.
func (s *state) askedPod(since seq) bool {
	at := s.overdueAt()
	return s.pod.tried() >= since || !at.IsZero() && !s.now.Before(at)
}

// overdueAt is when a stop leaves no more time for the reading of the Pod that is
// under way; zero: there is none, or no stop. It is half of it: the Job is still to
// be read and written.
func (s *state) overdueAt() time.Time {
	if !s.pod.reading || !s.stop.begun() || s.out.since.IsZero() {
		return time.Time{}
	}
	return midway(later(s.pod.askedAt, s.out.since), s.end())
}

// insistsOnPod reports whether the Pod, read in vain in this attempt, is to be read
// until it is.
func (s *state) insistsOnPod() bool {
	p := &s.pod
	return p.read < s.out.attempt && (p.refusing.IsZero() || s.now.Before(s.guardUntil(later(p.refusing, s.out.since))))
}

// insistsOnOwner reports whether the Pod, which was never read, is to be read until it
// is: it alone knows whether the Job of that name is the one that it belongs to. In a
// stop that may be the kubelet's own there is no time for it.
func (s *state) insistsOnOwner() bool {
	p := &s.pod
	return !p.synced && p.read < s.out.attempt && !s.stop.kubelets() && s.now.Before(s.guardUntil(s.out.since))
}

// believes reports whether the verdict is a file of which no reading has told whose it is.
func (s *state) believes(v verdict) bool { return v.own && s.origin() == originBelieved }

// insistsOnRun reports whether the Pod is to be read until it tells whose file it is:
// after an outage, in which nobody could, one bad answer is no reason to believe it.
func (s *state) insistsOnRun(v verdict) bool {
	outage := !s.out.missedAt.IsZero() && !s.stop.kubelets()
	return outage && s.believes(v) && s.now.Before(s.guardUntil(later(s.pod.refusing, s.out.since)))
}

// lastLook is at the file, since reading may have taken its time; not for an interim
// report at one that does not answer.
func (s *state) lastLook(v verdict) (do step, enough bool) {
	if v.own && !s.believes(v) || s.misconfigured != nil || v.interim && s.file.failed() {
		return step{}, true
	}
	s.mark(&s.out.ready, true)
	look := s.file.read < s.out.ready
	return step{look: look}, !look
}

// foreignTrue reports whether the Job that the write goes by carries a True that the
// Pod must be read for: another Pod has reported it, and the state of this one
// decides whether it may be replaced.
func (s *state) foreignTrue(v verdict) bool {
	j := &s.job
	read := j.err == nil || s.stop.begun() && answerOf(j.err) == unanswered // see guard
	if v.interrupted || !read || j.tried < s.out.attempt {
		return false
	}
	c := condition(j.last, s.conditionType)
	return c != nil && c.Status == corev1.ConditionTrue && !s.out.sent[outcomeOf(c)]
}

// restsOnRun reports whether the verdict rests on the adapter still running, in a
// stop or as an interruption.
func (s *state) restsOnRun(v verdict) bool {
	return v.interrupted || !v.own && s.stop.begun() && s.pod.ended == nil
}

// guard reports whether the write goes by a resourceVersion, given how the Job's
// reading went; an error says why there is none yet.
func (s *state) guard(v verdict, guarded bool) (bool, error) {
	switch j := &s.job; {
	case !guarded && s.uid() != "": // not read
		return false, nil
	case j.err == nil && s.uid() != j.last.UID:
		return false, errReplaced
	case j.err == nil:
		return guarded, nil
	case s.insists(v, guarded):
		return false, j.err
	}
	// As far as it can be told without the Job. An interruption, and what nobody
	// answered, still go by the one last read: it is written only while nobody else has
	// written.
	a := answerOf(s.job.err)
	return a == unanswered || a == unable && v.interrupted, nil
}

// insists reports whether nothing is written while the Job cannot be read. One bad
// answer, or an outage, is no reason to.
func (s *state) insists(v verdict, guarded bool) bool {
	since, last := s.job.refusedSince(), s.job.last
	switch answerOf(s.job.err) {
	case forbidden:
	case unable: // what was so long ago has passed since, for all that is known
		since = later(since, s.out.since)
		if s.uid() == "" || v.interrupted && guarded && last == nil {
			return true
		}
	case unanswered: // in a stop: the reading hangs, for all that is known
		since = s.out.since
		if !s.stop.begun() || last == nil || last.UID != s.uid() {
			return true
		}
	default:
		return true
	}
	if s.mayBeAnothers() {
		return true
	}
	return guarded && s.now.Before(s.guardUntil(since)) // else a True, of a Job that may not be read
}

// mayBeAnothers reports whether the Pod may know which Job is meant, and nothing else
// does.
func (s *state) mayBeAnothers() bool {
	return s.uid() == "" && s.podName != "" && s.pod.read < s.out.attempt
}

// guardUntil is when a refusal that has lasted since then is taken for the last word.
func (s *state) guardUntil(since time.Time) time.Time {
	until := since.Add(refusalTimeout)
	if s.stop.begun() || s.misconfigured != nil {
		until = earlier(until, midway(later(since, s.stop.began()), s.end()))
	}
	return until
}

// supersedes reports whether a condition that another Pod of the Job has reported
// says more than the outcome: the Pod that replaces one which is being deleted may
// have been faster, and a Pod that the Job does not control is a copy for
// debugging. What an earlier process of this Pod's reporter has set as the result of
// the adapter's present run stands as well, although nobody may have told it so.
func (s *state) supersedes(c *batchv1.JobCondition, v verdict, o contract.Outcome) bool {
	switch c.Status {
	case corev1.ConditionTrue:
		foreign := s.pod.last != nil && !controlledBy(s.pod.last, s.job.last.UID)
		return v.interrupted || foreign || s.pod.deleting || s.pod.last != nil && !s.stop.deleted.IsZero() || !v.own && s.setBefore(c)
	case corev1.ConditionFalse:
		return o.Status == contract.Unknown
	}
	return false
}

// setBefore reports whether a condition that this process has not set is, for all that
// is known, an earlier one's, of the adapter's present run. Both times are of this
// node's clock, to the second.
func (s *state) setBefore(c *batchv1.JobCondition) bool {
	p := &s.pod
	started := p.reporterRestarts > 0 || !p.known && !p.reporterStarted.IsZero() // the status is one from before this process
	return started && !p.started.IsZero() && !c.LastProbeTime.Time.Before(p.started)
}
