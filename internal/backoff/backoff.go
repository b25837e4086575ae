// Package backoff spaces out attempts so that a server which comes back is not
// met by all of its clients at once.
package backoff

import (
	"math"
	"math/rand/v2"
	"time"
)

// MaxRetryAfter bounds what a server may ask for: a Retry-After of a day must
// not cost a report.
const MaxRetryAfter = 30 * time.Second

// Backoff gives exponentially growing pauses: with full jitter, and from half
// of Max once they have grown to Max. Its zero value starts at Min, once these
// are set. Bounds below zero count as zero. It is not safe for concurrent use.
type Backoff struct {
	Min, Max time.Duration
	Rand     func(n int64) int64 // a number from 0 to n-1, of any n above 0; nil: a random one
	attempts int
}

// Next is the pause before the next attempt. A retryAfter above zero is the
// server's, honoured up to MaxRetryAfter with the jitter on top, so that
// clients told the same do not return together.
func (b *Backoff) Next(retryAfter time.Duration) time.Duration {
	least, most := max(b.Min, 0), max(b.Max, 0)
	ceiling := most
	if least <= most>>b.attempts { // compared this way round nothing overflows
		ceiling = least << b.attempts
	}
	b.attempts++
	least = 0
	if ceiling == most { // clients are out of step by now; what counts is how often they come
		least = ceiling / 2
	}
	random := b.Rand
	if random == nil {
		random = rand.Int64N
	}
	pause := least + time.Duration(random(int64(ceiling-least)+1))
	return pause + min(max(retryAfter, 0), MaxRetryAfter, math.MaxInt64-pause)
}

// Reset starts over, after a success.
func (b *Backoff) Reset() { b.attempts = 0 }
