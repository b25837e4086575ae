package watch

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// These tests take real time, though hardly any: the kernel's events do not
// come in a synctest bubble.

// subscribed is a subscription to the directory of a path.
func subscribed(t *testing.T, path string) <-chan fileEvent {
	t.Helper()
	events, err := subscribe(t.Context(), path)
	must(t, err)
	return events
}

func next(t *testing.T, events <-chan fileEvent) (ev fileEvent, ok bool) {
	t.Helper()
	select {
	case ev, ok = <-events:
		return ev, ok
	case <-time.After(patience):
		t.Fatal("no event comes")
		return ev, ok
	}
}

// all folds the events of a subscription up to its end, which comes with the
// loss of the directory: how many reads of the kernel's queue they take is
// chance. Other tells whether one was about another name.
func all(t *testing.T, events <-chan fileEvent, path string) (own fileEvent, other bool) {
	t.Helper()
	must(t, os.Rename(filepath.Dir(path), filepath.Dir(path)+".old"))
	for {
		ev, ok := next(t, events)
		switch {
		case !ok:
			return own, other
		case ev.lost:
		case ev.other:
			other = true
		case ev.closed:
			own = ev
		default:
			own.modified, own.created, own.look = own.modified || ev.modified, own.created || ev.created, own.look || ev.look
		}
	}
}

func TestInotify(t *testing.T) {
	closed := fileEvent{closed: true, look: true}
	created := fileEvent{created: true, look: true}
	exists := func(t *testing.T, path string) { write(t, path, valid) }
	tests := []struct {
		name   string
		before func(t *testing.T, path string)
		do     func(t *testing.T, path string)
		own    fileEvent
		other  bool
	}{
		{"written", nil, exists, closed, false},
		{"touched", nil, func(t *testing.T, path string) { write(t, path, "") }, closed, false},
		{"written over", exists, exists, closed, false},
		{"held open", nil, func(t *testing.T, path string) {
			f, err := os.Create(path)
			must(t, err)
			t.Cleanup(func() { f.Close() })
			_, err = f.WriteString("{")
			must(t, err)
		}, fileEvent{created: true, look: true, modified: true}, false},
		{"held open again", exists, func(t *testing.T, path string) {
			write(t, path, valid)
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
			must(t, err)
			t.Cleanup(func() { f.Close() })
			_, err = f.WriteString("{")
			must(t, err)
		}, fileEvent{closed: true, look: true, modified: true}, false},
		{"renamed to", func(t *testing.T, path string) { write(t, path+".tmp", valid) }, func(t *testing.T, path string) {
			must(t, os.Rename(path+".tmp", path))
		}, closed, true},
		{"moved here", func(t *testing.T, path string) { write(t, filepath.Dir(path)+".tmp", valid) }, func(t *testing.T, path string) {
			must(t, os.Rename(filepath.Dir(path)+".tmp", path))
		}, closed, false},
		{"renamed away", exists, func(t *testing.T, path string) { must(t, os.Rename(path, filepath.Dir(path)+".away")) }, closed, false},
		{"removed", exists, func(t *testing.T, path string) { must(t, os.Remove(path)) }, closed, false},
		{"made readable", exists, func(t *testing.T, path string) { must(t, os.Chmod(path, 0o600)) }, fileEvent{look: true}, false},
		{"read", exists, func(t *testing.T, path string) { lookAt(path) }, fileEvent{}, false},
		{"linked", nil, func(t *testing.T, path string) { must(t, os.Symlink("x", path)) }, created, false},
		{"hard-linked", func(t *testing.T, path string) { write(t, filepath.Dir(path)+".tmp", valid) }, func(t *testing.T, path string) {
			must(t, os.Link(filepath.Dir(path)+".tmp", path))
		}, created, false},
		{"a FIFO", nil, func(t *testing.T, path string) { must(t, syscall.Mkfifo(path, 0o666)) }, created, false},
		{"another file is written over", func(t *testing.T, path string) { write(t, path+".1", valid) }, func(t *testing.T, path string) {
			write(t, path+".1", valid)
		}, fileEvent{}, true},
		{"a name that begins like it", func(t *testing.T, path string) { write(t, path[:len(path)-1], valid) }, func(t *testing.T, path string) {
			must(t, os.Chmod(path[:len(path)-1], 0o600))
		}, fileEvent{}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "results", "r.json")
			must(t, os.Mkdir(filepath.Dir(path), 0o777))
			if test.before != nil {
				test.before(t, path)
			}
			events := subscribed(t, path)
			test.do(t, path)
			if own, other := all(t, events, path); own != test.own || other != test.other {
				t.Errorf("\n got %+v, another name %v\nwant %+v, another name %v", own, other, test.own, test.other)
			}
		})
	}
}

// TestInotifyDirectoryLost: events of a directory that is not at its path any
// more would be those of another.
func TestInotifyDirectoryLost(t *testing.T) {
	for name, lose := range map[string]func(dir string) error{
		"removed": os.Remove,
		"moved":   func(dir string) error { return os.Rename(dir, dir+".old") },
		"replaced": func(dir string) error {
			return errors.Join(os.Mkdir(dir+".new", 0o777), syscall.Rename(dir+".new", dir))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "results")
			must(t, os.Mkdir(dir, 0o777))
			events := subscribed(t, filepath.Join(dir, "r.json"))
			must(t, lose(dir))
			ev, _ := next(t, events)
			for ev.other { // its attributes change as well
				ev, _ = next(t, events)
			}
			if ev != (fileEvent{lost: true}) {
				t.Errorf("event %+v, want the loss", ev)
			}
			if ev, ok := next(t, events); ok {
				t.Errorf("event %+v after the loss", ev)
			}
		})
	}
}

func TestInotifyEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	events, err := subscribe(ctx, filepath.Join(t.TempDir(), "r.json"))
	must(t, err)
	cancel()
	if ev, ok := next(t, events); ok {
		t.Errorf("event %+v after the end", ev)
	}
}

// TestInotifyReaderGoneAway: nobody takes the events any more when the context ends.
func TestInotifyReaderGoneAway(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	path := filepath.Join(t.TempDir(), "r.json")
	write(t, path, "")
	events, err := subscribe(ctx, path)
	must(t, err)
	for began := time.Now(); len(events) < cap(events); {
		must(t, os.Chmod(path, 0o600))
		if time.Since(began) > patience {
			t.Fatal("the events do not come")
		}
	}
	must(t, os.Chmod(path, 0o600))
	cancel()
	stacks := make([]byte, 1<<20)
	for began := time.Now(); strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), "watch.subscribe."); runtime.Gosched() {
		if time.Since(began) > patience {
			t.Fatalf("a goroutine is left behind:\n%s", stacks)
		}
	}
}

// An overflow may have swallowed anything.
func TestInotifyOverflow(t *testing.T) {
	text, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	must(t, err)
	most, err := strconv.Atoi(strings.TrimSpace(string(text)))
	must(t, err)
	if most > 1<<17 {
		t.Skipf("the queue holds %d events", most)
	}
	path := filepath.Join(t.TempDir(), "r.json")
	write(t, path+".1", "")
	write(t, path+".2", "")
	events := subscribed(t, path)
	for range most { // two events each, which the kernel does not merge; the reader holds up to 64 folded reads more
		must(t, os.Chmod(path+".1", 0o600))
		must(t, os.Truncate(path+".2", 1))
	}
	for {
		ev, ok := next(t, events)
		if !ok {
			t.Fatal("the events end")
		}
		if !ev.other {
			if want := (fileEvent{closed: true, look: true}); ev != want {
				t.Errorf("overflow: %+v, want %+v", ev, want)
			}
			return
		}
	}
}

func TestInotifyRefused(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "")
	for name, test := range map[string]struct {
		path string
		err  error
	}{
		"no directory":                    {filepath.Join(dir, "none", "r.json"), fs.ErrNotExist},
		"a file in the directory's place": {filepath.Join(dir, "file", "r.json"), syscall.ENOTDIR},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := subscribe(t.Context(), test.path); !errors.Is(err, test.err) {
				t.Errorf("error %v, want %v", err, test.err)
			}
		})
	}
}
