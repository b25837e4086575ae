// Package backoff spaces out attempts so that a server which comes back is not
// met by all of its clients at once.
package backoff

import (
	"math/rand/v2"
	"time"
)

// MaxRetryAfter bounds what a server may ask for: a Retry-After of a day must
// not cost a report.
const MaxRetryAfter = 30 * time.Second

// Backoff gives exponentially growing pauses: with full jitter, and from half
// of Max once they have grown to Max. Its zero value starts at Min, once these
// are set. It is not safe for concurrent use.
type Backoff struct {
	Min, Max time.Duration
	attempts int
}

// Next is the pause before the next attempt. A retryAfter above zero is the
// server's wish, honoured up to MaxRetryAfter with the jitter on top, so that
// clients told the same do not return together.
func (b *Backoff) Next(retryAfter time.Duration) time.Duration {
	ceiling := b.Max
	if b.Min <= b.Max>>b.attempts { // compared this way round nothing overflows
		ceiling = b.Min << b.attempts
	}
	b.attempts++
	var least time.Duration
	if ceiling == b.Max { // clients are out of step by now; what counts is how often they come
		least = ceiling / 2
	}
	return max(0, min(retryAfter, MaxRetryAfter)) + least + time.Duration(rand.Int64N(int64(ceiling-least)+1))
}

// Reset starts over, after a success.
func (b *Backoff) Reset() { b.attempts = 0 }
