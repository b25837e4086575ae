package kubetest

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func testLink() *link {
	return newLink(1, &net.TCPAddr{Port: 1}, &net.TCPAddr{Port: 2})
}

// read reads once; what it gets is compared with want and wantErr.
func read(t *testing.T, e *end, want string, wantErr error) {
	t.Helper()
	b := make([]byte, 100)
	n, err := e.Read(b)
	if string(b[:n]) != want || !errors.Is(err, wantErr) {
		t.Errorf("read %q, %v; want %q, %v", b[:n], err, want, wantErr)
	}
}

func TestConnEnds(t *testing.T) {
	tests := []struct {
		name  string
		after func(l *link) // the client has sent "hello"
		reads []error       // of the server, after "hello"
		write error         // of the client
	}{
		{"close", func(l *link) { l.client.Close() }, []error{io.EOF, io.EOF}, net.ErrClosed},
		{"reset", (*link).reset, []error{syscall.ECONNRESET, syscall.ECONNRESET}, syscall.ECONNRESET},
		{"reset while frozen", func(l *link) { l.freeze(true); l.reset() }, []error{syscall.ECONNRESET}, syscall.ECONNRESET},
		{"expired deadline", func(l *link) { l.client.SetDeadline(time.Unix(0, 0)) }, nil, os.ErrDeadlineExceeded},
		{"lifted deadline", func(l *link) { l.client.SetDeadline(time.Unix(0, 0)); l.client.SetDeadline(time.Time{}) }, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := testLink()
			io.WriteString(l.client, "hello")
			tt.after(l)
			read(t, l.server, "hello", nil)
			for _, want := range tt.reads {
				read(t, l.server, "", want)
			}
			if _, err := io.WriteString(l.client, "x"); !errors.Is(err, tt.write) {
				t.Errorf("write: %v, want %v", err, tt.write)
			}
		})
	}
}

// As TCP does, a close with SO_LINGER 0 resets, and takes back what a black
// hole holds.
func TestConnAbruptClose(t *testing.T) {
	for _, frozen := range []bool{false, true} {
		l := testLink()
		l.freeze(frozen)
		io.WriteString(l.client, "hello")
		l.client.SetLinger(0)
		l.client.Close()
		l.freeze(false)
		if !frozen {
			read(t, l.server, "hello", nil)
		}
		read(t, l.server, "", syscall.ECONNRESET)
	}
}

func TestConnPeerClosed(t *testing.T) {
	l := testLink()
	closed := 0
	l.closed = func() { closed++ }
	l.server.Close()
	if err := l.server.Close(); !errors.Is(err, net.ErrClosed) || closed != 1 {
		t.Errorf("second close: %v, %d times", err, closed)
	}
	if _, err := io.WriteString(l.client, "x"); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("write to a closed peer: %v", err)
	}
	read(t, l.server, "", net.ErrClosed)
	if err := l.server.SetDeadline(time.Time{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("deadline of a closed connection: %v", err)
	}
}

// What a blocked read does when something happens a second later.
func TestConnBlockedRead(t *testing.T) {
	tests := []struct {
		name string
		do   func(l *link)
		want string
		err  error
		took time.Duration
	}{
		{"data", func(l *link) { io.WriteString(l.server, "x") }, "x", nil, time.Second},
		{"own close", func(l *link) { l.client.Close() }, "", net.ErrClosed, time.Second},
		{"peer's close", func(l *link) { l.server.Close() }, "", io.EOF, time.Second},
		{"deadline in the past", func(l *link) { l.client.SetReadDeadline(time.Now()) }, "", os.ErrDeadlineExceeded, time.Second},
		{"deadline to come", func(l *link) { l.client.SetReadDeadline(time.Now().Add(time.Second)) }, "", os.ErrDeadlineExceeded, 2 * time.Second},
		{"the last deadline counts", func(l *link) {
			l.client.SetReadDeadline(time.Now().Add(time.Second))
			l.client.SetReadDeadline(time.Now().Add(4 * time.Second))
		}, "", os.ErrDeadlineExceeded, 5 * time.Second},
		{"no deadline for writes", func(l *link) {
			l.client.SetWriteDeadline(time.Now())
			io.WriteString(l.server, "x")
		}, "x", nil, time.Second},
		{"frozen and thawed", func(l *link) {
			l.freeze(true)
			io.WriteString(l.server, "x")
			l.server.Close()
			time.Sleep(time.Second)
			l.freeze(false)
		}, "x", nil, 2 * time.Second},
		{"deadline while frozen", func(l *link) {
			l.freeze(true)
			io.WriteString(l.server, "x")
			l.client.SetReadDeadline(time.Now().Add(time.Second))
		}, "", os.ErrDeadlineExceeded, 2 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := testLink()
				start := time.Now()
				go func() {
					time.Sleep(time.Second)
					tt.do(l)
				}()
				read(t, l.client, tt.want, tt.err)
				if took := time.Since(start); took != tt.took {
					t.Errorf("took %s, want %s", took, tt.took)
				}
			})
		})
	}
}
