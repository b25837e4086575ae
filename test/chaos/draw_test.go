package chaos

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
	"github.com/openshift-hyperfleet/status-reporter/test/program"
)

// write has a file complete at a time, in one of the ways in which adapters
// write.
func (s *scenario) write(at time.Duration, f file) {
	whole := func(w *world) { w.put(f) }
	pause := s.span(0, min(at, 6*time.Second))
	way := s.weighted("at once", 30, "rename", 20, "link", 5, "halves", 15, "touch", 8, "nonsense first", 8,
		"FIFO first", 4, "directory first", 4, "symlink", 6, "directory later", 5)
	if (s.stale != nil || s.torn) && way != "rename" && way != "halves" {
		way = "at once" // the rest needs an empty place
	}
	if way == "halves" && (f.kind != valid || f.data[len(f.data)-1] != '}') {
		way = "at once"
	}
	what := fmt.Sprintf("writes (%s) %s", way, f)
	switch way {
	case "at once":
		s.step(at, what, whole)
	case "rename":
		s.step(at, what, func(w *world) { w.rename(f) })
	case "link":
		s.step(at, what, func(w *world) {
			w.must(os.WriteFile(w.beside(".tmp"), []byte(f.data), 0o644))
			os.Remove(w.Path)
			w.must(os.Link(w.beside(".tmp"), w.Path))
			w.sawFile(f)
		})
	case "halves":
		s.tear(at-pause, f)
		s.step(at, what, whole)
	case "touch":
		s.step(at-pause, "touches the file", func(w *world) { w.put(file{kind: empty}) })
		s.step(at, what, whole)
	case "nonsense first":
		n := s.invalid()
		s.step(at-pause, "writes "+n.String(), func(w *world) { w.put(n) })
		s.step(at, what, whole)
	case "FIFO first":
		s.step(at-pause, "makes a FIFO", func(w *world) {
			w.must(syscall.Mkfifo(w.Path, 0o644))
			w.sawFile(wrongKind("must be a regular file, not a FIFO"))
		})
		s.step(at, what, func(w *world) { w.rename(f) })
	case "directory first":
		s.step(at-pause, "makes a directory", func(w *world) {
			w.must(os.Mkdir(w.Path, 0o755))
			w.sawFile(wrongKind("must be a regular file, not a directory"))
		})
		s.step(at, what, whole)
	case "symlink":
		s.step(at-pause, "makes a link to a file that is not there", func(w *world) { w.must(os.Symlink("data.json", w.Path)) })
		s.step(at, what, func(w *world) { w.rename(f, "data.json") })
	case "directory later":
		s.dirLater = true
		s.step(at, what, whole)
	}
}

// tear writes a part of the file.
func (s *scenario) tear(at time.Duration, f file) {
	for f.kind != valid || f.data[len(f.data)-1] != '}' {
		f = s.result()
	}
	part := file{kind: invalid, data: f.data[:1+s.rng.IntN(len(f.data)-1)], prefix: true,
		want: contract.Outcome{Status: contract.False, Reason: contract.ReasonInvalidResultFormat, Message: "Failed to parse adapter result: "}}
	if len(part.data) < 8 { // a byte order mark alone, or the like
		part.data = f.data[:len(f.data)-1]
	}
	s.step(at, "writes a part: "+part.String(), func(w *world) { w.put(part) })
}

// drawStop draws whether and how the run is ended from outside.
func (s *scenario) drawStop() {
	s.stop = s.weighted("", 50, "SIGTERM", 10, "deleted", 9, "drained", 7, "Job's deadline", 7, "suspended", 2,
		"evicted", 5, "deleted by force", 5, "node lost", 2, "kubelet's", 10)
	s.kubelets = s.stop == "kubelet's"
	if s.stop == "" {
		return
	}
	switch s.rng.IntN(4) {
	case 0: // in the thick of it
		s.stopAt = max(0, s.end+s.span(-300*ms, 300*ms))
	case 1:
		s.stopAt = s.wait + s.span(-2*time.Second, 2*time.Second)
	default:
		s.stopAt = s.span(0, s.end*6/5)
	}
	s.stopAt = max(s.stopAt, ms)
}

// react draws how kubelet, controllers and adapter go through the stop.
func (s *scenario) react() {
	if s.stop == "" {
		return
	}
	if (s.sidecar || s.restartsAll) && s.over { // it has been told to stop already
		s.stop = ""
		return
	}
	d, g := s.stopAt, s.grace
	if s.kubelets {
		s.kubeletsStop(d)
		return
	}
	jitter := func() time.Duration { return s.span(0, 30*ms) }
	deleted := d + jitter()
	switch s.stop {
	case "drained":
		s.at(d, "DisruptionTarget", func(w *world) { w.setPod(func(p *podTruth) { p.disrupted = true }) })
	case "Job's deadline":
		s.at(d+jitter(), "FailureTarget: DeadlineExceeded", func(w *world) { w.setJob(func(j *jobTruth) { j.deadline = true }) })
	case "suspended":
		s.at(d, "the Job is suspended", func(w *world) { w.setJob(func(j *jobTruth) { j.suspended = true }) })
	case "evicted":
		gone := s.chance(0.5) && s.adapter != "waiting"
		s.at(d, fmt.Sprint("evicted; the adapter reads terminated: ", gone), func(w *world) {
			w.setPod(func(p *podTruth) {
				p.disrupted, p.failed = true, "Evicted"
				if gone && p.running {
					p.ends(ending{code: 137}, w.now())
				}
			})
		})
	case "node lost":
		s.at(d, "the node is lost", func(w *world) { w.setPod(func(p *podTruth) { p.disrupted, p.failed = true, "NodeLost" }) })
	case "deleted by force":
		s.at(d, "the Pod is deleted by force", func(w *world) { w.removePod() })
	}
	switch s.stop {
	case "deleted", "drained", "Job's deadline", "suspended":
		s.at(deleted, "deletionTimestamp", func(w *world) { w.setPod(func(p *podTruth) { p.deleting = true }) })
	}
	switch {
	case s.stop == "node lost":
		if s.sidecar {
			s.sigterm(d + s.span(0, time.Minute))
			s.kill = s.events[len(s.events)-1].at + g
		}
	case s.stop == "deleted by force":
		at := d + s.span(0, 500*ms)
		s.sigterm(at)
		s.kill = at + 2*time.Second
	case !s.sidecar || s.adapter == "waiting":
		at := d + jitter()
		s.sigterm(at)
		s.kill = at + g
	}
	if !s.over && s.adapter != "waiting" && s.stop != "node lost" && s.stop != "deleted by force" {
		s.obey(d, g)
	}
}

// kubeletsStop is an eviction or a node's shutdown: SIGTERM to the regular
// containers, SIGKILL soon, and nothing in the API before all of them have ended.
func (s *scenario) kubeletsStop(d time.Duration) {
	g := s.span(time.Second, 2*time.Second)
	if s.chance(0.3) {
		g = 15 * time.Second
	}
	at, reporter := d, g
	if s.sidecar { // is told when the others are to have ended, and has 2 s
		at, reporter = d+min(g, time.Second), 2*time.Second
	}
	s.sigterm(at)
	s.kill = at + reporter
	s.stopAt = 0 // what it does now is drawn with the stop in mind
	if !s.over && s.adapter != "waiting" && s.chance(0.5) {
		f := s.result()
		s.step(d+s.span(10*ms, g), "writes when it is told to stop: "+f.String(), func(w *world) { w.put(f) })
	}
	s.stopAt = d
}

// obey draws what the adapter makes of its SIGTERM.
func (s *scenario) obey(d, g time.Duration) {
	s.stopAt = 0 // what it does now is drawn with the stop in mind
	e, at := ending{code: 143}, d+s.span(10*ms, min(g, 5*time.Second))
	switch s.weighted("obeys", 30, "ignores", 20, "writes", 40, "crashes", 10) {
	case "ignores":
		e.code, at = 137, d+g
	case "crashes":
		e.code, e.message = 1, s.lastWords()
	case "writes":
		f := s.result()
		at = d + s.span(10*ms, g)
		s.step(at, "writes in its grace period: "+f.String(), func(w *world) { w.put(f) })
		at = min(at+s.span(0, time.Second), d+g)
		if s.chance(0.6) {
			e.code = 0
		}
	}
	s.stopAt = d
	told := at + s.span(100*ms, 900*ms)
	if s.sidecar {
		deleted := d
		if s.stop == "SIGTERM" || s.stop == "evicted" { // the API tells of no grace period that has begun
			deleted = 0
		}
		told = s.sidecarSigterm(at, deleted)
	}
	if s.stop == "evicted" || s.chance(0.6) {
		return // the kubelet tells nothing before all of the Pod's containers have ended
	}
	s.at(told, "status: "+e.String(), func(w *world) { w.setPod(func(p *podTruth) { p.ends(e, w.now()) }) })
}

// drawJob draws what others do to the Job.
func (s *scenario) drawJob() {
	key := func() time.Duration { return max(ms, s.key()) }
	if s.chance(0.03) {
		s.at(key(), "the Job is deleted", func(w *world) { w.loseJob(false) })
	} else if s.chance(0.04) {
		s.at(key(), "the Job is made anew", func(w *world) { w.loseJob(true) })
	}
	for range s.pick(0, 0, 0, 1, 3) {
		s.at(key(), "somebody changes the Job", func(w *world) { w.touchJob() })
	}
	if s.chance(0.08) {
		o := contract.Outcome{Status: contract.True, Reason: "OtherPod", Message: fmt.Sprint(s.rng.IntN(100))}
		if s.chance(0.3) {
			o.Status = contract.False
		}
		if s.chance(0.5) {
			s.at(key(), "another Pod reports "+string(o.Status), func(w *world) { w.otherReport(o) })
		} else {
			s.at(0, "another Pod reports "+string(o.Status)+" while a PATCH is on its way", func(w *world) {
				w.Server.Fault(program.Patches, kubetest.Proceed().Do(func() { w.otherReport(o) }))
			})
		}
	}
	if s.chance(0.05) {
		n := 1 + s.rng.IntN(8)
		s.at(0, fmt.Sprintf("somebody changes the Job before each of %d PATCHes", n), func(w *world) {
			w.Server.Fault(program.Patches, kubetest.Proceed().Do(func() { w.touchJob() }).Times(n))
		})
	}
}

// key is a time when it matters.
func (s *scenario) key() time.Duration {
	moments := []time.Duration{s.end, s.end, s.wait}
	if s.stop != "" {
		moments = append(moments, s.stopAt, s.stopAt)
	}
	if s.chance(0.35) {
		return s.span(0, s.end*6/5)
	}
	return max(0, moments[s.rng.IntN(len(moments))]+s.span(-3*time.Second, 3*time.Second))
}
