package main

import (
	"slices"
	"testing"
	"time"
)

func TestSchedule(t *testing.T) {
	if got := schedule(3, 0); !slices.Equal(got, []turn{{0, 0}, {1, pace}, {2, 2 * pace}}) {
		t.Errorf("%v", got)
	}
	const n = 1000
	turns := schedule(n, pollPeriod)
	if !slices.IsSortedFunc(turns, func(x, y turn) int { return int(x.at - y.at) }) || turns[0].at < 0 || turns[n-1].at >= pollPeriod {
		t.Errorf("from %s to %s", turns[0].at, turns[n-1].at)
	}
	// Whatever the interval and however long the starts took, as many are met in
	// its first half as in its second.
	for _, interval := range []time.Duration{2 * time.Second, 5 * time.Second, 10 * time.Second} {
		for _, starts := range []time.Duration{0, 1300 * time.Millisecond, 5 * time.Second} {
			met := map[int]bool{}
			first := 0
			for _, turn := range turns {
				met[turn.reporter] = true
				since := turn.at + starts - starts*time.Duration(turn.reporter)/n
				if since%interval < interval/2 {
					first++
				}
			}
			if first < n*2/5 || first > n*3/5 || len(met) != n {
				t.Errorf("interval %s, starts in %s: %d of %d reporters in the first half", interval, starts, first, len(met))
			}
		}
	}
}
