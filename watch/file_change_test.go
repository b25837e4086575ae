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
		name  string
		make  func(path string) error
		alone bool
	}{
		{"a file", func(path string) error { return os.WriteFile(path, []byte(valid), 0o666) }, true},
		{"an empty file", func(path string) error { return os.WriteFile(path, nil, 0o666) }, true},
		{"a hard link", func(path string) error {
			return errors.Join(os.WriteFile(path+".1", []byte(valid), 0o666), os.Link(path+".1", path))
		}, false},
		{"a symbolic link", func(path string) error {
			return errors.Join(os.WriteFile(path+".1", []byte(valid), 0o666), os.Symlink("r.json.1", path))
		}, false},
		{"a FIFO", func(path string) error { return syscall.Mkfifo(path, 0o666) }, false},
		{"a directory", func(path string) error { return os.Mkdir(path, 0o777) }, false},
		{"a dangling link", func(path string) error { return os.Symlink("none", path) }, false},
		{"nothing", func(path string) error { return nil }, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "r.json")
			must(t, test.make(path))
			if l := lookSoon(t, path); l.alone != test.alone {
				t.Errorf("alone: %v, want %v", l.alone, test.alone)
			}
		})
	}
}

// The stamp tells two files from each other without reading them.
func TestLookStamp(t *testing.T) {
	big := strings.Repeat("x", contract.MaxFileSize+1)
	for name, content := range map[string]string{"valid": valid, "invalid": "{", "empty": "", "too large": big} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "r.json")
			past := time.Now().Add(-time.Hour)
			write(t, path, content)
			must(t, os.Chtimes(path, past, past))
			before := lookAt(path)
			must(t, os.Chmod(path, 0o600))
			if l := lookAt(path); l.stamp == 0 || l.stamp != before.stamp {
				t.Errorf("stamp %d, then %d; want the same: size, time and inode are", before.stamp, l.stamp)
			}
			for what, change := range map[string]func(){
				"its time": func() { must(t, os.Chtimes(path, past, past.Add(time.Microsecond))) },
				"its size": func() { must(t, os.Truncate(path, int64(len(content)+1))); must(t, os.Chtimes(path, past, past)) },
				"its inode": func() {
					write(t, path+".1", content)
					must(t, os.Chtimes(path+".1", past, past))
					must(t, os.Rename(path+".1", path))
				},
			} {
				before := lookAt(path)
				if change(); lookAt(path).stamp == before.stamp {
					t.Errorf("%s has changed, the stamp has not", what)
				}
			}
		})
	}
	if l := lookAt(filepath.Join(t.TempDir(), "none")); l.stamp != 0 || !l.changed.IsZero() || l.blind() {
		t.Errorf("no file: %+v", l)
	}
}
