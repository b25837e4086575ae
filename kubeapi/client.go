// Package kubeapi is the part of the Kubernetes API that the status reporter
// needs: one Pod is read and watched, one Job is read, and one condition of
// that Job's status is patched.
//
// It is a REST client of its own on net/http with the types of k8s.io/api.
// client-go is not used: it would make the binary four times as large, and the
// few calls here want time-outs that client-go does not offer. Nor may this
// package import watch or contract; a test holds it to that.
package kubeapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// maxObject bounds what is read of one object or watch event. etcd holds 1.5 MiB.
const maxObject = 2 << 20

// Config says which server to talk to, as whom, and about what.
type Config struct {
	Host, Port        string // KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT
	ServiceAccountDir string // holds token and ca.crt
	Namespace         string // this and the next two are DNS-1123 names
	Job, Pod          string
	UserAgent         string
	Traceparent       string // W3C's header of that name, sent with each request; empty: none
	Log               *slog.Logger
	Dial              func(ctx context.Context, network, address string) (net.Conn, error) // nil: TCP
}

// Client speaks to one API server about one Pod and its Job. Every request has a
// time-out of its own, and retries are left to the caller, who knows what another
// attempt is good for. The token is read for each, and a connection that does not
// answer is replaced. An answer that is not the success asked for is an [*Error]. It is
// safe for concurrent use; Close ends what is under way.
type Client struct {
	cfg Config

	mu     sync.Mutex
	conn   *connection
	killAt time.Time // when the process will be killed; zero: not known
	calls  map[*call]struct{}
	recent recent
}

// New checks that the token and the CA are there and usable. It sends nothing.
func New(cfg Config) (*Client, error) {
	c := &Client{cfg: cfg, calls: map[*call]struct{}{}}
	if _, err := c.token(); err != nil {
		return nil, err
	}
	var err error
	if c.conn, err = c.connect(); err != nil {
		return nil, err
	}
	return c, nil
}

// Close ends all requests and connections, in good order where nothing is on
// its way that may not arrive any more.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn.unanswered == 0 {
		for tracked := range c.conn.conns {
			linger(tracked.Conn, -1)
		}
	}
	c.conn.retire(errors.New("closed"))
}

// token is read for every request: the kubelet replaces the file about hourly.
func (c *Client) token() (string, error) {
	data, err := os.ReadFile(filepath.Join(c.cfg.ServiceAccountDir, "token"))
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(data))
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("%s is not a bearer token", filepath.Join(c.cfg.ServiceAccountDir, "token"))
	}
	return token, nil
}

// exchange sends one request. Its answer, always a 2xx, must be closed.
func (c *Client) exchange(ctx context.Context, method, path string, query url.Values, patch []byte) (*call, error) {
	token, err := c.token()
	if err != nil {
		return nil, err
	}
	target := url.URL{Scheme: "https", Host: net.JoinHostPort(c.cfg.Host, c.cfg.Port), Path: path, RawQuery: query.Encode()}
	verb := method
	if method == methodWatch {
		verb = http.MethodGet
	}
	req, err := http.NewRequest(verb, target.String(), bytes.NewReader(patch))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	if c.cfg.Traceparent != "" {
		req.Header.Set("Traceparent", c.cfg.Traceparent)
	}
	if patch != nil {
		req.Header.Set("Content-Type", string(types.StrategicMergePatchType))
	}
	a := c.begin(ctx, method, path)
	// RoundTrip, not http.Client: redirects are answers here, and neither
	// cookies nor proxies have any business with a bearer token.
	if a.Response, err = a.conn.transport.RoundTrip(req.WithContext(a.ctx)); err != nil {
		defer a.Close()
		return nil, a.failed(err)
	}
	a.gotHeaders()
	if a.StatusCode < 200 || a.StatusCode > 299 {
		defer a.Close()
		e, broken := readError(method, path, a.Response)
		if broken != nil {
			a.failed(broken) // the connection may be dead
		}
		return nil, e
	}
	return a, nil
}

// object sends one request and decodes the answer, which must be of the kind asked for.
func (c *Client) object(ctx context.Context, method, path string, query url.Values, patch []byte, kind string, into any) error {
	a, err := c.exchange(ctx, method, path, query, patch)
	if err != nil {
		return err
	}
	defer a.Close()
	data, err := io.ReadAll(io.LimitReader(a.Body, maxObject+1))
	if err != nil {
		return a.failed(fmt.Errorf("the answer broke off: %w", err))
	}
	if len(data) > maxObject {
		return fmt.Errorf("%s %s: the answer is larger than %d bytes", method, path, maxObject)
	}
	var meta struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal(data, &meta); err != nil {
		return fmt.Errorf("%s %s: %d, but the answer is not JSON: %w", method, path, a.StatusCode, err)
	}
	if meta.Kind != kind {
		return fmt.Errorf("%s %s: %d, but the answer is not a %s", method, path, a.StatusCode, kind)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s %s: the answer cannot be read as a %s: %w", method, path, kind, err)
	}
	return nil
}
