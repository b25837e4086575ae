package watch

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"
)

var errNetwork = errors.New("connection reset")

func TestLoopPolling(t *testing.T) {
	f := newFakePods(pod())
	f.fail(answer{code: 403}, nil, nil)
	run(t, f, func(t *testing.T, r *rig) {
		r.until(30 * sec)
		r.set(pod(ends(1, "Error")))
		if at := r.comes(exit1); at > 37*sec {
			t.Errorf("seen after %v, want within a poll", at)
		}
		reads := r.calls("cached")
		for i := range reads[1:] {
			if gap := reads[i+1].at - reads[i].at; gap < minPodPoll {
				t.Errorf("reads %v apart: a load, with a thousand Jobs", gap)
			}
		}
	})
}

// A cache may lag: only a fresh answer tells that the Pod is gone.
func TestLoopCachedNotFound(t *testing.T) {
	f := newFakePods(pod())
	f.fail(answer{code: 403}, nil, nil)
	run(t, f, func(t *testing.T, r *rig) {
		r.fail(answer{code: 403}, nil, answer{code: 404})
		r.until(20 * sec)
		r.expect("none")
		if len(r.calls("get")) == 0 {
			t.Error("the cache was believed")
		}
		r.set(nil)
		at := r.comes(cut + "the Pod is gone")
		r.until(at + time.Hour)
		if n := len(r.calls("cached")); r.calls("cached")[n-1].at > at {
			t.Error("a Pod that is gone is followed")
		}
	})
}

func TestLoopDeleted(t *testing.T) {
	run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
		r.until(5 * sec)
		r.set(nil)
		r.expect(cut + "the Pod is gone")
		if want := (killing{5 * sec, 7 * sec}); !slices.Equal(r.killings(), []killing{want}) {
			t.Errorf("SIGKILL is expected %v, want %v", r.killings(), want)
		}
	})
}

func TestLoopReplaced(t *testing.T) {
	run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
		r.set(pod(ends(1, "Error"), func(p *corev1.Pod) { p.UID = "2" }))
		r.expect(cut + "the Pod is gone")
		if r.Pod().UID != "1" {
			t.Error("another Pod of the same name is taken for the own one")
		}
	})
}

// TestLoopOldNews: a cache that lags behind the watch is not believed.
func TestLoopOldNews(t *testing.T) {
	f := instead(func(ctx context.Context, _ int, event func(apiwatch.Event)) error {
		event(apiwatch.Event{Type: apiwatch.Added, Object: pod(func(p *corev1.Pod) { p.ResourceVersion = "12" })})
		sleep(ctx, time.Minute)
		return errNetwork
	})
	f.stale = pod(ends(1, "Error"), func(p *corev1.Pod) { p.ResourceVersion = "3" })
	run(t, f, func(t *testing.T, r *rig) {
		r.fail(answer{code: 403}, nil, nil)
		r.until(3 * time.Minute)
		if len(r.calls("cached")) == 0 {
			t.Fatal("the cache was not read")
		}
		r.expect("none")
	})
}

// TestLoopDeadlineReadsThePod: with a cache that lags, the last word is the server's.
func TestLoopDeadlineReadsThePod(t *testing.T) {
	f := newFakePods(pod())
	f.fail(answer{code: 403}, nil, nil)
	run(t, f, func(t *testing.T, r *rig) {
		f.lag()
		r.until(290 * sec)
		r.set(pod(ends(137, "OOMKilled")))
		r.until(300*sec - 1)
		r.expect("none")
		if at := r.comes(oom); at != 300*sec {
			t.Errorf("seen after %v, want at the deadline", at)
		}
	})
}

// TestLoopPodUnreadable: nothing is told of a running adapter while the Pod
// cannot be read, and that does not become a load.
func TestLoopPodUnreadable(t *testing.T) {
	tests := []struct {
		name string
		err  error
		late time.Duration // that the end of the fault is noticed, at most
	}{
		{"network", errNetwork, 5 * sec},
		{"500", answer{code: 500}, 5 * sec},
		{"401", answer{code: 401}, 5 * sec},
		{"429", answer{code: 429, wait: 20 * time.Second}, 25 * sec},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
				r.until(299 * sec)
				r.fail(nil, test.err, nil)
				r.until(500 * sec)
				r.expect("none")
				if n := len(r.calls("get")); n < 8 || n > 100 {
					t.Errorf("%d reads in 200 s", n)
				}
				r.fail(nil, nil, nil)
				if at := r.comes("False AdapterTimeout"); at > 500*sec+test.late {
					t.Errorf("told %v after the Pod could be read", at-500*sec)
				}
			})
		})
	}
	t.Run("for good", func(t *testing.T) {
		run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
			r.fail(nil, errNetwork, nil)
			if at := r.comes("False AdapterTimeout"); at < 35*time.Minute || at > 35*time.Minute+2*sec {
				t.Errorf("told after %v, want half an hour after the deadline", at)
			}
		})
	})
	t.Run("no answer", func(t *testing.T) {
		run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
			release := r.holdReads()
			r.until(400 * sec)
			r.expect("none")
			if n := len(r.calls("get")); n != 1 {
				t.Errorf("%d reads at a time", n)
			}
			release()
			r.expect("False AdapterTimeout")
		})
	})
	t.Run("a result meanwhile", func(t *testing.T) {
		run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
			r.fail(nil, errNetwork, nil)
			r.until(350 * sec)
			r.write(valid)
			if at := r.comes(own); at > 352*sec {
				t.Errorf("seen after %v, want at the next poll", at)
			}
		})
	})
}

// TestLoopPodRefused: where the answer is no, asking again is of no use.
func TestLoopPodRefused(t *testing.T) {
	for name, err := range map[string]error{"403": answer{code: 403}, "404": answer{code: 404}} {
		t.Run(name, func(t *testing.T) {
			f := newFakePods(nil)
			f.fail(answer{code: 403}, err, err)
			run(t, f, func(t *testing.T, r *rig) {
				select {
				case <-r.Known():
				default:
					t.Error("still hoping to read the Pod")
				}
				if at := r.comes("False AdapterTimeout"); at != 300*sec {
					t.Errorf("told after %v, want at the deadline", at)
				}
				if r.Pod() != nil {
					t.Error("a Pod that cannot be read")
				}
				if n := strings.Count(r.log.String(), "level=ERROR"); n != 1 || !strings.Contains(r.log.String(), "the result file alone is followed") {
					t.Errorf("%d errors logged, want one that tells", n)
				}
			})
		})
	}
}

func TestLoopKnown(t *testing.T) {
	f := newFakePods(pod())
	f.fail(errNetwork, errNetwork, errNetwork)
	run(t, f, func(t *testing.T, r *rig) {
		r.until(60 * sec)
		select {
		case <-r.Known():
			t.Error("the Pod is not known yet, and not refused")
		default:
		}
		r.fail(nil, nil, nil)
		<-r.Known()
		if r.Pod() == nil {
			t.Error("known, yet not there")
		}
	})
}

// A watch that does not tell the present state is helped by a read.
func TestLoopWatchQuiet(t *testing.T) {
	f := silentAfter()
	f.set(pod(ends(1, "Error")))
	run(t, f, func(t *testing.T, r *rig) {
		if at := r.comes(exit1); at != firstEvent {
			t.Errorf("seen after %v, want %v", at, firstEvent)
		}
		if n := len(r.calls("get")); n != 1 {
			t.Errorf("%d reads, want one", n)
		}
	})
}
