package kubeapi

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"time"
)

// call is one request and its answer. It ends when it is closed, with its context or
// its connection, and with a timeoutError where it is not answered in time, which
// SetKillAt may shorten while it waits.
type call struct {
	*http.Response // nil before there is one

	client       *Client
	conn         *connection
	method, path string
	ctx          context.Context
	end          func()
	timer        *time.Timer
	began        time.Time

	// Under the client's mutex.
	limit   time.Duration
	at      time.Time
	reached bool // it has a connection
}

// timeoutError is not context.DeadlineExceeded on purpose: nobody may take it
// for the end of their own context.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string {
	return fmt.Sprintf("no answer within %s", e.after.Round(time.Millisecond))
}

func (c *Client) begin(ctx context.Context, method, path string) *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := &call{client: c, conn: c.conn, method: method, path: path, began: time.Now(), limit: c.limit(newTimeout)}
	ctx, cancel := context.WithCancelCause(ctx)
	unlink := context.AfterFunc(a.conn.ctx, func() { cancel(context.Cause(a.conn.ctx)) })
	a.ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: a.gotConn})
	a.end = func() { unlink(); cancel(nil) }
	a.at = a.began.Add(a.limit)
	a.timer = time.AfterFunc(a.limit, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.recent.add(wait{took: a.limit, timedOut: true, reached: a.reached})
		cancel(&timeoutError{a.limit})
	})
	c.calls[a] = struct{}{}
	a.conn.unanswered++
	return a
}

// gotConn shortens the time of a request that gets a connection which has
// answered before.
func (a *call) gotConn(info httptrace.GotConnInfo) {
	c := a.client
	c.mu.Lock()
	defer c.mu.Unlock()
	a.reached = true
	if info.Reused && a.conn.proven {
		a.shorten(c.limit(usedTimeout))
	}
}

// shorten needs client.mu.
func (a *call) shorten(d time.Duration) {
	if at := time.Now().Add(d); at.Before(a.at) && a.timer.Stop() {
		a.limit, a.at = d, at
		a.timer.Reset(d)
	}
}

// gotHeaders gives the body as long again as the headers had.
func (a *call) gotHeaders() {
	c := a.client
	c.mu.Lock()
	defer c.mu.Unlock()
	a.conn.proven = true
	a.conn.unanswered--
	c.recent.add(wait{took: time.Since(a.began)})
	if a.timer.Stop() {
		a.at = time.Now().Add(a.limit)
		a.timer.Reset(a.limit)
	}
}

// unbind lets the call take as long as it takes.
func (a *call) unbind() {
	a.client.mu.Lock()
	defer a.client.mu.Unlock()
	a.timer.Stop()
	delete(a.client.calls, a)
}

func (a *call) Close() {
	a.unbind()
	a.end()
	if a.Response != nil {
		a.Body.Close()
	}
}

// failed names what went wrong on the way, and leaves a connection that did
// not answer: what shares it is most likely as dead.
func (a *call) failed(err error) error {
	cause := context.Cause(a.ctx)
	if cause == nil {
		cause = context.Cause(a.conn.ctx) // which ends a.ctx a moment later
	}
	_, timedOut := errors.AsType[*timeoutError](cause)
	switch {
	case cause != nil:
		err = cause
	case err == nil:
		return nil
	}
	_, untrusted := errors.AsType[x509.UnknownAuthorityError](err)
	if timedOut || untrusted { // the next connection reads ca.crt anew
		a.client.abandon(a.conn, err)
	}
	return fmt.Errorf("%s %s: %w", a.method, a.path, err)
}

// SetKillAt tells when the process will be killed. From then on no request, be
// it under way already, may wait for more than a third of what is left, unless
// recent answers took longer.
func (c *Client) SetKillAt(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.killAt = t
	for a := range c.calls {
		a.shorten(c.limit(newTimeout))
	}
}
