package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// result is what became of a case.
type result struct {
	name      string
	condition string
	took      *time.Duration // from the adapter's last act to the report; nil: not measured
	reporter  *time.Duration // the part of it after the API server had the news; nil: not measured
	limit     time.Duration
	faults    []string // none: it holds
	logs      string
}

func (r result) tell(out io.Writer) {
	if len(r.faults) == 0 {
		fmt.Fprintf(out, "ok    %s\n", r.name)
		return
	}
	fmt.Fprintf(out, "FAIL  %s\n      %s\n%s", r.name, strings.Join(r.faults, "\n      "), r.logs)
}

// missing says what has not come yet, and what cannot come any more.
func (p *playing) missing() (missing, hopeless string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch why := p.unpulled(); {
	case p.differs():
		return "", "" // judge says so
	case why != "":
		return "", why
	case len(p.history) < len(p.want):
		return fmt.Sprintf("condition %+v", p.want[len(p.history)]), ""
	case !p.Endless && p.ended() == "":
		return "the Job's end", ""
	case p.exit() == nil && !p.evicted() && !(p.sidecar && p.Endless):
		return "the reporter's exit code", ""
	}
	if _, ok := p.claim(); !ok && p.ExitCode != misconfigured {
		return "the reporter's claim in its log", ""
	}
	return "", ""
}

// differs reports whether what was seen is not what is wanted, whatever comes.
func (p *playing) differs() bool {
	if p.Indexed && len(p.history) < len(p.want) {
		return false // more will come between them
	}
	for i, got := range p.seen() {
		if i >= len(p.want) || !p.want[i].matches(got) {
			return true
		}
	}
	return false
}

// unpulled is what an image's pull fails with, unless that is the case; empty where
// none does.
func (p *playing) unpulled() string {
	if strings.Contains(p.want[0].Message, "ImagePull") {
		return ""
	}
	for _, pod := range p.runs {
		for _, s := range slices.Concat(pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses) {
			if w := s.State.Waiting; w != nil && slices.Contains([]string{"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"}, w.Reason) {
				return fmt.Sprintf("the image of container %s cannot be pulled: %s: %s", s.Name, w.Reason, w.Message)
			}
		}
	}
	return ""
}

// status is that of a container; nil: there is none yet.
func status(pod *corev1.Pod, container string) *corev1.ContainerStatus {
	for _, s := range slices.Concat(pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses) {
		if s.Name == container {
			return &s
		}
	}
	return nil
}

// exit is how the reporter of the last Pod has ended; nil: it has not.
func (p *playing) exit() *corev1.ContainerStateTerminated {
	if len(p.runs) == 0 {
		return nil
	}
	s := status(p.runs[len(p.runs)-1].Pod, reporterName)
	switch {
	case s == nil:
		return nil
	case s.State.Terminated != nil && s.State.Terminated.Reason != "ContainerStatusUnknown": // the kubelet's guess
		return s.State.Terminated
	}
	return s.LastTerminationState.Terminated
}

// evicted reports whether the kubelet has evicted the last Pod. It then makes up
// restarts and exit codes of what it no longer sees.
func (p *playing) evicted() bool {
	return len(p.runs) > 0 && p.runs[len(p.runs)-1].Status.Reason == "Evicted"
}

// claim is the line in which a reporter says that the last condition stands.
func (p *playing) claim() (claim line, ok bool) {
	for _, pod := range p.runs {
		for _, l := range pod.reporter {
			r := logged(l)
			if r.Msg == "reported" && len(p.history) > 0 && (condition{r.Type, r.Status, r.Reason, r.Message}) == p.history[len(p.history)-1] {
				claim, ok = l, true
			}
		}
	}
	return claim, ok
}

// judge compares what was seen with what the case wants.
func (p *playing) judge(slack time.Duration) result {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := result{name: p.String(), limit: p.limit(), condition: "none"}
	if n := len(p.history); n > 0 {
		r.condition = p.history[n-1].Status + " " + p.history[n-1].Reason
	}
	p.measure(&r)
	for _, check := range []func(fault func(format string, args ...any)){
		p.judgeHistory,
		p.judgeJob,
		p.judgeEnd,
		p.judgeRestarts,
		func(fault func(format string, args ...any)) { r.judgeTime(slack, fault) },
	} {
		check(func(format string, args ...any) { r.faults = append(r.faults, fmt.Sprintf(format, args...)) })
	}
	r.logs = p.allLogs()
	return r
}

// judgeHistory: the conditions that are wanted, in their order, of which the last stands.
func (p *playing) judgeHistory(fault func(format string, args ...any)) {
	seen := p.seen()
	for i := range max(len(p.want), len(seen)) {
		switch {
		case i >= len(seen):
			fault("condition %d:\n        got  none\n        want %+v", i+1, p.want[i])
		case i >= len(p.want):
			fault("condition %d:\n        got  %+v\n        want none", i+1, seen[i])
		case !p.want[i].matches(seen[i]):
			fault("condition %d:\n        got  %+v\n        want %+v", i+1, seen[i], p.want[i])
		}
	}
	for _, c := range p.history {
		if conditionOf(p.current, c.Type) == nil {
			fault("the condition does not stand: %+v", p.current.Status.Conditions)
		}
	}
}

// judgeJob: how the Job ends, and that all was told by then.
func (p *playing) judgeJob(fault func(format string, args ...any)) {
	want := p.testCase.ends()
	if want == "" {
		return
	}
	if got := p.ended(); got != want {
		fault("the Job's end is %q, want %q", got, want)
	}
	if len(p.atEnd) < len(p.want) {
		fault("the Job was over before its condition stood: then it was %+v", p.atEnd)
	}
}

// judgeEnd: the reporter's exit code, and nothing after the Pod's end.
func (p *playing) judgeEnd(fault func(format string, args ...any)) {
	if exit := p.exit(); exit != nil && !p.evicted() && int(exit.ExitCode) != p.ExitCode {
		fault("the reporter ended with exit code %d, want %d", exit.ExitCode, p.ExitCode)
	}
	for _, c := range p.late {
		fault("%+v came when the Pod had ended", c)
	}
}

// judgeRestarts counts the starts of the last Pod's reporter.
func (p *playing) judgeRestarts(fault func(format string, args ...any)) {
	if len(p.runs) == 0 || p.evicted() || p.ExitCode == misconfigured {
		return
	}
	if s := status(p.runs[len(p.runs)-1].Pod, reporterName); s != nil && s.RestartCount != p.Restarts {
		fault("the reporter was started again %d times, want %d", s.RestartCount, p.Restarts)
	}
}

func (r *result) judgeTime(slack time.Duration, fault func(format string, args ...any)) {
	switch {
	case r.limit <= 0:
	case r.took == nil:
		fault("no time could be taken")
	case *r.took > r.limit+slack:
		fault("%.3f s from the adapter's last act to the report; the limit is %.1f s", r.took.Seconds(), (r.limit + slack).Seconds())
	}
}

// measure takes the time from the adapter's last act to the report. An adapter
// says "now" just before the act; the container runtime's clock on the node
// stamps both that and the reporter's claim, which follows the API server's
// answer. The reporter's part is between two events that the API server sent us.
func (p *playing) measure(r *result) {
	claim, ok := p.claim()
	if !ok {
		return
	}
	for _, pod := range p.runs {
		if now, ok := find(pod.adapter, "now"); ok {
			r.took = new(max(0, claim.at.Sub(now.at)))
			own := p.ExitCode == 0 || strconv.Itoa(p.ExitCode) == p.Env["FAILURE_EXIT_CODE"]
			if !own && !pod.ended.IsZero() { // it is the adapter's end that was reported
				r.reporter = new(max(0, p.stood.Sub(pod.ended)))
			}
		}
	}
}

func (p *playing) allLogs() string {
	var b strings.Builder
	for _, pod := range p.runs {
		for i, log := range [][]line{pod.adapter, pod.reporter} {
			for _, l := range log {
				fmt.Fprintf(&b, "      %s %s %s\n", pod.Name, [2]string{"adapter ", "reporter"}[i], l.at.Format("15:04:05.000 ")+l.text)
			}
		}
		for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
			fmt.Fprintf(&b, "      %s %s restarts %d, state %s\n", pod.Name, s.Name, s.RestartCount, s.State.String())
		}
	}
	return b.String()
}
