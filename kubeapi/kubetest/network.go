package kubetest

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// A network accepts links, and is the net.Listener of the http.Server. On a real
// network each link is relayed to a TCP connection. It can be down, so that nobody
// connects, and frozen, so that nothing arrives. It is safe for concurrent use.
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
	notify   func()       // called after every new connection
}

func newNetwork(addr net.Addr, notify func()) *network {
	n := &network{addr: addr, links: make(map[*link]bool), notify: notify}
	n.cond.L = &n.mu
	return n
}

// connect makes a link; its server's end goes to Accept.
func (n *network) connect(from net.Addr) (*link, error) {
	defer n.notify() // runs last, unlocked
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
	_, err := io.Copy(to, from)
	closeTCP(from, err)
	if errors.Is(err, syscall.ECONNRESET) {
		to.SetLinger(0)
	}
	to.Close()
}

func pumpOut(to net.Conn, from *end) {
	_, err := io.Copy(to, from)
	closeTCP(to, err)
	from.Close()
}

// closeTCP passes a reset of the link on as such.
func closeTCP(c net.Conn, err error) {
	if errors.Is(err, syscall.ECONNRESET) {
		reset(c)
	}
	c.Close()
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
