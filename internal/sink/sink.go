// Package sink takes what the program has to say without letting it wait: the
// reader of its standard error may be gone or stuck, and so may the disk of its
// termination message. A sink keeps a bounded amount, and a goroutine of its own
// writes it, which lives only while there is something to write.
package sink

import (
	"sync"
	"time"
)

// Flush waits until all that these sinks were given is written, for d at most:
// a process that is done does not wait for a writer that is stuck.
func Flush(d time.Duration, sinks ...interface{ written() <-chan struct{} }) {
	timeout := time.After(d)
	for _, s := range sinks {
		select {
		case <-s.written():
		case <-timeout:
			return
		}
	}
}

// writer is the part that all sinks have in common: a goroutine that drains, at most
// one at a time, from the first thing to write until there is nothing left.
type writer struct {
	mu   sync.Mutex
	done chan struct{} // closed when the goroutine has nothing more to write; nil while there is none
}

// start has drain run, unless it does already. mu is held.
func (w *writer) start(drain func()) {
	if w.done == nil {
		w.done = make(chan struct{})
		go drain()
	}
}

// stop is drain's last act. mu is held.
func (w *writer) stop() {
	close(w.done)
	w.done = nil
}

func (w *writer) written() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done == nil {
		idle := make(chan struct{})
		close(idle)
		return idle
	}
	return w.done
}
