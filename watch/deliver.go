package watch

import (
	"errors"
	"log/slog"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/internal/backoff"
)

const (
	// firstAnswersTimeout is how long a report waits to learn which Job it is for.
	firstAnswersTimeout = time.Second
	// podTimeout is how long a reporter that is done waits to learn how the kubelet
	// takes its end.
	podTimeout = 5 * time.Second
	// deliveryTimeout bounds the delivery of a verdict where the Pod's end does not.
	deliveryTimeout = 30 * time.Minute
	// deliveryBackoff is the longest pause between two attempts: a thousand reporters
	// that met no server for a while come back at a rate of 1,000 in 9 s.
	deliveryBackoff = 12 * time.Second
	// misconfiguredTimeout bounds the report of a reporter that cannot start.
	misconfiguredTimeout = 30 * time.Second
	// refusalTimeout is how long an API server must have refused before that is
	// taken for its last word: Roles come late, and a server just started allows
	// nothing.
	refusalTimeout = time.Minute
	// exitMargin is kept of the grace period for the log and the termination message.
	exitMargin = 200 * time.Millisecond
)

// delivery is what has become of the report so far. Attempts are made one at a time,
// until one is acknowledged, is refused for good, or no time is left: then it is
// closed. A new verdict opens it again: all but what may stand on the Job belongs to
// one verdict, and goes with it. It is a part of state: no effects, no lock.
type delivery struct {
	verdict    verdict
	since      time.Time // when this became the verdict; zero: there is none
	attempt    seq       // when the attempt under way began; 0: none is
	ready      seq       // when all but a last look was there
	retryAt    time.Time // not before this does the next attempt begin, see state.retryAt
	failedAt   time.Time // when the last attempt of any verdict has failed
	askedUntil time.Time // by the server's Retry-After, whatever the verdict
	backoff    backoff.Backoff
	forbidden  time.Time // since when PATCHes have had nothing but a 403 of the API server's
	missedAt   time.Time // when the last attempt ended without an answer of the API server's
	closed     bool      // the verdict has been dealt with
	closedAt   time.Time
	over       *Result
	said       line

	patching   bool
	acked      bool                      // a PATCH has been acknowledged: the right is there
	sent       map[contract.Outcome]bool // may stand on the Job, acknowledged or not
	stands     contract.Outcome          // acknowledged, and nothing was sent since
	superseded bool                      // another Pod's report stood, which this one is not to replace
	prior      *contract.Outcome         // what an earlier run of this native sidecar has reported of this run of the adapter
}

// line is a word about the report, for the log and the kubelet.
type line struct {
	level    slog.Level
	msg      string
	outcome  contract.Outcome
	own      bool
	restarts int32 // of the adapter, see delivery.takePrior
	err      string
}

const (
	msgReported   = "reported"
	msgSuperseded = "not reported: a report stands on the Job already"
	msgRefused    = "not reported: the API server refuses it"
	msgNoTime     = "not reported: no time is left"
	msgTrying     = "the report is not delivered yet; trying on"
)

// patch is a write to be made.
type patch struct {
	verdict verdict
	outcome contract.Outcome
	on      metav1.Preconditions
	what    *batchv1.Job
}

var (
	errReplaced   = errors.New("the Job was deleted and made anew under the same name; this report belongs to its predecessor")
	errSuperseded = errors.New("the Job has a report already")
	errNoTime     = errors.New("no time is left")
	errPodUnread  = errors.New("the Pod, by which another Pod's report is to be judged, cannot be read")
)

func newDelivery(c Config) delivery {
	return delivery{sent: map[contract.Outcome]bool{}, backoff: backoff.Backoff{Min: 100 * time.Millisecond, Max: deliveryBackoff, Rand: c.rand}}
}

// track starts the clock of each new verdict. One that is gone leaves nothing
// behind but what may stand on the Job and what the server has asked for.
func (s *state) track(v *verdict) {
	out := &s.out
	switch {
	case v == nil:
		if !out.since.IsZero() {
			out.reset()
			out.attempt = 0
		}
		return
	case out.since.IsZero() || *v != out.verdict:
		first := out.since.IsZero()
		if first {
			out.forbidden = time.Time{} // nothing was asked for meanwhile
		}
		out.reset()
		out.verdict, out.since = *v, s.now
		if first && out.attempt == 0 && s.wasRead(v) {
			out.attempt = s.stopping
		}
	}
	s.file.taken = s.file.taken || v.own && s.origin() != originBelieved
	s.mark(&out.attempt, out.attempt != 0 || !out.closed && !s.now.Before(s.retryAt()))
}

// wasRead reports whether what was read since a stop of the kubelet's own began is
// fresh enough: for the interruption, before anything was sent.
func (s *state) wasRead(v *verdict) bool {
	return v.interim && v.interrupted && s.stop.kubelets() && s.out.failedAt.Before(s.stop.sigterm) && s.out.askedUntil.IsZero()
}

// reset forgets the verdict. An attempt under way goes on for the next one: what
// it has read is as fresh for that.
func (out *delivery) reset() {
	out.since, out.ready, out.closed, out.closedAt = time.Time{}, 0, false, time.Time{}
	out.retryAt, out.over = out.askedUntil, nil
	out.backoff.Reset()
	if out.said.msg != msgReported {
		out.said = line{}
	}
}

// end is when the delivery is given up.
func (s *state) end() time.Time {
	end := s.out.since.Add(deliveryTimeout)
	if s.misconfigured != nil {
		end = s.started.Add(misconfiguredTimeout)
	}
	if s.stop.begun() {
		end = earlier(end, s.killAt().Add(-exitMargin))
	}
	return end
}

// deliver says what a verdict needs in order to stand on the Job: the Pod and the
// Job as they are now, a last look at the file, the write. A True goes by the UID,
// everything else also by the resourceVersion of a Job read in the same attempt:
// a request that is held up on the way must not undo what came after it.
func (s *state) deliver(v verdict, blind bool) step {
	if wait, holds := s.hold(v); holds {
		return wait
	}
	guarded := v.result.Status != contract.True
	if lacks, enough := s.lacks(v, guarded, blind); !enough {
		return lacks
	}
	guarded, err := s.guard(v, guarded)
	if err != nil {
		return s.failed(err)
	}
	o := s.outcome(v)
	switch c := condition(s.job.last, s.conditionType); {
	case guarded && c != nil && !s.out.sent[outcomeOf(c)] && s.supersedes(c, v, o):
		s.out.superseded = true
		return s.close(line{slog.LevelWarn, msgSuperseded, o, v.own, s.pod.restarts, errSuperseded.Error()})
	case s.out.stands == o && c != nil && outcomeOf(c) == o:
		return s.close(line{slog.LevelInfo, msgReported, o, v.own, s.pod.restarts, ""})
	}
	return step{patch: s.newPatch(v, o, guarded)}
}

// hold says to wait, or that all is over.
func (s *state) hold(v verdict) (wait step, holds bool) {
	out := &s.out
	learning := (!s.pod.synced || s.job.tried == 0) && s.misconfigured == nil && !v.interim && !s.stop.kubelets()
	switch {
	case out.over != nil:
		return step{done: out.over}, true
	case out.prior != nil && out.stands == *out.prior && !out.closed:
		return s.close(line{slog.LevelInfo, msgReported, *out.prior, true, s.pod.restarts, ""}), true
	case out.patching: // whatever comes meanwhile, it may stand
		return step{}, true
	case out.closed:
		return s.finish(), true
	case !s.now.Before(s.end()):
		return s.giveUp(errNoTime), true
	case learning && s.now.Before(out.since.Add(firstAnswersTimeout)):
		return step{readJob: s.pod.synced && s.job.tried == 0}, true
	}
	return step{}, out.attempt == 0 // a pause
}

func (s *state) newPatch(v verdict, o contract.Outcome, guarded bool) *patch {
	p := &patch{verdict: v, outcome: o, what: &batchv1.Job{Status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{s.condition(o)}}}}
	if uid := s.uid(); uid != "" {
		p.on.UID = &uid
	}
	if guarded {
		p.on.ResourceVersion = &s.job.last.ResourceVersion
	}
	s.describe(p)
	return p
}

// condition makes the outcome a condition. Its lastTransitionTime moves only when
// the status changes, as the API conventions have it.
func (s *state) condition(o contract.Outcome) batchv1.JobCondition {
	now := metav1.NewTime(s.now)
	c := batchv1.JobCondition{
		Type: s.conditionType, Status: corev1.ConditionStatus(o.Status), Reason: o.Reason, Message: o.Message,
		LastProbeTime: now, LastTransitionTime: now,
	}
	if old := condition(s.job.last, c.Type); old != nil && old.Status == c.Status && !old.LastTransitionTime.IsZero() {
		c.LastTransitionTime = old.LastTransitionTime
	}
	return c
}

// condition finds a condition of the Job by its type; nil where it has none.
func condition(job *batchv1.Job, kind batchv1.JobConditionType) *batchv1.JobCondition {
	if job == nil {
		return nil
	}
	for i := range job.Status.Conditions {
		if job.Status.Conditions[i].Type == kind {
			return &job.Status.Conditions[i]
		}
	}
	return nil
}

func outcomeOf(c *batchv1.JobCondition) contract.Outcome {
	return contract.Outcome{Status: contract.ConditionStatus(c.Status), Reason: c.Reason, Message: c.Message}
}
