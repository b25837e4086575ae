package watch

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

// TestSends: a write is made once more only while it is still what would be sent.
func TestSends(t *testing.T) {
	ours, anothers := types.UID("ours"), types.UID("another's")
	ready, late := verdict{own: true, result: contract.Outcome{Status: contract.True}}, verdict{interrupted: true}
	for name, tt := range map[string]struct {
		present verdict
		since   time.Time
		uid     *types.UID
		want    bool
	}{
		"the same":                 {ready, time.Unix(1, 0), &ours, true},
		"the same, of no UID":      {ready, time.Unix(1, 0), nil, true},
		"there is another to tell": {late, time.Unix(1, 0), &ours, false},
		"there is none to tell":    {ready, time.Time{}, &ours, false},
		"of another Job":           {ready, time.Unix(1, 0), &anothers, false},
	} {
		s := state{job: jobState{firstUID: ours}, out: delivery{verdict: tt.present, since: tt.since}}
		p := &patch{verdict: ready}
		p.on.UID = tt.uid
		if got := s.sends(p); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
