package watch

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/test/explore"
)

// happening is something that may happen to the machine, for good: explored does it to
// a copy, and settles.
type happening struct {
	name string
	can  func(m *machine) bool
	do   func(m *machine)
}

func always(*machine) bool { return true }

// alphabet is all that can happen.
func alphabet() []happening {
	return slices.Concat(fileHappenings(), lookHappenings(), restartHappenings(), podHappenings(), jobHappenings(), apiHappenings(), answerHappenings(), clockHappenings())
}

func fileHappenings() []happening {
	running := func(m *machine) bool { return m.w.pod.adapter == adapterRuns && !m.c.misconf }
	becomes := func(name string, to content) happening {
		return happening{"file: " + name,
			func(m *machine) bool {
				return running(m) && (m.w.file.content != to || to == brokenFile || m.w.file.run != m.w.pod.run)
			},
			func(m *machine) { m.setFile(to) }}
	}
	return []happening{
		becomes("removed", noFile), becomes("empty", emptyFile), becomes("half", brokenFile), becomes("success", success1), becomes("failure", failure1),
		{"file: a writer opens it", func(m *machine) bool { return running(m) && !m.w.file.writing && !m.c.pollOnly }, func(m *machine) { m.w.file.writing = true }},
		{"file: the writer closes it", func(m *machine) bool { return m.w.file.writing }, func(m *machine) {
			m.w.file.writing, m.want = false, true
		}},
	}
}

func (m *machine) setFile(to content) {
	f := &m.w.file
	f.content, f.changed, f.run = to, m.now, m.w.pod.run
	f.stamp++
	m.want = m.want || !m.c.pollOnly && m.downSince.IsZero()
}

func podHappenings() []happening {
	there := func(m *machine) bool { return !m.w.pod.deleted && !m.w.pod.another }
	runs := func(m *machine) bool { return there(m) && m.w.pod.adapter == adapterRuns }
	changes := func(name string, can func(m *machine) bool, do func(p *worldPod, now time.Time)) happening {
		return happening{"Pod: " + name, can, func(m *machine) {
			p := &m.w.pod
			before := p.adapter
			do(p, m.now)
			p.version++
			if p.adapter != before && m.downSince.IsZero() {
				p.process = m.process
			}
			if p.adapter == adapterRuns && before == adapterEnded && m.o.own == (contract.Outcome{}) {
				m.o.sawOwn = false // it may be the run before's, for all that is known
			}
			if p.adapter == adapterEnded && m.w.file.writing { // the kernel closes its files
				m.w.file.writing, m.want = false, true
			}
			m.tellPod()
		}}
	}
	endsWith := func(name string, end int) happening {
		return changes(name, runs, func(p *worldPod, now time.Time) {
			p.adapter, p.end, p.ended = adapterEnded, end, now
			p.had |= 1 << end
		})
	}
	set := func(name string, flag func(p *worldPod) *bool) happening {
		return changes(name, func(m *machine) bool { return there(m) && !*flag(&m.w.pod) }, func(p *worldPod, now time.Time) { *flag(p) = true })
	}
	return []happening{
		changes("the adapter starts", func(m *machine) bool {
			return there(m) && m.w.pod.adapter == adapterWaits && !m.w.pod.deleting && !m.w.pod.failed
		},
			func(p *worldPod, now time.Time) { p.adapter, p.started = adapterRuns, now.Truncate(time.Second) }),
		endsWith("the adapter exits 0", exited0), endsWith("the adapter exits 1", exited1), endsWith("the adapter is OOM-killed", killedForMemory),
		endsWith("the adapter exits 143", exited143), endsWith("the adapter is lost", lostEnd),
		changes("the adapter is started again", func(m *machine) bool { return there(m) && m.w.pod.adapter == adapterEnded && !m.c.final(&m.w.pod) },
			func(p *worldPod, now time.Time) {
				p.adapter, p.started = adapterRuns, now.Truncate(time.Second)
				p.run++
			}),
		set("deletion begins", func(p *worldPod) *bool { return &p.deleting }),
		set("disruption", func(p *worldPod) *bool { return &p.disrupted }),
		set("Failed", func(p *worldPod) *bool { return &p.failed }),
		set("deleted", func(p *worldPod) *bool { return &p.deleted }),
		set("another has its name", func(p *worldPod) *bool { return &p.another }),
		{"SIGTERM", func(m *machine) bool { return m.s.stop.sigterm.IsZero() && m.downSince.IsZero() }, (*machine).hearSigterm},
	}
}

func jobHappenings() []happening {
	changes := func(name string, can func(j *worldJob) bool, do func(j *worldJob)) happening {
		return happening{"Job: " + name, func(m *machine) bool { return !m.w.job.deleted && can(&m.w.job) }, func(m *machine) {
			ours := m.w.job.by == thisPod
			do(&m.w.job)
			m.o.replaced = m.o.replaced || ours && m.w.job.by == anotherPod
			m.w.job.version++
		}}
	}
	another := func(status contract.ConditionStatus) happening {
		return changes("another Pod's "+string(status), func(j *worldJob) bool { return j.by != anotherPod && !j.anew }, func(j *worldJob) {
			j.by, j.stands, j.probed = anotherPod, contract.Outcome{Status: status, Reason: "Replaced", Message: "by another Pod"}, explored
		})
	}
	still := func(j *worldJob) bool { return !j.anew }
	return []happening{
		changes("touched", still, func(*worldJob) {}),
		another(contract.True), another(contract.False), another(contract.Unknown),
		changes("its deadline passes", func(j *worldJob) bool { return !j.over && !j.anew }, func(j *worldJob) { j.over = true }),
		changes("made anew", still, func(j *worldJob) { *j = worldJob{version: j.version, anew: true} }),
		changes("deleted", func(*worldJob) bool { return true }, func(j *worldJob) { j.deleted = true }),
	}
}

func apiHappenings() []happening {
	var all []happening
	turns := func(name string, r request, to mode) {
		all = append(all, happening{"API: " + name, func(m *machine) bool { return m.w.api[r] != to }, func(m *machine) {
			m.w.api[r] = to
			if r != watching {
				return
			}
			if to == silent {
				m.muted = m.open
			} else if m.open {
				m.endWatch(errAway)
			}
		}})
	}
	for r, name := range []string{"GET Pod", "GET Job", "PATCH"} {
		turns(name+" works", request(r), works)
		turns(name+" is refused (403)", request(r), forbids)
		turns(name+" fails (503)", request(r), fails)
		turns(name+" meets nobody", request(r), away)
		if request(r) == patchJob {
			continue
		}
		all = append(all, happening{"API: the next " + name + " gets no answer for a while",
			func(m *machine) bool { return !m.w.hold[r] }, func(m *machine) { m.w.hold[r] = true }})
	}
	all = append(all, happening{"API: the next PATCH gets no answer for a while", func(m *machine) bool { return !m.w.hold[patchJob] }, func(m *machine) { m.w.hold[patchJob] = true }})
	turns("the watch works", watching, works)
	turns("the watch is refused (403)", watching, forbids)
	turns("the watch meets nobody", watching, away)
	turns("the watch says nothing", watching, silent)
	for _, once := range []struct {
		name string
		how  mode
	}{{"429, come back in 20 s", tooMany}, {"409", conflict}, {"503", fails}, {"the answer is lost", losesAnswer}, {"given up, and may still arrive", delaysWrite}} {
		all = append(all, happening{"API: the next PATCH: " + once.name, func(m *machine) bool { return m.w.once != once.how }, func(m *machine) { m.w.once = once.how }})
	}
	everything := func(name string, to mode) happening {
		return happening{"API: " + name, func(m *machine) bool { return m.w.api != [requests]mode{to, to, to, to} }, func(m *machine) {
			m.w.api = [requests]mode{to, to, to, to}
			if to == away && m.open {
				m.endWatch(errAway)
			}
		}}
	}
	return append(all, everything("down", away), everything("up", works))
}

// answerHappenings end the wait of what is under way.
func answerHappenings() []happening {
	var all []happening
	pods := func(name string, err error, present bool) {
		all = append(all, happening{"GET Pod answers: " + name, func(m *machine) bool { return m.pod != nil }, func(m *machine) { m.answerPod(err, present) }})
	}
	jobs := func(name string, err error, present bool) {
		all = append(all, happening{"GET Job answers: " + name, func(m *machine) bool { return m.job != nil }, func(m *machine) { m.answerJob(err, present) }})
	}
	pods("as it was", nil, false)
	pods("as it is", nil, true)
	pods("503", errFails, false)
	pods("403", errForbids, false)
	jobs("as it was", nil, false)
	jobs("as it is", nil, true)
	jobs("503", errFails, false)
	jobs("403", errForbids, false)
	patches := func(name string, how mode) {
		all = append(all, happening{"PATCH: " + name, func(m *machine) bool { return m.patch != nil }, func(m *machine) { m.answerPatch(how) }})
	}
	patches("arrives", works)
	patches("arrives, and its answer is lost", losesAnswer)
	patches("is lost", losesWrite)
	patches("is given up, and may still arrive", delaysWrite)
	patches("503", fails)
	patches("403", forbids)
	return append(all, happening{"a late PATCH arrives", func(m *machine) bool { return m.late != nil }, func(m *machine) {
		p, knew := m.late, m.lateKnew
		m.late, m.lateKnew = nil, knowledge{}
		if m.apply(p, knew) == nil && knew.process != m.process.run {
			m.o.overtaken = true
		}
	}})
}

func clockHappenings() []happening {
	var all []happening
	for _, d := range []time.Duration{time.Second, 12 * time.Second, 70 * time.Second, 5 * time.Minute} {
		all = append(all, happening{"+" + d.String(), always, func(m *machine) { m.pass(m.now.Add(d), 0) }})
	}
	return append(all, happening{"the clock reaches wake", func(m *machine) bool { return !m.wake().IsZero() }, func(m *machine) { m.pass(m.wake(), 0) }})
}

// plays has happen what is known by its names, and reports whether that can be.
func (m *machine) plays(story string) bool {
	all := alphabet()
	for name := range strings.SplitSeq(story, "; ") {
		i := slices.IndexFunc(all, func(h happening) bool { return h.name == name })
		switch {
		case story == "":
			return true
		case i < 0:
			panic("there is no event " + name)
		case m.done != nil, !all[i].can(m):
			return false
		}
		m.tell("* %s", name)
		m.happens(all[i])
	}
	return true
}

func (m *machine) happens(h happening) {
	h.do(m)
	if len(m.wrong) == 0 {
		m.s.now = m.now
		m.settle()
	}
}

// modelOf is a machine, after what has happened already, where that can be and is not
// the end.
func modelOf(c *setup, prelude string) (model explore.Model[*machine], ok bool) {
	m := newMachine(c)
	ok = m.plays(prelude) && m.done == nil
	model = explore.Model[*machine]{Name: strings.Trim(c.name+"; "+prelude, "; "), Start: m, Key: keyOf}
	var ended sync.Map
	model.End = func(m *machine, n int) []string { return m.end(n, &ended) }
	for _, h := range alphabet() {
		model.Events = append(model.Events, explore.Event[*machine]{Name: h.name,
			Can: func(m *machine) bool { return m.done == nil && h.can(m) },
			Do: func(m *machine) (*machine, []string) {
				n := m.copy()
				n.happens(h)
				return n, n.wrong
			}})
	}
	return model, ok
}
