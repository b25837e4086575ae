package watch

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

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

// waits has the adapter's container wait.
func waits(reason, message string) change {
	return func(p *corev1.Pod) {
		adapterStatus(p).State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	}
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
