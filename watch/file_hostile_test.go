package watch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

// A file whose size tells nothing and that has more than can be told is like
// one that grows while it is read.
func TestLookAtFileThatGrows(t *testing.T) {
	const path = "/proc/kallsyms" // several MiB; its size reads 0
	if info, err := os.Stat(path); err != nil || info.Size() != 0 {
		t.Skip("no such file here")
	}
	if l := lookSoon(t, path); l.kind != fileInvalid || l.err.Error() != contract.TooLarge().Error() {
		t.Errorf("kind %d, error %v; want it to be too large", l.kind, l.err)
	}
}

// TestLookAtMovingTarget swaps the file for what it must not read while it is
// looked at, so that a check and the opening after it meet different things.
func TestLookAtMovingTarget(t *testing.T) {
	for name, test := range map[string]struct{ target, err string }{
		"a FIFO":       {"r.json.fifo", "must be a regular file, not a FIFO"},
		"a directory":  {".", "must be a regular file, not a directory"},
		"another file": {"../token", "a symbolic link that leaves its directory"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "token"), secret)
			path := filepath.Join(dir, "results", "r.json")
			must(t, os.Mkdir(filepath.Dir(path), 0o777))
			write(t, path+".1", valid)
			must(t, syscall.Mkfifo(path+".fifo", 0o666))
			must(t, os.Symlink("r.json.1", path))
			defer swap(t, path, "r.json.1", test.target)()
			kinds := map[fileKind]int{}
			for range 2000 {
				l := lookSoon(t, path)
				kinds[l.kind]++
				if l.kind != fileValid && (l.err == nil || l.err.Error() != test.err) {
					t.Fatalf("kind %d, error %v; want the result, or %s", l.kind, l.err, test.err)
				}
			}
			if kinds[fileValid] == 0 || kinds[fileInvalid] == 0 {
				t.Errorf("looks by kind: %v; the target does not move", kinds)
			}
		})
	}
}

// swap has a link point to the targets in turn until it is stopped.
func swap(t *testing.T, path string, targets ...string) (stop func()) {
	stopping, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stopping:
				return
			default:
				if err := errors.Join(os.Symlink(targets[i%len(targets)], path+".new"), os.Rename(path+".new", path)); err != nil {
					t.Error(err)
					return
				}
			}
		}
	}()
	return func() { close(stopping); <-stopped }
}

// No text of the system, which names paths, is passed on.
func TestUnreadable(t *testing.T) {
	wrap := func(err error) error { return &fs.PathError{Op: "open", Path: secret, Err: err} }
	tests := []struct {
		err  error
		kind fileKind
		text string
	}{
		{wrap(syscall.ENOENT), fileAbsent, ""},
		{wrap(syscall.ENOTDIR), fileInvalid, "its directory is not a directory"},
		{wrap(syscall.ELOOP), fileInvalid, "a symbolic link that loops"},
		{wrap(syscall.ENXIO), fileInvalid, "must be a regular file"},
		{wrap(syscall.EACCES), fileNotYet, "not readable for the reporter's user (permission denied)"},
		{wrap(syscall.EPERM), fileNotYet, "not readable for the reporter's user (permission denied)"},
		{wrap(syscall.EIO), fileNotYet, "not readable: input/output error"},
		{wrap(syscall.ESTALE), fileNotYet, "not readable: stale file handle"},
		{wrap(syscall.EMFILE), fileNotYet, "not readable: too many open files"},
		{wrap(errors.New("path escapes from parent")), fileInvalid, "a symbolic link that leaves its directory"},
	}
	for _, test := range tests {
		t.Run(test.err.Error(), func(t *testing.T) {
			l := unreadable(test.err)
			if l.kind != test.kind {
				t.Errorf("kind %d, want %d", l.kind, test.kind)
			}
			if test.text == "" && l.err == nil {
				return
			}
			if got := l.err.Error(); got != test.text {
				t.Errorf("text %q, want %q", got, test.text)
			}
		})
	}
}
