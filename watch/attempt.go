package watch

import (
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/internal/backoff"
)

// beganPatch notes that what stood may be replaced, acknowledged or not.
func (s *state) beganPatch(p *patch) {
	s.out.patching, s.out.sent[p.outcome], s.out.stands = true, true, contract.Outcome{}
	s.file.taken = s.file.taken || p.verdict.own
}

// sends reports whether a write under way is what would be sent now, where a look at
// the file has found this.
func (s *state) sends(p *patch, found look) bool {
	same := p.verdict.own || s.misconfigured != nil || found.kind == s.file.kind && found.version == s.file.version
	return same && !s.out.since.IsZero() && s.out.verdict == p.verdict && (p.on.UID == nil || *p.on.UID == s.uid())
}

// sawPatch takes in what has become of a write.
func (s *state) sawPatch(p *patch, job *batchv1.Job, err error) {
	out := &s.out
	out.patching = false
	err = genuine(job, err, s.uid() != "")
	a := answerOf(err)
	if a != forbidden {
		out.forbidden = time.Time{}
	} else if out.forbidden.IsZero() {
		out.forbidden = s.now
	}
	present := !out.since.IsZero() && out.verdict == p.verdict
	dropped := s.metadata.drop(p.what, err)
	switch {
	case dropped && present: // the attempt goes on
	case a == answered:
		s.asked(nil)
		s.keepJob(job)
		s.job.patched = s.tick()
		out.acked, out.stands = true, p.outcome
		out.said = line{slog.LevelInfo, msgReported, p.outcome, p.verdict.own, s.pod.restarts, ""}
		if present {
			s.close(out.said)
		}
	case present:
		s.failed(err)
	default:
		s.asked(err)
		out.attempt, out.retryAt = 0, out.askedUntil
	}
}

// close ends the delivery of a verdict: there is nothing more to do for it.
func (s *state) close(said line) step {
	out := &s.out
	out.attempt, out.ready, out.closed, out.closedAt, out.said = 0, 0, true, s.now, said
	out.missedAt = time.Time{}
	return s.finish()
}

// finish ends the run, unless more may be learnt or the kubelet would start it again.
func (s *state) finish() step {
	out := &s.out
	switch {
	case out.verdict.interim, s.pod.sidecar && s.stop.sigterm.IsZero() && s.misconfigured == nil:
		return step{}
	case s.pod.sidecar && !out.verdict.own && s.file.read < s.stopping && s.misconfigured == nil:
		return step{look: true} // the adapter's last act may be known of by nobody
	case !s.pod.synced && s.now.Before(out.closedAt.Add(podTimeout)):
		return step{}
	}
	superseded := out.said.msg == msgSuperseded
	return step{done: &Result{Delivered: true, Superseded: superseded, Own: out.verdict.own && !superseded, Outcome: out.said.outcome}}
}

// failed ends an attempt, to be followed by another one unless that is of no use.
func (s *state) failed(err error) step {
	out := &s.out
	switch a := answerOf(err); {
	case errors.Is(err, errReplaced), a == notFound, a == expired, a == refused:
		return s.giveUp(err)
	case a == forbidden && !out.forbidden.IsZero() && !out.acked && s.now.Sub(out.forbidden) >= refusalTimeout:
		return s.giveUp(err)
	case a == unanswered:
		out.missedAt = s.now
	default:
		out.missedAt = time.Time{}
	}
	if s.stop.latest().After(out.failedAt) {
		out.backoff.Reset() // there is less time than there was
	}
	s.asked(err)
	out.retryAt = s.now.Add(max(1, out.backoff.Next(retryAfter(err)))) // no pause at all would be none that wake tells of
	out.attempt, out.ready = 0, 0
	out.said = line{slog.LevelWarn, msgTrying, s.outcome(out.verdict), out.verdict.own, s.pod.restarts, err.Error()}
	return step{}
}

// retryAt is when the next attempt may begin. A stop that has begun since ends a
// pause that the server has not asked for, and whatever it has asked for there is
// time left for an attempt.
func (s *state) retryAt() time.Time {
	out := &s.out
	at := out.retryAt
	if stopped := s.stop.latest(); stopped.After(out.failedAt) {
		at = earlier(at, later(stopped, out.askedUntil))
	}
	left := s.end().Sub(out.failedAt)
	return earlier(at, out.failedAt.Add(max(left/2, min(left, 100*time.Millisecond))))
}

// asked keeps what the server asked for: it holds for the next verdict as well.
func (s *state) asked(err error) {
	s.out.failedAt, s.out.askedUntil = s.now, time.Time{}
	if wait := min(retryAfter(err), backoff.MaxRetryAfter); wait > 0 {
		s.out.askedUntil = s.now.Add(wait)
	}
}

// giveUp ends the delivery without a report. An interim one is not worth the run.
func (s *state) giveUp(err error) step {
	out := &s.out
	l := line{slog.LevelError, msgRefused, s.outcome(out.verdict), out.verdict.own, s.pod.restarts, err.Error()}
	if errors.Is(err, errNoTime) {
		if out.superseded && out.verdict.interrupted {
			return s.close(line{slog.LevelWarn, msgSuperseded, l.outcome, false, l.restarts, errSuperseded.Error()})
		}
		l.msg, l.err = msgNoTime, out.said.err
	}
	if out.verdict.interim {
		return s.close(l)
	}
	out.said, out.over = l, &Result{Own: out.verdict.own, Outcome: l.outcome}
	return step{done: out.over}
}

// unreachable reports whether an attempt has met no API server a moment ago. The
// watch then waits for the next attempt: a fleet must not come back with twice the
// requests. The time is above the longest pause between two attempts.
func (s *state) unreachable() bool {
	return s.now.Before(s.out.missedAt.Add(unreachableFor))
}

const unreachableFor = 15 * time.Second

// wake is when the clock alone may change the delivery.
func (out *delivery) wake(s *state) []time.Time {
	times := []time.Time{s.prereadAt()}
	if !out.since.IsZero() {
		times = append(times, s.retryAt(), out.since.Add(firstAnswersTimeout), s.end(), s.overdueAt())
	}
	if out.closed {
		times = append(times, out.closedAt.Add(podTimeout))
	}
	if !out.missedAt.IsZero() {
		times = append(times, out.missedAt.Add(unreachableFor))
	}
	return times
}

// takePrior takes in what an earlier run of this native sidecar has left in its
// termination message: the adapter's own result of its present run, reported. That
// stands, whatever has become of the file.
func (out *delivery) takePrior(f facts, kind batchv1.JobConditionType) {
	var last struct {
		Msg             string                   `json:"msg"`
		Type            batchv1.JobConditionType // another reporter's, of the same Pod, has another one
		Own             bool                     `json:"own"`
		AdapterRestarts *int32                   `json:"adapterRestarts"`
		contract.Outcome
	}
	if out.prior != nil || json.Unmarshal([]byte(wholeLine(f.lastReport)), &last) != nil {
		return
	}
	if last.Msg == msgReported && last.Own && last.Type == kind && last.AdapterRestarts != nil && *last.AdapterRestarts == f.restarts {
		if len(out.sent) == 0 { // else it may have been replaced since
			out.stands = last.Outcome
		}
		out.prior, out.sent[last.Outcome] = &last.Outcome, true
	}
}

// wholeLine mends a line that the kubelet has cut: all containers of a Pod share 12 KiB
// of termination messages, so that each of twelve has 1 KiB. What tells whose report
// it was comes before the message.
func wholeLine(line string) string {
	if json.Valid([]byte(line)) {
		return line
	}
	head, _, _ := strings.Cut(line, `,"message":`) // in a value its quotes would be escaped
	return head + "}"
}
