package program

import (
	"fmt"
	"os"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Finish is the adapter's end as it should be.
func (r *Rig) Finish() { r.Write(GoodFile) }

// Crash ends the adapter with exit code 1.
func (r *Rig) Crash() { r.Terminate(1, "Error") }

// Terminate ends the adapter.
func (r *Rig) Terminate(code int32, reason string) {
	r.UpdatePod(func(pod *corev1.Pod) { EndRun(AdapterStatus(pod), code, reason, "") })
}

// EndRun is what the kubelet writes of a container's end.
func EndRun(s *corev1.ContainerStatus, code int32, reason, message string) {
	end := &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, Message: message, FinishedAt: metav1.Now(),
		ContainerID: fmt.Sprintf("containerd://%s-%d", s.Name, s.RestartCount)}
	if s.State.Running != nil {
		end.StartedAt = s.State.Running.StartedAt
	}
	s.State = corev1.ContainerState{Terminated: end}
}

// BeginRun is what it writes of the next start: of the end only lastState tells then.
func BeginRun(s *corev1.ContainerStatus) {
	if s.State.Terminated != nil {
		s.LastTerminationState = s.State
	}
	s.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
	s.RestartCount++
}

// UpdatePod changes the reporter's Pod.
func (r *Rig) UpdatePod(change func(pod *corev1.Pod)) {
	r.API.UpdatePod(Namespace, PodName, change)
}

// AdapterStatus is the adapter's in the Pod's status.
func AdapterStatus(pod *corev1.Pod) *corev1.ContainerStatus { return StatusOf(pod, "adapter") }

// StatusOf is a container's in the Pod's status, init containers' too.
func StatusOf(pod *corev1.Pod, name string) *corev1.ContainerStatus {
	for _, list := range [][]corev1.ContainerStatus{pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	panic("the Pod has no container " + name)
}

// OnFailure has the kubelet start again what fails.
func (h *Harness) OnFailure() { h.UpdatePod(OnFailure) }

// OnFailure is for Pods that are not made yet.
func OnFailure(pod *corev1.Pod) { pod.Spec.RestartPolicy = corev1.RestartPolicyOnFailure }

// Restart is the kubelet's after a crash.
func (r *Rig) Restart() {
	r.UpdatePod(func(pod *corev1.Pod) { BeginRun(AdapterStatus(pod)) })
}

// Grace sets the Pod's grace period.
func (h *Harness) Grace(seconds int64) {
	h.UpdatePod(func(pod *corev1.Pod) { pod.Spec.TerminationGracePeriodSeconds = &seconds })
}

// Delete is the API server's part of a graceful deletion.
func (h *Harness) Delete(seconds int64) { h.trouble().Terminate(seconds) }

// NativeSidecar makes the reporter an init container that always restarts.
func (h *Harness) NativeSidecar() { h.UpdatePod(NativeSidecar) }

// NativeSidecar is for Pods that are not made yet.
func NativeSidecar(pod *corev1.Pod) {
	always := corev1.ContainerRestartPolicyAlways
	c := &pod.Spec.Containers
	i := slices.IndexFunc(*c, func(c corev1.Container) bool { return c.Name == "status-reporter" })
	pod.Spec.InitContainers = append(pod.Spec.InitContainers, (*c)[i])
	pod.Spec.InitContainers[len(pod.Spec.InitContainers)-1].RestartPolicy = &always
	*c = slices.Delete(*c, i, i+1)
	st := &pod.Status
	i = slices.IndexFunc(st.ContainerStatuses, func(s corev1.ContainerStatus) bool { return s.Name == "status-reporter" })
	st.InitContainerStatuses = append(st.InitContainerStatuses, st.ContainerStatuses[i])
	st.ContainerStatuses = slices.Delete(st.ContainerStatuses, i, i+1)
}

// Again is the kubelet's start of the adapter after an end.
func (h *Harness) Again(code int32, reason string, after time.Duration) {
	h.Terminate(code, reason)
	time.Sleep(after)
	h.Restart()
}

// BackOff is what the status tells between two runs that fail soon.
func (h *Harness) BackOff() {
	h.UpdatePod(func(pod *corev1.Pod) {
		s := AdapterStatus(pod)
		s.LastTerminationState = s.State
		s.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 20s restarting failed container"}}
	})
}

// StopSidecar is the SIGTERM that a native sidecar gets at its adapter's end.
func (h *Harness) StopSidecar() {
	time.Sleep(100 * time.Millisecond)
	h.Sigterm()
}

// RemoveFile removes the result file.
func (h *Harness) RemoveFile() {
	if err := os.Remove(h.Path); err != nil {
		h.T.Fatal(err)
	}
}

// CrashUnseen ends the adapter, which nobody is told of before the outage.
func (h *Harness) CrashUnseen() {
	h.Server.BreakWatches()
	h.Crash()
}

// RestartAllCode is the exit code that RestartRule is for.
const RestartAllCode = 42

// RestartRule has all of the Pod's containers started again when the adapter ends
// with one code.
func (h *Harness) RestartRule() { h.UpdatePod(RestartRule) }

// RestartRule is for Pods that are not made yet.
func RestartRule(pod *corev1.Pod) {
	never := corev1.ContainerRestartPolicyNever
	c := &pod.Spec.Containers[0]
	c.RestartPolicy = &never
	c.RestartPolicyRules = []corev1.ContainerRestartRule{{
		Action:    corev1.ContainerRestartRuleActionRestartAllContainers,
		ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{Operator: corev1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{RestartAllCode}},
	}}
}

// StartedAgain is a Pod of which that has been done, once.
func StartedAgain(pod *corev1.Pod) {
	for _, name := range []string{"adapter", "status-reporter"} {
		s := StatusOf(pod, name)
		s.RestartCount++
		s.LastTerminationState = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "RestartingAllContainers"}}
	}
}

// RestartsAll is the kubelet's word for it while it does so.
func (h *Harness) RestartsAll() {
	h.UpdatePod(func(pod *corev1.Pod) {
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.AllContainersRestarting, Status: corev1.ConditionTrue})
	})
}

// EndPod ends all of the Pod's containers at once.
func (r *Rig) EndPod(code int32) {
	r.UpdatePod(func(pod *corev1.Pod) {
		pod.Status.Phase = corev1.PodSucceeded
		reason := "Completed"
		if code != 0 {
			pod.Status.Phase, reason = corev1.PodFailed, "Error"
		}
		for i := range pod.Status.ContainerStatuses {
			s := &pod.Status.ContainerStatuses[i]
			s.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, ContainerID: s.ContainerID}}
			s.Ready, s.Started = false, new(bool)
		}
	})
}

// SidecarAgain starts the reporter again as the kubelet does with a native sidecar.
func (h *Harness) SidecarAgain() { h.StartAgain("status-reporter") }

// StartAgain starts the reporter in a container again: what its last run has left in
// the termination message stands in its status. All containers of a Pod share 12 KiB
// of them, and the kubelet cuts what is beyond a container's part.
func (r *Rig) StartAgain(container string) {
	last := r.TerminationMessage()
	r.UpdatePod(func(pod *corev1.Pod) {
		s := StatusOf(pod, container)
		last := last[:min(len(last), 12<<10/(len(pod.Spec.Containers)+len(pod.Spec.InitContainers)))]
		EndRun(s, 0, "Completed", last)
		BeginRun(s)
	})
	r.Put(r.Last, "")
	r.Signals = make(chan os.Signal, 1)
	r.Start()
}
