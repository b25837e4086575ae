// Package chaos plays random Jobs, and judges the reporter by what there was to see.
package chaos

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/openshift-hyperfleet/status-reporter/test/program"
	"github.com/openshift-hyperfleet/status-reporter/testdata/suite"
)

var (
	chaosN    = flag.Int("chaos.n", 40, "Jobs that TestChaos plays")
	chaosSeed = flag.Uint64("chaos.seed", 1, "what they are drawn from")
	chaosOnly = flag.Int("chaos.only", -1, "play this one alone, and tell its story")
)

// TestChaos plays Jobs with random adapters against a server with random
// faults. Seed and index make the same scenario each time; the pauses between
// attempts are random all the same.
func TestChaos(t *testing.T) {
	c, golden := program.DefaultCase(t), suite.Load(t, suite.Contract)
	counts := tally{}
	t.Run("jobs", func(t *testing.T) {
		for i := range *chaosN {
			if *chaosOnly >= 0 {
				i = *chaosOnly
			}
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				s := newScenario(*chaosSeed, i, golden)
				synctest.Test(t, func(t *testing.T) {
					if *chaosOnly >= 0 {
						fmt.Println(s)
					}
					w := playChaos(t, c, s)
					v := w.judge()
					counts.add(w, v)
					if len(v.wrong) > 0 || *chaosOnly >= 0 {
						t.Logf("%s\nended at %s with exit code %d, killed %v; troubles %v\nrequests:\n%s", s, w.ended, w.code, w.killed, w.troubles, w.traffic())
					}
					if len(v.wrong) > 0 {
						t.Errorf("make chaos SEED=%d ONLY=%d\n%s", *chaosSeed, i, strings.Join(v.wrong, "\n"))
					}
				})
			})
			if *chaosOnly >= 0 {
				break
			}
		}
	})
	fmt.Print(counts.String())
}

func (w *world) traffic() string {
	var b strings.Builder
	for _, r := range w.Server.Requests() {
		fmt.Fprintf(&b, "%14s %s %s %d %s", r.Time.Sub(w.Began), r.Verb, r.Resource, r.Code, r.Fault)
		if r.Verb == "patch" {
			fmt.Fprintf(&b, " %v", patched(r))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// tally counts what was played and what became of it.
type tally struct {
	mu     sync.Mutex
	counts map[string]map[string]int
}

func (c *tally) add(w *world, v *verdict) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]map[string]int{"wrong": {"lost": 0, "false": 0, "late": 0}}
	}
	one := func(group, word string) {
		if c.counts[group] == nil {
			c.counts[group] = map[string]int{}
		}
		c.counts[group][word]++
	}
	one("adapter", w.s.adapter)
	if w.s.stop != "" {
		one("stop", w.s.stop)
	}
	one("ended", v.outcome)
	if v.reason != "" {
		reason := v.reason
		if !strings.HasPrefix(reason, "Adapter") && !strings.HasPrefix(reason, "Invalid") {
			reason = "the adapter's own"
		}
		one("delivered", reason)
	}
	for f := range w.faults {
		one("fault", f)
	}
	for _, r := range w.Server.Requests() {
		if kind, _, _ := strings.Cut(r.Fault, ".After"); kind != "" {
			one("fault", kind)
		}
	}
	for _, x := range v.wrong {
		kind, _, _ := strings.Cut(x, ":")
		one("wrong", kind)
	}
}

func (c *tally) String() string {
	var b strings.Builder
	for _, group := range slices.Sorted(maps.Keys(c.counts)) {
		fmt.Fprintf(&b, "%s:\n", group)
		for _, word := range slices.Sorted(maps.Keys(c.counts[group])) {
			fmt.Fprintf(&b, "%8d  %s\n", c.counts[group][word], word)
		}
	}
	return b.String()
}
