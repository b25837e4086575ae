package program

import (
	"testing"
	"testing/synctest"
)

// TestDelivery plays the deliveries against the fake server; TestAPIServer does
// it against a real one.
func TestDelivery(t *testing.T) {
	for _, d := range Deliveries() {
		t.Run(d.Name, func(t *testing.T) {
			c := DefaultCase(t)
			synctest.Test(t, func(t *testing.T) { d.Run(NewHarness(t, c).Rig) })
		})
	}
}
