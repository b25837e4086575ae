package chaos

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/internal/reporter"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// judgeEnd: the run ends in time, and says what has become of the report.
func (w *world) judgeEnd(v *verdict, claims []claim, told bool) {
	if w.mustReport() && len(w.acknowledgedOf(w.requests())) == 0 {
		v.fail("lost", "nothing is told in a slow drain")
	}
	if w.killed {
		v.outcome = "killed, and the Pod could not be read"
		if w.s.kubelets {
			v.outcome = "killed by the kubelet's own stop"
		} else if w.s.slow > 0 {
			v.outcome = "killed in a slow drain"
		} else if w.legible() {
			v.fail("late", "runs on until SIGKILL at %s", w.s.kill)
		}
		return
	}
	switch {
	case w.stands > 0:
		v.outcome = "another Pod's report left alone"
		w.judgeCode(v, claim{Outcome: contract.Outcome{Status: contract.Unknown}, at: w.ended})
		if !w.otherBefore(w.ended) {
			v.fail("false", "exit code %d, another's report is said to stand", w.code)
		}
	case w.leftToTheNext() && w.code == reporter.ExitInterrupted && len(claims) == 0:
		v.outcome = "left to the next reporter"
	case w.code == reporter.ExitUndelivered:
		v.outcome = "told undeliverable"
		if !told || !strings.Contains(w.terminationText(), "not reported") {
			v.fail("false", "exit code 3, but log and termination message do not tell")
		}
	case len(claims) == 0:
		v.fail("false", "exit code %d without a claim", w.code)
	default:
		v.outcome, v.reason = "delivered", claims[len(claims)-1].Reason
		w.judgeCode(v, claims[len(claims)-1])
	}
}

// mustReport reports whether a slow drain leaves time for a report: for answers as slow as
// a sixth of the grace period, unless somebody changes the Job in the last moment. A native
// sidecar that may not read its Pod knows of the stop when it is over.
func (w *world) mustReport() bool {
	lost := w.first(func(s snapshot) bool { return s.job.lost })
	contended := slices.ContainsFunc(w.requests(), func(r kubetest.Request) bool { return r.Code == http.StatusConflict })
	return w.s.slow > 0 && w.s.grace >= 6*w.s.slow && !w.s.noJobs && !(w.s.sidecar && w.s.noPods) && !contended && lost < 0 && !w.otherBefore(w.ended)
}

// leftToTheNext reports whether the next reporter of this Pod goes on.
func (w *world) leftToTheNext() bool { return w.pod.restartingAll && len(w.sigterms) > 0 }

func (w *world) judgeCode(v *verdict, c claim) {
	want := reporter.ExitFault
	if c.Status == contract.Unknown {
		want = reporter.ExitInterrupted
	}
	blind := w.s.onFailure && (w.s.noPods || w.troubled(c.at)) && w.code == want
	if w.own(c.Outcome) || w.s.onFailure {
		want = reporter.ExitReported
	}
	if w.leftToTheNext() && w.code == reporter.ExitInterrupted && c.Reason == contract.ReasonAdapterInterrupted {
		return
	}
	if w.code != want && !blind {
		v.fail("false", "exit code %d after %v, want %d", w.code, c.Outcome, want)
	}
}

// succeeded reports whether whatever result the reporter has seen by a time is a success,
// which goes by the UID alone.
func (w *world) succeeded(by time.Duration) bool {
	all := w.results()
	all = slices.DeleteFunc(all, func(r result) bool { return r.since > by })
	return len(all) > 0 && !slices.ContainsFunc(all, func(r result) bool { return r.want.Status != contract.True })
}

// own reports whether an outcome is a result of the adapter's.
func (w *world) own(o contract.Outcome) bool {
	for _, r := range w.results() {
		if r.want == o {
			return true
		}
	}
	return w.s.stale != nil && w.s.stale.kind == valid && w.s.stale.want == o // believed where nothing told for a minute
}

func (w *world) otherBefore(at time.Duration) bool {
	for _, x := range w.writes {
		if x.other && x.at <= at {
			return true
		}
	}
	return false
}

// legible reports whether the reporter could read Pod and Job all through the stop.
func (w *world) legible() bool {
	began := w.sigterms[0]
	if w.s.stopAt > 0 {
		began = min(began, w.s.stopAt)
	}
	for _, t := range w.troubles {
		if t.from < w.s.kill && t.to+recovery+w.s.wishes > began {
			return false
		}
	}
	return !w.s.noPods && !w.s.noJobs
}

// judgeTime: what can be delivered is delivered, and soon.
func (w *world) judgeTime(v *verdict, reqs []kubetest.Request) {
	patience := w.s.poll + 1200*ms
	if w.s.noWatch {
		patience += max(5*time.Second, w.s.poll)*5/4 + time.Second
	}
	end := w.ended
	if w.killed {
		end = w.s.kill
	}
	for _, from := range w.moments() {
		ready := w.ready(from)
		until := from + patience
		if from == w.interimMoment() { // SIGKILL may be next
			if until = from + 250*ms; w.otherBefore(until) { // says more
				continue
			}
			if w.s.noJobs { // what is told instead may wait for a Role, and the file is looked at now and then
				until += w.s.poll
			}
		}
		if w.s.noJobs && !(len(ready) == 1 && ready[0].Status == contract.True && w.succeeded(until)) { // what is to be guarded waits for a Role that may come yet
			until = max(until, w.refusedUntil(from))
		}
		if w.otherBefore(from) && w.Log.Has("not reported: a report stands on the Job already") {
			continue
		}
		if len(ready) == 0 || from < 0 || from >= end || w.s.kill > 0 && until > w.s.kill-300*ms || w.excused(from, until) {
			continue
		}
		steady := true
		for _, at := range w.moments() {
			steady = steady && (at < from || at > until || len(w.ready(at)) > 0)
		}
		if !steady || w.done(reqs, until) {
			continue
		}
		v.fail("lost", "since %s there has been something to tell, %+v, and by %s nothing is", from, ready, until)
		return
	}
}

// interimMoment is when a stop of the kubelet's own is to be told.
func (w *world) interimMoment() time.Duration {
	if len(w.sigterms) == 0 || w.pod.deleting || w.pod.gone {
		return -1
	}
	return w.interimAt(view{at: w.sigterms[0], pod: &w.pod})
}

// refusedUntil is when a refusal to let the Job be read, which any other trouble
// interrupts, has lasted for a minute: dead connections are found out late, and pauses are long by then.
func (w *world) refusedUntil(from time.Duration) time.Duration {
	const refused = 100 * time.Second
	until := w.calmSince(from) + refused
	for w.calmSince(until)+refused > until {
		until = w.calmSince(until) + refused
	}
	return until
}

// calmSince is when the last trouble before a time was over.
func (w *world) calmSince(at time.Duration) (since time.Duration) {
	for _, t := range w.troubles {
		if t.from < at {
			since = max(since, t.to)
		}
	}
	return since
}

// moments are when something may have come to be ready: everything that
// happened, and what the clock brings about.
func (w *world) moments() (all []time.Duration) {
	all = append(all, w.s.wait)
	for _, s := range w.past {
		all = append(all, s.at)
		if s.file.kind == invalid {
			all = append(all, s.file.since+max(10*time.Second, w.s.poll))
		}
		if s.pod.deleting {
			all = append(all, s.at+s.pod.grace-min(5*time.Second, s.pod.grace*2/3))
		}
	}
	all = append(all, w.interimMoment())
	for _, at := range w.sigterms {
		all = append(all, at, at+w.pod.grace-min(5*time.Second, w.pod.grace*2/3))
	}
	for _, t := range w.troubles {
		all = append(all, t.to+recovery+w.s.wishes+instant)
	}
	return all
}

// ready is what there is to tell at a time, seen without delay.
func (w *world) ready(at time.Duration) []allowed {
	var now snapshot
	for _, s := range w.past {
		if s.at <= at {
			now = s
		}
	}
	if now.file.kind == valid && !now.file.stale {
		return []allowed{{Outcome: now.file.want}}
	}
	var ready []allowed
	for _, file := range w.filesOf(now.file, &now.pod, false) {
		view := view{at: at, file: file, pod: &now.pod, until: w.until(now), job: &now.job, prompt: true}
		if w.s.noPods {
			view.pod, view.denied = nil, true
		}
		if ready = w.says(view); len(ready) == 0 {
			return nil
		}
	}
	return ready
}

// excused reports whether a report may be missing at the end of a span: because of
// trouble, or since there is no Job to write it to.
func (w *world) excused(from, until time.Duration) bool {
	lost := w.first(func(s snapshot) bool { return s.job.lost })
	if lost >= 0 && lost <= until || w.troubled(until) || w.troubled(from) {
		return true
	}
	if w.code != reporter.ExitUndelivered || w.ended >= until {
		return false
	}
	for _, t := range w.troubles { // 403 for a minute is final
		if t.from <= w.ended && t.to-t.from >= time.Minute {
			return true
		}
	}
	return w.ended >= 30*time.Minute
}

// done reports whether a report has been acknowledged by a time, or the run is over.
func (w *world) done(reqs []kubetest.Request, by time.Duration) bool {
	if w.ended > 0 && w.ended <= by && w.code != reporter.ExitUndelivered || w.stands > 0 && w.stands <= by {
		return true
	}
	for _, r := range w.acknowledgedOf(reqs) {
		if r.Time.Sub(w.Began) <= by {
			return true
		}
	}
	return false
}

func (w *world) troubled(at time.Duration) bool { return w.troubledSince(at) <= at }
