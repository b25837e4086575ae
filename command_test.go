package main

import (
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// TestCommandsHeedSignals while they wait for standard input.
func TestCommandsHeedSignals(t *testing.T) {
	binary, err := buildBinary()
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"validate", "-"}, {"write", "-status", "success", "-path", t.TempDir() + "/r", "-message-file", "-"}} {
		cmd := exec.Command(binary, args...)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// What the pipe does not hold has been read: the command is past its start.
		if _, err := in.Write(make([]byte, 100<<10)); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		late := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
		cmd.Wait()
		late.Stop()
		if s := cmd.ProcessState.Sys().(syscall.WaitStatus); s.Signal() != syscall.SIGTERM {
			t.Errorf("%v ended with %v", args, cmd.ProcessState)
		}
	}
}
