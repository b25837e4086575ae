package watch

import (
	"context"
	"log/slog"
	"os"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"
)

// loop does what its state asks for, until that is done. Only its own goroutine
// touches either: what is done in the background comes back as a function that the
// loop calls. The end of its context ends whatever is still under way.
type loop struct {
	Config
	s    state
	file *fileObserver

	sigterm  <-chan os.Signal
	pressed  chan struct{} // closed when a stop of the kubelet's own begins
	answers  chan func()
	endWatch context.CancelFunc

	killAt time.Time // the last word to SetKillAt
	said   line
	logged logged
}

// logged is what the log has been told, so that each is told once.
type logged struct {
	complaint, denied, jobError string
	unread                      bool
	following, deleted, owner   bool
	leftOver                    bool
	dropped                     dropped
}

func (l *loop) run(ctx context.Context) Result {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := time.Now()
		l.file.poll(now, l.Poll)
		l.s.file.writing = l.file.writing
		step := l.s.next(now)
		l.log()
		if step.done != nil {
			return *step.done
		}
		l.do(ctx, now, step)
		timer.Reset(l.untilWake(now, step))
		select {
		case <-timer.C:
		case ev, ok := <-l.file.events:
			l.file.take(ev, ok)
		case f := <-l.file.found:
			l.file.done(f)
			l.s.file.saw(f.look, f.began, time.Now())
		case answer := <-l.answers:
			l.s.now = time.Now()
			answer()
		case <-l.sigterm:
			if seen(&l.s.stop.sigterm, time.Now()) {
				l.Log.Info("told to stop")
				l.s.pod.retryAt = time.Time{}
				if l.s.stop.kubelets() {
					close(l.pressed)
				}
			}
		}
	}
}

func (l *loop) do(ctx context.Context, now time.Time, step step) {
	if at := l.s.killAt(); l.s.stop.begun() && !at.Equal(l.killAt) {
		l.killAt = at
		l.API.SetKillAt(at)
	}
	if l.Misconfigured == nil {
		l.file.look(ctx, step.look, l.s.clock, now, l.s.patience(now))
	}
	pressed := l.pressed
	if !l.s.stop.sigterm.IsZero() && !l.s.stop.kubelets() {
		pressed = nil // there is the grace period
	}
	if step.readPod {
		began := l.s.beganReadPod()
		l.start(ctx, func() func() {
			pod, err := ask(ctx, pressed, anyway, func(ctx context.Context) (*corev1.Pod, error) { return l.API.GetPod(ctx, false) })
			return func() { l.s.sawPodReading(pod, err, began) }
		})
	}
	if step.readJob {
		began := l.s.beganReadJob()
		l.start(ctx, func() func() {
			job, err := ask(ctx, pressed, anyway, l.API.GetJob)
			return func() { l.s.sawJob(job, err, began) }
		})
	}
	if p := step.patch; p != nil {
		l.s.beganPatch(p)
		end := l.s.end().Add(exitMargin / 2) // an answer may be due right then
		l.start(ctx, func() func() {
			ctx, cancel := context.WithDeadline(ctx, end)
			defer cancel()
			still := func() bool { return l.sends(ctx, p) }
			job, err := ask(ctx, pressed, still, func(ctx context.Context) (*batchv1.Job, error) { return l.API.PatchJobStatus(ctx, p.on, p.what) })
			return func() { l.s.sawPatch(p, job, err) }
		})
	}
	l.follow(ctx, step.follow)
}

func (l *loop) follow(ctx context.Context, do following) {
	if do.poll {
		l.s.beganPoll()
		l.start(ctx, func() func() {
			pod, err := l.API.GetPod(ctx, true)
			return func() { l.s.sawPoll(pod, err) }
		})
	}
	if do.stop && l.endWatch != nil {
		l.endWatch()
	}
	if !do.watch {
		return
	}
	l.s.beganWatch()
	version := l.s.feed.version
	watch, end := context.WithCancel(ctx)
	l.endWatch = end
	go func() {
		defer end()
		err := l.API.WatchPod(watch, version,
			func() { l.answer(ctx, l.s.watchAccepted) },
			func(ev apiwatch.Event) { l.answer(ctx, func() { l.s.sawWatchEvent(ev) }) })
		l.answer(ctx, func() { l.s.sawWatchEnd(err) })
	}()
}

// start does something in the background, and has the loop call what it returns.
func (l *loop) start(ctx context.Context, work func() (answer func())) {
	go func() {
		began := time.Now()
		answer := work()
		took := time.Since(began)
		l.answer(ctx, func() {
			l.s.recent.add(took)
			answer()
		})
	}()
}

func (l *loop) answer(ctx context.Context, answer func()) {
	select {
	case l.answers <- answer:
	case <-ctx.Done():
	}
}

// untilWake is how long nothing but an answer or an event can change anything.
func (l *loop) untilWake(now time.Time, step step) time.Duration {
	look := l.file.wake(step.look, l.s.patience(now))
	return soonest(now, l.file.nextPoll(l.Poll), look, l.s.wake()).Sub(now)
}

// log tells what is news in the state, each once, and what has become of the report.
func (l *loop) log() {
	l.logPod()
	s, told := &l.s, &l.logged
	if !told.leftOver && s.file.kind != fileAbsent && s.origin() == originEarlier {
		told.leftOver = true
		l.Log.Info("the result file is left over from an earlier run; it counts as none", "path", l.Path, "changed", s.file.changed, "adapterStarted", s.pod.started)
	}
	if s.feed.denied != "" && told.denied == "" {
		told.denied = s.feed.denied
		l.Log.Warn("cannot watch the Pod; reading it every few seconds instead", "every", s.feed.poll.String(), "error", told.denied)
	}
	if err := s.job.err; err != nil && s.out.since.IsZero() && told.jobError == "" {
		told.jobError = err.Error()
		l.Log.Warn("the Job cannot be read yet", "error", err)
	}
	if d := s.metadata.dropped; d != told.dropped {
		told.dropped = d
		l.Log.Warn("the API server refuses the report with its "+d.what+"; it goes without", "error", d.err)
	}
	l.tell()
}

func (l *loop) logPod() {
	p, told := &l.s.pod, &l.logged
	if p.err != nil && !told.unread {
		told.unread = true
		l.Log.Warn("the Pod cannot be read yet", "error", p.err)
	}
	if p.complaint != told.complaint {
		if told.complaint = p.complaint; p.complaint != "" {
			l.Log.Error(p.complaint)
		}
	}
	if p.roles.adapter != nil && !told.following {
		told.following = true
		l.Log.Info("following the adapter", "container", p.roles.adapter.Name, "nativeSidecar", p.sidecar)
	}
	if !l.s.stop.deleted.IsZero() && !told.deleted {
		told.deleted = true
		l.Log.Info("the Pod is gone")
	}
	if p.last != nil && !told.owner {
		told.owner = true
		if owner := controller(p.last); owner != nil && owner.Name != l.Job {
			l.Log.Warn("JOB_NAME is not the Job that this Pod belongs to", "belongsTo", owner.Name)
		}
	}
}

// tell writes what has become of the report, where that is news.
func (l *loop) tell() {
	said := l.s.out.said
	if said == l.said {
		return
	}
	l.said = said
	if said.msg == "" {
		l.Last(slog.LevelInfo, "")
		return
	}
	args := []any{"type", l.ConditionType, "status", said.outcome.Status, "reason", said.outcome.Reason}
	if said.own {
		args = append(args, "own", true)
		if l.s.pod.last != nil {
			args = append(args, "adapterRestarts", said.restarts)
		}
	}
	args = append(args, "message", said.outcome.Message) // behind what takePrior needs
	if said.err != "" {
		args = append(args, "error", said.err)
	}
	l.Last(said.level, said.msg, args...)
}
