// Package watch observes one adapter, through its result file and through its
// Pod, and decides what there is to report.
//
// It never writes and never talks to a server by itself: the Pod comes through
// the interface Pods. The decision (decide.go) is free of effects; the loop around
// it (loop.go) only waits, looks and reads for it.
package watch

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Config says what to observe.
type Config struct {
	Path      string        // of the result file
	Poll      time.Duration // between looks at it; ten times as long where the kernel tells of events
	Wait      time.Duration // for the adapter, from Run's start
	Adapter   string        // container name; empty: detected
	Variables []string      // the reporter's own, by which its container is known
	Pods      Pods
	Log       *slog.Logger

	Opened   func()            // called once, when the first try to watch the Pod has had its answer
	Stopping func(t time.Time) // called when it becomes known, or known anew, when SIGKILL comes
	PollOnly bool              // do without inotify
}

// Observer is one observation. Its methods are safe for concurrent use.
type Observer struct {
	cfg     Config
	log     *slog.Logger
	sigterm chan struct{}
	asks    chan chan struct{}
	changed chan struct{}
	known   chan struct{}
	lookAt  func(path string) look // a test's filesystem may hang

	verdict atomic.Pointer[Verdict]
	pod     atomic.Pointer[corev1.Pod]
	sidecar atomic.Bool
}

// New prepares an observation.
func New(cfg Config) *Observer {
	return &Observer{cfg: cfg, log: cfg.Log, sigterm: make(chan struct{}, 1), asks: make(chan chan struct{}),
		changed: make(chan struct{}, 1), known: make(chan struct{}), lookAt: lookAt}
}

// Stop says that SIGTERM has come.
func (o *Observer) Stop() {
	select {
	case o.sigterm <- struct{}{}:
	default:
	}
}

// Changed receives when Verdict may give another answer.
func (o *Observer) Changed() <-chan struct{} { return o.changed }

// Verdict is what there is to report now; false where there is nothing yet, or
// not any more: a file that is being mended is no news.
func (o *Observer) Verdict() (Verdict, bool) {
	if v := o.verdict.Load(); v != nil {
		return *v, true
	}
	return Verdict{}, false
}

// Known is closed when the Pod has been read, or cannot be for good.
func (o *Observer) Known() <-chan struct{} { return o.known }

// Pod is the newest reading; nil where there is none.
func (o *Observer) Pod() *corev1.Pod { return o.pod.Load() }

// Sidecar tells that the reporter is a native sidecar: the kubelet starts it
// again when it ends before its adapter has.
func (o *Observer) Sidecar() bool { return o.sidecar.Load() }

// LookAgain looks at the file once more and takes it into the verdict.
func (o *Observer) LookAgain(ctx context.Context) (Verdict, bool) {
	done := make(chan struct{})
	select {
	case o.asks <- done:
		select {
		case <-done:
		case <-ctx.Done():
		}
	case <-ctx.Done():
	}
	return o.Verdict()
}
