package main

import (
	"testing"

	"github.com/openshift-hyperfleet/status-reporter/test/apiserver"
	"github.com/openshift-hyperfleet/status-reporter/testdata/suite"
)

// TestAPIServer plays against a real kube-apiserver, in real time, what
// TestGolden and TestDelivery play against the fake one. It runs only with
// `make test-apiserver`.
func TestAPIServer(t *testing.T) {
	cluster := apiserver.Start(t)
	t.Run("delivery", func(t *testing.T) {
		for _, d := range deliveries() {
			t.Run(d.name, func(t *testing.T) {
				if !d.alone {
					t.Parallel()
				}
				d.run(newRig(t, defaultCase(t), cluster.Namespace(t)))
			})
		}
	})
	t.Run("golden", func(t *testing.T) {
		cases := suite.Load(t)
		t.Cleanup(func() { t.Logf("%d cases", len(cases)) })
		for _, c := range cases {
			t.Run(c.String(), func(t *testing.T) {
				t.Parallel()
				playGolden(newRig(t, c, cluster.Namespace(t)), c)
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
