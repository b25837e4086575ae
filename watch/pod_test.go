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

// A GET follows a watch that brought nothing, unless there was no server to be met.
func TestNoGetWithoutServer(t *testing.T) {
	for _, test := range []struct {
		err  error
		gets bool
	}{
		{errors.New("connection refused"), false},
		{answer{code: 503}, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFakePods(pod())
			f.fail(test.err, nil, nil)
			o := observe(t, f, 5*sec)
			pass(time.Minute)
			o.cancel()
			<-o.done
			watches, gets := len(o.calls("watch")), len(o.calls("get"))
			if watches < 5 || (gets > 0) != test.gets {
				t.Errorf("%v: %d watches, %d reads", test.err, watches, gets)
			}
		})
	}
}
