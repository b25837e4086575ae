package sink

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"sort"
	"time"
	"unicode/utf8"
)

// maxTerminationMessage is how much of the file the kubelet reads, in bytes.
const maxTerminationMessage = 4096

// TerminationMessage is the file that the kubelet reads when the container has
// ended. Set may be called at any time from any goroutine, and never waits. Only what was set last is written, and only where the
// kubelet has made the file.
type TerminationMessage struct {
	writer
	path    string
	line    []byte
	pending bool
}

// NewTerminationMessage returns the message in path, whose opening and writing
// may fail and hang.
func NewTerminationMessage(path string) *TerminationMessage {
	return &TerminationMessage{path: path}
}

// Set replaces the message. An empty line withdraws it. The line must not be
// changed afterwards.
func (t *TerminationMessage) Set(line []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.line, t.pending = line, true
	t.start(t.drain)
}

func (t *TerminationMessage) drain() {
	for t.more() {
		f, err := os.OpenFile(t.path, os.O_WRONLY|os.O_TRUNC, 0)
		line := t.take() // after the opening, which may have taken long
		if err != nil {
			continue // not in a container
		}
		f.Write(line)
		f.Close()
	}
}

// more reports whether there is something to write, and otherwise ends drain.
func (t *TerminationMessage) more() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.pending {
		t.stop()
	}
	return t.pending
}

func (t *TerminationMessage) take() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending = false
	return t.line
}

// TerminationLine is a line as slog's JSON handler writes it, in no more bytes
// than the kubelet reads. Where it would be longer, the values of "message" and
// "error" are cut, at a character's end; where those are not what is long, all
// values; so that the line is always whole JSON. Attributes that are too long
// even then are left out, all of them.
func TerminationLine(level slog.Level, msg string, args ...any) []byte {
	r := record(level, msg, args...)
	if line := encode(r, nil); len(line) <= maxTerminationMessage {
		return line
	}
	for _, may := range []func(key string) bool{
		func(key string) bool { return key == "message" || key == "error" },
		func(key string) bool { return key != slog.LevelKey },
	} {
		tooLong := func(n int) bool { return len(encode(r, truncate(may, n))) > maxTerminationMessage }
		if n := sort.Search(maxTerminationMessage, tooLong) - 1; n >= 0 {
			return encode(r, truncate(may, n))
		}
	}
	return TerminationLine(level, msg[:boundary(msg, maxTerminationMessage/8)])
}

// replaceAttr is slog.HandlerOptions.ReplaceAttr.
type replaceAttr func(groups []string, a slog.Attr) slog.Attr

// truncate shortens the values that it may to n bytes, before they are quoted.
func truncate(may func(key string) bool, n int) replaceAttr {
	return func(_ []string, a slog.Attr) slog.Attr {
		v := a.Value.Resolve()
		if !may(a.Key) || v.Kind() != slog.KindString && v.Kind() != slog.KindAny {
			return a
		}
		s := v.String()
		return slog.String(a.Key, s[:boundary(s, n)])
	}
}

// boundary is the last place in s, at most n, where a character ends. A byte
// that belongs to no character is one of its own, as encoding/json has it.
func boundary(s string, n int) int {
	if len(s) <= n {
		return len(s)
	}
	for i := n - 1; i >= 0 && i > n-utf8.UTFMax; i-- {
		if utf8.RuneStart(s[i]) {
			if _, size := utf8.DecodeRuneInString(s[i:]); i+size > n {
				return i
			}
			break
		}
	}
	return n
}

func record(level slog.Level, msg string, args ...any) slog.Record {
	r := slog.NewRecord(time.Now(), level, msg, 0)
	r.Add(args...)
	return r
}

func encode(r slog.Record, replace replaceAttr) []byte {
	var line bytes.Buffer
	slog.NewJSONHandler(&line, &slog.HandlerOptions{ReplaceAttr: replace}).Handle(context.Background(), r)
	return line.Bytes()
}
