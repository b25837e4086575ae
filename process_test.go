package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/internal/reporter"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// The tests of this file run the real binary as a process, in real time:
// signals, file events, users and memory are the kernel's.

var buildDir string // removed by TestMain

var buildBinary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "status-reporter-test-")
	if err != nil {
		return "", err
	}
	buildDir = dir
	binary := filepath.Join(dir, "status-reporter")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return binary, os.Chmod(dir, 0o755) // other users run it as well
})

func TestMain(m *testing.M) {
	code := m.Run()
	if buildDir != "" {
		os.RemoveAll(buildDir)
	}
	os.Exit(code)
}

// child is the binary as a process beside a server on loopback.
type child struct {
	*adapter
	server *kubetest.Server
	cmd    *exec.Cmd
}

func newChild(t *testing.T) *child {
	t.Helper()
	binary, err := buildBinary()
	if err != nil {
		t.Fatal(err)
	}
	server := kubetest.New(t)
	c := &child{server: server, cmd: exec.Command(binary)}
	c.adapter = newAdapter(newRig(t, defaultCase(t), server), nil)
	c.env["LOG_LEVEL"] = "info"
	c.cmd.Stdout, c.cmd.Stderr = c.log, c.log
	c.cmd.WaitDelay = time.Second
	return c
}

// start runs the binary and waits until it follows the adapter.
func (c *child) start() {
	c.t.Helper()
	c.exec()
	c.log.await(c.t, c.patience, func() bool { return c.log.has("following the adapter") })
}

func (c *child) exec() {
	c.t.Helper()
	for k, v := range c.env {
		c.cmd.Env = append(c.cmd.Env, k+"="+v)
	}
	c.began = time.Now()
	c.must(c.cmd.Start())
	c.t.Cleanup(func() { c.cmd.Process.Kill(); c.cmd.Wait() })
	go func() {
		var exit *exec.ExitError
		if err := c.cmd.Wait(); err != nil && !errors.As(err, &exit) {
			c.t.Error(err)
		}
		c.exit <- c.cmd.ProcessState.ExitCode()
	}()
}

func (c *child) signal(s os.Signal) {
	c.t.Helper()
	c.must(c.cmd.Process.Signal(s))
}

func (c *child) harness() *harness { return &harness{rig: c.rig, server: c.server} }

func TestProcess(t *testing.T) {
	for _, row := range []struct {
		name string
		play func(c *child)
		want contract.Outcome
		exit int
	}{
		{"result", func(c *child) { c.start(); c.rename(goodFile) }, good, 0},
		{"crash", func(c *child) { c.start(); c.harness().crash() }, crashed, 1},
		{"result, then SIGTERM", func(c *child) { c.start(); c.rename(goodFile); c.signal(syscall.SIGTERM) }, good, 0},
		{"SIGTERM twice, then a result", func(c *child) {
			c.start()
			c.signal(syscall.SIGTERM)
			c.log.await(c.t, c.patience, func() bool { return c.log.has("told to stop") })
			c.signal(syscall.SIGTERM)
			c.rename(goodFile)
		}, good, 0},
		{"SIGTERM at once, then a result", func(c *child) {
			c.exec()
			c.signal(syscall.SIGTERM) // may come before the program's first line, and then ends it
			c.rename(goodFile)
		}, good, 0},
		{"stopped (SIGSTOP) across the deadline, the result written meanwhile", func(c *child) {
			c.env["MAX_WAIT_TIME_SECONDS"], c.env["POLL_INTERVAL_SECONDS"] = "2", "1"
			c.start()
			c.signal(syscall.SIGSTOP)
			time.Sleep(2 * time.Second) // real time is the point
			c.rename(goodFile)
			c.signal(syscall.SIGCONT)
		}, good, 0},
		{"a proxy in the environment", func(c *child) {
			for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
				c.env[name] = "http://127.0.0.1:1"
			}
			c.start()
			c.rename(goodFile)
		}, good, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newChild(t)
			row.play(c)
			if row.name == "SIGTERM at once, then a result" {
				if code, _ := c.wait(); code == -1 {
					t.Skip("SIGTERM came before the program's first line")
				} else if code != 0 {
					t.Errorf("exit code %d", code)
				}
			} else {
				c.end(row.exit)
			}
			c.expect(row.want.Status, row.want.Reason, row.want.Message)
		})
	}
}

// TestUnreadableFile: an adapter of another user with umask 077, which mends
// it later. The news is the chmod's own.
func TestUnreadableFile(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to run the reporter as another user")
	}
	c := newChild(t)
	for _, dir := range []string{filepath.Dir(c.dir), c.server.ServiceAccountDir()} {
		for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
			c.must(os.Chmod(d, 0o755))
		}
	}
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	c.env["POLL_INTERVAL_SECONDS"] = "200"
	c.start()
	c.put(c.in(".tmp"), goodFile)
	c.must(os.Chmod(c.in(".tmp"), 0o600))
	c.must(os.Rename(c.in(".tmp"), c.path))
	c.must(os.Chmod(c.path, 0o644))
	if ran := c.end(reporter.ExitReported); ran > 30*time.Second {
		t.Errorf("took %s", ran)
	}
	c.expect(good.Status, good.Reason, good.Message)
}

// TestMemory: whatever the adapter does to its file, the reporter stays within
// the 32 MiB that its container has.
func TestMemory(t *testing.T) {
	c := newChild(t)
	c.harness().nativeSidecar() // so that it is still there to be measured
	c.start()
	big := `{"status":"success","details":[` + strings.Repeat(`{"a":[1,2,3]},`, contract.MaxFileSize/14-10)
	for range 100 {
		c.write(big) // half a document of a megabyte, again and again
		c.put(c.in("other"), big)
	}
	c.server.UpdatePod(namespace, podName, func(pod *corev1.Pod) {
		pod.Annotations = map[string]string{"large": strings.Repeat("x", 1<<20)}
	})
	c.write(goodFile)
	c.awaitReport()
	if most := peak(t, c.cmd.Process.Pid); most > 30<<20 {
		t.Errorf("peak memory %d bytes", most)
	}
	c.signal(syscall.SIGTERM)
	c.end(reporter.ExitReported)
}

// peak is the most memory that a process has had resident, in bytes.
func peak(t *testing.T, pid int) int {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip(err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(data)
	kib, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
