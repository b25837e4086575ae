package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// inside says that the program runs in a mount namespace of its own, and
// whether it is root outside of it: root or user.
const inside = "STATUS_REPORTER_BENCH_INSIDE"

// insidePod runs the program again in a mount namespace of its own, in which a
// ServiceAccount can be where Pods have it: most reporters look nowhere else.
// done is false where that is what runs already, or where it cannot be.
func insidePod(ctx context.Context, args []string, stdout, stderr io.Writer) (code int, done bool) {
	if os.Getenv(inside) != "" {
		return 0, false
	}
	cmd := exec.CommandContext(ctx, "/proc/self/exe", args...)
	as := "root"
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it tidies up
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		as = "user"
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	cmd.Env = append(os.Environ(), inside+"="+as)
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, true
	case errors.As(err, &exit):
		return exit.ExitCode(), true
	}
	fmt.Fprintf(stderr, "bench: no namespace can be made (%v): token and ca.crt are in SERVICE_ACCOUNT_DIR only\n", err)
	return 0, false
}

// exposeServiceAccount puts dir where Pods have it.
func exposeServiceAccount(dir string) error {
	if os.Getenv(inside) == "" {
		return nil
	}
	run, err := filepath.EvalSymlinks("/var/run")
	if err != nil {
		return err
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mount namespace: %w", err)
	}
	if err := syscall.Mount("tmpfs", run, "tmpfs", 0, "mode=0755"); err != nil {
		return fmt.Errorf("tmpfs on %s: %w", run, err)
	}
	secrets := filepath.Join(run, "secrets", "kubernetes.io")
	if err := os.MkdirAll(secrets, 0o755); err != nil {
		return err
	}
	return os.Symlink(dir, filepath.Join(secrets, "serviceaccount"))
}

// anotherUser spreads reporters over users where that is allowed, batchSize to
// each: on a node too they have inotify instances enough.
func anotherUser(n int) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Getuid() == 0 && os.Getenv(inside) != "user" {
		const base = 1 << 20 // nobody has these
		id := uint32(base + n/batchSize)
		attr.Credential = &syscall.Credential{Uid: id, Gid: id}
	}
	return attr
}
