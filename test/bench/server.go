package main

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

const (
	namespace = "adapters"
	podSuffix = "-x7k2p"
)

// server is the double of an API server: Pods can be read and watched, Jobs read
// and their conditions written, by every kind of request that a reporter may
// choose. Unlike kubetest's it checks nothing, and its work for one reporter
// does not grow with the number of reporters.
type server struct {
	dir  string // of the ServiceAccount
	gate *gate
	http *http.Server

	namespace string
	upstream  upstream // nil: the double answers
	direct    bool     // reporters are sent to the upstream, and seen no more
	url       *url.URL // of the upstream
	transport *http.Transport

	mu       sync.Mutex
	version  int
	noWatch  bool // the Role has no watch
	jobs     map[string]*job
	arrivals []time.Time // of all requests
}

// job is a Job with its Pod and what was seen of its reporter. The server's
// lock guards it.
type job struct {
	object  batchv1.Job
	pod     corev1.Pod
	podJSON []byte
	version int           // of the Pod
	changed chan struct{} // closed when the Pod changes

	requests map[string]int  // by verb and resource
	conns    map[string]bool // by the client's address
	times    []time.Time     // of the requests
	first    time.Time       // request
	last     time.Time       // answer
	reported time.Time       // when the first write of a condition arrived
	done     chan struct{}   // closed then
}

func newServer(dir string) (*server, error) {
	g, err := newGate()
	if err != nil {
		return nil, err
	}
	borrowed := httptest.NewTLSServer(nil) // for a certificate that is good for 127.0.0.1
	cert, ca := borrowed.TLS.Certificates[0], borrowed.Certificate()
	borrowed.Close()
	s := &server{dir: dir, gate: g, namespace: namespace, jobs: map[string]*job{}, version: 1000}
	s.http = &http.Server{
		Handler:   http.HandlerFunc(s.serve),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}},
		ErrorLog:  log.New(io.Discard, "", 0), // broken connections are part of it
	}
	go s.http.ServeTLS(g, "", "")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return s, err
	}
	for name, content := range map[string][]byte{
		"token":     []byte("a-token"),
		"namespace": []byte(namespace),
		"ca.crt":    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *server) close() { s.http.Close() }

func (s *server) environ() []string {
	address := s.gate.addr.String()
	if s.direct {
		address = s.url.Host
	}
	host, port, _ := net.SplitHostPort(address)
	return []string{
		"KUBERNETES_SERVICE_HOST=" + host, "KUBERNETES_SERVICE_PORT=" + port, "SERVICE_ACCOUNT_DIR=" + s.dir,
		"JOB_NAMESPACE=" + s.namespace,
	}
}

// serve notes the request and answers it, or has the upstream answer.
func (s *server) serve(w http.ResponseWriter, req *http.Request) {
	now := time.Now()
	r := parseRequest(req)
	s.mu.Lock()
	s.arrivals = append(s.arrivals, now)
	j := s.jobs[strings.TrimSuffix(r.name, podSuffix)]
	if j != nil {
		if j.first.IsZero() {
			j.first = now
		}
		j.requests[r.verb+" "+r.resource]++
		j.times = append(j.times, now)
		j.conns[req.RemoteAddr] = true
	}
	noWatch := s.noWatch
	s.mu.Unlock()
	if j == nil {
		refuse(w, http.StatusNotFound, "NotFound")
		return
	}
	defer s.answered(j)
	if noWatch && r.verb == "watch" {
		refuse(w, http.StatusForbidden, "Forbidden")
		return
	}
	if s.upstream != nil {
		s.forward(w, req, j, now)
		return
	}
	switch r.verb + " " + r.resource {
	case "watch pods":
		s.watch(w, req, j)
	case "get pods":
		s.sendPod(w, req, j)
	case "list pods":
		s.sendPods(w, req, j)
	case "get jobs":
		s.sendJob(w, req, j)
	case "patch jobs", "update jobs":
		s.write(w, req, j, now)
	default:
		refuse(w, http.StatusMethodNotAllowed, "MethodNotAllowed")
	}
}

func (s *server) answered(j *job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j.last = time.Now()
}

// report notes when a report arrived, if it is the first.
func (j *job) report(arrived time.Time) {
	if j.reported.IsZero() {
		j.reported = arrived
		close(j.done)
	}
}

// apiRequest is what a request is about.
type apiRequest struct{ verb, resource, name string }

func parseRequest(req *http.Request) apiRequest {
	r := apiRequest{verb: map[string]string{"GET": "get", "PATCH": "patch", "PUT": "update"}[req.Method]}
	segments := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	rest := segments[min(len(segments), slices.Index(segments, "namespaces")+2):]
	if len(rest) > 0 {
		r.resource = rest[0]
	}
	query := req.URL.Query()
	switch {
	case len(rest) > 1:
		r.name = rest[1]
	case r.verb == "get":
		_, r.name, _ = strings.Cut(query.Get("fieldSelector"), "metadata.name=")
		r.verb = "list"
	}
	if watch, _ := strconv.ParseBool(query.Get("watch")); watch {
		r.verb = "watch"
	}
	return r
}

// requestsSince lists when requests came.
func (s *server) requestsSince(t time.Time) []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return since(s.arrivals, t)
}

func since(times []time.Time, t time.Time) []time.Time {
	i, _ := slices.BinarySearchFunc(times, t, time.Time.Compare)
	return slices.Clone(times[i:])
}
