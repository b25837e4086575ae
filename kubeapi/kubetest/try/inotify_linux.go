package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// watchFile notes when path is made complete: closed after writing, or moved
// there. The file's own times are too coarse: many kernels take them from a
// clock that ticks every four milliseconds.
func watchFile(tb kubetest.TB, path string) func(before time.Time) time.Time {
	var mu sync.Mutex
	var closed []time.Time
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil {
		return modified(path)
	}
	f := os.NewFile(uintptr(fd), "inotify")
	if _, err := syscall.InotifyAddWatch(fd, filepath.Dir(path), syscall.IN_CLOSE_WRITE|syscall.IN_MOVED_TO); err != nil {
		f.Close()
		return modified(path)
	}
	tb.Cleanup(func() { f.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := f.Read(buf)
			if err != nil {
				return
			}
			now := time.Now()
			if names(buf[:n], filepath.Base(path)) {
				mu.Lock()
				closed = append(closed, now)
				mu.Unlock()
			}
		}
	}()
	return func(before time.Time) time.Time {
		mu.Lock()
		defer mu.Unlock()
		for _, t := range slices.Backward(closed) {
			if t.Before(before) {
				return t
			}
		}
		return modified(path)(before)
	}
}

// names tells whether one of the events is for the name.
func names(events []byte, name string) bool {
	for len(events) >= syscall.SizeofInotifyEvent {
		end := min(syscall.SizeofInotifyEvent+int(binary.NativeEndian.Uint32(events[12:])), len(events))
		if string(bytes.TrimRight(events[syscall.SizeofInotifyEvent:end], "\x00")) == name {
			return true
		}
		events = events[end:]
	}
	return false
}
