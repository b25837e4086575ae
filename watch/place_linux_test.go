package watch

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// inChild runs the test once more in a process of its own, and reports whether
// this is it. The test is skipped where there may be no such process.
func inChild(t *testing.T, attr *syscall.SysProcAttr) bool {
	t.Helper()
	const variable = "STATUS_REPORTER_TEST_CHILD"
	if os.Getenv(variable) == t.Name() {
		return true
	}
	self, err := os.Executable()
	must(t, err)
	if attr.Credential != nil { // the other user may not be able to enter the build's directory
		dir := t.TempDir()
		binary, err := os.ReadFile(self)
		must(t, err)
		self = filepath.Join(dir, "watch.test")
		must(t, os.WriteFile(self, binary, 0o755))
		must(t, os.Chmod(filepath.Dir(dir), 0o755))
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), variable+"="+t.Name())
	cmd.SysProcAttr = attr
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit):
		t.Skipf("a process for this test may not be made here: %v", err)
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// ownMounts are for a process that may mount, whoever runs the tests.
func ownMounts() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
}

// TestInotifyMountedFile has the file alone mounted, as subPath does: what is
// written to it is no event of its directory, nor can it be told by the device.
func TestInotifyMountedFile(t *testing.T) {
	if !inChild(t, ownMounts()) {
		return
	}
	dir := t.TempDir()
	volume, path := filepath.Join(dir, "volume.json"), filepath.Join(dir, "a mount", "r.json")
	write(t, volume, valid[:10])
	must(t, os.Mkdir(filepath.Dir(path), 0o777))
	write(t, path, "")
	must(t, syscall.Mount(volume, path, "", syscall.MS_BIND, ""))
	t.Cleanup(func() { must(t, syscall.Unmount(path, 0)) })
	f := follow(t, path, time.Hour)
	must(t, os.Chmod(volume, 0o600))
	if s := f.next(); s.kind != fileInvalid || !s.eventful || !s.writing {
		t.Errorf("kind %d, eventful %v, writer possible %v; want half a file whose every change is told", s.kind, s.eventful, s.writing)
	}
	write(t, volume, valid)
	if s := f.until(fileValid); !s.eventful {
		t.Error("not eventful")
	}
}

// TestUnlistedDirectory has a directory that may be entered but not listed, by a
// user that is not root.
func TestUnlistedDirectory(t *testing.T) {
	attr := &syscall.SysProcAttr{}
	if os.Geteuid() == 0 {
		attr.Credential = &syscall.Credential{Uid: 65532, Gid: 65532, NoSetGroups: true}
	}
	if !inChild(t, attr) {
		return
	}
	setup := func(t *testing.T) (path string) {
		dir := filepath.Join(t.TempDir(), "results")
		must(t, os.Mkdir(dir, 0o311))
		t.Cleanup(func() { must(t, os.Chmod(dir, 0o755)) })
		return filepath.Join(dir, "r.json")
	}
	const link = "a symbolic link in a directory that the reporter's user may not list"
	for _, test := range []struct {
		name string
		make func(t *testing.T, path string)
		kind fileKind
		err  string
	}{
		{"a result", func(t *testing.T, path string) { write(t, path, valid) }, fileValid, ""},
		{"nothing", func(*testing.T, string) {}, fileAbsent, ""},
		{"half a result", func(t *testing.T, path string) { write(t, path, valid[:20]) }, fileInvalid, "not valid JSON: unexpected end"},
		{"an unreadable file", func(t *testing.T, path string) { write(t, path, valid); must(t, os.Chmod(path, 0)) }, fileNotYet,
			"not readable for the reporter's user (permission denied)"},
		{"a FIFO", func(t *testing.T, path string) { must(t, syscall.Mkfifo(path, 0o666)) }, fileInvalid, "must be a regular file, not a FIFO"},
		{"a directory", func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o777)) }, fileInvalid, "must be a regular file, not a directory"},
		{"a link inside", func(t *testing.T, path string) { write(t, path+".1", valid); must(t, os.Symlink("r.json.1", path)) }, fileInvalid, link},
		{"a link that leaves", func(t *testing.T, path string) { must(t, os.Symlink("/etc/passwd", path)) }, fileInvalid, link},
		{"a terabyte of holes", func(t *testing.T, path string) { write(t, path, ""); must(t, os.Truncate(path, 1<<40)) }, fileInvalid, "larger than 1048576 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := setup(t)
			test.make(t, path)
			l := lookSoon(t, path)
			var text string
			if l.err != nil {
				text = l.err.Error()
			}
			if l.kind != test.kind || text != test.err {
				t.Errorf("kind %d, error %q; want %d, %q", l.kind, text, test.kind, test.err)
			}
		})
	}
	t.Run("swapped for a link", func(t *testing.T) {
		path := setup(t)
		must(t, os.Symlink("/etc/passwd", path))
		l := openFile(unlisted(filepath.Dir(path)), filepath.Base(path))
		if l.kind != fileInvalid || l.err.Error() != link {
			t.Errorf("kind %d, error %v; want %s", l.kind, l.err, link)
		}
	})
	t.Run("its events", func(t *testing.T) {
		const poll = 100 * time.Millisecond
		path := setup(t)
		f := follow(t, path, poll)
		w, err := os.Create(path)
		must(t, err)
		_, err = w.WriteString(valid[:20])
		must(t, err)
		if !f.until(fileInvalid).writing {
			t.Error("half a file is believed to have no writer")
		}
		must(t, w.Close())
		for f.next().writing {
		}
		began := time.Now()
		s := follow(t, path, time.Hour) // who finds it there is told of what is written
		write(t, path, valid)
		s.until(fileValid)
		f.until(fileValid)
		if d := time.Since(began); d > patience/2 {
			t.Errorf("seen after %v", d)
		}
		write(t, path+".new", "{}")
		must(t, os.Rename(path+".new", path)) // no event of the directory
		if seen := f.until(fileInvalid); seen.eventful {
			t.Error("nothing tells that it is replaced")
		}
	})
}

// A filesystem that others may change does not tell all: /proc here stands for
// those of a network.
func TestInotifyNotLocal(t *testing.T) {
	s := subscriptionTo(t, filepath.Join("/proc", strconv.Itoa(os.Getpid()), "status"))
	if c, err := s.renew(); c != (coverage{anew: true}) || !errors.Is(err, errNotLocal) {
		t.Errorf("coverage %+v, error %v; want none, %v", c, err, errNotLocal)
	}
}

// The file may be of another filesystem than its directory.
func TestInotifyMountedNotLocal(t *testing.T) {
	if !inChild(t, ownMounts()) {
		return
	}
	path := filepath.Join(t.TempDir(), "r.json")
	write(t, path, "")
	must(t, syscall.Mount(filepath.Join("/proc", strconv.Itoa(os.Getpid()), "status"), path, "", syscall.MS_BIND, ""))
	t.Cleanup(func() { must(t, syscall.Unmount(path, 0)) })
	if c, err := subscriptionTo(t, path).renew(); c != (coverage{anew: true}) || !errors.Is(err, errNotLocal) {
		t.Errorf("coverage %+v, error %v; want none, %v", c, err, errNotLocal)
	}
}

func TestCoverage(t *testing.T) {
	plain := coverage{names: true, content: true, anew: true}
	for _, test := range []struct {
		name string
		make func(t *testing.T, path string) (look string) // at another path
		want coverage
		err  bool
	}{
		{"nothing", func(_ *testing.T, path string) string { return path }, plain, false},
		{"a file", func(t *testing.T, path string) string { write(t, path, valid); return path }, plain, false},
		{"a FIFO", func(t *testing.T, path string) string { must(t, syscall.Mkfifo(path, 0o666)); return path }, plain, false},
		{"a FIFO with another name", func(t *testing.T, path string) string {
			must(t, errors.Join(syscall.Mkfifo(path, 0o666), os.Link(path, path+".1")))
			return path
		}, plain, false},
		{"a directory", func(t *testing.T, path string) string { must(t, os.Mkdir(path, 0o777)); return path }, plain, false},
		{"a link to a hard link", func(t *testing.T, path string) string {
			write(t, path+".1", valid)
			must(t, os.Link(path+".1", path+".2"))
			must(t, os.Symlink("r.json.1", path))
			return path
		}, plain, false},
		{"a hard link", func(t *testing.T, path string) string {
			write(t, path, valid)
			must(t, os.Link(path, path+".1"))
			return path
		}, coverage{names: true, content: true, links: true, anew: true}, false},
		{"its directory is a link", func(t *testing.T, path string) string {
			must(t, os.Symlink("results", filepath.Dir(path)+".link"))
			return filepath.Join(filepath.Dir(path)+".link", "r.json")
		}, coverage{content: true, anew: true}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "results", "r.json")
			must(t, os.Mkdir(filepath.Dir(path), 0o777))
			s := subscriptionTo(t, test.make(t, path))
			c, err := s.renew()
			if c != test.want || (err != nil) != test.err {
				t.Errorf("coverage %+v, error %v; want %+v, %v", c, err, test.want, test.err)
			}
			again, _ := s.renew()
			if test.want.anew = false; again != test.want {
				t.Errorf("coverage %+v the second time, want %+v", again, test.want)
			}
		})
	}
}

func TestAncestors(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(dir, "a", "b")
	must(t, os.MkdirAll(deep, 0o777))
	if names, err := ancestors(deep); err != nil || !slices.Equal(names[:2], []string{deep, filepath.Dir(deep)}) {
		t.Errorf("%v, error %v; want the directory and those above", names, err)
	}
	if names, err := ancestors(filepath.Join(deep, "none", "none")); err != nil || len(names) < 4 {
		t.Errorf("%v, error %v; want those to come as well", names, err)
	}
	for _, mount := range []string{"/proc", "/"} { // its place is fixed
		if names, err := ancestors(mount); err != nil || len(names) != 0 {
			t.Errorf("%s: %v, error %v; want none", mount, names, err)
		}
	}
	link := filepath.Join(dir, "link")
	must(t, os.Symlink("a", link))
	if names, err := ancestors(filepath.Join(link, "b")); err == nil || !slices.Contains(names, link) {
		t.Errorf("%v, error %v; want the link, and to be told that it is not all", names, err)
	}
}

func TestIsMountPoint(t *testing.T) {
	const mounts = `22 27 0:21 / /proc rw,relatime - proc proc rw
36 35 98:0 /mnt1 /results/r.json rw,noatime master:1 - ext3 /dev/root rw,errors=continue
37 35 98:0 /r.json /a\040b\134c/r.json rw - ext3 /results/x rw
`
	for path, want := range map[string]bool{
		"/results/r.json": true, "/results": false, "/results/x": false, "/a b\\c/r.json": true, "/a b/r.json": false, "/mnt1": false,
	} {
		if got := isMountPoint(mounts, path); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}

// TestLookChanged: the change time is the kernel's; what a program claims does
// not count.
func TestLookChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.json")
	past := time.Now().Add(-time.Hour)
	recent := func(at time.Time) bool { return time.Since(at) < time.Minute && time.Since(at) > -time.Minute }
	for name, make := range map[string]func() error{
		"valid":     func() error { return os.WriteFile(path, []byte(valid), 0o644) },
		"invalid":   func() error { return os.WriteFile(path, []byte("{"), 0o644) },
		"empty":     func() error { return os.WriteFile(path, nil, 0o644) },
		"too large": func() error { return os.Truncate(path, 1<<40) },
		"a FIFO":    func() error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o644)) },
		"linked": func() error {
			return errors.Join(os.Remove(path), os.WriteFile(path+".1", nil, 0o644), os.Symlink("r.json.1", path))
		},
	} {
		t.Run(name, func(t *testing.T) {
			must(t, os.WriteFile(path, nil, 0o644))
			t.Cleanup(func() { must(t, os.Remove(path)) })
			must(t, make())
			must(t, os.Chtimes(path, past, past))
			if l := lookSoon(t, path); !recent(l.changed) || l.stamp == 0 {
				t.Errorf("changed %v, stamp %d; want now, and a stamp", l.changed, l.stamp)
			}
		})
	}
}

// A name that was made to mean another file has changed, however old that is.
func TestLookChangedLink(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.json")
	write(t, path+".1", valid)
	target, err := os.Stat(path + ".1")
	must(t, err)
	for {
		must(t, os.Symlink("r.json.1", path))
		link, err := os.Lstat(path)
		must(t, err)
		if at := changeTime(link); at.After(changeTime(target)) { // the clock has moved on
			if l := lookAt(path); !l.changed.Equal(at) {
				t.Errorf("changed %v, want %v", l.changed, at)
			}
			return
		}
		must(t, os.Remove(path))
	}
}
