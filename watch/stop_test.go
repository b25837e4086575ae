package watch

import (
	"fmt"
	"testing"
	"time"
)

// triggers are the seconds after the start at which they are first seen.
func triggers(sigterm, deletion, deleted int) (s stop) {
	for trigger, n := range map[*time.Time]int{&s.sigterm: sigterm, &s.deletion: deletion, &s.deleted: deleted} {
		if n != none {
			seen(trigger, start.Add(time.Duration(n)*time.Second))
		}
	}
	return s
}

// TestStopTriggers has the three triggers in every order, ten seconds apart,
// with a grace period of 30 s.
func TestStopTriggers(t *testing.T) {
	type ends struct{ report, kill time.Duration }
	tests := []struct {
		name                       string
		sigterm, deletion, deleted int
		regular, sidecar           ends
	}{
		{"SIGTERM", 0, none, none, ends{25 * sec, 30 * sec}, ends{25 * sec, 30 * sec}},
		{"deletion", none, 0, none, ends{25 * sec, 30 * sec}, ends{25 * sec, 30 * sec}},
		{"gone", none, none, 0, ends{0, 2 * sec}, ends{0, 2 * sec}},
		{"SIGTERM, deletion", 0, 10, none, ends{25 * sec, 30 * sec}, ends{10 * sec, 30 * sec}},
		{"deletion, SIGTERM", 10, 0, none, ends{25 * sec, 30 * sec}, ends{10 * sec, 30 * sec}},
		{"SIGTERM, gone", 0, none, 10, ends{10 * sec, 12 * sec}, ends{10 * sec, 12 * sec}},
		{"gone, SIGTERM", 10, none, 0, ends{0, 2 * sec}, ends{0, 2 * sec}},
		{"deletion, gone", none, 0, 10, ends{10 * sec, 12 * sec}, ends{10 * sec, 12 * sec}},
		{"gone, deletion", none, 10, 0, ends{0, 2 * sec}, ends{0, 2 * sec}},
		{"SIGTERM, deletion, gone", 0, 10, 20, ends{20 * sec, 22 * sec}, ends{20 * sec, 22 * sec}},
		{"deletion, SIGTERM, gone", 10, 0, 20, ends{20 * sec, 22 * sec}, ends{20 * sec, 22 * sec}},
		{"SIGTERM, gone, deletion", 0, 20, 10, ends{10 * sec, 12 * sec}, ends{10 * sec, 12 * sec}},
		{"deletion, gone, SIGTERM", 20, 0, 10, ends{10 * sec, 12 * sec}, ends{10 * sec, 12 * sec}},
		{"gone, SIGTERM, deletion", 10, 20, 0, ends{0, 2 * sec}, ends{0, 2 * sec}},
		{"gone, deletion, SIGTERM", 20, 10, 0, ends{0, 2 * sec}, ends{0, 2 * sec}},
		{"deletion and SIGTERM at once", 5, 5, none, ends{30 * sec, 35 * sec}, ends{5 * sec, 35 * sec}},
		{"deletion, SIGTERM with the grace period all but used up", 29, 0, none, ends{25 * sec, 30 * sec}, ends{29 * sec, 31 * sec}},
		{"deletion, SIGTERM after the grace period", 31, 0, none, ends{25 * sec, 30 * sec}, ends{31 * sec, 33 * sec}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := triggers(test.sigterm, test.deletion, test.deleted)
			if !s.begun() {
				t.Error("not begun")
			}
			if last := max(test.sigterm, test.deletion, test.deleted); !s.latest().Equal(start.Add(time.Duration(last) * sec)) {
				t.Errorf("last seen to come nearer at %v", s.latest().Sub(start))
			}
			for sidecar, want := range map[bool]ends{false: test.regular, true: test.sidecar} {
				got := ends{s.reportAt(30*sec, sidecar, 0).Sub(start), s.killAt(30*sec, sidecar).Sub(start)}
				if got != want {
					t.Errorf("sidecar %v: report and kill at %v, want %v", sidecar, got, want)
				}
			}
		})
	}
}

// TestStopMargin is what is kept of a grace period for the write.
func TestStopMargin(t *testing.T) {
	tests := []struct{ grace, slowest, report time.Duration }{
		{0, 0, 0},
		{1 * sec, 0, 333333334},
		{3 * sec, 0, 1 * sec},
		{6 * sec, 0, 2 * sec},
		{7500 * time.Millisecond, 0, 2500 * time.Millisecond},
		{9 * sec, 0, 4 * sec},
		{30 * sec, 0, 25 * sec},
		{600 * sec, 0, 595 * sec},
		{30 * sec, 1200 * time.Millisecond, 25 * sec},
		{30 * sec, 1250 * time.Millisecond, 24800 * time.Millisecond},
		{30 * sec, 2 * sec, 21800 * time.Millisecond},
		{30 * sec, 3 * sec, 17800 * time.Millisecond},
		{30 * sec, 5 * sec, 10 * sec},
		{30 * sec, 20 * sec, 10 * sec},
		{600 * sec, 20 * sec, 519800 * time.Millisecond},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%v, answers of %v", test.grace, test.slowest), func(t *testing.T) {
			for name, s := range map[string]stop{"SIGTERM": triggers(0, none, none), "deletion": triggers(none, 0, none), "both": triggers(3, 0, none)} {
				if got := s.reportAt(test.grace, false, test.slowest).Sub(start); got != test.report {
					t.Errorf("%s: report at %v, want %v", name, got, test.report)
				}
				if got := s.killAt(test.grace, false).Sub(start); got != test.grace {
					t.Errorf("%s: killed at %v, want %v", name, got, test.grace)
				}
			}
			late := triggers(int(test.grace.Truncate(sec)/sec)+1, 0, none) // a native sidecar's, when its adapter has used it all
			began := late.sigterm.Sub(start)
			if got := late.reportAt(test.grace, true, test.slowest).Sub(start); got != began {
				t.Errorf("late: report at %v, want %v", got, began)
			}
			if got, want := late.killAt(test.grace, true).Sub(start), began+2*sec; got != want {
				t.Errorf("late: killed at %v, want %v", got, want)
			}
		})
	}
}

// TestInterimAt: a stop of the kubelet's own is told soon, any other is not.
func TestInterimAt(t *testing.T) {
	const never = -1
	tests := []struct {
		name  string
		story []event
		want  time.Duration // after SIGTERM at one second
	}{
		{"SIGTERM", []event{tells(alive()), at(sec), sigterm}, 500 * time.Millisecond},
		{"the Pod is not known", []event{at(sec), sigterm}, 500 * time.Millisecond},
		{"a native sidecar", []event{tells(with(alive(), sidecar)), at(sec), sigterm}, sec},
		{"a rule restarts all containers", []event{tells(with(alive(), hasRule)), at(sec), sigterm}, sec},
		{"no SIGTERM", []event{tells(alive()), at(sec)}, never},
		{"the Pod is being deleted", []event{at(sec), tells(with(alive(), deleting))}, never},
		{"SIGTERM, the Pod is being deleted", []event{at(sec), sigterm, tells(with(alive(), deleting))}, never},
		{"SIGTERM, the Pod is gone", []event{at(sec), sigterm, podGone}, never},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := happened(test.story...)
			got, want := s.interimAt(), start.Add(sec+test.want)
			if test.want == never {
				want = time.Time{}
			}
			if !got.Equal(want) {
				t.Errorf("told at %v, want %v", got, want)
			}
		})
	}
}

func TestStopTriggerCountsOnce(t *testing.T) {
	var s stop
	if s.begun() {
		t.Error("a stop has begun without a trigger")
	}
	if !seen(&s.sigterm, start) || seen(&s.sigterm, start.Add(sec)) {
		t.Error("the first SIGTERM must be news, the second not")
	}
	if !s.began().Equal(start) {
		t.Errorf("began at %v, want the first SIGTERM's time %v", s.began(), start)
	}
}

// TestTimeIsUp is a process that wakes when its stop should be over.
func TestTimeIsUp(t *testing.T) {
	tests := []struct {
		name  string
		grace time.Duration
		awake time.Duration // after SIGTERM
		want  time.Duration // SIGKILL
	}{
		{"in time", 30 * sec, 25 * sec, 30 * sec},
		{"some of it is left", 30 * sec, 28 * sec, 30 * sec},
		{"exactly over", 30 * sec, 30 * sec, 32 * sec},
		{"long over", 30 * sec, 90 * sec, 92 * sec},
		{"there was none", 0, 0, 2 * sec},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := happened(tells(with(alive(), graced(test.grace))), sigterm)
			s.note(start.Add(test.awake))
			s.note(start.Add(test.awake + sec)) // its time is that of the first note
			if got := s.killAt().Sub(start); got != test.want {
				t.Errorf("SIGKILL expected at %v, want %v", got, test.want)
			}
		})
	}
}
