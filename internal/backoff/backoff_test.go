package backoff_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/internal/backoff"
)

// at is the pause before the attempt that follows n pauses.
func at(minimum, maximum time.Duration, n int, retryAfter time.Duration) time.Duration {
	b := backoff.Backoff{Min: minimum, Max: maximum}
	for range n {
		b.Next(0)
	}
	return b.Next(retryAfter)
}

// Pauses are spread evenly from nothing to a ceiling that doubles, and at Max
// from half of it.
// The bounds are ten standard deviations wide or more.
func TestFullJitter(t *testing.T) {
	const draws = 10000
	for n, ceiling := range []time.Duration{
		100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond,
		1600 * time.Millisecond, 3200 * time.Millisecond, 5 * time.Second, 5 * time.Second, 5 * time.Second,
	} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			var least time.Duration
			if ceiling == 5*time.Second {
				least = ceiling / 2
			}
			width := ceiling - least
			var sum, largest time.Duration
			var tenths [10]int
			for range draws {
				d := at(100*time.Millisecond, 5*time.Second, n, 0)
				if d < least || d > ceiling {
					t.Fatalf("%s, want %s to %s", d, least, ceiling)
				}
				sum += d
				largest = max(largest, d)
				tenths[min(9, int(10*(d-least)/width))]++
			}
			if mean := sum / draws; mean < least+width*47/100 || mean > least+width*53/100 {
				t.Errorf("mean %s, want about %s", mean, least+width/2)
			}
			if largest < ceiling*99/100 {
				t.Errorf("largest %s, want about %s", largest, ceiling)
			}
			for i, n := range tenths {
				if n < draws/10*7/10 || n > draws/10*13/10 {
					t.Errorf("%d of %d pauses in tenth %d", n, draws, i)
				}
			}
		})
	}
}

// The server's wish is honoured up to 30 s, with the jitter on top of it.
func TestRetryAfter(t *testing.T) {
	for _, tt := range []struct{ wish, least time.Duration }{
		{-24 * time.Hour, 0},
		{-1, 0},
		{0, 0},
		{time.Nanosecond, time.Nanosecond},
		{7 * time.Second, 7 * time.Second},
		{30 * time.Second, 30 * time.Second},
		{31 * time.Second, 30 * time.Second},
		{24 * time.Hour, 30 * time.Second},
		{math.MaxInt64, 30 * time.Second},
	} {
		t.Run(tt.wish.String(), func(t *testing.T) {
			distinct := map[time.Duration]bool{}
			for range 1000 {
				d := at(100*time.Millisecond, 5*time.Second, 3, tt.wish)
				if d < tt.least || d > tt.least+800*time.Millisecond {
					t.Fatalf("%s, want %s and up to 800ms", d, tt.least)
				}
				distinct[d] = true
			}
			if len(distinct) < 900 {
				t.Errorf("%d different pauses out of 1000", len(distinct))
			}
		})
	}
}

func TestReset(t *testing.T) {
	b := backoff.Backoff{Min: time.Millisecond, Max: time.Hour}
	for round := range 3 {
		for range 20 {
			b.Next(0)
		}
		b.Reset()
		if d := b.Next(0); d > time.Millisecond {
			t.Errorf("round %d: %s after Reset", round, d)
		}
		b.Reset()
	}
}

// However long it goes on and whatever the bounds are, the pauses keep to them.
func TestNoOverflow(t *testing.T) {
	for _, tt := range []struct{ min, max time.Duration }{
		{0, 0}, {0, time.Second}, {1, math.MaxInt64 - 1}, {100 * time.Millisecond, 5 * time.Second},
		{10 * time.Second, 30 * time.Minute}, {time.Hour, 1000 * time.Hour}, {time.Minute, time.Second},
		{math.MaxInt64 / 2, math.MaxInt64 - 1},
	} {
		b := backoff.Backoff{Min: tt.min, Max: tt.max}
		for n := range 200 {
			if d := b.Next(0); d < 0 || d > tt.max {
				t.Fatalf("%s to %s, attempt %d: %s", tt.min, tt.max, n, d)
			}
		}
	}
}
