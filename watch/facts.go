package watch

import (
	"cmp"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// facts is what one reading of the Pod tells about the adapter.
type facts struct {
	ended    *corev1.ContainerStateTerminated // for good: the kubelet will not start it again
	crashed  *corev1.ContainerStateTerminated // the last known end other than exit 0, of a container that may start again
	waiting  string                           // why the container has not started
	running  bool
	failed   bool // the Pod is Failed, whatever its containers read
	deleting bool
	causes   []string // of a disruption, in words
	grace    time.Duration

	sidecar bool // the reporter is a native sidecar
}

// The kubelet's reasons that say more than the exit code.
const (
	reasonOOM  = "OOMKilled"
	reasonLost = "ContainerStatusUnknown" // code and reason are its guess
)

// defaultGrace is the API's default for terminationGracePeriodSeconds.
const defaultGrace = 30 * time.Second

// disrupted tells that somebody other than the adapter is ending the Pod.
func (f *facts) disrupted() bool { return f.deleting || len(f.causes) > 0 }

// factsOf reads the Pod for what it tells about the adapter.
func factsOf(pod *corev1.Pod, r roles) facts {
	f := facts{
		failed:   pod.Status.Phase == corev1.PodFailed,
		deleting: pod.DeletionTimestamp != nil,
		grace:    gracePeriod(pod),
		causes:   causes(pod),
		sidecar:  r.sidecar,
	}
	if r.adapter == nil {
		return f
	}
	s := status(pod, r.adapter.Name)
	if s == nil {
		return f
	}
	f.running = s.State.Running != nil
	last := cmp.Or(s.State.Terminated, s.LastTerminationState.Terminated)
	if w := s.State.Waiting; w != nil {
		f.waiting = phrase(w.Reason, w.Message)
	}
	over := f.failed || f.deleting || pod.Status.Phase == corev1.PodSucceeded
	if last != nil && !f.running && (over || s.State.Terminated != nil && !restarts(r.adapter, pod.Spec.RestartPolicy, last.ExitCode)) {
		f.ended = last
		return f
	}
	if last != nil && (last.ExitCode != 0 || last.Reason == reasonOOM) {
		f.crashed = last
	}
	return f
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
