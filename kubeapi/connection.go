package kubeapi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

const (
	// A connection that has answered before answers fast or is dead; a new one
	// has to be dialled and shake hands, and may lead to a slow server.
	usedTimeout = 3 * time.Second
	newTimeout  = 10 * time.Second
	minTimeout  = 200 * time.Millisecond
	maxTimeout  = 30 * time.Second // for a server that is slow, see recent

	pingAfter   = 15 * time.Second // of silence
	pingTimeout = 5 * time.Second
)

// connection is what all requests share: with HTTP/2 one TCP connection.
type connection struct {
	transport *http.Transport
	ctx       context.Context // ends with the connection; its cause says why
	cancel    context.CancelCauseFunc

	// Under the client's mutex.
	proven     bool                      // a request has had its answer
	unanswered int                       // requests that have had none
	conns      map[*trackedConn]struct{} // that the transport has dialled, and nobody has closed
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
	conn := &connection{transport: transport, conns: map[*trackedConn]struct{}{}}
	conn.ctx, conn.cancel = context.WithCancelCause(context.Background())
	dial := c.cfg.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		linger(dialled, 0)
		tracked := &trackedConn{Conn: dialled}
		tracked.closed = func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			delete(conn.conns, tracked)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		conn.conns[tracked] = struct{}{}
		return tracked, nil
	}
	return conn
}

// trackedConn tells when the transport has closed it.
type trackedConn struct {
	net.Conn
	closed func()
}

func (c *trackedConn) Close() error {
	defer c.closed()
	return c.Conn.Close()
}

// linger with 0 makes a close drop what is on its way, whoever closes. The
// kernel would go on sending it, and a PATCH that arrives when a black hole ends
// would replace what has been reported since.
func linger(conn net.Conn, seconds int) {
	if c, ok := conn.(interface{ SetLinger(sec int) error }); ok {
		c.SetLinger(seconds)
	}
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
	for tracked := range conn.conns {
		tracked.Conn.Close() // the mutex is held; the transport closes it as well
	}
}

func (conn *connection) retire(why error) {
	conn.cancel(why)
	// Its requests end soon, not now; only then is there anything idle to close.
	time.AfterFunc(time.Second, conn.transport.CloseIdleConnections)
}
