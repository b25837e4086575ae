package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

const (
	caseTime = 4 * time.Minute // a kubelet looks at its volumes once a minute or so
	tick     = 50 * time.Millisecond
)

// stillStopping ends the message of an interim report. All that it is good for
// is that it stands before the Pod has ended.
const stillStopping = " (the Pod is being stopped; a result may still follow)"

// playing is one case at work: all that has been seen of it so far. Watches of the Job
// and its Pods, and the logs, add to it from goroutines of their own, under mu; it is
// judged when they have ended.
type playing struct {
	*cluster
	testCase

	mu      sync.Mutex
	current *batchv1.Job
	history []condition // each that the Job has carried, in turn
	stood   time.Time   // when the last of them was seen
	atEnd   []condition // what of the history stood when the Job was first seen to be over
	late    []condition // those of the history that were to come before the Pod's end, and did not
	runs    []*podRun   // in the order of their coming
}

// podRun is one Pod of the Job, and its logs.
type podRun struct {
	*corev1.Pod
	adapter, reporter []line
	ends              int32     // of the adapter
	ended             time.Time // when the last of them was seen
}

// play runs one case to its end, or until it cannot hold any more.
func play(ctx context.Context, c *cluster, tc testCase, slack time.Duration) result {
	p := &playing{cluster: c, testCase: tc}
	ctx, cancel := context.WithTimeout(ctx, caseTime)
	var all sync.WaitGroup
	var err error
	if tc.Cron {
		err = c.adopt(ctx, tc.job)
	}
	if err == nil {
		err = c.send(ctx, http.MethodPost, c.jobs(), "application/json", tc.job)
	}
	if err == nil {
		all.Go(func() { follow(ctx, c, c.jobs()+"?watch=1&fieldSelector=metadata.name="+tc.job.Name, p.sawJob) })
		all.Go(func() {
			follow(ctx, c, c.pods()+"?watch=1&labelSelector=batch.kubernetes.io/job-name="+tc.job.Name,
				func(pod *corev1.Pod) { p.sawPod(ctx, &all, pod) })
		})
		err = p.wait(ctx)
	}
	if err == nil && tc.Cron {
		err = p.judgeCron(ctx)
	}
	cancel()
	all.Wait()
	r := p.judge(slack)
	if err != nil {
		r.faults = append([]string{err.Error()}, r.faults...)
	}
	end, cancel := context.WithTimeout(context.Background(), requestTime)
	defer cancel()
	// What is over must not burden the next; the namespace's end takes the rest.
	_ = c.send(end, http.MethodDelete, c.jobs()+"/"+tc.job.Name+"?propagationPolicy=Background", "", nil)
	return r
}

// wait does what the case has to be done, and waits until nothing is missing.
func (p *playing) wait(ctx context.Context) error {
	done := p.Do == ""
	for {
		if !done && p.ready() {
			done = true
			if err := p.do(ctx, p.firstPod()); err != nil {
				return err
			}
		}
		missing, hopeless := p.missing()
		switch {
		case hopeless != "":
			return errors.New(hopeless)
		case missing == "":
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("after %s still missing: %s", caseTime, missing)
		}
		pause(ctx, tick)
	}
}

func (p *playing) sawJob(job *batchv1.Job) {
	p.mu.Lock()
	defer p.mu.Unlock()
	over := p.ended() != ""
	p.current = job
	for _, kind := range p.kinds() {
		c := conditionOf(job, kind)
		if c == nil || *c == p.last(kind) {
			continue
		}
		p.history, p.stood = append(p.history, *c), time.Now()
		if n := len(p.runs); strings.HasSuffix(c.Message, stillStopping) && (n == 0 || p.runs[n-1].Status.Phase == corev1.PodFailed) {
			p.late = append(p.late, *c)
		}
	}
	if !over && p.ended() != "" {
		p.atEnd = slices.Clone(p.history)
	}
}

// kinds are the types of condition that the case is about.
func (p *playing) kinds() (kinds []string) {
	for _, c := range p.want {
		if !slices.Contains(kinds, c.Type) {
			kinds = append(kinds, c.Type)
		}
	}
	return kinds
}

// last is the present one of a type; zero: there is none.
func (p *playing) last(kind string) (last condition) {
	for _, c := range p.history {
		if c.Type == kind {
			last = c
		}
	}
	return last
}

// seen is the history in the order that the case wants, where it wants one.
func (p *playing) seen() []condition {
	if !p.Indexed {
		return p.history
	}
	return slices.SortedStableFunc(slices.Values(p.history), func(a, b condition) int { return strings.Compare(a.Type, b.Type) })
}

func conditionOf(job *batchv1.Job, kind string) *condition {
	for _, c := range job.Status.Conditions {
		if string(c.Type) == kind {
			return &condition{kind, string(c.Status), c.Reason, c.Message}
		}
	}
	return nil
}

// ended is the Job controller's word on the Job, of one that is Failed with the
// reason; empty while there is none.
func (p *playing) ended() string {
	if p.current != nil {
		for _, c := range p.current.Status.Conditions {
			switch {
			case c.Status != corev1.ConditionTrue:
			case c.Type == batchv1.JobComplete:
				return string(c.Type)
			case c.Type == batchv1.JobFailed:
				return string(c.Type) + " " + c.Reason
			}
		}
	}
	return ""
}

func (p *playing) sawPod(ctx context.Context, all *sync.WaitGroup, pod *corev1.Pod) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, known := range p.runs {
		if known.UID == pod.UID {
			known.Pod = pod
			if n := ends(status(pod, "adapter")); n > known.ends {
				known.ends, known.ended = n, time.Now()
			}
			return
		}
	}
	r := &podRun{Pod: pod}
	p.runs = append(p.runs, r)
	for container, log := range map[string]*[]line{"adapter": &r.adapter, reporterName: &r.reporter} {
		all.Go(func() {
			p.followLog(ctx, pod.Name, container, func(l line) {
				p.mu.Lock()
				defer p.mu.Unlock()
				*log = append(*log, l)
			})
		})
	}
}

// ends counts the ends of a container.
func ends(s *corev1.ContainerStatus) int32 {
	switch {
	case s == nil:
		return 0
	case s.State.Terminated != nil:
		return s.RestartCount + 1
	}
	return s.RestartCount
}

// ready reports whether adapter and reporter are at work.
func (p *playing) ready() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.runs) == 0 {
		return false
	}
	_, ready := find(p.runs[0].adapter, "ready")
	following := false
	for _, l := range p.runs[0].reporter {
		following = following || logged(l).Msg == "following the adapter"
	}
	return ready && following
}

func (p *playing) firstPod() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.runs[0].Name
}

// do evicts or deletes the Pod, suspends the Job, or fills the Pod's volume, which
// the kubelet evicts it for.
func (p *playing) do(ctx context.Context, pod string) error {
	const jsonType, mergeType = "application/json", "application/merge-patch+json"
	switch p.Do {
	case "fill":
		_, err := kubectl(ctx, nil, "exec", "--namespace", p.namespace, pod, "--container", "adapter", "--",
			"dd", "if=/dev/zero", "of=/results/fill", "bs=1M", "count=24")
		return err
	case "evict":
		eviction := map[string]any{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": map[string]string{"name": pod}}
		return p.send(ctx, http.MethodPost, p.pods()+"/"+pod+"/eviction", jsonType, eviction)
	case "delete":
		return p.send(ctx, http.MethodDelete, p.pods()+"/"+pod, "", nil)
	case "suspend":
		suspend := map[string]any{"spec": map[string]bool{"suspend": true}}
		return p.send(ctx, http.MethodPatch, p.jobs()+"/"+p.job.Name, mergeType, suspend)
	}
	return fmt.Errorf("index.json: cannot do %q", p.Do)
}

// record is a line of the reporter's log.
type record struct {
	Msg, Type, Status, Reason, Message string
}

func logged(l line) (r record) {
	_ = json.Unmarshal([]byte(l.text), &r)
	return r
}

// find is the last line with this text.
func find(lines []line, text string) (found line, ok bool) {
	for _, l := range lines {
		if strings.TrimSpace(l.text) == text {
			found, ok = l, true
		}
	}
	return found, ok
}
