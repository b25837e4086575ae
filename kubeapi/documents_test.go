package kubeapi_test

import (
	"maps"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/google/go-cmp/cmp"
)

// TestWhatIsRead: all that the observers and the delivery go by comes through,
// and the rest does not.
func TestWhatIsRead(t *testing.T) {
	always, grace, limit := corev1.ContainerRestartPolicyAlways, int64(45), int32(4)
	yes, indexed, adapter, failedIndexes := true, batchv1.IndexedCompletion, "adapter", "1,3-5"
	at := metav1.NewTime(time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC).Local())
	terminated := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: 137, Signal: 9, Reason: "OOMKilled", Message: "too much", StartedAt: at, FinishedAt: at, ContainerID: "containerd://0123",
	}}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: at}}
	waiting := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 10s"}}

	pod := corev1.PodSpec{
		InitContainers: []corev1.Container{{Name: "status-reporter", RestartPolicy: &always, Env: []corev1.EnvVar{{Name: "JOB_NAME"}, {Name: "POD_NAME"}},
			VolumeMounts: []corev1.VolumeMount{{Name: "results", MountPath: "/results"}}}},
		Containers: []corev1.Container{{Name: "adapter", RestartPolicy: &always, RestartPolicyRules: []corev1.ContainerRestartRule{{
			Action:    corev1.ContainerRestartRuleActionRestart,
			ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{Operator: corev1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{42}},
		}}, VolumeMounts: []corev1.VolumeMount{
			{Name: "results", MountPath: "/results", SubPath: "a"}, {Name: "old", MountPath: "/old", SubPathExpr: "$(POD_NAME)"},
		}}},
		Volumes: []corev1.Volume{
			{Name: "results", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			{Name: "host", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{}}},
			{Name: "old"},
		},
		RestartPolicy: corev1.RestartPolicyOnFailure, TerminationGracePeriodSeconds: &grace,
	}
	podStatus := corev1.PodStatus{
		Phase: corev1.PodFailed, Reason: "Evicted", Message: "The node was low on resource: memory.",
		Conditions:            []corev1.PodCondition{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "EvictionByEvictionAPI", Message: "Eviction API: evicting", LastTransitionTime: at}},
		InitContainerStatuses: []corev1.ContainerStatus{{Name: "status-reporter", State: running}},
		ContainerStatuses:     []corev1.ContainerStatus{{Name: "adapter", State: waiting, LastTerminationState: terminated, RestartCount: 2}},
	}
	job := batchv1.JobSpec{
		BackoffLimit: &limit, BackoffLimitPerIndex: &limit, MaxFailedIndexes: &limit, CompletionMode: &indexed, Suspend: &yes,
		PodFailurePolicy: &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
			Action:      batchv1.PodFailurePolicyActionFailJob,
			OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: []int32{3}, ContainerName: &adapter},
		}, {
			Action:          batchv1.PodFailurePolicyActionIgnore,
			OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue}},
		}}},
	}
	jobStatus := batchv1.JobStatus{
		Active: 1, Failed: 2, FailedIndexes: &failedIndexes, Conditions: []batchv1.JobCondition{{Type: "Available", Status: corev1.ConditionTrue, LastTransitionTime: at}},
		UncountedTerminatedPods: &batchv1.UncountedTerminatedPods{Failed: []types.UID{"u1"}},
	}

	bubble(t, func(w *world) {
		wantPod := w.s.UpdatePod(namespace, podName, func(p *corev1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: jobName, UID: w.job.UID, Controller: &yes}}
			p.Finalizers = []string{batchv1.JobTrackingFinalizer}
			p.Annotations = map[string]string{
				batchv1.JobCompletionIndexAnnotation: "1", batchv1.JobIndexFailureCountAnnotation: "2", "example.com/other": "of no interest",
			}
			p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &at, &grace
			p.Spec, p.Status = *pod.DeepCopy(), *podStatus.DeepCopy()
			p.Spec.NodeName, p.Status.PodIP = "node-1", "10.1.2.3" // of no interest
			p.Spec.Containers[0].Image, p.Spec.InitContainers[0].Env[0].Value = "adapter:1", "job"
			p.Spec.Containers[0].VolumeMounts[0].ReadOnly = true
			p.Spec.Volumes[0].EmptyDir.Medium, p.Spec.Volumes[1].HostPath.Path = corev1.StorageMediumMemory, "/var/results"
			p.Spec.Volumes[2].PersistentVolumeClaim = &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "old"}
		})
		wantJob := w.s.UpdateJob(namespace, jobName, func(j *batchv1.Job) {
			j.Spec, j.Status = *job.DeepCopy(), *jobStatus.DeepCopy()
			j.Spec.Template.Spec = pod
			j.DeletionTimestamp = &at
		})
		wantPod = &corev1.Pod{ObjectMeta: metaRead(wantPod.ObjectMeta), Spec: pod, Status: podStatus}
		wantJob = &batchv1.Job{ObjectMeta: metaRead(wantJob.ObjectMeta), Spec: job, Status: jobStatus}
		wantJob.Status.Active = 0

		same := func(what string, got, want any) {
			if diff := cmp.Diff(want, got); diff != "" {
				w.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		gotPod, err := w.c.GetPod(w.Context(), false)
		if err != nil {
			w.Fatal(err)
		}
		same("the Pod that was read", gotPod, wantPod)
		f := w.follow(w.Context(), "")
		same("the Pod that was watched", (<-f.events).Object, runtime.Object(wantPod))
		gotJob, err := w.c.GetJob(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		same("the Job that was read", gotJob, wantJob)
	})
}

// metaRead is what is read of an object's metadata.
func metaRead(m metav1.ObjectMeta) metav1.ObjectMeta {
	annotations := maps.Clone(m.Annotations)
	delete(annotations, "example.com/other")
	return metav1.ObjectMeta{
		Name: m.Name, UID: m.UID, ResourceVersion: m.ResourceVersion,
		DeletionTimestamp: m.DeletionTimestamp, DeletionGracePeriodSeconds: m.DeletionGracePeriodSeconds,
		OwnerReferences: m.OwnerReferences, Finalizers: m.Finalizers, Annotations: annotations,
	}
}
