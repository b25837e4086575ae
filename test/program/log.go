package program

import (
	"bytes"
	"encoding/json"
	"sync"
	"testing"
	"time"
)

// Log is the reporter's log: it keeps all of it, and wakes who waits for a line. It
// is safe for concurrent use.
type Log struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	wrote chan struct{} // closed at the next write; nil while nobody waits
}

func (b *Log) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.wrote != nil {
		close(b.wrote)
		b.wrote = nil
	}
	return b.buf.Write(p)
}

// Await waits until cond holds, and looks after every write.
func (b *Log) Await(t testing.TB, patience time.Duration, cond func() bool) {
	t.Helper()
	timeout := time.After(patience)
	for {
		b.mu.Lock()
		if b.wrote == nil {
			b.wrote = make(chan struct{})
		}
		wrote := b.wrote
		b.mu.Unlock()
		if cond() {
			return
		}
		select {
		case <-wrote:
		case <-timeout:
			t.Fatal("the log does not tell what was expected")
		}
	}
}

func (b *Log) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// Has reports whether a line has exactly this message.
func (b *Log) Has(msg string) bool {
	for line := range bytes.Lines([]byte(b.String())) {
		var record struct{ Msg string }
		if json.Unmarshal(line, &record) == nil && record.Msg == msg {
			return true
		}
	}
	return false
}
