// Package explore plays all that can happen to a machine, in every order, up to a
// number of events. It goes breadth first, so that what it finds wrong it tells as
// a shortest story, and merges what is the same, so that it comes further.
package explore

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Event is something that may happen to a machine.
type Event[M any] struct {
	Name string
	Can  func(M) bool
	// Do is the machine after it; the one before it stays as it is. Wrong says what
	// was not as it must be: "the rule: and how it was broken".
	Do func(M) (then M, wrong []string)
}

// Model is a machine, and all that can happen to it.
type Model[M any] struct {
	Name   string
	Start  M
	Events []Event[M]
	// Key is the same for machines to which the same may happen from here on.
	Key func(M) uint64
	// End lets a machine run on by itself, and says what is wrong with how it ends. It
	// is asked once for each state, with the state's number.
	End func(m M, n int) (wrong []string)
}

// Limits bound an exploration.
type Limits struct {
	Depth   int
	Until   time.Time // zero: for as long as it takes
	Workers int
}

// Covered is what was explored.
type Covered struct {
	Depth               int // all up to this is covered
	States, Transitions int
	Cut                 bool // time ran out before all was covered
	Violations          []Violation
}

// Violation is what was found wrong, with a shortest story that leads there.
type Violation struct {
	What  string
	Story []string
}

func (v Violation) String() string {
	return v.What + "\n\t" + strings.Join(v.Story, "\n\t")
}

func (c Covered) String() string {
	s := fmt.Sprintf("depth %d: %d states, %d transitions", c.Depth, c.States, c.Transitions)
	if c.Cut {
		s += " (CUT: time ran out, what is deeper is covered in part)"
	}
	return s
}

// step is how a state was first reached.
type step struct {
	from  int32
	event string
}

type node[M any] struct {
	m  M
	at int32 // in steps
}

// found is a state that was reached just now, perhaps not for the first time.
type found[M any] struct {
	m     M
	key   uint64
	step  step
	wrong []string
}

type explorer[M any] struct {
	Model[M]
	Limits
	covered Covered
	seen    map[uint64]struct{}
	steps   []step
	wrong   map[string]shown // by the rule
}

// batch is how many states are explored between two looks at the clock.
const batch = 1024

// Explore covers a model.
func Explore[M any](model Model[M], limits Limits) Covered {
	x := &explorer[M]{
		Model: model, Limits: limits, seen: map[uint64]struct{}{model.Key(model.Start): {}},
		steps: []step{{-1, ""}}, wrong: map[string]shown{},
	}
	x.covered.States = 1
	x.fault(x.End(model.Start, 0), 0)
	frontier := []node[M]{{model.Start, 0}}
	for depth := 1; depth <= x.Depth && len(frontier) > 0 && !x.covered.Cut; depth++ {
		frontier = x.level(frontier, depth == x.Depth)
		if !x.covered.Cut {
			x.covered.Depth = depth
		}
	}
	if !x.covered.Cut {
		x.covered.Depth = x.Depth
	}
	x.tell()
	return x.covered
}

// level explores what follows a frontier, and returns the next one.
func (x *explorer[M]) level(frontier []node[M], last bool) (next []node[M]) {
	for part := range slices.Chunk(frontier, batch) {
		if !x.Until.IsZero() && time.Now().After(x.Until) {
			x.covered.Cut = true
			return nil
		}
		results := make([][]found[M], len(part))
		parallel(x.Workers, len(part), func(i int) { results[i] = x.expand(part[i]) })
		fresh := x.merge(results)
		wrong := make([][]string, len(fresh))
		parallel(x.Workers, len(fresh), func(i int) { wrong[i] = x.End(fresh[i].m, int(fresh[i].at)) })
		for i := range fresh {
			x.fault(wrong[i], fresh[i].at)
		}
		if !last {
			next = append(next, fresh...)
		}
	}
	return next
}

func (x *explorer[M]) expand(n node[M]) (all []found[M]) {
	for i := range x.Events {
		e := &x.Events[i]
		if !e.Can(n.m) {
			continue
		}
		then, wrong := e.Do(n.m)
		f := found[M]{m: then, key: x.Key(then), step: step{n.at, e.Name}, wrong: wrong}
		if _, known := x.seen[f.key]; known && len(wrong) == 0 {
			var none M
			f.m = none // let it go
		}
		all = append(all, f)
	}
	return all
}

// merge takes in what was found, in order, so that two explorations are alike. What
// is wrong already is not explored further.
func (x *explorer[M]) merge(results [][]found[M]) (fresh []node[M]) {
	for _, all := range results {
		for _, f := range all {
			x.covered.Transitions++
			if _, known := x.seen[f.key]; known && len(f.wrong) == 0 {
				continue
			}
			at := int32(len(x.steps))
			x.steps = append(x.steps, f.step)
			if len(f.wrong) > 0 {
				x.fault(f.wrong, at)
				continue
			}
			x.seen[f.key] = struct{}{}
			x.covered.States++
			fresh = append(fresh, node[M]{f.m, at})
		}
	}
	return fresh
}

func (x *explorer[M]) fault(wrong []string, at int32) {
	for _, what := range wrong {
		if _, known := x.wrong[rule(what)]; !known {
			x.wrong[rule(what)] = shown{what, at}
		}
	}
}

// shown is where it first showed that something is wrong.
type shown struct {
	what string
	at   int32
}

// rule is the part of what is wrong by which one is told from another.
func rule(what string) string {
	name, _, _ := strings.Cut(what, ": ")
	return name
}

func (x *explorer[M]) tell() {
	for _, s := range x.wrong {
		v, at := Violation{What: s.what}, s.at
		for ; at > 0; at = x.steps[at].from {
			v.Story = append(v.Story, x.steps[at].event)
		}
		v.Story = append(v.Story, x.Name)
		slices.Reverse(v.Story)
		x.covered.Violations = append(x.covered.Violations, v)
	}
	sortViolations(x.covered.Violations)
}

func sortViolations(all []Violation) {
	slices.SortFunc(all, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(len(a.Story), len(b.Story)), cmp.Compare(a.What, b.What))
	})
}

// parallel does something for each of n, on some goroutines.
func parallel(workers, n int, do func(i int)) {
	var wg sync.WaitGroup
	const share = 16
	next := make(chan int, n/share+1)
	for i := 0; i < n; i += share {
		next <- i
	}
	close(next)
	for range max(workers, 1) {
		wg.Go(func() {
			for from := range next {
				for i := from; i < min(from+share, n); i++ {
					do(i)
				}
			}
		})
	}
	wg.Wait()
}
