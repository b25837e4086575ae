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

// The server's Retry-After is honoured up to 30 s, with the jitter on top of it.
func TestRetryAfter(t *testing.T) {
	for _, tt := range []struct{ retryAfter, least time.Duration }{
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
		t.Run(tt.retryAfter.String(), func(t *testing.T) {
			distinct := map[time.Duration]bool{}
			for range 1000 {
				d := at(100*time.Millisecond, 5*time.Second, 3, tt.retryAfter)
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

// Where it is told which number to draw, a pause is known to the nanosecond.
func TestDrawnPauses(t *testing.T) {
	const second = time.Second
	least := func(int64) int64 { return 0 }
	most := func(n int64) int64 { return n - 1 }
	for _, tt := range []struct {
		name       string
		min, max   time.Duration
		rand       func(int64) int64
		retryAfter time.Duration
		want       []time.Duration
	}{
		{"shortest", second, 5 * second, least, 0, []time.Duration{0, 0, 0, 2500 * time.Millisecond, 2500 * time.Millisecond}},
		{"longest", second, 5 * second, most, 0, []time.Duration{second, 2 * second, 4 * second, 5 * second, 5 * second}},
		{"shortest, as wished", second, 5 * second, least, 7 * second, []time.Duration{7 * second, 7 * second, 7 * second, 9500 * time.Millisecond}},
		{"longest, as wished", second, 5 * second, most, time.Hour, []time.Duration{31 * second, 32 * second, 34 * second, 35 * second}},
		{"Min is Max", second, second, most, 0, []time.Duration{second, second}},
		{"Min above Max", 2 * second, second, most, 0, []time.Duration{second, second}},
		{"no time at all", 0, 0, most, 0, []time.Duration{0, 0}},
		{"below zero", -second, -second, most, 0, []time.Duration{0, 0}},
		{"Min below zero", -second, second, most, 0, []time.Duration{0, 0}},
		{"largest", math.MaxInt64, math.MaxInt64, most, math.MaxInt64, []time.Duration{math.MaxInt64, math.MaxInt64}},
		{"nearly the largest", math.MaxInt64 - 1, math.MaxInt64, most, math.MaxInt64, []time.Duration{math.MaxInt64, math.MaxInt64}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := backoff.Backoff{Min: tt.min, Max: tt.max, Rand: tt.rand}
			for i, want := range tt.want {
				if got := b.Next(tt.retryAfter); got != want {
					t.Errorf("pause %d: %s, want %s", i, got, want)
				}
			}
		})
	}
}

// However long it goes on and whatever the bounds are, the pauses keep to them.
func TestNoOverflow(t *testing.T) {
	bounds := []time.Duration{
		math.MinInt64, -time.Second, 0, 1, 100 * time.Millisecond, time.Minute, 1000 * time.Hour,
		math.MaxInt64 / 2, math.MaxInt64/2 + 1, math.MaxInt64 - 1, math.MaxInt64,
	}
	for _, least := range bounds {
		for _, most := range bounds {
			b := backoff.Backoff{Min: least, Max: most}
			for n := range 200 {
				if d := b.Next(0); d < 0 || d > max(most, 0) {
					t.Fatalf("%s to %s, attempt %d: %s", least, most, n, d)
				}
				if d := b.Next(math.MaxInt64); d < backoff.MaxRetryAfter {
					t.Fatalf("%s to %s, attempt %d, as wished: %s", least, most, n, d)
				}
			}
		}
	}
}
