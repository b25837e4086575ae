// Package golden plays the golden suite against the API server double.
package golden

import (
	"testing"
	"testing/synctest"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
	"github.com/openshift-hyperfleet/status-reporter/test/program"
	"github.com/openshift-hyperfleet/status-reporter/testdata/suite"
)

// TestGolden plays every case of the golden suite along the whole way: a file
// on disk, a Pod and a Job behind TLS, a condition read back from the Job.
func TestGolden(t *testing.T) {
	for _, c := range suite.Load(t) {
		t.Run(c.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { program.PlayGolden(program.NewHarness(t, c).Rig, c) })
		})
	}
}

// TestGoldenOldest plays them against the double as the oldest version is: a
// watch there does not say that there is no Pod.
func TestGoldenOldest(t *testing.T) {
	for _, c := range suite.Load(t) {
		t.Run(c.String(), func(t *testing.T) {
			if c.String() == "containers/job-success-criteria-met" {
				t.Skipf("%s: since Kubernetes %s", kubetest.SuccessCriteria.Name, kubetest.SuccessCriteria.Since)
			}
			synctest.Test(t, func(t *testing.T) {
				program.PlayGolden(program.NewHarness(t, c, kubetest.Kubernetes(kubetest.Oldest)).Rig, c)
			})
		})
	}
}
