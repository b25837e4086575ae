//go:build unix

package contract_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

const inPlace = `{"status":"success","reason":"Ready","message":"<a> & b` + "\\u2028" + `c","details":{"a":"<&>"}}` + "\n"

// unreplaceable is a path that nothing can be renamed onto, for any user: with
// the rest of a temporary file's name it would be too long.
func unreplaceable(t *testing.T) string {
	return filepath.Join(t.TempDir(), strings.Repeat("r", 250))
}

func TestWriteFileInPlace(t *testing.T) {
	for name, old := range map[string]string{
		"no file":         "",
		"shorter":         `{"status":"failure"}`,
		"longer":          `{"status":"failure","message":"` + strings.Repeat("m", 1000) + `"}`,
		"above the limit": strings.Repeat("x", contract.MaxFileSize+4096),
	} {
		t.Run(name, func(t *testing.T) {
			path := unreplaceable(t)
			if old != "" {
				put(t, path, old, 0o620)
			}
			umask := syscall.Umask(0o077)
			err := contract.WriteFile(path, written)
			syscall.Umask(umask)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(inPlace, string(read(t, path))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			want := os.FileMode(0o644)
			if old != "" {
				want = 0o664 // what others may do stays
			}
			if info, err := os.Stat(path); err != nil || info.Mode() != want {
				t.Errorf("mode %v, %v; want %v", info.Mode(), err, want)
			}
			entries(t, path, filepath.Base(path))
		})
	}
}

// TestWriteFileInPlaceKeepsTheFile: whoever has it mounted alone or open reads
// the new content.
func TestWriteFileInPlaceKeepsTheFile(t *testing.T) {
	path := unreplaceable(t)
	target := filepath.Join(t.TempDir(), "volume.json")
	put(t, target, "old", 0o644)
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(target)
	if err != nil {
		t.Fatal(err)
	}
	if err := contract.WriteFile(path, written); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(path)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("not the same file: %v", err)
	}
	if diff := cmp.Diff(inPlace, string(read(t, target))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestWriteFileReplacesALink: the reporter would not follow one that leaves the
// directory.
func TestWriteFileReplacesALink(t *testing.T) {
	dir := t.TempDir()
	target, path := filepath.Join(t.TempDir(), "elsewhere"), filepath.Join(dir, "result.json")
	put(t, target, "not the adapter's", 0o644)
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	if err := contract.WriteFile(path, written); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if got := string(read(t, target)); got != "not the adapter's" {
		t.Errorf("the link's target was written to: %q", got)
	}
}

// TestWriteFileInPlaceOntoAFIFO does not wait for a reader.
func TestWriteFileInPlaceOntoAFIFO(t *testing.T) {
	fifo := unreplaceable(t)
	if err := syscall.Mkfifo(fifo, 0o644); err != nil {
		t.Fatal(err)
	}
	err := contract.WriteFile(fifo, written)
	if !errors.Is(err, syscall.ENAMETOOLONG) || !strings.HasSuffix(err.Error(), "; in place: write "+fifo+": not a regular file") {
		t.Errorf("a FIFO: %v", err)
	}
}

func put(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
}
