package watch

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

const (
	valid  = `{"status":"success","reason":"Ready","message":"All set"}`
	secret = "eyJhbGciOiJSUzI1NiJ9.secret"
)

// lookSoon looks, and fails where that takes long: nothing that an adapter
// leaves may hold a look up. The time is real, as the kernel's would be.
func lookSoon(t *testing.T, path string) look {
	t.Helper()
	done := make(chan look, 1)
	go func() { done <- lookAt(path) }()
	select {
	case l := <-done:
		return l
	case <-time.After(patience):
		t.Fatal("the look hangs")
		return look{}
	}
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestLookAt has each kind of thing that can be found under the file's name.
func TestLookAt(t *testing.T) {
	const (
		leaves = "a symbolic link that leaves its directory"
		loops  = "a symbolic link that loops"
	)
	link := func(target string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) { must(t, os.Symlink(target, path)) }
	}
	tests := []struct {
		name string
		make func(t *testing.T, path string)
		kind fileKind
		err  string
		link bool
	}{
		{"nothing", func(t *testing.T, path string) {}, fileAbsent, "", false},
		{"a result", func(t *testing.T, path string) { write(t, path, valid) }, fileValid, "", false},
		{"half a result", func(t *testing.T, path string) { write(t, path, valid[:20]) }, fileInvalid, "not valid JSON: unexpected end", false},
		{"a result of another form", func(t *testing.T, path string) { write(t, path, `{"status":"ok"}`) }, fileInvalid, "status: must be either 'success' or 'failure'", false},
		{"an empty file", func(t *testing.T, path string) { write(t, path, "") }, fileNotYet, "empty", false},
		{"a blank file", func(t *testing.T, path string) { write(t, path, " \n\t\r\n") }, fileNotYet, "empty", false},
		{"exactly 1 MiB", func(t *testing.T, path string) { write(t, path, valid+strings.Repeat(" ", 1<<20-len(valid))) }, fileValid, "", false},
		{"a byte more", func(t *testing.T, path string) { write(t, path, valid+strings.Repeat(" ", 1<<20-len(valid)+1)) }, fileInvalid, "larger than 1048576 bytes", false},
		{"a terabyte of holes", func(t *testing.T, path string) { write(t, path, ""); must(t, os.Truncate(path, 1<<40)) }, fileInvalid, "larger than 1048576 bytes", false},
		{"a FIFO", func(t *testing.T, path string) { must(t, syscall.Mkfifo(path, 0o666)) }, fileInvalid, "must be a regular file, not a FIFO", false},
		{"a directory", func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o777)) }, fileInvalid, "must be a regular file, not a directory", false},
		{"a socket", func(t *testing.T, path string) { must(t, syscall.Mknod(path, syscall.S_IFSOCK|0o666, 0)) }, fileInvalid, "must be a regular file, not a socket", false},
		{"a device", func(t *testing.T, path string) {
			if err := syscall.Mknod(path, syscall.S_IFCHR|0o666, 1<<8|5); errors.Is(err, fs.ErrPermission) { // endless zeros
				t.Skip("making a device takes root")
			}
		}, fileInvalid, "must be a regular file, not a device", false},
		{"a hard link", func(t *testing.T, path string) { write(t, path+".tmp", valid); must(t, os.Link(path+".tmp", path)) }, fileValid, "", false},

		{"a link inside", func(t *testing.T, path string) { write(t, path+".1", valid); link("r.json.1")(t, path) }, fileValid, "", true},
		{"a link into a subdirectory", func(t *testing.T, path string) {
			must(t, os.Mkdir(filepath.Join(filepath.Dir(path), "sub"), 0o777))
			write(t, filepath.Join(filepath.Dir(path), "sub", "x"), valid)
			link("sub/../sub/x")(t, path)
		}, fileValid, "", true},
		{"a chain of links", func(t *testing.T, path string) {
			write(t, path+".3", valid)
			link("r.json.3")(t, path+".2")
			link("r.json.2")(t, path+".1")
			link("r.json.1")(t, path)
		}, fileValid, "", true},
		{"a dangling link", link("nowhere"), fileAbsent, "", true},
		{"a link to itself", link("r.json"), fileInvalid, loops, true},
		{"a loop of links", func(t *testing.T, path string) { link("r.json")(t, path+".1"); link("r.json.1")(t, path) }, fileInvalid, loops, true},
		{"an absolute link inside", func(t *testing.T, path string) { write(t, path+".1", valid); link(path+".1")(t, path) }, fileInvalid, leaves, true},
		{"an absolute link outside", func(t *testing.T, path string) { link(filepath.Join(path, "../../token"))(t, path) }, fileInvalid, leaves, true},
		{"an absolute link to nowhere", link("/nowhere/at/all"), fileInvalid, leaves, true},
		{"a link that leaves", link("../token"), fileInvalid, leaves, true},
		{"a link that leaves and comes back", func(t *testing.T, path string) { write(t, path+".1", valid); link("../results/r.json.1")(t, path) }, fileInvalid, leaves, true},
		{"a link that leaves by a directory's link", func(t *testing.T, path string) {
			link("..")(t, filepath.Join(filepath.Dir(path), "up"))
			link("up/token")(t, path)
		}, fileInvalid, leaves, true},
		{"a link to a FIFO", func(t *testing.T, path string) { must(t, syscall.Mkfifo(path+".1", 0o666)); link("r.json.1")(t, path) }, fileInvalid, "must be a regular file, not a FIFO", true},
		{"a link to the directory", link("."), fileInvalid, "must be a regular file, not a directory", true},
		{"a link through a file", func(t *testing.T, path string) { write(t, path+".1", valid); link("r.json.1/x")(t, path) }, fileInvalid, "its directory is not a directory", true},
		{"a link with too long a name", link(strings.Repeat("x", 300)), fileNotYet, "not readable: file name too long", true},

		{"no directory", func(t *testing.T, path string) { must(t, os.Remove(filepath.Dir(path))) }, fileAbsent, "", false},
		{"a file in the directory's place", func(t *testing.T, path string) {
			must(t, os.Remove(filepath.Dir(path)))
			write(t, filepath.Dir(path), secret)
		}, fileInvalid, "its directory is not a directory", false},
		{"a FIFO in the directory's place", func(t *testing.T, path string) {
			must(t, os.Remove(filepath.Dir(path)))
			must(t, syscall.Mkfifo(filepath.Dir(path), 0o666))
		}, fileInvalid, "its directory is not a directory", false},
		{"a loop in the directory's place", func(t *testing.T, path string) {
			must(t, os.Remove(filepath.Dir(path)))
			link("results")(t, filepath.Dir(path))
		}, fileInvalid, loops, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "token"), secret)
			path := filepath.Join(dir, "results", "r.json")
			must(t, os.Mkdir(filepath.Dir(path), 0o777))
			test.make(t, path)
			l := lookSoon(t, path)
			if l.kind != test.kind || l.link != test.link {
				t.Errorf("kind %d, link %v; want %d, %v (%v)", l.kind, l.link, test.kind, test.link, l.err)
			}
			var text string
			if l.err != nil {
				text = l.err.Error()
			}
			if text != test.err {
				t.Errorf("error %q, want %q", text, test.err)
			}
			if test.kind == fileValid && (l.result.Status != contract.Success || l.result.Reason != "Ready" || l.result.Message != "All set") {
				t.Errorf("result %+v", l.result)
			}
		})
	}
}

// TestOpenSwapped: between the look at the name and its opening the adapter
// has put something else there.
func TestOpenSwapped(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "outside"), secret)
	results := filepath.Join(dir, "results")
	must(t, os.Mkdir(results, 0o777))
	must(t, syscall.Mkfifo(filepath.Join(results, "fifo"), 0o666))
	must(t, os.Mkdir(filepath.Join(results, "dir"), 0o777))
	must(t, os.Symlink("../outside", filepath.Join(results, "link")))
	root, err := os.OpenRoot(results)
	must(t, err)
	defer root.Close()
	for name, problem := range map[string]string{
		"fifo": "must be a regular file, not a FIFO",
		"dir":  "must be a regular file, not a directory",
		"link": "a symbolic link that leaves its directory",
	} {
		t.Run(name, func(t *testing.T) {
			done := make(chan look, 1)
			go func() { done <- openFile(root, name) }()
			select {
			case l := <-done:
				if l.kind != fileInvalid || l.err.Error() != problem {
					t.Errorf("kind %d, error %v; want %d, %s", l.kind, l.err, fileInvalid, problem)
				}
			case <-time.After(patience):
				t.Error("the look waits")
			}
		})
	}
}

// TestReadAllGrowing: a file that grows for as long as it is read.
func TestReadAllGrowing(t *testing.T) {
	endless := &counter{}
	if l := readAll(endless); l.kind != fileInvalid || l.err.Error() != contract.TooLarge().Error() {
		t.Errorf("kind %d, error %v; want %d, too large", l.kind, l.err, fileInvalid)
	}
	if endless.n > contract.MaxFileSize+1 {
		t.Errorf("%d bytes were read", endless.n)
	}
}

// counter is an endless file that counts what is read of it. It gives up in
// time for the machine.
type counter struct{ n int }

func (c *counter) Read(p []byte) (int, error) {
	if c.n > 4*contract.MaxFileSize {
		return 0, io.ErrUnexpectedEOF
	}
	for i := range p {
		p[i] = ' '
	}
	c.n += len(p)
	return len(p), nil
}
