package program

import (
	"testing"
	"testing/synctest"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// TestDelivery plays the deliveries against the fake server, as the oldest version
// and the newest are; TestAPIServer does it against a real one.
func TestDelivery(t *testing.T) {
	for _, v := range []kubetest.Version{kubetest.Oldest, kubetest.Newest} {
		for _, d := range Deliveries(v) {
			if (d.Badly != "" || d.Events) && v != kubetest.Newest {
				continue // no version has a part in it
			}
			t.Run(v.String()+"/"+d.Name, func(t *testing.T) {
				c := d.Case(t)
				if d.Events {
					t.Parallel()
					d.Run(NewRig(t, c, kubetest.New(t, kubetest.Kubernetes(v))))
					return
				}
				synctest.Test(t, func(t *testing.T) { d.Run(NewHarness(t, c, kubetest.Kubernetes(v)).Rig) })
			})
		}
	}
}
