package watch

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// rig is an Observer at work in a synctest bubble: its clock is fake, its Pod
// is in memory, its file is real. Inotify's reads are the kernel's, which a
// bubble does not wait for, so the file is polled.
type rig struct {
	*Observer
	*fakePods
	t      *testing.T
	path   string
	log    bytes.Buffer
	opened atomic.Int32
	cancel context.CancelFunc
	ended  chan struct{}

	killsMu sync.Mutex
	kills   []killing
}

// killing is a word to Stopping: after this long SIGKILL was expected then.
type killing struct{ at, kill time.Duration }

// run runs a test in a bubble with an Observer of this Pod that has come to rest.
func run(t *testing.T, pods *fakePods, test func(t *testing.T, r *rig), changes ...func(*Observer)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		pods.began = time.Now()
		r := &rig{t: t, fakePods: pods, path: filepath.Join(dir, "r.json"), cancel: cancel, ended: make(chan struct{})}
		r.Observer = New(Config{
			Path: r.path, Poll: 2 * time.Second, Wait: 300 * time.Second, Variables: variables, Pods: pods, PollOnly: true,
			Log:    slog.New(slog.NewTextHandler(&r.log, nil)),
			Opened: func() { r.opened.Add(1) },
			Stopping: func(at time.Time) {
				r.killsMu.Lock()
				defer r.killsMu.Unlock()
				r.kills = append(r.kills, killing{r.ran(), at.Sub(pods.began)})
			},
		})
		for _, c := range changes {
			c(r.Observer)
		}
		go func() { defer close(r.ended); r.Run(ctx) }()
		synctest.Wait()
		test(t, r)
		if t.Failed() {
			t.Logf("the log:\n%s", r.log.String())
		}
		cancel()
		<-r.ended
	})
}

// ran is how long the rig has run.
func (r *rig) ran() time.Duration { return time.Since(r.began) }

// until lets time pass until the rig has run for d.
func (r *rig) until(d time.Duration) { pass(d - r.ran()) }

func (r *rig) write(content string) { write(r.t, r.path, content) }

func (r *rig) remove() { must(r.t, os.Remove(r.path)) }

// sigterm has SIGTERM come, and waits until that is taken in.
func (r *rig) sigterm() {
	r.Stop()
	synctest.Wait()
}

// now is the verdict in words, "none" where there is none.
func (r *rig) now() string {
	synctest.Wait()
	v, ok := r.Verdict()
	if !ok {
		return "none"
	}
	kill := v.KillAt
	v.KillAt = time.Time{} // it is checked by itself
	text := describe(step{speak: &v})
	if told := r.killings(); !kill.IsZero() && (len(told) == 0 || kill.Sub(r.began) != told[len(told)-1].kill) {
		r.t.Errorf("the verdict expects SIGKILL at %v, Stopping was told %v", kill.Sub(r.began), told)
	}
	return text
}

// killings are all words to Stopping.
func (r *rig) killings() []killing {
	r.killsMu.Lock()
	defer r.killsMu.Unlock()
	return slices.Clone(r.kills)
}

// expect checks the verdict; its text may stand for the rest.
func (r *rig) expect(want string) {
	r.t.Helper()
	got := r.now()
	if got != want && !(want != "none" && strings.HasPrefix(got, want)) {
		r.t.Errorf("after %v:\n got %s\nwant %s", r.ran(), got, want)
	}
}

// comes waits for another verdict, and returns when it came.
func (r *rig) comes(want string) time.Duration {
	r.t.Helper()
	for {
		select {
		case <-r.Changed():
		case <-time.After(24 * time.Hour):
			r.t.Fatalf("no news in a day; want %s", want)
		}
		at := r.ran()
		if got := r.now(); strings.HasPrefix(got, want) {
			return at
		}
	}
}
