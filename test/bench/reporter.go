package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	quiet       = 20 * time.Millisecond // without a request: the reporter is at rest
	startWithin = 10 * time.Second
	endWithin   = 10 * time.Second
)

// subject is a binary that is measured.
type subject struct {
	name, path string
	kind       kind
}

type kind int

const (
	floorName     = "floor"
	againstPrefix = "against: "
)

const (
	own     kind = iota
	another      // reporter: it may poll
	floor        // the least that a program can do in the reporter's place
)

// addSubject takes a copy, which every user can execute and no build replaces.
func (b *bench) addSubject(path string, k kind) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	s := subject{filepath.Base(path), filepath.Join(b.dir, fmt.Sprint("reporter-", len(b.subjects))), k}
	if k == another {
		s.name = againstPrefix + s.name
	}
	out, err := os.OpenFile(s.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err = io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	b.subjects = append(b.subjects, s)
	b.table.Subjects = append(b.table.Subjects, s.name)
	return out.Close()
}

// reporter is a running one, with its Job, its Pod and its directory.
type reporter struct {
	*job
	name      string
	cmd       *exec.Cmd
	dir       string
	began     time.Time     // just before exec
	triggered time.Time     // just before its adapter did what is to be reported
	ended     chan struct{} // closed when the process has ended
}

func (r *reporter) results() string { return filepath.Join(r.dir, "adapter-result.json") }

// start starts a reporter whose adapter runs. The end of ctx kills it.
func (b *bench) start(ctx context.Context, s subject) (*reporter, error) {
	j, err := b.server.createJob("job-" + strconv.Itoa(b.started+1))
	if err != nil {
		return nil, err
	}
	return b.startWith(ctx, s, j)
}

// startWith starts a reporter for a Job that is there.
func (b *bench) startWith(ctx context.Context, s subject, j *job) (*reporter, error) {
	b.started++
	name := j.object.Name
	r := &reporter{job: j, name: name, dir: filepath.Join(b.dir, fmt.Sprint("results-", b.started)), ended: make(chan struct{})}
	if err := os.Mkdir(r.dir, 0o755); err != nil {
		return nil, err
	}
	out, err := os.Create(filepath.Join(r.dir, "log"))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	r.cmd = exec.CommandContext(ctx, s.path)
	r.cmd.Stderr, r.cmd.Stdout = out, out
	r.cmd.SysProcAttr = anotherUser(b.started)
	r.cmd.Env = slices.Concat(os.Environ(), b.server.environ(), []string{
		"GOMAXPROCS=1", // as in the images
		"JOB_NAME=" + name, "POD_NAME=" + name + podSuffix,
		"RESULTS_PATH=" + r.results(), "MAX_WAIT_TIME_SECONDS=1200",
	})
	r.began = time.Now()
	if err = r.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		r.cmd.Wait() // what it returns is in the state as well
		close(r.ended)
	}()
	return r, nil
}

// ready waits until the reporter has made its first requests and is at rest.
// One that makes none before it has something to report is at rest after a second.
func (b *bench) ready(ctx context.Context, r *reporter) error {
	for began := time.Now(); time.Since(began) < startWithin; {
		b.server.mu.Lock()
		first, last := r.first, r.last
		b.server.mu.Unlock()
		if first.IsZero() && time.Since(began) > time.Second || !last.IsZero() && time.Since(last) > quiet {
			return nil
		}
		select {
		case <-time.After(quiet / 10):
		case <-r.ended:
			return b.problem(r, "ended at the start")
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return b.problem(r, "is not at rest")
}

// writeResult is an adapter that has succeeded.
func (b *bench) writeResult(r *reporter) error {
	f, err := os.Create(r.results())
	if err != nil {
		return err
	}
	_, err = f.WriteString(`{"status":"success","reason":"AllChecksPassed","message":"All 12 checks passed","details":{"checks":12}}`)
	r.triggered = time.Now()
	return errors.Join(err, f.Close())
}

// crashed is an adapter that has failed without a result.
func (b *bench) crashed(r *reporter) error {
	r.triggered = b.server.crash(r.job)
	return nil
}

// delivered waits for the report and for the reporter's end.
func (b *bench) delivered(ctx context.Context, r *reporter, within time.Duration) error {
	timeout := time.After(within)
	select {
	case <-r.done:
	case <-timeout:
		return b.problem(r, "reports nothing")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-r.ended:
	case <-time.After(endWithin): // another reporter may stay
		r.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-r.ended:
		case <-time.After(endWithin):
			return b.problem(r, "does not end")
		}
	}
	return nil
}

// latencyOf is the time from the trigger to the arrival of the report, in milliseconds.
func (b *bench) latencyOf(r *reporter) float64 {
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	return milliseconds(r.reported.Sub(r.triggered))
}

func milliseconds(d time.Duration) float64 { return float64(d) / 1e6 }

// problem is an error with the end of the reporter's log.
func (b *bench) problem(r *reporter, what string) error {
	data, _ := os.ReadFile(filepath.Join(r.dir, "log"))
	return fmt.Errorf("%s of %s %s; its log ends with\n%s", r.cmd.Path, r.name, what, data[max(0, len(data)-2000):])
}

// memory is a process' resident memory in bytes.
type memory struct{ anonymous, file, proportional float64 }

// memoryOf reads /proc; where there is none, it is all zero.
func memoryOf(pid int) (m memory) {
	for file, fields := range map[string]map[string]*float64{
		"status":       {"RssAnon:": &m.anonymous, "RssFile:": &m.file},
		"smaps_rollup": {"Pss:": &m.proportional},
	} {
		data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
		for line := range strings.Lines(string(data)) {
			words := strings.Fields(line)
			if len(words) > 1 && fields[words[0]] != nil {
				kilobytes, _ := strconv.ParseFloat(words[1], 64)
				*fields[words[0]] = kilobytes * 1024
			}
		}
	}
	return m
}

// cpu is the CPU time of a process that has ended, in milliseconds.
func cpu(r *reporter) float64 {
	return milliseconds(r.cmd.ProcessState.UserTime() + r.cmd.ProcessState.SystemTime())
}
