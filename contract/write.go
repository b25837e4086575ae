package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// ErrInvalid is what [WriteFile] has against a Result that Parse would refuse.
var ErrInvalid = errors.New("result")

// WriteFile publishes r at path so that a reader sees all of it or nothing: it
// writes a temporary file in the same directory, syncs it, makes it readable
// for the reporter's user (mode 0644, whatever the umask) and renames it over
// path. Where that cannot be done (path is mounted as a single file, or the
// directory is not the adapter's to write) it writes the file in place.
//
// Reason and Message are written as the Job will show them, cut to their
// limits. A Result that Parse would refuse is ErrInvalid and writes nothing.
func WriteFile(path string, r Result) error {
	data, err := encode(r)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	err = replace(path, data)
	if err == nil || errors.Is(err, fs.ErrNotExist) { // no such directory: there is no place
		return err
	}
	if again := overwrite(path, data); again != nil {
		return fmt.Errorf("%w; in place: %w", err, again)
	}
	return nil
}

func encode(r Result) ([]byte, error) {
	var data bytes.Buffer
	enc := json.NewEncoder(&data)
	enc.SetEscapeHTML(false) // six bytes for each < and & would cost a large Details the limit
	if err := enc.Encode(r.shortened()); err != nil {
		return nil, err
	}
	_, err := Parse(data.Bytes())
	return data.Bytes(), err
}

// replace gives path a new file.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name()) // which may be refused as well; the first error says why
	}
	return err
}

// overwrite gives the file at path new content. A reader sees the old content or
// the new one, or for as long as one write takes a part of it.
func overwrite(path string, data []byte) error {
	before, err := os.Stat(path)
	isNew := errors.Is(err, fs.ErrNotExist)
	if err != nil && !isNew {
		return err
	}
	flags := os.O_WRONLY // O_CREATE may be refused for somebody else's file in a sticky directory
	mode := fs.FileMode(0o644)
	var size int64
	var old []byte
	switch {
	case isNew:
		flags |= os.O_CREATE
	case !before.Mode().IsRegular(): // opening a FIFO would wait for a reader
		return &fs.PathError{Op: "write", Path: path, Err: errors.New("not a regular file")}
	default:
		size, mode = before.Size(), before.Mode().Perm()|0o444
		if size <= MaxFileSize {
			old, _ = os.ReadFile(path) // where it may not be read it cannot be given back either
		}
	}
	f, err := os.OpenFile(path, flags, 0o644)
	if err != nil {
		return err
	}
	err = refill(f, data, size)
	switch {
	case err != nil && isNew:
		os.Remove(path)
	case err != nil: // as on a full disk: the old content had its place
		f.WriteAt(old, 0)
		f.Truncate(int64(len(old)))
	}
	f.Chmod(mode) // as far as it is ours to do
	return errors.Join(err, f.Sync(), f.Close())
}

// refill writes data over a file of that size, all of it at once: white space
// covers what is left of the old content until it is cut off.
func refill(f interface {
	io.Writer
	Truncate(size int64) error
}, data []byte, size int64) error {
	rest := min(size, MaxFileSize) - int64(len(data))
	if _, err := f.Write(slices.Concat(data, bytes.Repeat([]byte(" "), int(max(rest, 0))))); err != nil {
		return err
	}
	return f.Truncate(int64(len(data)))
}
