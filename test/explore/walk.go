package explore

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Walked is what walks have covered.
type Walked struct {
	Walks, Transitions int
	Violations         []Violation
}

// Walk plays long random sequences, each of length events, until there were n of
// them, or time is up. What it finds wrong it tells as a story from which nothing can
// be left out.
func Walk[M any](models []Model[M], seed uint64, n, length int, until time.Time) Walked {
	var w Walked
	told := map[string]bool{}
	for i := range n {
		if !until.IsZero() && time.Now().After(until) {
			break
		}
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		model := &models[rng.IntN(len(models))]
		story, wrong := model.walk(rng, length)
		w.Walks++
		w.Transitions += len(story)
		for _, what := range wrong {
			if told[rule(what)] {
				continue
			}
			told[rule(what)] = true
			v := Violation{What: what, Story: []string{model.Name}}
			for _, e := range model.shorten(story, what) {
				v.Story = append(v.Story, model.Events[e].Name)
			}
			w.Violations = append(w.Violations, v)
		}
	}
	sortViolations(w.Violations)
	return w
}

// walk returns what happened, as indexes of events, and what was wrong at its end.
func (x *Model[M]) walk(rng *rand.Rand, length int) (story []int, wrong []string) {
	m := x.Start
	for range length {
		var can []int
		for i := range x.Events {
			if x.Events[i].Can(m) {
				can = append(can, i)
			}
		}
		if len(can) == 0 {
			break
		}
		e := can[rng.IntN(len(can))]
		story = append(story, e)
		if m, wrong = x.Events[e].Do(m); len(wrong) > 0 {
			return story, wrong
		}
	}
	return story, x.End(m, 0)
}

// shorten leaves out what it can while the same is wrong at some time.
func (x *Model[M]) shorten(story []int, what string) []int {
	for i := 0; i < len(story); {
		without := slices.Delete(slices.Clone(story), i, i+1)
		if played, ok := x.play(without, what); ok {
			story, i = played, 0
		} else {
			i++
		}
	}
	return story
}

// play plays a story for as far as it goes, and says where the fault showed.
func (x *Model[M]) play(story []int, what string) (played []int, shows bool) {
	m := x.Start
	var wrong []string
	for _, e := range story {
		if !x.Events[e].Can(m) {
			continue
		}
		played = append(played, e)
		if m, wrong = x.Events[e].Do(m); len(wrong) > 0 {
			return played, breaks(wrong, what)
		}
	}
	return played, breaks(x.End(m, 0), what)
}

// breaks reports whether the rule is broken that what tells of.
func breaks(wrong []string, what string) bool {
	return slices.ContainsFunc(wrong, func(w string) bool { return rule(w) == rule(what) })
}
