package kubetest

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"sync"
	"time"
)

// TB is what the package needs of a testing.TB. Programs that are no tests can
// bring their own, and need not link package testing.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Cleanup(func())
	TempDir() string
}

// An Option changes how [New] makes a server.
type Option func(*Server)

// InMemory keeps the server off the network: clients reach it by [Server.Dial]
// alone. It can then be used in a testing/synctest bubble, if it is created
// there.
func InMemory() Option { return func(s *Server) { s.inMemory = true } }

// Host makes [Server.Host] answer host, an IP address of either family or a
// name, and the certificate valid for it. It needs [InMemory].
func Host(host string) Option { return func(s *Server) { s.host = host } }

// A Server is a fake Kubernetes API server: it answers what a reporter sends as
// kube-apiserver does, and fails the test on what it does not know. Its methods may
// be called at any time from any goroutine, other than from within a change that they
// have been given; what they change is seen by the next request and by running watches.
// It ends with the test.
type Server struct {
	tb         TB
	inMemory   bool
	host       string
	kubernetes Version
	dir        string
	net        *network
	http       *http.Server
	upstream   *httputil.ReverseProxy // answers in place of the store; nil: none does
	served     chan struct{}          // closed when the http.Server has returned
	cancel     func()                 // ends the context of every request

	mu      sync.Mutex
	changed chan struct{} // closed and made anew whenever something below changes
	active  int           // requests in handlers
	watches int           // running watches
	closing bool
	closed  bool

	store
	tokens   map[string]bool
	token    string
	rules    map[rule]bool
	requests []*Request
	faults   []*faultQueue
	onPatch  []patchHook
}

// New starts a server. It is closed when the test ends.
func New(tb TB, opts ...Option) *Server {
	tb.Helper()
	s := &Server{
		tb:         tb,
		host:       "127.0.0.1",
		kubernetes: Newest,
		dir:        tb.TempDir(),
		served:     make(chan struct{}),
		changed:    make(chan struct{}),
		store:      newStore(),
		rules:      defaultRules(),
	}
	for _, opt := range opts {
		opt(s)
	}
	if s.host != "127.0.0.1" && !s.inMemory {
		tb.Errorf("kubetest: Host needs InMemory")
	}
	// In memory the port is one where nothing listens: a client that forgets
	// Dial must not reach anything.
	addr := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
	if !s.inMemory {
		addr.Port = 0
	}
	s.net = newNetwork(addr, func() { s.update(func() {}) })
	ca, cert, err := newCertificates(s.host)
	if err == nil {
		err = s.initServiceAccount(ca)
	}
	if err == nil && !s.inMemory {
		err = s.net.listenTCP()
	}
	if err != nil {
		tb.Errorf("kubetest: %v", err)
	}
	base, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.http = &http.Server{
		Handler:     http.HandlerFunc(s.serve),
		TLSConfig:   &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
		IdleTimeout: 90 * time.Second,                             // as kube-apiserver
		HTTP2:       &http.HTTP2Config{MaxConcurrentStreams: 100}, // as kube-apiserver
		ErrorLog:    log.New(io.Discard, "", 0),                   // broken handshakes are part of tests
		BaseContext: func(net.Listener) context.Context { return base },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, linkKey{}, c.(*tls.Conn).NetConn().(*end).link)
		},
	}
	if s.upstream != nil {
		s.upstream.ErrorLog = s.http.ErrorLog
	}
	go func() {
		defer close(s.served)
		s.http.ServeTLS(s.net, "", "")
	}()
	tb.Cleanup(s.Close)
	return s
}

type linkKey struct{}

func linkOf(ctx context.Context) *link { return ctx.Value(linkKey{}).(*link) }

// Host is the value of KUBERNETES_SERVICE_HOST.
func (s *Server) Host() string { return s.host }

// Port is the value of KUBERNETES_SERVICE_PORT.
func (s *Server) Port() string {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	return strconv.Itoa(s.net.addr.(*net.TCPAddr).Port)
}

// Env is the environment by which an in-cluster client finds the server:
// KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT and SERVICE_ACCOUNT_DIR.
func (s *Server) Env() map[string]string {
	return map[string]string{
		"KUBERNETES_SERVICE_HOST": s.Host(),
		"KUBERNETES_SERVICE_PORT": s.Port(),
		"SERVICE_ACCOUNT_DIR":     s.ServiceAccountDir(),
	}
}

// Environ is [Server.Env] in the form of os.Environ.
func (s *Server) Environ() []string {
	var env []string
	for k, v := range s.Env() {
		env = append(env, k+"="+v)
	}
	return env
}

// Close ends every connection and returns when no request is being handled. It
// need not be called: New arranges that it is.
func (s *Server) Close() {
	s.mu.Lock()
	already := s.closing
	s.closing = true
	s.mu.Unlock()
	if already {
		return
	}
	s.cancel()
	s.Thaw() // a close must reach the clients
	s.http.Close()
	<-s.served
	s.net.each(func(l *link) { l.server.Close() }) // those that nobody accepted
	s.Wait(context.Background(), func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.active == 0
	})
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
}

// errorf fails the test, unless it is over.
func (s *Server) errorf(format string, args ...any) {
	s.tb.Helper()
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if !closed {
		s.tb.Errorf(format, args...)
	}
}

// update changes s under its lock and wakes everything that waits for a change.
func (s *Server) update(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	close(s.changed)
	s.changed = make(chan struct{})
}

// Wait returns nil as soon as cond is true, and ctx's error when ctx ends
// first. It calls cond at first and after every connection, request, answer and
// change of an object; cond may call the Server's methods.
func (s *Server) Wait(ctx context.Context, cond func() bool) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if cond() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
