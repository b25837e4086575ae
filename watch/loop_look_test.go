package watch

import (
	"context"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// TestFirstResultStands, whatever becomes of the file before it is delivered.
func TestFirstResultStands(t *testing.T) {
	for name, spoil := range map[string]func(r *rig){
		"another result": func(r *rig) { r.write(`{"status":"failure"}`) },
		"removed":        func(r *rig) { r.remove() },
		"emptied":        func(r *rig) { r.write("") },
		"a directory":    func(r *rig) { r.remove(); must(t, os.Mkdir(r.path, 0o777)) },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
				r.write(valid)
				r.comes(own)
				spoil(r)
				r.LookAgain(t.Context())
				r.expect(own)
				r.set(pod(ends(1, "Error")))
				r.until(400 * sec)
				r.expect(own)
			})
		})
	}
}

// TestLookAgain: the verdict of a look that began after the call is out when it returns.
func TestLookAgain(t *testing.T) {
	slow := func(o *Observer) { o.cfg.Poll = 200 * time.Second }
	run(t, newFakePods(pod(ends(1, "Error"))), func(t *testing.T, r *rig) {
		r.expect(exit1)
		r.write(valid)
		r.expect(exit1) // no poll is due
		began := r.ran()
		r.LookAgain(t.Context())
		if v, ok := r.Verdict(); !ok || !v.Own { // without waiting
			t.Errorf("verdict %+v, want the result", v)
		}
		if d := r.ran() - began; d != 0 {
			t.Errorf("it took %v", d)
		}
	}, slow)
}

// The verdict is out before the asker goes on, not some moments later.
func TestLookAgainInOneStep(t *testing.T) {
	o := New(Config{Path: "r.json", Log: slog.New(slog.DiscardHandler)})
	done := make(chan struct{})
	l := &loop{Observer: o, file: newFileObserver("r.json", true, o.log), askers: []asker{{1, done}}}
	l.s = newState("", time.Hour, 0, time.Now())
	l.s.moment = 1
	l.s.sawFile(success, 1, time.Now())
	l.decide(time.Now())
	<-done
	if v, ok := o.Verdict(); !ok || !v.Own {
		t.Errorf("verdict %+v, want the result", v)
	}
}

// hanging is a filesystem whose answers can be held back.
type hanging struct {
	hold, answer chan struct{}
	result       atomic.Pointer[look] // nil: no file
}

// in has an Observer use it, in the Observer's bubble.
func (h *hanging) in(o *Observer) {
	h.hold, h.answer, o.lookAt = make(chan struct{}), make(chan struct{}), h.lookAt
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

// A look that was under way when it was asked for does not count.
func TestLookAgainDuringALook(t *testing.T) {
	h := &hanging{}
	run(t, newFakePods(pod(ends(1, "Error"))), func(t *testing.T, r *rig) {
		r.expect(exit1)
		close(h.hold)
		pass(2 * sec) // a look is under way, and has seen nothing
		h.result.Store(&success)
		done := make(chan struct{})
		go func() { defer close(done); r.LookAgain(t.Context()) }()
		pass(sec)
		h.answer <- struct{}{}
		pass(sec)
		select {
		case <-done:
			t.Error("an old look was taken for a new one")
		default:
		}
		r.expect(exit1)
		h.answer <- struct{}{}
		<-done
		if v, _ := r.Verdict(); !v.Own {
			t.Errorf("verdict %+v, want the result", v)
		}
		close(h.answer)
	}, h.in)
}

// TestLookHangsInLoop: a filesystem that does not answer holds nothing up for long.
func TestLookHangsInLoop(t *testing.T) {
	t.Run("the adapter's end", func(t *testing.T) {
		h := &hanging{}
		run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
			r.until(10*sec + 1)
			close(h.hold)
			r.until(15 * sec) // a look hangs since 12 s
			r.set(pod(ends(1, "Error")))
			if at := r.comes(exit1); at != 17*sec {
				t.Errorf("told after %v, want when the patience of 5 s ends", at)
			}
			close(h.answer)
		}, h.in)
	})
	t.Run("LookAgain", func(t *testing.T) {
		h := &hanging{}
		run(t, newFakePods(pod(ends(1, "Error"))), func(t *testing.T, r *rig) {
			close(h.hold)
			pass(2*sec - 1)
			began := r.ran()
			r.LookAgain(t.Context())
			if d := r.ran() - began; d != lookPatience {
				t.Errorf("it took %v, want %v", d, lookPatience)
			}
			r.expect(exit1)
			h.result.Store(&success)
			close(h.answer)
			pass(2 * sec)
			r.expect(own) // a look that comes at last counts
		}, h.in)
	})
	t.Run("a short stop", func(t *testing.T) {
		h := &hanging{}
		run(t, newFakePods(pod(gracePeriodOf(2))), func(t *testing.T, r *rig) {
			close(h.hold)
			r.until(10 * sec)
			r.sigterm()
			if at := r.comes("False InvalidResultFormat: Failed to parse adapter result: not readable: the filesystem does not answer"); at >= 11500*time.Millisecond {
				t.Errorf("told after %v, of a life that ends after 12 s", at)
			}
			close(h.answer)
		}, h.in)
	})
	t.Run("a late stop", func(t *testing.T) {
		h := &hanging{}
		run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
			r.until(9 * sec)
			close(h.hold)
			r.until(10*sec - 1) // a look hangs as yet for no time at all
			r.set(nil)
			if at := r.comes("False InvalidResultFormat"); at >= 11500*time.Millisecond {
				t.Errorf("told after %v, of a life that ends after 12 s", at)
			}
			close(h.answer)
		}, h.in)
	})
}

// LookAgain of an Observer that has ended, or of a caller who has, returns.
func TestLookAgainEnds(t *testing.T) {
	h := &hanging{}
	run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
		close(h.hold)
		ctx, cancel := context.WithTimeout(t.Context(), sec)
		defer cancel()
		began := r.ran()
		r.LookAgain(ctx)
		if d := r.ran() - began; d != sec {
			t.Errorf("it took %v, want the caller's second", d)
		}
		close(h.answer)
		r.cancel()
		<-r.ended
		r.LookAgain(ctx)
	}, h.in)
}
