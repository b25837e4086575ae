package watch

import (
	"testing"
	"time"
)

// none is a trigger that is not seen.
const none = -1

// triggers are the seconds after the start at which they are first seen.
func triggers(sigterm, deletion, gone int) (s stop) {
	for trigger, n := range map[*time.Time]int{&s.sigterm: sigterm, &s.deletion: deletion, &s.gone: gone} {
		if n != none {
			seen(trigger, start.Add(time.Duration(n)*time.Second))
		}
	}
	return s
}

// TestStopTriggers has the three triggers in every order, ten seconds apart,
// with a grace period of 30 s.
func TestStopTriggers(t *testing.T) {
	type ends struct{ speak, kill time.Duration }
	tests := []struct {
		name                    string
		sigterm, deletion, gone int
		regular, sidecar        ends
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
			s := triggers(test.sigterm, test.deletion, test.gone)
			if !s.begun() {
				t.Error("not begun")
			}
			for sidecar, want := range map[bool]ends{false: test.regular, true: test.sidecar} {
				got := ends{s.speakAt(30*sec, sidecar).Sub(start), s.killAt(30*sec, sidecar).Sub(start)}
				if got != want {
					t.Errorf("sidecar %v: speak and kill at %v, want %v", sidecar, got, want)
				}
			}
		})
	}
}

func TestStopGracePeriods(t *testing.T) {
	tests := []struct{ grace, speak time.Duration }{
		{0, 0},
		{1 * sec, 500 * time.Millisecond},
		{2 * sec, 1 * sec},
		{10 * sec, 5 * sec},
		{11 * sec, 6 * sec},
		{30 * sec, 25 * sec},
		{600 * sec, 595 * sec},
	}
	for _, test := range tests {
		t.Run(test.grace.String(), func(t *testing.T) {
			for name, s := range map[string]stop{"SIGTERM": triggers(0, none, none), "deletion": triggers(none, 0, none), "both": triggers(3, 0, none)} {
				if got := s.speakAt(test.grace, false).Sub(start); got != test.speak {
					t.Errorf("%s: speak at %v, want %v", name, got, test.speak)
				}
				if got := s.killAt(test.grace, false).Sub(start); got != test.grace {
					t.Errorf("%s: killed at %v, want %v", name, got, test.grace)
				}
			}
			late := triggers(int(test.grace/sec), 0, none) // a native sidecar's, when its adapter has used it all
			if got := late.speakAt(test.grace, true).Sub(start); got != test.grace {
				t.Errorf("late: speak at %v, want %v", got, test.grace)
			}
			if got, want := late.killAt(test.grace, true).Sub(start), test.grace+2*sec; got != want {
				t.Errorf("late: killed at %v, want %v", got, want)
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
			s := newState("", time.Hour, 0, start)
			s.sawPod(with(alive(), graced(test.grace)))
			sigterm(&s)
			s.note(start.Add(test.awake))
			s.note(start.Add(test.awake + sec)) // its time is that of the first note
			if got := s.killAt().Sub(start); got != test.want {
				t.Errorf("SIGKILL expected at %v, want %v", got, test.want)
			}
		})
	}
}
