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

// subscriptionTo is a subscription that ends with the test, descriptor and all.
func subscriptionTo(t *testing.T, path string) subscription {
	t.Helper()
	s, err := subscribe(t.Context(), path)
	must(t, err)
	t.Cleanup(func() { drain(s.events) })
	return s
}

// drain waits for the end of a subscription whose context has ended.
func drain(events <-chan fileEvent) {
	if events == nil {
		return
	}
	for range events { // what nobody has taken
	}
}

// subscribed is a subscription to what is at a path.
func subscribed(t *testing.T, path string) subscription {
	t.Helper()
	s := subscriptionTo(t, path)
	_, err := s.renew()
	must(t, err)
	return s
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

// all folds the events up to the loss of the directory: how many reads of the
// kernel's queue they take is chance. Other tells whether one was about another
// name.
func all(t *testing.T, events <-chan fileEvent, path string) (own fileEvent, other bool) {
	t.Helper()
	must(t, os.Rename(filepath.Dir(path), filepath.Dir(path)+".old"))
	for {
		ev, _ := next(t, events)
		switch {
		case ev.lost:
			return own, other
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
			events := subscribed(t, path).events
			test.do(t, path)
			if own, other := all(t, events, path); own != test.own || other != test.other {
				t.Errorf("\n got %+v, another name %v\nwant %+v, another name %v", own, other, test.own, test.other)
			}
		})
	}
}

// TestInotifyDirectoryLost: events of a directory that is not at its path any
// more would be those of another. The kernel says nothing of some losses, but
// for what it says of the directory above.
func TestInotifyDirectoryLost(t *testing.T) {
	inside := func(t *testing.T, dir string) { // somebody is, so that it is not gone when it is removed
		f, err := os.Open(dir)
		must(t, err)
		t.Cleanup(func() { f.Close() })
	}
	again := func(dir string) error { return os.MkdirAll(dir, 0o777) }
	for name, lose := range map[string]func(t *testing.T, dir string) error{
		"removed": func(t *testing.T, dir string) error { return errors.Join(os.Remove(dir), again(dir)) },
		"removed with somebody in it": func(t *testing.T, dir string) error {
			inside(t, dir)
			return errors.Join(os.Remove(dir), again(dir))
		},
		"moved": func(t *testing.T, dir string) error { return errors.Join(os.Rename(dir, dir+".old"), again(dir)) },
		"replaced": func(t *testing.T, dir string) error {
			return errors.Join(os.Mkdir(dir+".new", 0o777), syscall.Rename(dir+".new", dir))
		},
		"replaced with somebody in it": func(t *testing.T, dir string) error {
			inside(t, dir)
			return errors.Join(os.Mkdir(dir+".new", 0o777), syscall.Rename(dir+".new", dir))
		},
		"its parent moved": func(t *testing.T, dir string) error {
			parent := filepath.Dir(dir)
			return errors.Join(os.Rename(parent, parent+".old"), again(dir))
		},
		"its parent's parent moved": func(t *testing.T, dir string) error {
			above := filepath.Dir(filepath.Dir(dir))
			return errors.Join(os.Rename(above, above+".old"), again(dir))
		},
		"its parent's parent replaced by a link": func(t *testing.T, dir string) error {
			above := filepath.Dir(filepath.Dir(dir))
			return errors.Join(os.Rename(above, above+".old"), os.Symlink(above+".new", above), os.Mkdir(above+".new", 0o777), again(dir))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run", "out", "results")
			must(t, os.MkdirAll(dir, 0o777))
			s := subscribed(t, filepath.Join(dir, "r.json"))
			must(t, lose(t, dir))
			ev, _ := next(t, s.events)
			if ev.other || !ev.lost && !ev.look {
				t.Fatalf("event %+v, want reason to look", ev)
			}
			if c, _ := s.renew(); !c.content || !c.anew {
				t.Errorf("coverage %+v, want that of another directory", c)
			}
			write(t, filepath.Join(dir, "r.json"), valid)
			for ev, _ = next(t, s.events); ev.lost; ev, _ = next(t, s.events) { // by what was not read yet
				_, _ = s.renew()
				write(t, filepath.Join(dir, "r.json"), valid)
			}
			if ev.other || !ev.look && !ev.modified {
				t.Errorf("event %+v, want the file's in the new directory", ev)
			}
		})
	}
}

// A directory that is not there yet is followed once it is, however often.
func TestInotifyDirectoryAppears(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "results", "r.json")
	s := subscriptionTo(t, path)
	for range 3 {
		if c, err := s.renew(); c != (coverage{anew: c.anew}) || !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("coverage %+v, error %v; want none without a directory", c, err)
		}
		must(t, os.MkdirAll(filepath.Dir(path), 0o777))
		if ev, _ := next(t, s.events); ev != (fileEvent{lost: true}) {
			t.Fatalf("event %+v, want reason to look", ev)
		}
		if c, err := s.renew(); err != nil || c != (coverage{names: true, content: true, anew: true}) {
			t.Fatalf("coverage %+v, error %v; want all", c, err)
		}
		must(t, os.RemoveAll(filepath.Dir(filepath.Dir(path))))
		for ev, _ := next(t, s.events); !ev.lost; ev, _ = next(t, s.events) {
		}
	}
}

// What goes on beside the names that lead to the file tells nothing.
func TestInotifyAbove(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run", "out", "results")
	must(t, os.MkdirAll(dir, 0o777))
	s := subscribed(t, filepath.Join(dir, "r.json"))
	for above := filepath.Dir(dir); filepath.Base(above) != filepath.Base(filepath.Dir(t.TempDir())); above = filepath.Dir(above) {
		write(t, filepath.Join(above, "r.json"), valid)
		must(t, os.Mkdir(filepath.Join(above, "beside"), 0o777))
		must(t, os.Remove(filepath.Join(above, "r.json")))
	}
	must(t, os.Chmod(dir, 0o755))
	if ev, _ := next(t, s.events); ev != (fileEvent{look: true}) {
		t.Errorf("event %+v, want the directory's alone", ev)
	}
}

func TestInotifyEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, err := subscribe(ctx, filepath.Join(t.TempDir(), "r.json"))
	must(t, err)
	cancel()
	if ev, ok := next(t, s.events); ok {
		t.Errorf("event %+v after the end", ev)
	}
	if c, err := s.renew(); err == nil || c != (coverage{}) { // the descriptor may be another file's by now
		t.Errorf("coverage %+v, error %v after the end", c, err)
	}
}

// TestInotifyReaderGoneAway: nobody takes the events any more when the context ends.
func TestInotifyReaderGoneAway(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	path := filepath.Join(t.TempDir(), "r.json")
	write(t, path, "")
	s, err := subscribe(ctx, path)
	must(t, err)
	_, err = s.renew()
	must(t, err)
	events := s.events
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
	events := subscribed(t, path).events
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
			if want := (fileEvent{overflow: true, look: true}); ev != want {
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
			s := subscriptionTo(t, test.path)
			if c, err := s.renew(); c != (coverage{}) || !errors.Is(err, test.err) {
				t.Errorf("coverage %+v, error %v; want none, %v", c, err, test.err)
			}
		})
	}
}
