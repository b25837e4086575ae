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

// looked begins a look, and waits for it where it has begun.
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

// TestPoll: the clock asks for a look every interval, and a tenth as often where
// events tell of every change.
func TestPoll(t *testing.T) {
	const interval = 2 * time.Second
	tests := []struct {
		name   string
		events bool
		found  look
		want   time.Duration
	}{
		{"no events", false, absent, interval},
		{"events, no file", true, absent, 10 * interval},
		{"events, a file", true, look{kind: fileInvalid, alone: true, err: errors.New("not JSON")}, 10 * interval},
		{"events, an empty file", true, look{kind: fileNotYet, alone: true}, interval},
		{"events, a file that cannot be read now", true, look{kind: fileNotYet, alone: true, err: errors.New("EIO")}, interval},
		{"events, a file with another name", true, look{kind: fileInvalid, err: errors.New("not JSON")}, interval},
		{"events, a dangling link", true, look{kind: fileAbsent, link: true}, interval},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := newTestObserver()
			if test.events {
				o.events = make(chan fileEvent)
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

// When events end, the next poll is as near as if there had never been any.
func TestPollAfterEvents(t *testing.T) {
	o := newTestObserver()
	o.events = make(chan fileEvent)
	o.poll(start, time.Minute)
	o.looked(t, false, start)
	o.take(fileEvent{}, false)
	if at := o.nextPoll(time.Minute); !at.Equal(start.Add(time.Minute)) {
		t.Errorf("the next poll is at %v, want %v", at, start.Add(time.Minute))
	}
}

// Even the longest interval has a next poll that lies ahead.
func TestPollLongest(t *testing.T) {
	o := newTestObserver()
	o.events = make(chan fileEvent)
	o.poll(start, time.Duration(math.MaxInt64))
	o.looked(t, false, start)
	if at := o.nextPoll(time.Duration(math.MaxInt64)); !at.After(start) {
		t.Errorf("the next poll is at %v", at)
	}
}

// TestFileEvents says what each event leads to.
func TestFileEvents(t *testing.T) {
	var (
		created  = fileEvent{created: true, look: true}
		modified = fileEvent{modified: true}
		closed   = fileEvent{closed: true, look: true}
		chmod    = fileEvent{look: true}
		lost     = fileEvent{lost: true}
		other    = func(ev fileEvent) fileEvent { ev.other = true; return ev }
	)
	file, hardLink := look{alone: true}, look{}
	link := look{link: true}
	tests := []struct {
		name          string
		story         []any // events, and looks that come back
		want, writing bool
	}{
		{"created", []any{created}, true, false},
		{"a file is created", []any{created, file}, true, true},
		{"a hard link is created", []any{created, hardLink}, true, false},
		{"a link is created", []any{created, link}, true, false},
		{"a file is created and closed", []any{created, closed, file}, true, false},
		{"a file is created and closed after the look", []any{created, file, closed}, true, false},
		{"a file is created, later a link", []any{created, file, closed, created, link}, true, false},
		{"modified", []any{modified}, false, true},
		{"modified, looked at", []any{modified, file}, false, true},
		{"modified and closed", []any{modified, closed}, true, false},
		{"closed by one, modified by another", []any{modified, closed, modified}, true, true},
		{"chmod", []any{chmod}, true, false},
		{"chmod while it is written", []any{modified, chmod}, true, true},
		{"another file is created", []any{other(created), file}, false, false},
		{"another file is modified", []any{other(modified)}, false, false},
		{"another file is closed", []any{modified, other(closed)}, false, true},
		{"another file is closed, the name is a link", []any{link, other(closed)}, true, false},
		{"another file is modified, the name is a link", []any{link, other(modified)}, false, false},
		{"another file is closed, the name was a link", []any{link, file, other(closed)}, false, false},
		{"lost", []any{modified, lost}, true, false},
		{"lost after it was created", []any{created, lost, file}, true, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := newTestObserver()
			for _, happens := range test.story {
				switch x := happens.(type) {
				case fileEvent:
					o.take(x, true)
				case look:
					o.done(found{look: x})
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
	var subscribed bool
	o.subscribe = func(context.Context, string) (<-chan fileEvent, error) {
		<-answer
		subscribed = true
		return events, nil
	}
	o.lookAt = func(string) look {
		if !subscribed {
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
