package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/internal/backoff"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi"
	"github.com/openshift-hyperfleet/status-reporter/watch"
)

const (
	// firstAnswers is how long a report waits to learn which Job it is for.
	firstAnswers = time.Second
	// podPatience is how long a reporter that is done waits to learn how the
	// kubelet takes its end.
	podPatience = 5 * time.Second
	// deliveryTime bounds the delivery where the Pod's end does not.
	deliveryTime = 30 * time.Minute
	// deliveryPause is the longest between two attempts: a thousand reporters
	// that met no server for a while come back at a rate of 1,000 in 9 s.
	deliveryPause = 12 * time.Second
	// misconfiguredTime bounds the report of a reporter that cannot start.
	misconfiguredTime = 30 * time.Second
	// guardTime is how long a report waits for the Job's resourceVersion where the
	// Job cannot be read.
	guardTime = time.Minute
	// farewell is kept of the grace period for the log and the termination message.
	farewell = 200 * time.Millisecond
)

// reporter delivers what the observers find.
type reporter struct {
	cfg            config
	log            *slog.Logger
	client         *kubeapi.Client
	terminationLog string
	obs            *watch.Observer // nil in a reporter that is misconfigured
	jobRead        chan struct{}   // closed when the first reading of the Job has had its answer

	first atomic.Pointer[batchv1.Job] // as first read
	job   atomic.Pointer[batchv1.Job] // as last seen
	pod   atomic.Pointer[corev1.Pod]  // where a delivery was faster to read it than the observers
}

// finish writes the last line of the run, and keeps it for the kubelet: as much
// as that reads.
func (r *reporter) finish(level slog.Level, msg string, args ...any) {
	r.log.Log(context.Background(), level, msg, args...)
	f, err := os.OpenFile(r.terminationLog, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return // not in a container
	}
	defer f.Close()
	var line bytes.Buffer
	slog.New(slog.NewJSONHandler(&line, nil)).
		With("job", r.cfg.job, "namespace", r.cfg.namespace, "pod", r.cfg.pod).Log(context.Background(), level, msg, args...)
	f.Write(line.Bytes()[:min(line.Len(), 4096)])
}

// readJob reads the Job once at the start, off the critical path: missing
// rights and names are better known early.
func (r *reporter) readJob(ctx context.Context) {
	_, err := r.getJob(ctx)
	close(r.jobRead)
	if err != nil && ctx.Err() == nil {
		r.log.Warn("the Job cannot be read yet", "error", err)
	}
	select {
	case <-r.obs.Known():
	case <-ctx.Done():
		return
	}
	if owner := r.owner(); owner != nil && owner.Name != r.cfg.job {
		r.log.Warn("JOB_NAME is not the Job that this Pod belongs to", "belongsTo", owner.Name)
	}
}

// owner is the Job that controls the Pod; nil where it is not known or none.
func (r *reporter) owner() *metav1.OwnerReference {
	if r.obs == nil {
		return nil
	}
	pod := cmp.Or(r.obs.Pod(), r.pod.Load())
	if pod == nil {
		return nil
	}
	if owner := metav1.GetControllerOf(pod); owner != nil && owner.Kind == "Job" {
		return owner
	}
	return nil
}

func (r *reporter) getJob(ctx context.Context) (*batchv1.Job, error) {
	job, err := r.client.GetJob(ctx)
	if err == nil {
		r.saw(job)
	}
	return job, err
}

func (r *reporter) saw(job *batchv1.Job) {
	r.first.CompareAndSwap(nil, job)
	r.job.Store(job)
}

// uid is that of the Job which this Pod is for: the Pod's controlling Job where
// that has the name, else the Job first read.
func (r *reporter) uid() types.UID {
	if owner := r.owner(); owner != nil && owner.Name == r.cfg.job {
		return owner.UID
	}
	if first := r.first.Load(); first != nil {
		return first.UID
	}
	return ""
}

// report waits for a verdict and delivers it, and what replaces it while it may.
// It returns the exit code.
func (r *reporter) report(ctx context.Context) int {
	d := newDelivery(r)
	for {
		v, ready := r.obs.Verdict()
		if ready && d.since.IsZero() {
			await(firstAnswers, r.obs.Known(), r.jobRead)
			d.since = time.Now()
		}
		if ready && !v.Own { // a valid result wins over all that is not delivered yet
			v, ready = r.obs.LookAgain(ctx)
		}
		if !ready {
			<-r.obs.Changed()
			continue
		}
		err := d.deliver(ctx, v)
		switch {
		case err == nil && !v.Provisional:
			await(podPatience, r.obs.Known()) // where the report was faster than the Pod's first reading
			return r.exitCode(v.Own, d.delivered.Status)
		case err == nil, errors.Is(err, errStands) && v.Provisional: // the adapter may still write
			<-r.obs.Changed()
			continue
		case errors.Is(err, errStands):
			return r.exitCode(false, contract.Unknown)
		case errors.Is(err, errGivenUp):
			return exitUndelivered
		}
		select {
		case <-time.After(d.wait(v, err)):
		case <-r.obs.Changed(): // the outcome, or the time that is left
		}
	}
}

// await waits for all of these, and no longer than d.
func await(d time.Duration, all ...<-chan struct{}) {
	timeout := time.After(d)
	for _, c := range all {
		select {
		case <-c:
		case <-timeout:
			return
		}
	}
}

// exitCode is 0 for a fault as well where the kubelet would start the reporter
// again and count it against the Job's backoffLimit. Unknown has a code of its
// own: a podFailurePolicy that fails the Job for a fault must not do so for a
// Pod that somebody has deleted.
func (r *reporter) exitCode(own bool, status contract.ConditionStatus) int {
	pod := r.obs.Pod()
	switch {
	case own || pod != nil && pod.Spec.RestartPolicy == corev1.RestartPolicyOnFailure:
		return exitReported
	case status == contract.Unknown:
		return exitInterrupted
	}
	return exitFault
}

func retryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*kubeapi.Error](err); ok {
		return e.Wait
	}
	return 0
}

var (
	// errStands: what another Pod has reported is not to be replaced by this.
	errStands  = errors.New("the Job has a report already")
	errGivenUp = errors.New("given up")
	// errOvertaken is tried again after at once: the verdict has changed.
	errOvertaken = errors.New("the adapter has written its result meanwhile")
)

// delivery is the write, tried until it is done or cannot be.
type delivery struct {
	*reporter
	pause     backoff.Backoff
	since     time.Time                 // of the first attempt
	delivered contract.Outcome          // what stands on the Job by this reporter's doing
	sent      map[contract.Outcome]bool // may stand on the Job, acknowledged or not
	stood     bool                      // another Pod's report did, which this is not to replace
	lastTold  string
}

func newDelivery(r *reporter) *delivery {
	return &delivery{reporter: r, sent: map[contract.Outcome]bool{}, pause: backoff.Backoff{Min: 100 * time.Millisecond, Max: deliveryPause}}
}

// deliver makes one attempt, if there is anything to write. Its error is one
// to try again after, unless it is errStands or errGivenUp.
func (d *delivery) deliver(ctx context.Context, v watch.Verdict) error {
	end := d.end(v)
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	outcome, err := d.attempt(ctx, v)
	about := []any{"type", d.cfg.conditionType, "status", outcome.Status, "reason", outcome.Reason, "message", outcome.Message}
	over := ctx.Err() != nil || !time.Now().Before(end)
	switch {
	case err == nil:
		if d.delivered != outcome {
			d.delivered = outcome
			d.finish(slog.LevelInfo, "reported", about...)
		}
		return nil
	case errors.Is(err, errStands), over && d.stood && outcome.Reason == contract.ReasonAdapterInterrupted:
		d.stood = true
		d.finish(slog.LevelWarn, "not reported: a report stands on the Job already", append(about, "error", err)...)
		return errStands
	case kubeapi.Final(err, time.Since(d.since)):
		d.finish(slog.LevelError, "not reported: the API server refuses it", append(about, "error", err)...)
		return errGivenUp
	case over:
		d.finish(slog.LevelError, "not reported: no time is left", append(about, "error", err)...)
		return errGivenUp
	}
	// SIGKILL may come sooner than can be known, so it is told at once.
	if text := fmt.Sprint(outcome, err); text != d.lastTold {
		d.lastTold = text
		d.finish(slog.LevelWarn, "the report is not delivered yet; trying on", append(about, "error", err)...)
	}
	return err
}

// end is when the delivery is given up.
func (d *delivery) end(v watch.Verdict) time.Time {
	end := d.since.Add(deliveryTime)
	if kill := v.KillAt.Add(-farewell); !v.KillAt.IsZero() && kill.Before(end) {
		return kill
	}
	return end
}

// wait is the pause after an attempt that failed. It leaves time for another
// one: whatever the server wishes, the end comes without regard to it.
func (d *delivery) wait(v watch.Verdict, err error) time.Duration {
	left := time.Until(d.end(v))
	return min(d.pause.Next(retryAfter(err)), max(left/2, min(left, 100*time.Millisecond)))
}

// attempt writes the outcome, unless it stands as delivered already. All but a
// success, and a failure of the adapter's own at the first attempt, is sent with
// the resourceVersion of a Job just read: a PATCH that is held up on the way must
// not undo what came after it.
func (d *delivery) attempt(ctx context.Context, v watch.Verdict) (contract.Outcome, error) {
	d.readPod(ctx)
	job := d.job.Load()
	outcome := v.For(job, nil)
	uid := d.uid()
	needed := v.NeedsJob() || uid == ""
	careful := !v.Own || v.Outcome.Status != contract.True && (!v.KillAt.IsZero() || len(d.sent) > 0)
	if needed || careful {
		fresh, err := d.getJob(ctx)
		switch {
		case err == nil && uid != "" && fresh.UID != uid:
			return outcome, kubeapi.ErrReplaced
		case err == nil:
			job, outcome = fresh, v.For(fresh, d.podAfter(ctx, v))
			if uid = d.uid(); uid != fresh.UID { // the Pod knows better
				return outcome, kubeapi.ErrReplaced
			}
		case forbidden(err):
			job, outcome, careful = nil, v.For(nil, nil), false // as far as it can be told without the Job
		case d.delivered == outcome:
			return outcome, nil // it stands, as far as can be told
		case needed || !v.Own && time.Since(d.since) < guardTime:
			return outcome, err
		default:
			careful = false
		}
	}
	if d.overtaken(ctx, v) { // reading may have taken its time
		return outcome, errOvertaken
	}
	if d.delivered == outcome {
		return outcome, nil
	}
	patch := kubeapi.StatusPatch{UID: uid, Condition: d.condition(outcome, job)}
	if careful {
		c := kubeapi.Condition(job, d.cfg.conditionType)
		if c != nil && !d.sent[outcomeOf(c)] && d.outweighs(ctx, c, outcome) {
			return outcome, fmt.Errorf("%w: %s=%s (%s)", errStands, c.Type, c.Status, c.Reason)
		}
		patch.ResourceVersion = job.ResourceVersion
	}
	d.sent[outcome], d.delivered = true, contract.Outcome{} // whatever stood, this may replace it, acknowledged or not
	after, err := d.client.PatchJobStatus(ctx, patch)
	if err != nil {
		return outcome, err
	}
	d.saw(after)
	return outcome, nil
}

// readPod tries to learn from the Pod which Job is meant, where the observers
// have not been able to: the one of that name may be another by now. A refusal
// may have been the Role's late arrival, and counts only where the Job is known.
func (d *delivery) readPod(ctx context.Context) {
	if d.obs == nil {
		return
	}
	select {
	case <-d.obs.Known():
		if d.uid() != "" {
			return
		}
	default:
	}
	d.getPod(ctx)
}

func (d *delivery) getPod(ctx context.Context) (*corev1.Pod, error) {
	pod, err := d.client.GetPod(ctx, false)
	if err == nil {
		d.pod.Store(pod)
	}
	return pod, err
}

// overtaken tells that a valid result has come since the verdict.
func (d *delivery) overtaken(ctx context.Context, v watch.Verdict) bool {
	if v.Own || d.obs == nil {
		return false
	}
	now, ready := d.obs.LookAgain(ctx)
	return ready && now.Own
}

func outcomeOf(c *batchv1.JobCondition) contract.Outcome {
	return contract.Outcome{Status: contract.ConditionStatus(c.Status), Reason: c.Reason, Message: c.Message}
}

// podAfter is the Pod as it is after the Job has been read, which is when its
// finalizer tells whether the Job's status counts it; nil where it cannot be read.
func (d *delivery) podAfter(ctx context.Context, v watch.Verdict) *corev1.Pod {
	if !v.NeedsJob() {
		return nil
	}
	pod, err := d.getPod(ctx)
	if gone(err) {
		return &corev1.Pod{} // and so counted
	}
	return pod
}

func gone(err error) bool {
	e, ok := errors.AsType[*kubeapi.Error](err)
	return ok && e.StatusCode() == http.StatusNotFound
}

// outweighs tells that a condition which another Pod of the Job has reported
// says more than the outcome: the Pod that replaces one that is being deleted may
// have been faster.
func (d *delivery) outweighs(ctx context.Context, c *batchv1.JobCondition, outcome contract.Outcome) bool {
	interrupted := outcome.Reason == contract.ReasonAdapterInterrupted
	if c.Status == corev1.ConditionTrue {
		return interrupted || d.leaving(ctx)
	}
	return interrupted && c.Status == corev1.ConditionFalse && outcome.Status == contract.Unknown
}

// leaving tells that the Pod is being deleted, or was seen and is gone. It is read
// anew: what is known of it may be from before an outage.
func (d *delivery) leaving(ctx context.Context) bool {
	if d.obs == nil {
		return false
	}
	last := d.obs.Pod()
	pod, err := d.getPod(ctx)
	if err != nil {
		pod = last
	}
	return last != nil && gone(err) || pod != nil && pod.DeletionTimestamp != nil
}

// condition makes the outcome a condition. Its lastTransitionTime moves only
// when the status changes, as the API conventions have it.
func (r *reporter) condition(o contract.Outcome, job *batchv1.Job) batchv1.JobCondition {
	now := metav1.Now()
	c := batchv1.JobCondition{
		Type: r.cfg.conditionType, Status: corev1.ConditionStatus(o.Status), Reason: o.Reason, Message: o.Message,
		LastProbeTime: now, LastTransitionTime: now,
	}
	if job != nil {
		if old := kubeapi.Condition(job, c.Type); old != nil && old.Status == c.Status && !old.LastTransitionTime.IsZero() {
			c.LastTransitionTime = old.LastTransitionTime
		}
	}
	return c
}

// misconfigured tells the Job of a reporter that cannot start.
func (r *reporter) misconfigured(err error) {
	r.log.Error("misconfigured", "error", err)
	d := newDelivery(r)
	d.since = time.Now()
	v := watch.Verdict{KillAt: d.since.Add(misconfiguredTime), Outcome: contract.Misconfigured(err)}
	r.client.SetKillAt(v.KillAt)
	for {
		err := d.deliver(context.Background(), v)
		if err == nil || errors.Is(err, errGivenUp) {
			return
		}
		time.Sleep(d.wait(v, err))
	}
}

func forbidden(err error) bool {
	e, ok := errors.AsType[*kubeapi.Error](err)
	return ok && e.Code == http.StatusForbidden
}
