package watch

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/test/explore"
)

var (
	exploreDepth  = flag.Int("explore.depth", 1, "how many events may follow each other; see beginnings")
	exploreTime   = flag.Duration("explore.time", 0, "at most; 0: for as long as it takes")
	exploreOnly   = flag.String("explore.only", "", "only beginnings whose names have this")
	exploreStory  = flag.String("explore.story", "", "a story for TestTell: a setup, and what happens, between semicolons")
	exploreUpdate = flag.Bool("explore.update", false, "rewrite what is said of how much is covered")
	walkN         = flag.Int("walk.n", 500, "how many random stories to play")
	walkSeed      = flag.Uint64("walk.seed", 1, "what they are drawn from")
)

// setups are the Pods, Jobs and servers that the stories are about. The first few are
// explored to the full depth, the others to one less.
func setups() []*setup {
	return []*setup{
		{name: "second container", whole: true, grace: 30, jitter: 2},
		{name: "native sidecar", whole: true, sidecar: true, grace: 30, jitter: 2},
		{name: "OnFailure", whole: true, onFailure: true, grace: 30, jitter: 2},
		{name: "down from the start", whole: true, grace: 30, jitter: 2, api: func(w *world) { w.api = [requests]mode{away, away, away, away} }},
		{name: "last try, grace 2", lastTry: true, grace: 2, jitter: 2},
		{name: "poll only", pollOnly: true, grace: 30, jitter: 2},
		{name: "hostPath", hostPath: true, grace: 30, jitter: 2},
		{name: "not started", waits: true, grace: 30, jitter: 2},
		{name: "grace 0", grace: 0, jitter: 4},
		{name: "grace 7200, native sidecar", sidecar: true, grace: 7200, jitter: 0},
		{name: "grace 7200, second container", grace: 7200, jitter: 0},
		{name: "no Job's Pod", foreign: true, grace: 30, jitter: 2},
		{name: "misconfigured", misconf: true, grace: 30, jitter: 2, api: func(w *world) { w.hold[getJob] = true }},
		{name: "GET Pod refused from the start", grace: 30, jitter: 2, api: func(w *world) { w.api[getPod], w.api[watching] = forbids, forbids }},
		{name: "GET Job refused from the start", grace: 30, jitter: 2, api: func(w *world) { w.api[getJob] = forbids }},
		{name: "slow from the start", grace: 30, jitter: 2, api: func(w *world) { w.hold[getPod], w.hold[getJob], w.api[watching] = true, true, silent }},
		{name: "native sidecar, watch refused", sidecar: true, grace: 30, jitter: 2, api: func(w *world) { w.api[watching] = forbids }},
		{name: "label and annotation", metadata: true, grace: 30, jitter: 2},
		{name: "native sidecar, label and annotation refused", sidecar: true, metadata: true, refused: true, grace: 30, jitter: 2},
		{name: "native sidecar, OnFailure, hostPath", sidecar: true, hostPath: true, onFailure: true, grace: 30, jitter: 2},
	}
}

// preludes are what has happened already at other beginnings, of the setups whose
// depth is whole.
var preludes = []string{
	"API: the next GET Job gets no answer for a while; Pod: the adapter exits 1",
	"API: the next PATCH gets no answer for a while; Pod: the adapter exits 1",
	"API: the next PATCH gets no answer for a while; file: success",
	"API: the next GET Pod gets no answer for a while; +5m0s",
	"API: the next GET Pod gets no answer for a while; file: half; +12s",
	"API: the next GET Job gets no answer for a while; file: half; +12s",
	"SIGTERM; +1s",
	"Pod: deletion begins; +12s",
	"Job: another Pod's True; API: the next GET Job gets no answer for a while; Pod: the adapter exits 1",
	"Job: another Pod's True; API: the next GET Pod gets no answer for a while; Pod: the adapter exits 1",
	"API: down; +5m0s",
	"API: down; Pod: the adapter exits 1; +1m10s",
	"API: GET Job is refused (403); Pod: the adapter exits 1; +12s",
	"API: GET Pod is refused (403); API: the watch is refused (403); +12s",
	"API: the watch says nothing; file: half",
	"API: the watch says nothing; Pod: deleted",
	"API: the watch says nothing; Pod: the adapter is OOM-killed",
	"file: a writer opens it; file: half; +12s",
	"API: the next PATCH: given up, and may still arrive; Pod: the adapter exits 1",
	"API: the next PATCH: given up, and may still arrive; SIGTERM; +1s",
	"API: the next PATCH: the answer is lost; Pod: the adapter exits 1",
	"API: the next PATCH: 429, come back in 20 s; Pod: the adapter exits 1",
	"Pod: the adapter exits 1; Pod: the adapter is started again",
	"file: half; Pod: the adapter is OOM-killed; Pod: the adapter is started again",
	"API: the watch says nothing; file: success; Pod: the adapter exits 1; Pod: the adapter is started again",
	"API: down; file: success; Pod: the adapter exits 1; Pod: the adapter is started again",
	"API: down; file: half; Pod: the adapter exits 1; SIGTERM",
	"the filesystem: the next look gets no answer for a while; Pod: the adapter exits 0",
	"the filesystem: the next look gets no answer for a while; file: half; file: success",
	"the filesystem: the next look gets no answer for a while; file: half; Pod: the adapter exits 0; +12s",
	"the filesystem: the next look gets no answer for a while; file: half; Pod: the adapter is started again",
	"the filesystem: the next look gets no answer for a while; +5m0s",
	"the filesystem: the next look gets no answer for a while; SIGTERM; +1s",
	"the filesystem: the next look gets no answer for a while; Pod: deletion begins; +12s",
	"the filesystem: looks fail; file: success; Pod: the adapter exits 0",
	"the filesystem: looks fail; file: success; SIGTERM; +1s",
	"+12s; reporter: killed; reporter: started again",
	"+12s; file: success; reporter: killed; reporter: started again",
	"file: half; +1s; +1s; reporter: killed; file: success",
	"+12s; file: success; reporter: killed; file: removed; reporter: started again",
	"+12s; file: failure; reporter: killed; file: success",
	"+12s; reporter: killed; Pod: the adapter exits 0; reporter: started again",
	"+12s; reporter: killed; file: success; Pod: the adapter exits 1",
	"+12s; API: the next PATCH gets no answer for a while; file: success; reporter: killed, and its PATCH arrives; reporter: started again",
	"+12s; API: the next PATCH gets no answer for a while; file: success; reporter: killed, and its PATCH may still arrive; file: removed",
	"+5m0s; reporter: killed; reporter: started again",
	"API: the next PATCH gets no answer for a while; +5m0s; reporter: killed, and its PATCH may still arrive; file: success",
	"+12s; file: half; Pod: the adapter exits 1; reporter: killed; Pod: the adapter is started again; reporter: started again",
	"+12s; API: GET Pod meets nobody; API: the watch meets nobody; reporter: killed; file: success; reporter: started again",
}

// TestExplore plays all that can happen, in every order, see docs/faults.md.
func TestExplore(t *testing.T) {
	limits := explore.Limits{Depth: *exploreDepth, Workers: runtime.NumCPU()}
	if *exploreTime > 0 {
		limits.Until = time.Now().Add(*exploreTime)
	}
	var all explore.Covered
	beginnings := 0
	begin := func(c *setup, prelude string, less int) {
		model, ok := modelOf(c, prelude)
		if !ok || !strings.Contains(model.Name, *exploreOnly) {
			return
		}
		began := time.Now()
		l := limits
		l.Depth -= less
		covered := explore.Explore(model, l)
		t.Logf("%s: %s, %s", model.Name, covered.String(), time.Since(began).Round(time.Millisecond))
		for _, v := range covered.Violations {
			t.Errorf("%s", v)
		}
		beginnings++
		all.States, all.Transitions, all.Cut = all.States+covered.States, all.Transitions+covered.Transitions, all.Cut || covered.Cut
	}
	for _, c := range setups() {
		if c.whole {
			begin(c, "", 0)
		} else {
			begin(c, "", 1)
		}
	}
	for _, c := range setups() {
		for _, prelude := range preludes {
			if c.whole {
				begin(c, prelude, 1)
			}
		}
	}
	all.Depth = *exploreDepth
	t.Logf("%d beginnings, %d events, %s", beginnings, len(alphabet()), all)
	if *exploreOnly == "" && !all.Cut {
		checkCovered(t, all, beginnings)
	}
}

// coveredFile has the paragraph of docs/faults.md that says what is covered.
const coveredFile = "testdata/explored.md"

// checkCovered holds the paragraph to a run of its depth. It has round numbers, so that
// not every change to the state is one to the page.
func checkCovered(t *testing.T, c explore.Covered, beginnings int) {
	round := func(n int) int {
		for digit := 1; ; digit *= 10 {
			if n < 10*digit {
				return n / digit * digit
			}
		}
	}
	text := fmt.Sprintf(`TestExplore plays the whole state, with its file, Pod, Job and server, a filesystem
that hangs or fails, and a reporter that is killed and started again, through every
order of up to %d of %d events from four beginnings, and of up to %d from %d
others: more than %d states and %d transitions, none of which breaks a rule.
Most of all: a result that was seen is never given up for anything else; what
rests on the adapter still running is told only after a look and a reading of the
Pod; and every path ends.
`, c.Depth, len(alphabet()), c.Depth-1, beginnings-4, round(c.States), round(c.Transitions))
	if *exploreUpdate {
		if err := os.WriteFile(coveredFile, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(coveredFile)
	if err != nil {
		t.Fatal(err)
	}
	depth, _ := strconv.Atoi(string(regexp.MustCompile(`up to (\d+) of`).FindSubmatch(got)[1]))
	if depth == c.Depth && string(got) != text {
		t.Errorf("%s is not what was covered; run: make explore UPDATE=1\n got %s\nwant %s", coveredFile, got, text)
	}
}

// TestWalk plays long stories, drawn at random.
func TestWalk(t *testing.T) {
	var models []explore.Model[*machine]
	for _, c := range setups() {
		for _, prelude := range append([]string{""}, preludes...) {
			if model, ok := modelOf(c, prelude); ok {
				models = append(models, model)
			}
		}
	}
	var until time.Time
	if *exploreTime > 0 {
		until = time.Now().Add(*exploreTime)
	}
	w := explore.Walk(models, *walkSeed, *walkN, 25, until)
	t.Logf("seed %d: %d walks, %d transitions", *walkSeed, w.Walks, w.Transitions)
	for _, v := range w.Violations {
		t.Errorf("%s", v)
	}
}

// TestExploredStories are those that broke a rule once, whatever the depth is now.
func TestExploredStories(t *testing.T) {
	for _, story := range []string{
		// A pause of nothing left nothing to wake for.
		"grace 7200, second container; API: GET Job is refused (403); +5m0s",
		"grace 7200, native sidecar; API: the next GET Job gets no answer for a while; +5m0s",
		// A pause between two attempts outlasted an eviction, or a short grace period.
		"second container; API: down; +5m0s; SIGTERM",
		"last try, grace 2; API: GET Job meets nobody; +5m0s; Pod: deletion begins",
		"grace 0; API: GET Job meets nobody; +5m0s; SIGTERM",
		// Faster answers made the final report an interim one again.
		"slow from the start; +1m10s; SIGTERM",
		// The interim report waited for the Pod's first reading.
		"down from the start; file: half; +12s; SIGTERM",
		// The second interim report went by what was read for the first.
		"native sidecar; API: the next PATCH: given up, and may still arrive; SIGTERM; +1s; Pod: disruption",
		// A Pod that may not be read was read again at once, for ever.
		"GET Pod refused from the start; API: the watch says nothing; +1m10s",
		"slow from the start; Pod: deleted",
		// The clock took back a crash that was told.
		"native sidecar, OnFailure, hostPath; Pod: the adapter exits 1; Pod: the adapter is started again; Pod: another has its name; +1m10s",
		// The deadline replaced what the stop had come to.
		"native sidecar; the clock reaches wake; +1m10s; Pod: deletion begins",
		// A file that a stop's end made the run's had not settled before the next wake.
		"OnFailure; +12s; file: half; Pod: the adapter exits 1; reporter: killed; Pod: the adapter is started again; reporter: started again; Pod: deletion begins; the filesystem: the next look gets no answer for a while; +1m10s",
		// What a look found that had hung for long had settled at once.
		"second container; file: half; the filesystem: the next look gets no answer for a while; +1m10s",
		// A result was gone, or hidden, before the Pod's status told whose it was.
		"OnFailure; +12s; API: the next PATCH gets no answer for a while; file: success; reporter: killed, and its PATCH arrives; reporter: started again; file: failure",
		"native sidecar; +12s; API: the next PATCH gets no answer for a while; file: success; reporter: killed, and its PATCH is lost; reporter: started again; file: removed",
		"native sidecar; +12s; API: GET Pod meets nobody; API: the watch meets nobody; reporter: killed; file: success; reporter: started again; the filesystem: looks fail; file: removed",
		// A fault replaced the True that an earlier process had set, and not heard of.
		"native sidecar; +12s; API: the next PATCH gets no answer for a while; file: success; reporter: killed, and its PATCH may still arrive; file: removed; a late PATCH arrives",
		// What it knew of an earlier process was reported, though it had replaced that itself.
		"native sidecar; +12s; file: success; reporter: killed; file: removed; reporter: started again; Job: another Pod's Unknown; Pod: Failed; file: success",
		"native sidecar; +12s; file: failure; reporter: killed; file: success; reporter: started again; API: down; +1m10s",
		// A filesystem that failed kept a stop of the kubelet's own quiet.
		"OnFailure; +12s; reporter: killed; reporter: started again; the filesystem: looks fail; Pod: Failed; SIGTERM",
		"second container; the filesystem: looks fail; file: success; SIGTERM; +1s; Job: touched; Pod: the adapter exits 0; Pod: Failed",
		// An interim report went by a reading from before the last write.
		"second container; API: the next GET Pod gets no answer for a while; file: half; +12s; API: the next PATCH gets no answer for a while; the clock reaches wake; SIGTERM; PATCH: is lost; file: half",
		// A result that was not sent yet kept it from learning what was reported before.
		"native sidecar; +12s; file: success; reporter: killed; file: removed; reporter: started again; file: failure; SIGTERM",
		// In a stop another Pod's True was replaced unjudged, since the Job did not answer any more.
		"grace 7200, second container; Job: another Pod's True; API: the next GET Job gets no answer for a while; Pod: the adapter exits 1; API: GET Pod fails (503); API: the next PATCH: the answer is lost; +12s; API: the watch says nothing; Pod: deletion begins; +1s; API: down",
	} {
		name, events, _ := strings.Cut(story, "; ")
		m := newMachine(setupOf(t, name))
		if !m.plays(events) {
			t.Fatalf("%s: cannot happen", story)
		}
		wrong := m.wrong
		if len(wrong) == 0 {
			wrong = m.end(0, new(sync.Map))
		}
		for _, what := range wrong {
			t.Errorf("%s: %s", story, what)
		}
	}
}

// TestTell plays one story, and tells what goes on.
func TestTell(t *testing.T) {
	if *exploreStory == "" {
		t.Skip("no -explore.story")
	}
	name, events, _ := strings.Cut(*exploreStory, "; ")
	m := newMachine(setupOf(t, name))
	m.told = t.Logf
	if !m.plays(events) {
		t.Fatal("it cannot happen")
	}
	t.Log("* left alone")
	alone := m.copy()
	alone.runOut(0)
	t.Log(alone.wrong)
	t.Log("* left alone, with a server that works")
	t.Log(m.end(0, new(sync.Map)))
}

func setupOf(t *testing.T, name string) *setup {
	for _, c := range setups() {
		if c.name == name {
			return c
		}
	}
	t.Fatalf("there is no setup %q", name)
	return nil
}
