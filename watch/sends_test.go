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
	half := look{kind: fileInvalid, version: 1}
	ready, late := verdict{own: true, result: contract.Outcome{Status: contract.True}}, verdict{interrupted: true}
	for name, tt := range map[string]struct {
		sent, present verdict
		since         time.Time
		uid           *types.UID
		found         look
		want          bool
	}{
		"the same":                     {late, late, time.Unix(1, 0), &ours, half, true},
		"the same, of no UID":          {late, late, time.Unix(1, 0), nil, half, true},
		"the file has changed":         {late, late, time.Unix(1, 0), &ours, look{kind: fileInvalid, version: 2}, false},
		"the file is gone":             {late, late, time.Unix(1, 0), &ours, look{}, false},
		"a result, whose file is gone": {ready, ready, time.Unix(1, 0), &ours, look{}, true},
		"there is another to tell":     {late, ready, time.Unix(1, 0), &ours, half, false},
		"there is none to tell":        {late, late, time.Time{}, &ours, half, false},
		"of another Job":               {late, late, time.Unix(1, 0), &anothers, half, false},
	} {
		s := state{file: fileState{look: half}, job: jobState{firstUID: ours}, out: delivery{verdict: tt.present, since: tt.since}}
		p := &patch{verdict: tt.sent}
		p.on.UID = tt.uid
		if got := s.sends(p, tt.found); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
