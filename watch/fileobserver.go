package watch

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

const (
	lookBurst    = 10
	lookInterval = 50 * time.Millisecond // after the burst: an adapter may rewrite its file in a loop
	// lookPatience bounds the wait for a filesystem that does not answer.
	lookPatience = 5 * time.Second
	// eventfulPoll is how many poll intervals are between two looks where events
	// tell of every change: most of the CPU time at rest is waking up.
	eventfulPoll = 10
)

// fileEvent is what the kernel tells of the result file's directory.
type fileEvent struct {
	other    bool // it is about another name there
	look     bool // the file may be another one now
	modified bool // somebody is writing
	created  bool // somebody may be about to
	closed   bool // nobody is known to be writing any more
	lost     bool // the directory is not the one at its path any more
}

// found is a look that began at a moment and a time.
type found struct {
	look
	began   moment
	at      time.Time
	events  <-chan fileEvent // of a subscription that was made before the look; nil: of none
	refusal error            // to subscribe
}

// fileObserver looks at the result file when there is reason to. A goroutine of
// its own subscribes and looks, since a network filesystem may never answer.
type fileObserver struct {
	path      string
	lookAt    func(path string) look
	subscribe func(ctx context.Context, path string) (<-chan fileEvent, error) // nil: poll only
	log       *slog.Logger

	events  <-chan fileEvent // nil while not subscribed
	found   chan found
	want    bool      // an event or the poll interval asks for a look
	looking time.Time // when the look under way began; zero: none
	polled  time.Time // when the clock last gave reason to look; zero: never
	last    look
	created bool
	writing bool // a writer is known

	whole     time.Time // when all of the burst may be used again
	complaint string    // the last one about subscribing
}

func newFileObserver(path string, pollOnly bool, log *slog.Logger) *fileObserver {
	o := &fileObserver{path: path, lookAt: lookAt, subscribe: subscribe, log: log, found: make(chan found, 1)}
	if pollOnly {
		o.subscribe = nil
	}
	return o
}

// poll asks for a look every interval, or more rarely where events do.
func (o *fileObserver) poll(now time.Time, interval time.Duration) {
	if !now.Before(o.nextPoll(interval)) {
		o.want, o.polled = true, now
	}
}

func (o *fileObserver) nextPoll(interval time.Duration) time.Time {
	switch {
	case o.polled.IsZero():
		return time.Time{}
	case o.events != nil && o.last.eventful():
		interval = eventfulPoll * min(interval, time.Hour)
	}
	return o.polled.Add(interval)
}

// take takes in an event; ok is false when there will be no more of them.
func (o *fileObserver) take(ev fileEvent, ok bool) {
	switch {
	case !ok || ev.lost:
		if !ok {
			o.events = nil
		}
		o.want, o.writing, o.created = true, false, false
	case ev.other:
		o.want = o.want || o.last.link && ev.look // the link's target has another name
	default:
		if ev.closed {
			o.writing, o.created = false, false
		}
		o.writing = o.writing || ev.modified
		o.created = o.created || ev.created
		o.want = o.want || ev.look
	}
}

// look begins a look where one is needed for a decision or wanted and within
// the rate. A needed look does not wait for one under way that does not answer.
func (o *fileObserver) look(ctx context.Context, needed bool, began moment, now time.Time, patience time.Duration) {
	if !o.looking.IsZero() {
		if needed && now.Sub(o.looking) >= patience {
			select {
			case o.found <- found{look: look{kind: fileNotYet, err: errors.New("not readable: the filesystem does not answer")}, began: began, at: now}:
			default: // it has just answered
			}
		}
		return
	}
	if !needed {
		if !o.want || now.Before(o.allowed()) {
			return
		}
		o.whole = later(o.whole, now).Add(lookInterval)
	}
	o.want, o.looking = false, now
	subscribe := o.subscribe
	if o.events != nil {
		subscribe = nil
	}
	go func() {
		f := found{began: began, at: now}
		if subscribe != nil { // first subscribe, then look: nothing happens in between
			f.events, f.refusal = subscribe(ctx, o.path)
		}
		f.look = o.lookAt(o.path)
		o.found <- f
	}()
}

// done takes note of a look that has come back.
func (o *fileObserver) done(f found) {
	if f.at.Equal(o.looking) {
		o.looking = time.Time{}
	}
	o.last = f.look
	switch {
	case f.events != nil:
		o.events, o.complaint = f.events, ""
	case f.refusal != nil && f.refusal.Error() != o.complaint:
		o.complaint = f.refusal.Error()
		o.log.Debug("no file events; looking every poll interval", "error", f.refusal)
	}
	// A created file has a writer, unless it was made by linking.
	o.writing = o.writing || o.created && f.alone
	o.created = false
}

// allowed is when the rate allows a look.
func (o *fileObserver) allowed() time.Time { return o.whole.Add(-(lookBurst - 1) * lookInterval) }

// wake is when the clock alone gives reason to act; zero: never.
func (o *fileObserver) wake(needed bool, patience time.Duration) time.Time {
	switch {
	case !o.looking.IsZero():
		if needed {
			return o.looking.Add(patience)
		}
	case o.want:
		return o.allowed()
	}
	return time.Time{}
}
