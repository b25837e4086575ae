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
	t.Cleanup(func() { drain(o.events) })
	poll := func() look {
		t.Helper()
		o.look(t.Context(), true, 1, time.Now(), patience)
		f := <-o.found
		o.done(f)
		return f.look
	}
	// Without descriptors nothing can be opened: that may pass, for looks as well.
	withDescriptors(t, 0, func() {
		if l := poll(); l.kind != fileNotYet || l.err.Error() != "not readable: too many open files" || !l.blind() {
			t.Errorf("look: kind %d, error %v; want to be told later", l.kind, l.err)
		}
	})
	if o.events != nil || !strings.Contains(log.String(), "too many open files") {
		t.Fatalf("events %v; want none for lack of descriptors:\n%s", o.events, &log)
	}

	// The last of them are left for what is more important.
	must(t, os.Mkdir(filepath.Dir(path), 0o777))
	write(t, path, valid)
	withDescriptors(t, spareDescriptors, func() {
		if l := poll(); l.kind != fileValid || o.events != nil {
			t.Errorf("look: kind %d, error %v, events %v; want the result, and no events", l.kind, l.err, o.events)
		}
	})
	must(t, os.RemoveAll(filepath.Dir(path)))

	log.Reset()
	for range 3 {
		poll()
	}
	if n := strings.Count(log.String(), "\n"); o.events == nil || n != 1 || !strings.Contains(log.String(), "no such file or directory") {
		t.Fatalf("events %v and %d log lines; want one:\n%s", o.events, n, &log)
	}
	must(t, os.Mkdir(filepath.Dir(path), 0o777))
	events := o.events
	poll()
	if o.events != events || !o.eventful() {
		t.Fatalf("events %v, then %v, eventful %v; want one subscription that tells all", events, o.events, o.eventful())
	}
}

// withDescriptors has all descriptors but so many be in use.
func withDescriptors(t *testing.T, left int, f func()) {
	t.Helper()
	const gaps = 64 // at most, among those that are open
	var filled []int
	for range gaps + left {
		fd, err := syscall.Dup(0)
		must(t, err)
		filled = append(filled, fd)
	}
	closeAll := func(fds []int) {
		for _, fd := range fds {
			must(t, syscall.Close(fd))
		}
	}
	defer closeAll(filled[:gaps])
	closeAll(filled[gaps:])
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	lower := limit
	lower.Cur = uint64(filled[gaps-1] + 1 + left)
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lower))
	defer func() { must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)) }()
	f()
}

// follower has a fileObserver at work as the loop has.
type follower struct {
	t    *testing.T
	seen chan sight
}

// sight is what is known after a look.
type sight struct {
	look
	writing, eventful bool
}

// follow observes a path, in real time: it is the kernel that tells.
func follow(t *testing.T, path string, poll time.Duration) *follower {
	t.Helper()
	f := &follower{t, make(chan sight, 1000)}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.run(ctx, newFileObserver(path, false, slog.New(slog.DiscardHandler)), poll)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	f.next() // it has subscribed and looked
	return f
}

func (f *follower) run(ctx context.Context, o *fileObserver, poll time.Duration) {
	defer func() {
		if !o.looking.IsZero() {
			o.done(<-o.found)
		}
		drain(o.sub.events)
	}()
	for ctx.Err() == nil {
		now := time.Now()
		o.poll(now, poll)
		o.look(ctx, false, 1, now, patience)
		timer := time.NewTimer(soonest(now, o.nextPoll(poll), o.wake(false, patience)).Sub(now))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case ev, ok := <-o.events:
			o.take(ev, ok)
		case l := <-o.found:
			o.done(l)
			f.seen <- sight{l.look, o.writing, o.eventful()}
		}
	}
}

func (f *follower) next() sight {
	f.t.Helper()
	select {
	case s := <-f.seen:
		return s
	case <-time.After(patience):
		f.t.Fatal("no look is made")
		return sight{}
	}
}

// until waits for a look that finds this.
func (f *follower) until(kind fileKind) sight {
	f.t.Helper()
	for {
		if s := f.next(); s.kind == kind {
			return s
		}
	}
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
		{"under a hard link's other name", func(t *testing.T, path string) {
			other := filepath.Join(filepath.Dir(filepath.Dir(path)), "other")
			write(t, other, "")
			must(t, os.Link(other, path))
		}, func(t *testing.T, path string) {
			write(t, filepath.Join(filepath.Dir(filepath.Dir(path)), "other"), valid)
		}},
		{"under the other name of a hard link in its place", nil, func(t *testing.T, path string) {
			other := filepath.Join(filepath.Dir(filepath.Dir(path)), "other")
			write(t, other, "")
			must(t, os.Link(other, path))
			write(t, other, valid)
		}},
		{"in a new directory", nil, func(t *testing.T, path string) {
			dir := filepath.Dir(path)
			must(t, os.Mkdir(dir+".new", 0o777))
			must(t, syscall.Rename(dir+".new", dir))
			rename(t, path)
		}},
		{"in a directory made anew while somebody is in it", nil, func(t *testing.T, path string) {
			f, err := os.Open(filepath.Dir(path))
			must(t, err)
			t.Cleanup(func() { f.Close() })
			must(t, os.Remove(filepath.Dir(path)))
			must(t, os.Mkdir(filepath.Dir(path), 0o777))
			write(t, path, valid)
		}},
		{"in a directory whose parent was renamed", nil, func(t *testing.T, path string) {
			parent := filepath.Dir(filepath.Dir(path))
			must(t, os.Rename(parent, parent+".old"))
			must(t, os.MkdirAll(filepath.Dir(path), 0o777))
			write(t, path, valid)
		}},
		{"in a directory that appears", func(t *testing.T, path string) { must(t, os.Remove(filepath.Dir(path))) }, func(t *testing.T, path string) {
			must(t, os.Mkdir(filepath.Dir(path), 0o777))
			write(t, path, valid)
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "parent", "results", "r.json")
			must(t, os.MkdirAll(filepath.Dir(path), 0o777))
			if test.before != nil {
				test.before(t, path)
			}
			f := follow(t, path, time.Hour)
			test.do(t, path)
			f.until(fileValid)
		})
	}
}

// TestInotifyWrittenAndKeptOpen: the poll finds what is complete though nobody
// has closed it.
func TestInotifyWrittenAndKeptOpen(t *testing.T) {
	const poll = 200 * time.Millisecond // real time: between two writes
	path := filepath.Join(t.TempDir(), "r.json")
	write(t, path, valid[:10])
	f := follow(t, path, poll)
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	defer w.Close()
	_, err = w.WriteString(valid[10:])
	must(t, err)
	began := time.Now()
	f.until(fileValid)
	if d := time.Since(began); d > eventfulPoll*poll*3/4 {
		t.Errorf("seen after %v, want %v", d, poll)
	}
}

// TestInotifyDirectoryComes: the poll finds the directory, and then events tell.
func TestInotifyDirectoryComes(t *testing.T) {
	const poll = time.Second // real time: none is due between changes
	path := filepath.Join(t.TempDir(), "results", "r.json")
	f := follow(t, path, poll)
	must(t, os.Mkdir(filepath.Dir(path), 0o777))
	write(t, path, "{")
	f.until(fileInvalid)
	const changes = 6
	began := time.Now()
	for range changes {
		must(t, os.Chmod(path, 0o600))
		f.next()
	}
	if d := time.Since(began); d > changes*poll/2 {
		t.Errorf("%d changes were seen in %v: by polls", changes, d)
	}
}

// TestInotifyWriterUnseen: of an open file that was there before its events
// nobody tells who writes it.
func TestInotifyWriterUnseen(t *testing.T) {
	open := func(t *testing.T, path string) *os.File {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o666)
		must(t, err)
		_, err = f.WriteString(valid[:10])
		must(t, err)
		t.Cleanup(func() { f.Close() })
		return f
	}
	for name, test := range map[string]func(t *testing.T, path string) (*follower, *os.File){
		"there before": func(t *testing.T, path string) (*follower, *os.File) {
			w := open(t, path)
			return follow(t, path, time.Hour), w
		},
		"a hard link, opened under its other name": func(t *testing.T, path string) (*follower, *os.File) {
			other := filepath.Join(t.TempDir(), "other")
			w := open(t, other)
			must(t, os.Link(other, path))
			return follow(t, path, time.Hour), w
		},
		"in a directory that is moved here": func(t *testing.T, path string) (*follower, *os.File) {
			f, dir := follow(t, path, time.Hour), filepath.Dir(path)
			must(t, os.Rename(dir, dir+".old"))
			f.until(fileAbsent)
			must(t, os.Mkdir(dir+".new", 0o777))
			w := open(t, filepath.Join(dir+".new", filepath.Base(path)))
			must(t, os.Rename(dir+".new", dir))
			return f, w
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "results", "r.json")
			must(t, os.Mkdir(filepath.Dir(path), 0o777))
			f, w := test(t, path)
			must(t, os.Chmod(path, 0o600)) // for a look
			if s := f.until(fileInvalid); !s.writing {
				t.Error("half a file is believed to have no writer")
			}
			must(t, w.Close())
			for f.until(fileInvalid).writing {
			}
			must(t, os.Chmod(path, 0o644))
			if s := f.until(fileInvalid); s.writing {
				t.Error("the file is closed, but is believed to have a writer")
			}
		})
	}
}
