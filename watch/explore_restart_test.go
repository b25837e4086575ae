package watch

import (
	"encoding/json"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

// process is a run of the reporter's container, as the kubelet's status has it.
type process struct {
	run     int // how often it was started again
	started time.Time
	word    string // the termination message of the one before
}

// earlier is what earlier processes of the reporter have left.
type earlierProcesses struct {
	own  contract.Outcome // what they may have set as the adapter's own result
	run  int              // of the adapter, that has written that
	acks contract.Outcome // what the last of them has reported, by its termination message
}

// tellable is how long a process must have run for its status to be told from that of
// the next one, to the second.
const tellable = 2 * time.Second

// backOff is how long the kubelet takes to start a container again, at most.
const backOff = 10 * time.Second

// restarts reports whether the kubelet starts the reporter again.
func (m *machine) restarts() bool {
	p := &m.w.pod
	switch {
	case p.deleting, p.deleted, p.another, p.failed, !m.s.stop.sigterm.IsZero():
		return false
	case m.c.sidecar: // not once the adapter is known to have ended for good
		return m.endedAt.IsZero() || m.now.Before(m.endedAt.Add(kubeletDelay))
	}
	return m.c.onFailure
}

// kill ends the reporter's process, which leaves a word and what is on its way.
func (m *machine) kill(fate mode) {
	m.tell("killed; said %q", m.s.out.said.msg)
	m.downSince, m.process.word = m.now, m.word()
	if p := m.patch; p != nil {
		switch fate {
		case works:
			_ = m.apply(p, m.knew)
		case delaysWrite:
			m.late, m.lateKnew = p, m.knew
		}
	}
	m.pod, m.job, m.patch, m.look, m.knew = nil, nil, nil, nil, knowledge{}
	m.open, m.muted, m.want, m.needs, m.looked = false, false, false, false, failedAsLook
}

// word is the termination message: the last line.
func (m *machine) word() string {
	said := m.s.out.said
	m.before.acks = contract.Outcome{}
	if said.msg == "" {
		return ""
	}
	if said.msg == msgReported {
		m.before.acks = said.outcome
	}
	line := map[string]any{"msg": said.msg, "type": "Available", "status": said.outcome.Status, "reason": said.outcome.Reason, "message": said.outcome.Message}
	if said.own {
		line["own"] = true
		if m.s.pod.last != nil {
			line["adapterRestarts"] = said.restarts
		}
	}
	b, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// start has the kubelet start the reporter again. What its Pod's status tells of that
// comes a little later.
func (m *machine) start() {
	m.tell("started again")
	m.process.run++
	m.process.started = m.now.Truncate(time.Second)
	m.downSince, m.begun = time.Time{}, m.now
	m.s = newState(m.c.config(), m.now)
	m.want = !m.c.misconf
	o := &m.o
	m.o = observed{ord: o.ord, deletion: o.deletion, replaced: o.replaced, over: o.over}
}

// tellProcess has the Pod's status tell of the reporter's process as it is.
func (m *machine) tellProcess() {
	m.w.pod.process = m.process
	m.w.pod.version++
	m.tellPod()
}

func (m *machine) stale() bool { return m.downSince.IsZero() && m.w.pod.process != m.process }

func restartHappenings() []happening {
	kills := func(name string, underWay bool, fate mode) happening {
		return happening{"reporter: killed" + name,
			func(m *machine) bool {
				return m.downSince.IsZero() && m.restarts() && !m.now.Before(m.begun.Add(tellable)) && underWay == (m.patch != nil)
			},
			func(m *machine) { m.kill(fate) }}
	}
	return []happening{
		kills("", false, works), kills(", and its PATCH is lost", true, losesWrite),
		kills(", and its PATCH arrives", true, works), kills(", and its PATCH may still arrive", true, delaysWrite),
		{"reporter: started again", func(m *machine) bool { return !m.downSince.IsZero() }, (*machine).start},
		{"Pod: tells of the reporter's start", func(m *machine) bool { return m.stale() }, (*machine).tellProcess},
	}
}
