package program

import (
	"os/exec"
	"time"
)

// exec runs the reporter by the rig's command. The process gets the rig's signals.
func (r *Rig) exec() {
	r.T.Helper()
	cmd := exec.Command(r.Command[0], r.Command[1:]...)
	for k, v := range r.Env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = r.Log, r.Log, time.Second
	if err := cmd.Start(); err != nil {
		r.T.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cmd.Wait() // its error is the exit code
		r.Exit <- cmd.ProcessState.ExitCode()
		r.Log.Write(nil)
	}()
	go func() {
		for {
			select {
			case s := <-r.Signals:
				cmd.Process.Signal(s)
			case <-ended:
				return
			}
		}
	}()
	r.T.Cleanup(func() { cmd.Process.Kill(); <-ended })
}
