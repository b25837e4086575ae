package main

import (
	"bytes"
	"encoding/binary"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// fileMask: closed after writing, moved there, closed after reading.
const fileMask = syscall.IN_CLOSE_WRITE | syscall.IN_MOVED_TO | syscall.IN_CLOSE_NOWRITE

// watchFile notes when path is made complete and when it is read. The file's own
// times are too coarse: many kernels take them from a clock that ticks every four
// milliseconds. The function returned waits until all that has happened is noted.
func watchFile(tb kubetest.TB, path string) func() []fileEvent {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil {
		return modified(path)
	}
	f := os.NewFile(uintptr(fd), "inotify")
	if _, err := syscall.InotifyAddWatch(fd, filepath.Dir(path), fileMask); err != nil {
		f.Close()
		return modified(path)
	}
	tb.Cleanup(func() { f.Close() })
	w := &fileWatch{path: path, end: filepath.Join(filepath.Dir(path), ".end-of-history"), ended: make(chan struct{})}
	go w.follow(f)
	return w.history
}

// fileWatch keeps what inotify tells of a file.
type fileWatch struct {
	path, end string // end is a file that is written when no more is to be noted
	ended     chan struct{}
	mu        sync.Mutex
	events    []fileEvent
}

func (w *fileWatch) follow(f *os.File) {
	defer close(w.ended)
	buf := make([]byte, 4096)
	for {
		n, err := f.Read(buf)
		if err != nil {
			return
		}
		now := time.Now()
		for name, mask := range events(buf[:n]) {
			switch name {
			case filepath.Base(w.end):
				return
			case filepath.Base(w.path):
				w.mu.Lock()
				w.events = append(w.events, fileEvent{at: now, read: mask&syscall.IN_CLOSE_NOWRITE != 0})
				w.mu.Unlock()
			}
		}
	}
}

// history ends the watch.
func (w *fileWatch) history() []fileEvent {
	if os.WriteFile(w.end, nil, 0o600) == nil {
		select {
		case <-w.ended:
		case <-time.After(time.Second):
		}
		os.Remove(w.end)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.events)
}

// events yields name and mask of each event.
func events(buf []byte) iter.Seq2[string, uint32] {
	return func(yield func(string, uint32) bool) {
		for len(buf) >= syscall.SizeofInotifyEvent {
			end := min(syscall.SizeofInotifyEvent+int(binary.NativeEndian.Uint32(buf[12:])), len(buf))
			name := string(bytes.TrimRight(buf[syscall.SizeofInotifyEvent:end], "\x00"))
			if !yield(name, binary.NativeEndian.Uint32(buf[4:])) {
				return
			}
			buf = buf[end:]
		}
	}
}
