package kubetest_test

import (
	"bufio"
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
	"sync"
	"testing"
	"testing/synctest"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

const (
	podPath   = "/api/v1/namespaces/ns/pods/pod"
	listPath  = "/api/v1/namespaces/ns/pods?fieldSelector=metadata.name=pod"
	watchPath = listPath + "&watch=true"
	jobPath   = "/apis/batch/v1/namespaces/ns/jobs/job"
	patchPath = jobPath + "/status"

	strategicMerge = "application/strategic-merge-patch+json"
)

// failures is a TB that keeps what would have failed the test.
type failures struct {
	testing.TB
	mu   sync.Mutex
	list []string
}

func (f *failures) Errorf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, fmt.Sprintf(format, args...))
}

// take returns the failures and forgets them.
func (f *failures) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.list
	f.list = nil
	return list
}

// bubble runs a test in a synctest bubble, with a server in memory that has the
// Job ns/job and the Pod ns/pod, and a client for it. That it returns shows
// that the server's end left no goroutine behind.
func bubble(t *testing.T, test func(t *testing.T, s *kubetest.Server, c *client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := kubetest.New(t, kubetest.InMemory())
		populate(s)
		test(t, s, newClient(t, s))
	})
}

func populate(s *kubetest.Server) {
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "ns", Name: name} }
	s.CreateJob(&batchv1.Job{ObjectMeta: meta("job")})
	s.CreatePod(&corev1.Pod{ObjectMeta: meta("pod"), Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "adapter"}}}})
}

// A client is an in-cluster client as simple as can be.
type client struct {
	t *testing.T
	s *kubetest.Server
	http.Client
}

func newClient(t *testing.T, s *kubetest.Server) *client {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(readFile(t, s, "ca.crt"))) {
		t.Fatal("ca.crt holds no certificate")
	}
	return &client{t, s, http.Client{
		Transport:     &http.Transport{DialContext: s.Dial, TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func readFile(t *testing.T, s *kubetest.Server, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.ServiceAccountDir(), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// send does a request; headers are pairs that override the usual ones.
func (c *client) send(ctx context.Context, method, path, body string, headers ...string) (*http.Response, error) {
	c.t.Helper()
	url := "https://" + net.JoinHostPort(c.s.Host(), c.s.Port()) + path
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+readFile(c.t, c.s, "token"))
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", strategicMerge)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return c.Do(req)
}

// An answer is a response that was read to its end.
type answer struct {
	code   int
	header http.Header
	body   string
	proto  string
}

// try is send and read.
func (c *client) try(method, path, body string, headers ...string) (answer, error) {
	c.t.Helper()
	resp, err := c.send(c.t.Context(), method, path, body, headers...)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(b), resp.Proto}, err
}

// do is try where nothing may go wrong on the way.
func (c *client) do(method, path, body string, headers ...string) answer {
	c.t.Helper()
	a, err := c.try(method, path, body, headers...)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// patch sets one condition.
func (c *client) patch(conditionType, status string) (answer, error) {
	c.t.Helper()
	return c.try("PATCH", patchPath, fmt.Sprintf(`{"status":{"conditions":[{"type":%q,"status":%q}]}}`, conditionType, status))
}

func decode[T any](t *testing.T, body string) *T {
	t.Helper()
	v := new(T)
	d := json.NewDecoder(strings.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return v
}

// conditions is what the stored Job has, as TYPE=STATUS in order.
func conditions(s *kubetest.Server) string {
	var b bytes.Buffer
	for i, c := range s.Job("ns", "job").Status.Conditions {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s=%s", c.Type, c.Status)
	}
	return b.String()
}

// A stream reads a watch in the background.
type stream struct {
	mu     sync.Mutex
	events []string // TYPE, and for a Pod its resourceVersion
	raw    []string
	err    error // io.EOF where the watch ended cleanly
	done   chan struct{}
}

func (c *client) watch(query string) *stream {
	c.t.Helper()
	resp, err := c.send(c.t.Context(), "GET", watchPath+query, "")
	if err != nil {
		c.t.Fatal(err)
	}
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/json" {
		c.t.Fatalf("watch: %s, %v", resp.Status, resp.Header)
	}
	st := &stream{done: make(chan struct{})}
	go func() {
		defer close(st.done)
		defer resp.Body.Close()
		r := bufio.NewReader(resp.Body)
		for {
			line, err := r.ReadString('\n')
			st.mu.Lock()
			if line != "" {
				st.raw = append(st.raw, line)
				st.events = append(st.events, summary(line))
			}
			st.err = err
			st.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return st
}

func summary(line string) string {
	var e struct {
		Type   string
		Object struct {
			Metadata struct {
				ResourceVersion string
				Annotations     map[string]string
			}
			Code int
		}
	}
	if json.Unmarshal([]byte(line), &e) != nil {
		return "garbage"
	}
	s := e.Type
	if e.Object.Code != 0 {
		s += fmt.Sprint(" ", e.Object.Code)
	}
	if v := e.Object.Metadata.ResourceVersion; v != "" {
		s += " " + v
	}
	if e.Object.Metadata.Annotations[metav1.InitialEventsAnnotationKey] == "true" {
		s += " initial"
	}
	return s
}

// got is what has arrived once everybody in the bubble waits.
func (st *stream) got() string {
	synctest.Wait()
	st.mu.Lock()
	defer st.mu.Unlock()
	got := append([]string{}, st.events...)
	if st.err == io.EOF {
		got = append(got, "end")
	} else if st.err != nil {
		got = append(got, "broken")
	}
	return strings.Join(got, ", ")
}

// within runs f and reports how long it took; its request has a time limit.
func (c *client) within(limit time.Duration, f func()) time.Duration {
	start := time.Now()
	c.Timeout = limit
	f()
	c.Timeout = 0
	return time.Since(start)
}
