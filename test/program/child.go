package program

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

var buildDir string // removed by Main

// Build builds the program, once, and returns the binary's path.
var Build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "status-reporter-test-")
	if err != nil {
		return "", err
	}
	buildDir = dir
	binary := filepath.Join(dir, "status-reporter")
	build := exec.Command("go", "build", "-o", binary, "github.com/openshift-hyperfleet/status-reporter")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return binary, os.Chmod(dir, 0o755) // other users run it as well
})

// Main runs the tests of a package that plays children, and removes their binary.
func Main(m *testing.M) int {
	code := m.Run()
	if buildDir != "" {
		os.RemoveAll(buildDir)
	}
	return code
}

// Child is the binary as a process beside a server on loopback, in real time. Its methods
// are for the test's goroutine; one that is left at the test's end is killed.
type Child struct {
	*Adapter
	Server *kubetest.Server
	Cmd    *exec.Cmd
}

// NewChild makes a child with a Job and a Pod of its own, not started yet.
func NewChild(t testing.TB) *Child {
	t.Helper()
	binary, err := Build()
	if err != nil {
		t.Fatal(err)
	}
	server := kubetest.New(t)
	c := &Child{Server: server, Cmd: exec.Command(binary)}
	c.Adapter = NewAdapter(NewRig(t, DefaultCase(t), server), nil)
	c.Env["LOG_LEVEL"] = "info"
	c.Cmd.Stdout, c.Cmd.Stderr = c.Log, c.Log
	c.Cmd.WaitDelay = time.Second
	return c
}

// Start runs the binary and waits until it follows the adapter.
func (c *Child) Start() {
	c.T.Helper()
	c.Exec()
	c.Log.Await(c.T, c.Patience, func() bool { return c.Log.Has("following the adapter") })
}

// Exec runs the binary.
func (c *Child) Exec() {
	c.T.Helper()
	for k, v := range c.Env {
		c.Cmd.Env = append(c.Cmd.Env, k+"="+v)
	}
	c.Began = time.Now()
	c.Must(c.Cmd.Start())
	c.T.Cleanup(func() { c.Cmd.Process.Kill(); c.Cmd.Wait() })
	go func() {
		var exit *exec.ExitError
		if err := c.Cmd.Wait(); err != nil && !errors.As(err, &exit) {
			c.T.Error(err)
		}
		c.Exit <- c.Cmd.ProcessState.ExitCode()
	}()
}

// Signal sends it a signal.
func (c *Child) Signal(s os.Signal) {
	c.T.Helper()
	c.Must(c.Cmd.Process.Signal(s))
}

// Harness is for what the harness does to Pods.
func (c *Child) Harness() *Harness { return &Harness{Rig: c.Rig, Server: c.Server} }
