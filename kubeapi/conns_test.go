package kubeapi

import (
	"log/slog"
	"testing"
	"testing/synctest"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// However often the connection is lost, no more is kept of the old ones than of
// the first.
func TestClosedConnectionsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := kubetest.New(t, kubetest.InMemory())
		s.CreateJob(&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "job"}})
		c, err := New(Config{
			Host: s.Host(), Port: s.Port(), ServiceAccountDir: s.ServiceAccountDir(), Namespace: "ns", Job: "job", Pod: "pod",
			Log: slog.New(slog.DiscardHandler), Dial: s.Dial,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		const times = 1000
		for range times {
			if _, err := c.GetJob(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.CutConnections()
			synctest.Wait() // the transport has seen it
			if n := c.kept(); n != 0 {
				t.Fatalf("after connection %d: %d connections are kept", s.Connections(), n)
			}
		}
		if n := s.Connections(); n != times {
			t.Errorf("%d connections, want %d", n, times)
		}
		if _, err := c.GetJob(t.Context()); err != nil || c.kept() != 1 {
			t.Errorf("%v; %d connections are kept, want the one in use", err, c.kept())
		}
	})
}

func (c *Client) kept() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.conn.conns)
}
