package watch

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSubscribeAgain: where it cannot be done now it is done later.
func TestSubscribeAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results", "r.json")
	var log strings.Builder
	o := newFileObserver(path, false, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	poll := func() look {
		t.Helper()
		o.look(t.Context(), true, 1, time.Now(), patience)
		f := <-o.found
		o.done(f)
		return f.look
	}
	for range 3 {
		poll()
	}
	if n := strings.Count(log.String(), "\n"); o.events != nil || n != 1 {
		t.Fatalf("events %v and %d log lines; want none and one:\n%s", o.events, n, &log)
	}
	must(t, os.Mkdir(filepath.Dir(path), 0o777))

	// Without descriptors nothing can be opened: that may pass, for looks as well.
	withoutDescriptors(t, func() {
		if l := poll(); l.kind != fileNotYet || l.err.Error() != "not readable: too many open files" {
			t.Errorf("look: kind %d, error %v; want to be told later", l.kind, l.err)
		}
	})
	if o.events != nil || !strings.Contains(log.String(), "too many open files") {
		t.Fatalf("events %v; want none for lack of descriptors:\n%s", o.events, &log)
	}

	poll()
	events := o.events
	poll()
	if events == nil || o.events != events {
		t.Fatalf("events %v, then %v; want one subscription", events, o.events)
	}
	write(t, path, valid)
	if ev, _ := next(t, events); !ev.look || ev.other {
		t.Errorf("event %+v, want the file's", ev)
	}

	must(t, os.Rename(filepath.Dir(path), filepath.Dir(path)+".old"))
	must(t, os.Mkdir(filepath.Dir(path), 0o777))
	for ok := true; ok; {
		var ev fileEvent
		ev, ok = next(t, events)
		o.take(ev, ok)
	}
	if o.events != nil || !o.want {
		t.Errorf("events %v, look wanted %v; want none, and a look that subscribes", o.events, o.want)
	}
	if poll(); o.events == nil || o.events == events {
		t.Errorf("events %v (before: %v); want a new subscription", o.events, events)
	}
}

// withoutDescriptors has every descriptor be in use.
func withoutDescriptors(t *testing.T, f func()) {
	t.Helper()
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	free, err := syscall.Dup(0)
	must(t, err)
	must(t, syscall.Close(free))
	none := limit
	none.Cur = uint64(free)
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none))
	defer func() { must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)) }()
	f()
}

// TestInotifyObserver has the kernel's events alone find a result: no poll is
// due for an hour.
func TestInotifyObserver(t *testing.T) {
	rename := func(t *testing.T, path string) {
		write(t, path+".tmp", valid)
		must(t, os.Rename(path+".tmp", path))
	}
	tests := []struct {
		name   string
		before func(t *testing.T, path string)
		do     func(t *testing.T, path string)
	}{
		{"written", nil, func(t *testing.T, path string) { write(t, path, valid) }},
		{"renamed to", nil, rename},
		{"in pieces", nil, func(t *testing.T, path string) {
			write(t, path, valid[:10])
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			must(t, err)
			_, err = f.WriteString(valid[10:])
			must(t, errors.Join(err, f.Close()))
		}},
		{"by a link's target", func(t *testing.T, path string) { must(t, os.Symlink("target", path)) }, func(t *testing.T, path string) {
			write(t, filepath.Join(filepath.Dir(path), "target"), valid)
		}},
		{"in a new directory", nil, func(t *testing.T, path string) {
			dir := filepath.Dir(path)
			must(t, os.Mkdir(dir+".new", 0o777))
			must(t, syscall.Rename(dir+".new", dir))
			rename(t, path)
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "results", "r.json")
			must(t, os.Mkdir(filepath.Dir(path), 0o777))
			if test.before != nil {
				test.before(t, path)
			}
			f := newFakePods(pod())
			opened, ended := make(chan struct{}), make(chan struct{})
			ctx, cancel := context.WithCancel(t.Context())
			o := New(Config{
				Path: path, Poll: time.Hour, Wait: 2 * time.Hour, Variables: variables, Pods: f,
				Log: slog.New(slog.DiscardHandler), Opened: func() { close(opened) }, Stopping: func(time.Time) {},
			})
			go func() { defer close(ended); o.Run(ctx) }()
			<-opened
			o.LookAgain(ctx) // it has subscribed and looked
			test.do(t, path)
			select {
			case <-o.Changed():
				if v, ok := o.Verdict(); !ok || !v.Own {
					t.Errorf("verdict %+v, want the result", v)
				}
			case <-time.After(patience):
				t.Error("the result is not seen")
			}
			cancel()
			<-ended
		})
	}
}

// TestInotifyDirectoryAppears: the first poll after it has come subscribes.
func TestInotifyDirectoryAppears(t *testing.T) {
	const poll = time.Second
	path := filepath.Join(t.TempDir(), "results", "r.json")
	looked := make(chan bool, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	o := New(Config{
		Path: path, Poll: poll, Wait: time.Hour, Variables: variables, Pods: newFakePods(pod()),
		Log: slog.New(slog.DiscardHandler), Opened: func() {}, Stopping: func(time.Time) {},
	})
	o.lookAt = func(path string) look {
		_, err := os.Stat(filepath.Dir(path))
		looked <- err == nil
		return absent
	}
	go func() { defer close(ended); o.Run(ctx) }()
	<-looked
	must(t, os.Mkdir(filepath.Dir(path), 0o777))
	write(t, path, "")
	for !<-looked {
	}
	const changes = 6
	began := time.Now()
	for range changes { // each is seen at once, not at a poll
		must(t, os.Chmod(path, 0o600))
		<-looked
	}
	if d := time.Since(began); d > changes*poll/2 {
		t.Errorf("%d changes were seen in %v: by polls", changes, d)
	}
	cancel()
	<-ended
}
