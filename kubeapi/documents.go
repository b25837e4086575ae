package kubeapi

import (
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// podDocument is what is read of a Pod. encoding/json prepares for every type
// that it might meet, and a whole Pod has some 250 of them: 1.6 ms of CPU time
// and half a megabyte, in a program that reads one. Nor can what is not read be
// misread when the API grows.
type podDocument struct {
	Metadata metadata `json:"metadata"`
	Spec     struct {
		InitContainers                []container          `json:"initContainers"`
		Containers                    []container          `json:"containers"`
		Volumes                       []volume             `json:"volumes"`
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

type metadata struct {
	Name                       string                  `json:"name"`
	UID                        types.UID               `json:"uid"`
	ResourceVersion            string                  `json:"resourceVersion"`
	DeletionTimestamp          *metav1.Time            `json:"deletionTimestamp"`
	DeletionGracePeriodSeconds *int64                  `json:"deletionGracePeriodSeconds"`
	OwnerReferences            []metav1.OwnerReference `json:"ownerReferences"`
	Finalizers                 []string                `json:"finalizers"`
	Annotations                struct {
		CompletionIndex   string `json:"batch.kubernetes.io/job-completion-index"`
		IndexFailureCount string `json:"batch.kubernetes.io/job-index-failure-count"`
	} `json:"annotations"`
}

func (m *metadata) meta() metav1.ObjectMeta {
	meta := metav1.ObjectMeta{
		Name: m.Name, UID: m.UID, ResourceVersion: m.ResourceVersion,
		DeletionTimestamp: m.DeletionTimestamp, DeletionGracePeriodSeconds: m.DeletionGracePeriodSeconds,
		OwnerReferences: m.OwnerReferences, Finalizers: m.Finalizers,
	}
	if n := m.Annotations.CompletionIndex; n != "" {
		metav1.SetMetaDataAnnotation(&meta, batchv1.JobCompletionIndexAnnotation, n)
	}
	if n := m.Annotations.IndexFailureCount; n != "" {
		metav1.SetMetaDataAnnotation(&meta, batchv1.JobIndexFailureCountAnnotation, n)
	}
	return meta
}

type container struct {
	Name string `json:"name"`
	Env  []struct {
		Name string `json:"name"`
	} `json:"env"`
	VolumeMounts []struct {
		Name        string `json:"name"`
		MountPath   string `json:"mountPath"`
		SubPath     string `json:"subPath"`
		SubPathExpr string `json:"subPathExpr"`
	} `json:"volumeMounts"`
	RestartPolicy      *corev1.ContainerRestartPolicy `json:"restartPolicy"`
	RestartPolicyRules []corev1.ContainerRestartRule  `json:"restartPolicyRules"`
}

// volume tells the kinds apart that belong to the Pod or its node.
type volume struct {
	Name     string    `json:"name"`
	EmptyDir *struct{} `json:"emptyDir"`
	HostPath *struct{} `json:"hostPath"`
}

type containerStatus struct {
	Name         string                `json:"name"`
	State        corev1.ContainerState `json:"state"`
	LastState    corev1.ContainerState `json:"lastState"`
	RestartCount int32                 `json:"restartCount"`
}

func (d *podDocument) pod() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: d.Metadata.meta(),
		Spec: corev1.PodSpec{
			InitContainers:                containers(d.Spec.InitContainers),
			Containers:                    containers(d.Spec.Containers),
			Volumes:                       volumes(d.Spec.Volumes),
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
		for _, m := range c.VolumeMounts {
			one.VolumeMounts = append(one.VolumeMounts, corev1.VolumeMount{Name: m.Name, MountPath: m.MountPath, SubPath: m.SubPath, SubPathExpr: m.SubPathExpr})
		}
		all = append(all, one)
	}
	return all
}

func volumes(list []volume) (all []corev1.Volume) {
	for _, v := range list {
		one := corev1.Volume{Name: v.Name}
		if v.EmptyDir != nil {
			one.EmptyDir = &corev1.EmptyDirVolumeSource{}
		}
		if v.HostPath != nil {
			one.HostPath = &corev1.HostPathVolumeSource{}
		}
		all = append(all, one)
	}
	return all
}

func statuses(list []containerStatus) (all []corev1.ContainerStatus) {
	for _, s := range list {
		all = append(all, corev1.ContainerStatus{Name: s.Name, State: s.State, LastTerminationState: s.LastState, RestartCount: s.RestartCount})
	}
	return all
}

// jobDocument is what is read of a Job: its template is a Pod's spec again.
type jobDocument struct {
	Metadata metadata `json:"metadata"`
	Spec     struct {
		BackoffLimit         *int32                    `json:"backoffLimit"`
		BackoffLimitPerIndex *int32                    `json:"backoffLimitPerIndex"`
		MaxFailedIndexes     *int32                    `json:"maxFailedIndexes"`
		CompletionMode       *batchv1.CompletionMode   `json:"completionMode"`
		PodFailurePolicy     *batchv1.PodFailurePolicy `json:"podFailurePolicy"`
		Suspend              *bool                     `json:"suspend"`
	} `json:"spec"`
	Status struct {
		Conditions              []batchv1.JobCondition           `json:"conditions"`
		Failed                  int32                            `json:"failed"`
		FailedIndexes           *string                          `json:"failedIndexes"`
		UncountedTerminatedPods *batchv1.UncountedTerminatedPods `json:"uncountedTerminatedPods"`
	} `json:"status"`
}

func (d *jobDocument) job() *batchv1.Job {
	return &batchv1.Job{
		ObjectMeta: d.Metadata.meta(),
		Spec: batchv1.JobSpec{
			BackoffLimit:         d.Spec.BackoffLimit,
			BackoffLimitPerIndex: d.Spec.BackoffLimitPerIndex,
			MaxFailedIndexes:     d.Spec.MaxFailedIndexes,
			CompletionMode:       d.Spec.CompletionMode,
			PodFailurePolicy:     d.Spec.PodFailurePolicy,
			Suspend:              d.Spec.Suspend,
		},
		Status: batchv1.JobStatus{
			Conditions:              d.Status.Conditions,
			Failed:                  d.Status.Failed,
			FailedIndexes:           d.Status.FailedIndexes,
			UncountedTerminatedPods: d.Status.UncountedTerminatedPods,
		},
	}
}
