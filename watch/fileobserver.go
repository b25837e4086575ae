package watch

import (
	"context"
	"fmt"
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

// fileEvent is what the kernel tells of the result file and its directory.
type fileEvent struct {
	other    bool // it is about another name there
	look     bool // the file may be another one now
	modified bool // somebody is writing
	created  bool // somebody may be about to
	closed   bool // nobody is known to be writing any more
	overflow bool // events were dropped: any of the above
	lost     bool // the directory may not be the one at its path any more
}

// subscription has the kernel tell of changes until its context ends, which
// closes the events.
type subscription struct {
	events <-chan fileEvent
	// renew follows what is at the path now; before every look, so that nothing
	// happens in between. An error says why not all is told.
	renew func() (coverage, error)
}

// coverage is what a subscription tells without fail.
type coverage struct {
	names   bool // that the name comes to mean another file, or none
	content bool // that the file there is changed, where it has no other name
	links   bool // that the file there is changed, whatever other names it has
	anew    bool // from now on: a writer may be older
}

// tells reports whether what this look found cannot be written unseen.
func (c coverage) tells(l look) bool { return c.links || c.content && l.alone }

// found is a look that began at a seq and a time.
type found struct {
	look
	began    seq
	at       time.Time
	n        int // of the look; 0: none was made
	sub      subscription
	coverage coverage
	refusal  error // to subscribe
}

// fileObserver looks at the result file when there is reason to. A goroutine of
// its own subscribes and looks, since a network filesystem may never answer.
//
// An invalid file is believed when nobody writes it. A writer is known from its
// events, or may be there unseen: in a file that was there before its events
// were told, or after some were dropped. Nobody but the kernel knows of that
// one until the file is closed or replaced; the adapter's end and the deadline
// do not wait for it. (A lease would tell, but only a file's owner gets one, and
// an adapter that opens its file meanwhile would be held up.) Where events do
// not tell for sure, only the writers they do tell of count.
type fileObserver struct {
	path      string
	lookAt    func(path string) look
	subscribe func(ctx context.Context, path string) (subscription, error) // nil: poll only
	log       *slog.Logger

	sub      subscription
	events   <-chan fileEvent // the subscription's; nil while there is none
	coverage coverage
	found    chan found
	want     bool      // an event or the poll interval asks for a look
	dirty    bool      // written to since the last look began
	looking  time.Time // when the look under way began; zero: none
	looks    int       // how many have begun
	polled   time.Time // when the clock last gave reason to look; zero: never
	last     look
	writing  bool // a writer is known, or may be there unseen

	// The looks from which on it shows whether there is a writer; 0: none.
	created, doubted int
	closed           int // the look that had begun last when the file was closed

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
	case o.events != nil && !o.dirty && o.eventful():
		interval = eventfulPoll * min(interval, time.Hour)
	}
	return o.polled.Add(interval)
}

// eventful reports whether nothing can change without an event.
func (o *fileObserver) eventful() bool {
	switch o.last.kind {
	case fileAbsent:
		return o.coverage.names && !o.last.link
	case fileNotYet:
		return false // what hinders reading may pass
	}
	return o.coverage.names && o.coverage.tells(o.last)
}

// take takes in an event; ok is false when there will be no more of them.
func (o *fileObserver) take(ev fileEvent, ok bool) {
	switch {
	case !ok:
		o.events, o.sub = nil, subscription{}
		o.want, o.writing, o.created, o.doubted = true, false, 0, 0
	case ev.lost: // if it is, what is there now has its writer unseen
		o.want, o.writing, o.created, o.doubted = true, false, 0, 0
	case ev.other:
		o.want = o.want || o.last.link && ev.look // the link's target has another name
	default:
		if ev.closed {
			o.writing, o.created, o.doubted, o.closed = false, 0, 0, o.looks
		}
		if ev.created {
			o.created = o.looks + 1
		}
		if ev.overflow {
			o.doubted = o.looks + 1
		}
		o.writing = o.writing || ev.modified
		o.dirty = o.dirty || ev.modified
		o.want = o.want || ev.look
	}
}

// look begins a look where one is needed for a decision or wanted and within
// the rate. A needed look does not wait for one under way that does not answer.
func (o *fileObserver) look(ctx context.Context, needed bool, began seq, now time.Time, patience time.Duration) {
	if !o.looking.IsZero() {
		if needed && now.Sub(o.looking) >= patience {
			select {
			case o.found <- found{look: unheard(), began: began, at: now}:
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
	o.looks++
	o.want, o.dirty, o.looking = false, false, now
	go o.lookNow(ctx, found{began: began, at: now, n: o.looks, sub: o.sub})
}

// unheard is a look that has not come back.
func unheard() look {
	return look{kind: fileNotYet, err: fmt.Errorf("not readable: %w", errNoAnswer)}
}

func (o *fileObserver) lookNow(ctx context.Context, f found) {
	if f.sub.renew == nil && o.subscribe != nil {
		f.sub, f.refusal = o.subscribe(ctx, o.path)
	}
	if f.sub.renew != nil {
		f.coverage, f.refusal = f.sub.renew()
	}
	f.look = o.lookAt(o.path)
	o.found <- f
}

// done takes note of a look that has come back.
func (o *fileObserver) done(f found) {
	if f.at.Equal(o.looking) {
		o.looking = time.Time{}
	}
	o.last, o.coverage = f.look, f.coverage
	if f.sub.events != nil {
		o.sub, o.events = f.sub, f.sub.events
	}
	switch {
	case f.n == 0: // it has not tried to subscribe
	case f.refusal == nil:
		o.complaint = ""
	case f.refusal.Error() != o.complaint:
		o.complaint = f.refusal.Error()
		o.log.Debug("not every change of the file is told; looking every poll interval", "reason", f.refusal)
	}
	o.findWriter(f)
}

// findWriter judges from a look whether there is a writer nobody told of.
func (o *fileObserver) findWriter(f found) {
	if f.coverage.anew && o.closed < f.n {
		o.doubted = f.n
	}
	if f.blind() {
		return
	}
	if o.doubted != 0 && o.doubted <= f.n {
		known := o.writing && (o.dirty || f.kind != fileAbsent && !f.coverage.anew)
		unseen := f.kind != fileAbsent && f.kind != fileValid && f.coverage.tells(f.look)
		o.writing, o.doubted = known || unseen, 0
	}
	if o.created != 0 && o.created <= f.n {
		// A created file has a writer, unless it was made by linking.
		o.writing, o.created = o.writing || f.alone, 0
	}
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
