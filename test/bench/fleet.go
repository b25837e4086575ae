package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	startPace = 25 * time.Millisecond // between starts: two CPUs start 40 a second with ease
	rest      = 10 * time.Second
	recovery  = time.Minute // until everybody must have delivered after an outage
	telling   = 500         // reporters; with fewer the burst is chance
	wave      = 200         // reports that are timed beside the resting fleet
)

// fleet measures many reporters at once: at the start, at rest, while some
// report, and when the server comes back after an outage, first with nobody and
// then with everybody having a report to deliver.
func (b *bench) fleet(ctx context.Context, o options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	b.say("starting %d reporters", o.fleet)
	all, err := b.startAll(ctx, o.fleet)
	if err != nil {
		return err
	}
	o.fleet, b.running = len(all), len(all)
	b.add("requests a second at the start, peak", "", perSecond(b.server.requestsSince(began)))
	if err := b.fleetAtRest(ctx, all); err != nil {
		return err
	}
	b.say("reports beside the fleet")
	var times []float64
	for left := min(wave, o.fleet); left > 0; left -= batchSize {
		trigger := b.writeResult
		if left/batchSize%2 == 1 {
			trigger = b.crashed
		}
		batch, err := b.batch(ctx, b.subjects[0], schedule(min(left, batchSize), 0), trigger)
		if err != nil {
			return err
		}
		for _, r := range batch {
			times = append(times, b.latencyOf(r))
		}
	}
	b.add("result or Pod change to PATCH", "ms", times...)
	return errors.Join(
		b.outage(ctx, o, all, false),
		b.outage(ctx, o, all, true),
	)
}

func (b *bench) add(name, unit string, observed ...float64) {
	b.table.add(row{Name: name, Unit: unit}, observed)
}

// startAll starts reporters at a pace that the machine bears, as far as there is
// memory.
func (b *bench) startAll(ctx context.Context, n int) ([]*reporter, error) {
	var all []*reporter
	m := newMemoryLeft(b.available)
	tick := time.Tick(startPace)
	for range n {
		if !m.has(len(all), len(all)+1) {
			b.say("no memory for more than %d reporters", len(all))
			break
		}
		r, err := b.start(ctx, b.subjects[0])
		if err != nil {
			return nil, err
		}
		all = append(all, r)
		<-tick
	}
	for _, r := range all {
		if err := b.ready(ctx, r); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (b *bench) fleetAtRest(ctx context.Context, all []*reporter) error {
	began := time.Now()
	if err := pause(ctx, rest); err != nil {
		return err
	}
	b.add("requests a second at rest, peak", "", perSecond(b.server.requestsSince(began)))
	var anonymous, proportional float64
	for _, r := range all {
		m := memoryOf(r.cmd.Process.Pid)
		anonymous += m.anonymous / 1e6
		proportional += m.proportional / 1e6
	}
	b.add("memory of all at rest, what is shared counted once", "MB", proportional)
	b.add("of it anonymous", "MB", anonymous)
	return nil
}

// outage takes the server away. With reports, every adapter writes its result
// in the first third of that time.
func (b *bench) outage(ctx context.Context, o options, all []*reporter, reports bool) error {
	who := "nobody reporting"
	if reports {
		who = "everybody reporting"
	}
	b.say("an outage of %s, %s", o.outage, who)
	began := time.Now()
	b.server.gate.shut()
	for _, r := range all {
		if !reports {
			break
		}
		if err := b.writeResult(r); err != nil {
			return err
		}
		if err := pause(ctx, o.outage/3/time.Duration(len(all))); err != nil {
			return err
		}
	}
	if err := pause(ctx, time.Until(began.Add(o.outage))); err != nil {
		return err
	}
	opened := time.Now()
	b.outages = append(b.outages, span{began, opened, "no server", who})
	if err := b.server.gate.open(); err != nil {
		return err
	}
	return b.afterOutage(ctx, o, all, opened, reports, "after an outage of "+o.outage.String()+", "+who+": ")
}

func (b *bench) afterOutage(ctx context.Context, o options, all []*reporter, opened time.Time, reports bool, after string) error {
	var late []float64
	if reports {
		for _, r := range all {
			if err := b.delivered(ctx, r, time.Until(opened.Add(recovery))); err != nil {
				return err
			}
			late = append(late, r.reported.Sub(opened).Seconds())
		}
	} else if err := pause(ctx, recovery/2); err != nil {
		return err
	}
	peak := perSecond(b.server.requestsSince(opened))
	bound := burst(o.fleet)
	b.table.add(row{Name: after + "requests a second, peak", Limit: bound}, []float64{peak})
	b.add(after+"connections a second, peak", "", perSecond(b.server.gate.acceptedSince(opened)))
	b.add(after+"requests", "", float64(len(b.server.requestsSince(opened))))
	if reports {
		b.add(after+"server back to PATCH", "s", late...)
		b.add(after+"reports delivered", "", float64(len(late)))
	}
	if peak >= bound && o.fleet >= telling {
		return fmt.Errorf("%s%.0f requests in a second, want less than a fifth of the fleet", after, peak)
	}
	return nil
}

// burst is what a fleet must stay below, in requests a second, when its server comes back.
func burst(fleet int) float64 { return float64(fleet) / 5 }

// perSecond is the largest number of times within one second.
func perSecond(times []time.Time) float64 {
	most, first := 0, 0
	for i, t := range times {
		for t.Sub(times[first]) >= time.Second {
			first++
		}
		most = max(most, i-first+1)
	}
	return float64(most)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return ctx.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
