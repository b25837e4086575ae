package watch

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

type fileKind int

const (
	fileAbsent  fileKind = iota
	fileNotYet           // empty, or unreadable for a reason that may pass
	fileInvalid          // read, and not what the contract says
	fileValid
)

// look is what one look at the result file found. It is a value: it holds no file
// open, and of a file that is no result none of its bytes.
type look struct {
	kind    fileKind
	result  contract.Result // where valid
	err     error           // where invalid or not yet
	version uint64          // changes with content and stamp
	stamp   uint64          // of size, mtime and inode; 0: not known
	changed time.Time       // the ctime, which no program can set; zero: not known
	link    bool            // the name is a symbolic link: events come under another name
	alone   bool            // whoever creates such a file writes it: not a link, not a FIFO
}

// blind reports whether the look found out nothing at all, as for lack of
// descriptors.
func (l look) blind() bool { return l.kind == fileNotYet && l.stamp == 0 }

var errNoAnswer = errors.New("the filesystem does not answer")

// failed reports whether the look tells nothing of the file, for a reason that may
// pass: a server of files that restarts, a lack of descriptors.
func (l look) failed() bool {
	_, fromSystem := errors.AsType[syscall.Errno](l.err)
	return fromSystem || errors.Is(l.err, errNoAnswer)
}

var seed = maphash.MakeSeed()

// directory is the result file's: an *os.Root, which no name leads out of.
type directory interface {
	Lstat(name string) (fs.FileInfo, error)
	Stat(name string) (fs.FileInfo, error)
	OpenFile(name string, flag int, perm fs.FileMode) (*os.File, error)
}

// unlisted is a directory that the reporter's user may enter but not list, and
// so cannot open. In it no link is followed: Stat and OpenFile fail with
// errNotFollowed where the name is one.
type unlisted string

var errNotFollowed = errors.New("a symbolic link in a directory that the reporter's user may not list")

func (d unlisted) Lstat(name string) (fs.FileInfo, error) {
	return os.Lstat(filepath.Join(string(d), name))
}

func (d unlisted) Stat(name string) (fs.FileInfo, error) {
	info, err := d.Lstat(name)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return nil, errNotFollowed
	}
	return info, err
}

func (d unlisted) OpenFile(name string, flag int, perm fs.FileMode) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(string(d), name), flag|syscall.O_NOFOLLOW, perm)
	if errors.Is(err, syscall.ELOOP) { // it has become one
		err = errNotFollowed
	}
	return f, err
}

// lookAt reads the result file as what it is: something that a program wrote
// which must not gain the reporter's rights. It cannot leave the file's
// directory, cannot wait, and reads no more than the contract allows.
func lookAt(path string) look {
	dir, name := filepath.Dir(path), filepath.Base(path)
	// With "/." the kernel itself refuses what is no directory: opening a FIFO
	// in its place would wait for a writer.
	root, err := os.OpenRoot(dir + "/.")
	switch {
	case errors.Is(err, fs.ErrPermission):
		return lookIn(unlisted(dir), name)
	case err != nil:
		return unreadable(err)
	}
	defer root.Close()
	return lookIn(root, name)
}

func lookIn(dir directory, name string) look {
	info, err := dir.Lstat(name)
	if err != nil {
		return unreadable(err)
	}
	found := readFile(dir, name)
	found.alone = info.Mode().IsRegular() && info.Sys().(*syscall.Stat_t).Nlink == 1
	if found.link = info.Mode()&fs.ModeSymlink != 0; found.link && !found.changed.IsZero() {
		found.changed = later(found.changed, changeTime(info)) // since then the name means this file
	}
	return found
}

func readFile(dir directory, name string) look {
	info, err := dir.Stat(name)
	if err != nil {
		return unreadable(err)
	}
	if !info.Mode().IsRegular() {
		return wrongKind(info) // opening a device can have effects
	}
	found := openFile(dir, name)
	if found.kind == fileNotYet && found.stamp == 0 {
		found.describe(info)
	}
	return found
}

// openFile trusts nothing that was found out about the name before: it may be
// another file's by now. It does not wait for a FIFO's writer.
func openFile(dir directory, name string) (found look) {
	f, err := dir.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return unreadable(err)
	}
	defer f.Close()
	info, err := f.Stat() // before it is read: what is newer than this leads to another look
	if err != nil {
		return unreadable(err)
	}
	switch {
	case !info.Mode().IsRegular():
		return wrongKind(info)
	case info.Size() > contract.MaxFileSize:
		found = look{kind: fileInvalid, err: contract.TooLarge()}
	default:
		found = readAll(f)
	}
	found.describe(info)
	found.version ^= found.stamp
	return found
}

// describe takes over what is known of the file without reading it.
func (l *look) describe(info fs.FileInfo) {
	l.changed = changeTime(info)
	l.stamp = maphash.String(seed, fmt.Sprint(info.Size(), info.ModTime().UnixNano(), info.Sys().(*syscall.Stat_t).Ino))
}

// readAll reads what may grow while it is read.
func readAll(f io.Reader) look {
	data, err := io.ReadAll(io.LimitReader(f, contract.MaxFileSize+1))
	if err != nil {
		return unreadable(err)
	}
	found := look{version: maphash.Bytes(seed, data)}
	switch found.result, found.err = contract.Parse(data); {
	case found.err == nil:
		found.kind = fileValid
	case len(data) <= contract.MaxFileSize && len(bytes.TrimSpace(data)) == 0:
		found.kind = fileNotYet // touched, or opened by a shell's ">" a seq ago
	default:
		found.kind = fileInvalid
	}
	return found
}

func wrongKind(info fs.FileInfo) look {
	kind := "a special file"
	switch m := info.Mode(); {
	case m.IsDir():
		kind = "a directory"
	case m&fs.ModeNamedPipe != 0:
		kind = "a FIFO"
	case m&fs.ModeSocket != 0:
		kind = "a socket"
	case m&fs.ModeDevice != 0:
		kind = "a device"
	}
	found := invalid("must be a regular file, not " + kind)
	found.describe(info)
	return found
}

// invalid is a fault of the file's kind; its version is the fault itself.
func invalid(problem string) look {
	return look{kind: fileInvalid, err: errors.New(problem), version: maphash.String(seed, problem)}
}

// unreadable sorts the errors of opening and reading. Error texts from the
// system name paths that the adapter has chosen, so they are not passed on.
func unreadable(err error) look {
	errno, fromSystem := errors.AsType[syscall.Errno](err)
	switch {
	case errors.Is(err, fs.ErrNotExist): // a dangling link as well
		return look{kind: fileAbsent}
	case errors.Is(err, errNotFollowed):
		return invalid(errNotFollowed.Error())
	case errors.Is(err, syscall.ENOTDIR):
		return invalid("its directory is not a directory")
	case errors.Is(err, syscall.ELOOP):
		return invalid("a symbolic link that loops")
	case errors.Is(err, syscall.ENXIO):
		return invalid("must be a regular file")
	case errors.Is(err, fs.ErrPermission):
		return look{kind: fileNotYet, err: errors.New("not readable for the reporter's user (permission denied)")}
	case fromSystem: // EIO, ESTALE, EMFILE, ENOMEM, …
		return look{kind: fileNotYet, err: fmt.Errorf("not readable: %w", errno)}
	}
	return invalid("a symbolic link that leaves its directory")
}
