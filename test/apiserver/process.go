package apiserver

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// process is one binary of the control plane. It runs until it is stopped, at the
// latest with this process; one that ends by itself fails whoever awaits it, with the
// end of its log.
type process struct {
	cmd    *exec.Cmd
	log    string        // the file that it writes to
	exited chan struct{} // closed when it has
}

func startProcess(file, log string, args []string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p := &process{cmd: exec.Command(file, args...), log: log, exited: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = endWithParent()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.exited)
		p.cmd.Wait()
	}()
	return p, nil
}

// await waits until check succeeds.
func (p *process) await(timeout time.Duration, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("%s has ended; its log:\n%s", filepath.Base(p.cmd.Path), p.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready after %s: %w; its log:\n%s", filepath.Base(p.cmd.Path), timeout, err, p.tail())
		case <-time.After(pollPause):
		}
	}
}

// stop ends the process in good order, or by force where it takes too long.
func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(stopTimeout):
		p.kill()
	}
}

func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.exited
}

// tail is the end of the log.
func (p *process) tail() string {
	const most = 4096
	data, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-most):])
}
