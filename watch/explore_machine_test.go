package watch

import (
	"maps"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

// explored is when the stories begin.
var explored = time.Date(2026, 1, 15, 9, 0, 0, 0, time.UTC)

const (
	exploredWait = 103 * time.Second
	exploredPoll = 2 * time.Second
	mostRounds   = 40 // at one moment
)

// machine is the state in its world. It does what the loop does: what the state asks
// for, at once or when an event says so, and it sleeps until the state would wake.
type machine struct {
	c   *setup
	now time.Time
	s   state
	w   world

	// What is under way.
	ready    []func(m *machine) // answers, in their order; none at rest
	pod      *pending
	job      *pending
	patch    *patch // has not arrived
	patchAt  time.Time
	knew     knowledge
	late     *patch // given up, and may still arrive
	lateKnew knowledge
	open     bool // a watch
	muted    bool // which tells nothing
	look     *looking
	needs    bool // a look, for a decision
	unheard  bool // the state is about to hear that it has no answer
	want     bool // a look
	ownRun   int  // of the adapter, that has written the result last seen
	looked   int  // the stamp of the file that the last look has found; -1: it has failed

	begun     time.Time // the reporter's process
	downSince time.Time // zero: it runs
	process   process
	before    earlierProcesses

	deletedAt time.Time // since when the Pod is being deleted, or is
	goneAt    time.Time // since when it is deleted
	endedAt   time.Time // since when the adapter has ended for good

	done   *Result
	doneAt time.Time
	killed bool
	told   func(format string, args ...any) // what is going on; nil: nobody listens
	o      observed
	wrong  []string
}

// knowledge is what is known when a write is sent; it may arrive much later.
type knowledge struct {
	ours    bool // which Job is meant
	leaving bool // the Pod was, when the Job was read
	process int  // whose it is
}

// pending is a reading that has no answer yet.
type pending struct {
	began seq
	at    time.Time
	sent  ord
	pod   worldPod // as it was then
	job   worldJob
}

func newMachine(c *setup) *machine {
	m := &machine{c: c, now: explored, begun: explored, process: process{started: explored}}
	m.w.pod = worldPod{version: 1, adapter: adapterRuns, started: explored.Add(-3 * time.Second)}
	if c.waits {
		m.w.pod = worldPod{version: 1}
	}
	m.w.pod.process = m.process
	m.w.job.version = 1
	m.w.file.run = -1
	if c.hostPath {
		m.w.file = worldFile{content: success1, stamp: 1, changed: explored.Add(-24 * time.Hour), run: -1}
	}
	if c.api != nil {
		c.api(&m.w)
	}
	m.s = newState(c.config(), explored)
	m.looked, m.want = failedAsLook, !c.misconf
	m.o.healthy = explored
	m.settle()
	return m
}

func (c *setup) config() Config {
	config := Config{
		Path: "/results/adapter-result.json", Poll: exploredPoll, Wait: exploredWait, Variables: variables, Job: "adapter-job", Pod: "adapter-job-x7k2p",
		ConditionType: "Available", PollOnly: c.pollOnly, rand: func(n int64) int64 { return max(0, n*c.jitter/4-1) },
	}
	if c.misconf {
		config.Misconfigured = errAway
	}
	if c.metadata {
		config.OutcomeLabel, config.DetailsAnnotation = labelKey, annotationKey
	}
	return config
}

// copy is the machine, for another future.
func (m *machine) copy() *machine {
	n := *m
	n.s.out.sent = maps.Clone(m.s.out.sent)
	n.wrong, n.ready = nil, nil
	return &n
}

// settle does all there is to do at one moment.
func (m *machine) settle() {
	for round := 0; m.done == nil; round++ {
		if round > mostRounds {
			m.fault("the loop does not spin")
			return
		}
		if !m.downSince.IsZero() {
			m.settleDown()
			return
		}
		m.s.file.writing = m.w.file.writing && !m.c.pollOnly
		m.noteWorld()
		m.noteTriggers()
		step := m.s.next(m.now)
		m.checkState()
		if step.done != nil {
			m.done, m.doneAt = step.done, m.now
			m.tell("done: %s", resultText(*m.done))
			m.checkDone()
			return
		}
		m.begin(step)
		if len(m.ready) == 0 {
			m.noteHealth()
			m.checkRest()
			return
		}
		answer := m.ready[0]
		m.ready = m.ready[1:]
		m.s.now = m.now
		answer(m)
	}
}

// settleDown is settle while the reporter does not run.
func (m *machine) settleDown() {
	m.noteWorld()
	m.noteHealth()
	if !m.restarts() {
		m.done, m.doneAt, m.killed = &Result{}, m.now, true
	}
}

func (m *machine) tell(format string, args ...any) {
	if m.told != nil {
		m.told(m.now.Sub(explored).String()+"  "+format, args...)
	}
}

func (m *machine) answer(f func(m *machine)) { m.ready = append(m.ready, f) }

// begin begins what the state asks for, in the loop's order.
func (m *machine) begin(step step) {
	m.lookFor(step)
	if m.told != nil && step != stepNothing {
		m.tell("wants %s; verdict %+v, said %q", describeStep(step), m.s.out.verdict, m.s.out.said.msg)
	}
	if step.readPod {
		m.pod = m.begins(m.s.beganReadPod())
		if !m.held(getPod) {
			m.answer(func(m *machine) { m.answerPod(m.w.api[getPod].err(), false) })
		}
	}
	if step.readJob {
		m.job = m.begins(m.s.beganReadJob())
		if !m.held(getJob) {
			m.answer(func(m *machine) { m.answerJob(m.w.api[getJob].err(), false) })
		}
	}
	if p := step.patch; p != nil {
		m.checkPatch(p)
		m.s.beganPatch(p)
		m.patch, m.patchAt = p, m.now
		if !m.held(patchJob) {
			how := m.w.api[patchJob]
			if m.w.once != works {
				how, m.w.once = m.w.once, works
			}
			m.answer(func(m *machine) { m.answerPatch(how) })
		}
	}
	m.follow(step.follow)
}

func (m *machine) begins(began seq) *pending {
	m.o.ord++
	return &pending{began: began, at: m.now, sent: m.o.ord, pod: m.w.pod, job: m.w.job}
}

func (m *machine) held(r request) bool {
	held := m.w.hold[r]
	m.w.hold[r] = false
	return held
}

// answerPod answers the reading under way, by what it has found when it began.
func (m *machine) answerPod(err error, present bool) {
	c := m.pod
	m.pod = nil
	m.s.recent.add(m.now.Sub(c.at))
	found := c.pod
	if present {
		found = m.w.pod
	}
	p, err := m.getPod(found, err)
	m.tell("GET Pod, begun %s ago: %v", m.now.Sub(c.at), err)
	m.o.readPod(m, c.sent, err, found)
	m.s.sawPodReading(p, err, c.began)
}

func (m *machine) getPod(found worldPod, err error) (*corev1.Pod, error) {
	switch {
	case err != nil:
		return nil, err
	case found.deleted && !found.another:
		return nil, errNotFound
	}
	return m.c.podOf(found), nil
}

func (m *machine) answerJob(err error, present bool) {
	c := m.job
	m.job = nil
	m.s.recent.add(m.now.Sub(c.at))
	found := c.job
	if present {
		found = m.w.job
	}
	if err == nil && found.deleted {
		err = errNotFound
	}
	m.tell("GET Job, begun %s ago: %v %+v", m.now.Sub(c.at), err, found)
	m.o.readJob(m, c.sent, err, found)
	if err != nil {
		m.s.sawJob(nil, err, c.began)
		return
	}
	m.s.sawJob(m.c.jobOf(found), nil, c.began)
}

// answerPatch has the write under way fare somehow.
func (m *machine) answerPatch(how mode) {
	p, err := m.patch, how.err()
	m.patch = nil
	m.s.recent.add(m.now.Sub(m.patchAt))
	switch how {
	case works:
		err = m.apply(p, m.knew)
	case losesAnswer:
		if refused := m.apply(p, m.knew); refused != nil {
			err = errAway
		}
	case delaysWrite:
		m.late, m.lateKnew = p, m.knew
	}
	m.tell("PATCH %v on %v: %v", p.outcome, p.on, err)
	m.knew = knowledge{}
	m.o.wrote(m, p, err)
	if err != nil {
		m.s.sawPatch(p, nil, err)
		return
	}
	m.s.sawPatch(p, m.c.jobOf(m.w.job), nil)
}

// apply is what the API server does with a write.
func (m *machine) apply(p *patch, knew knowledge) error {
	job := &m.w.job
	switch {
	case job.deleted:
		return errNotFound
	case p.on.UID != nil && *p.on.UID != job.uid():
		return errAnotherUID
	case p.on.ResourceVersion != nil && *p.on.ResourceVersion != strconv.Itoa(1000+int(job.version)):
		return errConflict
	}
	if m.c.refused && len(p.what.Labels)+len(p.what.Annotations) > 0 {
		return errPolicy
	}
	m.checkApply(p, knew)
	job.by, job.stands, job.probed = thisPod, p.outcome, p.what.Status.Conditions[0].LastProbeTime.Truncate(time.Second)
	if p.verdict.own && m.before.own == (contract.Outcome{}) {
		m.before.own, m.before.run = p.outcome, m.ownRun
	}
	job.version++
	return nil
}

func (m *machine) follow(do following) {
	if do.poll {
		m.s.beganPoll()
		m.answer(func(m *machine) { m.s.sawPoll(m.getPod(m.w.pod, m.w.api[getPod].err())) })
	}
	if do.stop && m.open {
		m.endWatch(errAway)
	}
	if do.watch {
		m.s.beganWatch()
		m.answer((*machine).openWatch)
	}
}

func (m *machine) endWatch(err error) {
	m.open = false
	m.answer(func(m *machine) { m.s.sawWatchEnd(err) })
}

// openWatch has a watch that was asked for be accepted, and tell what is new.
func (m *machine) openWatch() {
	if err := m.w.api[watching].err(); err != nil {
		m.s.sawWatchEnd(err)
		return
	}
	m.open, m.muted = true, m.w.api[watching] == silent
	m.s.watchAccepted()
	if m.muted {
		return
	}
	p, version := &m.w.pod, m.s.feed.version
	known, _ := strconv.Atoi(version)
	switch {
	case version == "" && p.deleted && !p.another:
		m.answer((*machine).bookmark)
	case version == "":
		m.answer(func(m *machine) { m.event(apiwatch.Added) })
	case known < 1000+int(p.version):
		m.tellPod()
	}
}

func (m *machine) event(kind apiwatch.EventType) {
	m.tell("watch: %s", kind)
	m.s.sawWatchEvent(apiwatch.Event{Type: kind, Object: m.c.podOf(m.w.pod)})
}

// bookmark keeps a watch alive where nothing happens.
func (m *machine) bookmark() {
	p := &corev1.Pod{}
	p.ResourceVersion = strconv.Itoa(1000 + int(m.w.pod.version))
	m.s.sawWatchEvent(apiwatch.Event{Type: apiwatch.Bookmark, Object: p})
}

// tellPod has the watch tell of a change.
func (m *machine) tellPod() {
	if !m.open || m.muted {
		return
	}
	kind := apiwatch.Modified
	if m.w.pod.deleted && !m.w.pod.another {
		kind = apiwatch.Deleted
	}
	m.answer(func(m *machine) {
		if m.open {
			m.event(kind)
		}
	})
}

// pass lets time pass, until what the state and the world would wake for, or in ticks.
func (m *machine) pass(until time.Time, tick time.Duration) {
	for steps := 0; m.now.Before(until) && m.done == nil && len(m.wrong) == 0; steps++ {
		at := m.wake()
		if tick > 0 {
			at = m.now.Add(tick)
		}
		if at.IsZero() || at.After(until) {
			at = until
		}
		if tick == 0 && m.downSince.IsZero() {
			m.probe(at)
		}
		m.now = at
		m.clock()
		m.settle()
		if steps > 100_000 {
			m.fault("the loop sleeps")
		}
	}
}

const bookmarkInterval = time.Minute

// wake is when the clock alone may change something.
func (m *machine) wake() time.Time {
	if !m.downSince.IsZero() {
		times := []time.Time{m.downSince.Add(backOff)}
		if !m.endedAt.IsZero() {
			times = append(times, m.endedAt.Add(kubeletDelay))
		}
		return soonest(m.now, times...)
	}
	times := []time.Time{m.s.wake()}
	if m.stale() {
		times = append(times, m.begun.Add(kubeletDelay))
	}
	if m.open && !m.muted {
		times = append(times, m.s.feed.heard.Add(bookmarkInterval))
	}
	for _, c := range []*pending{m.pod, m.job} {
		if c != nil {
			times = append(times, m.timeout(c.at))
		}
	}
	if m.patch != nil {
		times = append(times, m.timeout(m.patchAt))
	}
	if m.w.file.stamp != m.looked && m.look == nil {
		times = append(times, m.nextPoll())
	}
	if m.look != nil && m.needs {
		times = append(times, m.look.at.Add(m.s.patience(m.now)))
	}
	times = append(times, m.sigtermAt(), m.sigkillAt())
	return soonest(m.now, times...)
}

// nextPoll is when the file is looked at whatever the events say.
func (m *machine) nextPoll() time.Time {
	n := m.now.Sub(explored)/exploredPoll + 1
	return explored.Add(n * exploredPoll)
}

// timeout is when the client gives a request up that was sent at a time.
func (m *machine) timeout(sent time.Time) time.Time {
	d := 10 * time.Second
	if m.s.stop.begun() {
		d = max(100*time.Millisecond, min(d, m.s.killAt().Sub(sent)/3))
	}
	return sent.Add(d)
}

// clock does what the world does by the clock.
func (m *machine) clock() {
	switch {
	case !m.downSince.IsZero():
		if !m.now.Before(m.downSince.Add(backOff)) && m.restarts() {
			m.start()
		}
		return
	case m.stale() && !m.now.Before(m.begun.Add(kubeletDelay)):
		m.tellProcess()
	}
	if m.open && !m.muted && !m.now.Before(m.s.feed.heard.Add(bookmarkInterval)) {
		m.answer((*machine).bookmark)
	}
	if m.pod != nil && !m.now.Before(m.timeout(m.pod.at)) {
		m.answer(func(m *machine) { m.answerPod(errAway, false) })
	}
	if m.job != nil && !m.now.Before(m.timeout(m.job.at)) {
		m.answer(func(m *machine) { m.answerJob(errAway, false) })
	}
	if m.patch != nil && !m.now.Before(m.timeout(m.patchAt)) {
		m.answer(func(m *machine) { m.answerPatch(delaysWrite) })
	}
	if m.w.file.stamp != m.looked && m.now.Sub(explored)%exploredPoll == 0 {
		m.want = true
	}
	if at := m.sigtermAt(); !at.IsZero() && !m.now.Before(at) {
		m.hearSigterm()
	}
	if at := m.sigkillAt(); !at.IsZero() && !m.now.Before(at) {
		m.done, m.doneAt, m.killed = &Result{}, m.now, true
		m.checkKilled()
	}
}

// kubeletDelay is how long the kubelet takes to act, at most.
const kubeletDelay = time.Second

// sigtermAt is when SIGTERM comes at the latest; zero: nobody sends it, or it has come.
func (m *machine) sigtermAt() time.Time {
	var times []time.Time
	switch {
	case !m.s.stop.sigterm.IsZero():
		return time.Time{}
	case m.c.sidecar && !m.endedAt.IsZero():
		times = append(times, m.endedAt.Add(kubeletDelay))
	}
	switch {
	case m.deletedAt.IsZero():
	case m.c.sidecar && !m.w.pod.deleted && !m.w.pod.another:
		times = append(times, m.deletedAt.Add(m.grace()))
	default:
		times = append(times, m.deletedAt.Add(kubeletDelay))
	}
	return soonest(time.Time{}, times...)
}

// sigkillAt is when SIGKILL comes, after a stop whose length is known; zero: not yet.
func (m *machine) sigkillAt() time.Time {
	sigterm := m.s.stop.sigterm
	switch {
	case sigterm.IsZero():
		return time.Time{}
	case m.w.pod.deleted, m.w.pod.another:
		return later(sigterm, m.goneAt).Add(minimumGracePeriod + kubeletDelay)
	case m.deletedAt.IsZero():
		return sigterm.Add(m.grace() + kubeletDelay)
	case m.c.sidecar:
		return later(m.deletedAt.Add(m.grace()), sigterm.Add(minimumGracePeriod)).Add(kubeletDelay)
	}
	return m.deletedAt.Add(m.grace() + kubeletDelay)
}

func (m *machine) grace() time.Duration {
	return max(minimumGracePeriod, time.Duration(m.c.grace)*time.Second)
}

// noteWorld notes since when the Pod is being deleted, and the adapter has ended.
func (m *machine) noteWorld() {
	if (m.w.pod.deleting || m.w.pod.deleted || m.w.pod.another) && m.deletedAt.IsZero() {
		m.deletedAt = m.now
	}
	if (m.w.pod.deleted || m.w.pod.another) && m.goneAt.IsZero() {
		m.goneAt = m.now
	}
	if m.c.final(&m.w.pod) && m.endedAt.IsZero() {
		m.endedAt = m.now
	}
}
