package kubetest

import (
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
	broken bool      // by a reset: reads fail once the buffer is drained
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
func (l *link) reset() { l.set(func() { l.broken, l.frozen = true, false }) }

// An end of a link is a net.Conn with the semantics of TCP: what was sent
// before a close can still be read, then comes io.EOF.
type end struct {
	link          *link
	peer          *end
	local, remote net.Addr

	// Guarded by link.mu.
	buf         []byte // received, not read yet
	closed      bool
	abrupt      bool // a close drops what has not arrived
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
		case l.broken:
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
	case l.broken:
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
		if e.abrupt {
			e.link.broken = true
			if e.link.frozen {
				e.peer.buf = nil
			}
		}
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

// SetLinger with 0 makes a close drop what has not arrived yet, as with TCP.
func (e *end) SetLinger(sec int) error {
	e.link.set(func() { e.abrupt = sec == 0 })
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
