package main

import (
	"net"
	"sync"
	"time"
)

// gate is a listener that can be shut, as by the end of a server: connections
// are reset, new ones are refused, until it is opened again at the same address.
type gate struct {
	mu       sync.Mutex
	opened   sync.Cond
	inner    net.Listener // nil while it is shut
	addr     net.Addr
	closed   bool
	conns    map[*gateConn]bool
	accepted []time.Time
}

func newGate() (*gate, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := &gate{inner: l, addr: l.Addr(), conns: map[*gateConn]bool{}}
	g.opened.L = &g.mu
	return g, nil
}

func (g *gate) Addr() net.Addr { return g.addr }

func (g *gate) Accept() (net.Conn, error) {
	for {
		g.mu.Lock()
		for g.inner == nil && !g.closed {
			g.opened.Wait()
		}
		inner, closed := g.inner, g.closed
		g.mu.Unlock()
		if closed {
			return nil, net.ErrClosed
		}
		c, err := inner.Accept()
		if err != nil {
			time.Sleep(time.Millisecond) // shut, most likely; or out of descriptors
			continue
		}
		if conn := g.admit(inner, c.(*net.TCPConn)); conn != nil {
			return conn, nil
		}
	}
}

func (g *gate) admit(inner net.Listener, c *net.TCPConn) net.Conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	conn := &gateConn{c, g}
	if g.inner != inner {
		conn.reset()
		return nil
	}
	g.conns[conn] = true
	g.accepted = append(g.accepted, time.Now())
	return conn
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inner != nil {
		g.inner.Close()
		g.inner = nil
	}
	for c := range g.conns {
		c.reset()
	}
}

func (g *gate) open() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	l, err := net.Listen("tcp", g.addr.String())
	if err != nil {
		return err
	}
	g.inner = l
	g.opened.Broadcast()
	return nil
}

func (g *gate) Close() error {
	g.shut()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.opened.Broadcast()
	return nil
}

// acceptedSince lists when connections came.
func (g *gate) acceptedSince(t time.Time) []time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return since(g.accepted, t)
}

// gateConn is a connection that its gate can reset.
type gateConn struct {
	*net.TCPConn
	g *gate
}

// reset closes with an RST instead of a FIN.
func (c *gateConn) reset() {
	c.SetLinger(0)
	c.TCPConn.Close()
}

func (c *gateConn) Close() error {
	c.g.mu.Lock()
	delete(c.g.conns, c)
	c.g.mu.Unlock()
	return c.TCPConn.Close()
}
