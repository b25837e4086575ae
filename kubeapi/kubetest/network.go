package kubetest

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// A link is a connection: two ends, each with an unbounded receive buffer.
// Writes never block, so that no goroutine waits for a peer while it holds a
// lock of net/http: a mutex wait would stop a synctest bubble's clock.
type link struct {
	id     int
	mu     sync.Mutex
	cond   sync.Cond // any change
	frozen bool      // a black hole: nothing that was sent arrives
	cut    bool      // reset: reads fail once the buffer is drained
	client *end
	server *end
	closed func() // called once, when the server's end closes
}

func newLink(id int, clientAddr, serverAddr net.Addr) *link {
	l := &link{id: id}
	l.cond.L = &l.mu
	l.client = &end{link: l, local: clientAddr, remote: serverAddr}
	l.server = &end{link: l, local: serverAddr, remote: clientAddr}
	l.client.peer, l.server.peer = l.server, l.client
	return l
}

func (l *link) set(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
	l.cond.Broadcast()
}

func (l *link) freeze(on bool) { l.set(func() { l.frozen = on }) }

// reset breaks the connection for both ends, as an RST does.
func (l *link) reset() { l.set(func() { l.cut, l.frozen = true, false }) }

// An end of a link is a net.Conn with the semantics of TCP: what was sent
// before a close can still be read, then comes io.EOF.
type end struct {
	link          *link
	peer          *end
	local, remote net.Addr

	// Guarded by link.mu.
	buf         []byte // received, not read yet
	closed      bool
	readExpiry  expiry
	writeExpiry expiry
}

func (e *end) Read(p []byte) (int, error) {
	l := e.link
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case e.closed:
			return 0, net.ErrClosed
		case e.readExpiry.passed:
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case l.frozen: // not even a close is seen
		case len(e.buf) > 0:
			n := copy(p, e.buf)
			if e.buf = e.buf[n:]; len(e.buf) == 0 {
				e.buf = nil
			}
			return n, nil
		case l.cut:
			return 0, e.opError("read", syscall.ECONNRESET)
		case e.peer.closed:
			return 0, io.EOF
		}
		l.cond.Wait()
	}
}

func (e *end) Write(p []byte) (int, error) {
	l := e.link
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case e.closed:
		return 0, net.ErrClosed
	case e.writeExpiry.passed:
		return 0, os.ErrDeadlineExceeded
	case l.frozen: // the kernel accepts what it cannot deliver
	case l.cut:
		return 0, e.opError("write", syscall.ECONNRESET)
	case e.peer.closed:
		return 0, e.opError("write", syscall.EPIPE)
	}
	e.peer.buf = append(e.peer.buf, p...)
	l.cond.Broadcast()
	return len(p), nil
}

func (e *end) Close() error {
	first := false
	e.link.set(func() {
		first = !e.closed
		e.closed = true
		e.readExpiry.stop()
		e.writeExpiry.stop()
	})
	if !first {
		return net.ErrClosed
	}
	if e == e.link.server && e.link.closed != nil {
		e.link.closed()
	}
	return nil
}

func (e *end) LocalAddr() net.Addr  { return e.local }
func (e *end) RemoteAddr() net.Addr { return e.remote }

func (e *end) SetDeadline(t time.Time) error {
	return errors.Join(e.SetReadDeadline(t), e.SetWriteDeadline(t))
}

func (e *end) SetReadDeadline(t time.Time) error  { return e.setExpiry(&e.readExpiry, t) }
func (e *end) SetWriteDeadline(t time.Time) error { return e.setExpiry(&e.writeExpiry, t) }

func (e *end) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: e.local, Addr: e.remote, Err: os.NewSyscallError(op, err)}
}

// An expiry is a deadline that has passed or will.
type expiry struct {
	passed bool
	timer  *time.Timer
}

func (x *expiry) stop() {
	if x.timer != nil {
		x.timer.Stop()
		x.timer = nil
	}
}

func (e *end) setExpiry(x *expiry, t time.Time) error {
	err := net.ErrClosed
	e.link.set(func() {
		x.stop()
		if e.closed {
			return
		}
		err = nil
		wait := time.Until(t)
		if x.passed = !t.IsZero() && wait <= 0; x.passed || t.IsZero() {
			return
		}
		var timer *time.Timer
		timer = time.AfterFunc(wait, func() {
			e.link.set(func() { x.passed = x.passed || x.timer == timer })
		})
		x.timer = timer
	})
	return err
}

// A network accepts links, and is the net.Listener of the http.Server.
type network struct {
	mu       sync.Mutex
	cond     sync.Cond // the queue, or closed
	addr     net.Addr
	queue    []*link
	links    map[*link]bool // those whose server's end is open
	accepted int
	down     bool
	frozen   bool
	closed   bool
	tcp      net.Listener // nil in memory
}

func newNetwork(addr net.Addr) *network {
	n := &network{addr: addr, links: make(map[*link]bool)}
	n.cond.L = &n.mu
	return n
}

// connect makes a link; its server's end goes to Accept.
func (n *network) connect(from net.Addr) (*link, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down || n.closed {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: n.addr, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	n.accepted++
	if from == nil { // in memory: an address for every connection
		from = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 30000 + n.accepted}
	}
	l := newLink(n.accepted, from, n.addr)
	l.frozen = n.frozen
	l.closed = func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.links, l)
	}
	n.links[l] = true
	n.queue = append(n.queue, l)
	n.cond.Signal()
	return l, nil
}

func (n *network) Accept() (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.queue) == 0 && !n.closed {
		n.cond.Wait()
	}
	if n.closed {
		return nil, net.ErrClosed
	}
	l := n.queue[0]
	n.queue = n.queue[1:]
	return l.server, nil
}

func (n *network) Addr() net.Addr { return n.addr }

func (n *network) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	n.cond.Broadcast()
	if n.tcp != nil {
		return n.tcp.Close()
	}
	return nil
}

// each calls f for every open link.
func (n *network) each(f func(*link)) {
	n.mu.Lock()
	links := make([]*link, 0, len(n.links))
	for l := range n.links {
		links = append(links, l)
	}
	n.mu.Unlock()
	for _, l := range links {
		f(l)
	}
}

// listenTCP makes the network reachable at a loopback port: n.addr's once it
// has one.
func (n *network) listenTCP() error {
	l, err := net.Listen("tcp", n.addr.String())
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.tcp, n.addr = l, l.Addr()
	n.mu.Unlock()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			link, err := n.connect(c.RemoteAddr())
			if err != nil {
				reset(c)
				continue
			}
			go pumpIn(link.client, c)
			go pumpOut(c, link.client)
		}
	}()
	return nil
}

// The pumps join a TCP connection to a link, so that every kind of network
// trouble is made in one place.
func pumpIn(to *end, from net.Conn) {
	io.Copy(to, from)
	to.Close()
}

func pumpOut(to net.Conn, from *end) {
	_, err := io.Copy(to, from)
	if errors.Is(err, syscall.ECONNRESET) {
		reset(to)
	}
	to.Close()
}

// reset closes with an RST instead of a FIN.
func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		t.SetLinger(0)
	}
	c.Close()
}

// Dial connects to the server, whichever its network; it has the signature of
// http.Transport's DialContext. Any other address than the server's is an error
// and fails the test.
func (s *Server) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if want := net.JoinHostPort(s.Host(), s.Port()); network != "tcp" || addr != want {
		s.errorf("kubetest: dialled %s %s, the server is at tcp %s", network, addr, want)
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ENETUNREACH}
	}
	if !s.inMemory {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	l, err := s.net.connect(nil)
	if err != nil {
		return nil, err
	}
	return l.client, nil
}

// Connections is the number of connections accepted so far.
func (s *Server) Connections() int {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	return s.net.accepted
}

// Down resets every connection and refuses new ones, until [Server.Up].
func (s *Server) Down() {
	s.net.mu.Lock()
	s.net.down = true
	tcp := s.net.tcp
	s.net.mu.Unlock()
	if tcp != nil {
		tcp.Close()
	}
	s.CutConnections()
}

// Up ends [Server.Down].
func (s *Server) Up() {
	s.net.mu.Lock()
	wasDown := s.net.down
	s.net.down = false
	s.net.mu.Unlock()
	if wasDown && !s.inMemory {
		if err := s.net.listenTCP(); err != nil {
			s.errorf("kubetest: Up: %v", err)
		}
	}
}

// CutConnections resets every connection; new ones work.
func (s *Server) CutConnections() { s.net.each((*link).reset) }

// Freeze makes black holes of every connection and of every new one: bytes are
// accepted and never answered, TLS handshakes hang, not even a close arrives.
// [Server.Thaw] delivers what was sent meanwhile.
func (s *Server) Freeze() {
	s.net.mu.Lock()
	s.net.frozen = true
	s.net.mu.Unlock()
	s.FreezeConnections()
}

// FreezeConnections makes black holes of the connections that there are; new
// ones work, as after a change of a load balancer or a NAT table.
func (s *Server) FreezeConnections() { s.net.each(func(l *link) { l.freeze(true) }) }

// Thaw ends [Server.Freeze] and [Server.FreezeConnections].
func (s *Server) Thaw() {
	s.net.mu.Lock()
	s.net.frozen = false
	s.net.mu.Unlock()
	s.net.each(func(l *link) { l.freeze(false) })
}
