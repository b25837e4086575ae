package apiserver

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// PIDs are the processes of the control plane by their names.
func (n *Namespace) PIDs() map[string]int {
	return map[string]int{"kube-apiserver": n.c.server.cmd.Process.Pid, "etcd": n.c.etcd.cmd.Process.Pid}
}

// Read gets what an administrator may read and what is no object, such as
// /metrics, from kube-apiserver.
func (n *Namespace) Read(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.c.admin.base+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := n.c.admin.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", path, resp.Status)
	}
	return data, err
}
