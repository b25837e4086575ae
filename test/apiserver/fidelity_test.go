package apiserver_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
	"github.com/openshift-hyperfleet/status-reporter/test/apiserver"
)

// server is what the exchanges need of either server.
type server interface {
	Env() map[string]string
	Dial(ctx context.Context, network, address string) (net.Conn, error)

	CreateJob(job *batchv1.Job) *batchv1.Job
	Job(namespace, name string) *batchv1.Job
	UpdateJob(namespace, name string, change func(job *batchv1.Job)) *batchv1.Job
	DeleteJob(namespace, name string)
	CreatePod(pod *corev1.Pod) *corev1.Pod
	Pod(namespace, name string) *corev1.Pod
	UpdatePod(namespace, name string, change func(pod *corev1.Pod)) *corev1.Pod
	DeletePod(namespace, name string)

	Allow(verb, resource string)
	Deny(verb, resource string)
	Restart()
}

type fake struct{ *kubetest.Server }

// Restart forgets the past, as a real server does.
func (f fake) Restart() { f.Compact() }

const (
	ns  = "ns"
	job = "job"
	pod = "pod"
)

// seen are the versions that TestFidelity has been run with, by make test-matrix
// and by hand.
var seen = []kubetest.Version{kubetest.Oldest, 34, kubetest.Newest}

// TestFake holds the fake server to what kube-apiserver does, in each version
// that has been seen. TestFidelity shows that it does.
func TestFake(t *testing.T) {
	for _, v := range seen {
		t.Run(v.String(), func(t *testing.T) {
			for _, x := range exchanges() {
				t.Run(x.name, func(t *testing.T) {
					x.play(t, fake{kubetest.New(t, kubetest.InMemory(), kubetest.Kubernetes(v))}, v)
				})
			}
			for _, w := range watches() {
				t.Run(w.name, func(t *testing.T) { w.playFake(t, v) })
			}
		})
	}
}

// TestFidelity has the same said to both servers. Nothing may tell the answers
// apart but what cannot be the same; of an older server, nothing but the texts.
func TestFidelity(t *testing.T) {
	cluster := apiserver.Start(t)
	v := cluster.Version()
	if v > kubetest.Newest {
		t.Fatalf("Kubernetes %s is newer than the fake, which plays %s", v, kubetest.Newest)
	}
	t.Cleanup(func() {
		if !t.Failed() {
			t.Logf("%d exchanges and %d watches: the fake and kube-apiserver say the same", len(exchanges()), len(watches()))
		}
	})
	t.Run("watches", func(t *testing.T) {
		for _, w := range watches() {
			t.Run(w.name, func(t *testing.T) {
				if !w.alone {
					t.Parallel()
				}
				real, fake := w.playReal(t, cluster, v), w.playFake(t, v)
				if v != kubetest.Newest {
					return // the table has said all but the texts
				}
				if diff := cmp.Diff(real, fake); diff != "" {
					t.Errorf("the fake differs (-real +fake):\n%s", diff)
				}
			})
		}
	})
	t.Run("exchanges", func(t *testing.T) {
		for _, x := range exchanges() {
			t.Run(x.name, func(t *testing.T) {
				t.Parallel()
				real := x.play(t, cluster.Namespace(t), v)
				fake := x.play(t, fake{kubetest.New(t, kubetest.InMemory(), kubetest.Kubernetes(v))}, v)
				if v != kubetest.Newest {
					real.dropTexts()
					fake.dropTexts()
				}
				if diff := cmp.Diff(real, fake); diff != "" {
					t.Errorf("the fake differs (-real +fake):\n%s", diff)
				}
			})
		}
	})
}

// outcome is all that came of an exchange.
type outcome struct {
	Code    int
	Type    string // Content-Type
	Warning []string
	Status  *metav1.Status // where the answer is one
	Kind    string         // of the answer

	Changed    bool // the Job's resourceVersion
	Conditions []batchv1.JobCondition
	Metadata   string // labels, annotations and finalizers
	Suspend    bool
}

// dropTexts leaves what programs go by.
func (o *outcome) dropTexts() {
	if o.Status != nil {
		o.Status.Message, o.Status.Details = "", nil
	}
}

// String is the outcome as the table has it: code, reason, and the conditions
// that the Job has then.
func (o *outcome) String() string {
	s := fmt.Sprint(o.Code)
	if o.Status != nil && o.Status.Reason != "" {
		s += " " + string(o.Status.Reason)
	}
	s += ":"
	for _, c := range o.Conditions {
		s += fmt.Sprintf(" %s=%s", c.Type, c.Status)
	}
	if o.Code == http.StatusOK && !o.Changed {
		s += " unchanged"
	}
	return s
}

// caller says things to a server as the reporter would, with its account's token.
type caller struct {
	t    *testing.T
	s    server
	env  map[string]string
	http *http.Client
}

func newCaller(t *testing.T, s server) *caller {
	t.Helper()
	c := &caller{t: t, s: s, env: s.Env()}
	if c.env["JOB_NAMESPACE"] == "" {
		c.env["JOB_NAMESPACE"] = ns
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(c.file("ca.crt")) {
		t.Fatal("ca.crt holds no certificate")
	}
	transport := &http.Transport{DialContext: s.Dial, TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	c.http = &http.Client{Transport: transport}
	return c
}

func (c *caller) file(name string) []byte {
	c.t.Helper()
	data, err := os.ReadFile(filepath.Join(c.env["SERVICE_ACCOUNT_DIR"], name))
	if err != nil {
		c.t.Fatal(err)
	}
	return data
}

func (c *caller) send(ctx context.Context, method, path, contentType, token, body string) *http.Response {
	c.t.Helper()
	url := "https://" + net.JoinHostPort(c.env["KUBERNETES_SERVICE_HOST"], c.env["KUBERNETES_SERVICE_PORT"]) +
		strings.Replace(path, "/namespaces/"+ns+"/", "/namespaces/"+c.env["JOB_NAMESPACE"]+"/", 1)
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if token == "" {
		token = string(c.file("token"))
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp
}

// do sends one request and reads the answer.
func (c *caller) do(method, path, contentType, token, body string) (o *outcome) {
	c.t.Helper()
	resp := c.send(c.t.Context(), method, path, contentType, token, body)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	o = &outcome{Code: resp.StatusCode, Type: resp.Header.Get("Content-Type"), Warning: resp.Header["Warning"]}
	var meta metav1.TypeMeta
	if err := json.Unmarshal(data, &meta); err != nil {
		c.t.Fatalf("%s: %s", err, data)
	}
	o.Kind = meta.String()
	if meta.Kind == "Status" {
		o.Status = c.status(data)
	}
	return o
}

// status decodes a Status, with the namespace that the test means in it.
func (c *caller) status(data []byte) *metav1.Status {
	c.t.Helper()
	s := &metav1.Status{}
	if err := json.Unmarshal(bytes.ReplaceAll(data, []byte(c.env["JOB_NAMESPACE"]), []byte(ns)), s); err != nil {
		c.t.Fatal(err)
	}
	return s
}
