package main

import (
	"context"
	"fmt"
	"time"
)

const (
	settling = 10 * time.Second // after starts, until the API server is at rest
	windows  = 3                // readings at each number of reporters
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

// levels are the numbers of reporters that are measured, and none once more: what
// changed meanwhile for other reasons is in the error.
func levels(fleet int) []int { return []int{0, fleet / 10, fleet * 3 / 10, fleet, 0} }

func (b *bench) costOf(ctx context.Context, o options, c controlPlane, w way, jobs []*job) (samples []sample, err error) {
	var all []*reporter
	for _, n := range levels(o.fleet) {
		b.say("cost: %s, %d reporters", w.name, n)
		if n < len(all) {
			end(all[n:])
			all = all[:n]
		}
		for tick := time.Tick(startPace); err == nil && len(all) < n; <-tick {
			var r *reporter
			if r, err = b.startWith(ctx, w.subject, jobs[len(all)]); err == nil {
				all = append(all, r)
			}
		}
		if err == nil {
			err = pause(ctx, settling)
		}
		for range windows {
			var s sample
			if err == nil {
				s, err = takeSample(ctx, c, n, o.window)
				samples = append(samples, s)
			}
		}
		if err == nil {
			err = b.allRun(all)
		}
	}
	end(all)
	return samples, err
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
