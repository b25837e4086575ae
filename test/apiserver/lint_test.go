package apiserver_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/openshift-hyperfleet/status-reporter/test/apiserver"
)

// mistake is a change of one of deploy's Jobs, and the warning that it gets.
type mistake struct {
	name   string
	file   string // job.yaml if empty
	change func(j *batchv1.JobSpec)
	want   string // in the one warning; none if empty
}

func reporterIn(j *batchv1.JobSpec) *corev1.Container {
	for _, list := range [][]corev1.Container{j.Template.Spec.Containers, j.Template.Spec.InitContainers} {
		for i := range list {
			if slices.ContainsFunc(list[i].Env, func(e corev1.EnvVar) bool { return e.Name != "RESULTS_PATH" }) { // which adapters have too
				return &list[i]
			}
		}
	}
	panic("no reporter")
}

// set sets one of the reporter's variables, or takes it away.
func set(name, value string) func(j *batchv1.JobSpec) {
	return func(j *batchv1.JobSpec) {
		c := reporterIn(j)
		c.Env = slices.DeleteFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == name })
		if value != "" {
			c.Env = append(c.Env, corev1.EnvVar{Name: name, Value: value})
		}
	}
}

func volume(source corev1.VolumeSource) func(j *batchv1.JobSpec) {
	return func(j *batchv1.JobSpec) { j.Template.Spec.Volumes[0].VolumeSource = source }
}

func mistakes() []mistake {
	const sidecar = "job-native-sidecar.yaml"
	adapter := func(j *batchv1.JobSpec) *corev1.Container { return &j.Template.Spec.Containers[0] }
	yes := true
	return []mistake{
		{name: "none"},
		{name: "none", file: sidecar},
		{name: "no reporter", change: func(j *batchv1.JobSpec) {
			j.Template.Spec.Containers, j.PodFailurePolicy, j.Template.Spec.AutomountServiceAccountToken = j.Template.Spec.Containers[:1], nil, nil
		}},

		{name: "a deadline that comes first", change: func(j *batchv1.JobSpec) { *j.ActiveDeadlineSeconds = 310 },
			want: "activeDeadlineSeconds 310 leaves less than 60 s over the 300 s that the reporter waits, for scheduling and image pulls: write activeDeadlineSeconds 360 or more, or a smaller MAX_WAIT_TIME_SECONDS."},
		{name: "59 s", file: sidecar, change: func(j *batchv1.JobSpec) { *j.ActiveDeadlineSeconds = 359 }, want: "activeDeadlineSeconds 359"},
		{name: "60 s", change: func(j *batchv1.JobSpec) { *j.ActiveDeadlineSeconds = 360 }},
		{name: "no deadline", change: func(j *batchv1.JobSpec) { j.ActiveDeadlineSeconds = nil }},
		{name: "a long wait", change: set("MAX_WAIT_TIME_SECONDS", " 900 "), want: "write activeDeadlineSeconds 960 or more"},
		{name: "a short wait", change: func(j *batchv1.JobSpec) { *j.ActiveDeadlineSeconds = 120; set("MAX_WAIT_TIME_SECONDS", "60")(j) }},
		{name: "the wait that is the default", change: func(j *batchv1.JobSpec) { *j.ActiveDeadlineSeconds = 300; set("MAX_WAIT_TIME_SECONDS", "")(j) }, want: "activeDeadlineSeconds 300"},
		{name: "a Pod's own deadline", change: func(j *batchv1.JobSpec) {
			j.Template.Spec.ActiveDeadlineSeconds = new(int64)
			*j.Template.Spec.ActiveDeadlineSeconds = 200
		}, want: "activeDeadlineSeconds 200"},

		{name: "the adapter mounts nothing", change: func(j *batchv1.JobSpec) { adapter(j).VolumeMounts = nil },
			want: "the reporter and container adapter share no volume that holds RESULTS_PATH /results/adapter-result.json: mount one volume into both, {name: results, mountPath: /results},"},
		{name: "the adapter mounts it elsewhere", change: func(j *batchv1.JobSpec) { adapter(j).VolumeMounts[0].MountPath = "/out" }},
		{name: "the adapter mounts it read-only", change: func(j *batchv1.JobSpec) { adapter(j).VolumeMounts[0].ReadOnly = true }, want: "share no volume"},
		{name: "the reporter mounts nothing there", file: sidecar, change: func(j *batchv1.JobSpec) { reporterIn(j).VolumeMounts = reporterIn(j).VolumeMounts[1:] }, want: "share no volume"},
		{name: "a path beside the volume", change: set("RESULTS_PATH", "/results2/x.json"), want: "mountPath: /results2}"},
		{name: "a path below the volume", change: set("RESULTS_PATH", "/results/a/b.json")},
		{name: "a volume within the volume", change: func(j *batchv1.JobSpec) {
			j.Template.Spec.Volumes = append(j.Template.Spec.Volumes, corev1.Volume{Name: "inner"})
			reporterIn(j).VolumeMounts = append(reporterIn(j).VolumeMounts, corev1.VolumeMount{Name: "inner", MountPath: "/results/a"})
			set("RESULTS_PATH", "/results/a/b.json")(j)
		}, want: "share no volume"},
		{name: "two parts of one volume", change: func(j *batchv1.JobSpec) {
			adapter(j).VolumeMounts[0].SubPath, reporterIn(j).VolumeMounts[0].SubPath = "a", "b"
		}, want: "share no volume"},
		{name: "one part of one volume", change: func(j *batchv1.JobSpec) {
			adapter(j).VolumeMounts[0].SubPath, reporterIn(j).VolumeMounts[0].SubPath = "a", "a"
		}},
		{name: "a part, and a part of that", change: func(j *batchv1.JobSpec) {
			adapter(j).VolumeMounts[0].SubPath, reporterIn(j).VolumeMounts[0].SubPath = "a", "a/b"
		}},
		{name: "another adapter", change: func(j *batchv1.JobSpec) {
			j.Template.Spec.Containers = append(j.Template.Spec.Containers, corev1.Container{Name: "worker", Image: "worker"})
			set("ADAPTER_CONTAINER_NAME", "worker")(j)
		}, want: "the reporter and container worker share no volume"},

		{name: "a claim", change: volume(corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "c"}}),
			want: "volume results outlives the Pod, and the next one finds the result of the last: write {name: results, emptyDir: {sizeLimit: 16Mi}}."},
		{name: "a directory of the node", file: sidecar, change: volume(corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/x"}}), want: "outlives the Pod"},
		{name: "memory", change: volume(corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}})},

		{name: "no token", change: func(j *batchv1.JobSpec) { reporterIn(j).VolumeMounts = reporterIn(j).VolumeMounts[:1] },
			want: "the reporter has no token, as automountServiceAccountToken is false: mount a projected volume into it at /var/run/secrets/kubernetes.io/serviceaccount,"},
		{name: "a token elsewhere", change: set("SERVICE_ACCOUNT_DIR", "/token"), want: "mount a projected volume into it at /token,"},
		{name: "the token in every container", change: func(j *batchv1.JobSpec) { j.Template.Spec.AutomountServiceAccountToken = nil },
			want: "the adapter holds the reporter's token: write automountServiceAccountToken: false in the Pod's template,"},
		{name: "the same, in so many words", file: sidecar, change: func(j *batchv1.JobSpec) { j.Template.Spec.AutomountServiceAccountToken = &yes }, want: "the adapter holds"},
		{name: "the token mounted into the adapter", change: func(j *batchv1.JobSpec) {
			adapter(j).VolumeMounts = append(adapter(j).VolumeMounts, corev1.VolumeMount{Name: "api-access", MountPath: "/x"})
		}, want: "the adapter holds"},
		{name: "another audience's token", change: func(j *batchv1.JobSpec) {
			j.Template.Spec.Volumes = append(j.Template.Spec.Volumes, corev1.Volume{Name: "vault", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
				Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: "vault", Path: "token"}}},
			}}})
			adapter(j).VolumeMounts = append(adapter(j).VolumeMounts, corev1.VolumeMount{Name: "vault", MountPath: "/x"})
		}},

		{name: "no JOB_NAME", change: set("JOB_NAME", ""), want: "the reporter lacks JOB_NAME: write env JOB_NAME by fieldRef metadata.labels['batch.kubernetes.io/job-name'],"},
		{name: "no JOB_NAMESPACE", change: set("JOB_NAMESPACE", ""), want: "the reporter lacks JOB_NAMESPACE:"},
		{name: "no POD_NAME", file: sidecar, change: set("POD_NAME", ""), want: "the reporter lacks POD_NAME:"},
		{name: "an empty JOB_NAME", change: set("JOB_NAME", " "), want: "the reporter lacks JOB_NAME:"},
		{name: "an empty wait", change: func(j *batchv1.JobSpec) { *j.ActiveDeadlineSeconds = 310; set("MAX_WAIT_TIME_SECONDS", " ")(j) }, want: "over the 300 s that the reporter waits"},
		{name: "an empty path", change: func(j *batchv1.JobSpec) { adapter(j).VolumeMounts = nil; set("RESULTS_PATH", " ")(j) }, want: "RESULTS_PATH /results/adapter-result.json"},
		{name: "neither", change: func(j *batchv1.JobSpec) { set("POD_NAME", "")(j); set("JOB_NAME", "")(j) }, want: "the reporter lacks JOB_NAME, POD_NAME:"},
		{name: "all from a ConfigMap", change: func(j *batchv1.JobSpec) {
			c := reporterIn(j)
			c.Env, c.EnvFrom = nil, []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "c"}}}}
		}},

		{name: "no rules", change: func(j *batchv1.JobSpec) { j.PodFailurePolicy = nil },
			want: "a misconfigured reporter ends with code 78, and the Job would try again 2 times in vain: with restartPolicy: Never write a podFailurePolicy rule {action: FailJob, onExitCodes: {containerName: status-reporter, operator: In, values: [78]}}, or backoffLimit: 0."},
		{name: "no rules, and the default of backoffLimit", change: func(j *batchv1.JobSpec) { j.PodFailurePolicy, j.BackoffLimit = nil, nil }, want: "try again 6 times"},
		{name: "no rules, and one try", change: func(j *batchv1.JobSpec) { j.PodFailurePolicy = nil; *j.BackoffLimit = 0 }},
		{name: "a rule for others", change: func(j *batchv1.JobSpec) { j.PodFailurePolicy.Rules[1].OnExitCodes.Values = []int32{79} }, want: "code 78"},
		{name: "a rule for the adapter", change: func(j *batchv1.JobSpec) { *j.PodFailurePolicy.Rules[1].OnExitCodes.ContainerName = "adapter" }, want: "code 78"},
		{name: "a rule that counts", change: func(j *batchv1.JobSpec) { j.PodFailurePolicy.Rules[1].Action = batchv1.PodFailurePolicyActionCount }, want: "code 78"},
		{name: "a rule for all others", change: func(j *batchv1.JobSpec) {
			r := j.PodFailurePolicy.Rules[1].OnExitCodes
			r.Operator, r.Values, r.ContainerName = batchv1.PodFailurePolicyOnExitCodesOpNotIn, []int32{3}, nil
		}},
		{name: "a native sidecar, whose code does not count", file: sidecar, change: func(j *batchv1.JobSpec) { j.PodFailurePolicy = nil }},

		{name: "several Pods", change: func(j *batchv1.JobSpec) { j.Parallelism, j.Completions = ptr(3), ptr(3) },
			want: "parallelism 3: the Pods would overwrite each other's condition; write parallelism: 1, or completionMode: Indexed with a CONDITION_TYPE for each index."},
		{name: "several Pods at most, and one in all", change: func(j *batchv1.JobSpec) { j.Parallelism, j.Completions = ptr(3), ptr(1) }},
		{name: "a type for each index", change: func(j *batchv1.JobSpec) {
			mode := batchv1.IndexedCompletion
			j.Parallelism, j.Completions, j.CompletionMode = ptr(3), ptr(3), &mode
			set("CONDITION_TYPE", "Shard$(INDEX)Ready")(j)
		}},

		{name: "a CPU limit", change: func(j *batchv1.JobSpec) {
			reporterIn(j).Resources.Limits[corev1.ResourceCPU] = resource.MustParse("10m")
		},
			want: "a CPU limit throttles the reporter, which then reports late: leave resources.limits.cpu out,"},
		{name: "a reporter by its image", change: func(j *batchv1.JobSpec) {
			reporterIn(j).Name, j.PodFailurePolicy = "sidecar", nil
			set("POD_NAME", "")(j)
			set("JOB_NAME", "")(j)
			*j.BackoffLimit = 0
		}, want: "the reporter lacks JOB_NAME, POD_NAME"},
		{name: "a reporter by its variables", change: func(j *batchv1.JobSpec) {
			reporterIn(j).Name, reporterIn(j).Image, j.PodFailurePolicy = "sidecar", "other", nil
		}, want: "containerName: sidecar,"},
	}
}

// testLint makes each mistake, as a Job and as a CronJob. An error of the
// policy's own would be hidden by its failurePolicy, which is another one here.
func testLint(t *testing.T, cluster *apiserver.Cluster) {
	cluster.Apply(t, "deploy/policy/lint.yaml", "failurePolicy: Ignore", "failurePolicy: Fail")
	n := cluster.Namespace(t, apiserver.Enforced)
	n.Await("lint.yaml in force", func() bool { return len(warningsOf(t, n, deployed(t, "", mistakes()[3].change))) > 0 })
	for _, m := range mistakes() {
		t.Run(m.name, func(t *testing.T) {
			job := deployed(t, m.file, m.change)
			cron := &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Name: "cron"}, Spec: batchv1.CronJobSpec{Schedule: "0 0 * * *", JobTemplate: batchv1.JobTemplateSpec{Spec: job.Spec}}}
			for _, warnings := range [][]string{warningsOf(t, n, job), warningsOf(t, n, cron)} {
				switch {
				case m.want == "" && len(warnings) > 0:
					t.Errorf("warnings %q", warnings)
				case m.want != "" && (len(warnings) != 1 || !strings.Contains(warnings[0], m.want)):
					t.Errorf("warnings %q, want %q", warnings, m.want)
				}
			}
		})
	}
	t.Run("an unlabelled namespace", func(t *testing.T) {
		if w := warningsOf(t, cluster.Namespace(t), deployed(t, "", mistakes()[3].change)); len(w) > 0 {
			t.Errorf("warnings %q", w)
		}
	})
}

func warningsOf(t *testing.T, n *apiserver.Namespace, object any) []string {
	t.Helper()
	warnings, refusal := n.Try(object, nil)
	if refusal != "" {
		t.Errorf("refused: %s", refusal)
	}
	return warnings
}

// deployed is a Job of deploy/, changed.
func deployed(t *testing.T, file string, change func(*batchv1.JobSpec)) *batchv1.Job {
	t.Helper()
	if file == "" {
		file = "job.yaml"
	}
	data, err := os.ReadFile(filepath.Join("../../deploy", file))
	if err != nil {
		t.Fatal(err)
	}
	job := &batchv1.Job{}
	if err := yaml.UnmarshalStrict([]byte(strings.ReplaceAll(string(data), "<status-reporter-image>", "registry.example.com/status-reporter:v1")), job); err != nil {
		t.Fatal(err)
	}
	job.Namespace = ""
	if change != nil {
		change(&job.Spec)
	}
	return job
}

func ptr(n int32) *int32 { return &n }
