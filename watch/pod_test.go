package watch

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"
)

// observed is a podObserver at work in a bubble, and what it has told.
type observed struct {
	*fakePods
	opened atomic.Int32
	log    bytes.Buffer
	done   chan struct{}
	cancel context.CancelFunc

	mu   sync.Mutex
	news []podNews
}

// observe runs a podObserver until the test's end.
func observe(t *testing.T, f *fakePods, poll time.Duration) *observed {
	ctx, cancel := context.WithCancel(t.Context())
	o := &observed{fakePods: f, done: make(chan struct{}), cancel: cancel}
	p := &podObserver{
		pods: f, poll: poll, log: slog.New(slog.NewTextHandler(&o.log, nil)),
		opened: func() { o.opened.Add(1) },
		send:   func(n podNews) { o.mu.Lock(); defer o.mu.Unlock(); o.news = append(o.news, n) },
	}
	go func() { defer close(o.done); p.run(ctx) }()
	synctest.Wait()
	return o
}

func (o *observed) told() []podNews {
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]podNews(nil), o.news...)
}

// pass lets fake time pass.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// instead is a server whose watches do as told once they are accepted.
func instead(watch func(ctx context.Context, n int, event func(apiwatch.Event)) error) *fakePods {
	f := newFakePods(pod())
	f.watch = watch
	return f
}

func TestWatchAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := observe(t, newFakePods(pod()), minPodPoll)
		if o.opened.Load() == 0 {
			t.Error("the acceptance was not told")
		}
		o.set(pod(ends(1, "Error")))
		news := o.told()
		if len(news) != 2 || news[0].pod == nil || news[1].pod == nil || adapterStatus(news[1].pod).State.Terminated == nil {
			t.Fatalf("news %+v; want the present state and the adapter's end", news)
		}
		if w := o.calls("watch"); len(w) != 1 || w[0].version != "" {
			t.Errorf("watches %+v; want one from the present state on", w)
		}
		if n := len(o.calls("get")) + len(o.calls("cached")); n != 0 {
			t.Errorf("%d reads beside a watch that tells", n)
		}
	})
}

// Without the right to watch the Pod is read, and the right is hoped for.
func TestWatchForbidden(t *testing.T) {
	for _, poll := range []time.Duration{minPodPoll, 20 * time.Second} {
		t.Run(poll.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakePods(pod())
				f.fail(answer{code: 403}, errors.New("no fresh read was due"), nil)
				o := observe(t, f, poll)
				if o.opened.Load() == 0 {
					t.Error("the refusal was not told")
				}
				pass(time.Hour)
				reads := o.calls("cached")
				if reads[0].at != 0 {
					t.Errorf("first read after %v, want at once", reads[0].at)
				}
				var jitter bool
				for i := range reads[1:] {
					switch gap := reads[i+1].at - reads[i].at; {
					case gap < poll || gap > poll*5/4:
						t.Fatalf("reads %v apart, want %v to %v", gap, poll, poll*5/4)
					case gap != reads[1].at:
						jitter = true
					}
				}
				if !jitter {
					t.Error("no jitter: all Jobs started at once would read at once")
				}
				watches := o.calls("watch")
				if n := len(watches); n < 45 || n > 61 {
					t.Errorf("%d tries to watch in an hour, want one a minute", n)
				}
				if n := strings.Count(o.log.String(), "level=WARN"); n != 1 {
					t.Errorf("%d warnings, want one:\n%s", n, &o.log)
				}
				if n := len(o.told()); n != len(reads) {
					t.Errorf("%d news of %d reads", n, len(reads))
				}

				o.fail(nil, nil, nil)
				pass(2 * time.Minute)
				granted := len(o.calls("cached"))
				pass(time.Minute)
				if n := len(o.calls("cached")); n != granted {
					t.Errorf("%d reads in a minute though a watch is accepted", n-granted)
				}
			})
		})
	}
}

// A server that asks for time gets it, but not a day.
func TestReadsHonourRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakePods(pod())
		f.fail(answer{code: 403}, nil, answer{code: 429, wait: 24 * time.Hour})
		o := observe(t, f, minPodPoll)
		pass(55 * time.Second)
		if n := len(o.calls("cached")); n != 2 {
			t.Errorf("%d reads in 55 s, want one every 30 s", n)
		}
	})
}

func TestWatchExpired(t *testing.T) {
	once := func(ctx context.Context, n int, event func(apiwatch.Event)) error {
		switch n {
		case 1:
			event(apiwatch.Event{Type: apiwatch.Added, Object: pod(func(p *corev1.Pod) { p.ResourceVersion = "7" })})
			return nil
		case 2:
			return answer{code: 410}
		}
		<-ctx.Done()
		return ctx.Err()
	}
	synctest.Test(t, func(t *testing.T) {
		o := observe(t, instead(once), minPodPoll)
		pass(time.Minute)
		w := o.calls("watch")
		if len(w) != 3 {
			t.Fatalf("watches %+v, want three", w)
		}
		if w[1].version != "7" || w[2].version != "" {
			t.Errorf("watches from %q and %q, want from 7 and then anew", w[1].version, w[2].version)
		}
		if w[2].at != w[1].at {
			t.Errorf("a watch anew after %v, want at once", w[2].at-w[1].at)
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
		if w := o.calls("watch"); len(w) < 2 || w[1].at < 7*time.Second || w[1].at > 7*time.Second+100*time.Millisecond {
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
			if gap := w[i].at - w[i-1].at; gap > healthyAfter+200*time.Millisecond {
				t.Fatalf("a pause of %v after a watch that held", gap-healthyAfter)
			}
		}
	})
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

func TestWatchDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := observe(t, newFakePods(pod()), minPodPoll)
		o.set(nil)
		news := o.told()
		if n := len(news); n != 2 || !news[1].gone {
			t.Fatalf("news %+v; want the deletion", news)
		}
		<-o.done // there is nothing to follow any more
		if n := len(o.calls("watch")); n != 1 {
			t.Errorf("%d watches, want one", n)
		}
	})
}

// TestPodObserverEnds in each of its waits, and at once.
func TestPodObserverEnds(t *testing.T) {
	for name, err := range map[string]error{
		"in a watch": nil, "in a pause": answer{code: 429, wait: time.Hour}, "between reads": answer{code: 403},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakePods(pod())
				f.fail(err, nil, nil)
				o := observe(t, f, minPodPoll)
				before := len(o.calls("watch")) + len(o.calls("get")) + len(o.calls("cached"))
				began := time.Now()
				o.cancel()
				<-o.done
				if d := time.Since(began); d != 0 {
					t.Errorf("it took %v", d)
				}
				if n := len(o.calls("watch")) + len(o.calls("get")) + len(o.calls("cached")); n != before {
					t.Errorf("%d calls after the end", n-before)
				}
			})
		})
	}
}

func TestNewer(t *testing.T) {
	at := func(version string) *corev1.Pod { return pod(func(p *corev1.Pod) { p.ResourceVersion = version }) }
	tests := []struct {
		a, b string
		want bool
	}{
		{"9", "10", false}, {"10", "9", true}, {"10", "10", true}, {"", "10", true}, {"10", "", true}, {"x", "10", true},
		{"18446744073709551615", "9", true},
	}
	for _, test := range tests {
		if got := newer(at(test.a), at(test.b)); got != test.want {
			t.Errorf("%q against %q: %v, want %v", test.a, test.b, got, test.want)
		}
	}
}

func TestRefused(t *testing.T) {
	for code, want := range map[int]bool{
		0: false, 200: false, 302: false, 400: true, 401: false, 403: true, 404: true, 405: true, 408: false, 409: false,
		410: true, 422: true, 425: false, 429: false, 499: true, 500: false, 503: false, 504: false,
	} {
		if got := refused(answer{code: code}); got != want {
			t.Errorf("%d: refused %v, want %v", code, got, want)
		}
	}
	if refused(errors.New("connection refused")) || refused(context.DeadlineExceeded) {
		t.Error("a network error is no refusal")
	}
	if code(nil) != 0 || wish(nil) != 0 || wish(answer{code: 429, wait: sec}) != sec {
		t.Error("an answer's code and wish are misread")
	}
}
