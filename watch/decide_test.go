package watch

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

// start is when the runs of the decision's tables begin. They may take a minute.
var start = time.Date(2026, 1, 15, 9, 0, 0, 0, time.UTC)

// event is one thing that happens to the state of a row.
type event func(s *state)

// row is a story and the step that the decision takes at its end.
type row struct {
	name  string
	story []event
	want  string // as describe says it
}

func checkRows(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			s := newState("/results/r.json", time.Minute, 10*time.Second, start)
			for _, happens := range r.story {
				happens(&s)
			}
			s.note(s.now)
			if got := describe(s.decide()); got != r.want {
				t.Errorf("\n got %s\nwant %s", got, r.want)
			}
		})
	}
}

// describe puts a step into words. The outcome of an interruption is that for a
// Job which cannot be read.
func describe(s step) string {
	var words []string
	if v := s.speak; v != nil {
		o := v.For(nil, nil)
		what := fmt.Sprintf("%s %s: %s", o.Status, o.Reason, o.Message)
		for word, holds := range map[string]bool{"own": v.Own, "provisional": v.Provisional, "cut": v.NeedsJob()} {
			if holds {
				what = word + " " + what // never two of them but for a provisional cut
			}
		}
		what = strings.Replace(what, "cut provisional ", "provisional cut ", 1)
		if !v.KillAt.IsZero() {
			what += fmt.Sprintf(" [kill at %v]", v.KillAt.Sub(start))
		}
		words = append(words, what)
	}
	if s.look {
		words = append(words, "look")
	}
	if s.read {
		words = append(words, "read")
	}
	if words == nil {
		return "wait"
	}
	return strings.Join(words, ", ")
}

// The files of the stories.
var (
	absent  = look{}
	success = look{kind: fileValid, version: 1, result: contract.Result{Status: contract.Success, Reason: "Ready", Message: "All set"}}
	failure = look{kind: fileValid, version: 2, result: contract.Result{Status: contract.Failure, Reason: "Broken", Message: "No quota"}}
	half    = look{kind: fileInvalid, version: 3, err: errors.New("not valid JSON: unexpected end")}
	more    = look{kind: fileInvalid, version: 4, err: errors.New("not valid JSON: unexpected end")}
	empty   = look{kind: fileNotYet, version: 5, err: errors.New("empty")}
	locked  = look{kind: fileNotYet, err: errors.New("not readable: permission denied")}
)

// The Pods of the stories.
func alive() facts { return facts{running: true, grace: defaultGrace} }

func exited(code int32) facts {
	state := "Error"
	if code == 0 {
		state = "Completed"
	}
	return facts{ended: terminated(code, state).Terminated, grace: defaultGrace}
}

func oomKilled(code int32) facts {
	return facts{ended: terminated(code, "OOMKilled").Terminated, grace: defaultGrace}
}

// crashed is an adapter that the kubelet starts again.
func crashed(code int32) facts {
	f := exited(code)
	f.crashed, f.ended, f.running = f.ended, nil, true
	return f
}

// with changes a Pod.
func with(f facts, change func(*facts)) facts {
	change(&f)
	return f
}

func deleting(f *facts)  { f.deleting = true }
func disrupted(f *facts) { f.causes = []string{"PreemptionByScheduler: preempted"} }
func sidecar(f *facts)   { f.sidecar = true }
func failed(f *facts)    { f.failed = true }
func graced(d time.Duration) func(*facts) {
	return func(f *facts) { f.grace = d }
}

// at moves the clock, and marks what that brings about.
func at(d time.Duration) event { return func(s *state) { s.note(start.Add(d)) } }

// looks is a look that begins now.
func looks(l look) event { return func(s *state) { s.note(s.now); s.sawFile(l, s.moment, s.now) } }

// reads is a fresh reading that begins now.
func reads(f facts) event {
	return func(s *state) { s.note(s.now); began := s.moment; s.sawPod(f); s.podRead = began }
}

// tells is news of the Pod from the watch.
func tells(f facts) event { return func(s *state) { s.note(s.now); s.sawPod(f) } }

// readFails and readRefused are fresh readings that begin now.
func readFails(s *state)   { s.note(s.now); s.podFailed = s.moment }
func readRefused(s *state) { s.note(s.now); s.podRead = s.moment }

// asked is LookAgain, which wants a new moment.
func asked(s *state) { s.moment++ }

func writes(s *state)  { s.writing = true }
func closes(s *state)  { s.writing = false }
func sigterm(s *state) { seen(&s.stop.sigterm, s.now) }
func podGone(s *state) { seen(&s.stop.gone, s.now) }

const (
	sec         = time.Second
	own         = "own True Ready: All set"
	timeout     = "False AdapterTimeout: Adapter did not produce results within 1m0s"
	invalidFile = "False InvalidResultFormat: Failed to parse adapter result: not valid JSON: unexpected end"
	oom         = "False AdapterOOMKilled: Adapter container was killed due to out of memory (OOMKilled)"
	exit1       = "False AdapterExitedWithError: Adapter container exited with code 1: Error"
	missing     = "False AdapterMissingResults: Adapter container exited with code 0 but wrote no result file at /results/r.json"
	cut         = "cut False AdapterInterrupted: Adapter was stopped before it produced results: "
)

func TestRule1ValidResultWins(t *testing.T) {
	checkRows(t, []row{
		{"nothing is known", []event{at(sec)}, "wait"},
		{"no file, adapter runs", []event{at(sec), looks(absent), reads(alive())}, "wait"},
		{"success", []event{at(sec), looks(success), reads(alive())}, own},
		{"failure", []event{at(sec), looks(failure), reads(alive())}, "own False Broken: No quota"},
		{"Pod never read", []event{at(sec), looks(success)}, own},
		{"a writer is known", []event{at(sec), writes, looks(success)}, own},
		{"adapter exited 0", []event{at(sec), reads(exited(0)), looks(success)}, own},
		{"adapter crashed", []event{at(sec), reads(exited(1)), looks(success)}, own},
		{"adapter crashed after it, no look since", []event{at(sec), looks(success), reads(exited(1))}, own},
		{"adapter OOM-killed", []event{at(sec), reads(oomKilled(137)), looks(success)}, own},
		{"Pod is Failed", []event{at(sec), reads(with(alive(), failed)), looks(success)}, own},
		{"replaces an invalid one", []event{at(sec), looks(half), at(12 * sec), looks(half), reads(alive()), looks(success)}, own},
		{"at the deadline", []event{at(60 * sec), reads(alive()), looks(success)}, own},
		{"after the deadline", []event{at(70 * sec), looks(absent), reads(alive()), looks(success)}, own},
		{"after SIGTERM", []event{at(sec), sigterm, looks(success)}, own + " [kill at 31s]"},
		{"Pod is being deleted", []event{at(sec), reads(with(alive(), deleting)), looks(success)}, own + " [kill at 31s]"},
		{"adapter ended by the deletion", []event{at(sec), reads(with(exited(143), deleting)), looks(success)}, own + " [kill at 31s]"},
		{"Pod is gone", []event{at(sec), podGone, looks(success)}, own + " [kill at 3s]"},
		{"in place of an interruption", []event{at(sec), sigterm, looks(absent), reads(alive()), at(27 * sec), looks(success)}, own + " [kill at 31s]"},

		{"of two results the first stands", []event{at(sec), looks(success), at(2 * sec), looks(failure)}, own},
		{"removed after it was seen", []event{at(sec), looks(success), at(2 * sec), reads(exited(0)), looks(absent)}, own},
		{"overwritten with half a file", []event{at(sec), looks(success), at(2 * sec), looks(half), at(60 * sec), looks(half), reads(alive())}, own},
		{"unreadable after it was seen", []event{at(sec), looks(success), at(2 * sec), reads(exited(1)), looks(locked)}, own},
	})
}

func TestRule2AdapterEnded(t *testing.T) {
	checkRows(t, []row{
		{"no look yet", []event{at(sec), reads(exited(1))}, "look"},
		{"no look since", []event{at(sec), looks(absent), reads(exited(1))}, "look"},
		{"exit 1, no file", []event{at(sec), reads(exited(1)), looks(absent)}, exit1},
		{"exit 1, half a file", []event{at(sec), reads(exited(1)), looks(half)}, exit1},
		{"exit 1, empty file", []event{at(sec), reads(exited(1)), looks(empty)}, exit1},
		{"exit 1 with a termination message", []event{at(sec), reads(with(exited(2), func(f *facts) { f.ended.Message = "panic: quota" })), looks(absent)},
			"False AdapterExitedWithError: Adapter container exited with code 2: Error: panic: quota"},
		{"another state", []event{at(sec), reads(with(exited(128), func(f *facts) { f.ended.Reason = "StartError" })), looks(absent)},
			"False AdapterExitedWithError: Adapter container exited with code 128: StartError"},
		{"OOM", []event{at(sec), reads(oomKilled(137)), looks(absent)}, oom},
		{"OOM, half a file", []event{at(sec), reads(oomKilled(137)), looks(half)}, oom},
		{"OOM of a child, exit 3", []event{at(sec), reads(oomKilled(3)), looks(absent)}, oom},
		{"OOM of a child, exit 0", []event{at(sec), reads(oomKilled(0)), looks(absent)}, oom},
		{"OOM while the Pod is deleted", []event{at(sec), reads(with(oomKilled(137), deleting)), looks(absent)}, oom + " [kill at 31s]"},
		{"OOM with a termination message", []event{at(sec), reads(with(oomKilled(137), func(f *facts) { f.ended.Message = "too big" })), looks(absent)}, oom + ": too big"},
		{"exit 0, no file", []event{at(sec), reads(exited(0)), looks(absent)}, missing},
		{"exit 0, invalid file", []event{at(sec), reads(exited(0)), looks(half)}, invalidFile},
		{"exit 0, invalid file with a writer", []event{at(sec), reads(exited(0)), writes, looks(half)}, invalidFile},
		{"exit 0, empty file", []event{at(sec), reads(exited(0)), looks(empty)}, "False InvalidResultFormat: Failed to parse adapter result: empty"},
		{"exit 0, unreadable file", []event{at(sec), reads(exited(0)), looks(locked)},
			"False InvalidResultFormat: Failed to parse adapter result: not readable: permission denied"},
		{"exit 0 while the Pod is deleted", []event{at(sec), reads(with(exited(0), deleting)), looks(absent)}, missing + " [kill at 31s]"},
		{"told by the watch, without a fresh reading", []event{at(sec), tells(exited(1)), looks(absent)}, exit1},

		{"143 first seen while the Pod is deleted", []event{at(sec), reads(with(exited(143), deleting)), looks(absent)},
			cut + "the Pod is being deleted; adapter container exited with code 143 [kill at 31s]"},
		{"137 first seen while the Pod is deleted", []event{at(sec), reads(with(exited(137), deleting)), looks(absent)},
			cut + "the Pod is being deleted; adapter container exited with code 137 [kill at 31s]"},
		{"137 with half a file while the Pod is deleted", []event{at(sec), reads(with(exited(137), deleting)), looks(half)},
			cut + "the Pod is being deleted; adapter container exited with code 137 [kill at 31s]"},
		{"143 first seen under a disruption", []event{at(sec), reads(with(exited(143), disrupted)), looks(absent)},
			cut + "PreemptionByScheduler: preempted; adapter container exited with code 143"},
		{"137 under disruption and deletion", []event{at(sec), reads(with(with(exited(137), disrupted), deleting)), looks(absent)},
			cut + "PreemptionByScheduler: preempted; the Pod is being deleted; adapter container exited with code 137 [kill at 31s]"},
		{"143 seen before the deletion", []event{at(sec), reads(exited(143)), at(2 * sec), reads(with(exited(143), deleting)), looks(absent)},
			"False AdapterExitedWithError: Adapter container exited with code 143: Error [kill at 32s]"},
		{"137 without a deletion", []event{at(sec), reads(exited(137)), looks(absent)},
			"False AdapterExitedWithError: Adapter container exited with code 137: Error"},
		{"another run's 143, first seen during the deletion", []event{at(sec), reads(crashed(143)), at(2 * sec),
			reads(with(with(exited(143), deleting), func(f *facts) { f.ended.ContainerID = "next run" })), looks(absent)},
			cut + "the Pod is being deleted; adapter container exited with code 143 [kill at 32s]"},
		{"exit 1 while the Pod is deleted", []event{at(sec), reads(with(exited(1), deleting)), looks(absent)}, exit1 + " [kill at 31s]"},
		{"the kubelet's guess", []event{at(sec), reads(with(exited(137), func(f *facts) { f.ended.Reason = reasonLost })), looks(absent)},
			cut + "adapter container exited with code 137"},

		{"Pod Failed while the adapter runs, no look since", []event{at(sec), looks(absent), reads(with(alive(), failed))}, "look"},
		{"Pod Failed while the adapter runs", []event{at(sec), reads(with(alive(), failed)), looks(absent)},
			cut + "the node no longer reports on the adapter"},
		{"Pod Failed before the adapter ran", []event{at(sec), reads(facts{failed: true, causes: []string{"OutOfcpu: no room"}}), looks(absent)},
			cut + "OutOfcpu: no room"},
		{"Pod Failed, half a file", []event{at(sec), reads(with(alive(), failed)), looks(half)}, invalidFile},
		{"Pod Failed, earlier crash", []event{at(sec), reads(with(crashed(1), failed)), looks(absent)}, exit1},

		{"a crash that is not the end", []event{at(sec), reads(crashed(1)), looks(absent)}, "wait"},
		{"before rule 3", []event{at(sec), looks(half), at(12 * sec), looks(half), reads(exited(1)), looks(half)}, exit1},
		{"before rule 4", []event{at(60 * sec), reads(exited(1)), looks(absent)}, exit1},
		{"before rule 4, though the reading is an old one", []event{at(59 * sec), reads(exited(0)), at(61 * sec), looks(absent)}, missing},
		{"before rule 5", []event{at(sec), sigterm, at(2 * sec), reads(exited(1)), looks(absent)}, exit1 + " [kill at 31s]"},
		{"after the Pod is gone", []event{at(sec), reads(exited(1)), podGone, looks(absent)}, exit1 + " [kill at 3s]"},
	})
}
