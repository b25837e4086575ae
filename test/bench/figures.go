package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	// batchSize keeps the reporters of one user within its inotify instances,
	// of which many systems allow 128.
	batchSize = 50
	idle      = 20                    // reporters whose rest is measured
	pace      = 20 * time.Millisecond // between two triggers: each report has the machine for itself
	// pollPeriod holds whole intervals of those who poll: the original's of 2 and
	// 10 s, and the reporter's own of about 5 s. Another's is -poll.
	pollPeriod = 10 * time.Second
)

// figures fills the table with all figures of the subjects.
func (b *bench) figures(ctx context.Context, o options) error {
	err := errors.Join(b.latencies(ctx, o), b.rest(ctx, o.run, time.Minute+2*o.poll), b.size())
	if err == nil {
		err = errors.Join(b.parts(ctx), b.inside(ctx))
	}
	return err
}

// latencies measures reports and, on the way, starts.
func (b *bench) latencies(ctx context.Context, o options) error {
	starts := make([][]float64, len(b.subjects))
	for _, f := range []struct {
		name    string
		noWatch bool
		polled  bool // by the reporter too
		trigger func(*reporter) error
		limit   float64
	}{
		{"result file closed to PATCH", false, false, b.writeResult, 5},
		{"Pod status change to PATCH", false, false, b.crashed, 5},
		{"result file closed to PATCH, Role without watch", true, false, b.writeResult, 5},
		{"Pod status change to PATCH, Role without watch", true, true, b.crashed, 0},
	} {
		b.say("measuring: %s", f.name)
		b.server.setNoWatch(f.noWatch)
		times := make([][]float64, len(b.subjects))
		for left := o.n; left > 0; left -= batchSize {
			for i, s := range b.subjects { // in turns: what disturbs the machine disturbs all of them
				if f.noWatch && s.kind == floor {
					continue // it has no other way
				}
				period := time.Duration(0)
				switch {
				case s.kind == another:
					period = o.poll
				case f.polled:
					period = pollPeriod
				}
				batch, err := b.batch(ctx, s, schedule(min(left, batchSize), period), f.trigger)
				if err != nil {
					return fmt.Errorf("%s: %w", f.name, err)
				}
				for _, r := range batch {
					times[i] = append(times[i], b.latencyOf(r))
					if !r.first.IsZero() && r.first.Before(r.triggered) {
						starts[i] = append(starts[i], milliseconds(r.first.Sub(r.began)))
					}
				}
			}
		}
		b.table.add(row{Name: f.name, Unit: "ms", Limit: f.limit}, times...)
		b.latency.add(f.name, times)
	}
	b.server.setNoWatch(false)
	b.table.add(row{Name: "exec to first request", Unit: "ms"}, starts...)
	return nil
}

// turn is when a reporter is triggered, after the last of all was started.
type turn struct {
	reporter int // in the order of their starts
	at       time.Duration
}

// schedule gives reporters their turns, in the order of time. One that polls, every
// period or some part of it, is met at any time of its interval, whenever it was
// started: its mean is half of the interval then, its worst the whole. With a period
// of 0 it does not.
func schedule(n int, period time.Duration) (turns []turn) {
	for i := range n {
		t := turn{i, time.Duration(i) * pace}
		if period > 0 {
			t.at = rand.N(period)
		}
		turns = append(turns, t)
	}
	slices.SortFunc(turns, func(x, y turn) int { return cmp.Compare(x.at, y.at) })
	return turns
}

// batch starts reporters one after the other, then triggers each at its time,
// and returns them when all have reported.
func (b *bench) batch(ctx context.Context, s subject, turns []turn, trigger func(*reporter) error) ([]*reporter, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var batch []*reporter
	for range turns {
		r, err := b.start(ctx, s)
		if err == nil {
			err = b.ready(ctx, r)
		}
		if err != nil {
			return nil, err
		}
		batch = append(batch, r)
	}
	began := time.Now()
	for _, t := range turns {
		if err := pause(ctx, time.Until(began.Add(t.at))); err != nil {
			return nil, err
		}
		if err := trigger(batch[t.reporter]); err != nil {
			return nil, err
		}
	}
	within := time.Minute + 2*turns[len(turns)-1].at // one that polls looks once in that time
	for _, r := range batch {
		if err := b.delivered(ctx, r, within); err != nil {
			return nil, err
		}
	}
	return batch, nil
}

// rest measures what a reporter takes while its adapter works, and its requests.
func (b *bench) rest(ctx context.Context, run, within time.Duration) error {
	b.say("measuring: %d reporters at rest for %s", idle, run)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	all := make([][]*reporter, len(b.subjects))
	for range idle {
		for i, s := range b.subjects {
			r, err := b.start(ctx, s)
			if err == nil {
				err = b.ready(ctx, r)
			}
			if err != nil {
				return err
			}
			all[i] = append(all[i], r)
		}
	}
	figures := []row{
		{Name: "requests a Job, adapter of " + run.String(), Limit: 3},
		{Name: "connections a Job, adapter of " + run.String(), Limit: 1},
		{Name: "CPU time of a run of " + run.String(), Unit: "ms", Limit: 15},
		{Name: "resident memory at rest", Unit: "MB", Limit: 12},
		{Name: "of it anonymous", Unit: "MB", Limit: 3},
		{Name: "of it file-backed, shared on a node", Unit: "MB"},
	}
	observed := make([][][]float64, len(figures)) // by figure, subject and reporter
	for f := range figures {
		observed[f] = make([][]float64, len(all))
	}
	for n := range idle { // in the order of their starts: each has its own time
		for i := range all {
			values, err := b.finish(ctx, all[i][n], run, within)
			if err != nil {
				return err
			}
			for f := range figures {
				observed[f][i] = append(observed[f][i], values[f])
			}
		}
	}
	for f := range figures {
		b.table.add(figures[f], observed[f]...)
	}
	for i := range all {
		b.usage = append(b.usage, usage{all[i][idle/2].requestTimes(), valueOf(observed[4][i]).P50, valueOf(observed[5][i]).P50})
	}
	return nil
}

// requestTimes are in seconds from the start.
func (r *reporter) requestTimes() (at []float64) {
	for _, t := range r.times {
		at = append(at, t.Sub(r.began).Seconds())
	}
	return at
}

// finish lets a resting reporter report when its adapter has taken its time,
// and returns its figures in the order of rest.
func (b *bench) finish(ctx context.Context, r *reporter, run, within time.Duration) ([]float64, error) {
	select {
	case <-time.After(time.Until(r.began.Add(run))):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	m := memoryOf(r.cmd.Process.Pid)
	if err := b.writeResult(r); err != nil {
		return nil, err
	}
	if err := b.delivered(ctx, r, within); err != nil {
		return nil, err
	}
	requests := 0
	for _, n := range r.requests {
		requests += n
	}
	return []float64{
		float64(requests), float64(len(r.conns)), cpu(r),
		(m.anonymous + m.file) / 1e6, m.anonymous / 1e6, m.file / 1e6,
	}, nil
}
