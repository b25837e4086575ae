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

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

type fileKind int

const (
	fileAbsent  fileKind = iota
	fileNotYet           // empty, or unreadable for a reason that may pass
	fileInvalid          // read, and not what the contract says
	fileValid
)

// look is what one look at the result file found.
type look struct {
	kind    fileKind
	result  contract.Result // where valid
	err     error           // where invalid or not yet
	version uint64          // changes with the file
	link    bool            // the name is a symbolic link: events come under another name
	alone   bool            // whoever creates such a file writes it: not a link, not a FIFO
}

// eventful tells that the file cannot change without an event of its directory.
func (l look) eventful() bool {
	switch l.kind {
	case fileAbsent:
		return !l.link
	case fileNotYet:
		return false // what hinders reading may pass
	}
	return l.alone
}

var seed = maphash.MakeSeed()

// lookAt reads the result file as what it is: something that a program wrote
// which must not gain the reporter's rights. It cannot leave the file's
// directory, cannot wait, and reads no more than the contract allows.
func lookAt(path string) look {
	// With "/." the kernel itself refuses what is no directory: opening a FIFO
	// in its place would wait for a writer.
	root, err := os.OpenRoot(filepath.Dir(path) + "/.")
	if err != nil {
		return unreadable(err)
	}
	defer root.Close()
	name := filepath.Base(path)
	info, err := root.Lstat(name)
	if err != nil {
		return unreadable(err)
	}
	found := readFile(root, name)
	found.link = info.Mode()&fs.ModeSymlink != 0
	found.alone = info.Mode().IsRegular() && info.Sys().(*syscall.Stat_t).Nlink == 1
	return found
}

func readFile(root *os.Root, name string) look {
	info, err := root.Stat(name)
	if err != nil {
		return unreadable(err)
	}
	if !info.Mode().IsRegular() {
		return wrongKind(info) // opening a device can have effects
	}
	return openFile(root, name)
}

// openFile trusts nothing that was found out about the name before: it may be
// another file's by now. It does not wait for a FIFO's writer.
func openFile(root *os.Root, name string) look {
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return unreadable(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return unreadable(err)
	}
	if !info.Mode().IsRegular() {
		return wrongKind(info)
	}
	stamp := fmt.Sprint(info.Size(), info.ModTime().UnixNano(), info.Sys().(*syscall.Stat_t).Ino)
	if info.Size() > contract.MaxFileSize {
		return look{kind: fileInvalid, err: contract.TooLarge(), version: maphash.String(seed, stamp)}
	}
	found := readAll(f)
	found.version ^= maphash.String(seed, stamp)
	return found
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
		found.kind = fileNotYet // touched, or opened by a shell's ">" a moment ago
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
	return invalid("must be a regular file, not " + kind)
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
