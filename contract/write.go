package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// WriteFile publishes r at path so that a reader sees all of it or nothing: it
// writes a temporary file in the same directory, syncs it, makes it readable
// for the reporter's user (mode 0644, whatever the umask) and renames it over
// path. A Result that Parse would refuse is an error and writes nothing.
func WriteFile(path string, r Result) (err error) {
	var data bytes.Buffer
	enc := json.NewEncoder(&data)
	enc.SetEscapeHTML(false) // six bytes for each < and & would cost a large Details the limit
	if err := enc.Encode(r); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	if _, err := Parse(data.Bytes()); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data.Bytes())
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
