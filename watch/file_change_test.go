package watch

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

// A change that the size does not show is a change as well.
func TestLookVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.json")
	past := time.Now().Add(-time.Hour)
	put := func(content string) {
		write(t, path, content)
		must(t, os.Chtimes(path, past, past))
	}
	big := strings.Repeat("x", contract.MaxFileSize+1)
	tests := []struct {
		name   string
		change func()
		from   string
		same   bool
	}{
		{"nothing", func() {}, "{", true},
		{"written anew with the same, at the same time", func() { put("{") }, "{", true},
		{"content of the same size and time", func() { put("[") }, "{", false},
		{"touched", func() { must(t, os.Chtimes(path, past, past.Add(time.Nanosecond*1000))) }, "{", false},
		{"replaced by its copy", func() {
			write(t, path+".new", "{")
			must(t, os.Chtimes(path+".new", past, past))
			must(t, os.Rename(path+".new", path))
		}, "{", false},
		{"too large, nothing", func() {}, big, true},
		{"too large and growing", func() { put(big + "x") }, big, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			put(test.from)
			before := lookAt(path)
			test.change()
			if after := lookAt(path); (after.version == before.version) != test.same {
				t.Errorf("the same version: %v, want %v", !test.same, test.same)
			}
		})
	}
}

// Whoever creates a plain file writes it; other things come into being complete,
// and may change without an event of their directory.
func TestLookAlone(t *testing.T) {
	tests := []struct {
		name     string
		make     func(path string) error
		alone    bool
		eventful bool
	}{
		{"a file", func(path string) error { return os.WriteFile(path, []byte(valid), 0o666) }, true, true},
		{"an empty file", func(path string) error { return os.WriteFile(path, nil, 0o666) }, true, false},
		{"a hard link", func(path string) error {
			return errors.Join(os.WriteFile(path+".1", []byte(valid), 0o666), os.Link(path+".1", path))
		}, false, false},
		{"a symbolic link", func(path string) error {
			return errors.Join(os.WriteFile(path+".1", []byte(valid), 0o666), os.Symlink("r.json.1", path))
		}, false, false},
		{"a FIFO", func(path string) error { return syscall.Mkfifo(path, 0o666) }, false, false},
		{"a directory", func(path string) error { return os.Mkdir(path, 0o777) }, false, false},
		{"a dangling link", func(path string) error { return os.Symlink("none", path) }, false, false},
		{"nothing", func(path string) error { return nil }, false, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "r.json")
			must(t, test.make(path))
			if l := lookSoon(t, path); l.alone != test.alone || l.eventful() != test.eventful {
				t.Errorf("alone: %v, eventful: %v, want %v, %v", l.alone, l.eventful(), test.alone, test.eventful)
			}
		})
	}
}
