package apiserver

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// Restart starts kube-apiserver anew, which makes it forget what happened so
// far: a compaction of etcd alone does not, as the watch cache remembers.
func (n *Namespace) Restart() {
	n.tb.Helper()
	n.StopServer()
	if err := n.c.compact(context.Background()); err != nil {
		n.tb.Fatal(err)
	}
	n.StartServer()
}

// StopServer ends kube-apiserver for all namespaces, as a crash does.
func (n *Namespace) StopServer() { n.c.StopServer() }

// StartServer ends StopServer.
func (n *Namespace) StartServer() {
	n.tb.Helper()
	if err := n.c.StartServer(); err != nil {
		n.tb.Fatal(err)
	}
}

// Save remembers what etcd holds, for Restore.
func (n *Namespace) Save() {
	n.tb.Helper()
	if err := n.c.save(); err != nil {
		n.tb.Fatal(err)
	}
}

// Restore has etcd hold what it held at Save, for all namespaces.
func (n *Namespace) Restore() {
	n.tb.Helper()
	if err := n.c.restore(); err != nil {
		n.tb.Fatal(err)
	}
}

// Terminate deletes the Pod made last in good order, which takes so long as no kubelet
// is there to end it.
func (n *Namespace) Terminate(seconds int64) {
	n.tb.Helper()
	n.must(http.MethodDelete, n.pods()+"/"+n.pod.Name+"?gracePeriodSeconds="+strconv.FormatInt(seconds, 10), nil, nil)
}

// Forbid has a policy deny every write to a Job's status, with these words, and
// returns when it counts. It ends with the test.
func (n *Namespace) Forbid(job, words string) {
	n.tb.Helper()
	const path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolic"
	here := &admissionv1.MatchResources{
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": n.Name}},
		ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
			Operations: []admissionv1.OperationType{admissionv1.Update},
			Rule:       admissionv1.Rule{APIGroups: []string{"batch"}, APIVersions: []string{"v1"}, Resources: []string{"jobs/status"}},
		}}},
	}
	n.must(http.MethodPost, path+"ies", &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: n.Name},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: here, Validations: []admissionv1.Validation{{Expression: "false", Message: words}},
		},
	}, nil)
	n.must(http.MethodPost, path+"ybindings", &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: n.Name},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: n.Name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		},
	}, nil)
	n.tb.Cleanup(func() {
		n.must(http.MethodDelete, path+"ybindings/"+n.Name, nil, nil)
		n.must(http.MethodDelete, path+"ies/"+n.Name, nil, nil)
	})
	token := n.Token(n.account, nil)
	n.Await("the policy", func() bool {
		return n.Patch(token, job, StrategicMerge, `{"metadata":{"annotations":{"tried":""}}}`).Code == http.StatusUnprocessableEntity
	})
}

// Fronted is a namespace whose reporter reaches the server by way of another one, which
// can be made to misbehave. All else is done directly.
type Fronted struct {
	*Namespace
	way *kubetest.Server
}

// Fronted puts a server in front, with a certificate of its own that the reporter
// trusts beside the real one.
func (n *Namespace) Fronted() *Fronted {
	n.tb.Helper()
	base := &url.URL{Scheme: "https", Host: net.JoinHostPort("127.0.0.1", n.c.port)}
	f := &Fronted{n, kubetest.New(n.tb, kubetest.Forward(base, &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: n.c.pki.roots}, ForceAttemptHTTP2: true,
	}))}
	ca, err := os.ReadFile(n.c.pki.path("ca.crt"))
	if err != nil {
		n.tb.Fatal(err)
	}
	own, err := os.ReadFile(filepath.Join(f.way.ServiceAccountDir(), "ca.crt"))
	if err != nil {
		n.tb.Fatal(err)
	}
	n.put("ca.crt", slices.Concat(ca, own))
	return f
}

// Env is the environment by which the reporter finds the server in front.
func (f *Fronted) Env() map[string]string {
	f.tb.Helper()
	env := f.Namespace.Env()
	env["KUBERNETES_SERVICE_PORT"] = f.way.Port()
	return env
}

// Way is the server in front.
func (f *Fronted) Way() *kubetest.Server { return f.way }
