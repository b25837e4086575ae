package watch

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/internal/backoff"
)

// seq is a reading of the logical clock: what began at a seq has seen all that
// happened up to it. Wall clocks tie and jump; they are for waiting.
type seq int

// state is all that has been seen, and what has become of the report. Its methods
// have no effects: next says what to do, and what is done is told it by those
// named began… and saw…; wake is when the clock alone may change what next says. It
// has ended when next has a step that is done. It is not safe for concurrent use.
type state struct {
	path          string // of the result file, for messages
	jobName       string
	podName       string
	adapterName   string // empty: detected
	variables     []string
	conditionType batchv1.JobConditionType
	misconfigured error
	wait          time.Duration
	settle        time.Duration // an invalid file must stay as it is for so long
	started       time.Time     // this process
	deadline      time.Time

	now   time.Time
	clock seq

	file     fileState
	pod      podState
	job      jobState
	feed     feed
	stop     stop
	out      delivery
	metadata metadata
	recent   recent
	slowest  time.Duration // of the recent answers, as the margin goes by it

	// When these were first noticed; 0: not yet.
	timedOut, settled, stopping, reportDue seq
	reportDueSince                         time.Time
}

func newState(c Config, now time.Time) state {
	started := c.Started
	if started.IsZero() {
		started = now
	}
	return state{
		path: c.Path, jobName: c.Job, podName: c.Pod, adapterName: c.Adapter, variables: c.Variables, conditionType: c.ConditionType, misconfigured: c.Misconfigured,
		wait: c.Wait, settle: max(c.Poll, minSettle), started: started, deadline: now.Add(c.Wait),
		now: now, clock: 1,
		pod:      podState{facts: facts{grace: defaultGrace}, synced: c.Pod == "", backoff: backoff.Backoff{Min: 100 * time.Millisecond, Max: 5 * time.Second, Rand: c.rand}},
		feed:     newFeed(c),
		out:      newDelivery(c),
		metadata: metadata{label: c.OutcomeLabel, annotation: c.DetailsAnnotation, version: c.Version},
	}
}

// step is what to do next. Nothing of it: wait.
type step struct {
	look, readPod, readJob bool // freshly
	patch                  *patch
	done                   *Result
	follow                 following
}

// and is both of two steps.
func (a step) and(b step) step {
	a.look, a.readPod, a.readJob = a.look || b.look, a.readPod || b.readPod, a.readJob || b.readJob
	return a
}

// next notes what the clock has brought about, and says what to do.
func (s *state) next(now time.Time) step {
	s.note(now)
	v, need := s.decide()
	if s.keeps(v, need) {
		v = new(s.out.verdict)
	}
	s.track(v)
	blind := need.readPod
	need.readPod = blind && !now.Before(s.pod.retryAt)
	do := need.and(s.preread())
	if v != nil {
		do = s.deliver(*v, blind).and(need)
	}
	do.readPod = do.readPod || s.reread()
	do.follow = s.follow()
	do.readPod = (do.readPod || do.follow.get) && !s.pod.reading && s.podName != ""
	do.readJob = do.readJob && !s.job.reading
	return do
}

// preread is what is read before there is anything to report: the Job once, off the
// critical path, and once more where that was refused, and Job and Pod for an interim
// report that is due within half a second, since SIGKILL may come half a second after
// that.
func (s *state) preread() (do step) {
	at := s.prereadAt()
	due := !at.IsZero() && !s.now.Before(at)
	again := s.job.againAt()
	switch j := &s.job; {
	case s.pod.synced && j.tried == 0, !again.IsZero() && !s.now.Before(again), due && j.tried < s.stopping:
		do.readJob = true
	case due && s.pod.tried() < j.seen:
		do.readPod = !s.now.Before(s.pod.retryAt)
	}
	return do
}

// note marks what the clock has brought about.
func (s *state) note(now time.Time) {
	s.now = now
	s.recall()
	s.mark(&s.timedOut, !now.Before(s.deadline))
	s.mark(&s.stopping, s.stop.begun())
	if s.reportDue == 0 {
		s.reportDueSince, s.slowest = now, s.recent.slowest() // answers that get faster take nothing back
	}
	s.mark(&s.reportDue, s.stop.begun() && !now.Before(s.reportAt()))
	s.mark(&s.settled, s.candidate() && now.Sub(s.file.since) >= s.settle) // a run that is over makes a file in doubt one
}

func (s *state) mark(m *seq, holds bool) {
	switch {
	case !holds:
		*m = 0
	case *m == 0:
		*m = s.tick()
	}
}

// tick moves the logical clock: what begins from now on is told from what began before.
func (s *state) tick() seq {
	s.clock++
	return s.clock
}

// wake is when the clock alone may change what to do; zero: never again.
func (s *state) wake() time.Time {
	times := []time.Time{s.deadline, s.pod.retryAt, s.job.againAt()}
	if s.candidate() {
		times = append(times, s.file.since.Add(s.settle))
	}
	if s.origin() == originUnknown || s.mustKnow() {
		times = append(times, s.believeAt())
	}
	if s.file.failed() {
		times = append(times, s.halfway(s.file.since))
	}
	if s.stop.begun() {
		times = append(times, s.interimAt(), s.reportAt())
	}
	if s.mustReread() {
		times = append(times, s.pod.rereadAt)
	}
	times = append(times, s.out.wake(s)...)
	times = append(times, s.feed.wake()...)
	for _, at := range []time.Time{s.deadline, s.file.since.Add(s.settle)} {
		times = append(times, at.Add(readingPatience))
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

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// midway is half of what is left between two times.
func midway(from, to time.Time) time.Time { return from.Add(to.Sub(from) / 2) }

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// jobState is what is known of the Job: as a reading or a PATCH's answer last had it,
// and what came of asking. It is a part of state: no effects, no lock.
type jobState struct {
	last     *batchv1.Job // as last read; nil: never, or it may not be
	firstUID types.UID    // of the Job first read
	reading  bool         // a reading is under way
	tried    seq          // when the last reading began that has had its answer
	seen     seq          // when that came
	err      error
	// refusing is since when the API server itself has given no other answer than
	// that the Job may not be read, or that it cannot; zero: it has.
	refusing time.Time
	missed   time.Time // when there was last no answer at all: a server just started allows nothing
	answered time.Time // when the last reading had its answer
	patched  seq       // when last was had from a PATCH's answer
}

// againAt is when it is read once more after a refusal; zero: it is not. Roles come
// late, and two refusals hours apart are not an API server's word for a minute.
func (j *jobState) againAt() time.Time {
	if at := j.refusedSince().Add(refusalTimeout); !j.refusing.IsZero() && j.answered.Before(at) {
		return at
	}
	return time.Time{}
}

// refusedSince is when the present refusal began, as far as a server's word goes: one
// that was away a moment ago may have been started.
func (j *jobState) refusedSince() time.Time { return later(j.refusing, j.missed) }

func (s *state) beganReadJob() seq {
	s.job.reading = true
	return s.clock
}

// sawJob takes in the answer to a reading that began at a seq.
func (s *state) sawJob(job *batchv1.Job, err error, began seq) {
	j := &s.job
	j.reading = false
	err = genuine(job, err, s.uid() != "")
	j.tried, j.seen, j.answered, j.err = began, s.tick(), s.now, err
	switch a := answerOf(err); a {
	case answered:
		j.refusing = time.Time{}
		if began >= j.patched { // else the answer to a PATCH is newer
			s.keepJob(job)
		}
	case forbidden, unable:
		if j.refusing.IsZero() {
			j.refusing = s.now
		}
	case busy: // says nothing of the next answer
	case unanswered:
		j.missed = s.now
	default:
		j.refusing = time.Time{}
	}
}

func (s *state) keepJob(job *batchv1.Job) {
	s.job.last = job
	if s.job.firstUID == "" {
		s.job.firstUID = job.UID
	}
}

// uid is that of the Job which this Pod is for: the Pod's controlling Job where
// that has the name, else the Job first read.
func (s *state) uid() types.UID {
	if s.pod.last != nil {
		if o := controller(s.pod.last); o != nil && o.Kind == "Job" && o.Name == s.jobName {
			return o.UID
		}
	}
	return s.job.firstUID
}

// verdict is what there is to report. Of an interruption the Job tells the rest,
// see state.outcome.
type verdict struct {
	own         bool // the adapter's own result
	interim     bool // of a stop that may come to more; replaced by whatever is learnt
	interrupted bool
	causes      string           // of an interruption, as far as the Pod tells
	adapter     string           // what became of the adapter then, where that is known
	result      contract.Outcome // where it is no interruption
}
