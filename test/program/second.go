package program

import (
	"maps"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
)

// Worker is the container of the adapter that Second brings.
const Worker = "worker"

// Second puts another adapter with a reporter of its own into the Pod, and returns
// that one. Where the first is a native sidecar, so is it.
func (h *Harness) Second() *Rig {
	h.UpdatePod(func(pod *corev1.Pod) {
		addCopies(pod, "adapter", Worker)
		addCopies(pod, "status-reporter", Worker+"-reporter")
	})
	other := *h.Rig
	dir := h.T.TempDir()
	other.Path, other.Last = filepath.Join(dir, "worker-result.json"), filepath.Join(dir, "termination-log")
	other.Log, other.Signals, other.Exit = &Log{}, make(chan os.Signal, 1), make(chan int, 1)
	other.Kind, other.Env = "Validated", maps.Clone(h.Env)
	maps.Copy(other.Env, map[string]string{"CONDITION_TYPE": "Validated", "ADAPTER_CONTAINER_NAME": Worker, "RESULTS_PATH": other.Path})
	other.stands = func() bool { return other.Condition() != nil }
	h.stands = func() bool { return h.Condition() != nil }
	other.Put(other.Last, "")
	h.T.Cleanup(func() {
		if h.T.Failed() {
			h.T.Logf("the other reporter's log:\n%s", other.Log)
		}
	})
	return &other
}

// addCopies adds a container like another one, with a status like its.
func addCopies(pod *corev1.Pod, of, name string) {
	for _, list := range []*[]corev1.Container{&pod.Spec.Containers, &pod.Spec.InitContainers} {
		for _, c := range *list {
			if c.Name == of {
				c = *c.DeepCopy()
				c.Name = name
				*list = append(*list, c)
			}
		}
	}
	for _, list := range []*[]corev1.ContainerStatus{&pod.Status.ContainerStatuses, &pod.Status.InitContainerStatuses} {
		for _, s := range *list {
			if s.Name == of {
				s = *s.DeepCopy()
				s.Name, s.ContainerID = name, "containerd://"+name
				*list = append(*list, s)
			}
		}
	}
}

// EndContainer ends a container of the Pod.
func (r *Rig) EndContainer(name string, code int32, reason string) {
	r.UpdatePod(func(pod *corev1.Pod) { EndRun(StatusOf(pod, name), code, reason, "") })
}
