package kubeapi

import "time"

// recent is how long the last requests waited for their answers, of whatever
// method, and the headers of watches included: a server that takes five seconds
// for each must get a report too. It is not safe for concurrent use.
type recent struct {
	last [8]wait
	next int
}

type wait struct {
	took     time.Duration
	timedOut bool // without an answer
	reached  bool // it had a connection, handshake and all
}

func (r *recent) add(w wait) {
	r.last[r.next] = w
	r.next = (r.next + 1) % len(r.last)
}

// slowest is what the next request may take by what the last ones took, with
// some slack. One that timed out would have taken longer still, or for ever: it
// asks for no more than a new connection has, unless a server was reached that did
// not answer even in that. That one has twice as long, where nobody is killed soon:
// a webhook that is dead and may be ignored takes ten seconds of each write.
func (r *recent) slowest(killed bool) (limit time.Duration, timedOut bool) {
	for _, w := range r.last {
		took, most := w.took*13/10, maxTimeout
		if w.timedOut {
			most, timedOut = newTimeout, true
			if w.reached && w.took >= newTimeout && !killed {
				took, most = 2*w.took, maxTimeout
			}
		}
		limit = max(limit, min(took, most))
	}
	return limit, timedOut
}

// limit is how long a request may wait from now on: d, or what the recent ones
// ask for. Until killAt d has a third of what is left, so that another attempt
// or two fit in; an answer that takes longer than that must have its time in any
// case. It needs c.mu.
func (c *Client) limit(d time.Duration) time.Duration {
	slowest, timedOut := c.recent.slowest(!c.killAt.IsZero())
	if timedOut { // a watch may have been the first on the new connection
		d = newTimeout
	}
	if c.killAt.IsZero() {
		return max(d, slowest)
	}
	left := time.Until(c.killAt)
	return max(minTimeout, min(d, left/3), min(slowest, left))
}
