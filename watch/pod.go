package watch

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/openshift-hyperfleet/status-reporter/internal/backoff"
)

// Pods reads one Pod. Errors that come from a server's answer tell its code in
// a method StatusCode() int and its wishes in RetryAfter() time.Duration; all
// others are taken for the network's, which may pass.
type Pods interface {
	// GetPod reads the Pod; cached allows an answer that is a little old.
	GetPod(ctx context.Context, cached bool) (*corev1.Pod, error)
	// WatchPod follows the Pod until the watch ends. It calls opened when the
	// server has accepted the watch, then event for each event. Without a
	// resourceVersion the first event is the present state. An expired
	// resourceVersion is an error with the code 410.
	WatchPod(ctx context.Context, resourceVersion string, opened func(), event func(apiwatch.Event)) error
}

const (
	minPodPoll    = 5 * time.Second  // a thousand Jobs must not become a load
	watchRetry    = time.Minute      // between tries where the Role has no watch
	watchSilence  = 2 * time.Minute  // servers send a bookmark about every minute
	firstEvent    = 5 * time.Second  // the present state is due at once
	healthyAfter  = 10 * time.Second // a watch that held this long did not fail at the start
	minWatchPause = time.Second      // the most of the first one: a server that ends cuts a thousand watches at once
	maxWatchPause = 10 * time.Second
)

func code(err error) int {
	var answer interface{ StatusCode() int }
	if errors.As(err, &answer) {
		return answer.StatusCode()
	}
	return 0
}

// answered tells that an error is somebody's answer.
func answered(err error) bool {
	var answer interface{ StatusCode() int }
	return errors.As(err, &answer)
}

func wish(err error) time.Duration {
	var answer interface{ RetryAfter() time.Duration }
	if errors.As(err, &answer) {
		return answer.RetryAfter()
	}
	return 0
}

// refused tells that asking again soon is of no use.
func refused(err error) bool {
	switch c := code(err); c {
	case http.StatusUnauthorized, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	default:
		return c >= 400 && c < 500
	}
}

// podNews is what one event or reading brought.
type podNews struct {
	pod    *corev1.Pod
	gone   bool  // deleted: there will be no more news
	err    error // of a reading
	cached bool  // the reading may be a little old
	quiet  bool  // a watch was accepted, yet the present state does not come
}

// podObserver follows the Pod and sends what it sees.
type podObserver struct {
	pods   Pods
	poll   time.Duration
	log    *slog.Logger
	opened func() // when a try to watch has had its answer
	send   func(podNews)

	version string // resourceVersion to resume from
	refused bool   // the Role has no watch, and that was told

	accepted bool // the last watch was
}

func (o *podObserver) run(ctx context.Context) {
	pause := backoff.Backoff{Min: minWatchPause, Max: maxWatchPause}
	expired := false
	for ctx.Err() == nil {
		began := time.Now()
		events, err := o.watch(ctx)
		o.opened()
		if errors.Is(err, errGone) || ctx.Err() != nil {
			return
		}
		if time.Since(began) >= healthyAfter {
			pause.Reset()
		}
		switch code(err) {
		case http.StatusForbidden:
			o.pollFor(ctx, watchRetry, err)
			continue
		case http.StatusGone:
			o.version = ""
			if !expired {
				expired = true
				continue
			}
		default:
			expired = false
		}
		// Where there was no server to be met, the next watch tells as much as a
		// GET: a fleet must not come back with both.
		met := o.accepted || answered(err) || time.Since(began) >= time.Second
		o.log.Debug("the watch of the Pod ended", "events", events, "error", err)
		sleep(ctx, pause.Next(wish(err)))
		if events == 0 && met {
			o.get(ctx, false)
		}
	}
}

var (
	errGone   = errors.New("the Pod is gone")
	errSilent = errors.New("the watch is silent")
)

// watch follows one watch to its end and counts the events that told something.
func (o *podObserver) watch(ctx context.Context) (events int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silent := time.AfterFunc(watchSilence, func() { cancel(errSilent) })
	defer silent.Stop()
	quiet := time.AfterFunc(watchSilence, func() { o.send(podNews{quiet: true}) })
	quiet.Stop()
	defer quiet.Stop()
	o.accepted = false
	opened := func() {
		o.accepted = true
		o.opened()
		if o.version == "" {
			quiet.Reset(firstEvent)
		}
	}
	err = o.pods.WatchPod(ctx, o.version, opened, func(ev apiwatch.Event) {
		silent.Reset(watchSilence)
		pod, _ := ev.Object.(*corev1.Pod)
		if pod == nil {
			return // of a type that is not known: not an error
		}
		if pod.ResourceVersion != "" {
			o.version = pod.ResourceVersion
		}
		switch ev.Type {
		case apiwatch.Bookmark:
			return
		case apiwatch.Deleted:
			o.send(podNews{gone: true})
			cancel(errGone)
		default:
			o.send(podNews{pod: pod})
		}
		events++
		quiet.Stop()
	})
	if errors.Is(context.Cause(ctx), errGone) {
		return events, errGone
	}
	return events, err
}

// pollFor reads the Pod for a while where the Role has no watch.
func (o *podObserver) pollFor(ctx context.Context, d time.Duration, err error) {
	if !o.refused {
		o.refused = true
		o.log.Warn("cannot watch the Pod; reading it every few seconds instead", "every", o.poll.String(), "error", err)
	}
	for end := time.Now().Add(d); ctx.Err() == nil && time.Now().Before(end); {
		pause := o.poll + rand.N(o.poll/4)
		if err := o.get(ctx, true); err != nil {
			pause = max(pause, min(wish(err), backoff.MaxRetryAfter))
		}
		sleep(ctx, pause)
	}
}

func (o *podObserver) get(ctx context.Context, cached bool) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	pod, err := o.pods.GetPod(ctx, cached)
	o.send(podNews{pod: pod, err: err, cached: cached})
	return err
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// newer tells that a is not known to be older than b. Resource versions have
// been comparable as numbers since Kubernetes 1.35 (KEP-5504), and were in fact
// before.
func newer(a, b *corev1.Pod) bool {
	va, errA := strconv.ParseUint(a.ResourceVersion, 10, 64)
	vb, errB := strconv.ParseUint(b.ResourceVersion, 10, 64)
	return errA != nil || errB != nil || va >= vb
}
