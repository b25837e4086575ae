package watch

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const halfFile = `{"status":"succ`

func TestLoopFile(t *testing.T) {
	run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
		r.expect("none")
		r.until(5 * sec)
		r.write(valid)
		if at := r.comes(own); at != 6*sec {
			t.Errorf("seen after %v, want at the next poll", at)
		}
	})
}

// A result that is there already needs no event and no poll.
func TestLoopFileAtStart(t *testing.T) {
	run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
		r.expect(own)
		if at := r.ran(); at != 0 {
			t.Errorf("seen after %v, want at once", at)
		}
	}, func(o *Observer) { write(t, o.cfg.Path, valid) })
}

func TestLoopPod(t *testing.T) {
	run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
		r.until(5 * sec)
		r.set(pod(ends(1, "Error")))
		r.expect(exit1)
		if at := r.ran(); at != 5*sec {
			t.Errorf("seen after %v, want at once", at)
		}
		if n := r.opened.Load(); n != 1 {
			t.Errorf("told %d times that the watch is open", n)
		}
		if p := r.Pod(); p == nil || adapterStatus(p).State.Terminated == nil || r.Sidecar() {
			t.Errorf("Pod %v, sidecar %v; want the newest one, and a regular container", p, r.Sidecar())
		}
		if n := len(r.calls("get")) + len(r.calls("cached")); n != 0 {
			t.Errorf("%d reads beside the watch", n)
		}
	})
}

// A file that comes with the adapter's end is looked for before that is judged.
func TestLoopEndsWithFile(t *testing.T) {
	run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
		r.until(5 * sec)
		r.write(valid)
		r.set(pod(ends(0, "Completed")))
		r.expect(own)
	})
}

func TestLoopNativeSidecar(t *testing.T) {
	run(t, newFakePods(pod(asSidecar)), func(t *testing.T, r *rig) {
		if !r.Sidecar() {
			t.Error("a native sidecar is not known as one")
		}
		r.set(pod(asSidecar, ends(137, "OOMKilled")))
		r.expect(oom)
	})
}

// TestLoopQuiet: an hour in which nothing happens costs nothing.
func TestLoopQuiet(t *testing.T) {
	var looks atomic.Int32
	run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
		r.until(time.Hour - 1)
		if n := looks.Load(); n < 1790 || n > 1801 {
			t.Errorf("%d looks in an hour of polls every 2 s", n)
		}
		if watches, reads := len(r.calls("watch")), len(r.calls("get"))+len(r.calls("cached")); watches != 1 || reads != 0 {
			t.Errorf("%d watches and %d reads in an hour, want one watch", watches, reads)
		}
		select {
		case <-r.Changed():
			t.Error("told of news that are none")
		default:
		}
	}, func(o *Observer) {
		o.cfg.Wait = 2 * time.Hour
		o.lookAt = func(path string) look { looks.Add(1); return lookAt(path) }
	})
}

// TestLoopDeadline: what is written in the last moment counts, though no poll
// would see it.
func TestLoopDeadline(t *testing.T) {
	slow := func(o *Observer) { o.cfg.Poll = 200 * time.Second }
	run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
		r.until(300*sec - 1)
		r.write(valid)
		if at := r.comes(own); at != 300*sec {
			t.Errorf("seen after %v, want at the deadline", at)
		}
	}, slow)
	run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
		if at := r.comes("False AdapterTimeout: Adapter did not produce results within 5m0s"); at != 300*sec {
			t.Errorf("told after %v, want at the deadline", at)
		}
		if n := len(r.calls("get")); n != 1 {
			t.Errorf("%d fresh reads of the Pod, want one", n)
		}
	}, slow)
}

// TestLoopComplains once of each thing that the user has to mend.
func TestLoopComplains(t *testing.T) {
	run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
		r.set(pod(ends(1, "Error")))
		r.set(pod(ends(1, "Error"), isDisrupted("A", "b")))
		r.expect("none")
		if n := strings.Count(r.log.String(), "level=ERROR"); n != 1 || !strings.Contains(r.log.String(), "ADAPTER_CONTAINER_NAME: the Pod has no container") {
			t.Errorf("%d errors logged, want one that names the variable", n)
		}
		r.until(10 * sec)
		r.write(valid)
		if at := r.comes(own); at > 12*sec {
			t.Errorf("the file is seen after %v", at)
		}
	}, func(o *Observer) { o.cfg.Adapter = "wrok" })
}

// The reporter's own crash is not the adapter's, whatever ADAPTER_CONTAINER_NAME says.
func TestLoopAdapterIsTheReporter(t *testing.T) {
	run(t, newFakePods(pod(func(p *corev1.Pod) { status(p, reporterName).LastTerminationState = terminated(3, "Error") })), func(t *testing.T, r *rig) {
		r.comes("False AdapterTimeout")
	}, func(o *Observer) { o.cfg.Adapter = reporterName })
}

// TestLoopEnds while each of its parts is busy.
func TestLoopEnds(t *testing.T) {
	for name, prepare := range map[string]func(r *rig){
		"at rest":            func(r *rig) {},
		"reading in vain":    func(r *rig) { r.fail(nil, errNetwork, nil); r.until(301 * sec) },
		"with a verdict":     func(r *rig) { r.write(valid); r.until(10 * sec) },
		"in its stop":        func(r *rig) { r.sigterm() },
		"with its Pod gone":  func(r *rig) { r.set(nil) },
		"with news not read": func(r *rig) { r.set(pod(ends(1, "Error"))); r.set(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
				prepare(r)
				began := time.Now()
				r.cancel()
				<-r.ended
				if d := time.Since(began); d != 0 {
					t.Errorf("it took %v", d)
				}
				r.Stop()
				r.Stop()
				synctest.Wait()
			})
		})
	}
}
