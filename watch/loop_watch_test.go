package watch

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Without the right to watch the Pod is read, and the right is hoped for.
func TestLoopPolling(t *testing.T) {
	f := newFakeAPI(ownPod())
	f.fail("watch", status403)
	inBubble(t, f, func(t *testing.T, r *rig) {
		r.until(30 * time.Minute)
		reads := r.calls("cached")
		if reads[0].at != 0 {
			t.Errorf("first read after %v, want at once", reads[0].at)
		}
		for i := range reads[1:] {
			if gap := reads[i+1].at - reads[i].at; gap < minPodPoll || gap > minPodPoll*5/4 {
				t.Fatalf("reads %v apart: a load, with a thousand Jobs", gap)
			}
		}
		if n := len(r.calls("watch")); n < 25 || n > 31 {
			t.Errorf("%d tries to watch in half an hour, want one a minute", n)
		}
		if n := r.logged("cannot watch the Pod"); n != 1 {
			t.Errorf("%d warnings, want one", n)
		}
		r.set(ownPod(ends(1, "Error")))
		began := r.ran()
		if r.delivers(r.ranAfter("False AdapterExitedWithError")...); r.at > began+minPodPoll*5/4 {
			t.Errorf("seen after %v, want within a poll", r.at-began)
		}
	}, func(r *rig) { r.Wait = time.Hour })
}

// ranAfter is a PATCH at the time when the run has ended.
func (r *rig) ranAfter(what string) []string {
	for !r.done() {
		time.Sleep(100 * time.Millisecond)
	}
	return []string{r.at.String() + " " + what}
}

// A silent watch is cut off and begun anew where it was; what it brings then counts.
func TestLoopWatchSilent(t *testing.T) {
	f := newFakeAPI(ownPod())
	f.hush(true)
	inBubble(t, f, func(t *testing.T, r *rig) {
		r.until(sec)
		if n := len(r.calls("get")); n != 0 {
			t.Errorf("%d reads at once", n)
		}
		r.until(5 * sec)
		if n := len(r.calls("get")); n != 1 {
			t.Errorf("%d reads after 5 s, want one: the present state has not come", n)
		}
		r.until(2*time.Minute - 1)
		if n := len(r.calls("watch")); n != 1 {
			t.Errorf("%d watches, want one", n)
		}
		r.hush(false)
		r.until(2*time.Minute + 2*sec)
		w := r.calls("watch")
		if len(w) != 2 || w[1].at < 2*time.Minute {
			t.Fatalf("watches %+v, want the second after two minutes", w)
		}
		r.set(ownPod(ends(1, "Error")))
		r.delivers("2m2s False AdapterExitedWithError")
	})
}

// While no server is to be met the fleet does not come back with watches as well.
func TestLoopWatchWaits(t *testing.T) {
	f := newFakeAPI(ownPod(ends(1, "Error")))
	f.fail("patch", errNetwork)
	inBubble(t, f, func(t *testing.T, r *rig) {
		r.fail("watch", errNetwork)
		r.fail("job", errNetwork)
		r.cuts()
		r.until(10 * time.Minute)
		if n := len(r.calls("watch")); n != 1 {
			t.Errorf("%d watches beside the attempts to deliver", n)
		}
	})
}

// TestLoopEnds while each of its parts is busy: what it has begun ends with it, or the
// bubble complains.
func TestLoopEnds(t *testing.T) {
	for name, prepare := range map[string]func(r *rig){
		"watching":             func(r *rig) {},
		"reading the Pod":      func(r *rig) { r.hold("get"); r.until(301 * sec) },
		"reading the Job":      func(r *rig) { r.hold("job") },
		"with news not read":   func(r *rig) { r.set(ownPod(isDisrupted("A", "b"))); r.set(ownPod(isDisrupted("A", "c"))) },
		"beginning to watch":   func(r *rig) { r.fail("watch", errNetwork) },
		"reading every little": func(r *rig) { r.fail("watch", status403); r.hold("cached"); r.until(10 * sec) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, newFakeAPI(ownPod()), func(t *testing.T, r *rig) {
				prepare(r)
				r.write(valid)
				if r.until(r.ran() + 3*sec); !r.done() {
					t.Error("it has not ended with its result delivered")
				}
			})
		})
	}
}

// hanging is a filesystem whose answers can be held back.
type hanging struct {
	hold, answer chan struct{}
	result       atomic.Pointer[look] // nil: no file
}

// in has a run use it, in the run's bubble.
func (h *hanging) in(r *rig) {
	h.hold, h.answer, r.lookAt = make(chan struct{}), make(chan struct{}), h.lookAt
}

func (h *hanging) lookAt(string) look {
	found := absent
	if l := h.result.Load(); l != nil {
		found = *l
	}
	select {
	case <-h.hold: // closed: hold
		<-h.answer
	default:
	}
	return found
}

// TestLoopLookHangs: a filesystem that does not answer holds nothing up for long.
func TestLoopLookHangs(t *testing.T) {
	tests := []struct {
		name  string
		grace int64
		story func(h *hanging, r *rig)
		want  string
		by    time.Duration
	}{
		{"the adapter's end", 30, func(h *hanging, r *rig) {
			r.until(10*sec + 1)
			close(h.hold)
			r.until(15 * sec) // a look hangs since 12 s
			r.set(ownPod(ends(1, "Error")))
		}, "False AdapterExitedWithError", 77 * sec}, // a minute from when it was last given up
		{"the adapter's end, and then it answers", 30, func(h *hanging, r *rig) {
			r.until(10*sec + 1)
			h.result.Store(&success)
			close(h.hold)
			r.until(15 * sec)
			r.set(ownPod(ends(0, "Completed")))
			r.until(40 * sec)
			h.answer <- struct{}{}
		}, "True Ready", 40 * sec},
		{"the deadline, and then it answers", 30, func(h *hanging, r *rig) {
			r.until(298*sec + 1)
			h.result.Store(&success)
			close(h.hold)
			r.until(330 * sec)
			h.answer <- struct{}{}
		}, "True Ready", 330 * sec},
		{"a grace period in which the adapter ends, and then it answers", 30, func(h *hanging, r *rig) {
			r.until(10*sec + 1)
			h.result.Store(&success)
			close(h.hold)
			r.set(ownPod(isDeleted(30)))
			r.until(15 * sec)
			r.set(ownPod(isDeleted(30), ends(0, "Completed")))
			r.until(20 * sec)
			h.answer <- struct{}{}
		}, "True Ready", 20 * sec},
		{"a short stop", 2, func(h *hanging, r *rig) {
			r.until(9 * sec)
			close(h.hold)
			r.until(10 * sec)
			r.set(ownPod(gracePeriodOf(2), isDeleted(2)))
		}, "Unknown AdapterInterrupted", 11500 * ms},
		{"a late stop", 30, func(h *hanging, r *rig) {
			r.until(9 * sec)
			close(h.hold)
			r.until(10*sec - 1) // a look hangs as yet for no time at all
			r.set(nil)
		}, "Unknown AdapterInterrupted", 11500 * ms},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := &hanging{}
			inBubble(t, newFakeAPI(ownPod(gracePeriodOf(test.grace))), func(t *testing.T, r *rig) {
				test.story(h, r)
				r.delivers(r.ranAfter(test.want)...)
				if r.at > test.by {
					t.Errorf("told after %v, want %v", r.at, test.by)
				}
				close(h.answer)
			}, h.in)
		})
	}
}

// TestLoopLookHangsOnHalf: what a look has found that hung for long may have been there
// for no time at all.
func TestLoopLookHangsOnHalf(t *testing.T) {
	h := &hanging{}
	inBubble(t, newFakeAPI(ownPod()), func(t *testing.T, r *rig) {
		r.until(10*sec + 1)
		h.result.Store(&half)
		close(h.hold)
		r.until(70 * sec)
		close(h.answer)
		r.delivers("1m20s False InvalidResultFormat")
	}, h.in)
}

// TestLoopLookHangsEvicted: what is told of a stop of the kubelet's own does not wait
// for the filesystem either, which a node's shutdown may have taken away.
func TestLoopLookHangsEvicted(t *testing.T) {
	h := &hanging{}
	inBubble(t, newFakeAPI(ownPod()), func(t *testing.T, r *rig) {
		r.until(11 * sec)
		close(h.hold)
		r.stop()
		r.until(11500 * ms)
		r.expects("11.5s Unknown AdapterInterrupted")
		h.result.Store(&success)
		close(h.answer)
		r.delivers("11.5s Unknown AdapterInterrupted", "12s True Ready")
	}, h.in)
}

// TestLoopWriter: what the kernel tells of a writer is taken in.
func TestLoopWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.json")
	synctest.Test(t, func(t *testing.T) {
		api := newFakeAPI(ownPod())
		api.began = time.Now()
		c := Config{
			Path: path, Poll: 2 * sec, Wait: 300 * sec, Variables: variables, Job: "adapter-job", Pod: "adapter-job-x7k2p",
			ConditionType: "Available", API: api, Log: slog.New(slog.DiscardHandler), Last: func(slog.Level, string, ...any) {},
		}
		events := make(chan fileEvent) // what the kernel would tell
		ctx, cancel := context.WithCancel(t.Context())
		l := &loop{Config: c, s: newState(c, time.Now()), file: newFileObserver(path, false, c.Log), answers: make(chan func()), pressed: make(chan struct{})}
		l.file.subscribe = func(context.Context, string) (subscription, error) {
			return subscription{events, func() (coverage, error) { return coverage{names: true, content: true}, nil }}, nil
		}
		ended := make(chan Result)
		go func() { ended <- l.run(ctx) }()
		pass := func(d time.Duration) { time.Sleep(d); synctest.Wait() }
		pass(sec)
		write(t, path, halfFile)
		events <- fileEvent{look: true, created: true, modified: true}
		pass(time.Minute)
		if n := len(api.calls("patch")); n != 0 {
			t.Errorf("%d PATCHes while the file is being written", n)
		}
		write(t, path, valid)
		events <- fileEvent{look: true, closed: true}
		result := <-ended
		cancel()
		if got := api.calls("patch"); !result.Own || !slices.Equal(got, []call{{"patch", 61 * sec, "True Ready"}}) {
			t.Errorf("PATCHes %v, result %+v; want the file that was closed, at once", got, result)
		}
	})
}
