package apiserver

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Namespace is a namespace with the reporter's ServiceAccount and Role. It has
// the methods that tests use of a kubetest.Server, and like that one it fails
// the test where something is not as the test expects. Tests may call the
// namespace whatever they like: every name means this one.
type Namespace struct {
	Name string

	tb      testing.TB
	c       *Cluster
	dir     string // of the ServiceAccount
	account string
	role    *rbacv1.Role
	pod     *corev1.Pod // made last
}

// Namespace makes one, with the objects of deploy/rbac.yaml in it, under the
// policies that are applied where with labels it. Its Jobs and Pods are removed
// when the test ends.
func (c *Cluster) Namespace(tb testing.TB, with ...func(*metav1.ObjectMeta)) *Namespace {
	tb.Helper()
	n := &Namespace{Name: fmt.Sprintf("adapters-%d", c.namespaces.Add(1)), tb: tb, c: c, dir: tb.TempDir()}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: n.Name}}
	for _, change := range with {
		change(&ns.ObjectMeta)
	}
	n.must(http.MethodPost, "/api/v1/namespaces", ns, nil)
	n.ApplyRBAC(rbacFile)
	ca, err := os.ReadFile(c.pki.path("ca.crt"))
	if err != nil {
		tb.Fatal(err)
	}
	n.put("ca.crt", ca)
	tb.Cleanup(func() {
		n.must(http.MethodDelete, n.pods()+"?gracePeriodSeconds=0", nil, nil)
		n.must(http.MethodDelete, n.jobs()+"?propagationPolicy=Background", nil, nil)
	})
	return n
}

// Env is the environment by which the reporter finds the server.
func (n *Namespace) Env() map[string]string {
	n.tb.Helper()
	n.NewToken()
	return map[string]string{
		"KUBERNETES_SERVICE_HOST": "127.0.0.1",
		"KUBERNETES_SERVICE_PORT": n.c.port,
		"SERVICE_ACCOUNT_DIR":     n.dir,
		"JOB_NAMESPACE":           n.Name,
	}
}

// PodName is that of the Pod made last.
func (n *Namespace) PodName() string { return n.pod.Name }

// NewToken writes a new token, bound to the Pod made last as the kubelet's are.
func (n *Namespace) NewToken() {
	n.tb.Helper()
	n.put("token", []byte(n.Token(n.account, n.pod)))
}

// Token is one of a ServiceAccount, bound to a Pod where that is not nil.
func (n *Namespace) Token(account string, pod *corev1.Pod) string {
	n.tb.Helper()
	req := &authenticationv1.TokenRequest{}
	if pod != nil {
		req.Spec.BoundObjectRef = &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID}
	}
	n.must(http.MethodPost, n.core("serviceaccounts/"+account+"/token"), req, req)
	return req.Status.Token
}

// SpoilToken writes a token that no server accepts.
func (n *Namespace) SpoilToken() { n.put("token", []byte("spoilt")) }

// put replaces a file of the ServiceAccount in one step.
func (n *Namespace) put(name string, content []byte) {
	n.tb.Helper()
	file := filepath.Join(n.dir, name)
	if err := os.WriteFile(file+".new", content, 0o600); err != nil {
		n.tb.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		n.tb.Fatal(err)
	}
}

// Dial connects to the server.
func (n *Namespace) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, address)
}

// Wait returns nil as soon as cond is true, and ctx's error when ctx ends first.
func (n *Namespace) Wait(ctx context.Context, cond func() bool) error {
	for !cond() {
		select {
		case <-time.After(pollPause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (n *Namespace) core(resource string) string {
	return "/api/v1/namespaces/" + n.Name + "/" + resource
}

func (n *Namespace) pods() string { return n.core("pods") }
func (n *Namespace) jobs() string { return "/apis/batch/v1/namespaces/" + n.Name + "/jobs" }

// must does what an administrator may, and fails the test where that is refused.
func (n *Namespace) must(method, path string, in, out any) {
	n.tb.Helper()
	if err := n.c.admin.do(context.Background(), method, path, in, out); err != nil {
		n.tb.Fatal(err)
	}
}
