package faults

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/internal/reporter"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
	"github.com/openshift-hyperfleet/status-reporter/test/program"
)

// The tests of this file are about a standard error and a termination message
// that cannot be written: a log line never costs the report, nor its time.

// piped is a child whose standard error is a pipe that the test reads, or not.
type piped struct {
	*program.Child
	reader, writer *os.File
}

func newPiped(t *testing.T) *piped {
	c := program.NewChild(t)
	r, w, err := os.Pipe()
	c.Must(err)
	t.Cleanup(func() { r.Close(); w.Close() })
	c.Env["LOG_LEVEL"] = "debug"
	c.Cmd.Stdout, c.Cmd.Stderr = nil, w
	return &piped{c, r, w}
}

// follow starts the binary and waits until it is beyond its first lines.
func (p *piped) follow() {
	p.T.Helper()
	p.Exec()
	p.writer.Close()
	p.Await("the Job's reading", func() bool { return len(p.Server.Requests(jobReads)) > 0 })
}

// fill leaves no byte of room in the pipe.
func (p *piped) fill() {
	p.T.Helper()
	// Opened anew, so that not to wait is this descriptor's own way.
	f, err := syscall.Open(fmt.Sprintf("/proc/self/fd/%d", p.reader.Fd()), syscall.O_WRONLY|syscall.O_NONBLOCK, 0)
	p.Must(err)
	defer syscall.Close(f)
	for size := 4096; size > 0; {
		if _, err := syscall.Write(f, []byte(strings.Repeat("\n", size))); err != nil {
			size /= 2
		}
	}
}

var jobPatches = kubetest.Match{Verb: "patch"}

func TestStandardErrorThatCannotBeWritten(t *testing.T) {
	for _, row := range []struct {
		name string
		play func(p *piped)
	}{
		{"its reader was never there", func(p *piped) { p.reader.Close(); p.follow(); p.Rename(goodFile) }},
		{"its reader goes, then SIGTERM, then a result", func(p *piped) {
			p.follow()
			p.reader.Close()
			p.Signal(syscall.SIGTERM)
			p.Rename(goodFile)
		}},
		{"its reader goes before the report", func(p *piped) { p.follow(); p.reader.Close(); p.Rename(goodFile) }},
		{"its reader goes while the report is on its way", func(p *piped) {
			p.Server.Fault(jobPatches, kubetest.Proceed().Do(func() { p.reader.Close() }))
			p.follow()
			p.Rename(goodFile)
		}},
		{"full from the start", func(p *piped) { p.fill(); p.follow(); p.Rename(goodFile) }},
		{"full later, then SIGTERM, then a result", func(p *piped) {
			p.follow()
			p.fill()
			p.Signal(syscall.SIGTERM)
			p.Rename(goodFile)
		}},
		{"full later, and the first attempt fails", func(p *piped) {
			p.Server.Fault(jobPatches, kubetest.Status(503, "", "not now"))
			p.follow()
			p.fill()
			p.Rename(goodFile)
		}},
		{"full while the report is on its way", func(p *piped) {
			p.Server.Fault(jobPatches, kubetest.Proceed().Do(p.fill))
			p.follow()
			p.Rename(goodFile)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := newPiped(t)
			row.play(p)
			if code, ran := p.Wait(); code != reporter.ExitReported || ran > 30*time.Second {
				t.Errorf("exit code %d after %s", code, ran)
			}
			p.Expect(good.Status, good.Reason, good.Message)
		})
	}
}

// What could not be written at first is, in order and whole, once somebody reads.
func TestStandardErrorThatIsReadLate(t *testing.T) {
	p := newPiped(t)
	p.Harness().NativeSidecar() // so that it is still there
	p.fill()
	p.follow()
	p.Rename(goodFile)
	p.Await("a report", func() bool { return p.Condition() != nil })
	go io.Copy(p.Log, p.reader)
	p.Log.Await(t, p.Patience, func() bool { return p.Log.Has("reported") })
	p.Signal(syscall.SIGTERM)
	p.End(reporter.ExitReported)
	var said []string
	for line := range strings.Lines(strings.TrimLeft(p.Log.String(), "\n")) {
		var record struct{ Msg string }
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Errorf("%v: %q", err, line)
		}
		said = append(said, record.Msg)
	}
	if said[0] != "started" {
		t.Errorf("the first line is not of the start: %q", said)
	}
}

// A descriptor that is not open at the start must not become that of a
// connection, where log lines would be written to.
func TestStandardStreamsThatAreNotOpen(t *testing.T) {
	for _, closed := range []string{"2>&-", "<&- >&- 2>&-"} {
		t.Run(closed, func(t *testing.T) {
			c := program.NewChild(t)
			c.Cmd = exec.Command("sh", "-c", `exec "$0" `+closed, c.Cmd.Path)
			c.Exec()
			c.Await("the Job's reading", func() bool { return len(c.Server.Requests(jobReads)) > 0 })
			for fd := range 3 {
				if name, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", c.Cmd.Process.Pid, fd)); err != nil || name != os.DevNull {
					t.Errorf("descriptor %d is %q, %v", fd, name, err)
				}
			}
			c.Rename(goodFile)
			if code, _ := c.Wait(); code != reporter.ExitReported {
				t.Errorf("exit code %d", code)
			}
			c.Expect(good.Status, good.Reason, good.Message)
		})
	}
}

// A FIFO without a reader stands for a disk that stalls.
func TestTerminationMessageThatHangs(t *testing.T) {
	for _, row := range []struct {
		name string
		play func(c *program.Child)
		exit int
		last string
	}{
		{"a result", func(c *program.Child) { c.Rename(goodFile) }, reporter.ExitReported, `"msg":"reported"`},
		{"a result, and the first attempt fails", func(c *program.Child) {
			c.Server.Fault(jobPatches, kubetest.Status(503, "", "not now"))
			c.Rename(goodFile)
		}, reporter.ExitReported, `"msg":"reported"`},
		{"a refusal", func(c *program.Child) {
			c.Server.Fault(jobPatches, kubetest.Status(422, "Invalid", "no").Forever())
			c.Rename(goodFile)
		}, reporter.ExitUndelivered, good.Message},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := program.NewChild(t)
			c.Must(os.Remove(c.Last))
			c.Must(syscall.Mkfifo(c.Last, 0o644))
			c.Rig.Start() // within the test: the binary's file has a fixed place
			row.play(c)
			c.End(row.exit)
			last, err := os.ReadFile(c.Last) // what it still waits with
			c.Must(err)
			if n := strings.Count(string(last), "\n"); n != 1 || !strings.Contains(string(last), row.last) {
				t.Errorf("termination message: %s", last)
			}
		})
	}
}

// TestLongTerminationMessage: the kubelet reads no more than 4096 bytes.
func TestLongTerminationMessage(t *testing.T) {
	program.Bubble(t, func(h *harness) {
		h.Start()
		h.Write(`{"status":"success","reason":"` + strings.Repeat("é", 128) + `","message":"` + strings.Repeat("😀", 1024) + `"}`)
		h.End(reporter.ExitReported)
		var line struct{ Msg, Message string }
		text := h.TerminationMessage()
		if err := json.Unmarshal([]byte(text), &line); err != nil || len(text) > 4096 {
			t.Fatalf("%d bytes: %v", len(text), err)
		}
		if line.Msg != "reported" || len(line.Message) < 3000 || strings.Trim(line.Message, "😀") != "" {
			t.Errorf("termination message: %s", text)
		}
	})
}
