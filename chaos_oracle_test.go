package main

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
}

func (a allowed) meets(o contract.Outcome) bool {
	return a.Status == o.Status && a.Reason == o.Reason &&
		(a.Message == o.Message || a.prefix && strings.HasPrefix(o.Message, a.Message))
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
}

// confirmed: what rests on the adapter still running is told only after a
// reading of the Pod from then on, unless that is refused, or fails for half an
// hour.
func (v view) confirmed(since time.Duration) bool {
	return v.until >= since || v.denied || v.loose && v.at-since >= 30*time.Minute
}

// says is what may be told of a view in which there is no valid result.
func (w *world) says(v view) []allowed {
	p := v.pod
	if p != nil && p.last != nil && !p.running && (p.deleting || p.failed != "" || !w.restarts(p.last)) {
		return w.ofEnding(v, p.last)
	}
	if p != nil && p.failed != "" {
		return w.cutShort(v)
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
		all = append(all, allowed{v.file.want, v.file.prefix})
	}
	if w.due(v) {
		all = append(all, w.cutShort(v)...)
	}
	return all
}

func (w *world) restarts(e *ending) bool { return w.s.onFailure && e.code != 0 }

// due tells that a stop has gone on for so long that something must be told.
func (w *world) due(v view) bool {
	var began, sigterm, deleted time.Duration = -1, -1, -1
	if len(w.sigterms) > 0 && w.sigterms[0] <= v.at {
		sigterm = w.sigterms[0]
		began = sigterm
	}
	if v.pod != nil && v.pod.gone {
		return true
	}
	if v.pod != nil && v.pod.deleting {
		deleted = w.first(func(s snapshot) bool { return s.pod.deleting })
		if began < 0 || deleted < began {
			began = deleted
		}
	}
	if began < 0 {
		return false
	}
	grace := 30 * time.Second
	if v.pod != nil {
		grace = v.pod.grace
	}
	return v.loose || w.s.sidecar && sigterm >= 0 && deleted >= 0 || v.at >= began+grace-min(5*time.Second, grace/2)
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
// A regular sidecar is told to stop together with the adapter.
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
			Message: "Adapter container exited with code 0 but wrote no result file at " + w.path}})
	}
	return append(all, unusable(v.file))
}

func unusable(f file) allowed {
	if f.kind == invalid {
		return allowed{f.want, f.prefix}
	}
	return allowed{contract.Outcome{Status: contract.False, Reason: contract.ReasonInvalidResultFormat,
		Message: "Failed to parse adapter result: "}, true}
}

func (w *world) timedOut(v view) []allowed {
	switch {
	case v.file.kind != absent:
		return []allowed{unusable(v.file)}
	case v.pod != nil && v.pod.last != nil && v.pod.last.bad():
		return w.ofEnding(v, v.pod.last)
	}
	message := "Adapter did not produce results within " + w.s.wait.String()
	if v.pod != nil && v.pod.waiting != "" {
		message += " (container is waiting: " + v.pod.waiting + ")"
	}
	return []allowed{{Outcome: contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterTimeout, Message: message}}}
}

// cutShort is what a run that somebody else ends may tell.
func (w *world) cutShort(v view) []allowed {
	switch {
	case v.file.kind != absent:
		return []allowed{unusable(v.file)}
	case v.pod != nil && v.pod.last != nil && v.pod.last.bad():
		return w.ofEnding(v, v.pod.last)
	}
	return w.interrupted(v)
}

func (w *world) interrupted(v view) []allowed {
	if v.job != nil && v.job.deadline {
		return []allowed{{contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterTimeout,
			Message: "Adapter did not produce results before the Job's deadline (DeadlineExceeded: "}, true}}
	}
	gone := v.pod != nil && v.pod.gone
	with := func(again bool) allowed {
		o := contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterInterrupted,
			Message: "Adapter was stopped before it produced results: "}
		if again {
			o.Status = contract.Unknown
		}
		return allowed{o, true}
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
