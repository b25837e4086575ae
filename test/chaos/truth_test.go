package chaos

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/test/program"
)

// file is what stands at the result file's path.
type file struct {
	kind   fileKind
	data   string
	want   contract.Outcome // where valid or invalid
	prefix bool             // of want's message no more than the beginning is known
	since  time.Duration
	stale  bool // from before the adapter started
}

type fileKind int

const (
	absent fileKind = iota
	empty
	invalid
	valid
)

func wrongKind(problem string) file {
	return file{kind: invalid, want: contract.Outcome{Status: contract.False, Reason: contract.ReasonInvalidResultFormat,
		Message: "Failed to parse adapter result: " + problem}}
}

func (f file) String() string {
	data := f.data
	if len(data) > 60 {
		data = data[:60] + "…"
	}
	return fmt.Sprintf("%s file %q", []string{"no", "an empty", "an invalid", "a valid"}[f.kind], data)
}

// ending is how a run of the adapter ended.
type ending struct {
	code      int32
	oom       bool
	guess     bool // the kubelet's or the runtime's, which do not know
	message   string
	at        time.Duration // when the status told
	startedAt time.Duration
}

func (e ending) String() string {
	return fmt.Sprintf("exited with %d (OOM-killed %v) %s", e.code, e.oom, e.message)
}

func (e ending) bad() bool { return e.code != 0 || e.oom }

func (e ending) outcome() contract.Outcome {
	o := contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterExitedWithError,
		Message: fmt.Sprintf("Adapter container exited with code %d: Error", e.code)}
	if e.oom {
		o.Reason, o.Message = contract.ReasonAdapterOOMKilled, "Adapter container was killed due to out of memory (OOMKilled)"
	}
	if e.message != "" {
		o.Message += ": " + e.message
	}
	return o
}

// podTruth is what the Pod's status tells those who can read it.
type podTruth struct {
	running       bool
	waiting       string
	last          *ending // of the adapter's last run
	deleting      bool
	disrupted     bool   // DisruptionTarget
	failed        string // the reason of a Pod that is Failed
	gone          bool
	grace         time.Duration
	disturbedAt   time.Duration // since when somebody else has been ending the Pod
	startedAt     time.Duration // of the adapter's present run
	restarts      int32
	lastEnd       time.Duration // of the run before the present one
	restartingAll bool          // the kubelet starts all containers again
}

// over reports whether nothing is started in the Pod any more.
func (p *podTruth) over() bool { return p.deleting || p.failed != "" }

func (p *podTruth) disturbed() bool { return p.deleting || p.disrupted }

// without is the Pod as it was last seen, and gone.
func (p podTruth) without() *podTruth {
	p.gone = true
	return &p
}

func (p *podTruth) ends(e ending, at time.Duration) {
	e.at, e.startedAt = at, p.startedAt
	p.running, p.waiting, p.last = false, "", &e
}

// starts is the kubelet's next start of the adapter.
func (p *podTruth) starts(at time.Duration) {
	p.running, p.waiting, p.startedAt, p.lastEnd = true, "", at, p.last.at
	p.restarts++
}

func (e *ending) state(began time.Time) *corev1.ContainerStateTerminated {
	if e == nil {
		return nil
	}
	t := &corev1.ContainerStateTerminated{ExitCode: e.code, Reason: "Error", Message: e.message, ContainerID: "containerd://" + fmt.Sprint(int64(e.at)),
		StartedAt: metav1.NewTime(began.Add(e.startedAt)), FinishedAt: metav1.NewTime(began.Add(e.at))}
	switch {
	case e.guess && e.code == 255:
		t.Reason = "Unknown"
	case e.guess:
		t.Reason, t.StartedAt, t.FinishedAt = "ContainerStatusUnknown", metav1.Time{}, metav1.Time{}
	case e.oom:
		t.Reason = "OOMKilled"
	case e.code == 0:
		t.Reason = "Completed"
	}
	return t
}

// render writes it into the Pod of a reporter that began at a time.
func (p *podTruth) render(pod *corev1.Pod, began time.Time) {
	s := program.AdapterStatus(pod)
	s.State, s.LastTerminationState, s.RestartCount = corev1.ContainerState{}, corev1.ContainerState{}, p.restarts
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; p.restartingAll && c.Type == corev1.ContainersReady {
			c.Type, c.Status = corev1.AllContainersRestarting, corev1.ConditionTrue
		}
	}
	switch {
	case p.running:
		s.State.Running = &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(began.Add(p.startedAt))}
		s.LastTerminationState.Terminated = p.last.state(began)
	case p.waiting != "":
		reason, message, _ := strings.Cut(p.waiting, ": ")
		s.State.Waiting = &corev1.ContainerStateWaiting{Reason: reason, Message: message}
		s.LastTerminationState.Terminated = p.last.state(began)
	default:
		s.State.Terminated = p.last.state(began)
	}
	if p.deleting && pod.DeletionTimestamp == nil {
		grace := int64(p.grace.Seconds())
		at := metav1.NewTime(time.Now().Add(p.grace))
		pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &at, &grace
	}
	if p.disrupted && len(pod.Status.Conditions) > 0 && pod.Status.Conditions[0].Type != corev1.DisruptionTarget {
		pod.Status.Conditions = append([]corev1.PodCondition{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue,
			Reason: "EvictionByEvictionAPI", Message: "node drain"}}, pod.Status.Conditions...)
	}
	if p.failed != "" {
		pod.Status.Phase, pod.Status.Reason = corev1.PodFailed, p.failed
	}
}

// jobTruth is what the Job tells.
type jobTruth struct {
	limit, failed       int32
	deadline, suspended bool
	lost                bool // deleted, or made anew
}

func (t *jobTruth) render(j *batchv1.Job) {
	j.Status.Failed = t.failed
	j.Spec.Suspend = &t.suspended
	if t.deadline && !bytes.Contains([]byte(fmt.Sprint(j.Status.Conditions)), []byte("DeadlineExceeded")) {
		j.Status.Conditions = append(j.Status.Conditions, batchv1.JobCondition{Type: batchv1.JobFailureTarget, Status: corev1.ConditionTrue,
			Reason: batchv1.JobReasonDeadlineExceeded, Message: "Job was active longer than specified deadline"})
	}
}

// mayTryAgain reports whether another Pod may follow this one; counted where the
// Job's status counts it already.
func (t *jobTruth) mayTryAgain(counted bool) bool {
	failed := t.failed
	if !counted {
		failed++
	}
	return !t.deadline && (failed <= t.limit || t.suspended)
}
