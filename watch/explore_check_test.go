package watch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

// ord counts what the machine does: a logical clock of its own, so that the state's is
// not judged by itself.
type ord int

// mark is when something was first so; zero: it is not.
type mark struct {
	ord ord
	at  time.Time
}

// observed is what has happened, as far as the rules are about it.
type observed struct {
	ord ord

	stopped, timedOut, settled, ended, failed mark

	fileSince time.Time // the last look has found the same since
	fileIs    uint64
	looked    ord  // when the last look began that has told of the file
	sawOwn    bool // a valid result that is the present run's for certain
	sick      mark // since when looks have told nothing
	sickLast  ord  // when the last one began

	podTried, podRead ord  // when the last reading began that was answered at all; as asked, or refused for good
	podKnown          bool // it was read, or a watch has told of it
	deletion          ord  // when the Pod began to be deleted

	podRefusing time.Time

	jobRead     ord // when the last reading began that was answered as asked
	jobTried    ord
	jobVersion  jobVersion
	jobErr      answer
	jobRefusing time.Time // since when there were only refusals
	jobMissed   time.Time // when there was last no answer
	jobLast     jobVersion
	jobKnown    bool
	jobKnownOld bool // the one that was there before the other was made

	metadataRefused   bool      // the label and the annotation were, once
	metadataRefusedAt time.Time // when, with nothing sent since
	refusedOutcome    contract.Outcome

	sent                      ord // when the last write began
	patched                   ord // when the last write had its answer
	patchedOK, patchedInterim bool
	writesRefused             time.Time // since when they have had nothing but a 403

	acked []contract.Outcome

	replaced  bool // what this Pod has reported, by another Pod
	overtaken bool // by what an earlier process had sent
	over      bool // the Job's deadline has passed

	// When the state had its last news: the clock alone does not change what was told.
	news     ord
	lastPod  *corev1.Pod
	lastStop stop

	own     contract.Outcome // of the valid result that was taken for the run's
	asked   time.Time        // until when the server has asked to be left alone
	healthy time.Time        // since when the server has answered all at once; zero: it does not
}

func (m *machine) fault(format string, args ...any) {
	m.wrong = append(m.wrong, fmt.Sprintf(format, args...))
}

func (o *observed) mark(k *mark, holds bool, now time.Time) {
	switch {
	case !holds:
		*k = mark{}
	case k.ord == 0:
		o.ord++
		*k = mark{o.ord, now}
	}
}

func (m *machine) noteTriggers() {
	o := &m.o
	o.mark(&o.stopped, m.s.stop.begun(), m.now)
	o.mark(&o.timedOut, !m.now.Before(m.begun.Add(exploredWait)), m.now)
	o.mark(&o.settled, o.fileIs != 0 && m.now.Sub(o.fileSince) >= minSettle, o.fileSince.Add(minSettle))
	o.mark(&o.ended, m.s.pod.ended != nil, m.now)
	o.mark(&o.failed, m.s.pod.failed, m.now)
	o.podKnown = o.podKnown || m.s.pod.last != nil && m.s.pod.last.UID == "1"
	if m.s.pod.last != o.lastPod || m.s.stop != o.lastStop {
		o.ord++
		o.news, o.lastPod, o.lastStop = o.ord, m.s.pod.last, m.s.stop
	}
	o.over = o.over || m.w.job.over
	if (m.w.pod.deleting || m.w.pod.deleted || m.w.pod.another) && o.deletion == 0 {
		o.ord++
		o.deletion = o.ord
	}
}

func (m *machine) noteHealth() {
	well := m.pod == nil && m.job == nil && m.patch == nil && m.w.once == works && m.look == nil && m.downSince.IsZero() && !m.w.sick && !m.w.holdLook
	for r := range watching {
		well = well && m.w.api[r] == works && !m.w.hold[r]
	}
	switch {
	case !well:
		m.o.healthy = time.Time{}
	case m.o.healthy.IsZero():
		m.o.healthy = m.now
	}
}

func (o *observed) sawFile(m *machine, found look, sent ord) {
	at := m.now
	if found.failed() {
		o.sickLast = max(o.sickLast, sent)
	} else {
		o.looked = max(o.looked, sent)
	}
	o.mark(&o.sick, found.failed(), at)
	if found.version != o.fileIs {
		o.fileIs, o.fileSince, o.settled = found.version, at, mark{}
		o.ord++
		o.news = o.ord
	}
}

func (o *observed) readPod(m *machine, sent ord, err error, found worldPod) {
	a := answerOf(err)
	o.ord++
	switch {
	case a != forbidden && a != unable:
		o.podRefusing = time.Time{}
	case o.podRefusing.IsZero():
		o.podRefusing = m.now
	}
	o.podTried = o.ord // a failure tells of now, whenever it began
	if a == answered || a == notFound || a == forbidden && !o.podKnown {
		o.podRead = max(o.podRead, sent)
	}
}

func (o *observed) readJob(m *machine, sent ord, err error, found worldJob) {
	a := answerOf(err)
	o.jobTried, o.jobErr = max(o.jobTried, sent), a
	switch {
	case a == answered:
		o.jobRead, o.jobVersion, o.jobLast, o.jobKnown = sent, found.version, found.version, true
		o.jobKnownOld = o.jobKnownOld || !found.anew
		o.jobRefusing = time.Time{}
	case a == unanswered:
		o.jobMissed = m.now
	case a != forbidden && a != unable && a != busy:
		o.jobRefusing = time.Time{}
	case a != busy && o.jobRefusing.IsZero():
		o.jobRefusing = m.now
	}
}

func (o *observed) wrote(m *machine, p *patch, err error) {
	o.ord++
	if err == errPolicy { // the attempt goes on
		o.metadataRefused, o.metadataRefusedAt, o.refusedOutcome = true, m.now, p.outcome
	} else {
		o.patched, o.patchedOK, o.patchedInterim = o.ord, err == nil, p.verdict.interim
	}
	if err == nil {
		o.acked = append(slices.Clip(o.acked), p.outcome)
		o.jobLast = m.w.job.version
	}
	o.asked = time.Time{}
	switch {
	case answerOf(err) != forbidden:
		o.writesRefused = time.Time{}
	case o.writesRefused.IsZero():
		o.writesRefused = m.now
	}
	if wait := retryAfter(err); wait > 0 {
		o.asked = m.now.Add(wait)
	}
}

// checkState holds the state to what must be so after each step.
func (m *machine) checkState() {
	o, s := &m.o, &m.s
	if s.out.prior != nil { // whatever the file is
		o.own = *s.out.prior
		if !slices.Contains(o.acked, o.own) {
			o.acked = append([]contract.Outcome{o.own}, o.acked...)
		}
		if o.own != m.before.acks {
			m.fault("what is known of an earlier process is what it has reported: %v", *s.out.prior)
		}
	} else if s.file.taken {
		v := s.file.result.Outcome()
		if o.own == (contract.Outcome{}) {
			o.own = v
		}
		if o.own != v {
			m.fault("of two results of one run the first stands: %v, then %v", o.own, v)
		}
		if !s.out.since.IsZero() && !s.out.verdict.own || s.out.since.IsZero() && s.out.over == nil && m.done == nil {
			m.fault("a result that was taken is the verdict: %v", s.out.verdict)
		}
	}
	if s.out.said.msg == msgReported && !slices.Contains(o.acked, s.out.said.outcome) {
		m.fault("reported is said after a 2xx: %v", s.out.said.outcome)
	}
}

// checkPatch holds a write that is about to be sent to the rules.
func (m *machine) checkPatch(p *patch) {
	if m.patch != nil {
		m.fault("one PATCH at a time: %v", p.outcome)
	}
	own := m.o.own != (contract.Outcome{})
	switch {
	case m.o.sawOwn && !p.verdict.own && !p.verdict.interim && m.s.pod.known:
		m.fault("a result that was seen is not given up: %v", p.outcome)
	case own && (!p.verdict.own || p.outcome != m.o.own):
		m.fault("a result that was taken is what is sent: %v", p.outcome)
	case p.verdict.own && !own && !m.s.believes(p.verdict):
		m.fault("an own result is one that was taken: %v", p.outcome)
	case p.outcome.Status == contract.True && (!p.verdict.own || p.outcome.Reason != "Ready"):
		m.fault("nothing but the adapter's own says True: %v", p.outcome)
	}
	m.checkGuard(p)
	m.checkMetadata(p)
	if o := &m.o; o.patchedOK && !o.patchedInterim && o.news < o.sent && p.outcome != o.acked[len(o.acked)-1] {
		m.fault("what was told for good is not changed by the clock: %v, then %v", o.acked[len(o.acked)-1], p.outcome)
	}
	m.o.ord++
	m.o.sent = m.o.ord
	o := &m.o
	m.knew = knowledge{
		process: m.process.run,
		ours:    o.podKnown || o.jobKnownOld,
		leaving: o.podKnown && o.deletion != 0 && o.deletion < o.jobRead && (o.podRefusing.IsZero() || m.now.Before(m.refusedFor(o.podRefusing))),
	}
	if !p.verdict.own && !m.c.misconf {
		m.checkRests(p)
		m.checkTruth(p)
	}
}

// checkMetadata: the label says what the condition does, and neither it nor the
// annotation comes again, or costs anything, where it is refused.
func (m *machine) checkMetadata(p *patch) {
	o, carries := &m.o, len(p.what.Labels)+len(p.what.Annotations) > 0
	switch {
	case o.metadataRefused && carries:
		m.fault("a refused label does not come again: %v", p.outcome)
	case !o.metadataRefused && m.c.metadata && (p.what.Labels[labelKey] != string(p.outcome.Status) || p.what.Annotations[annotationKey] == ""):
		m.fault("a report carries its label and its annotation: %v, %v", p.outcome, p.what.Labels)
	case !o.metadataRefusedAt.IsZero() && p.outcome == o.refusedOutcome && o.sick.ord == 0 && m.now.After(o.metadataRefusedAt):
		m.fault("a report goes without its label at once: %v", p.outcome)
	}
	o.metadataRefusedAt = time.Time{}
}

// checkGuard: a True goes by the UID, everything else also by the resourceVersion of a
// Job read in the same attempt, unless that may not be, or cannot be, for long.
func (m *machine) checkGuard(p *patch) {
	o := &m.o
	if p.on.UID == nil && (o.podKnown || o.jobKnown) {
		m.fault("a write carries the UID where one is known: %v", p.outcome)
	}
	long := !o.jobRefusing.IsZero() && !m.now.Before(m.refusedFor(later(o.jobRefusing, o.jobMissed)))
	switch version := p.on.ResourceVersion; {
	case version == nil && p.outcome.Status == contract.True:
	case version == nil && p.verdict.interrupted && o.jobErr != forbidden:
		m.fault("an interruption is guarded unless the Job may not be read: %v", p.outcome)
	case version == nil && !long:
		m.fault("the guard is given up after a minute of refusals: %v, refusing since %v, last %v", p.outcome, m.since(o.jobRefusing), o.jobErr)
	case version == nil:
	case *version == strconv.Itoa(1000+int(o.jobVersion)) && o.jobErr == answered && o.jobRead > o.patched:
	case o.patchedOK && *version == strconv.Itoa(1000+int(o.jobLast)): // as a PATCH's answer has it
	case p.verdict.interrupted && o.jobErr == unable && long && *version == strconv.Itoa(1000+int(o.jobLast)):
	case o.jobErr == unanswered && m.s.stop.begun() && *version == strconv.Itoa(1000+int(o.jobLast)): // nobody has written since
	default:
		m.fault("a guard is the resourceVersion read in this attempt: %s, read %d (answer %d, %d after %d)", *version, o.jobVersion, o.jobErr, o.jobRead, o.patched)
	}
}

// refusedFor is when a refusal that lasts is taken for the last word.
func (m *machine) refusedFor(since time.Time) time.Time {
	until := since.Add(time.Minute)
	if m.s.stop.begun() || m.c.misconf {
		from := later(since, m.s.stop.began())
		until = earlier(until, from.Add(m.s.end().Sub(from)/2))
	}
	return until
}

func (m *machine) since(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return m.now.Sub(t).String()
}

// checkRests: an outcome is told after the look and the readings that it rests on.
func (m *machine) checkRests(p *patch) {
	o, s := &m.o, &m.s
	look := func(k mark) bool { return k.ord != 0 && (o.looked > k.ord || o.sickLast > k.ord && m.sickForLong(p)) }
	switch {
	case s.pod.ended != nil:
		if !look(o.ended) {
			m.fault("an end is told after a look: %v", p.outcome)
		}
		return
	case s.pod.failed:
		if !look(o.failed) {
			m.fault("a Pod's failure is told after a look: %v", p.outcome)
		}
		return
	}
	for _, k := range []mark{o.stopped, o.timedOut, o.settled} {
		if look(k) && m.podReadSince(k) {
			return
		}
	}
	m.fault("what rests on the adapter still running is told after a look and a reading of the Pod: %v", p.outcome)
}

// sickForLong reports whether a filesystem that tells nothing must not cost the report
// as well: for a minute, or half of what a stop leaves.
func (m *machine) sickForLong(p *patch) bool {
	since := m.o.sick.at
	switch stop := &m.s.stop; {
	case since.IsZero():
		return false
	case p.verdict.interim, m.now.Sub(since) >= time.Minute:
		return true
	case stop.begun():
		from := later(since, stop.began())
		return !m.now.Before(midway(from, m.s.reportAt()))
	}
	return false
}

// podReadSince reports whether the Pod was read after something, or could not be for a
// minute, or in a stop was tried.
func (m *machine) podReadSince(k mark) bool {
	o := &m.o
	switch {
	case o.podRead > k.ord, !m.s.stop.deleted.IsZero():
		return true
	case !o.podKnown && o.podRead > 0: // it may not be read, as far as is known
		return true
	case k == o.stopped:
		return o.podTried > k.ord
	}
	return m.now.Sub(k.at) >= readingPatience
}

// leftResult reports whether the adapter's present run has left a file, as can be seen.
func (m *machine) leftResult(least content) bool {
	f, p := &m.w.file, &m.w.pod
	return f.content >= least && f.run == p.run && f.changed.Sub(p.started) > time.Second && m.o.sick.ord == 0
}

// checkTruth: nothing is told that never happened.
func (m *machine) checkTruth(p *patch) {
	w := &m.w.pod
	if m.s.pod.ended != nil && m.c.final(w) && m.leftResult(success1) {
		m.fault("a result that is there wins: %v", p.outcome)
	}
	ended := func(which ...int) bool {
		return slices.ContainsFunc(which, func(end int) bool { return w.had&(1<<end) != 0 })
	}
	switch p.outcome.Reason {
	case contract.ReasonAdapterTimeout:
		if m.o.timedOut.ord == 0 && !m.o.over {
			m.fault("AdapterTimeout is told when time is up")
		}
	case contract.ReasonAdapterOOMKilled:
		if !ended(killedForMemory) {
			m.fault("AdapterOOMKilled is told of one that was")
		}
	case contract.ReasonAdapterExitedWithError:
		if !ended(exited1, exited143) {
			m.fault("AdapterExitedWithError is told of one that has: %v", p.outcome)
		}
	case contract.ReasonAdapterMissingResults:
		if !ended(exited0) || m.leftResult(brokenFile) {
			m.fault("AdapterMissingResults is told of one that exited 0 and left nothing")
		}
	case contract.ReasonAdapterInterrupted:
		if m.o.stopped.ord == 0 && !w.failed && !w.disrupted && !ended(lostEnd) {
			m.fault("AdapterInterrupted is told of one that was: %v", p.outcome)
		}
	}
}

// checkApply holds a write that arrives to what it may replace.
func (m *machine) checkApply(p *patch, knew knowledge) {
	job, w, o := &m.w.job, &m.w.pod, &m.o
	guarded := p.on.ResourceVersion != nil
	switch {
	case job.anew && knew.ours:
		m.fault("a Job made anew is never written to: %v", p.outcome)
	case job.by == thisPod && o.own != (contract.Outcome{}) && job.stands == o.own && !p.verdict.own: // an earlier process's own may come late
		m.fault("an own result is not replaced: by %v", p.outcome)
	case m.beforeStands(guarded) && p.outcome != job.stands && !p.verdict.own:
		m.fault("what an earlier process has set as the adapter's own is not replaced by less: %v by %v", job.stands, p.outcome)
	case m.beforeStands(guarded) && p.outcome != job.stands && m.before.acks == job.stands && !w.deleted && !w.another:
		m.fault("what an earlier process has reported as the adapter's own is not replaced: %v by %v", job.stands, p.outcome)
	case job.by != anotherPod || p.outcome.Status == contract.True:
	case job.stands.Status == contract.True && p.verdict.interrupted && guarded:
		m.fault("another Pod's True is not replaced by an interruption: %v", p.outcome)
	case job.stands.Status == contract.True && guarded && (knew.leaving || m.c.foreign && !w.deleted):
		m.fault("another Pod's True is not replaced by a Pod that is leaving, or no Pod of the Job: %v", p.outcome)
	case job.stands.Status == contract.False && p.outcome.Status == contract.Unknown && guarded:
		m.fault("another Pod's False is not replaced by Unknown: %v", p.outcome)
	}
}

// beforeStands reports whether what stands is what an earlier process has set as the
// adapter's own, as far as a later one can know: a False tells not whose it is.
func (m *machine) beforeStands(guarded bool) bool {
	job := &m.w.job
	return job.by == thisPod && guarded && m.s.pod.known && m.before.own == job.stands && m.before.run == m.w.pod.run && (job.stands.Status == contract.True || m.before.acks == job.stands)
}

// checkDone holds the end to what was acknowledged.
func (m *machine) checkDone() {
	d, o := m.done, &m.o
	own := o.own != (contract.Outcome{})
	switch {
	case own && !d.Superseded && (!d.Own || d.Outcome != o.own):
		m.fault("a result that was taken is how it ends: %s", resultText(*d))
	case d.Delivered && !d.Superseded && !slices.Contains(o.acked, d.Outcome):
		m.fault("delivered is what a 2xx has acknowledged: %s", resultText(*d))
	case d.Delivered && !d.Superseded && d.Outcome != o.acked[len(o.acked)-1]:
		m.fault("delivered is what was acknowledged last: %s", resultText(*d))
	case d.Delivered && strings.HasSuffix(d.Outcome.Message, "may still follow)"):
		m.fault("a run does not end with an interim report")
	case !d.Delivered && !m.w.job.deleted && !m.w.job.anew && (o.writesRefused.IsZero() || m.now.Sub(o.writesRefused) < time.Minute) && m.now.Before(m.s.end()):
		m.fault("a report is not given up before its time: %+v", m.s.out.said)
	case d.Superseded && !m.w.job.anew && !m.w.job.deleted && m.w.job.by == nobody && !m.s.pod.restartingAll:
		m.fault("superseded is where a report stands")
	}
}

// checkKilled: where the server answers something stands before SIGKILL, and where
// there was time to the run has ended.
func (m *machine) checkKilled() {
	o := &m.o
	s := &m.s.stop
	if (m.w.pod.deleted || m.w.pod.another) && (s.deleted.IsZero() || s.deleted.Sub(m.goneAt) > kubeletDelay/2) || m.w.pod.deleting && (s.deletion.IsZero() || s.deletion.Sub(m.deletedAt) > kubeletDelay) {
		return // who does not know how much time there is cannot use it
	}
	if o.stopped.ord == 0 || !o.podKnown || m.now.Sub(o.stopped.at) < minimumGracePeriod {
		return
	}
	well := !o.healthy.IsZero() && !o.healthy.After(o.stopped.at) && o.stopped.at.After(o.asked.Add(15*time.Second))
	if w := &m.w; well && w.job.by == nobody && !w.job.deleted && !w.job.anew {
		m.fault("something stands before SIGKILL")
	}
	if m.now.Sub(m.s.stop.sigterm) >= minimumGracePeriod {
		m.fault("the run ends before SIGKILL: said %+v", m.s.out.said)
	}
}

// checkRest holds the machine to what must be so when there is nothing to do for now.
func (m *machine) checkRest() {
	s, o, w := &m.s, &m.o, &m.w
	if s.stop.kubelets() && m.endedAt.IsZero() && !o.healthy.IsZero() && !o.healthy.After(s.stop.sigterm) && m.now.After(o.asked.Add(15*time.Second)) {
		limit := time.Second
		if m.c.sidecar {
			limit = 2 * time.Second
		}
		if m.now.Sub(s.stop.sigterm) >= limit && w.job.by == nobody && !w.job.deleted && !w.job.anew {
			m.fault("a stop of the kubelet's own is told before SIGKILL: %s after SIGTERM nothing stands", m.now.Sub(s.stop.sigterm))
		}
	}
	if f := &w.file; contentLooks[f.content].kind == fileValid && f.stamp == m.looked && f.run == w.pod.run && !m.c.misconf && o.own == (contract.Outcome{}) && !m.mayDoubt() {
		m.fault("a valid result that was seen is taken")
	}
}

// mayDoubt reports whether it may be unknown whose the file is.
func (m *machine) mayDoubt() bool {
	return !m.o.podKnown || m.c.hostPath || m.process.run > 0 || m.w.pod.run > 0 || m.c.onFailure || m.w.pod.another
}

// probe holds wake to its word: nothing changes before the time it says.
func (m *machine) probe(at time.Time) {
	before := at.Add(-time.Millisecond)
	if !before.After(m.now) {
		return
	}
	s := m.s // next touches no map
	step := s.next(before)
	step.follow.get = false // said in readPod
	step.look = step.look && m.look == nil
	if step != stepNothing {
		m.fault("wake misses nothing: at rest, then %s later %s, %s before wake", before.Sub(m.now), describeStep(step), at.Sub(before))
	}
	if s.out.verdict != m.s.out.verdict || s.out.since.IsZero() != m.s.out.since.IsZero() {
		m.fault("wake misses no verdict: %+v, then %s later %+v", m.s.out.verdict, before.Sub(m.now), s.out.verdict)
	}
}

var stepNothing step

func describeStep(d step) string {
	return fmt.Sprintf("look %v, read Pod %v, read Job %v, patch %v, done %v, follow %+v", d.look, d.readPod, d.readJob, d.patch != nil, d.done != nil, d.follow)
}

// end lets the machine run on, and says what is wrong with how it ends: as things are,
// and with a server that works from now on. What it has ended before it does not again.
func (m *machine) end(n int, ended *sync.Map) []string {
	if m.done != nil {
		return nil
	}
	as := m.copy()
	as.heal()
	if _, known := ended.LoadOrStore(keyOf(as), true); !known {
		as.runOut(0)
		if as.checkEnd(m.now); len(as.wrong) > 0 {
			return as.wrong
		}
	}
	switch {
	case n%256 == 0 && !m.o.healthy.IsZero():
		return m.endInTicks(as)
	case n%16 == 0 && m.o.healthy.IsZero():
		as = m.copy()
		as.runOut(0)
		return as.wrong
	}
	return nil
}

// endInTicks compares how a machine ends with how it does where nothing is left to wake.
func (m *machine) endInTicks(woken *machine) []string {
	if woken.done == nil {
		woken.runOut(0)
	}
	ticks := m.copy()
	ticks.heal()
	ticks.runOut(100 * time.Millisecond)
	if ticks.done != nil && woken.done != nil && len(ticks.wrong) == 0 && *ticks.done == *woken.done && ticks.w.job.stands == woken.w.job.stands && ticks.doneAt.Sub(woken.doneAt).Abs() < 2*time.Second {
		return nil
	}
	if ticks.done == nil || woken.done == nil {
		return append(ticks.wrong, woken.wrong...)
	}
	return append(ticks.wrong, fmt.Sprintf("woken and in ticks it ends alike: %s at %s with %v, %s at %s with %v",
		resultText(*woken.done), woken.doneAt.Sub(explored), woken.w.job.stands, resultText(*ticks.done), ticks.doneAt.Sub(explored), ticks.w.job.stands))
}

func resultText(r Result) string { return fmt.Sprintf("%+v", r) }

// heal makes the server work, and the filesystem.
func (m *machine) heal() {
	m.w.api, m.w.hold, m.w.once = [requests]mode{}, [watching]bool{}, works
	m.w.sick, m.w.holdLook = false, false
	if m.look != nil {
		m.answer(func(m *machine) { m.answerLook(false, false) })
	}
	if m.open && m.muted {
		m.endWatch(errAway)
	}
	m.settle()
}

// runOut lets time pass until the run ends. A native sidecar that has reported gets
// its SIGTERM.
func (m *machine) runOut(tick time.Duration) {
	for range 4 {
		limit := later(m.now, m.begun.Add(exploredWait)).Add(2*deliveryTimeout + time.Duration(m.c.grace)*time.Second + 2*time.Minute)
		for m.done == nil && m.now.Before(limit) && len(m.wrong) == 0 && !m.resting() {
			m.pass(earlier(limit, m.now.Add(10*time.Second)), tick)
		}
		if m.done != nil || len(m.wrong) > 0 {
			return
		}
		if !m.resting() {
			m.fault("every path ends")
			return
		}
		m.sigterm()
	}
	m.fault("every path ends: a native sidecar, after SIGTERM")
}

// resting reports whether a native sidecar has nothing to do but wait for SIGTERM.
func (m *machine) resting() bool {
	return m.downSince.IsZero() && m.c.sidecar && m.s.stop.sigterm.IsZero() && m.s.out.closed && !m.s.out.verdict.interim && m.patch == nil
}

func (m *machine) sigterm() {
	m.hearSigterm()
	m.settle()
}

func (m *machine) hearSigterm() {
	if seen(&m.s.stop.sigterm, m.now) {
		m.s.pod.retryAt = time.Time{}
	}
}

// checkEnd: where the server has answered since a time, the report stands at the end.
func (m *machine) checkEnd(since time.Time) {
	if len(m.wrong) > 0 || m.w.job.deleted || m.w.job.anew || m.killed {
		return
	}
	o, d, s := &m.o, m.done, &m.s
	// A stop that is almost over, or a pause the server has asked for, may be too short.
	if s.stop.begun() && (o.healthy.IsZero() || o.healthy.After(s.stop.began()) || o.asked.After(s.stop.began())) && s.killAt().Sub(since) < 60*time.Second {
		return
	}
	if m.w.job.by == anotherPod && o.replaced { // after this one's
		return
	}
	switch {
	case !d.Delivered:
		m.fault("a report is made where the server answers: %+v, said %+v", resultText(*d), s.out.said)
	case d.Superseded && m.w.job.by != anotherPod && m.process.run == 0 && !s.pod.restartingAll:
		m.fault("superseded by another Pod's")
	case !d.Superseded && o.overtaken:
	case !d.Superseded && (m.w.job.by != thisPod || m.w.job.stands != d.Outcome):
		m.fault("what is delivered stands: %v, not %v", m.w.job.stands, d.Outcome)
	case d.Superseded && o.own.Status == contract.True:
		m.fault("an own success is not superseded")
	case d.Superseded && o.own.Status == contract.False && !m.c.foreign && o.deletion == 0:
		m.fault("an own failure is superseded for a Pod that leaves only")
	}
}
