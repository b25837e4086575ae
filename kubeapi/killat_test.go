package kubeapi_test

import (
	"testing"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// SetKillAt reaches requests that are under way already, and only ever makes
// their time shorter.
func TestSetKillAtShortensRequestsUnderWay(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault kubetest.Fault
		left  time.Duration // told after one second
		takes time.Duration
	}{
		{"headers", kubetest.HangRequest(), 6 * time.Second, 3 * time.Second},
		{"body", kubetest.StallAnswer(), 6 * time.Second, 3 * time.Second},
		{"headers, then as long again for the body", kubetest.StallAnswer().After(2 * time.Second), 6 * time.Second, 4 * time.Second},
		{"late in the body", kubetest.StallAnswer().After(900 * time.Millisecond), 29400 * time.Millisecond, 10800 * time.Millisecond},
		{"no time left", kubetest.HangRequest(), -time.Second, 1200 * time.Millisecond},
		{"more time than there was", kubetest.HangRequest(), time.Hour, 10 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.s.Fault(jobPatch, tt.fault)
				go func() {
					time.Sleep(time.Second)
					w.c.SetKillAt(time.Now().Add(tt.left))
				}()
				took, err := timed(w.patch)
				if took != tt.takes {
					w.Errorf("took %s, want %s", took, tt.takes)
				}
				mayPass(w.T, err)
			})
		})
	}
}

// Later words about the end count as well, in both directions.
func TestSetKillAtAgain(t *testing.T) {
	bubble(t, func(w *world) {
		w.s.Fault(jobPatch, kubetest.HangRequest())
		began := time.Now()
		for i, left := range []time.Duration{3 * time.Second, 30 * time.Second, 6 * time.Second, 12 * time.Second} {
			time.AfterFunc(time.Duration(i)*100*time.Millisecond, func() { w.c.SetKillAt(time.Now().Add(left)) })
		}
		if took, err := timed(w.patch); took != time.Second || err == nil {
			w.Errorf("took %s, want the third of 3 s that it was told first; %v", took, err)
		}
		w.s.Fault(jobPatch, kubetest.HangRequest())
		left := 12*time.Second + 300*time.Millisecond - time.Since(began)
		if took, err := timed(w.patch); took != left/3 || err == nil {
			w.Errorf("took %s, want a third of the %s that are left; %v", took, left, err)
		}
	})
}
