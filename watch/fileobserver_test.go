package watch

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"testing"
	"time"
)

// newTestObserver is one whose looks find nothing, at a clock that stands at start.
func newTestObserver() *fileObserver {
	o := newFileObserver("/results/r.json", true, slog.New(slog.DiscardHandler))
	o.lookAt = func(string) look { return absent }
	return o
}

// looked lookBegins a look, and waits for it where it has begun.
func (o *fileObserver) looked(t *testing.T, needed bool, now time.Time) bool {
	o.look(t.Context(), needed, 1, now, lookPatience)
	if o.looking.IsZero() {
		return false
	}
	o.done(<-o.found)
	return true
}

func TestLookRate(t *testing.T) {
	o := newTestObserver()
	count := func(from, to time.Duration) (n int) {
		for at := from; at < to; at += time.Millisecond { // an adapter that rewrites its file in a loop
			o.want = true
			if o.looked(t, false, start.Add(at)) {
				n++
			}
		}
		return n
	}
	if n := count(0, 50*time.Millisecond); n != 10 {
		t.Errorf("%d looks at first, want a burst of 10", n)
	}
	if n := count(50*time.Millisecond, 1050*time.Millisecond); n != 20 {
		t.Errorf("%d looks in the next second, want 20", n)
	}
	if n := count(1050*time.Millisecond, 11050*time.Millisecond); n != 200 {
		t.Errorf("%d looks in ten more seconds, want 200", n)
	}
	rate := 0
	for at := time.Minute; at < 2*time.Minute; at += 30 * time.Millisecond { // no whole part of the interval
		o.want = true
		if o.looked(t, false, start.Add(at)) {
			rate++
		}
	}
	if rate != 10+1199 {
		t.Errorf("%d looks in a minute, want a burst and 20 a second", rate)
	}
	if n := count(time.Hour, time.Hour+50*time.Millisecond); n != 10 {
		t.Errorf("%d looks after an hour's rest, want a burst of 10 again", n)
	}
}

// A look that a decision needs does not wait for the rate, nor is an unwanted one made.
func TestLookNeeded(t *testing.T) {
	o := newTestObserver()
	if o.looked(t, false, start) {
		t.Error("a look that nobody wants")
	}
	for range 100 {
		if !o.looked(t, true, start) {
			t.Fatal("a needed look was not made")
		}
	}
	if !o.whole.IsZero() {
		t.Error("needed looks cost something of the burst")
	}
}

func TestLookBegins(t *testing.T) {
	o := newTestObserver()
	o.lookAt = func(path string) look {
		if path != "/results/r.json" {
			t.Errorf("a look at %s", path)
		}
		return success
	}
	o.want = true
	o.look(t.Context(), false, 7, start, lookPatience)
	if o.want {
		t.Error("still wanted")
	}
	f := <-o.found
	if f.kind != fileValid || f.began != 7 || !f.at.Equal(start) {
		t.Errorf("found %+v; want the result, from moment 7 and the time of its beginning", f)
	}
	o.want = true
	o.look(t.Context(), true, 8, start.Add(sec), lookPatience)
	if len(o.found) != 0 {
		t.Error("two looks at a time")
	}
	o.done(f)
	if !o.want {
		t.Error("a look wanted during another is lost")
	}
	if !o.looked(t, false, start.Add(sec)) {
		t.Error("no look after the first has come back")
	}
}

// TestLookHangs has a filesystem that does not answer, until it does.
func TestLookHangs(t *testing.T) {
	o := newTestObserver()
	answer := make(chan look)
	o.lookAt = func(string) look { return <-answer }
	o.want = true
	o.look(t.Context(), false, 1, start, lookPatience)
	o.look(t.Context(), true, 2, start.Add(lookPatience-1), lookPatience)
	o.look(t.Context(), false, 2, start.Add(time.Hour), lookPatience)
	if len(o.found) != 0 {
		t.Fatal("given up too early, or though nobody waits")
	}
	if at := o.wake(true, lookPatience); !at.Equal(start.Add(lookPatience)) {
		t.Errorf("woken at %v, want when the patience ends", at)
	}
	if at := o.wake(false, lookPatience); !at.IsZero() {
		t.Errorf("woken at %v though nobody waits", at)
	}
	o.look(t.Context(), true, 2, start.Add(lookPatience), lookPatience)
	f := <-o.found
	if f.kind != fileNotYet || f.err.Error() != "not readable: the filesystem does not answer" || f.began != 2 {
		t.Fatalf("found %+v; want it to be unreadable at moment 2", f)
	}
	o.done(f)
	if o.looking.IsZero() {
		t.Error("the look under way is forgotten: the next would hang as well")
	}
	o.look(t.Context(), true, 3, start.Add(lookPatience+1), lookPatience) // those who ask later need not wait again
	if f = <-o.found; f.began != 3 {
		t.Errorf("found %+v; want an answer for moment 3", f)
	}
	o.done(f)

	answer <- success
	late := <-o.found
	if late.kind != fileValid || late.began != 1 {
		t.Errorf("found %+v; want the late look", late)
	}
	o.done(late)
	if !o.looking.IsZero() {
		t.Error("no look is under way, yet none would be made")
	}
}

// A look that comes back while the patience ends is not pushed aside.
func TestLookAnswersAtTheLastMoment(t *testing.T) {
	o := newTestObserver()
	o.looking = start
	o.found <- found{look: success, began: 1, at: start}
	o.look(t.Context(), true, 2, start.Add(lookPatience), lookPatience)
	if f := <-o.found; f.kind != fileValid {
		t.Errorf("found %+v; want the result", f)
	}
}

func TestWakeForLooks(t *testing.T) {
	o := newTestObserver()
	if at := o.wake(false, lookPatience); !at.IsZero() {
		t.Errorf("woken at %v for nothing", at)
	}
	for range lookBurst {
		o.want = true
		o.looked(t, false, start)
	}
	o.want = true
	if at := o.wake(false, lookPatience); !at.Equal(start.Add(lookInterval)) {
		t.Errorf("woken at %v, want when the rate allows a look", at)
	}
	if !o.looked(t, false, start.Add(lookInterval)) {
		t.Error("woken too early")
	}
}

// covered has an observer be told of changes, as far as this says.
func (o *fileObserver) covered(c coverage) {
	events := make(chan fileEvent)
	o.sub = subscription{events: events, renew: func() (coverage, error) { return c, nil }}
	o.events = events
}

// TestPoll: the clock asks for a look every interval, and a tenth as often where
// events tell of every change.
func TestPoll(t *testing.T) {
	const interval = 2 * time.Second
	var (
		plain    = &coverage{names: true, content: true}              // a directory of its own
		mounted  = &coverage{names: true}                             // the file alone is mounted, and cannot be watched
		itself   = &coverage{names: true, links: true}                // or can
		both     = &coverage{names: true, content: true, links: true} // a hard link
		unlisted = &coverage{links: true}                             // the directory cannot be watched
		above    = &coverage{content: true}                           // nor what is above it
		remote   = &coverage{}                                        // others may change the filesystem
		file     = look{kind: fileInvalid, alone: true, stamp: 1, err: errors.New("not JSON")}
		hardLink = look{kind: fileInvalid, stamp: 1, err: errors.New("not JSON")}
		link     = look{kind: fileInvalid, link: true, stamp: 1, err: errors.New("not JSON")}
		fifo     = invalid("must be a regular file, not a FIFO")
		empty    = look{kind: fileNotYet, alone: true, stamp: 1}
		hindered = look{kind: fileNotYet, alone: true, stamp: 1, err: errors.New("EIO")}
	)
	tests := []struct {
		name     string
		coverage *coverage // nil: no events
		found    look
		want     time.Duration
	}{
		{"no events", nil, absent, interval},
		{"no file", plain, absent, 10 * interval},
		{"no file, the directory cannot be watched", unlisted, absent, interval},
		{"no file, what is above cannot be watched", above, absent, interval},
		{"no file, remote", remote, absent, interval},
		{"no file, would be mounted", mounted, absent, 10 * interval},
		{"a file", plain, file, 10 * interval},
		{"a file, what is above cannot be watched", above, file, interval},
		{"a file in a directory that cannot be watched", unlisted, file, interval},
		{"a mounted file", mounted, file, interval},
		{"a mounted file that is watched", itself, file, 10 * interval},
		{"a file, remote", remote, file, interval},
		{"a hard link", plain, hardLink, interval},
		{"a hard link that is watched", both, hardLink, 10 * interval},
		{"an empty file", plain, empty, interval},
		{"a file that cannot be read now", plain, hindered, interval},
		{"a link", plain, link, interval},
		{"a dangling link", plain, look{kind: fileAbsent, link: true}, interval},
		{"a FIFO", plain, fifo, interval},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := newTestObserver()
			if test.coverage != nil {
				o.covered(*test.coverage)
			}
			o.lookAt = func(string) look { return test.found }
			var polls []time.Duration
			for at := time.Duration(0); at <= 4*test.want; at += 100 * time.Millisecond {
				now := start.Add(at)
				if o.poll(now, interval); o.want {
					polls = append(polls, at)
				}
				o.looked(t, false, now)
			}
			if want := []time.Duration{0, test.want, 2 * test.want, 3 * test.want, 4 * test.want}; !slices.Equal(polls, want) {
				t.Errorf("polls at %v, want %v", polls, want)
			}
		})
	}
}

// TestPollWritten: what is written and kept open is looked at within the poll
// interval, and not more often than that.
func TestPollWritten(t *testing.T) {
	const interval = 2 * time.Second
	o := newTestObserver()
	o.covered(coverage{names: true, content: true})
	o.lookAt = func(string) look { return look{kind: fileInvalid, alone: true, stamp: 1} }
	var polls []time.Duration
	for at := time.Duration(0); at < 40*time.Second; at += 100 * time.Millisecond {
		if at == 500*time.Millisecond || at >= 9*time.Second && at < 14*time.Second {
			o.take(fileEvent{modified: true}, true)
		}
		if o.poll(start.Add(at), interval); o.want {
			polls = append(polls, at)
		}
		o.looked(t, false, start.Add(at))
	}
	want := []time.Duration{0, 2 * time.Second, 9 * time.Second, 11 * time.Second, 13 * time.Second, 15 * time.Second, 35 * time.Second}
	if !slices.Equal(polls, want) {
		t.Errorf("polls at %v, want %v", polls, want)
	}
}

// A write during a look is not what that look has seen.
func TestPollWrittenDuringALook(t *testing.T) {
	o := newTestObserver()
	o.covered(coverage{names: true, content: true})
	o.lookAt = func(string) look { return look{kind: fileInvalid, alone: true, stamp: 1} }
	o.poll(start, time.Minute)
	o.look(t.Context(), false, 1, start, lookPatience)
	o.take(fileEvent{modified: true}, true)
	o.done(<-o.found)
	if at := o.nextPoll(time.Minute); !at.Equal(start.Add(time.Minute)) {
		t.Errorf("the next poll is at %v, want %v", at, start.Add(time.Minute))
	}
}

// When events end, the next poll is as near as if there had never been any.
func TestPollAfterEvents(t *testing.T) {
	o := newTestObserver()
	o.covered(coverage{names: true, content: true})
	o.poll(start, time.Minute)
	o.looked(t, false, start)
	if at := o.nextPoll(time.Minute); !at.Equal(start.Add(10 * time.Minute)) {
		t.Errorf("with events the next poll is at %v, want %v", at, start.Add(10*time.Minute))
	}
	o.take(fileEvent{}, false)
	if at := o.nextPoll(time.Minute); !at.Equal(start.Add(time.Minute)) {
		t.Errorf("the next poll is at %v, want %v", at, start.Add(time.Minute))
	}
}

// Even the longest interval has a next poll that lies ahead.
func TestPollLongest(t *testing.T) {
	for _, interval := range []time.Duration{math.MaxInt64, 9_000_000_000 * time.Second} {
		for _, c := range []coverage{{}, {names: true}} {
			o := newTestObserver()
			o.covered(c)
			o.poll(start, interval)
			o.looked(t, false, start)
			if at := o.nextPoll(interval); !at.After(start) {
				t.Errorf("the next poll is at %v", at)
			}
		}
	}
}

// A story of the file: events, and looks that begin and come back.
type (
	lookBegins struct{}
	comes      struct {
		look
		coverage coverage
	}
)

// TestFileEvents says what each event leads to.
func TestFileEvents(t *testing.T) {
	var (
		created  = fileEvent{created: true, look: true}
		modified = fileEvent{modified: true}
		closed   = fileEvent{closed: true, look: true}
		chmod    = fileEvent{look: true}
		lost     = fileEvent{lost: true}
		overflow = fileEvent{overflow: true, look: true}
		other    = func(ev fileEvent) fileEvent { ev.other = true; return ev }

		told   = coverage{names: true, content: true}
		anew   = coverage{names: true, content: true, anew: true}
		links  = coverage{links: true, anew: true}
		untold = coverage{anew: true}

		none     = comes{absent, told}
		file     = comes{look{kind: fileInvalid, alone: true, stamp: 1}, told}
		hardLink = comes{look{kind: fileInvalid, stamp: 1}, told}
		link     = comes{look{kind: fileInvalid, link: true, stamp: 1}, told}
		result   = comes{look{kind: fileValid, alone: true, stamp: 1}, told}
		blind    = comes{look{kind: fileNotYet, err: errors.New("EMFILE")}, told}
		with     = func(c comes, v coverage) comes { c.coverage = v; return c }
	)
	tests := []struct {
		name          string
		story         []any
		want, writing bool
	}{
		{"created", []any{created}, true, false},
		{"a file is created", []any{created, lookBegins{}, file}, false, true},
		{"a hard link is created", []any{created, lookBegins{}, hardLink}, false, false},
		{"a link is created", []any{created, lookBegins{}, link}, false, false},
		{"a file is created during a look", []any{lookBegins{}, created, none, lookBegins{}, file}, false, true},
		{"a file is created, which cannot be looked at", []any{created, lookBegins{}, blind, lookBegins{}, file}, false, true},
		{"a file is created and closed", []any{created, closed, lookBegins{}, file}, false, false},
		{"a file is created and closed after the look", []any{created, lookBegins{}, file, closed}, true, false},
		{"a file is created, later a link", []any{created, lookBegins{}, file, closed, created, lookBegins{}, link}, false, false},
		{"modified", []any{modified}, false, true},
		{"modified, looked at", []any{modified, lookBegins{}, file}, false, true},
		{"modified and closed", []any{modified, closed}, true, false},
		{"closed by one, modified by another", []any{modified, closed, modified}, true, true},
		{"chmod", []any{chmod}, true, false},
		{"chmod while it is written", []any{modified, chmod}, true, true},
		{"another file is created", []any{other(created), lookBegins{}, file}, false, false},
		{"another file is modified", []any{other(modified)}, false, false},
		{"another file is closed", []any{modified, other(closed)}, false, true},
		{"another file is closed, the name is a link", []any{lookBegins{}, link, other(closed)}, true, false},
		{"another file is modified, the name is a link", []any{lookBegins{}, link, other(modified)}, false, false},
		{"another file is closed, the name was a link", []any{lookBegins{}, link, lookBegins{}, file, other(closed)}, false, false},

		{"there at the first look", []any{lookBegins{}, with(file, anew)}, false, true},
		{"there at the first look, then closed", []any{lookBegins{}, with(file, anew), closed}, true, false},
		{"there at the first look, closed during it", []any{lookBegins{}, closed, with(file, anew)}, true, false},
		{"there at the first look, written over during it", []any{lookBegins{}, closed, modified, with(file, anew)}, true, true},
		{"there at the first look, and complete", []any{lookBegins{}, with(result, anew)}, false, false},
		{"not there at the first look", []any{lookBegins{}, with(none, anew), lookBegins{}, file}, false, false},
		{"a hard link is there", []any{lookBegins{}, with(hardLink, coverage{names: true, links: true, anew: true})}, false, true},
		{"a file in a directory that may not be listed", []any{lookBegins{}, with(file, links)}, false, true},
		{"a hard link whose events are not told", []any{lookBegins{}, with(hardLink, anew)}, false, false},
		{"a link is there", []any{lookBegins{}, with(link, anew)}, false, false},
		{"no events come", []any{lookBegins{}, with(file, untold)}, false, false},
		{"no events come, but a write is told", []any{lookBegins{}, with(file, untold), modified, lookBegins{}, file}, false, true},
		{"the first look finds out nothing", []any{lookBegins{}, with(blind, anew), lookBegins{}, file}, false, true},
		{"nor the second, and it is closed", []any{lookBegins{}, with(blind, anew), closed, lookBegins{}, file}, false, false},

		{"overflow", []any{overflow}, true, false},
		{"overflow, a file", []any{overflow, lookBegins{}, file}, false, true},
		{"overflow, then closed", []any{overflow, lookBegins{}, file, closed}, true, false},
		{"overflow during a look", []any{lookBegins{}, overflow, none, lookBegins{}, file}, false, true},
		{"overflow, no file", []any{overflow, lookBegins{}, none}, false, false},
		{"overflow, a result", []any{overflow, lookBegins{}, result}, false, false},
		{"overflow with a known writer", []any{modified, overflow}, true, true},
		{"overflow with a known writer, looked at", []any{modified, overflow, lookBegins{}, file}, false, true},
		{"overflow with a known writer, where events are not sure", []any{modified, overflow, lookBegins{}, with(file, coverage{})}, false, true},
		{"overflow with a known writer, the file is gone", []any{modified, overflow, lookBegins{}, none}, false, false},
		{"overflow, the file appears during the look", []any{overflow, lookBegins{}, modified, none}, false, true},
		{"overflow, nothing is found out", []any{modified, overflow, lookBegins{}, blind, lookBegins{}, file, closed}, true, false},

		{"lost", []any{modified, lost}, true, false},
		{"lost, no file there now", []any{modified, lost, lookBegins{}, with(none, anew)}, false, false},
		{"lost, and there is a file", []any{modified, lost, lookBegins{}, with(file, anew)}, false, true},
		{"not lost", []any{lost, lookBegins{}, file}, false, false},
		{"another directory without a word", []any{modified, lookBegins{}, with(hardLink, anew)}, false, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := newTestObserver()
			answers := make(chan comes)
			o.lookAt = func(string) look { return (<-answers).look }
			for _, happens := range test.story {
				switch x := happens.(type) {
				case fileEvent:
					o.take(x, true)
				case lookBegins:
					o.look(t.Context(), true, 1, start, lookPatience)
				case comes:
					answers <- x
					f := <-o.found
					f.coverage = x.coverage // as if renew had said so
					o.done(f)
				}
			}
			if o.want != test.want || o.writing != test.writing {
				t.Errorf("look wanted %v, writer known %v; want %v, %v", o.want, o.writing, test.want, test.writing)
			}
		})
	}
}

// When the events end, whatever was written in between must be looked for.
func TestFileEventsEnd(t *testing.T) {
	o := newTestObserver()
	o.events, o.writing = make(chan fileEvent), true
	o.take(fileEvent{}, false)
	if o.events != nil || !o.want || o.writing {
		t.Errorf("events %v, look wanted %v, writer known %v; want none, a look, none", o.events, o.want, o.writing)
	}
}

// TestSubscribeHangs: a filesystem that does not answer holds up nothing but its
// own looks. They come after the subscription: nothing happens in between.
func TestSubscribeHangs(t *testing.T) {
	o := newTestObserver()
	answer := make(chan struct{})
	events := make(chan fileEvent)
	var renewed bool
	o.subscribe = func(context.Context, string) (subscription, error) {
		<-answer
		return subscription{events: events, renew: func() (coverage, error) { renewed = true; return coverage{}, nil }}, nil
	}
	o.lookAt = func(string) look {
		if !renewed {
			t.Error("it looks before it has subscribed")
		}
		return absent
	}
	o.look(t.Context(), true, 1, start, lookPatience)
	o.look(t.Context(), true, 2, start.Add(lookPatience), lookPatience)
	f := <-o.found
	if o.done(f); f.kind != fileNotYet || o.looking.IsZero() {
		t.Errorf("found %+v; want to be told that nothing answers, of a look that is under way", f)
	}
	close(answer)
	if o.done(<-o.found); o.events != events || !o.looking.IsZero() {
		t.Errorf("events %v, looking since %v; want the subscription, and no look", o.events, o.looking)
	}
}
