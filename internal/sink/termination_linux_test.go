package sink

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A FIFO whose opening hangs stands for a stalled disk. Real time, since it is
// the kernel that waits.
func TestTerminationMessageThatHangs(t *testing.T) {
	for last, want := range map[string]string{"last\n": "last\n", "": ""} {
		path := filepath.Join(t.TempDir(), "termination-log")
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		m := NewTerminationMessage(path)
		m.Set([]byte("first\n"))
		Flush(10*time.Millisecond, m) // returns though nothing can be written
		m.Set([]byte("second\n"))
		m.Set([]byte(last))
		f, err := os.Open(path) // lets the writer go
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if got, err := io.ReadAll(f); err != nil || string(got) != want {
			t.Errorf("%q was written, want %q; %v", got, want, err)
		}
		Flush(time.Minute, m)
	}
}
