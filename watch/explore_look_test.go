package watch

import "time"

// looking is a look at the result file that has no answer yet.
type looking struct {
	found look // as it was when it began
	file  worldFile
	began seq
	sent  ord
	at    time.Time
}

const failedAsLook = -1 // the stamp of what a look has found that tells nothing

// lookFor does what the file's observer does: one look at a time, and where one is
// needed that does not answer in time it says so.
func (m *machine) lookFor(step step) {
	m.needs = step.look
	switch {
	case m.c.misconf:
	case m.look == nil && (step.look || m.want):
		m.beginLook()
	case m.look != nil && step.look && !m.unheard && m.now.Sub(m.look.at) >= m.s.patience(m.now):
		m.unheard = true
		m.o.ord++
		began, sent, at := m.s.clock, m.o.ord, m.now
		m.answer(func(m *machine) {
			m.unheard = false
			m.found(unheard(), began, sent, at)
		})
	}
}

func (m *machine) beginLook() {
	m.want = false
	m.o.ord++
	m.look = &looking{m.w.file.look(), m.w.file, m.s.clock, m.o.ord, m.now}
	if m.w.holdLook {
		m.w.holdLook = false
		return
	}
	m.answer(func(m *machine) { m.answerLook(m.w.sick, false) })
}

// answerLook answers the look under way, by what was there when it began, or is now.
func (m *machine) answerLook(fails, present bool) {
	l := m.look
	m.look = nil
	found := l.found
	file := l.file
	switch {
	case fails:
		found, file = lookFails, worldFile{stamp: failedAsLook}
	case present:
		found, file = m.w.file.look(), m.w.file
	}
	m.looked = file.stamp
	if found.kind == fileValid {
		m.ownRun = file.run
	}
	if found.kind == fileValid && file.run == m.w.pod.run && file.changed.Sub(m.w.pod.started) > time.Second {
		m.o.sawOwn = true
	}
	m.found(found, l.began, l.sent, l.at)
}

func (m *machine) found(found look, began seq, sent ord, at time.Time) {
	m.tell("look, begun %s ago: kind %d, %v", m.now.Sub(at), found.kind, found.err)
	m.s.file.saw(found, began, m.now)
	m.o.sawFile(m, found, sent)
}

func lookHappenings() []happening {
	there := func(m *machine) bool { return !m.c.misconf }
	answers := func(name string, fails, present bool) happening {
		return happening{"a look answers: " + name, func(m *machine) bool { return m.look != nil }, func(m *machine) { m.answerLook(fails, present) }}
	}
	return []happening{
		{"the filesystem: the next look gets no answer for a while", func(m *machine) bool { return there(m) && !m.w.holdLook }, func(m *machine) { m.w.holdLook = true }},
		{"the filesystem: looks fail", func(m *machine) bool { return there(m) && !m.w.sick }, func(m *machine) { m.w.sick = true }},
		{"the filesystem: looks work", func(m *machine) bool { return m.w.sick }, func(m *machine) { m.w.sick = false }},
		answers("as it was", false, false), answers("as it is", false, true), answers("EIO", true, false),
	}
}
