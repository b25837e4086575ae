// Command floor is the least that a Go program can do in the reporter's place:
// it waits for the result file's inotify event and for the Pod's change on one
// HTTP/2 connection that is already there, and sends a PATCH that was made
// beforehand. It reads no file, decodes no object, judges nothing, retries
// nothing: what bench measures of it is the limit, not an example.
//
// One thread waits for both with epoll, and HTTP/2 is written by hand, so that
// neither net/http nor the runtime's poller is in between.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

func run() error {
	results := os.Getenv("RESULTS_PATH")
	files, err := syscall.InotifyInit1(syscall.IN_CLOEXEC)
	if err == nil {
		_, err = syscall.InotifyAddWatch(files, filepath.Dir(results), syscall.IN_CLOSE_WRITE|syscall.IN_MOVED_TO)
	}
	if err != nil {
		return err
	}
	socket, conn, err := dial()
	if err != nil {
		return err
	}
	token, err := os.ReadFile(filepath.Join(os.Getenv("SERVICE_ACCOUNT_DIR"), "token"))
	if err != nil {
		return err
	}
	requests := requestsOf(os.Getenv("JOB_NAMESPACE"), os.Getenv("JOB_NAME"), os.Getenv("POD_NAME"), string(token))
	if _, err := conn.Write(requests.watch); err != nil {
		return err
	}
	if err := syscall.SetNonblock(socket, true); err != nil {
		return err
	}
	waiting, err := epoll(files, socket)
	if err != nil {
		return err
	}
	w := waiter{files: files, name: []byte(filepath.Base(results)), frames: framer{conn: conn}, buffer: make([]byte, 16<<10), requests: requests}
	return w.wait(waiting)
}

// wait returns when the report has its answer.
func (w *waiter) wait(waiting int) error {
	events := make([]syscall.EpollEvent, 2)
	for !w.frames.answered {
		n, err := syscall.EpollWait(waiting, events, -1)
		if err != nil && err != syscall.EINTR {
			return err
		}
		for _, e := range events[:max(n, 0)] {
			report, err := w.read(int(e.Fd))
			if err == nil && report != nil && !w.reported {
				w.reported = true
				_, err = w.frames.conn.Write(report)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// waiter reads what has come.
type waiter struct {
	files    int    // inotify's
	name     []byte // of the result file
	frames   framer
	buffer   []byte
	requests requests
	reported bool
}

// read returns the request that what has come calls for, if any.
func (w *waiter) read(fd int) (report []byte, err error) {
	if fd != w.files {
		if err = w.frames.read(w.buffer); w.frames.terminated {
			report = w.requests.failure
		}
		return report, err
	}
	n, err := syscall.Read(fd, w.buffer)
	if err == nil && bytes.Contains(w.buffer[:n], w.name) {
		report = w.requests.success
	}
	return report, err
}

func epoll(fds ...int) (int, error) {
	waiting, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	for _, fd := range fds {
		if err == nil {
			err = syscall.EpollCtl(waiting, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)})
		}
	}
	return waiting, err
}

// dial returns a connection that HTTP/2 has begun on, and its socket.
func dial() (int, *tls.Conn, error) {
	ca, err := os.ReadFile(filepath.Join(os.Getenv("SERVICE_ACCOUNT_DIR"), "ca.crt"))
	if err != nil {
		return 0, nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	host := net.ParseIP(os.Getenv("KUBERNETES_SERVICE_HOST")).To4()
	port, err := strconv.Atoi(os.Getenv("KUBERNETES_SERVICE_PORT"))
	if err != nil || host == nil {
		return 0, nil, errors.New("KUBERNETES_SERVICE_HOST is no IPv4 address, or KUBERNETES_SERVICE_PORT no port")
	}
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err == nil {
		err = syscall.SetsockoptInt(socket, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	}
	if err == nil {
		err = syscall.Connect(socket, &syscall.SockaddrInet4{Port: port, Addr: [4]byte(host)})
	}
	if err != nil {
		return 0, nil, err
	}
	conn := tls.Client(&socketConn{fd: socket}, &tls.Config{RootCAs: roots, ServerName: host.String(), NextProtos: []string{"h2"}})
	if err := conn.Handshake(); err != nil {
		return 0, nil, err
	}
	_, err = conn.Write(preface)
	return socket, conn, err
}

// socketConn is a socket without the runtime's poller.
type socketConn struct {
	net.Conn // nil: TLS needs no more than reads and writes
	fd       int
}

func (c *socketConn) Read(p []byte) (int, error) {
	n, err := syscall.Read(c.fd, p)
	switch {
	case err != nil:
		return 0, &net.OpError{Op: "read", Err: err} // EAGAIN is temporary to crypto/tls
	case n == 0:
		return 0, net.ErrClosed
	}
	return n, nil
}

func (c *socketConn) Write(p []byte) (int, error) { return syscall.Write(c.fd, p) }
