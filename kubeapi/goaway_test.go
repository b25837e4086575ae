package kubeapi_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi"
)

// GOAWAY behind every answer, as with --goaway-chance or a server that ends:
// reads and writes go on, each on a connection of its own, no PATCH is sent
// twice, and the watch stays where it is.
//
// It is on loopback, in real time: kubetest's server sends no GOAWAY.
func TestGoAway(t *testing.T) {
	const times = 30
	var patches, connections atomic.Int32
	news := make(chan struct{})
	c := serve(t, true, func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("watch") != "" {
			event := `{"type":"MODIFIED","object":{"kind":"Pod","metadata":{"name":"` + podName + `"}}}` + "\n"
			for {
				io.WriteString(rw, event)
				rw.(http.Flusher).Flush()
				select {
				case <-news:
				case <-r.Context().Done():
					return
				}
			}
		}
		rw.Header().Set("Connection", "close") // net/http makes a GOAWAY of it
		status := `"status":{}}`
		if r.Method == http.MethodPatch {
			patches.Add(1)
			body, _ := io.ReadAll(r.Body)
			_, status, _ = strings.Cut(string(body), `"status":`)
			status = `"status":` + status
		}
		fmt.Fprint(rw, `{"kind":"Job","metadata":{"name":"`+jobName+`"},`+status)
	}, func(cfg *kubeapi.Config) {
		cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			connections.Add(1)
			return new(net.Dialer).DialContext(ctx, network, address)
		}
	})
	w := &world{T: t, c: c}
	f := w.follow(t.Context(), "")
	<-f.events
	for i := range times {
		if err := w.getJob(); err != nil {
			t.Errorf("GET %d: %v", i, err)
		}
		if _, err := c.PatchJobStatus(t.Context(), metav1.Preconditions{}, report()); err != nil {
			t.Errorf("PATCH %d: %v", i, err)
		}
	}
	if n := patches.Load(); n != times {
		t.Errorf("%d PATCHes arrived, want %d", n, times)
	}
	if n := connections.Load(); n < times { // else there was no GOAWAY
		t.Errorf("%d connections", n)
	}
	select {
	case news <- struct{}{}:
	case err := <-f.ended:
		t.Fatalf("the watch ended: %v", err)
	}
	select {
	case event := <-f.events:
		if event.Type != apiwatch.Modified {
			t.Errorf("%+v", event)
		}
	case err := <-f.ended:
		t.Errorf("the watch ended: %v", err)
	}
}
