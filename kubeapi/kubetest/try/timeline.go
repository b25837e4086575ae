package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// fileEvent is one of the result file: it was made complete, or read.
type fileEvent struct {
	at   time.Time // when it was noticed, which may be a little late
	read bool
}

// modified is the time in the file's metadata, for want of a better one.
func modified(path string) func() []fileEvent {
	return func() []fileEvent {
		info, err := os.Lstat(path)
		if err != nil {
			return nil
		}
		return []fileEvent{{at: info.ModTime()}}
	}
}

// event is one thing that happened, and who did it.
type event struct {
	at        time.Time
	who, what string
}

// timeline is what happened, in order, from the adapter's start on; where it
// never started, from the reporter's.
func (s *stage) timeline(closed, read time.Time) []event {
	var events []event
	add := func(at time.Time, who, what string) {
		if !at.IsZero() {
			events = append(events, event{at, who, what})
		}
	}
	process := func(who string, p *process) {
		if p != nil {
			add(p.started, who, "starts")
			add(p.ended, who, fmt.Sprintf("exits with %d", p.code))
		}
	}
	add(closed, "adapter", "closes the result file")
	add(read, "reporter", "sees it: reads the result file")
	add(s.podChanged, "kubelet", "puts the adapter's end into the Pod's status")
	for _, r := range s.server.Requests() {
		resource, sub, _ := strings.Cut(r.Resource, "/")
		add(r.Time, "reporter", "sends "+r.Method+" "+path.Join(resource, r.Name, sub))
		answer := "answers: "
		if r.Verb == "patch" && r.Code == http.StatusOK {
			answer = "acknowledges: "
		}
		add(r.Answered, "server", fmt.Sprint(answer, r.Code, " ", http.StatusText(r.Code)))
	}
	process("adapter", s.adapter)
	process("reporter", s.reporter)
	slices.SortStableFunc(events, func(a, b event) int { return a.at.Compare(b.at) })
	if s.adapter != nil {
		events = slices.DeleteFunc(events, func(e event) bool { return e.at.Before(s.adapter.started) })
	}
	return events
}

// fileTimes is when the file that was reported was closed, and when it was read
// next; zero where it was not. What is noticed after a report that rests on it
// was noticed late.
func fileTimes(history []fileEvent, own bool, patched time.Time) (closed, read time.Time) {
	inTime := func(e fileEvent) bool { return own || !e.at.After(patched) }
	last := -1
	for i, e := range history {
		if !e.read && (!e.at.After(patched) || own && last < 0) {
			last = i
		}
	}
	if last < 0 {
		return closed, read
	}
	closed = history[last].at
	if next := slices.IndexFunc(history[last:], func(e fileEvent) bool { return e.read && inTime(e) }); next >= 0 {
		read = history[last+next].at
	}
	if own && closed.After(patched) {
		closed = patched
	}
	if own && read.After(patched) {
		read = patched
	}
	return closed, read
}

// ANSI colours, by who does something.
var colours = map[string]string{"adapter": "\x1b[36m", "reporter": "\x1b[32m", "server": "\x1b[35m", "kubelet": "\x1b[33m"}

const (
	dim   = "\x1b[2m"
	plain = "\x1b[0m"
)

// writeTimeline prints a line for each event: milliseconds since the first one
// and since the one before.
func writeTimeline(w io.Writer, events []event, colour bool) {
	if len(events) == 0 {
		return
	}
	paint := func(with, text string) string {
		if !colour {
			return text
		}
		return with + text + plain
	}
	at, since := make([]string, len(events)), make([]string, len(events))
	var atWidth, sinceWidth int
	for i, e := range events {
		at[i] = milliseconds(e.at.Sub(events[0].at))
		if i > 0 {
			since[i] = "+" + milliseconds(e.at.Sub(events[i-1].at))
		}
		atWidth, sinceWidth = max(atWidth, len(at[i])), max(sinceWidth, len(since[i]))
	}
	for i, e := range events {
		fmt.Fprintf(w, "%*s  %s  %s  %s\n", atWidth, at[i],
			paint(dim, fmt.Sprintf("%*s", sinceWidth, since[i])), paint(colours[e.who], fmt.Sprintf("%-8s", e.who)), e.what)
	}
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.2f ms", d.Seconds()*1000) }

// coloured reports whether w is a terminal whose user has not asked for plain
// text, see no-color.org.
func coloured(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
