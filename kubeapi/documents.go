package kubeapi

import (
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// podDocument is what is read of a Pod. encoding/json prepares for every type
// that it might meet, and a whole Pod has some 250 of them: 1.6 ms of CPU time
// and half a megabyte, in a program that reads one. Nor can what is not read be
// misread when the API grows.
type podDocument struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		InitContainers                []container          `json:"initContainers"`
		Containers                    []container          `json:"containers"`
		RestartPolicy                 corev1.RestartPolicy `json:"restartPolicy"`
		TerminationGracePeriodSeconds *int64               `json:"terminationGracePeriodSeconds"`
	} `json:"spec"`
	Status struct {
		Phase                 corev1.PodPhase       `json:"phase"`
		Reason                string                `json:"reason"`
		Message               string                `json:"message"`
		Conditions            []corev1.PodCondition `json:"conditions"`
		InitContainerStatuses []containerStatus     `json:"initContainerStatuses"`
		ContainerStatuses     []containerStatus     `json:"containerStatuses"`
	} `json:"status"`
}

type container struct {
	Name string `json:"name"`
	Env  []struct {
		Name string `json:"name"`
	} `json:"env"`
	RestartPolicy      *corev1.ContainerRestartPolicy `json:"restartPolicy"`
	RestartPolicyRules []corev1.ContainerRestartRule  `json:"restartPolicyRules"`
}

type containerStatus struct {
	Name      string                `json:"name"`
	State     corev1.ContainerState `json:"state"`
	LastState corev1.ContainerState `json:"lastState"`
}

func (d *podDocument) pod() *corev1.Pod {
	return &corev1.Pod{
		TypeMeta:   d.TypeMeta,
		ObjectMeta: d.ObjectMeta,
		Spec: corev1.PodSpec{
			InitContainers:                containers(d.Spec.InitContainers),
			Containers:                    containers(d.Spec.Containers),
			RestartPolicy:                 d.Spec.RestartPolicy,
			TerminationGracePeriodSeconds: d.Spec.TerminationGracePeriodSeconds,
		},
		Status: corev1.PodStatus{
			Phase:                 d.Status.Phase,
			Reason:                d.Status.Reason,
			Message:               d.Status.Message,
			Conditions:            d.Status.Conditions,
			InitContainerStatuses: statuses(d.Status.InitContainerStatuses),
			ContainerStatuses:     statuses(d.Status.ContainerStatuses),
		},
	}
}

func containers(list []container) (all []corev1.Container) {
	for _, c := range list {
		one := corev1.Container{Name: c.Name, RestartPolicy: c.RestartPolicy, RestartPolicyRules: c.RestartPolicyRules}
		for _, v := range c.Env {
			one.Env = append(one.Env, corev1.EnvVar{Name: v.Name})
		}
		all = append(all, one)
	}
	return all
}

func statuses(list []containerStatus) (all []corev1.ContainerStatus) {
	for _, s := range list {
		all = append(all, corev1.ContainerStatus{Name: s.Name, State: s.State, LastTerminationState: s.LastState})
	}
	return all
}

// jobDocument is what is read of a Job: its template is a Pod's spec again.
type jobDocument struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		BackoffLimit     *int32                    `json:"backoffLimit"`
		PodFailurePolicy *batchv1.PodFailurePolicy `json:"podFailurePolicy"`
		Suspend          *bool                     `json:"suspend"`
	} `json:"spec"`
	Status batchv1.JobStatus `json:"status"`
}

func (d *jobDocument) job() *batchv1.Job {
	return &batchv1.Job{
		TypeMeta:   d.TypeMeta,
		ObjectMeta: d.ObjectMeta,
		Spec: batchv1.JobSpec{
			BackoffLimit:     d.Spec.BackoffLimit,
			PodFailurePolicy: d.Spec.PodFailurePolicy,
			Suspend:          d.Spec.Suspend,
		},
		Status: d.Status,
	}
}
