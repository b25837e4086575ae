package contract_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

// TestWriteFilePermissions: what the directory does not allow the file may.
func TestWriteFilePermissions(t *testing.T) {
	const nobody, other = 65532, 65533
	for _, tt := range []struct {
		name  string
		dir   fs.FileMode
		file  fs.FileMode // 0 for none
		owner int
		fails bool
	}{
		{"a directory of another user", 0o755, 0o666, other, false},
		{"that may not be listed", 0o711, 0o666, other, false},
		{"a file that may not be read", 0o755, 0o622, other, false},
		{"a sticky directory", fs.ModeSticky | 0o777, 0o666, other, false},
		{"an own file", 0o755, 0o600, nobody, false},
		{"neither may be written", 0o755, 0o644, other, true},
		{"no file", 0o755, 0, other, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if os.Geteuid() != 0 {
				t.Skip("only root makes files of other users")
			}
			path := filepath.Join(t.TempDir(), "result.json")
			check(t, os.Chmod(filepath.Dir(filepath.Dir(path)), 0o755))
			check(t, os.Chmod(filepath.Dir(path), tt.dir))
			check(t, os.Chown(filepath.Dir(path), other, other))
			if tt.file != 0 {
				put(t, path, `{"status":"failure","message":"of a run before, and longer than what comes now, so that some is left"}`, tt.file)
				check(t, os.Chown(path, tt.owner, tt.owner))
			}
			err := as(nobody, func() error { return contract.WriteFile(path, written) })
			if tt.fails {
				if !errors.Is(err, fs.ErrPermission) {
					t.Errorf("error %v", err)
				}
				return
			}
			check(t, err)
			if diff := cmp.Diff(inPlace, string(read(t, path))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			entries(t, path, "result.json")
		})
	}
}

// as calls f as another user: the file system's user is the thread's.
func as(user int, f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := syscall.Setfsuid(user); err != nil {
		return err
	}
	defer syscall.Setfsuid(0) //nolint:errcheck // it cannot fail
	return f()
}

// TestWriteFileMounts: a file that is mounted alone cannot be renamed onto, in
// a directory that can be written to and in one that cannot.
func TestWriteFileMounts(t *testing.T) {
	for name, readOnly := range map[string]bool{"EBUSY": false, "EROFS": true} {
		t.Run(name, func(t *testing.T) {
			dir, volume := t.TempDir(), filepath.Join(t.TempDir(), "volume.json")
			path := filepath.Join(dir, "result.json")
			put(t, volume, "", 0o644)
			put(t, path, "", 0o644)
			result := make(chan error)
			var skip error
			go func() { // in a thread of its own, which ends with its mounts
				runtime.LockOSThread()
				if skip = mount(dir, path, volume, readOnly); skip != nil {
					result <- nil
					return
				}
				result <- contract.WriteFile(path, written)
			}()
			err := <-result
			if skip != nil {
				t.Skip(skip)
			}
			check(t, err)
			if diff := cmp.Diff(inPlace, string(read(t, volume))); diff != "" {
				t.Errorf("on the volume (-want +got):\n%s", diff)
			}
			entries(t, path, "result.json")
		})
	}
}

func mount(dir, path, volume string, readOnly bool) error {
	err := syscall.Unshare(syscall.CLONE_NEWNS)
	if err == nil {
		err = syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
	}
	if err == nil {
		err = syscall.Mount(dir, dir, "", syscall.MS_BIND, "")
	}
	if err == nil {
		err = syscall.Mount(volume, path, "", syscall.MS_BIND, "")
	}
	if err == nil && readOnly {
		err = syscall.Mount("", dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
	}
	return err
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
