package watch

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"
)

// answer is an API server's refusal.
type answer struct {
	code int
	wait time.Duration
}

func (a answer) Error() string             { return "the server answered " + strconv.Itoa(a.code) }
func (a answer) StatusCode() int           { return a.code }
func (a answer) RetryAfter() time.Duration { return a.wait }

// call is one that was made of the server.
type call struct {
	verb    string // watch, get, or cached where an old answer will do
	at      time.Duration
	version string // of a watch
}

// fakePods is a server with one Pod, in the time of a synctest bubble. Reads
// and watches fail while their errors are set.
type fakePods struct {
	mu       sync.Mutex
	began    time.Time
	pod      *corev1.Pod // nil: there is none
	version  int
	watchers map[chan apiwatch.Event]bool
	made     []call

	watchErr, getErr, cachedErr error
	hold                        chan struct{}                                                      // reads wait until it is closed
	stale                       *corev1.Pod                                                        // what the cache still holds
	watch                       func(ctx context.Context, n int, event func(apiwatch.Event)) error // in place of a watch that is accepted
}

func newFakePods(p *corev1.Pod) *fakePods {
	f := &fakePods{began: time.Now(), version: 10, watchers: map[chan apiwatch.Event]bool{}}
	f.set(p)
	return f
}

// set has the Pod be another one, and tells the watches.
func (f *fakePods) set(p *corev1.Pod) {
	f.mu.Lock()
	defer f.mu.Unlock()
	kind := apiwatch.Modified
	switch {
	case p == nil && f.pod == nil:
		return
	case p == nil:
		kind, p = apiwatch.Deleted, f.pod
	case f.pod == nil:
		kind = apiwatch.Added
	}
	f.version++
	p = p.DeepCopy()
	p.ResourceVersion = strconv.Itoa(f.version)
	f.pod = p
	if kind == apiwatch.Deleted {
		f.pod = nil
	}
	for w := range f.watchers {
		w <- apiwatch.Event{Type: kind, Object: p}
	}
}

// fail sets the answers to watches, fresh reads and cached reads; nil: none.
func (f *fakePods) fail(watch, get, cached error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watchErr, f.getErr, f.cachedErr = watch, get, cached
}

// lag has the cache be what it is now from now on.
func (f *fakePods) lag() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stale = f.pod
}

// holdReads has reads that begin from now on wait for the release.
func (f *fakePods) holdReads() (release func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	hold := make(chan struct{})
	f.hold = hold
	return func() { close(hold) }
}

func (f *fakePods) GetPod(ctx context.Context, cached bool) (*corev1.Pod, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	verb, err, p, hold := "get", f.getErr, f.pod, f.hold
	if cached {
		verb, err = "cached", f.cachedErr
		if f.stale != nil {
			p = f.stale
		}
	}
	f.made = append(f.made, call{verb: verb, at: time.Since(f.began)})
	f.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
		}
	}
	f.mu.Lock()
	if !cached {
		err = f.getErr // as it is by now
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, err
	case p == nil:
		return nil, answer{code: 404}
	}
	return p.DeepCopy(), nil
}

func (f *fakePods) WatchPod(ctx context.Context, version string, opened func(), event func(apiwatch.Event)) error {
	events := make(chan apiwatch.Event, 100)
	f.mu.Lock()
	f.made = append(f.made, call{verb: "watch", at: time.Since(f.began), version: version})
	n, err, pod, instead := f.countLocked("watch"), f.watchErr, f.pod, f.watch
	if err == nil && instead == nil {
		f.watchers[events] = true
	}
	f.mu.Unlock()
	if err != nil {
		return err
	}
	opened()
	if instead != nil {
		return instead(ctx, n, event)
	}
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.watchers, events)
	}()
	if version == "" && pod != nil {
		event(apiwatch.Event{Type: apiwatch.Added, Object: pod.DeepCopy()})
	}
	for {
		select {
		case ev := <-events:
			event(ev)
		case <-time.After(time.Minute):
			f.mu.Lock()
			version := strconv.Itoa(f.version)
			f.mu.Unlock()
			event(bookmark(version))
		case <-ctx.Done():
			return fmt.Errorf("the watch broke off: %w", ctx.Err())
		}
	}
}

// calls are those made with this verb.
func (f *fakePods) calls(verb string) (made []call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.made {
		if c.verb == verb {
			made = append(made, c)
		}
	}
	return made
}

func (f *fakePods) countLocked(verb string) (n int) {
	for _, c := range f.made {
		if c.verb == verb {
			n++
		}
	}
	return n
}

// bookmark is an event that only tells how far the server is.
func bookmark(version string) apiwatch.Event {
	return apiwatch.Event{Type: apiwatch.Bookmark, Object: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{ResourceVersion: version}}}
}
