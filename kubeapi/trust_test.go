package kubeapi_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// The server may go by any kind of name; no proxy is asked for any of them (see
// TestMain), and the fake server's Dial fails the test where another address
// is dialled.
func TestHosts(t *testing.T) {
	for _, host := range []string{"10.96.0.1", "fd00:10:96::1", "kubernetes.default.svc", "api.example.com", "localhost"} {
		t.Run(host, func(t *testing.T) {
			protocols(t, func(w *world) {
				for _, call := range []func() error{w.getPod, w.getJob, w.patch} {
					if err := call(); err != nil {
						w.Error(err)
					}
				}
			}, kubetest.Host(host))
		})
	}
}

// A certificate for another host is not accepted, whoever signed it.
func TestOtherHostsCertificate(t *testing.T) {
	bubble(t, func(w *world) {
		cfg := w.cfg
		cfg.Host = "10.96.0.2"
		cfg.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return w.s.Dial(ctx, network, net.JoinHostPort(w.s.Host(), w.s.Port()))
		}
		w.c = w.client(cfg)
		err := w.getPod()
		if err == nil || len(w.s.Requests()) != 0 || !strings.Contains(err.Error(), "10.96.0.2") {
			t.Errorf("%v, %d requests", err, len(w.s.Requests()))
		}
		mayPass(w.T, err)
	})
}

// The cluster's CA is replaced: the server shows a certificate of the new one
// before, or after, the file has it. Nothing is sent to a server that is not
// trusted.
func TestRotatedCA(t *testing.T) {
	bubble(t, func(w *world) {
		other := newWorld(w.T, kubetest.InMemory())
		server := w.s
		w.cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			return server.Dial(ctx, network, address)
		}
		token, ca := w.ownAccount()
		w.use()
		server.CutConnections()
		synctest.Wait() // the client has seen it
		server = other.s
		for range 2 {
			err := w.getPod()
			if err == nil || !strings.Contains(err.Error(), "certificate") {
				t.Errorf("the other server is trusted: %v", err)
			}
			mayPass(w.T, err)
		}
		if err := os.Remove(ca); err != nil { // in the middle of being replaced
			t.Fatal(err)
		}
		if err := w.getPod(); err == nil {
			t.Error("without ca.crt the other server is trusted")
		}
		if !strings.Contains(w.log.String(), `"level":"WARN","msg":"cannot read the CA again"`) {
			t.Errorf("log: %s", w.log)
		}
		if n := len(other.s.Requests()); n != 0 {
			t.Fatalf("%d requests reached a server that is not trusted", n)
		}

		data, err := os.ReadFile(filepath.Join(other.s.ServiceAccountDir(), "ca.crt"))
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, ca, string(data))
		writeFile(t, token, other.s.Token())
		w.getPod() // finds that the CA in use does not do, and reads the new one
		if err := w.getPod(); err != nil {
			t.Error(err)
		}
	})
}

// Where ca.crt cannot be read when a connection is given up, the CA that was
// read before has to do.
func TestCAUnreadableAfterTimeout(t *testing.T) {
	bubble(t, func(w *world) {
		_, ca := w.ownAccount()
		w.use()
		if err := os.Remove(ca); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			w.s.Fault(jobPatch, kubetest.HangRequest())
			mayPass(w.T, w.patch())
			if err := w.patch(); err != nil {
				t.Error(err)
			}
		}
		last := w.s.Requests()[len(w.s.Requests())-1]
		if last.Conn != 3 || last.Proto != "HTTP/2.0" {
			t.Errorf("connection %d, %s", last.Conn, last.Proto)
		}
		w.follow(w.Context(), "")
		w.s.FreezeConnections() // pings are sent on such a connection as well
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if err := w.patch(); err != nil || w.s.Connections() != 4 {
			t.Errorf("%v, %d connections", err, w.s.Connections())
		}
	})
}
