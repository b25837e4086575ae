package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var (
	began   = time.Date(2026, 1, 15, 9, 0, 0, 0, time.UTC)
	crashed = condition{"Available", "False", "AdapterExitedWithError", "Adapter container exited with code 1: Error"}
	interim = condition{"Available", "False", "AdapterInterrupted", "the reporter received SIGTERM" + stillStopping}
	cut     = condition{"Available", "Unknown", "AdapterInterrupted", "the Pod is being deleted"}
)

// evicted is a Pod that the kubelet has evicted: an interim report stood before it
// was Failed, and all holds.
func evicted() *playing {
	p := &playing{testCase: testCase{entry: entry{Name: "volume-full"}, want: conditions{interim}}}
	p.runs = []*podRun{{Pod: pod(corev1.ContainerState{}), reporter: []line{reported(time.Second, interim)}}}
	p.sawJob(job(interim))
	p.sawJob(job(interim, condition{"Failed", "True", "BackoffLimitExceeded", ""}))
	fail(p.runs[0].Pod)
	return p
}

func fail(pod *corev1.Pod) {
	pod.Status.Phase, pod.Status.Reason = corev1.PodFailed, "Evicted"
	pod.Status.ContainerStatuses[1].RestartCount = 1
	pod.Status.ContainerStatuses[1].State.Terminated = &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "ContainerStatusUnknown"}
}

func TestEvicted(t *testing.T) {
	p := evicted()
	if missing, hopeless := p.missing(); missing != "" || hopeless != "" {
		t.Errorf("missing %q, hopeless %q", missing, hopeless)
	}
	if faults := p.judge(0).faults; len(faults) > 0 {
		t.Errorf("faults: %q", faults)
	}
	for name, runs := range map[string][]*podRun{"after the Pod's end": evicted().runs, "without a Pod": nil} {
		late := &playing{testCase: p.testCase, runs: runs}
		late.sawJob(job(interim))
		if faults := late.judge(0).faults; len(faults) == 0 || !strings.Contains(faults[0], "when the Pod had ended") {
			t.Errorf("%s: faults: %q", name, faults)
		}
	}
}

// crash is a crash that was reported 0.7 s after it: all holds.
func crash() *playing {
	p := &playing{testCase: testCase{
		entry: entry{Name: "crash", Within: 1.5, ExitCode: 1}, want: conditions{crashed},
	}}
	p.sawJob(job(crashed))
	p.sawJob(job(crashed, condition{"Failed", "True", "BackoffLimitExceeded", ""}))
	p.runs = []*podRun{{
		Pod:      pod(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}}),
		adapter:  []line{{began, "now"}},
		reporter: []line{{began.Add(time.Millisecond), "not JSON"}, reported(700*time.Millisecond, crashed)},
		ended:    p.stood.Add(-20 * time.Millisecond),
	}}
	return p
}

func job(conditions ...condition) *batchv1.Job {
	j := &batchv1.Job{}
	for _, c := range conditions {
		j.Status.Conditions = append(j.Status.Conditions, batchv1.JobCondition{
			Type: batchv1.JobConditionType(c.Type), Status: corev1.ConditionStatus(c.Status), Reason: c.Reason, Message: c.Message,
		})
	}
	return j
}

func pod(reporter corev1.ContainerState) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "crash-x7k2p"},
		Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{
			{Name: "adapter", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}}},
			{Name: reporterName, State: reporter},
		}},
	}
}

func reported(after time.Duration, c condition) line {
	return line{began.Add(after), fmt.Sprintf(`{"msg":"reported","type":%q,"status":%q,"reason":%q,"message":%q}`, c.Type, c.Status, c.Reason, c.Message)}
}

func TestHolds(t *testing.T) {
	p := crash()
	if missing, hopeless := p.missing(); missing != "" || hopeless != "" {
		t.Errorf("missing %q, hopeless %q", missing, hopeless)
	}
	r := p.judge(0)
	if len(r.faults) > 0 {
		t.Errorf("faults: %q", r.faults)
	}
	if r.condition != "False AdapterExitedWithError" || seconds(r.took) != "0.700" || seconds(r.reporter) != "0.020" {
		t.Errorf("%s, %s s, %s s", r.condition, seconds(r.took), seconds(r.reporter))
	}
}

func TestFallsShort(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(p *playing)
		want  string
	}{
		"no condition":         {func(p *playing) { p.history = nil }, "got  none"},
		"another condition":    {func(p *playing) { p.want[0].Message = "no" }, "want {Type:Available"},
		"one before it":        {func(p *playing) { p.history = []condition{cut, crashed} }, "want none"},
		"one after it":         {func(p *playing) { p.sawJob(job(cut)) }, "want none"},
		"lost at the end":      {func(p *playing) { p.sawJob(job()) }, "does not stand"},
		"another end":          {func(p *playing) { p.Ends = "Complete" }, `the Job's end is "Failed BackoffLimitExceeded", want "Complete"`},
		"a condition too late": {func(p *playing) { p.Ends, p.atEnd = "Failed BackoffLimitExceeded", nil }, "over before its condition stood"},
		"exit code":            {func(p *playing) { p.ExitCode = 0 }, "exit code 1, want 0"},
		"started again":        {func(p *playing) { p.runs[0].Status.ContainerStatuses[1].RestartCount = 1 }, "started again 1 times, want 0"},
		"too slow":             {func(p *playing) { p.runs[0].reporter[1].at = began.Add(1600 * time.Millisecond) }, "the limit is 1.5 s"},
		"no claim":             {func(p *playing) { p.runs[0].reporter = nil }, "no time could be taken"},
		"claim of another":     {func(p *playing) { p.runs[0].reporter = []line{reported(0, cut)} }, "no time could be taken"},
		"adapter without now":  {func(p *playing) { p.runs[0].adapter = nil }, "no time could be taken"},
	} {
		t.Run(name, func(t *testing.T) {
			p := crash()
			tc.spoil(p)
			if faults := strings.Join(p.judge(0).faults, "\n"); !strings.Contains(faults, tc.want) {
				t.Errorf("faults %q do not say %q", faults, tc.want)
			}
		})
	}
}

func TestSlack(t *testing.T) {
	p := crash()
	p.runs[0].reporter[1].at = began.Add(1600 * time.Millisecond)
	if faults := p.judge(time.Second).faults; len(faults) > 0 {
		t.Errorf("faults: %q", faults)
	}
}

func TestMissing(t *testing.T) {
	waiting := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull", Message: "no such host"}}
	for name, tc := range map[string]struct {
		spoil             func(p *playing)
		missing, hopeless string
	}{
		"condition": {func(p *playing) { p.history = nil }, "condition", ""},
		"end":       {func(p *playing) { p.sawJob(job(crashed)) }, "the Job's end", ""},
		"exit code": {func(p *playing) { p.runs[0].Pod = pod(corev1.ContainerState{}) }, "exit code", ""},
		"kubelet's guess": {func(p *playing) {
			p.runs[0].Pod = pod(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "ContainerStatusUnknown"}})
		}, "exit code", ""},
		"claim":   {func(p *playing) { p.runs[0].reporter = nil }, "claim", ""},
		"image":   {func(p *playing) { p.runs[0].Pod = pod(waiting) }, "", "ErrImagePull: no such host"},
		"another": {func(p *playing) { p.history[0].Message = "no"; p.runs = nil }, "", ""}, // waiting is no use
		"endless": {func(p *playing) { p.Endless = true; p.sawJob(job(crashed)) }, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := crash()
			tc.spoil(p)
			missing, hopeless := p.missing()
			if !strings.Contains(missing, tc.missing) || (missing == "") != (tc.missing == "") || !strings.Contains(hopeless, tc.hopeless) || (hopeless == "") != (tc.hopeless == "") {
				t.Errorf("missing %q, hopeless %q", missing, hopeless)
			}
		})
	}
}

// TestJobEnd: the condition stands before the Job is over.
func TestJobEnd(t *testing.T) {
	over := condition{"Failed", "True", "PodFailurePolicy", ""}
	for name, tc := range map[string]struct {
		jobs []*batchv1.Job
		want string
	}{
		"before":  {[]*batchv1.Job{job(), job(crashed), job(crashed, over)}, ""},
		"at once": {[]*batchv1.Job{job(), job(crashed, over)}, ""},
		"after":   {[]*batchv1.Job{job(), job(over), job(crashed, over)}, "over before its condition stood"},
		"never":   {[]*batchv1.Job{job(crashed)}, `end is ""`},
	} {
		p := &playing{testCase: testCase{entry: entry{Ends: "Failed PodFailurePolicy"}, want: conditions{crashed}}}
		for _, j := range tc.jobs {
			p.sawJob(j)
		}
		faults := strings.Join(p.judge(0).faults, "\n")
		if (faults == "") != (tc.want == "") || !strings.Contains(faults, tc.want) {
			t.Errorf("%s: faults %q do not say %q", name, faults, tc.want)
		}
	}
}

// TestIndexed: a condition for each index, in whatever order they come.
func TestIndexed(t *testing.T) {
	is := func(index, status string) condition { return condition{"Shard" + index + "Ready", status, "R", ""} }
	want := conditions{is("0", "True"), is("1", "False"), is("2", "True")}
	over := condition{"Complete", "True", "", ""}
	for name, tc := range map[string]struct {
		jobs          []*batchv1.Job
		missing, want string
	}{
		"in order":    {[]*batchv1.Job{job(is("0", "True")), job(is("0", "True"), is("1", "False")), job(is("0", "True"), is("1", "False"), is("2", "True"), over)}, "exit code", ""},
		"backwards":   {[]*batchv1.Job{job(is("2", "True")), job(is("2", "True"), is("1", "False")), job(is("2", "True"), is("1", "False"), is("0", "True"), over)}, "exit code", ""},
		"one lacks":   {[]*batchv1.Job{job(is("2", "True"), is("1", "False"), over)}, "condition", "got  none"},
		"one differs": {[]*batchv1.Job{job(is("2", "True"), is("1", "True"), is("0", "True"), over)}, "", "want {Type:Shard1Ready Status:False"},
		"one changes": {[]*batchv1.Job{job(is("2", "True"), is("1", "True"), is("0", "True")), job(is("2", "True"), is("1", "False"), is("0", "True"), over)}, "", "Shard1Ready Status:True"},
		"one is lost": {[]*batchv1.Job{job(is("2", "True"), is("1", "False"), is("0", "True")), job(is("2", "True"), is("0", "True"), over)}, "exit code", "does not stand"},
	} {
		p := &playing{testCase: testCase{entry: entry{Indexed: true, Ends: "Complete"}, want: want}}
		for _, j := range tc.jobs {
			p.sawJob(j)
		}
		missing, _ := p.missing()
		if !strings.Contains(missing, tc.missing) || (missing == "") != (tc.missing == "") {
			t.Errorf("%s: missing %q, want %q", name, missing, tc.missing)
		}
		faults := strings.Join(p.judge(0).faults, "\n")
		if (faults == "") != (tc.want == "") || !strings.Contains(faults, tc.want) {
			t.Errorf("%s: faults %q do not say %q", name, faults, tc.want)
		}
	}
}
