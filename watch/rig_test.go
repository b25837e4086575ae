package watch

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// rig is a run at work in a synctest bubble: its clock is fake, its server is in
// memory, its file is real. Inotify's reads are the kernel's, which a bubble does not
// wait for, so the file is polled.
type rig struct {
	*fakeAPI
	Config
	t       *testing.T
	log     bytes.Buffer
	lines   []string // the words to Last, and when they came
	sigterm chan os.Signal
	lookAt  func(path string) look
	ended   chan Result
	result  *Result
	at      time.Duration // when it ended
}

// runs has a run of this Pod come to rest in a bubble, and then the test.
func inBubble(t *testing.T, api *fakeAPI, test func(t *testing.T, r *rig), changes ...func(*rig)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		api.began = time.Now()
		r := &rig{t: t, fakeAPI: api, sigterm: make(chan os.Signal, 1), ended: make(chan Result, 1), lookAt: lookAt}
		r.Config = Config{
			Path: filepath.Join(dir, "r.json"), Poll: 2 * sec, Wait: 300 * sec, Variables: variables, API: api, PollOnly: true,
			Job: "adapter-job", Pod: "adapter-job-x7k2p", ConditionType: "Available",
			Log: slog.New(slog.NewTextHandler(&r.log, nil)), Last: r.last,
		}
		for _, c := range changes {
			c(r)
		}
		go func() {
			result := run(t.Context(), r.Config, r.sigterm, r.lookAt)
			r.at = r.ran()
			r.ended <- result
		}()
		synctest.Wait()
		defer func() {
			r.ends()
			if t.Failed() {
				t.Logf("the log:\n%s%s", r.log.String(), strings.Join(r.lines, "\n"))
			}
		}()
		test(t, r)
	})
}

// ends lets the run end, if it has not, in that its Pod goes and its server is well.
// What it has begun ends with it, or the bubble complains.
func (r *rig) ends() {
	if r.done() {
		return
	}
	for _, verb := range []string{"watch", "get", "cached", "job", "patch"} {
		r.fail(verb, nil)
	}
	r.set(nil)
	select {
	case r.sigterm <- os.Interrupt: // a native sidecar waits for it
	default:
	}
	select {
	case <-r.ended:
	case <-time.After(time.Hour):
		r.t.Error("it does not end with its Pod")
	}
}

// done reports whether the run has ended.
func (r *rig) done() bool {
	synctest.Wait()
	if r.result == nil {
		select {
		case result := <-r.ended:
			r.result = &result
		default:
		}
	}
	return r.result != nil
}

func (r *rig) last(level slog.Level, msg string, args ...any) {
	var words []string
	for i := 0; i+1 < len(args); i += 2 {
		words = append(words, fmt.Sprintf("%v=%v", args[i], args[i+1]))
	}
	r.lines = append(r.lines, strings.TrimSpace(fmt.Sprintf("%v %s %s %s", r.ran(), level, msg, strings.Join(words, " "))))
}

// ran is how long the rig has run.
func (r *rig) ran() time.Duration { return time.Since(r.began) }

// until lets time pass until the rig has run for d.
func (r *rig) until(d time.Duration) {
	time.Sleep(d - r.ran())
	synctest.Wait()
}

func (r *rig) write(content string) { write(r.t, r.Path, content) }

func (r *rig) stop() {
	r.sigterm <- os.Interrupt
	synctest.Wait()
}

// patches are the PATCHes so far: when, and of what.
func (r *rig) patches() (made []string) {
	synctest.Wait()
	for _, c := range r.calls("patch") {
		made = append(made, c.at.String()+" "+c.what)
	}
	return made
}

// expects checks the PATCHes so far.
func (r *rig) expects(want ...string) {
	r.t.Helper()
	if got := r.patches(); !slices.Equal(got, want) {
		r.t.Errorf("after %v: PATCHes %q, want %q", r.ran(), got, want)
	}
}

// delivers waits for the run's end, and checks its PATCHes.
func (r *rig) delivers(want ...string) {
	r.t.Helper()
	for end := r.ran() + 24*time.Hour; !r.done() && r.ran() < end; {
		time.Sleep(100 * time.Millisecond)
	}
	if r.result == nil || !r.result.Delivered {
		r.t.Errorf("the run's result is %+v", r.result)
	}
	r.expects(want...)
}

// logged counts the log's lines that hold a text.
func (r *rig) logged(text string) int {
	synctest.Wait()
	return strings.Count(r.log.String(), text)
}
