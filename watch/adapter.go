package watch

import (
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// reporterName is the container name that settles which one the reporter is.
const reporterName = "status-reporter"

// roles says which containers of the Pod are which, by the Pod's spec:
// statuses are sorted by name and tell nothing.
type roles struct {
	adapter  *corev1.Container
	reporter *corev1.Container // nil where it cannot be told
	sidecar  bool              // the reporter is a native sidecar
}

// findContainers finds the roles. Name is ADAPTER_CONTAINER_NAME, empty to detect the
// adapter; own are the names of the reporter's variables.
func findContainers(pod *corev1.Pod, name string, own []string) (roles, error) {
	var r roles
	r.reporter, r.sidecar = reporter(&pod.Spec, own)
	all := slices.Concat(pod.Spec.Containers, pod.Spec.InitContainers)
	i := slices.IndexFunc(all, func(c corev1.Container) bool { return c.Name == name })
	switch {
	case name != "" && i < 0:
		return r, fmt.Errorf("ADAPTER_CONTAINER_NAME: the Pod has no container %q", name)
	case name != "" && r.reporter != nil && name == r.reporter.Name:
		return r, fmt.Errorf("ADAPTER_CONTAINER_NAME: container %q is the reporter itself", name)
	case name == "" && r.reporter == nil:
		return r, errors.New("cannot tell which container is the adapter: set ADAPTER_CONTAINER_NAME, or name the reporter's container " + reporterName)
	case name == "":
		i = slices.IndexFunc(pod.Spec.Containers, func(c corev1.Container) bool { return c.Name != r.reporter.Name })
		if i < 0 {
			return r, errors.New("the Pod has no container beside the reporter: set ADAPTER_CONTAINER_NAME")
		}
	}
	r.adapter = &all[i]
	return r, nil
}

// reporter is the container of that name, else the one whose environment
// carries the most of the reporter's own variables; nil on a tie or none.
func reporter(spec *corev1.PodSpec, own []string) (found *corev1.Container, sidecar bool) {
	most := 0
	all := slices.Concat(spec.InitContainers, spec.Containers)
	for i := range all {
		c := &all[i]
		native := i < len(spec.InitContainers) && isNative(c)
		if c.Name == reporterName {
			return c, native
		}
		switch n := countEnv(c, own); {
		case n > most:
			found, sidecar, most = c, native, n
		case n == most:
			found, sidecar = nil, false
		}
	}
	return found, sidecar
}

func countEnv(c *corev1.Container, own []string) (n int) {
	for _, name := range own {
		if slices.ContainsFunc(c.Env, func(v corev1.EnvVar) bool { return v.Name == name }) {
			n++
		}
	}
	return n
}

// status is the container's; nil before the kubelet has written one.
func status(pod *corev1.Pod, name string) *corev1.ContainerStatus {
	for _, list := range [][]corev1.ContainerStatus{pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses} {
		if i := slices.IndexFunc(list, func(s corev1.ContainerStatus) bool { return s.Name == name }); i >= 0 {
			return &list[i]
		}
	}
	return nil
}

// restarts reports whether the kubelet would start the container again after
// this exit code, as ShouldContainerBeRestarted does: the container's rules,
// then its own policy, then the Pod's.
func restarts(c *corev1.Container, pod corev1.RestartPolicy, code int32) bool {
	policy := pod
	if c.RestartPolicy != nil {
		if restartRule(c, code) != nil {
			return true // every action there is restarts it
		}
		policy = corev1.RestartPolicy(*c.RestartPolicy)
	}
	switch policy {
	case corev1.RestartPolicyAlways, "":
		return true
	case corev1.RestartPolicyOnFailure:
		return code != 0
	}
	return false
}

// restartsReporter reports whether the kubelet starts the reporter again after any code
// but 0: its container's own policy comes before the Pod's. A native sidecar's is no
// answer, since it ends only with the Pod.
func (p *podState) restartsReporter() bool {
	if p.last == nil {
		return false
	}
	policy := p.last.Spec.RestartPolicy
	if c := p.roles.reporter; c != nil && c.RestartPolicy != nil && !p.roles.sidecar {
		policy = corev1.RestartPolicy(*c.RestartPolicy)
	}
	return policy == corev1.RestartPolicyOnFailure
}

// restartRule is the first of the container's rules that matches; nil: none.
func restartRule(c *corev1.Container, code int32) *corev1.ContainerRestartRule {
	i := slices.IndexFunc(c.RestartPolicyRules, func(rule corev1.ContainerRestartRule) bool { return matches(rule.ExitCodes, code) })
	if i < 0 || c.RestartPolicy == nil {
		return nil
	}
	return &c.RestartPolicyRules[i]
}

// restartsAll reports whether a container's end may have all of them started again.
func restartsAll(pod *corev1.Pod) bool {
	return slices.ContainsFunc(specs(pod), func(c corev1.Container) bool {
		return slices.ContainsFunc(c.RestartPolicyRules, func(rule corev1.ContainerRestartRule) bool {
			return rule.Action == corev1.ContainerRestartRuleActionRestartAllContainers
		})
	})
}

// restartingAll reports whether that is happening: the kubelet says so, or a
// container has ended in the way that brings it about.
func restartingAll(pod *corev1.Pod) bool {
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == corev1.AllContainersRestarting && c.Status == corev1.ConditionTrue {
			return true
		}
	}
	return slices.ContainsFunc(specs(pod), func(c corev1.Container) bool {
		s := status(pod, c.Name)
		if s == nil || s.State.Terminated == nil {
			return false
		}
		rule := restartRule(&c, s.State.Terminated.ExitCode)
		return rule != nil && rule.Action == corev1.ContainerRestartRuleActionRestartAllContainers
	})
}

// mayRestart reports whether the adapter may have been started before in this
// Pod, so that its volumes may hold what an earlier run left. A native sidecar
// beside it is started again without it.
func mayRestart(pod *corev1.Pod, adapter *corev1.Container) bool {
	if pod.Spec.RestartPolicy != corev1.RestartPolicyNever {
		return true
	}
	if adapter != nil && adapter.RestartPolicy != nil && *adapter.RestartPolicy != corev1.ContainerRestartPolicyNever {
		return true
	}
	return slices.ContainsFunc(specs(pod), func(c corev1.Container) bool { return len(c.RestartPolicyRules) > 0 })
}

// specs are all of the Pod's containers, init containers first.
func specs(pod *corev1.Pod) []corev1.Container {
	return slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers)
}

// isNative reports whether an init container is a native sidecar.
func isNative(c *corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

func matches(rule *corev1.ContainerRestartRuleOnExitCodes, code int32) bool {
	op := corev1.ContainerRestartRuleOnExitCodesOpNotIn
	if rule != nil && slices.Contains(rule.Values, code) {
		op = corev1.ContainerRestartRuleOnExitCodesOpIn
	}
	return rule != nil && rule.Operator == op
}
