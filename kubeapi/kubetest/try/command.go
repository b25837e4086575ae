package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// reporterName is what the binary is called in an image, and on an adapter's PATH.
const reporterName = "status-reporter"

// lookUp is exec.LookPath, with what to do where there is no such program.
func lookUp(command string) error {
	if command == reporterName {
		return nil // it is put on the adapter's PATH
	}
	_, err := exec.LookPath(command)
	if errors.Is(err, exec.ErrDot) || errors.Is(err, exec.ErrNotFound) {
		if info, here := os.Stat(command); here == nil && info.Mode().IsRegular() {
			return fmt.Errorf("%w: write ./%s for the file that is here", err, command)
		}
	}
	return explained(command, err)
}

// explained says what to do about a program that cannot be started; what the kernel
// says of a script means its first line.
func explained(command string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: chmod +x %s", err, command)
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf("%w: begin it with #!/bin/sh, or with the program that it is written for", err)
	case errors.Is(err, fs.ErrNotExist):
		text, unread := os.ReadFile(command)
		first, _, _ := bytes.Cut(text, []byte("\n"))
		switch {
		case unread != nil || !bytes.HasPrefix(first, []byte("#!")):
		case bytes.HasSuffix(first, []byte("\r")):
			return fmt.Errorf("%w: its lines end as DOS has them, and %q is no program: take the carriage returns out", err, first[2:])
		default:
			return fmt.Errorf("%w: its first line names a program that is not there, %s", err, first[2:])
		}
	}
	return err
}

// asInAnImage makes a directory that has the reporter's binary under its name, for an
// adapter that writes its result by status-reporter write.
func asInAnImage(dir, reporter string) error {
	path, err := exec.LookPath(reporter)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return nil // told when it is started
	}
	return os.Symlink(path, filepath.Join(dir, reporterName))
}
