package watch

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// facts is what one reading of the Pod tells of adapter, reporter and Pod. It is
// derived from that reading alone, and compared with an earlier one by podState.
type facts struct {
	ended    *corev1.ContainerStateTerminated // for good: the kubelet will not start it again
	crashed  *corev1.ContainerStateTerminated // the last known end other than exit 0, of a container that may start again
	waiting  string                           // why the container has not started
	running  bool
	started  time.Time // the adapter's present run, or the last one where it waits for the next; zero: not known
	restarts int32     // of the adapter's container
	failed   bool      // the Pod is Failed, or is to be, whatever its containers read
	deleting bool
	causes   []string // of a disruption, in words
	grace    time.Duration

	mayRestart    bool   // the adapter may have been started before in this Pod
	restartsAll   bool   // a rule of some container has all of them started again
	restartingAll bool   // that is happening: neither an end nor a SIGTERM is one for good
	neverStarted  string // which init containers keep the adapter from starting, in words

	sidecar          bool      // the reporter is a native sidecar
	reporterStarted  time.Time // since when its container reads as running; zero: it does not
	reporterRestarts int32
	lastReport       string // the termination message of its last run, where it is a native sidecar
}

// The kubelet's reasons that say more than the exit code.
const (
	reasonOOM           = "OOMKilled"
	reasonLost          = "ContainerStatusUnknown" // code and reason are its guess
	reasonRestartingAll = "RestartingAllContainers"
	reasonUnknown       = "Unknown" // containerd's, with code 255, for what it no longer knows after a restart
	reasonCrashLoop     = "CrashLoopBackOff"
)

const (
	// defaultGrace is the API's default for terminationGracePeriodSeconds.
	defaultGrace = 30 * time.Second
	// crashLoopRun is how long a run may last for its crash to be one of a loop.
	crashLoopRun = time.Minute
)

// disrupted reports whether somebody other than the adapter is ending the Pod.
func (f *facts) disrupted() bool { return f.deleting || len(f.causes) > 0 }

// why are the causes of an interruption, as far as the Pod tells: a Pod that is
// Failed without a word is told as that only where nothing else is known.
func (f *facts) why() []string {
	if f.failed && len(f.causes) == 0 && !f.deleting && f.ended == nil && f.neverStarted == "" {
		return []string{"the Pod has failed"}
	}
	return f.causes
}

// crashLooping reports whether the last known crash is news: the adapter waits
// to be started again, or has only just been. One that has run for longer may
// well end better. The clock may have been set, either way.
func (f *facts) crashLooping(now time.Time) bool {
	return f.crashed != nil && (!f.running || now.Sub(f.started).Abs() < crashLoopRun)
}

// earlier is the last known crash in words, of an adapter that runs again; empty
// where there was none.
func (f *facts) earlier() string {
	switch e := f.crashed; {
	case e == nil:
		return ""
	case e.Reason == reasonOOM:
		return "an earlier run of the adapter was killed due to out of memory (OOMKilled)"
	default:
		return fmt.Sprintf("an earlier run of the adapter exited with code %d: %s", e.ExitCode, phrase(cmp.Or(e.Reason, "Error"), e.Message))
	}
}

// factsOf reads the Pod for what it tells about the adapter.
func factsOf(pod *corev1.Pod, r roles) facts {
	f := facts{
		failed:      pod.Status.Phase == corev1.PodFailed,
		deleting:    pod.DeletionTimestamp != nil,
		grace:       gracePeriod(pod),
		causes:      causes(pod),
		mayRestart:  mayRestart(pod, r.adapter),
		restartsAll: restartsAll(pod),
	}
	over := f.failed || f.deleting || pod.Status.Phase == corev1.PodSucceeded
	f.restartingAll = !over && restartingAll(pod)
	f.readReporter(pod, r)
	if r.adapter == nil {
		return f
	}
	f.neverStarted = neverStarted(pod, r, over)
	if f.neverStarted != "" && !f.restartingAll && initFailed(pod, r) {
		f.failed, over = true, true
	}
	if s := status(pod, r.adapter.Name); s != nil {
		f.readAdapter(s, func(code int32) bool { return restarts(r.adapter, pod.Spec.RestartPolicy, code) }, over)
	}
	if f.neverStarted != "" && f.ended == nil {
		f.waiting = strings.TrimPrefix(f.waiting+"; "+f.neverStarted, "; ")
	}
	return f
}

// readAdapter reads the status of its container. Restarts reports whether the
// kubelet starts it again after an exit code, over whether the Pod has ended or
// is to, so that it starts nothing.
func (f *facts) readAdapter(s *corev1.ContainerStatus, restarts func(code int32) bool, over bool) {
	f.running, f.started, f.restarts = s.State.Running != nil, startOf(s), s.RestartCount
	if w := s.State.Waiting; w != nil {
		f.waiting = phrase(w.Reason, w.Message)
	}
	end, last := s.State.Terminated, cmp.Or(s.State.Terminated, s.LastTerminationState.Terminated)
	again := end == nil || restarts(end.ExitCode)
	switch {
	case last == nil:
	case over && !f.running:
		f.ended = last
	case !again && !f.restartingAll && end.Reason != reasonRestartingAll:
		f.ended = last
	case again && !guessed(last) && isFailure(last): // else it was stopped with all others, to start again with them
		f.crashed = last
	}
}

// readReporter reads the status of the reporter's own container.
func (f *facts) readReporter(pod *corev1.Pod, r roles) {
	f.sidecar = r.sidecar
	if r.reporter == nil {
		return
	}
	s := status(pod, r.reporter.Name)
	if s == nil {
		return
	}
	f.reporterRestarts = s.RestartCount
	if s.State.Terminated != nil || s.LastTerminationState.Terminated != nil {
		f.reporterRestarts = max(1, s.RestartCount) // it is this process that has been started since
	}
	if s.State.Running != nil {
		f.reporterStarted = s.State.Running.StartedAt.Time
	}
	if last := s.LastTerminationState.Terminated; last != nil && r.sidecar {
		f.lastReport = last.Message
	}
}

// guessed reports whether code and reason of an end are only what the kubelet or
// the runtime makes up where it does not know, or has removed the container.
func guessed(e *corev1.ContainerStateTerminated) bool {
	return e.Reason == reasonLost || e.Reason == reasonRestartingAll || e.Reason == reasonUnknown && e.ExitCode == 255
}

// isFailure reports whether the end was one, OOM kills of a child among them.
func isFailure(e *corev1.ContainerStateTerminated) bool {
	return e.ExitCode != 0 || e.Reason == reasonOOM
}

// startOf is when the container's run that its status tells of started.
func startOf(s *corev1.ContainerStatus) time.Time {
	if s.State.Running != nil {
		return s.State.Running.StartedAt.Time
	}
	last := cmp.Or(s.State.Terminated, s.LastTerminationState.Terminated)
	switch {
	case last == nil:
		return time.Time{}
	case last.StartedAt.Unix() <= 0: // the runtime could not start it, and says 1970
		return last.FinishedAt.Time
	}
	return last.StartedAt.Time
}

// controller is the object that controls the Pod; nil where it has none, as the
// copies that kubectl debug makes.
func controller(pod *corev1.Pod) *metav1.OwnerReference { return metav1.GetControllerOfNoCopy(pod) }

// controlledBy reports whether the Pod is one of the Job's.
func controlledBy(pod *corev1.Pod, job types.UID) bool {
	owner := controller(pod)
	return owner != nil && owner.UID == job
}

// runOf tells one run of a container from another by its end.
func runOf(end *corev1.ContainerStateTerminated) string {
	return end.ContainerID + end.FinishedAt.String()
}

// gracePeriod is what the Pod has between SIGTERM and SIGKILL.
func gracePeriod(pod *corev1.Pod) time.Duration {
	seconds := pod.DeletionGracePeriodSeconds
	if seconds == nil {
		seconds = pod.Spec.TerminationGracePeriodSeconds
	}
	if seconds == nil {
		return defaultGrace
	}
	const most = int64(365 * 24 * time.Hour / time.Second) // the API has no limit, a Duration has
	return time.Duration(min(*seconds, most)) * time.Second
}

// causes says who ends the Pod, as far as its status tells: evictions and the
// like in its reason, disruptions in the condition of that name (KEP-3329).
func causes(pod *corev1.Pod) (causes []string) {
	if pod.Status.Phase == corev1.PodFailed && pod.Status.Reason != "" {
		causes = append(causes, phrase(pod.Status.Reason, pod.Status.Message))
	}
	for i := range pod.Status.Conditions {
		c := &pod.Status.Conditions[i]
		if c.Type == corev1.DisruptionTarget && c.Status == corev1.ConditionTrue && (len(causes) == 0 || c.Reason != pod.Status.Reason) {
			causes = append(causes, phrase(c.Reason, c.Message))
		}
	}
	return causes
}

func phrase(reason, message string) string {
	switch {
	case message == "":
		return reason
	case reason == "":
		return message
	}
	return reason + ": " + message
}
