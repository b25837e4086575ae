package main

import (
	"context"
	"fmt"
	"time"
)

const (
	windows = 3 // readings at each number of reporters
	// manyReporters is what the cost is extrapolated to.
	manyReporters = 10_000
)

// controlPlane is a real API server whose cost is measured.
type controlPlane interface {
	upstream
	PIDs() map[string]int
	Read(ctx context.Context, path string) ([]byte, error)
	Allow(verb, resource string)
	Deny(verb, resource string)
}

// way is one in which reporters follow their Pods.
type way struct {
	name    string
	subject subject
	noWatch bool
}

// costs measures what resting reporters cost the API server, in each way. They
// talk to it without the gate in between, each on a connection of its own, and
// their Jobs and Pods are there from the beginning, so that only they differ.
func (b *bench) costs(ctx context.Context, o options, c controlPlane) error {
	b.say("cost: making %d Jobs and Pods", o.fleet)
	jobs := make([]*job, o.fleet)
	for i := range jobs {
		var err error
		if jobs[i], err = b.server.createJob(fmt.Sprint("cost-", i+1)); err != nil {
			return err
		}
	}
	b.server.direct = true
	defer func() { b.server.direct = false }()
	ways := []way{{"with the watch", b.subjects[0], false}, {"Role without watch", b.subjects[0], true}}
	for _, s := range b.subjects[1:] {
		ways = append(ways, way{s.name, s, false})
	}
	for _, w := range ways {
		if w.noWatch {
			c.Deny("watch", "pods")
		}
		samples, err := b.costOf(ctx, o, c, w, jobs)
		if w.noWatch {
			c.Allow("watch", "pods")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		b.table.Costs = append(b.table.Costs, costsOf(w.name, samples)...)
	}
	return nil
}

// levels are the numbers of reporters that are measured: round ones (1, 3, 10, 30 and
// so on) from a twentieth of the fleet, and the fleet; and none at first and at last,
// so that what changed meanwhile for other reasons is in the error.
func levels(fleet int) []int {
	all := []int{0}
	for n, next := 1, 3; n < fleet; n, next = next, n*10 {
		if n*20 >= fleet {
			all = append(all, n)
		}
	}
	return append(all, fleet, 0)
}

func (b *bench) costOf(ctx context.Context, o options, c controlPlane, w way, jobs []*job) (samples []sample, err error) {
	var all []*reporter
	defer func() { end(all) }()
	m := newMemoryLeft(b.available)
	for _, n := range levels(o.fleet) {
		if !m.has(len(all), n) {
			b.say("cost: %s: no memory for %d reporters; %d were the last", w.name, n, len(all))
			continue
		}
		b.say("cost: %s, %d reporters", w.name, n)
		if all, err = b.grow(ctx, w.subject, all, jobs[:n]); err != nil {
			return nil, err
		}
		if err := pause(ctx, o.settle); err != nil {
			return nil, err
		}
		for range windows {
			s, err := takeSample(ctx, c, n, o.window)
			if err != nil {
				return nil, err
			}
			samples = append(samples, s)
		}
		if err := b.allRun(all); err != nil {
			return nil, err
		}
	}
	return samples, nil
}

// grow ends or starts reporters until there is one for each of these Jobs.
func (b *bench) grow(ctx context.Context, s subject, all []*reporter, jobs []*job) ([]*reporter, error) {
	if len(jobs) < len(all) {
		end(all[len(jobs):])
		return all[:len(jobs)], nil
	}
	for tick := time.Tick(startPace); len(all) < len(jobs); <-tick {
		r, err := b.startWith(ctx, s, jobs[len(all)])
		if err != nil {
			return all, err
		}
		all = append(all, r)
	}
	return all, nil
}

// end ends reporters by SIGKILL, so that they report nothing.
func end(all []*reporter) {
	for _, r := range all {
		r.cmd.Process.Kill()
	}
	for _, r := range all {
		<-r.ended
	}
}

func (b *bench) allRun(all []*reporter) error {
	for _, r := range all {
		select {
		case <-r.ended:
			return b.problem(r, "ended at rest")
		default:
		}
	}
	return nil
}
