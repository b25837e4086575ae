package watch

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"
)

func TestWatchExpired(t *testing.T) {
	once := func(ctx context.Context, n int, event func(apiwatch.Event)) error {
		switch n {
		case 1:
			event(apiwatch.Event{Type: apiwatch.Added, Object: pod(func(p *corev1.Pod) { p.ResourceVersion = "7" })})
			return nil
		case 2, 4:
			return answer{code: 410}
		case 3:
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	}
	synctest.Test(t, func(t *testing.T) {
		o := observe(t, instead(once), minPodPoll)
		pass(time.Minute)
		w := o.calls("watch")
		if len(w) != 5 {
			t.Fatalf("watches %+v, want five", w)
		}
		if w[1].version != "7" || w[2].version != "" {
			t.Errorf("watches from %q and %q, want from 7 and then anew", w[1].version, w[2].version)
		}
		if w[2].at != w[1].at {
			t.Errorf("a watch anew after %v, want at once", w[2].at-w[1].at)
		}
		if w[4].at != w[3].at { // not the second in a row
			t.Errorf("a watch anew after %v, want at once again", w[4].at-w[3].at)
		}
	})
}

// Whatever is wrong with watches, an hour of it must not become a load.
func TestWatchNeverHot(t *testing.T) {
	tests := []struct {
		name  string
		watch func(ctx context.Context, n int, event func(apiwatch.Event)) error
		err   error
	}{
		{name: "closes at once", watch: func(context.Context, int, func(apiwatch.Event)) error { return nil }},
		{name: "breaks at once", watch: func(context.Context, int, func(apiwatch.Event)) error { return errors.New("connection reset") }},
		{name: "410 for ever", watch: func(context.Context, int, func(apiwatch.Event)) error { return answer{code: 410} }},
		{name: "an event and 410 for ever", watch: func(_ context.Context, _ int, event func(apiwatch.Event)) error {
			event(apiwatch.Event{Type: apiwatch.Modified, Object: pod()})
			return answer{code: 410}
		}},
		{name: "an event and the end for ever", watch: func(_ context.Context, _ int, event func(apiwatch.Event)) error {
			event(apiwatch.Event{Type: apiwatch.Modified, Object: pod()})
			return nil
		}},
		{name: "410 and the end in turn", watch: func(_ context.Context, n int, _ func(apiwatch.Event)) error {
			if n%2 == 0 {
				return answer{code: 410}
			}
			return nil
		}},
		{name: "unreachable", err: errors.New("connection refused")},
		{name: "401", err: answer{code: 401}},
		{name: "404", err: answer{code: 404}},
		{name: "410", err: answer{code: 410}},
		{name: "500", err: answer{code: 500}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := instead(test.watch)
				f.fail(test.err, test.err, test.err)
				o := observe(t, f, minPodPoll)
				pass(time.Hour)
				watches, reads := len(o.calls("watch")), len(o.calls("get"))+len(o.calls("cached"))
				if watches < 300 || watches > 1700 || reads > watches { // a pause is 5 s on average
					t.Errorf("%d tries to watch and %d reads in an hour", watches, reads)
				}
			})
		})
	}
}

func TestWatchHonoursRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakePods(pod())
		f.fail(answer{code: 429, wait: 7 * time.Second}, nil, nil)
		o := observe(t, f, minPodPoll)
		pass(20 * time.Second)
		if w := o.calls("watch"); len(w) < 2 || w[1].at < 7*time.Second || w[1].at > 7*time.Second+minWatchPause {
			t.Errorf("watches %+v; want the second after 7 s", w)
		}
	})
}

// After a watch that held, the next failure is a first one.
func TestWatchPauseStartsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := observe(t, instead(func(ctx context.Context, n int, event func(apiwatch.Event)) error {
			if n > 20 { // by then the pauses are long
				sleep(ctx, healthyAfter)
			}
			return nil
		}), minPodPoll)
		pass(time.Hour)
		w := o.calls("watch")
		for i := 22; i < len(w); i++ {
			if gap := w[i].at - w[i-1].at; gap > healthyAfter+minWatchPause {
				t.Fatalf("a pause of %v after a watch that held", gap-healthyAfter)
			}
		}
	})
}

// TestWatchesAreSpread: a server that ends cuts all watches at once, and they do
// not all come to the next one at once. The bounds are ten standard deviations.
func TestWatchesAreSpread(t *testing.T) {
	const fleet = 200
	var sum time.Duration
	synctest.Test(t, func(t *testing.T) {
		for range fleet {
			o := observe(t, instead(func(ctx context.Context, n int, _ func(apiwatch.Event)) error {
				if n == 1 {
					return errors.New("connection reset")
				}
				<-ctx.Done()
				return ctx.Err()
			}), minPodPoll)
			pass(2 * minWatchPause)
			w := o.calls("watch")
			if len(w) != 2 || w[1].at > minWatchPause {
				t.Fatalf("watches %+v, want the second within %s", w, minWatchPause)
			}
			sum += w[1].at
		}
	})
	if mean := sum / fleet; mean < 3*minWatchPause/10 || mean > 7*minWatchPause/10 {
		t.Errorf("the second watch comes after %s on average, want about half of %s", mean, minWatchPause)
	}
}

// silentAfter sends these events a minute apart, then nothing.
func silentAfter(events ...apiwatch.Event) *fakePods {
	return instead(func(ctx context.Context, _ int, event func(apiwatch.Event)) error {
		for i, ev := range events {
			if i > 0 {
				sleep(ctx, time.Minute)
			}
			event(ev)
		}
		<-ctx.Done()
		return ctx.Err()
	})
}

func TestWatchSilent(t *testing.T) {
	added := apiwatch.Event{Type: apiwatch.Added, Object: pod(func(p *corev1.Pod) { p.ResourceVersion = "7" })}
	tests := []struct {
		name    string
		server  *fakePods
		renewed time.Duration
		version string
	}{
		{"at once", silentAfter(), 2 * time.Minute, ""},
		{"after an event", silentAfter(added), 2 * time.Minute, "7"},
		{"after a bookmark", silentAfter(added, bookmark("9")), 3 * time.Minute, "9"},
		{"after an unknown event", silentAfter(added, apiwatch.Event{Type: "GOSSIP"}), 3 * time.Minute, "7"},
		{"after a Pod without resourceVersion", silentAfter(added, apiwatch.Event{Type: apiwatch.Modified, Object: pod()}), 3 * time.Minute, "7"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test.server.began = time.Now()
				o := observe(t, test.server, minPodPoll)
				pass(test.renewed + time.Second)
				w := o.calls("watch")
				if len(w) != 2 || w[1].at < test.renewed || w[1].version != test.version {
					t.Errorf("watches %+v; want the second after %v, from version %q", w, test.renewed, test.version)
				}
			})
		})
	}
}

// A watch that is accepted and does not tell the present state is helped by a read.
func TestWatchQuiet(t *testing.T) {
	tests := []struct {
		name   string
		events []apiwatch.Event
		want   int
	}{
		{"no event", nil, 1},
		{"a bookmark only", []apiwatch.Event{bookmark("7")}, 1},
		{"an unknown event only", []apiwatch.Event{{Type: "GOSSIP"}}, 1},
		{"the present state", []apiwatch.Event{{Type: apiwatch.Added, Object: pod()}}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := observe(t, silentAfter(test.events...), minPodPoll)
				count := func() (n int) {
					for _, n1 := range o.told() {
						if n1.quiet {
							n++
						}
					}
					return n
				}
				pass(firstEvent - 1)
				if n := count(); n != 0 {
					t.Errorf("told %d times too early", n)
				}
				pass(time.Minute)
				if n := count(); n != test.want {
					t.Errorf("told %d times, want %d", n, test.want)
				}
			})
		})
	}
}

// A watch that is resumed has nothing to tell for as long as nothing happens.
func TestWatchResumedIsNotQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := observe(t, instead(func(ctx context.Context, n int, event func(apiwatch.Event)) error {
			if n == 1 {
				event(apiwatch.Event{Type: apiwatch.Added, Object: pod(func(p *corev1.Pod) { p.ResourceVersion = "7" })})
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}), minPodPoll)
		pass(time.Minute)
		if n := o.told(); len(n) != 1 || n[0].pod == nil {
			t.Errorf("news %+v; want the one event", n)
		}
	})
}

// TestWatchEnds: one that told nothing is followed by a read.
func TestWatchEnds(t *testing.T) {
	tests := []struct {
		name   string
		events []apiwatch.Event
		reads  int
	}{
		{"without an event", nil, 1},
		{"after a bookmark", []apiwatch.Event{bookmark("7")}, 1},
		{"after an unknown event", []apiwatch.Event{{Type: "GOSSIP"}}, 1},
		{"after an event", []apiwatch.Event{{Type: apiwatch.Added, Object: pod()}}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := observe(t, instead(func(ctx context.Context, n int, event func(apiwatch.Event)) error {
					if n > 1 {
						<-ctx.Done()
						return ctx.Err()
					}
					for _, ev := range test.events {
						event(ev)
					}
					return nil
				}), minPodPoll)
				pass(time.Second)
				if n := len(o.calls("get")); n != test.reads {
					t.Errorf("%d reads, want %d", n, test.reads)
				}
				if w := o.calls("watch"); len(w) != 2 {
					t.Errorf("watches %+v, want two", w)
				}
			})
		})
	}
}
