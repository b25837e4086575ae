// Package apiserver runs a real Kubernetes control plane for tests: etcd,
// kube-apiserver and, where a test asks for it, kube-controller-manager, all on
// loopback, with RBAC and real ServiceAccount tokens. There is no kubelet and no
// scheduler: tests set the status of Pods as the kubelet would.
//
// It runs only where STATUS_REPORTER_APISERVER says where the binaries are;
// `make test-apiserver` does that, with the program in directory assets.
package apiserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// Variable holds the directories of the binaries, as a list like PATH.
const Variable = "STATUS_REPORTER_APISERVER"

const (
	startTimeout = time.Minute
	stopTimeout  = 10 * time.Second
	pollPause    = 20 * time.Millisecond // between looks at what another process does
)

// Cluster is a control plane without nodes: etcd, kube-apiserver, and the Job controller
// where a test asks for it. All of them end with the test, or with the process. It is
// safe for concurrent use, each test in a namespace of its own.
type Cluster struct {
	tb         testing.TB
	dir        string
	pki        *pki
	etcdPort   string
	peerPort   string // of etcd, where no peer is
	port       string // of kube-apiserver
	admin      *client
	anonymous  *http.Client // for whoever has a token
	etcd       *process
	server     *process
	namespaces atomic.Int64
}

// Start starts etcd and kube-apiserver, and stops them when the test ends. It
// skips the test where Variable is not set.
func Start(tb testing.TB) *Cluster {
	tb.Helper()
	if os.Getenv(Variable) == "" {
		tb.Skipf("%s is not set; run `make test-apiserver`", Variable)
	}
	c := &Cluster{tb: tb, dir: tb.TempDir()}
	began := time.Now()
	if err := c.start(); err != nil {
		tb.Fatalf("control plane: %v", err)
	}
	tb.Logf("kube-apiserver %s is ready after %.1f s", c.version(), time.Since(began).Seconds())
	return c
}

func (c *Cluster) start() (err error) {
	if c.pki, err = newPKI(filepath.Join(c.dir, "pki")); err != nil {
		return err
	}
	if c.admin, err = c.pki.client("admin"); err != nil {
		return err
	}
	c.anonymous = c.pki.anonymous()
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	c.etcdPort, c.port, c.peerPort = ports[0], ports[1], ports[2]
	c.admin.base = "https://127.0.0.1:" + c.port
	if err := c.startEtcd(); err != nil {
		return err
	}
	return c.StartServer()
}

// StartServer starts kube-apiserver, at first or again after StopServer, at the
// same address, and waits until it is ready.
func (c *Cluster) StartServer() (err error) {
	c.server, err = c.run("kube-apiserver",
		"--etcd-servers="+c.etcdURL(), "--etcd-compaction-interval=0", // compact does it
		"--bind-address=127.0.0.1", "--secure-port="+c.port, "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
		"--tls-cert-file="+c.pki.path("server.crt"), "--tls-private-key-file="+c.pki.path("server.key"),
		"--client-ca-file="+c.pki.path("ca.crt"), "--cert-dir="+c.pki.dir,
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+c.pki.path("tokens.key"), "--service-account-signing-key-file="+c.pki.path("tokens.key"),
		"--service-cluster-ip-range=10.96.0.0/16", "--authorization-mode=RBAC")
	if err != nil {
		return err
	}
	return c.server.await(startTimeout, func(ctx context.Context) error {
		return c.admin.do(ctx, http.MethodGet, "/readyz", nil, nil)
	})
}

// StopServer ends kube-apiserver, as a crash does.
func (c *Cluster) StopServer() { c.server.kill() }

// RunControllers runs kube-controller-manager with these controllers until the
// test ends.
func (c *Cluster) RunControllers(tb testing.TB, names string) {
	tb.Helper()
	ports, err := freePorts(1)
	if err != nil {
		tb.Fatal(err)
	}
	config, err := c.pki.kubeconfig("system:kube-controller-manager", c.admin.base)
	if err != nil {
		tb.Fatal(err)
	}
	p, err := c.run("kube-controller-manager",
		"--kubeconfig="+config, "--authentication-kubeconfig="+config, "--authorization-kubeconfig="+config,
		"--bind-address=127.0.0.1", "--secure-port="+ports[0], "--cert-dir="+c.pki.dir, "--leader-elect=false", "--use-service-account-credentials=true",
		"--controllers="+names, "--kube-api-qps=1000", "--kube-api-burst=1000", "--concurrent-job-syncs=20")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.stop)
	health := *c.admin // its certificate is signed by nobody that is known
	health.base = "https://127.0.0.1:" + ports[0]
	health.http = insecure()
	err = p.await(startTimeout, func(ctx context.Context) error {
		return health.do(ctx, http.MethodGet, "/healthz", nil, nil)
	})
	if err != nil {
		tb.Fatalf("control plane: %v", err)
	}
}

func (c *Cluster) version() string {
	var v struct{ GitVersion string }
	if err := c.admin.do(context.Background(), http.MethodGet, "/version", nil, &v); err != nil {
		return err.Error()
	}
	return v.GitVersion
}

func (c *Cluster) run(name string, args ...string) (*process, error) {
	for _, dir := range filepath.SplitList(os.Getenv(Variable)) {
		file := filepath.Join(dir, name)
		if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
			continue
		}
		p, err := startProcess(file, filepath.Join(c.dir, name+".log"), args)
		if err != nil {
			return nil, err
		}
		c.tb.Cleanup(p.stop)
		return p, nil
	}
	return nil, fmt.Errorf("%s: no %s in %s", Variable, name, os.Getenv(Variable))
}

// freePorts finds ports of 127.0.0.1 where nothing listens.
func freePorts(n int) (ports []string, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // so late that no port is found twice
		ports = append(ports, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	}
	return ports, nil
}
