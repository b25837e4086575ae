package watch

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

// minSettle is how long an invalid file must stay as it is before it is believed:
// adapters write slowly and in pieces.
const minSettle = 10 * time.Second

// decide says what there is to report, and what has to be seen before that can be
// told or may change it. Its rules are those of docs/outcomes.md, in order.
func (s *state) decide() (*verdict, step) {
	switch {
	case s.misconfigured != nil:
		return &verdict{result: contract.Misconfigured(s.misconfigured)}, step{}
	case s.out.prior != nil:
		return &verdict{own: true, result: *s.out.prior}, step{}
	case s.mustKnow():
		return nil, step{readPod: s.pod.tried() == 0}
	case s.fileKind() == fileValid:
		return &verdict{own: true, result: s.file.result.Outcome()}, step{}
	case s.restartingAll():
		return nil, s.decideRestart()
	}
	if end := max(s.pod.sawEnd, s.pod.sawFailed); end != 0 {
		if s.file.read < end {
			return nil, step{look: true}
		}
		return s.decideEnd(), step{}
	}
	return s.decideRunning()
}

// decideEnd is about an adapter that has ended for good, or whose Pod has Failed.
func (s *state) decideEnd() *verdict {
	var v *verdict
	if s.pod.ended != nil {
		v = s.ending(s.pod.ended)
	} else {
		v = s.interruption()
	}
	switch {
	case !s.unseen():
		return v
	case s.pod.sidecar && s.pod.ended != nil:
		return nil // its SIGTERM says no more than that
	}
	return s.meanwhile(v)
}

// restartingAll reports whether the kubelet is about to start all containers again;
// where it has not come to that by the deadline it is not.
func (s *state) restartingAll() bool {
	return s.pod.restartingAll && s.stop.deletion.IsZero() && s.stop.deleted.IsZero() && (s.timedOut == 0 || !s.stop.sigterm.IsZero())
}

// keeps reports whether a fault that stands on the Job stays what there is to report.
// A second container has ended with it; a native sidecar must not tell another one for
// having seen the adapter's end before its SIGTERM. The adapter's own result replaces
// it, and a file that changes takes it back.
func (s *state) keeps(v *verdict, need step) bool {
	stood := &s.out.verdict
	if !s.out.closed || stood.interrupted || stood.interim {
		return false
	}
	if v == nil {
		return need.look || s.unseen() // it is not known yet
	}
	return !v.own
}

// decideRestart: the kubelet starts all of the Pod's containers again. That is no
// end of anything, and the next reporter goes on.
func (s *state) decideRestart() step {
	switch {
	case s.stop.sigterm.IsZero():
		return step{}
	case s.file.read < max(s.stopping, s.pod.sawAgain):
		return step{look: true}
	}
	return step{done: &Result{Delivered: true, Superseded: true}}
}

// decideRunning is about an adapter that has not ended, as far as is known.
func (s *state) decideRunning() (*verdict, step) {
	var need step
	if s.settled != 0 {
		lacks, enough := s.confirm(s.settled, s.file.since.Add(s.settle))
		if enough {
			return s.invalid(), lacks
		}
		need = lacks
	}
	// After a stop it was not the time that was short.
	if s.timedOut != 0 && s.stop.deleted.IsZero() && (s.reportDue == 0 || s.timedOut < s.reportDue) {
		lacks, enough := s.confirm(s.timedOut, s.deadline)
		if enough {
			return s.unfinished(&verdict{result: contract.Timeout(s.wait, s.pod.waiting, s.pod.earlier())}, s.deadline), lacks
		}
		need = need.and(lacks)
	}
	if s.stop.begun() {
		v, lacks := s.decideStop()
		return v, lacks.and(need)
	}
	return nil, need
}

// confirm asks for what must be seen after a seq before anything is told that
// rests on the adapter still running: half a file may be what an OOM kill left a
// moment ago. What is still lacking when it is enough is tried on.
func (s *state) confirm(since seq, at time.Time) (lacks step, enough bool) {
	lacks = step{look: s.file.read < since, readPod: s.pod.read < since && s.podName != ""}
	patient := s.now.Sub(at) < readingPatience
	return lacks, !lacks.look && !s.unseen() && (!lacks.readPod || !patient)
}

// decideStop tells nothing final before it has to: in its grace period the adapter
// may still write its result.
func (s *state) decideStop() (*verdict, step) {
	lacks := step{
		look:    s.file.read < max(s.stopping, s.reportDue),
		readPod: s.pod.read < s.stopping && s.stop.deleted.IsZero(),
	}
	switch {
	case lacks.look:
		return nil, lacks
	case s.reportDue != 0:
		return s.unfinished(s.interruption(), s.reportDueSince), lacks
	}
	return s.meanwhile(s.interruption()), lacks
}

// meanwhile is what is told of a stop, once that is due, before it is told for good.
func (s *state) meanwhile(v *verdict) *verdict {
	if !s.stop.begun() {
		return nil
	}
	if at := s.interimAt(); at.IsZero() || s.now.Before(at) {
		return nil
	}
	v.interim = true
	return v
}

// ending judges an adapter that has ended for good.
func (s *state) ending(e *corev1.ContainerStateTerminated) *verdict {
	switch {
	case guessed(e), e.Reason != reasonOOM && s.pod.disrupted && (e.ExitCode == 143 || e.ExitCode == 137):
		v := s.interruption()
		v.adapter = fmt.Sprintf("adapter container exited with code %d", e.ExitCode)
		return v
	case e.Reason == reasonOOM:
		return &verdict{result: contract.OOMKilled(e.Message)}
	case e.ExitCode != 0:
		return &verdict{result: contract.ExitedWithError(e.ExitCode, e.Reason, e.Message)}
	case s.fileKind() == fileAbsent:
		return &verdict{result: contract.MissingResults(s.path)}
	}
	return s.invalid()
}

// unfinished is what there is to tell of an adapter that has not ended for good:
// the file or a crash, else this. What is a crash loop is judged by when it was to be
// told, or the clock alone would take a report back. In a stop a file that is empty, or cannot be
// read, is one that the adapter had no time to write.
func (s *state) unfinished(v *verdict, at time.Time) *verdict {
	kind := s.fileKind()
	switch {
	case kind == fileInvalid, kind == fileNotYet && !s.stop.begun():
		return s.invalid()
	case s.pod.crashLooping(at):
		return s.ending(s.pod.crashed)
	}
	return v
}

func (s *state) invalid() *verdict { return &verdict{result: contract.InvalidFormat(s.file.err)} }

// interruption is a run that ended through no fault of the adapter's, as far as
// the Pod tells.
func (s *state) interruption() *verdict {
	v, causes := &verdict{interrupted: true, adapter: s.pod.neverStarted}, slices.Clone(s.pod.why())
	switch {
	case !s.stop.deleted.IsZero():
		causes = append(causes, "the Pod is gone")
	case !s.stop.deletion.IsZero():
		causes = append(causes, "the Pod is being deleted")
	}
	if s.pod.failed && s.pod.running {
		v.adapter = "the node no longer reports on the adapter"
	}
	v.causes = strings.Join(causes, "; ")
	return v
}
