package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/internal/reporter"
	"github.com/openshift-hyperfleet/status-reporter/test/program"
)

// The tests of this file run the real binary as a process, in real time:
// signals, file events, users and memory are the kernel's.

func TestMain(m *testing.M) { os.Exit(program.Main(m)) }

func TestProcess(t *testing.T) {
	for _, row := range []struct {
		name string
		play func(c *program.Child)
		want contract.Outcome
		exit int
	}{
		{"result", func(c *program.Child) { c.Start(); c.Rename(program.GoodFile) }, program.Good, 0},
		{"crash", func(c *program.Child) { c.Start(); c.Harness().Crash() }, program.Crashed, 1},
		{"result, then SIGTERM", func(c *program.Child) { c.Start(); c.Rename(program.GoodFile); c.Signal(syscall.SIGTERM) }, program.Good, 0},
		{"SIGTERM twice, then a result", func(c *program.Child) {
			c.Start()
			c.Signal(syscall.SIGTERM)
			c.Log.Await(c.T, c.Patience, func() bool { return c.Log.Has("told to stop") })
			c.Signal(syscall.SIGTERM)
			c.Rename(program.GoodFile)
		}, program.Good, 0},
		{"SIGTERM at once, then a result", func(c *program.Child) {
			c.Exec()
			c.Signal(syscall.SIGTERM) // may come before the program's first line, and then ends it
			c.Rename(program.GoodFile)
		}, program.Good, 0},
		{"stopped (SIGSTOP) across the deadline, the result written meanwhile", func(c *program.Child) {
			c.Env["MAX_WAIT_TIME_SECONDS"], c.Env["POLL_INTERVAL_SECONDS"] = "2", "1"
			c.Start()
			c.Signal(syscall.SIGSTOP)
			time.Sleep(2 * time.Second) // real time is the point
			c.Rename(program.GoodFile)
			c.Signal(syscall.SIGCONT)
		}, program.Good, 0},
		{"a proxy in the environment", func(c *program.Child) {
			for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
				c.Env[name] = "http://127.0.0.1:1"
			}
			c.Start()
			c.Rename(program.GoodFile)
		}, program.Good, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := program.NewChild(t)
			row.play(c)
			if row.name == "SIGTERM at once, then a result" {
				if code, _ := c.Wait(); code == -1 {
					t.Skip("SIGTERM came before the program's first line")
				} else if code != 0 {
					t.Errorf("exit code %d", code)
				}
			} else {
				c.End(row.exit)
			}
			c.Expect(row.want.Status, row.want.Reason, row.want.Message)
		})
	}
}

// TestUnreadableFile: an adapter of another user with umask 077, which mends
// it later. The news is the chmod's own.
func TestUnreadableFile(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to run the reporter as another user")
	}
	c := program.NewChild(t)
	for _, dir := range []string{filepath.Dir(c.Dir), c.Server.ServiceAccountDir()} {
		for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
			c.Must(os.Chmod(d, 0o755))
		}
	}
	c.Cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	c.Env["POLL_INTERVAL_SECONDS"] = "200"
	c.Start()
	c.Put(c.In(".tmp"), program.GoodFile)
	c.Must(os.Chmod(c.In(".tmp"), 0o600))
	c.Must(os.Rename(c.In(".tmp"), c.Path))
	c.Must(os.Chmod(c.Path, 0o644))
	if ran := c.End(reporter.ExitReported); ran > 30*time.Second {
		t.Errorf("took %s", ran)
	}
	c.Expect(program.Good.Status, program.Good.Reason, program.Good.Message)
}

// TestMemory: whatever the adapter does to its file, the reporter stays within
// the 32 MiB that its container has.
func TestMemory(t *testing.T) {
	c := program.NewChild(t)
	c.Harness().NativeSidecar() // so that it is still there to be measured
	c.Start()
	big := `{"status":"success","details":[` + strings.Repeat(`{"a":[1,2,3]},`, contract.MaxFileSize/14-10)
	for range 100 {
		c.Write(big) // half a document of a megabyte, again and again
		c.Put(c.In("other"), big)
	}
	c.Server.UpdatePod(program.Namespace, program.PodName, func(pod *corev1.Pod) {
		pod.Annotations = map[string]string{"large": strings.Repeat("x", 1<<20)}
	})
	c.Write(program.GoodFile)
	c.AwaitReport()
	if most := peak(t, c.Cmd.Process.Pid); most > 30<<20 {
		t.Errorf("peak memory %d bytes", most)
	}
	c.Signal(syscall.SIGTERM)
	c.End(reporter.ExitReported)
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

// TestCommandsHeedSignals while they wait for standard input.
func TestCommandsHeedSignals(t *testing.T) {
	binary, err := program.Build()
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
