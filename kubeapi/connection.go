package kubeapi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// A connection that has answered before answers fast or is dead; a new one
	// has to be dialled and shake hands, and may lead to a slow server.
	usedTimeout = 3 * time.Second
	newTimeout  = 10 * time.Second
	minTimeout  = 200 * time.Millisecond

	pingAfter   = 15 * time.Second // of silence
	pingTimeout = 5 * time.Second
)

// connection is what all requests share: with HTTP/2 one TCP connection.
type connection struct {
	transport *http.Transport
	ctx       context.Context // ends with the connection; its cause says why
	cancel    context.CancelCauseFunc
	answered  atomic.Bool  // a request has had its answer: the connection is used
	owed      atomic.Int32 // requests that have had none

	mu    sync.Mutex
	wires []net.Conn // that the transport has dialled
}

func (c *Client) connect() (*connection, error) {
	file := filepath.Join(c.cfg.ServiceAccountDir, "ca.crt")
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return c.newConnection(&http.Transport{ // Proxy stays nil: never one from the environment
		TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:   true,
		DisableCompression:  true,
		TLSHandshakeTimeout: newTimeout,
		IdleConnTimeout:     90 * time.Second,
		// net/http's own bound of 10 MiB is a third of the container's memory.
		MaxResponseHeaderBytes: 64 << 10,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}), nil
}

func (c *Client) newConnection(transport *http.Transport) *connection {
	conn := &connection{transport: transport}
	conn.ctx, conn.cancel = context.WithCancelCause(context.Background())
	dial := c.cfg.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		wire, err := dial(ctx, network, address)
		if err == nil {
			linger(wire, 0)
			conn.mu.Lock()
			defer conn.mu.Unlock()
			conn.wires = append(conn.wires, wire)
		}
		return wire, err
	}
	return conn
}

// linger with 0 makes a close drop what is on its way, whoever closes. The
// kernel would go on sending it, and a PATCH that arrives when a black hole ends
// would replace what has been reported since.
func linger(wire net.Conn, seconds int) {
	if w, ok := wire.(interface{ SetLinger(sec int) error }); ok {
		w.SetLinger(seconds)
	}
}

func (c *Client) current() *connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn
}

// abandon replaces conn, if it is still the current one, and ends what runs on
// it, the watch included.
func (c *Client) abandon(conn *connection, why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != conn {
		return
	}
	next, err := c.connect()
	if err != nil { // ca.crt is not readable now: the CA that was read before will have to do
		c.cfg.Log.Warn("cannot read the CA again", "error", err)
		next = c.newConnection(conn.transport.Clone())
	}
	c.conn = next
	conn.retire(fmt.Errorf("connection given up: %w", why))
	conn.each(func(wire net.Conn) { wire.Close() })
}

func (conn *connection) each(do func(wire net.Conn)) {
	conn.mu.Lock()
	defer conn.mu.Unlock()
	for _, wire := range conn.wires {
		do(wire)
	}
}

func (conn *connection) retire(why error) {
	conn.cancel(why)
	// Its requests end soon, not now; only then is there anything idle to close.
	time.AfterFunc(time.Second, conn.transport.CloseIdleConnections)
}

func untrusted(err error) bool {
	var unknown x509.UnknownAuthorityError
	return errors.As(err, &unknown)
}

// SetKillAt tells when the process will be killed. From then on no request, be
// it under way already, may wait for more than a third of what is left.
func (c *Client) SetKillAt(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.killAt = t
	for b := range c.bounds {
		b.shorten(c.cap(newTimeout))
	}
}

// cap needs c.mu.
func (c *Client) cap(d time.Duration) time.Duration {
	if c.killAt.IsZero() {
		return d
	}
	return min(d, max(minTimeout, time.Until(c.killAt)/3))
}

// bound ends a request that is not answered in time.
type bound struct {
	client    *Client
	timer     *time.Timer
	connected atomic.Bool // a connection was there
	patient   bool        // the last request of the kind was not answered soon

	mu    sync.Mutex
	limit time.Duration
	at    time.Time
}

// timeoutError is not context.DeadlineExceeded on purpose: nobody may take it
// for the end of their own context.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string {
	return fmt.Sprintf("no answer within %s", e.after.Round(time.Millisecond))
}

func (c *Client) newBound(method string, cancel context.CancelCauseFunc) *bound {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := &bound{client: c, patient: c.slow[method], limit: c.cap(newTimeout)}
	b.at = time.Now().Add(b.limit)
	b.timer = time.AfterFunc(b.limit, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		cancel(&timeoutError{b.limit})
	})
	c.bounds[b] = struct{}{}
	return b
}

// setSlow notes how a kind of request fares. The next one after a time-out has
// the time that a new connection has, also where the watch is the first on it:
// a server that takes five seconds for a PATCH must get a report too.
func (c *Client) setSlow(method string, slow bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slow[method] = slow
}

// trace shortens the bound when the request gets a connection that has
// answered before.
func (b *bound) trace(ctx context.Context, conn *connection) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		b.connected.Store(true)
		if info.Reused && conn.answered.Load() && !b.patient {
			b.shorten(usedTimeout)
		}
	}})
}

func (b *bound) shorten(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at := time.Now().Add(d); at.Before(b.at) && b.timer.Stop() {
		b.limit, b.at = d, at
		b.timer.Reset(d)
	}
}

// answered gives the body as long again as the headers had.
func (b *bound) answered() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timer.Stop() {
		b.at = time.Now().Add(b.limit)
		b.timer.Reset(b.limit)
	}
}

func (b *bound) stop() {
	b.timer.Stop()
	b.client.mu.Lock()
	defer b.client.mu.Unlock()
	delete(b.client.bounds, b)
}
