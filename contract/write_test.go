//go:build unix

package contract_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

var written = contract.Result{Status: contract.Success, Reason: "Ready", Message: "<a> & b\u2028c", Details: []byte(`{"a":"<&>"}`)}

func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "result.json")
	old := syscall.Umask(0o077) // an adapter's umask must not hide the file from the reporter's user
	err := contract.WriteFile(path, written)
	syscall.Umask(old)
	if err != nil {
		t.Fatal(err)
	}
	data := read(t, path)
	got, err := contract.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(written, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	if !strings.Contains(string(data), `"<a> & b`) || !strings.HasSuffix(string(data), "}\n") {
		t.Errorf("a file for people as well, please: %q", data)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o644 {
		t.Errorf("mode %v", info.Mode())
	}
	entries(t, path, "result.json")
}

// TestWriteFileReplaces: a reader that has the old file open goes on reading
// all of the old one.
func TestWriteFileReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "result.json")
	if err := contract.WriteFile(path, contract.Result{Status: contract.Failure, Reason: "First"}); err != nil {
		t.Fatal(err)
	}
	want := read(t, path)
	open, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if err := contract.WriteFile(path, written); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(open)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("through the old descriptor (-want +got):\n%s", diff)
	}
	if r, err := contract.Parse(read(t, path)); err != nil || r.Reason != "Ready" {
		t.Errorf("under the path: %v, %v", r, err)
	}
	entries(t, path, "result.json")
}

func TestWriteFileRefusesWhatParseWould(t *testing.T) {
	path := filepath.Join(t.TempDir(), "result.json")
	if err := os.WriteFile(path, []byte("as it was"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		result contract.Result
		want   string
	}{
		"no status":       {contract.Result{}, "result: status: must be either 'success' or 'failure'"},
		"status misspelt": {contract.Result{Status: "Success"}, "result: status: must be either 'success' or 'failure'"},
		"too large":       {contract.Result{Status: contract.Success, Details: []byte(`"` + strings.Repeat("d", contract.MaxFileSize) + `"`)}, "result: larger than 1048576 bytes"},
		"details no JSON": {contract.Result{Status: contract.Success, Details: []byte("{")}, "result: "},
		"details too deep": {contract.Result{Status: contract.Success, Details: []byte(nested(10000))},
			"result: "},
	} {
		err := contract.WriteFile(path, tt.result)
		if !errors.Is(err, contract.ErrInvalid) || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %s", name, err, tt.want)
		}
	}
	if got := string(read(t, path)); got != "as it was" {
		t.Errorf("the file was touched: %q", got)
	}
	entries(t, path, "result.json")
}

// TestWriteFileCutsText: however much an adapter has to say, its result fits.
func TestWriteFileCutsText(t *testing.T) {
	path := filepath.Join(t.TempDir(), "result.json")
	err := contract.WriteFile(path, contract.Result{
		Status: contract.Failure, Reason: strings.Repeat("r", contract.MaxFileSize), Message: strings.Repeat("\u00e9\x00", contract.MaxFileSize),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"status":"failure","reason":"` + strings.Repeat("r", 128) + `","message":"` + strings.Repeat("\u00e9", 1024) + `"}` + "\n"
	if diff := cmp.Diff(want, string(read(t, path))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestWriteFileAllowsLargeDetails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "result.json")
	details := `"` + strings.Repeat("<", contract.MaxFileSize-100) + `"`
	if err := contract.WriteFile(path, contract.Result{Status: contract.Success, Details: []byte(details)}); err != nil {
		t.Error(err)
	}
}

func TestWriteFileFails(t *testing.T) {
	dir := t.TempDir()
	if err := contract.WriteFile(filepath.Join(dir, "missing", "result.json"), written); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a missing directory: %v", err)
	}
	taken := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(taken, "child"), 0o755); err != nil {
		t.Fatal(err)
	}
	var rename *os.LinkError
	if err := contract.WriteFile(taken, written); !errors.As(err, &rename) {
		t.Fatalf("over a directory: %v", err)
	}
	// A rename never crosses filesystems, and an adapter that lists its results
	// should not see the file before its time.
	if !strings.HasPrefix(rename.Old, filepath.Join(dir, ".taken.")) {
		t.Errorf("temporary file %s", rename.Old)
	}
	entries(t, taken, "taken") // and no temporary file beside it
}

// TestWriteFileFullDisk: what was begun is removed, what was there stays. A
// limit on the size of files stands in for the disk; it is a process's, so
// this one calls itself.
func TestWriteFileFullDisk(t *testing.T) {
	if path := os.Getenv("FULL_DISK"); path != "" {
		err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 16, Max: 16})
		fmt.Println(errors.Join(err, contract.WriteFile(path, written)))
		os.Exit(0)
	}
	for name, tt := range map[string]struct{ path, old string }{
		"no file":           {filepath.Join(t.TempDir(), "result.json"), ""},
		"a file":            {filepath.Join(t.TempDir(), "result.json"), "as it was"},
		"no file, in place": {unreplaceable(t), ""},
		"a file, in place":  {unreplaceable(t), "as it was"},
	} {
		want := []string(nil)
		if tt.old != "" {
			put(t, tt.path, tt.old, 0o644)
			want = []string{filepath.Base(tt.path)}
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestWriteFileFullDisk$")
		cmd.Env = append(os.Environ(), "FULL_DISK="+tt.path)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.HasSuffix(string(out), ": file too large\n") {
			t.Errorf("%s: %v, %s", name, err, out)
		}
		entries(t, tt.path, want...)
		if tt.old == "" {
			continue
		}
		if got := string(read(t, tt.path)); got != tt.old {
			t.Errorf("%s: holds %q afterwards", name, got)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// entries checks what lies in path's directory.
func entries(t *testing.T, path string, want ...string) {
	t.Helper()
	list, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range list {
		got = append(got, e.Name())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("directory (-want +got):\n%s", diff)
	}
}
