package sink

import (
	"bytes"
	"io"
	"log/slog"
	"slices"
)

// queueSize bounds what a Log keeps, in bytes: some 200 lines.
const queueSize = 64 << 10

// Log is an io.Writer for lines of log, each whole in one Write, as slog's
// handlers write them. Write never waits and never fails. The lines stay in
// order. Where they come faster than they can be written the oldest give way, so
// that the last line of the run is kept; a line in their place says how many. So
// does one after lines that could not be written.
type Log struct {
	writer
	w       io.Writer
	args    []any // of the line about dropped ones
	queue   []byte
	dropped int // lines, not said yet
}

// NewLog returns a Log onto w, which may fail and hang. Args are the attributes, as
// slog's, of its own line about dropped ones.
func NewLog(w io.Writer, args ...any) *Log { return &Log{w: w, args: args} }

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(p) > queueSize {
		l.dropped++
		return len(p), nil
	}
	for len(l.queue)+len(p) > queueSize {
		l.pop()
		l.dropped++
	}
	l.queue = append(l.queue, p...)
	l.start(l.drain)
	return len(p), nil
}

// pop takes the first line off the queue. mu is held.
func (l *Log) pop() []byte {
	end := bytes.IndexByte(l.queue, '\n') + 1
	if end == 0 {
		end = len(l.queue)
	}
	line := l.queue[:end]
	l.queue = l.queue[end:]
	return line
}

// next takes a line and how many before it were dropped. An empty one ends drain.
func (l *Log) next() (line []byte, dropped int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		l.queue = nil
		l.stop()
		return nil, 0
	}
	dropped, l.dropped = l.dropped, 0
	return l.pop(), dropped
}

func (l *Log) drain() {
	for {
		line, dropped := l.next()
		if len(line) == 0 {
			return
		}
		if dropped > 0 {
			args := append(slices.Clip(l.args), "count", dropped)
			l.write(encode(record(slog.LevelWarn, "log lines were dropped", args...), nil), dropped)
		}
		l.write(line, 1)
	}
}

// write counts what cannot be written, as so many lines.
func (l *Log) write(line []byte, lines int) {
	if _, err := l.w.Write(line); err != nil {
		l.mu.Lock()
		l.dropped += lines
		l.mu.Unlock()
	}
}
