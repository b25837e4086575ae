package kubetest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// A program is the TB of a demo, or of anything else that is no test.
type program struct{ cleanups []func() }

func (p *program) Helper()                           {}
func (p *program) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
func (p *program) Cleanup(f func())                  { p.cleanups = append(p.cleanups, f) }

func (p *program) TempDir() string {
	dir, err := os.MkdirTemp("", "kubetest")
	if err != nil {
		panic(err)
	}
	p.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (p *program) end() {
	for i := len(p.cleanups) - 1; i >= 0; i-- {
		p.cleanups[i]()
	}
}

// programUnderTest stands for a program that reports to its Job until it is
// heard.
func programUnderTest(env map[string]string) {
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(env["SERVICE_ACCOUNT_DIR"], name))
		if err != nil {
			panic(err)
		}
		return b
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(read("ca.crt"))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
	url := "https://" + net.JoinHostPort(env["KUBERNETES_SERVICE_HOST"], env["KUBERNETES_SERVICE_PORT"]) +
		"/apis/batch/v1/namespaces/ns/jobs/job/status"
	for code := 0; code != http.StatusOK; {
		body := strings.NewReader(`{"status":{"conditions":[{"type":"Available","status":"True"}]}}`)
		req, _ := http.NewRequest(http.MethodPatch, url, body)
		req.Header.Set("Content-Type", "application/strategic-merge-patch+json")
		req.Header.Set("Authorization", "Bearer "+string(read("token")))
		resp, err := client.Do(req)
		if err != nil {
			return
		}
		resp.Body.Close()
		code = resp.StatusCode
	}
}

// A test starts the program under test with s.Environ() in its environment and
// waits for its PATCH. Here the first PATCH gets 503, as from an API server that
// is being restarted.
func Example() {
	tb := new(program) // in a test: t
	defer tb.end()

	s := kubetest.New(tb)
	s.CreateJob(&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "job"}})
	s.Fault(kubetest.Match{Verb: "patch"}, kubetest.Status(503, "ServiceUnavailable", "starting"))

	go programUnderTest(s.Env())

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	patches, err := s.WaitAnswers(ctx, kubetest.Match{Verb: "patch", Resource: "jobs/status"}, 2)
	if err != nil {
		fmt.Println(err)
	}
	for _, r := range patches {
		fmt.Println(r.Method, r.Path, r.Code)
	}
	condition := s.Job("ns", "job").Status.Conditions[0]
	fmt.Println(condition.Type, condition.Status)
	// Output:
	// PATCH /apis/batch/v1/namespaces/ns/jobs/job/status 503
	// PATCH /apis/batch/v1/namespaces/ns/jobs/job/status 200
	// Available True
}
