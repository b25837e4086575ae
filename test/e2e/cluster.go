package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// cluster is one namespace of the cluster that KUBECONFIG points at. kubectl
// knows all ways to get there and to log in; its proxy serves the API on a
// socket that no other user can open.
type cluster struct {
	namespace string
	version   kubetest.Version
	client    *http.Client
	proxy     *exec.Cmd
	dir       string // of the socket
}

const (
	requestTime = 30 * time.Second
	cleanupTime = 3 * time.Minute
)

// connect makes the namespace. Without an error the caller must close.
func connect(ctx context.Context, out io.Writer) (*cluster, error) {
	versions, err := kubectl(ctx, nil, "version")
	if err != nil {
		return nil, fmt.Errorf("no cluster: %w", err)
	}
	c := &cluster{namespace: fmt.Sprintf("status-reporter-e2e-%05x", rand.N(1<<20))}
	_, server, _ := strings.Cut(versions, "Server Version: ")
	server, _, _ = strings.Cut(server, "\n")
	if c.version, err = kubetest.ParseVersion(server); err != nil {
		return nil, fmt.Errorf("kubectl version: %w", err)
	}
	fmt.Fprintf(out, "Server Version: %s, namespace %s\n", server, c.namespace)
	if c.dir, err = os.MkdirTemp("", "e2e-"); err != nil {
		return nil, err
	}
	if err = c.serve(); err == nil {
		_, err = kubectl(ctx, nil, "create", "namespace", c.namespace)
	}
	if err != nil {
		return nil, errors.Join(err, c.close(out))
	}
	return c, nil
}

// serve starts the proxy. It outlives a signal, which close needs not.
func (c *cluster) serve() error {
	socket := filepath.Join(c.dir, "api")
	c.proxy = exec.Command("kubectl", "proxy", "--unix-socket="+socket)
	stdout, err := c.proxy.StdoutPipe()
	if err != nil {
		return err
	}
	var stderr bytes.Buffer
	c.proxy.Stderr = &stderr
	if err := c.proxy.Start(); err != nil {
		return err
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		return fmt.Errorf("kubectl proxy: %w: %s%s", err, line, &stderr)
	}
	var d net.Dialer
	c.client = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", socket) },
	}}
	return nil
}

// close deletes the namespace and waits until it is gone.
func (c *cluster) close(out io.Writer) error {
	if c.proxy.Process != nil {
		c.proxy.Process.Kill()
		c.proxy.Wait()
	}
	os.RemoveAll(c.dir)
	fmt.Fprintf(out, "deleting namespace %s\n", c.namespace)
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTime)
	defer cancel()
	if _, err := kubectl(ctx, nil, "delete", "namespace", c.namespace, "--ignore-not-found"); err != nil {
		return fmt.Errorf("namespace %s is left behind; delete it: %w", c.namespace, err)
	}
	return nil
}

// applyRoles applies rbac.yaml as a user does.
func (c *cluster) applyRoles(ctx context.Context, o options) error {
	return c.apply(ctx, filepath.Join(o.deploy, "rbac.yaml"), "<namespace>", c.namespace)
}

// applyInjection does what deploy/inject asks for in each namespace. Its policies
// are the cluster's, and the user's to apply.
func (c *cluster) applyInjection(ctx context.Context, o options) error {
	if _, err := kubectl(ctx, nil, "get", "mutatingadmissionpolicybinding", "status-reporter-inject"); err != nil {
		return fmt.Errorf("%w; first: kubectl apply -k %s -f %s", err, filepath.Join(o.deploy, "policy"), filepath.Join(o.deploy, "inject", "policy.yaml"))
	}
	_, err := kubectl(ctx, nil, "label", "namespace", c.namespace, "status-reporter/policies=enabled")
	return errors.Join(err,
		c.apply(ctx, filepath.Join(o.deploy, "inject", "config.yaml"), "status-reporter:dev", o.image),
		c.apply(ctx, filepath.Join(o.deploy, "inject", "rbac.yaml"), "system:serviceaccounts:my-namespace", "system:serviceaccounts:"+c.namespace))
}

// apply applies a manifest with one text of it replaced.
func (c *cluster) apply(ctx context.Context, path, old, with string) error {
	manifest, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Contains(manifest, []byte(old)) {
		return fmt.Errorf("%s has no %s", path, old)
	}
	manifest = bytes.ReplaceAll(manifest, []byte(old), []byte(with))
	_, err = kubectl(ctx, manifest, "apply", "--namespace", c.namespace, "--filename", "-")
	return err
}

// kubectl runs kubectl once.
func kubectl(ctx context.Context, stdin []byte, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "kubectl", args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("kubectl %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return string(stdout), nil
}

// The paths that are used.
func (c *cluster) jobs() string {
	return "/apis/batch/v1/namespaces/" + c.namespace + "/jobs"
}

func (c *cluster) pods() string {
	return "/api/v1/namespaces/" + c.namespace + "/pods"
}

// open sends one request. The caller closes the body of the answer.
func (c *cluster) open(ctx context.Context, method, path, contentType string, in any) (io.ReadCloser, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, nil)
	if err != nil {
		return nil, err
	}
	if in != nil {
		req.Body = io.NopCloser(bytes.NewReader(body))
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1024))
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, text)
	}
	return resp.Body, nil
}

// send sends one request and drops the answer.
func (c *cluster) send(ctx context.Context, method, path, contentType string, in any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	body, err := c.open(ctx, method, path, contentType, in)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(io.Discard, body)
	return err
}

// follow watches until ctx ends. It begins with the present state.
func follow[T any](ctx context.Context, c *cluster, path string, saw func(*T)) {
	for ctx.Err() == nil {
		if body, err := c.open(ctx, http.MethodGet, path, "", nil); err == nil {
			for dec := json.NewDecoder(body); ; {
				var event struct {
					Type   string
					Object T
				}
				if dec.Decode(&event) != nil || event.Type == "ERROR" {
					break
				}
				saw(&event.Object)
			}
			body.Close()
		}
		pause(ctx, 200*time.Millisecond)
	}
}

// followLog reads the log of a container, its restarts included, until ctx ends.
func (c *cluster) followLog(ctx context.Context, pod, container string, saw func(line)) {
	path := c.pods() + "/" + pod + "/log?follow=true&timestamps=true&container=" + container
	var last time.Time
	for ctx.Err() == nil {
		if body, err := c.open(ctx, http.MethodGet, path, "", nil); err == nil {
			lines := bufio.NewScanner(body)
			for lines.Scan() {
				stamp, text, _ := strings.Cut(lines.Text(), " ")
				at, err := time.Parse(time.RFC3339Nano, stamp)
				if err == nil && at.After(last) { // else known from the last time
					last = at
					saw(line{at, text})
				}
			}
			body.Close()
		}
		pause(ctx, 200*time.Millisecond)
	}
}

// line is a line of a container's log, with the time at which the node took it.
type line struct {
	at   time.Time
	text string
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
