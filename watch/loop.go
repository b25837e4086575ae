package watch

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openshift-hyperfleet/status-reporter/internal/backoff"
)

// loop feeds the state. Only its own goroutine touches it.
type loop struct {
	*Observer
	s    state
	file *fileObserver

	news    chan podNews
	reads   chan reading
	reading bool            // one is under way
	quiet   bool            // one is due, because the watch does not tell
	retry   time.Time       // not before this is the Pod read again
	calm    time.Time       // nor, where no decision waits for it, before this
	pause   backoff.Backoff // between readings that fail
	endPod  context.CancelFunc

	complaint string    // the last one about the containers' names
	killAt    time.Time // the last word to Stopping
	askers    []asker
}

// endInterval is the first pause before the Pod is read again for an end that
// is due; the pauses double.
const endInterval = 100 * time.Millisecond

// reading is the answer to a fresh reading of the Pod that began at a moment.
type reading struct {
	podNews
	began moment
}

// asker waits for a look that begins at a moment or later.
type asker struct {
	since moment
	done  chan struct{}
}

// Run observes until ctx ends.
func (o *Observer) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	podCtx, endPod := context.WithCancel(ctx)
	l := &loop{
		Observer: o,
		file:     newFileObserver(o.cfg.Path, o.cfg.PollOnly, o.log),
		news:     make(chan podNews),
		reads:    make(chan reading, 1),
		pause:    backoff.Backoff{Min: 100 * time.Millisecond, Max: 5 * time.Second},
		endPod:   endPod,
	}
	l.file.lookAt = o.lookAt
	l.s = newState(o.cfg.Path, o.cfg.Wait, max(o.cfg.Poll, minSettle), time.Now())
	var all sync.WaitGroup
	all.Go(func() { l.observePod(podCtx) })
	l.run(ctx, &all)
	endPod()
	cancel()
	all.Wait()
}

func (l *loop) observePod(ctx context.Context) {
	p := &podObserver{
		pods:   l.cfg.Pods,
		poll:   max(l.cfg.Poll, minPodPoll),
		log:    l.log,
		opened: sync.OnceFunc(l.cfg.Opened),
		send: func(n podNews) {
			select {
			case l.news <- n:
			case <-ctx.Done():
			}
		},
	}
	p.run(ctx)
}

func (l *loop) run(ctx context.Context, all *sync.WaitGroup) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		now := time.Now()
		l.file.poll(now, l.cfg.Poll)
		step := l.decide(now)
		l.file.look(ctx, step.look || len(l.askers) > 0, l.s.moment, now, l.patience(now))
		if (step.read || l.quiet && !now.Before(l.calm)) && !l.reading && !now.Before(l.retry) {
			l.read(ctx, all)
		}
		timer.Reset(l.untilWake(now, step))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case ev, ok := <-l.file.events:
			l.file.take(ev, ok)
		case f := <-l.file.found:
			l.file.done(f)
			l.s.sawFile(f.look, f.began, f.at)
		case n := <-l.news:
			l.take(n, 0)
		case r := <-l.reads:
			l.reading = false
			l.take(r.podNews, r.began)
		case <-l.sigterm:
			if seen(&l.s.stop.sigterm, time.Now()) {
				l.log.Info("told to stop")
				l.retry = time.Time{}
			}
		case done := <-l.asks:
			l.s.moment++
			l.askers = append(l.askers, asker{l.s.moment, done})
		}
	}
}

// untilWake is how long nothing but an event can change anything.
func (l *loop) untilWake(now time.Time, step step) time.Duration {
	look := l.file.wake(step.look || len(l.askers) > 0, l.patience(now))
	return soonest(now, l.file.nextPoll(l.cfg.Poll), look, l.s.wake(), l.retry, l.calm).Sub(now)
}

// patience is how long a look may take: a filesystem that does not answer must
// not cost the report as well.
func (l *loop) patience(now time.Time) time.Duration {
	if !l.s.stop.begun() {
		return lookPatience
	}
	return min(lookPatience, max(100*time.Millisecond, l.s.killAt().Sub(now)/3))
}

// decide takes the next step, tells of a verdict where it is another one, and
// lets those go on who have waited for the look that it rests on.
func (l *loop) decide(now time.Time) step {
	l.s.writing = l.file.writing
	l.s.note(now)
	step := l.s.decide()
	if v := step.speak; !v.same(l.verdict.Load()) {
		l.verdict.Store(v)
		select {
		case l.changed <- struct{}{}:
		default:
		}
	}
	if l.s.stop.begun() {
		if at := l.s.killAt(); !at.Equal(l.killAt) {
			l.killAt = at
			l.cfg.Stopping(at)
		}
	}
	l.askers = slices.DeleteFunc(l.askers, func(a asker) bool {
		seen := l.s.looked >= a.since
		if seen {
			close(a.done)
		}
		return seen
	})
	return step
}

// read reads the Pod in the background.
func (l *loop) read(ctx context.Context, all *sync.WaitGroup) {
	l.reading, l.quiet = true, false
	began := l.s.moment
	all.Go(func() {
		pod, err := l.cfg.Pods.GetPod(ctx, false)
		l.reads <- reading{podNews{pod: pod, err: err}, began}
	})
}

// take takes in news of the Pod; began is above 0 where it is a fresh reading.
func (l *loop) take(n podNews, began moment) {
	l.s.now = time.Now()
	fresh := began > 0
	switch {
	case n.quiet:
		l.quiet = true
	case n.gone:
		l.gone()
	case n.err == nil:
		l.sawPod(n.pod)
		l.pause.Reset()
		if l.s.endIsDue() { // and may become readable some milliseconds after SIGTERM
			l.quiet = true
			l.calm = l.s.now.Add(max(endInterval, l.s.now.Sub(l.s.stop.sigterm)))
		}
	case !refused(n.err):
		l.log.Debug("the Pod cannot be read now", "error", n.err)
		if fresh {
			l.s.podFailed = l.s.moment // it tells of now, whenever it began
			l.retry = l.s.now.Add(l.pause.Next(wish(n.err)))
			l.quiet = l.quiet || l.s.endIsDue()
		}
		return
	case code(n.err) == http.StatusNotFound && l.s.known:
		if n.cached {
			l.quiet = true // a lagging cache is no proof
			return
		}
		l.gone()
	default:
		l.complain(fmt.Sprintf("the Pod cannot be read, so the result file alone is followed: %v", n.err))
		l.closeKnown()
	}
	if fresh {
		l.s.podRead = began
	}
}

func (l *loop) gone() {
	if seen(&l.s.stop.gone, l.s.now) {
		l.log.Info("the Pod is gone")
	}
	l.endPod()
}

func (l *loop) sawPod(pod *corev1.Pod) {
	last := l.pod.Load()
	switch {
	case last == nil:
	case last.UID != pod.UID:
		l.gone() // another one has its name
		return
	case !newer(pod, last):
		return
	}
	r, err := assign(pod, l.cfg.Adapter, l.cfg.Variables)
	if err != nil {
		l.complain(err.Error() + "; the result file alone is followed")
	}
	if last == nil && err == nil {
		l.log.Info("following the adapter", "container", r.adapter.Name, "nativeSidecar", r.sidecar)
	}
	l.sidecar.Store(r.sidecar)
	l.pod.Store(pod)
	l.s.sawPod(factsOf(pod, r))
	l.closeKnown()
}

func (l *loop) closeKnown() {
	select {
	case <-l.known:
	default:
		close(l.known)
	}
}

// complain logs each complaint once.
func (l *loop) complain(text string) {
	if text != l.complaint {
		l.complaint = text
		l.log.Error(text)
	}
}
