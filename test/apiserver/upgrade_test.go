package apiserver_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/openshift-hyperfleet/status-reporter/test/apiserver"
	"github.com/openshift-hyperfleet/status-reporter/test/program"
)

// upgrade is docs/upgrade.md in its order, and back. Each step runs a Job that
// must report.
var upgrade = []struct {
	name, rbac, job string
}{
	{"the image", "testdata/upgrade/rbac.yaml", "testdata/upgrade/job.yaml"},
	{"the Role", "deploy/rbac.yaml", "testdata/upgrade/job.yaml"},
	{"the token", "deploy/rbac.yaml", "deploy/job.yaml"},
	{"the Role back", "testdata/upgrade/rbac.yaml", "deploy/job.yaml"},
	{"all back", "testdata/upgrade/rbac.yaml", "testdata/upgrade/job.yaml"},
}

// testUpgrade plays it in one namespace, under the policies: the original's Role
// may update, and so is none of theirs.
func testUpgrade(t *testing.T, cluster *apiserver.Cluster) {
	n := cluster.Namespace(t, apiserver.Enforced)
	for _, step := range upgrade {
		n.ApplyRBAC(step.rbac)
		t.Run(step.name, func(t *testing.T) { testUpgraded(t, n, step.job) })
		n.DeleteJob(program.Namespace, program.JobName)
	}
}

func testUpgraded(t *testing.T, n *apiserver.Namespace, manifest string) {
	data, err := os.ReadFile(filepath.Join("../..", manifest))
	if err != nil {
		t.Fatal(err)
	}
	job := &batchv1.Job{}
	if err := yaml.UnmarshalStrict([]byte(strings.ReplaceAll(string(data), "<status-reporter-image>", "status-reporter")), job); err != nil {
		t.Fatal(err)
	}
	c := &controlled{Namespace: n, spec: func(s *batchv1.JobSpec) { *s = job.Spec }}
	r := program.NewRig(t, program.DefaultCase(t), c)
	pod := n.Pod(program.Namespace, n.PodName())
	for _, container := range pod.Spec.Containers {
		if container.Name == "status-reporter" && !mountsToken(container) {
			r.Env["SERVICE_ACCOUNT_DIR"] = t.TempDir() // as the container would find it
		}
	}
	r.Start()
	r.Finish()
	r.AwaitReport()
	r.End(0)
	r.Expect(program.Good.Status, program.Good.Reason, program.Good.Message)
}

func mountsToken(c corev1.Container) bool {
	return slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool {
		return m.MountPath == "/var/run/secrets/kubernetes.io/serviceaccount"
	})
}
