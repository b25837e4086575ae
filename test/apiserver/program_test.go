package apiserver_test

import (
	"testing"

	"github.com/openshift-hyperfleet/status-reporter/test/apiserver"
	"github.com/openshift-hyperfleet/status-reporter/test/program"
	"github.com/openshift-hyperfleet/status-reporter/testdata/suite"
)

// TestAPIServer plays against a real kube-apiserver, in real time, what
// TestGolden and TestDelivery play against the fake one. It runs only with
// `make test-apiserver`.
func TestAPIServer(t *testing.T) {
	cluster := apiserver.Start(t)
	t.Run("delivery", func(t *testing.T) {
		for _, d := range program.Deliveries() {
			t.Run(d.Name, func(t *testing.T) {
				if !d.Alone {
					t.Parallel()
				}
				d.Run(program.NewRig(t, program.DefaultCase(t), cluster.Namespace(t)))
			})
		}
	})
	t.Run("golden", func(t *testing.T) {
		cases := suite.Load(t)
		t.Cleanup(func() { t.Logf("%d cases", len(cases)) })
		for _, c := range cases {
			t.Run(c.String(), func(t *testing.T) {
				t.Parallel()
				program.PlayGolden(program.NewRig(t, c, cluster.Namespace(t)), c)
			})
		}
	})
	t.Run("controllers", func(t *testing.T) {
		cluster.RunControllers(t, "job-controller,ttl-after-finished-controller,garbage-collector-controller")
		cluster.Enforce(t)
		t.Run("load", func(t *testing.T) { testLoad(t, cluster) })
		t.Run("ttl", func(t *testing.T) { testTTL(t, cluster) })
		t.Run("upgrade", func(t *testing.T) { testUpgrade(t, cluster) })
	})
}
