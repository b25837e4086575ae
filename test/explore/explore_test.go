package explore_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openshift-hyperfleet/status-reporter/test/explore"
)

// lock opens by a sequence of digits; the model says it must not.
type lock struct{ tried string }

// locked is a lock of two digits that merges what it forgets: all but the last n tries.
func locked(n int, secret string, end func(m lock) []string) explore.Model[lock] {
	model := explore.Model[lock]{Name: "a lock", Key: func(m lock) uint64 {
		var key uint64
		for _, c := range m.tried {
			key = key*10 + uint64(c-'0') + 1
		}
		return key
	}, End: func(m lock, _ int) []string {
		if end == nil {
			return nil
		}
		return end(m)
	}}
	for _, digit := range []string{"0", "1"} {
		model.Events = append(model.Events, explore.Event[lock]{Name: digit,
			Can: func(m lock) bool { return m.tried != "000" },
			Do: func(m lock) (lock, []string) {
				m.tried += digit
				m.tried = m.tried[max(0, len(m.tried)-n):]
				if strings.HasSuffix(m.tried, secret) {
					return m, []string{"it stays locked: " + m.tried}
				}
				return m, nil
			}})
	}
	return model
}

func TestExplore(t *testing.T) {
	const never = "2"
	for _, tt := range []struct {
		name   string
		model  explore.Model[lock]
		depth  int
		states int
		trans  int
		want   []string
	}{
		{"none", locked(4, never, nil), 0, 1, 0, nil},
		{"one", locked(4, never, nil), 1, 3, 2, nil},
		{"all of three", locked(4, never, nil), 3, 15, 14, nil},
		{"what cannot happen does not", locked(4, never, nil), 4, 29, 28, nil}, // after 000
		{"what is the same is merged", locked(1, never, nil), 9, 3, 6, nil},
		{"a shortest story", locked(4, "101", nil), 4, 0, 0, []string{"it stays locked: 101\n\ta lock\n\t1\n\t0\n\t1"}},
		{"deeper than it goes", locked(4, "101", nil), 2, 7, 6, nil},
		{"each rule once, with how it was first broken", locked(4, "1", nil), 4, 0, 0, []string{"it stays locked: 1\n\ta lock\n\t1"}},
		{"an end", locked(4, never, func(m lock) []string {
			if m.tried == "01" {
				return []string{"it ends"}
			}
			return nil
		}), 2, 7, 6, []string{"it ends\n\ta lock\n\t0\n\t1"}},
		{"an end at the start", locked(4, never, func(m lock) []string { return []string{"it ends: " + m.tried} }), 1, 3, 2, []string{"it ends: \n\ta lock"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var first explore.Covered
			for workers := range 4 {
				c := explore.Explore(tt.model, explore.Limits{Depth: tt.depth, Workers: workers})
				if diff := cmp.Diff(tt.want, stories(c.Violations)); diff != "" {
					t.Errorf("violations (-want +got):\n%s", diff)
				}
				if tt.states > 0 && (c.States != tt.states || c.Transitions != tt.trans) || c.Cut || c.Depth != tt.depth {
					t.Errorf("%s, want %d states, %d transitions", c, tt.states, tt.trans)
				}
				if workers == 0 {
					first = c
				} else if diff := cmp.Diff(first, c); diff != "" {
					t.Errorf("with %d workers (-none +got):\n%s", workers, diff)
				}
			}
		})
	}
}

func stories(all []explore.Violation) (list []string) {
	for _, v := range all {
		list = append(list, v.String())
	}
	return list
}

func TestExploreIsCutInTime(t *testing.T) {
	c := explore.Explore(locked(60, "2", nil), explore.Limits{Depth: 60, Until: time.Now().Add(50 * time.Millisecond)})
	if !c.Cut || c.Depth >= 60 || !strings.Contains(c.String(), "CUT") {
		t.Error(c)
	}
	c = explore.Explore(locked(4, "2", nil), explore.Limits{Depth: 3, Until: time.Now().Add(time.Hour)})
	if c.Cut || strings.Contains(c.String(), "CUT") {
		t.Error(c)
	}
}

// A walk finds what is deep, tells nothing that is of no account, and the same again.
func TestWalk(t *testing.T) {
	models := []explore.Model[lock]{locked(9, "11001", nil)}
	w := explore.Walk(models, 1, 200, 12, time.Time{})
	if diff := cmp.Diff([]string{"a lock", "1", "1", "0", "0", "1"}, w.Violations[0].Story); diff != "" || len(w.Violations) != 1 {
		t.Errorf("%d violations, story (-want +got):\n%s", len(w.Violations), diff)
	}
	if again := explore.Walk(models, 1, 200, 12, time.Time{}); !slices.EqualFunc(w.Violations, again.Violations, func(a, b explore.Violation) bool { return a.String() == b.String() }) || again.Transitions != w.Transitions {
		t.Errorf("another walk: %v", again)
	}
	if other := explore.Walk(models, 2, 200, 12, time.Time{}); other.Transitions == w.Transitions {
		t.Errorf("another seed, and the same %d transitions", w.Transitions)
	}
	if none := explore.Walk(models, 1, 200, 12, time.Now()); none.Walks != 0 {
		t.Error(fmt.Sprint(none))
	}
}

// An end that is wrong is found by a walk as well.
func TestWalkEnds(t *testing.T) {
	w := explore.Walk([]explore.Model[lock]{locked(9, "2", func(m lock) []string {
		if strings.Contains(m.tried, "11") {
			return []string{"it ends: " + m.tried}
		}
		return nil
	})}, 1, 20, 6, time.Time{})
	if len(w.Violations) != 1 || strings.Join(w.Violations[0].Story, " ") != "a lock 1 1" {
		t.Error(w.Violations)
	}
}
