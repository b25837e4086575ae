package kubetest_test

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// TestForward: what meets no fault is answered by the server behind, its refusals and
// watches included, and what is done there is done.
func TestForward(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := kubetest.New(t, kubetest.InMemory())
		populate(behind)
		base := &url.URL{Scheme: "https", Host: net.JoinHostPort(behind.Host(), behind.Port())}
		front := kubetest.New(t, kubetest.InMemory(), kubetest.Forward(base, newClient(t, behind).Transport))
		front.RotateToken(behind.Token(), false)
		c := newClient(t, front)

		w := c.watch("")
		touchPod(behind)
		if got, want := w.got(), "ADDED 1002, MODIFIED 1003"; got != want {
			t.Errorf("the watch got %q, want %q", got, want)
		}
		front.Fault(patches, kubetest.Status(503, "ServiceUnavailable", "not now"), kubetest.LoseAnswer())
		if a, err := c.patch("Available", "True"); err != nil || a.code != http.StatusServiceUnavailable {
			t.Errorf("with a fault: %+v, %v", a, err)
		}
		if n := len(behind.Requests(patches)); n != 0 {
			t.Errorf("%d patches came through in spite of the fault", n)
		}
		if _, err := c.patch("Available", "True"); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("with its answer lost: %v", err)
		}
		if job := behind.Job("ns", "job"); len(job.Status.Conditions) != 1 {
			t.Errorf("what is done before its answer is lost is not done: %+v", job.Status)
		}
		if a, err := c.patch("Available", "False"); err != nil || a.code != http.StatusOK || a.proto != "HTTP/2.0" || !strings.Contains(a.body, `"False"`) {
			t.Errorf("without a fault: %+v, %v", a, err)
		}
		behind.Deny("get", "jobs")
		if a := c.do("GET", jobPath, ""); a.code != http.StatusForbidden || !strings.Contains(a.body, `cannot get resource`) {
			t.Errorf("denied: %+v", a)
		}
		behind.Down()
		if _, err := c.send(t.Context(), "GET", podPath, ""); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("with the server behind away: %v", err)
		}
	})
}
