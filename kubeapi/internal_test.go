package kubeapi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apiwatch "k8s.io/apimachinery/pkg/watch"
)

// answering is a client whose every request gets one answer, without a network.
func answering(t testing.TB, dir string, code int, header http.Header, body io.Reader) *Client {
	t.Helper()
	c := &Client{
		cfg:   Config{Host: "host", Port: "443", ServiceAccountDir: dir, Namespace: "ns", Job: "job", Pod: "pod", Log: slog.New(slog.DiscardHandler)},
		calls: map[*call]struct{}{},
	}
	var http1 http.Protocols // HTTP/2 would claim the scheme
	http1.SetHTTP1(true)
	c.conn = &connection{transport: &http.Transport{Protocols: &http1}}
	c.conn.ctx, c.conn.cancel = context.WithCancelCause(t.Context())
	closer, ok := body.(io.ReadCloser)
	if !ok {
		closer = io.NopCloser(body)
	}
	c.conn.transport.RegisterProtocol("https", roundTrip(func(req *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: code, Header: header, Request: req, Body: closer}, nil
	}))
	return c
}

// account makes a directory with a token in it.
func account(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("token"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// A long-lived client and the caller's long-lived context keep nothing of a
// request that is over.
func TestNothingIsKept(t *testing.T) {
	for _, body := range []string{`{"kind":"Pod"}`, `{"kind":"Job"}`, "garbage", ""} {
		for _, code := range []int{200, 204, 403, 500} {
			content := &openBody{Reader: strings.NewReader(body)}
			c := answering(t, account(t), code, nil, content)
			ctx := &countingContext{Context: t.Context()}
			c.GetPod(ctx, false)
			c.WatchPod(ctx, "", func() {}, func(apiwatch.Event) {})
			if len(c.calls) != 0 {
				t.Errorf("%d, %s: %d calls are kept", code, body, len(c.calls))
			}
			if content.closed != 2 {
				t.Errorf("%d, %s: %d of 2 bodies were closed", code, body, content.closed)
			}
			if ctx.added != 2 || ctx.left != 0 {
				t.Errorf("%d, %s: of %d requests %d are linked to their context still", code, body, ctx.added, ctx.left)
			}
		}
	}
}

type openBody struct {
	io.Reader
	closed int
}

func (b *openBody) Close() error { b.closed++; return nil }

// countingContext counts what waits for its end. Package context asks a
// context of a foreign type for this method.
type countingContext struct {
	context.Context
	added, left int
}

func (c *countingContext) Done() <-chan struct{} { return make(chan struct{}) }

func (c *countingContext) AfterFunc(func()) (stop func() bool) {
	c.added++
	c.left++
	return func() bool { c.left--; return true }
}

// A server that sees the watch cancelled may still end it in good order before
// this side looks: that is told as the cancellation.
func TestWatchEndedByBothSides(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	body := readFunc(func([]byte) (int, error) { cancel(); return 0, io.EOF })
	err := answering(t, account(t), 200, nil, body).WatchPod(ctx, "", func() {}, func(apiwatch.Event) {})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// Of an answer without an end no more is read than may be kept.
func TestReadsAreBounded(t *testing.T) {
	for _, tt := range []struct {
		name string
		code int
		call func(c *Client) error
		most int // a reader asks for a little more than it needs
	}{
		{"object", 200, func(c *Client) error { _, err := c.GetJob(t.Context()); return err }, maxObject + 1},
		{"event", 200, func(c *Client) error {
			return c.WatchPod(t.Context(), "", func() {}, func(apiwatch.Event) {})
		}, maxObject},
		{"error", 500, func(c *Client) error { _, err := c.GetJob(t.Context()); return err }, 64 << 10},
	} {
		body := &endless{}
		if err := tt.call(answering(t, account(t), tt.code, nil, body)); err == nil {
			t.Errorf("%s: no error", tt.name)
		}
		if body.read > tt.most {
			t.Errorf("%s: %d bytes were read, want %d at most", tt.name, body.read, tt.most)
		}
	}
}

// endless is a body of blanks that ends only where nobody stops reading.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	if e.read > 64<<20 {
		return 0, io.EOF
	}
	for i := range p {
		p[i] = ' '
	}
	e.read += len(p)
	return len(p), nil
}
