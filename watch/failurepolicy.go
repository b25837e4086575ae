package watch

import (
	"cmp"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// The exit codes of a container that is told to stop: it goes with SIGTERM, or
// is killed when the grace period is over.
const (
	codeTerm = 143
	codeKill = 137
)

// actions are what the policy may do about this Pod, for each way in which its
// containers may end: Count where there is none, or no rule that matches.
func actions(policy *batchv1.PodFailurePolicy, pod *corev1.Pod, r roles) []batchv1.PodFailurePolicyAction {
	all := []batchv1.PodFailurePolicyAction{batchv1.PodFailurePolicyActionCount}
	if policy == nil {
		return all
	}
	if pod == nil { // any of the rules may match, or none
		for i := range policy.Rules {
			all = append(all, policy.Rules[i].Action)
		}
		return all
	}
	all = all[:0]
	for _, killed := range []int32{codeTerm, codeKill} {
		for _, others := range []int32{killed, 0} {
			for _, unstarted := range []int32{codeKill, 0} {
				all = append(all, action(policy, pod, exitCodes(pod, r, killed, others, unstarted)))
			}
		}
	}
	return all
}

// action is that of the first rule which matches a Pod with these exit codes,
// as in the Job controller. One with an operator that is not known here may.
func action(policy *batchv1.PodFailurePolicy, pod *corev1.Pod, codes map[string]int32) batchv1.PodFailurePolicyAction {
	for i := range policy.Rules {
		rule := &policy.Rules[i]
		on := rule.OnExitCodes
		switch {
		case on == nil && anyCondition(rule.OnPodConditions, pod), on != nil && anyCode(on, codes):
			return rule.Action
		case on != nil && on.Operator != batchv1.PodFailurePolicyOnExitCodesOpIn && on.Operator != batchv1.PodFailurePolicyOnExitCodesOpNotIn:
			return "" // "where it cannot be told": goesOn knows no such action
		}
	}
	return batchv1.PodFailurePolicyActionCount
}

func anyCondition(patterns []batchv1.PodFailurePolicyOnPodConditionsPattern, pod *corev1.Pod) bool {
	return slices.ContainsFunc(patterns, func(p batchv1.PodFailurePolicyOnPodConditionsPattern) bool {
		return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == p.Type && c.Status == cmp.Or(p.Status, corev1.ConditionTrue)
		})
	})
}

// anyCode reports whether one of the codes other than 0 matches.
func anyCode(on *batchv1.PodFailurePolicyOnExitCodesRequirement, codes map[string]int32) bool {
	for name, code := range codes {
		if code == 0 || on.ContainerName != nil && *on.ContainerName != name {
			continue
		}
		switch in := slices.Contains(on.Values, code); on.Operator {
		case batchv1.PodFailurePolicyOnExitCodesOpIn:
			if in {
				return true
			}
		case batchv1.PodFailurePolicyOnExitCodesOpNotIn:
			if !in {
				return true
			}
		}
	}
	return false
}

// exitCodes are those of all containers, init containers and native sidecars
// among them, once the Pod has ended; 0 where there is none. The reporter takes
// an interruption to its own exit code. The adapter, where it runs, ends with
// killed, another container with others: a proxy that is told to stop may well
// exit with 0. What has not started gets 137 of the kubelet or, in a Pod that is
// not initialized, no code at all: unstarted.
func exitCodes(pod *corev1.Pod, r roles, killed, others, unstarted int32) map[string]int32 {
	codes := map[string]int32{}
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			c := &list[i]
			switch s, end := lastEnd(pod, c.Name); {
			case r.reporter != nil && c.Name == r.reporter.Name:
				codes[c.Name] = codeTerm
			case end != nil:
				codes[c.Name] = end.ExitCode
			case s == nil || s.State.Running == nil:
				codes[c.Name] = unstarted
			case r.adapter != nil && c.Name == r.adapter.Name:
				codes[c.Name] = killed
			default:
				codes[c.Name] = others
			}
		}
	}
	return codes
}

// lastEnd is the container's status, and the end of its last run where it does
// not run now.
func lastEnd(pod *corev1.Pod, name string) (*corev1.ContainerStatus, *corev1.ContainerStateTerminated) {
	s := status(pod, name)
	if s == nil || s.State.Running != nil {
		return s, nil
	}
	return s, cmp.Or(s.State.Terminated, s.LastTerminationState.Terminated)
}
