package kubeapi_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// One request that is not answered condemns the connection: the watch on it
// must not go on waiting for news that cannot come.
func TestTimeoutEndsTheWatch(t *testing.T) {
	protocols(t, func(w *world) {
		f := w.follow(w.Context(), "")
		f.types()
		w.use()
		w.s.Freeze()
		began := time.Now()
		go func() { w.patch() }()
		err := <-f.ended
		if took := time.Since(began); took != 3*time.Second {
			w.Errorf("the watch ended after %s, want 3 s", took)
		}
		mayPass(w.T, err)
		if want := "WATCH " + podsPath + ": connection given up: no answer within 3s"; err == nil || err.Error() != want {
			w.Errorf("%v, want %s", err, want)
		}
		w.s.Thaw()
		f = w.follow(w.Context(), "")
		if err := w.patch(); err != nil {
			w.Error(err)
		}
		if types := f.types(); len(types) == 0 || types[0] != apiwatch.Added {
			w.Errorf("events of the new watch: %v", types)
		}
	})
}

// Several requests that time out together give up one connection, not also
// the new one that some of them use already.
func TestTimeoutsTogetherGiveUpOneConnection(t *testing.T) {
	bubble(t, func(w *world) {
		w.use()
		w.s.Fault(podGet, kubetest.HangRequest().Times(5))
		w.s.Fault(jobGet, kubetest.Proceed().After(2*time.Second))
		var all sync.WaitGroup
		for i := range 5 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 100 * time.Millisecond)
				mayPass(w.T, w.getPod())
			})
		}
		time.Sleep(3 * time.Second) // the first has just given up
		synctest.Wait()
		took, err := timed(w.getJob)
		if took != 2*time.Second || err != nil {
			t.Errorf("on the new connection: %s, %v", took, err)
		}
		all.Wait()
		if n := w.s.Connections(); n != 2 {
			t.Errorf("%d connections, want 2", n)
		}
	})
}

// What ends late on a connection that was given up does no harm to the next.
func TestLateEndOnAConnectionGivenUp(t *testing.T) {
	bubble(t, func(w *world) {
		release := make(chan struct{})
		ended := make(chan error, 1)
		go func() {
			ended <- w.c.WatchPod(w.Context(), "", func() {}, func(apiwatch.Event) { <-release })
		}()
		synctest.Wait()
		w.s.Fault(jobPatch, kubetest.HangRequest())
		if took, err := timed(w.patch); took != 3*time.Second || err == nil {
			t.Fatalf("%s, %v", took, err)
		}
		time.AfterFunc(time.Second, func() { close(release) })
		w.s.Fault(jobGet, kubetest.Proceed().After(2*time.Second))
		if took, err := timed(w.getJob); took != 2*time.Second || err != nil {
			t.Errorf("on the new connection: %s, %v", took, err)
		}
		mayPass(t, <-ended)
		if err := w.getPod(); err != nil || w.s.Connections() != 2 {
			t.Errorf("%v, %d connections, want 2", err, w.s.Connections())
		}
	})
}

// A connection that was given up is closed, though its server lives.
func TestGivenUpConnectionsAreClosed(t *testing.T) {
	protocols(t, func(w *world) {
		var open atomic.Int32
		cfg := w.cfg
		cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := w.s.Dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			open.Add(1)
			return &countedConn{Conn: conn, open: &open}, nil
		}
		w.c = w.client(cfg)
		ctx, cancel := context.WithCancel(w.Context())
		defer cancel()
		for range 5 {
			f := w.follow(ctx, "")
			w.use()
			w.s.Fault(jobPatch, kubetest.HangRequest())
			if err := w.patch(); err == nil {
				w.Fatal("no time-out")
			}
			<-f.ended
		}
		time.Sleep(5 * time.Second)
		if n := open.Load(); n != 0 {
			w.Errorf("%d connections are open that nobody uses", n)
		}
		w.use()
		w.c.Close()
		time.Sleep(5 * time.Second)
		if n := open.Load(); n != 0 {
			w.Errorf("%d connections are open after Close", n)
		}
	})
}

// nothingArrives ends a black hole, and looks for PATCHes that nobody waits for.
func (w *world) nothingArrives() {
	w.Helper()
	synctest.Wait() // the transport tells of a lost connection some moments before it closes it
	w.s.Thaw()
	time.Sleep(5 * time.Second)
	if n := len(w.s.Requests(jobPatch)); n != 0 {
		w.Errorf("%d PATCHes have arrived that nobody waits for", n)
	}
}

// What was given up does not arrive when a black hole ends: it would replace
// what has been written since.
func TestGivenUpRequestsDoNotArrive(t *testing.T) {
	protocols(t, func(w *world) {
		w.use()
		w.s.FreezeConnections()
		if err := w.patch(); err == nil {
			w.Fatal("no time-out")
		}
		w.nothingArrives()
		if err := w.patch(); err != nil {
			w.Error(err)
		}
	})
}

// Nor where the client has ended since.
func TestRequestsOfEndedClientsDoNotArrive(t *testing.T) {
	protocols(t, func(w *world) {
		w.use()
		w.s.FreezeConnections()
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		if _, err := w.c.PatchJobStatus(ctx, w.meant(), report()); !errors.Is(err, context.DeadlineExceeded) {
			w.Fatalf("got %v, want the context's end", err)
		}
		w.c.Close()
		time.Sleep(5 * time.Second)
		w.nothingArrives()
	})
}

// Nor where the ping has found the connection dead, before the time-out has.
func TestRequestsOfDeadConnectionsDoNotArrive(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow(w.Context(), "")
		w.use()
		w.s.FreezeConnections()
		time.Sleep(18 * time.Second) // a ping is sent after 15 s, and has 5 s
		if err := w.patch(); err == nil || !strings.Contains(err.Error(), "connection lost") {
			w.Fatalf("got %v, want the ping's error", err)
		}
		w.nothingArrives()
	})
}

// A client that has had all answers does not look like one that has crashed.
func TestCloseIsNoReset(t *testing.T) {
	protocols(t, func(w *world) {
		var lingers []int
		cfg := w.cfg
		cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := w.s.Dial(ctx, network, address)
			return &lingerConn{Conn: conn, sets: &lingers}, err
		}
		w.c = w.client(cfg)
		w.use()
		w.c.Close()
		if want := []int{0, -1}; !slices.Equal(lingers, want) {
			w.Errorf("SO_LINGER was set to %v, want %v", lingers, want)
		}
	})
}

type lingerConn struct {
	net.Conn
	sets *[]int
}

func (c *lingerConn) SetLinger(sec int) error {
	*c.sets = append(*c.sets, sec)
	return nil
}

type countedConn struct {
	net.Conn
	open *atomic.Int32
	once sync.Once
}

func (c *countedConn) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}

// A dead connection without any request on it but a watch is found by pings:
// 15 s of silence, and 5 s for the answer.
func TestPings(t *testing.T) {
	for _, quiet := range []time.Duration{0, 10 * time.Second} {
		bubble(t, func(w *world) {
			f := w.follow(w.Context(), "")
			f.types()
			time.Sleep(quiet)
			w.s.FreezeConnections()
			took, err := timed(func() error { return <-f.ended })
			if took != 20*time.Second-quiet {
				t.Errorf("silent for %s: found after %s", quiet, took)
			}
			mayPass(w.T, err)
			if err := w.patch(); err != nil || w.s.Connections() != 2 {
				t.Errorf("%v, %d connections", err, w.s.Connections())
			}
		})
	}
}

// A living connection survives any length of silence, and is still the one used.
func TestSilenceIsNoFault(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow(w.Context(), "")
		time.Sleep(20 * time.Minute)
		if err := w.patch(); err != nil || w.s.Connections() != 1 {
			t.Errorf("%v, %d connections", err, w.s.Connections())
		}
	})
}

// A server that is down, and back.
func TestServerDown(t *testing.T) {
	protocols(t, func(w *world) {
		f := w.follow(w.Context(), "")
		w.s.Down()
		mayPass(w.T, <-f.ended)
		for range 3 {
			took, err := timed(w.patch)
			mayPass(w.T, err)
			if took != 0 {
				w.Errorf("took %s", took)
			}
		}
		w.s.Up()
		if err := w.patch(); err != nil {
			w.Error(err)
		}
	})
}
