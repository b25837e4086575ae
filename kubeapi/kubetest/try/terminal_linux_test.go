package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// terminal opens a pseudo-terminal: what is written to the one comes out of the other.
func terminal(t *testing.T) (tty, screen *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no pseudo-terminals: ", err)
	}
	t.Cleanup(func() { screen.Close() })
	var unlock, number int32
	for request, arg := range map[uintptr]*int32{syscall.TIOCSPTLCK: &unlock, syscall.TIOCGPTN: &number} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, screen.Fd(), request, uintptr(unsafe.Pointer(arg))); errno != 0 {
			t.Skip("no pseudo-terminals: ", errno)
		}
	}
	if tty, err = os.OpenFile(fmt.Sprint("/dev/pts/", number), os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		t.Skip("no pseudo-terminals: ", err)
	}
	t.Cleanup(func() { tty.Close() })
	return tty, screen
}

// TestColours: on a terminal, unless its user does not want them.
func TestColours(t *testing.T) {
	for name, tt := range map[string]struct {
		env  map[string]string
		want bool
	}{
		"a terminal":          {nil, true},
		"NO_COLOR":            {map[string]string{"NO_COLOR": "1"}, false},
		"NO_COLOR is empty":   {map[string]string{"NO_COLOR": ""}, true},
		"a dumb terminal":     {map[string]string{"TERM": "dumb"}, false},
		"some other terminal": {map[string]string{"TERM": "xterm"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("NO_COLOR", "")
			t.Setenv("TERM", "xterm-256color")
			for k, v := range tt.env {
				t.Setenv(k, v)
			}
			tty, screen := terminal(t)
			seen := make(chan []byte)
			go func() {
				var all bytes.Buffer
				io.Copy(&all, screen) // ends with an error when the terminal is closed
				seen <- all.Bytes()
			}()
			var stdout bytes.Buffer
			code := run(t.Context(), []string{"-reporter", reporter}, &stdout, tty)
			tty.Close()
			got := string(<-seen)
			if code != 0 || !strings.Contains(got, "acknowledges: 200 OK") {
				t.Fatalf("exit code %d:\n%s", code, got)
			}
			if strings.Contains(got, "\x1b[") != tt.want || strings.Contains(stdout.String(), "\x1b") {
				t.Errorf("colours: %v, want %v:\n%s\n%s", !tt.want, tt.want, got, stdout.String())
			}
		})
	}
}

// TestNoTerminal: a file, a pipe and what is neither get plain text.
func TestNoTerminal(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "xterm")
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	for name, out := range map[string]io.Writer{"file": file, "pipe": w, "buffer": &bytes.Buffer{}} {
		if coloured(out) {
			t.Errorf("%s: in colour", name)
		}
	}
}
