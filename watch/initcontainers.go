package watch

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// neverStarted says in words which init containers keep the adapter from
// starting: that have failed, or cannot start themselves. It is empty where the
// adapter runs, or an end of it is known that is no guess. Over says that the
// Pod has ended or is to: the native sidecars that end then have not failed.
func neverStarted(pod *corev1.Pod, r roles, over bool) string {
	s, end := lastEnd(pod, r.adapter.Name)
	if s != nil && s.State.Running != nil || end != nil && !guessed(end) {
		return ""
	}
	waits := s == nil || s.State.Terminated == nil
	var words []string
	for i := range pod.Spec.InitContainers {
		c := &pod.Spec.InitContainers[i]
		if c.Name == r.adapter.Name {
			break // those behind it wait for it
		}
		own := status(pod, c.Name)
		if own == nil || r.reporter != nil && c.Name == r.reporter.Name || isNative(c) && !(waits && inTheWay(own, over)) {
			continue
		}
		if w := obstacle(own); w != "" {
			words = append(words, w)
		}
	}
	return strings.Join(words, "; ")
}

// initFailed reports whether an init container has failed for good: the kubelet then
// starts nothing more, and the Pod is Failed as soon as its native sidecars have ended.
func initFailed(pod *corev1.Pod, r roles) bool {
	return slices.ContainsFunc(pod.Spec.InitContainers, func(c corev1.Container) bool {
		s := status(pod, c.Name)
		if s == nil || s.State.Terminated == nil || c.Name == r.adapter.Name {
			return false
		}
		end := s.State.Terminated
		return end.ExitCode != 0 && !guessed(end) && !restarts(&c, pod.Spec.RestartPolicy, end.ExitCode)
	})
}

// inTheWay reports whether a native sidecar may keep those behind it from
// starting: it does not run, and not because the Pod ends.
func inTheWay(s *corev1.ContainerStatus, over bool) bool {
	return s.State.Running == nil && (s.State.Terminated == nil || !over)
}

// obstacle says in words what keeps an init container from being done; empty
// where it is, or nothing is wrong as far as its status tells.
func obstacle(s *corev1.ContainerStatus) string {
	name := "init container " + s.Name
	if w := s.State.Waiting; w != nil && w.Reason != reasonCrashLoop {
		switch w.Reason {
		case "", "PodInitializing", "ContainerCreating": // so do all that are not there yet
			return ""
		}
		return name + ": " + phrase(w.Reason, w.Message)
	}
	last := cmp.Or(s.State.Terminated, s.LastTerminationState.Terminated)
	switch {
	case last != nil && last.ExitCode != 0 && !guessed(last):
		name += fmt.Sprintf(" exited with code %d: ", last.ExitCode) + phrase(cmp.Or(last.Reason, "Error"), strings.TrimSpace(last.Message))
		if s.State.Running != nil {
			name += " (it runs again)"
		}
		return name
	case s.State.Waiting != nil:
		return name + ": " + phrase(s.State.Waiting.Reason, s.State.Waiting.Message)
	}
	return ""
}
