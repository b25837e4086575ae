package kubetest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

type client struct {
	t *testing.T
	s *kubetest.Server
	http.Client
}

func newClient(t *testing.T, s *kubetest.Server) *client {
	ca, err := os.ReadFile(filepath.Join(s.ServiceAccountDir(), "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	tr := &http.Transport{DialContext: s.Dial, TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &client{t, s, http.Client{Transport: tr}}
}

func (c *client) do(ctx context.Context, method, path, body string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "https://"+c.s.Host()+":"+c.s.Port()+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	tok, _ := os.ReadFile(filepath.Join(c.s.ServiceAccountDir(), "token"))
	req.Header.Set("Authorization", "Bearer "+string(tok))
	if method == "PATCH" {
		req.Header.Set("Content-Type", "application/strategic-merge-patch+json")
	}
	return c.Do(req)
}

func TestSmoke(t *testing.T) {
	run := func(t *testing.T, opts ...kubetest.Option) {
		s := kubetest.New(t, opts...)
		s.CreateJob(&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "job"}})
		s.CreatePod(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "pod"}})
		c := newClient(t, s)
		for _, r := range []struct{ method, path, body string }{
			{"GET", "/api/v1/namespaces/ns/pods/pod", ""},
			{"GET", "/api/v1/namespaces/ns/pods/nope", ""},
			{"GET", "/api/v1/namespaces/ns/pods?fieldSelector=metadata.name=pod", ""},
			{"GET", "/apis/batch/v1/namespaces/ns/jobs/job", ""},
			{"PATCH", "/apis/batch/v1/namespaces/ns/jobs/job/status", `{"status":{"conditions":[{"type":"Available","status":"True","x":1}]}}`},
		} {
			resp, err := c.do(t.Context(), r.method, r.path, r.body)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			t.Log(resp.Proto, resp.Status, resp.Header, string(b), err)
		}
	}
	t.Run("tcp", func(t *testing.T) { run(t) })
	t.Run("mem", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { run(t, kubetest.InMemory()); time.Sleep(5 * time.Minute) })
	})
}
