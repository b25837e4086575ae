package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// A process is a container's: what it prints comes out under its name.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	code int           // as the container runtime tells it; valid once it has ended

	started, ended time.Time // the second one valid once it has ended
}

// start runs a command in a process group of its own, so that the end of ctx
// takes its children along.
func start(ctx context.Context, name string, out *console, command, env []string) (*process, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout = &prefixed{console: out, name: name}
	cmd.Stderr = &prefixed{console: out, name: name}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // a child left behind may hold the pipes
	p := &process{cmd: cmd, done: make(chan struct{}), started: time.Now()}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.done)
		cmd.Wait() // what it returns is in the state as well
		p.ended = time.Now()
		cmd.Stdout.(*prefixed).flush()
		cmd.Stderr.(*prefixed).flush()
		p.code = exitCode(cmd.ProcessState)
	}()
	return p, nil
}

// exitCode is 128 and the signal's number for a process that was killed.
func exitCode(state *os.ProcessState) int {
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return state.ExitCode()
}

// wait waits for the process, at most until ctx ends.
func (p *process) wait(ctx context.Context) error {
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// A console keeps lines of several processes whole.
type console struct {
	mu sync.Mutex
	w  io.Writer
}

func (c *console) line(name string, text []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	line := append([]byte(name), "         "[min(len(name), 9):]...)
	line = append(append(line, "| "...), text...)
	c.w.Write(append(line, '\n'))
}

// prefixed is an io.Writer to a console, line by line.
type prefixed struct {
	*console
	name string
	rest []byte
}

func (p *prefixed) Write(b []byte) (int, error) {
	p.rest = append(p.rest, b...)
	for {
		line, rest, found := bytes.Cut(p.rest, []byte("\n"))
		if !found {
			return len(b), nil
		}
		p.line(p.name, line)
		p.rest = rest
	}
}

// flush writes a last line without end.
func (p *prefixed) flush() {
	if len(p.rest) > 0 {
		p.line(p.name, p.rest)
		p.rest = nil
	}
}
