package watch

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestSettle: when an invalid file of a running adapter is believed.
func TestSettle(t *testing.T) {
	polling := func(d time.Duration) func(*Observer) { return func(o *Observer) { o.cfg.Poll = d } }
	run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
		r.until(5 * sec)
		r.write(halfFile) // seen at 6 s
		if at := r.comes(invalidFile); at != 16*sec {
			t.Errorf("believed after %v, want 10 s after it was seen", at)
		}
		if n := len(r.calls("get")); n != 1 {
			t.Errorf("%d fresh reads of the Pod, want one", n)
		}
	})
	run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
		r.until(5 * sec)
		r.write(halfFile) // seen at 20 s
		if at := r.comes(invalidFile); at != 40*sec {
			t.Errorf("believed after %v, want a poll interval after it was seen", at)
		}
	}, polling(20*time.Second))
	run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
		for r.ran() < 100*sec { // byte by byte
			r.until(r.ran() + 5*sec)
			r.write(halfFile[:int(r.ran()/(10*sec))+1])
			r.expect("none")
		}
		r.write(valid)
		r.comes(own)
	})
	run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
		r.until(5 * sec)
		r.write("")
		r.until(200 * sec)
		r.expect("none")
		r.write(valid)
		r.comes(own)
	})
	run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
		r.until(5 * sec)
		r.write(halfFile)
		r.until(16*sec - 1)
		r.set(pod(ends(137, "OOMKilled"))) // the file's last bytes and the kill are one thing
		r.expect(oom)
	})
	run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
		r.until(5 * sec)
		r.write(halfFile)
		r.comes(invalidFile)
		r.write(halfFile + "ess")
		r.until(18 * sec)
		r.expect("none") // a file that is being mended is no news
		r.write(valid)
		r.comes(own)
	})
}

// After a reading that succeeded, one that fails is a first one.
func TestSettleReadsAnew(t *testing.T) {
	run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
		r.fail(nil, errNetwork, nil)
		r.write(halfFile)
		r.until(100 * sec) // by now the pauses are long
		r.fail(nil, nil, nil)
		r.comes(invalidFile)
		r.until(111 * sec)
		r.write(halfFile + "ess") // seen at 112 s
		r.fail(nil, errNetwork, nil)
		r.until(122 * sec)
		before := len(r.calls("get"))
		r.until(122*sec + 750*time.Millisecond)
		if n := len(r.calls("get")) - before; n < 3 {
			t.Errorf("%d reads again in 750 ms, want pauses of 100, 200 and 400 ms at most", n)
		}
	})
}

// TestSettleWhileWritten: a writer that is known may still be at it.
func TestSettleWhileWritten(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		o := New(Config{Path: filepath.Join(dir, "r.json"), Poll: 2 * time.Second, Pods: newFakePods(pod()), Log: slog.New(slog.DiscardHandler)})
		events := make(chan fileEvent) // what the kernel would tell
		l := &loop{Observer: o, file: newFileObserver(o.cfg.Path, true, o.log), reads: make(chan reading, 1)}
		l.file.events = events
		l.s = newState("", time.Hour, minSettle, time.Now())
		var all sync.WaitGroup
		all.Go(func() { l.run(ctx, &all) })
		believed := func() bool { synctest.Wait(); _, ok := o.Verdict(); return ok }

		write(t, o.cfg.Path, halfFile)
		events <- fileEvent{modified: true}
		pass(5 * time.Minute)
		if believed() {
			t.Error("half a file is believed while it is written")
		}
		events <- fileEvent{closed: true, look: true}
		if !believed() {
			t.Error("not believed, though its writer left it so long ago")
		}

		os.Remove(o.cfg.Path)
		events <- fileEvent{closed: true, look: true}
		synctest.Wait()
		write(t, o.cfg.Path, halfFile)
		events <- fileEvent{created: true, look: true} // by one who writes it
		pass(5 * time.Minute)
		if believed() {
			t.Error("half a file is believed while whoever made it may write it")
		}
		write(t, o.cfg.Path, valid)
		events <- fileEvent{closed: true, look: true}
		ready := believed()
		if v, _ := o.Verdict(); !ready || !v.Own {
			t.Errorf("verdict %+v, want the result", v)
		}
		cancel()
		all.Wait()
	})
}

// TestSettleUnconfirmed: the Pod tells whether the half file is all there will be.
func TestSettleUnconfirmed(t *testing.T) {
	run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
		r.fail(nil, errNetwork, nil)
		r.write(halfFile)
		r.until(60 * sec)
		r.expect("none")
		r.fail(nil, nil, nil)
		if at := r.comes(invalidFile); at > 66*sec {
			t.Errorf("believed after %v, want soon after the Pod could be read", at)
		}
	})
}
