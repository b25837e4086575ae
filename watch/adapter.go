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

// assign finds the roles. Name is ADAPTER_CONTAINER_NAME, empty to detect the
// adapter; own are the names of the reporter's variables.
func assign(pod *corev1.Pod, name string, own []string) (roles, error) {
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
		native := i < len(spec.InitContainers) && c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
		if c.Name == reporterName {
			return c, native
		}
		switch n := carried(c, own); {
		case n > most:
			found, sidecar, most = c, native, n
		case n == most:
			found, sidecar = nil, false
		}
	}
	return found, sidecar
}

func carried(c *corev1.Container, own []string) (n int) {
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

// restarts tells whether the kubelet would start the container again after
// this exit code, as ShouldContainerBeRestarted does: the container's rules,
// then its own policy, then the Pod's.
func restarts(c *corev1.Container, pod corev1.RestartPolicy, code int32) bool {
	policy := pod
	if c.RestartPolicy != nil {
		for _, rule := range c.RestartPolicyRules {
			if matches(rule.ExitCodes, code) {
				return true // every action there is restarts it
			}
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

func matches(rule *corev1.ContainerRestartRuleOnExitCodes, code int32) bool {
	op := corev1.ContainerRestartRuleOnExitCodesOpNotIn
	if rule != nil && slices.Contains(rule.Values, code) {
		op = corev1.ContainerRestartRuleOnExitCodesOpIn
	}
	return rule != nil && rule.Operator == op
}
