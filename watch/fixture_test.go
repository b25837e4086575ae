package watch

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// none is a trigger that is not seen, or a grace period that is not given.
const none = -1

// variables are the reporter's in these tests.
var variables = []string{"JOB_NAME", "JOB_NAMESPACE", "POD_NAME"}

// patience is for what does not come at all, in tests that take real time.
const patience = 20 * time.Second

// change is what a test does to a Pod.
type change func(*corev1.Pod)

// pod is a running one, changed.
func pod(changes ...change) *corev1.Pod {
	grace := int64(30)
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "adapter-job-x7k2p", Namespace: "adapters", UID: "1"},
		Spec: corev1.PodSpec{
			RestartPolicy:                 corev1.RestartPolicyNever,
			TerminationGracePeriodSeconds: &grace,
			Containers:                    []corev1.Container{{Name: "adapter"}, {Name: reporterName}},
		},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning,
			ContainerStatuses: []corev1.ContainerStatus{
				{Name: "adapter", State: stateRunning},
				{Name: reporterName, State: stateRunning},
			},
		},
	}
	for _, c := range changes {
		c(p)
	}
	return p
}

var stateRunning = corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}

// adapterStatus is that of the fixture's adapter.
func adapterStatus(p *corev1.Pod) *corev1.ContainerStatus { return status(p, "adapter") }

func terminated(code int32, reason string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, ContainerID: "run-1"}}
}

// ends has the adapter end.
func ends(code int32, reason string) change {
	return func(p *corev1.Pod) { adapterStatus(p).State = terminated(code, reason) }
}

// endedBefore has the adapter's run before the present one end.
func endedBefore(code int32, reason string) change {
	return func(p *corev1.Pod) { adapterStatus(p).LastTerminationState = terminated(code, reason) }
}

// timed sets the times of an end.
func timed(e *corev1.ContainerStateTerminated, started, finished time.Time) *corev1.ContainerStateTerminated {
	e.StartedAt, e.FinishedAt = metav1.NewTime(started), metav1.NewTime(finished)
	return e
}

// endTimes sets those of the adapter's end, or of the one before.
func endTimes(started, finished time.Time) change {
	return func(p *corev1.Pod) {
		s := adapterStatus(p)
		timed(cmp.Or(s.State.Terminated, s.LastTerminationState.Terminated), started, finished)
	}
}

// runs has the adapter run since then.
func runs(since time.Time) change {
	return func(p *corev1.Pod) { adapterStatus(p).State = runningSince(since) }
}

func restarted(times int32) change {
	return func(p *corev1.Pod) { adapterStatus(p).RestartCount = times }
}

// reporterRuns has the reporter run since then, so often started again.
func reporterRuns(since time.Time, restarts int32) change {
	return func(p *corev1.Pod) {
		s := status(p, reporterName)
		s.State, s.RestartCount = runningSince(since), restarts
	}
}

func runningSince(t time.Time) corev1.ContainerState {
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(t)}}
}

// said is an end with a termination message.
func said(message string) corev1.ContainerState {
	s := terminated(1, "Error")
	s.Terminated.Message = message
	return s
}

func waiting(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

// waits has the adapter's container wait.
func waits(reason, message string) change {
	return func(p *corev1.Pod) { adapterStatus(p).State = waiting(reason, message) }
}

// isDeleted has the Pod be deleted, with a grace period where it is not none.
func isDeleted(seconds int64) change {
	return func(p *corev1.Pod) {
		p.DeletionTimestamp = &metav1.Time{Time: time.Date(2026, 1, 15, 9, 0, 0, 0, time.UTC)}
		if seconds != none {
			p.DeletionGracePeriodSeconds = &seconds
		}
	}
}

func inPhase(phase corev1.PodPhase, reason, message string) change {
	return func(p *corev1.Pod) { p.Status.Phase, p.Status.Reason, p.Status.Message = phase, reason, message }
}

func isDisrupted(reason, message string) change {
	return func(p *corev1.Pod) {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{
			Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: reason, Message: message,
		})
	}
}

// isRestartingAll has the kubelet tell whether it starts all containers again.
func isRestartingAll(status corev1.ConditionStatus) change {
	return func(p *corev1.Pod) {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.AllContainersRestarting, Status: status})
	}
}

// hasRules gives a container restart rules.
func hasRules(name string, rules ...corev1.ContainerRestartRule) change {
	return func(p *corev1.Pod) {
		never := corev1.ContainerRestartPolicyNever
		i := slices.IndexFunc(p.Spec.Containers, func(c corev1.Container) bool { return c.Name == name })
		p.Spec.Containers[i].RestartPolicy, p.Spec.Containers[i].RestartPolicyRules = &never, rules
	}
}

// restartAll is a rule that has all containers started again after this code.
func restartAll(code int32) corev1.ContainerRestartRule {
	return corev1.ContainerRestartRule{
		Action:    corev1.ContainerRestartRuleActionRestartAllContainers,
		ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{Operator: corev1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{code}},
	}
}

// restartAlone has the container alone started again.
func restartAlone(code int32) corev1.ContainerRestartRule {
	rule := restartAll(code)
	rule.Action = corev1.ContainerRestartRuleActionRestart
	return rule
}

func restartPolicy(policy corev1.RestartPolicy) change {
	return func(p *corev1.Pod) { p.Spec.RestartPolicy = policy }
}

func gracePeriodOf(seconds int64) change {
	return func(p *corev1.Pod) { p.Spec.TerminationGracePeriodSeconds = &seconds }
}

// asSidecar makes the reporter a native sidecar.
func asSidecar(p *corev1.Pod) {
	always := corev1.ContainerRestartPolicyAlways
	p.Spec.Containers = p.Spec.Containers[:1]
	p.Spec.InitContainers = []corev1.Container{{Name: reporterName, RestartPolicy: &always}}
	p.Status.InitContainerStatuses = p.Status.ContainerStatuses[1:]
	p.Status.ContainerStatuses = p.Status.ContainerStatuses[:1]
}
