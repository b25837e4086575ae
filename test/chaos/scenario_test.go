package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/testdata/suite"
)

// scenario is all that is going to happen to one Job, drawn from a seed before
// anything does. Times count from the reporter's start.
type scenario struct {
	rng    *rand.Rand
	index  int
	golden []suite.Case // of group contract

	adapter, stop string // what kinds of it, for the counts

	poll, wait, grace       time.Duration
	sidecar, onFailure      bool
	noWatch, noPods, noJobs bool // what the Role lacks for good
	backoffLimit, failed    int32
	reporterName            string
	dirLater                bool
	spaced                  bool // a proxy's status sorts before the adapter's

	end     time.Duration // when the adapter means to have written or ended
	stopAt  time.Duration // 0: nobody stops the run
	kill    time.Duration // when the kubelet kills the reporter; 0: never
	over    bool          // the adapter's end is drawn
	events  []event
	wishes  time.Duration // the longest Retry-After
	refuses bool          // the server refuses to let Pods be read for a while

	restartsAll bool          // restartCode has all containers started again
	kubelets    bool          // the stop is the kubelet's own: the API shows nothing of it
	slow        time.Duration // what each answer takes, and nothing else is wrong
	stale       *file         // was there before the adapter started
	torn        bool          // a part of a file is there from an earlier run
	volume      string        // of the result file
}

type event struct {
	at   time.Duration
	what string
	do   func(w *world)
}

const (
	ms          = time.Millisecond
	restartCode = 42 // has all containers started again where there is such a rule
)

func newScenario(seed uint64, index int, golden []suite.Case) *scenario {
	s := &scenario{rng: rand.New(rand.NewPCG(seed, uint64(index))), index: index, golden: golden}
	s.poll = time.Duration(s.pick(1, 2, 2, 2, 5, 10)) * time.Second
	s.wait = time.Duration(s.pick(15, 30, 60, 300)) * time.Second
	s.grace = time.Duration(s.pick(2, 3, 5, 10, 20, 30)) * time.Second
	s.sidecar = s.chance(0.3)
	s.noWatch = s.chance(0.1)
	s.noPods = !s.noWatch && s.chance(0.04)
	s.noJobs = s.chance(0.04)
	s.backoffLimit = int32(s.pick(0, 2, 6))
	s.failed = int32(s.rng.IntN(int(s.backoffLimit) + 1))
	s.reporterName = []string{"status-reporter", "status-reporter", "sidecar"}[s.rng.IntN(3)]
	s.spaced = s.chance(0.2)
	s.volume = "emptyDir"
	if !s.noPods && s.chance(0.06) {
		s.drawStale()
	}
	s.end = s.span(50*ms, s.wait*9/10)
	s.drawStop()
	s.drawAdapter()
	s.react()
	s.drawJob()
	s.drawFaults()
	slices.SortStableFunc(s.events, func(a, b event) int { return int(a.at - b.at) })
	return s
}

func (s *scenario) chance(p float64) bool { return s.rng.Float64() < p }

func (s *scenario) pick(of ...int) int { return of[s.rng.IntN(len(of))] }

// span draws a time between two, to the nanosecond: nothing coincides unless it
// is meant to.
func (s *scenario) span(from, to time.Duration) time.Duration {
	if to <= from {
		return from
	}
	return from + time.Duration(s.rng.Int64N(int64(to-from)))
}

// weighted draws a word from pairs of a word and its weight.
func (s *scenario) weighted(pairs ...any) string {
	total := 0
	for i := 1; i < len(pairs); i += 2 {
		total += pairs[i].(int)
	}
	n := s.rng.IntN(total)
	for i := 0; ; i += 2 {
		if n -= pairs[i+1].(int); n < 0 {
			return pairs[i].(string)
		}
	}
}

func (s *scenario) at(at time.Duration, what string, do func(w *world)) {
	s.events = append(s.events, event{at, what, do})
}

// step is something that the adapter does of its own, unless it is stopped before.
func (s *scenario) step(at time.Duration, what string, do func(w *world)) {
	if s.stopAt == 0 || at < s.stopAt {
		s.at(at, what, do)
	}
}

// String is the story, for whoever has to find out what went wrong.
func (s *scenario) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "adapter %q, stop %q; poll %s, wait %s, grace %s, sidecar %v, onFailure %v, the Role lacks watch %v, pods %v, jobs %v; backoffLimit %d, failed %d\n",
		s.adapter, s.stop, s.poll, s.wait, s.grace, s.sidecar, s.onFailure, s.noWatch, s.noPods, s.noJobs, s.backoffLimit, s.failed)
	for _, e := range s.events {
		fmt.Fprintf(&b, "%14s  %s\n", e.at, e.what)
	}
	return b.String()
}

// drawAdapter draws what the adapter does where nobody stops it.
func (s *scenario) drawAdapter() {
	s.adapter = s.weighted("result", 36, "result and exit 1", 5, "late result", 6, "rewritten result", 4, "crash", 10, "OOM", 7,
		"torn, then crash", 4, "torn, then OOM", 4, "missing", 6, "invalid", 6, "invalid that stays", 5, "empty", 3,
		"timeout", 6, "waiting", 3, "crash loop", 4, "crash, then result", 6, "exit 137", 3, "lost", 2, "starts all again", 4)
	end := s.end
	switch s.adapter {
	case "late result":
		end = s.wait + s.span(-2*s.poll, s.poll)
		s.write(max(50*ms, end), s.result())
	case "result", "result and exit 1", "rewritten result":
		s.write(end, s.result())
	case "torn, then crash", "torn, then OOM":
		s.tear(s.span(0, end), s.result())
	case "invalid", "invalid that stays":
		s.write(end, s.invalid())
	case "empty":
		s.step(end, "touches the file", func(w *world) { w.put(file{kind: empty}) })
	}
	after := end + s.span(0, 3*time.Second)
	switch s.adapter {
	case "result", "late result":
		if !s.chance(0.3) {
			s.exit(after, ending{})
		}
	case "rewritten result":
		again := s.result()
		s.step(after, "writes another result: "+again.String(), func(w *world) { w.put(again) })
		if s.chance(0.5) {
			s.step(after+s.span(0, 5*time.Second), "removes its result", func(w *world) { w.remove() })
		}
	case "result and exit 1":
		s.exit(end+s.span(0, time.Second), ending{code: int32(s.pick(1, 2, 137, 143))})
	case "crash", "torn, then crash":
		s.exit(end, ending{code: int32(s.pick(1, 2, 127)), message: s.lastWords()})
	case "lost": // containerd was started anew
		s.exit(end, ending{code: 255, guess: true})
	case "starts all again":
		s.startAllAgain(end)
	case "exit 137":
		s.exit(end, ending{code: int32(s.pick(137, 143))})
	case "OOM", "torn, then OOM":
		s.exit(end, ending{code: int32(s.pick(137, 3)), oom: true})
	case "missing", "invalid", "empty":
		s.exit(after, ending{})
	case "waiting":
		s.at(0, "cannot start: ImagePullBackOff", func(w *world) {
			w.setPod(func(p *podTruth) { p.running, p.waiting = false, "ImagePullBackOff: no such image" })
		})
	case "crash loop", "crash, then result":
		s.crashLoop(end)
	}
	if !s.over && s.stop == "" && s.sidecar { // a native sidecar runs for as long as its adapter
		if s.adapter == "waiting" {
			s.sigterm(max(end, s.wait) + s.span(20*time.Second, 40*time.Second))
			s.kill = s.events[len(s.events)-1].at + s.grace
			return
		}
		s.exit(max(end, s.wait)+s.span(20*time.Second, 40*time.Second), ending{})
	}
}

// drawStale has a file of yesterday's lie on a volume that outlives Pods.
func (s *scenario) drawStale() {
	f := s.result()
	if s.chance(0.4) {
		f = s.invalid()
	}
	f.stale = true
	s.stale, s.volume = &f, []string{"hostPath", "another"}[s.rng.IntN(2)]
}

// startedAt is when the adapter has started: long ago, or for certain after a file
// of yesterday's, which the bubble's clock has not left behind.
func (s *scenario) startedAt() time.Duration {
	switch {
	case s.stale == nil:
		return -time.Hour
	case s.volume == "hostPath":
		return 2 * time.Second
	}
	return 62 * time.Second
}

// startAllAgain has the adapter end with the code that has all containers started
// again: the reporter is told to stop for the next one to go on.
func (s *scenario) startAllAgain(end time.Duration) {
	if s.stopAt > 0 && end >= s.stopAt {
		return
	}
	s.restartsAll, s.over = true, true
	s.sigterm(end + s.span(100*ms, 500*ms))
	s.kill = s.events[len(s.events)-1].at + s.grace
	told := end + s.span(100*ms, 900*ms)
	if s.chance(0.2) {
		told += time.Second // a busy kubelet's
	}
	e := ending{code: restartCode}
	s.at(told, "all containers are started again: "+e.String(), func(w *world) {
		w.setPod(func(p *podTruth) {
			p.ends(e, w.now())
			p.restartingAll = true
		})
	})
}

func (s *scenario) crashLoop(end time.Duration) {
	s.onFailure, s.stale, s.volume = true, nil, "emptyDir"
	began, at := time.Duration(0), s.span(0, end/3)
	for at < end {
		if s.chance(0.3) {
			s.torn = true
			s.tear(s.span(began, at), s.result())
		}
		crash := ending{code: int32(s.pick(1, 2, 137)), oom: s.chance(0.2), message: s.lastWords()}
		s.step(at, "crashes: "+crash.String(), func(w *world) { w.setPod(func(p *podTruth) { p.ends(crash, w.now()) }) })
		down := s.span(90*ms, time.Second)
		if s.chance(0.3) {
			down = s.span(time.Second, 10*time.Second)
			s.step(at+down/10, "in CrashLoopBackOff", func(w *world) { w.setPod(func(p *podTruth) { p.waiting = "CrashLoopBackOff" }) })
		}
		s.step(at+down, "is started again", func(w *world) { w.setPod(func(p *podTruth) { p.starts(w.now()) }) })
		began = at + down
		at += down + s.span(time.Second, max(2*time.Second, end/3))
	}
	if s.adapter == "crash, then result" {
		s.write(at, s.result())
		s.exit(at+s.span(0, 2*time.Second), ending{})
	}
}

// exit ends the adapter for good; the kubelet tells a little later.
func (s *scenario) exit(at time.Duration, e ending) {
	if s.stopAt > 0 && at >= s.stopAt {
		return
	}
	told := at + s.span(100*ms, 900*ms)
	s.over = true
	if s.sidecar {
		told = s.sidecarSigterm(at, 0) // the stop comes too late for it
	}
	s.at(told, "status: "+e.String(), func(w *world) { w.setPod(func(p *podTruth) { p.ends(e, w.now()) }) })
}

// sidecarSigterm is what a native sidecar gets when its adapter has ended; it
// returns when the status tells of that. What is left of the grace period of a
// Pod that was deleted is all it has then, and at least 2 s.
func (s *scenario) sidecarSigterm(ended, deleted time.Duration) (told time.Duration) {
	at := ended + s.span(100*ms, 500*ms)
	s.sigterm(at)
	if s.kill = at + s.grace; deleted > 0 {
		s.kill = max(deleted+s.grace, at+2*time.Second)
	}
	return at + s.span(-ms, 34*ms)
}

func (s *scenario) sigterm(at time.Duration) {
	s.at(at, "SIGTERM", func(w *world) { w.sigterm() })
	if s.chance(0.1) {
		s.at(at+s.span(0, s.grace), "SIGTERM again", func(w *world) { w.sigterm() })
	}
}

func (s *scenario) lastWords() string {
	if s.chance(0.3) {
		return "panic: quota API unreachable"
	}
	return ""
}

// result is a valid file: the golden suite's, or one that nobody else has.
func (s *scenario) result() file {
	if s.chance(0.3) {
		return s.fromSuite("valid-")
	}
	status, outcome := "success", contract.Outcome{Status: contract.True}
	if s.chance(0.3) {
		status, outcome.Status = "failure", contract.False
	}
	outcome.Reason, outcome.Message = "R"+fmt.Sprint(s.rng.IntN(1e6)), fmt.Sprint("Job ", s.index)
	if s.chance(0.1) {
		outcome.Reason = contract.ReasonAdapterInterrupted // adapters may say what they like
	}
	data := fmt.Sprintf(`{"status":%q,"reason":%q,"message":%q}`, status, outcome.Reason, outcome.Message)
	return file{kind: valid, data: data, want: outcome}
}

func (s *scenario) invalid() file { return s.fromSuite("invalid-") }

func (s *scenario) fromSuite(prefix string) file {
	for {
		c := s.golden[s.rng.IntN(len(s.golden))]
		if !strings.HasPrefix(c.Name, prefix) || len(c.Input) > 64<<10 {
			continue
		}
		f := file{kind: invalid, data: string(c.Input), want: contract.Outcome{
			Status: contract.ConditionStatus(c.Condition.Status), Reason: c.Condition.Reason, Message: c.Condition.Message}}
		switch {
		case prefix == "valid-":
			f.kind = valid
		case strings.TrimSpace(f.data) == "":
			f.kind = empty
		}
		return f
	}
}
