package apiserver

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
)

func (c *Cluster) startEtcd() (err error) {
	peer := "http://127.0.0.1:" + c.peerPort
	c.etcd, err = c.run("etcd",
		"--name=test", "--data-dir="+c.etcdDir(), "--log-level=warn", "--unsafe-no-fsync",
		"--listen-client-urls="+c.etcdURL(), "--advertise-client-urls="+c.etcdURL(),
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=test="+peer)
	return err
}

func (c *Cluster) etcdURL() string { return "http://127.0.0.1:" + c.etcdPort }
func (c *Cluster) etcdDir() string { return filepath.Join(c.dir, "etcd") }

// compact makes etcd forget all revisions up to the present one, as
// kube-apiserver has it do every five minutes.
func (c *Cluster) compact(ctx context.Context) error {
	etcd := &client{base: c.etcdURL(), http: http.DefaultClient}
	var status struct {
		Header struct{ Revision string }
	}
	if err := etcd.do(ctx, http.MethodPost, "/v3/maintenance/status", map[string]any{}, &status); err != nil {
		return err
	}
	return etcd.do(ctx, http.MethodPost, "/v3/kv/compaction", map[string]any{"revision": status.Header.Revision, "physical": true}, nil)
}

// save copies etcd's files as they are at one instant, as a snapshot of its disk does.
func (c *Cluster) save() error {
	copied := c.etcdDir() + ".saved"
	return errors.Join(
		os.RemoveAll(copied),
		c.etcd.cmd.Process.Signal(syscall.SIGSTOP),
		os.CopyFS(copied, os.DirFS(c.etcdDir())),
		c.etcd.cmd.Process.Signal(syscall.SIGCONT))
}

// restore has etcd go on from what was saved: whatever was written since is gone, and
// its resourceVersions are given out once more.
func (c *Cluster) restore() error {
	c.StopServer()
	c.etcd.kill()
	if err := errors.Join(os.RemoveAll(c.etcdDir()), os.Rename(c.etcdDir()+".saved", c.etcdDir())); err != nil {
		return err
	}
	if err := c.startEtcd(); err != nil {
		return err
	}
	return c.StartServer()
}
