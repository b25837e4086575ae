package watch

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// The scenes.

func begins(p *play) { tells(p.facts, p.like...)(p.state) }

func refusesPod(p *play) { fail("read Pod", status403)(p); readRefused(p.state) }

func finished(l look) scene { return func(p *play) { p.result = l; looks(l)(p.state) } }

// becomes is what the Pod is from now on; the watch tells it.
func becomes(f facts, changes ...change) scene {
	return func(p *play) { unwatched(f, changes...)(p); tells(f, changes...)(p.state) }
}

// unwatched is what the Pod is from now on, as a reading has it.
func unwatched(f facts, changes ...change) scene {
	return func(p *play) { p.facts, p.like = f, changes }
}

func stops(p *play)   { sigterm(p.state) }
func deletes(p *play) { podGone(p.state) }

// fail has requests fail that are made from now on; nil: no more.
func fail(name string, err error) scene { return func(p *play) { p.fails[name] = err } }

// hold and release are of answers to come.
func hold(name string) scene    { return func(p *play) { p.held[name] = true } }
func release(name string) scene { return func(p *play) { p.held[name] = false } }

// loses has answers to PATCHes be lost.
func loses(yes bool) scene { return func(p *play) { p.lost = yes } }

func answersTake(d time.Duration) scene { return func(p *play) { p.takes = d } }

// another has another Pod of the Job report.
func another(status corev1.ConditionStatus) scene {
	return func(p *play) {
		p.changeJob(func(j *batchv1.Job) { j.Status.Conditions = nil; has("Available", status, "Another", "")(j) })
	}
}

// madeAnew has the Job be another one of its name.
func madeAnew(p *play) {
	p.changeJob(func(j *batchv1.Job) { j.UID = "job-2"; j.Status = batchv1.JobStatus{} })
}

func touched(p *play) { p.changeJob(func(*batchv1.Job) {}) }

// clock has the trace say what time it is.
func clock(p *play) {
	if !p.over {
		p.trace = append(p.trace, "@"+p.now.Sub(start).String())
	}
}

// together is more than one thing at once.
func together(scenes ...scene) scene {
	return func(p *play) {
		for _, happens := range scenes {
			happens(p)
		}
	}
}
