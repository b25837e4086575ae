package watch

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// TestLookAtWithoutPermission looks as another user, since root may read all.
func TestLookAtWithoutPermission(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.json")
	must(t, os.Chmod(filepath.Dir(filepath.Dir(path)), 0o755)) // for the other user
	write(t, path, valid)
	as := func(mode fs.FileMode, of string) look {
		t.Helper()
		must(t, os.Chmod(of, mode))
		defer os.Chmod(of, 0o755) //nolint:errcheck // for the removal only
		if os.Geteuid() != 0 {
			return lookAt(path)
		}
		runtime.LockOSThread() // the user is the thread's
		defer runtime.UnlockOSThread()
		must(t, syscall.Setfsuid(65532))
		defer syscall.Setfsuid(0) //nolint:errcheck // it cannot fail
		return lookAt(path)
	}
	const denied = "not readable for the reporter's user (permission denied)"
	if l := as(0o000, path); l.kind != fileNotYet || l.err.Error() != denied {
		t.Errorf("unreadable file: kind %d, error %v; want %d, %s", l.kind, l.err, fileNotYet, denied)
	}
	if l := as(0o444, path); l.kind != fileValid {
		t.Errorf("made readable: kind %d, error %v; want a result", l.kind, l.err)
	}
	if l := as(0o000, filepath.Dir(path)); l.kind != fileNotYet || l.err.Error() != denied {
		t.Errorf("unreadable directory: kind %d, error %v; want %d, %s", l.kind, l.err, fileNotYet, denied)
	}
}
