package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// upstream is an API server that answers behind the gate in place of the
// double: a namespace of a real one, or a kubetest.Server.
type upstream interface {
	Env() map[string]string
	CreateJob(job *batchv1.Job) *batchv1.Job
	CreatePod(pod *corev1.Pod) *corev1.Pod
	UpdatePod(namespace, name string, change func(pod *corev1.Pod)) *corev1.Pod
}

// forwardTo has up answer all requests from now on. The reporters have its
// token, so that its RBAC counts, and trust its certificate too.
func (s *server) forwardTo(up upstream) error {
	env := up.Env()
	dir := env["SERVICE_ACCOUNT_DIR"]
	token, err := os.ReadFile(filepath.Join(dir, "token"))
	ca, errCA := os.ReadFile(filepath.Join(dir, "ca.crt"))
	own, errOwn := os.ReadFile(filepath.Join(s.dir, "ca.crt"))
	if err := errors.Join(err, errCA, errOwn,
		os.WriteFile(filepath.Join(s.dir, "token"), token, 0o644),
		os.WriteFile(filepath.Join(s.dir, "ca.crt"), slices.Concat(own, ca), 0o644)); err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	s.upstream = up
	s.namespace = cmp.Or(env["JOB_NAMESPACE"], s.namespace)
	s.url = &url.URL{Scheme: "https", Host: net.JoinHostPort(env["KUBERNETES_SERVICE_HOST"], env["KUBERNETES_SERVICE_PORT"])}
	s.transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	return nil
}

// forward has the upstream answer, and notes the answer when it begins: a watch
// goes on.
func (s *server) forward(w http.ResponseWriter, req *http.Request, j *job, arrived time.Time) {
	proxy := httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(s.url) },
		Transport:     s.transport,
		FlushInterval: -1,
		ErrorLog:      s.http.ErrorLog,
		ModifyResponse: func(resp *http.Response) error {
			s.answered(j)
			if req.Method == http.MethodPatch && resp.StatusCode == http.StatusOK {
				s.mu.Lock()
				defer s.mu.Unlock()
				j.report(arrived)
			}
			return nil
		},
	}
	proxy.ServeHTTP(w, req)
}
