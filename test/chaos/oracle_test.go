package chaos

import (
	"strings"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

// The oracle knows what there was to see at each time, and what may be said of
// it. It shares no code with the decision that it judges.

// allowed is a condition that may stand.
type allowed struct {
	contract.Outcome
	prefix bool // the message may go on
	suffix string
}

func (a allowed) meets(o contract.Outcome) bool {
	message, found := strings.CutSuffix(o.Message, interimWords)
	return a.Status == o.Status && a.Reason == o.Reason && found == (a.suffix != "") &&
		(a.Message == message || a.prefix && strings.HasPrefix(message, a.Message))
}

// view is one way to have seen the world at a time: with the file, the Pod and
// the Job each as it was then or, in times of trouble, a while ago.
type view struct {
	at     time.Duration
	file   file
	pod    *podTruth     // nil: never seen
	until  time.Duration // the Pod was like this until then
	job    *jobTruth     // nil: it cannot be read
	loose  bool          // the Pod cannot be read, or not reliably
	denied bool          // the server refuses to let the Pod be read
	prompt bool          // and answers as it does on good days
}

// confirmed reports whether what rests on the adapter still running may be told:
// after a reading of the Pod from then on, unless that is refused, or fails for a
// minute.
func (v view) confirmed(since time.Duration) bool {
	return v.until >= since || v.denied || v.loose && v.at-since >= time.Minute
}

// says is what may be told of a view in which there is no valid result.
func (w *world) says(v view) []allowed {
	p := v.pod
	switch {
	case w.restartsAll(v):
		return nil
	case p != nil && p.last != nil && !p.running && (p.over() || !w.restarts(p.last)):
		return w.ofEnding(v, p.last)
	case p != nil && p.failed != "":
		return w.interrupted(v)
	}
	var all []allowed
	if p != nil && p.last != nil && !p.running && p.gone { // a forced deletion is told before the Pod is gone
		all = w.ofEnding(v, p.last)
	}
	if v.at >= w.s.wait && v.confirmed(w.s.wait) {
		all = append(all, w.timedOut(v)...)
	}
	settled := v.file.since + max(10*time.Second, w.s.poll)
	if v.file.kind == invalid && v.at >= settled && v.confirmed(settled) {
		all = append(all, allowed{Outcome: v.file.want, prefix: v.file.prefix})
	}
	early, late := w.reportAt(v)
	if early >= 0 && v.at >= early {
		all = append(all, w.cutShort(v, early)...)
	}
	if at := w.interimAt(v); at >= 0 && v.at >= at && (late < 0 || v.at <= late) {
		all = append(all, interim(w.interrupted(v))...)
	}
	return all
}

// restartsAll reports whether all of the Pod's containers are started again, which is
// no end unless it does not come in time.
func (w *world) restartsAll(v view) bool {
	_, sigterm, _ := w.stopBegan(v)
	return v.pod != nil && v.pod.restartingAll && !v.pod.deleting && !v.pod.gone && (sigterm >= 0 || v.at < w.s.wait)
}

func (w *world) restarts(e *ending) bool {
	return w.s.onFailure && e.code != 0 || w.s.restartsAll && e.code == restartCode
}

// stopBegan is when the stop began as the view has it; -1: it has not.
func (w *world) stopBegan(v view) (began, sigterm, deleted time.Duration) {
	began, sigterm, deleted = -1, -1, -1
	if len(w.sigterms) > 0 && w.sigterms[0] <= v.at {
		sigterm, began = w.sigterms[0], w.sigterms[0]
	}
	if v.pod != nil && v.pod.deleting {
		deleted = w.first(func(s snapshot) bool { return s.pod.deleting })
		if began < 0 || deleted < began {
			began = deleted
		}
	}
	return began, sigterm, deleted
}

// reportAt is when a stop must be told as what is known then: not before one time
// and, where answers have been quick, not after the other; -1: there is none.
func (w *world) reportAt(v view) (early, late time.Duration) {
	began, sigterm, deleted := w.stopBegan(v)
	switch {
	case v.pod != nil && v.pod.gone:
		return 0, 0
	case began < 0:
		return -1, -1
	case w.s.sidecar && sigterm >= 0 && deleted >= 0:
		at := max(sigterm, deleted)
		return at, at
	}
	grace := 30 * time.Second
	if v.pod != nil {
		grace = v.pod.grace
	}
	late = began + grace - min(5*time.Second, grace*2/3)
	early = late
	if w.slow(v.at) && !v.prompt {
		early = began + grace/3
	}
	if v.loose { // the deletion, and with it the stop, may have been seen late
		late = -1
	}
	return early, late
}

// interimAt is when a stop of the kubelet's own, or a long one, is told; -1: not at all.
func (w *world) interimAt(v view) time.Duration {
	began, sigterm, deleted := w.stopBegan(v)
	switch {
	case began < 0 || v.pod != nil && v.pod.gone:
		return -1
	case deleted >= 0:
		return began + 25*time.Second
	case v.pod != nil && (w.s.sidecar || w.s.restartsAll):
		return sigterm + time.Second
	}
	return sigterm + 500*ms
}

// slow reports whether an answer has taken so long that the margin for the write is wider.
func (w *world) slow(by time.Duration) bool {
	for _, t := range w.troubles {
		if t.from <= by {
			return true
		}
	}
	return false
}

const interimWords = " (the Pod is being stopped; a result may still follow)"

func interim(of []allowed) (all []allowed) {
	for _, a := range of {
		a.suffix = interimWords
		all = append(all, a)
	}
	return all
}

func (w *world) first(what func(s snapshot) bool) time.Duration {
	for _, s := range w.past {
		if what(s) {
			return s.at
		}
	}
	return -1
}

// endedByOthers is when somebody else began to end the adapter; -1: nobody has.
// A second container is told to stop together with the adapter.
func (w *world) endedByOthers(v view) time.Duration {
	since := time.Duration(-1)
	if v.pod.disturbed() {
		since = v.pod.disturbedAt
	}
	if !w.s.sidecar && len(w.sigterms) > 0 && w.sigterms[0] <= v.at && (since < 0 || w.sigterms[0] < since) {
		since = w.sigterms[0]
	}
	return since
}

func (w *world) ofEnding(v view, e *ending) []allowed {
	var all []allowed
	if e.guess {
		return w.interrupted(v)
	}
	if since := w.endedByOthers(v); since >= 0 && !e.oom && (e.code == 137 || e.code == 143) {
		interrupted := w.interrupted(v)
		if e.at >= since {
			return interrupted
		}
		if v.loose || w.s.noWatch { // which of them came first cannot be told
			all = interrupted
		}
	}
	if e.bad() {
		return append(all, allowed{Outcome: e.outcome()})
	}
	if v.file.kind == absent {
		return append(all, allowed{Outcome: contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterMissingResults,
			Message: "Adapter container exited with code 0 but wrote no result file at " + w.Path}})
	}
	return append(all, unusable(v.file))
}

func unusable(f file) allowed {
	if f.kind == invalid {
		return allowed{Outcome: f.want, prefix: f.prefix}
	}
	return allowed{Outcome: contract.Outcome{Status: contract.False, Reason: contract.ReasonInvalidResultFormat,
		Message: "Failed to parse adapter result: "}, prefix: true}
}

func (w *world) timedOut(v view) []allowed {
	began, _, _ := w.stopBegan(v)
	switch {
	case v.file.kind == invalid, v.file.kind == empty && began < 0:
		return []allowed{unusable(v.file)}
	}
	message := "Adapter did not produce results within " + w.s.wait.String()
	if v.pod != nil && v.pod.waiting != "" {
		message += " (container is waiting: " + v.pod.waiting + ")"
	}
	o := contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterTimeout, Message: message}
	return v.pod.orCrash(w, v, w.s.wait, w.s.wait, []allowed{{Outcome: o}}, allowed{Outcome: contract.Outcome{
		Status: o.Status, Reason: o.Reason, Message: message + "; an earlier run "}, prefix: true})
}

// cutShort is what a run that somebody else ends may tell.
func (w *world) cutShort(v view, from time.Duration) []allowed {
	if v.file.kind == invalid {
		return []allowed{unusable(v.file)}
	}
	interrupted := w.interrupted(v)
	return v.pod.orCrash(w, v, from, v.at, interrupted, interrupted...)
}

// orCrash is what may be told of an adapter that has not ended for good: the last
// known crash where it is in a loop as of when that was to be told, some time between
// two, else the first; behind an older crash the others.
func (p *podTruth) orCrash(w *world, v view, from, to time.Duration, without []allowed, behind ...allowed) (all []allowed) {
	if p == nil || p.last == nil || !p.last.bad() || p.last.guess {
		return without
	}
	const loop = time.Minute
	ran := func(at time.Duration) time.Duration { return (at - p.startedAt).Abs() }
	nearest := min(max(p.startedAt, from), to)
	if !p.running || ran(nearest) < loop+instant {
		all = append(all, w.ofEnding(v, p.last)...)
	}
	if p.running && max(ran(from), ran(to)) > loop-time.Second-instant { // the kubelet cuts to seconds
		all = append(all, behind...)
	}
	return all
}

func (w *world) interrupted(v view) []allowed {
	if v.job != nil && v.job.deadline {
		return []allowed{{Outcome: contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterTimeout,
			Message: "Adapter did not produce results before the Job's deadline (DeadlineExceeded: "}, prefix: true}}
	}
	gone := v.pod != nil && v.pod.gone
	with := func(again bool) allowed {
		o := contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterInterrupted,
			Message: "Adapter was stopped before it produced results: "}
		if again {
			o.Status = contract.Unknown
		}
		return allowed{Outcome: o, prefix: true}
	}
	if v.job == nil {
		return []allowed{with(false)}
	}
	all := []allowed{with(v.job.mayTryAgain(gone))}
	if v.loose {
		all = append(all, with(v.job.mayTryAgain(!gone)))
	}
	return all
}
