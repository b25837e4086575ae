package apiserver

import (
	"testing"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// What the suites need of a server beside what the fake can play. Since when, is
// what Kubernetes' own feature gates say.
var (
	// RestartRules: gate ContainerRestartRules.
	RestartRules = &kubetest.Feature{Name: "restart rules of containers", Since: 35,
		Before: "a container has no restart policy and rules of its own"}
	// RestartAllContainers: gate RestartAllContainersOnContainerExits.
	RestartAllContainers = &kubetest.Feature{Name: "RestartAllContainers", Since: 36,
		Before: "no rule restarts all containers of a Pod in place"}
	// MutatingPolicies: admissionregistration.k8s.io/v1.
	MutatingPolicies = &kubetest.Feature{Name: "MutatingAdmissionPolicy v1", Since: 36,
		Before: "deploy/inject cannot be applied"}

	// Features are these and those of the fake.
	Features = append([]*kubetest.Feature{RestartRules, RestartAllContainers, MutatingPolicies}, kubetest.Features...)
)

// Needs skips a test that needs what the server lacks.
func (c *Cluster) Needs(tb testing.TB, f *kubetest.Feature) {
	tb.Helper()
	if v := c.Version(); !f.In(v) {
		tb.Skipf("%s: since Kubernetes %s, and this is %s", f.Name, f.Since, v)
	}
}

// Version is the minor version that the server says it is.
func (c *Cluster) Version() kubetest.Version {
	v, err := kubetest.ParseVersion(c.version())
	if err != nil {
		c.tb.Fatalf("kube-apiserver says what it is: %v", err)
	}
	return v
}
