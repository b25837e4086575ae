package watch

import (
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

// world is all that the state is about and cannot see but by looks, readings and
// events: the result file, the Pod, the Job, and how the API server answers.
type world struct {
	file worldFile
	pod  worldPod
	job  worldJob

	api  [requests]mode
	hold [watching]bool // the next such request has no answer for a while
	once mode           // how the next PATCH fares, whatever else

	sick     bool // looks at the file fail
	holdLook bool // the next one has no answer for a while
}

type worldFile struct {
	content content
	writing bool      // a writer holds it open
	stamp   int       // changes with each change
	changed time.Time // when that was
	run     int       // of the adapter that has written it; -1: none of this Pod's
}

type content int

const (
	noFile content = iota
	emptyFile
	brokenFile
	success1
	failure1
	contents
)

var contentLooks = [contents]look{
	noFile:     {},
	emptyFile:  {kind: fileNotYet, err: errors.New("empty")},
	brokenFile: {kind: fileInvalid, err: errors.New("not valid JSON: unexpected end")},
	success1:   {kind: fileValid, result: contract.Result{Status: contract.Success, Reason: "Ready", Message: "All set"}},
	failure1:   {kind: fileValid, result: contract.Result{Status: contract.Failure, Reason: "Quota", Message: "No quota"}},
}

// look is what a look finds.
func (f *worldFile) look() look {
	l := contentLooks[f.content]
	if f.content == noFile {
		return l
	}
	l.stamp, l.changed, l.alone = uint64(f.stamp), f.changed, true
	l.version = uint64(f.stamp)*uint64(contents) + uint64(f.content)
	return l
}

type podVersion int

type worldPod struct {
	version podVersion
	adapter adapterState
	end     int // of its last run, in adapterEnds
	had     int // a bit for each end that a run of its had
	run     int // how often it was started again
	started time.Time
	ended   time.Time

	process process // the reporter's, as the status has it

	deleting, disrupted, failed, deleted, another bool
}

type adapterState int

const (
	adapterWaits adapterState = iota
	adapterRuns
	adapterEnded
)

const (
	exited0 = iota
	exited1
	killedForMemory
	exited143
	lostEnd
)

var adapterEnds = []struct {
	code   int32
	reason string
}{
	exited0: {0, "Completed"}, exited1: {1, "Error"}, killedForMemory: {137, reasonOOM}, exited143: {143, "Error"}, lostEnd: {137, reasonLost},
}

// final reports whether the adapter is not started again.
func (c *setup) final(p *worldPod) bool {
	return p.adapter == adapterEnded && (!c.onFailure || p.end == exited0 || p.deleting || p.failed)
}

type jobVersion int

type worldJob struct {
	version jobVersion
	anew    bool // another one under the same name
	deleted bool
	over    bool // its deadline has passed
	by      reporterOf
	stands  contract.Outcome
	probed  time.Time // its lastProbeTime
}

// reporterOf says who has made the report that stands.
type reporterOf int

const (
	nobody reporterOf = iota
	thisPod
	anotherPod
)

// mode is how the API server answers a kind of request.
type mode int

const (
	works mode = iota
	away
	forbids
	fails // with a Status of 5xx
	silent
	tooMany  // 429 with a Retry-After
	conflict // 409
	losesAnswer
	losesWrite
	delaysWrite // given up by the client, and yet to arrive
)

type request int

const (
	getPod request = iota
	getJob
	patchJob
	watching
	requests
)

var (
	errAway     = errors.New("connection refused")
	errForbids  = apierrors.NewForbidden(schema.GroupResource{Resource: "all"}, "it", words(`User "it" cannot do that`))
	errFails    = apierrors.NewServiceUnavailable("etcd is away")
	errNotFound = apierrors.NewNotFound(schema.GroupResource{Resource: "all"}, "it")
	errConflict = apierrors.NewConflict(schema.GroupResource{Resource: "jobs"}, "it", errors.New("changed"))
	errTooMany  = &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusTooManyRequests, Reason: metav1.StatusReasonTooManyRequests, Details: &metav1.StatusDetails{RetryAfterSeconds: 20},
	}}
	errAnotherUID = apierrors.NewInvalid(schema.GroupKind{Kind: "Job"}, "it", field.ErrorList{field.Invalid(field.NewPath("metadata", "uid"), "A", "field is immutable")})
	errPolicy     = apierrors.NewForbidden(schema.GroupResource{Resource: "jobs"}, "it", words("ValidatingAdmissionPolicy 'p' with binding 'p' denied request: no labels"))
)

// err is how a request fares that the server does not answer as asked.
func (m mode) err() error {
	switch m {
	case away, losesAnswer, losesWrite, delaysWrite:
		return errAway
	case forbids:
		return errForbids
	case fails:
		return errFails
	case tooMany:
		return errTooMany
	case conflict:
		return errConflict
	}
	return nil
}

// setup is what stays the same in a story.
type setup struct {
	name      string
	whole     bool // explored to the full depth
	sidecar   bool
	onFailure bool
	pollOnly  bool
	hostPath  bool // with a left-over success on it
	lastTry   bool // backoffLimit 0
	foreign   bool // no Job controls the Pod
	waits     bool // the adapter has not started yet
	misconf   bool
	metadata  bool // OUTCOME_LABEL and DETAILS_ANNOTATION are set
	refused   bool // a policy refuses them
	grace     int64
	api       func(w *world) // how the server is at the start
	jitter    int64          // of 4

	mu   sync.RWMutex
	pods map[worldPod]*corev1.Pod
	jobs map[worldJob]*batchv1.Job
	ofP  map[*corev1.Pod]worldPod
	ofJ  map[*batchv1.Job]worldJob
}

// podOf is the Pod as the API has it. The state compares no pointers, and changes
// nothing, so each is made once.
func (c *setup) podOf(w worldPod) *corev1.Pod {
	c.mu.RLock()
	p := c.pods[w]
	c.mu.RUnlock()
	if p != nil {
		return p
	}
	p = c.makePod(w)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pods == nil {
		c.pods, c.ofP = map[worldPod]*corev1.Pod{}, map[*corev1.Pod]worldPod{}
	}
	if old := c.pods[w]; old != nil {
		return old
	}
	c.pods[w], c.ofP[p] = p, w
	return p
}

func (c *setup) makePod(w worldPod) *corev1.Pod {
	p := pod(gracePeriodOf(c.grace))
	p.Name, p.ResourceVersion, p.Finalizers = "adapter-job-x7k2p", strconv.Itoa(1000+int(w.version)), []string{batchv1.JobTrackingFinalizer}
	if !c.foreign {
		yes := true
		p.OwnerReferences = []metav1.OwnerReference{{Kind: "Job", Name: "adapter-job", UID: "A", Controller: &yes}}
	}
	volume := corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
	if c.hostPath {
		volume = corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/var/results"}}
	}
	p.Spec.Volumes = []corev1.Volume{{Name: "results", VolumeSource: volume}}
	for i := range p.Spec.Containers {
		p.Spec.Containers[i].VolumeMounts = []corev1.VolumeMount{{Name: "results", MountPath: "/results"}}
	}
	setReporter(status(p, reporterName), w.process)
	if c.onFailure {
		p.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
	}
	if w.another {
		p.UID = "2"
	}
	c.setAdapter(adapterStatus(p), w)
	if w.deleting {
		isDeleted(c.grace)(p)
	}
	if w.disrupted {
		isDisrupted("EvictionByEvictionAPI", "drained")(p)
	}
	if w.failed {
		p.Status.Phase = corev1.PodFailed
	}
	if c.sidecar {
		reporter := p.Spec.Containers[1]
		asSidecar(p)
		p.Spec.InitContainers[0].VolumeMounts = reporter.VolumeMounts
	}
	return p
}

func setReporter(s *corev1.ContainerStatus, p process) {
	s.State, s.RestartCount = runningSince(p.started), int32(p.run)
	if p.run > 0 {
		s.LastTerminationState = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: reasonOOM, Message: p.word}}
	}
}

func (c *setup) setAdapter(s *corev1.ContainerStatus, w worldPod) {
	s.RestartCount = int32(w.run)
	running := runningSince(w.started)
	waiting := func(reason string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}
	}
	end := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: adapterEnds[w.end].code, Reason: adapterEnds[w.end].reason, ContainerID: "run-" + strconv.Itoa(w.run), FinishedAt: metav1.NewTime(w.ended), StartedAt: metav1.NewTime(w.started),
	}}
	switch {
	case w.adapter == adapterWaits:
		s.State = waiting("ImagePullBackOff")
	case w.adapter == adapterEnded && c.final(&w):
		s.State = end
	case w.adapter == adapterEnded:
		s.State, s.LastTerminationState = waiting("CrashLoopBackOff"), end
	case w.run > 0:
		end.Terminated.ContainerID = "run-" + strconv.Itoa(w.run-1)
		s.State, s.LastTerminationState = running, end
	default:
		s.State = running
	}
}

func (c *setup) jobOf(w worldJob) *batchv1.Job {
	c.mu.RLock()
	j := c.jobs[w]
	c.mu.RUnlock()
	if j != nil {
		return j
	}
	j = c.makeJob(w)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.jobs == nil {
		c.jobs, c.ofJ = map[worldJob]*batchv1.Job{}, map[*batchv1.Job]worldJob{}
	}
	if old := c.jobs[w]; old != nil {
		return old
	}
	c.jobs[w], c.ofJ[j] = j, w
	return j
}

func (c *setup) makeJob(w worldJob) *batchv1.Job {
	j := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "adapter-job", UID: w.uid(), ResourceVersion: strconv.Itoa(1000 + int(w.version))}}
	if c.lastTry {
		j.Spec.BackoffLimit = new(int32)
	}
	if w.over {
		j.Status.Conditions = append(j.Status.Conditions, batchv1.JobCondition{
			Type: batchv1.JobFailureTarget, Status: corev1.ConditionTrue, Reason: batchv1.JobReasonDeadlineExceeded, Message: "Job was active longer than specified deadline",
		})
	}
	if w.by != nobody {
		j.Status.Conditions = append(j.Status.Conditions, batchv1.JobCondition{
			Type: "Available", Status: corev1.ConditionStatus(w.stands.Status), Reason: w.stands.Reason, Message: w.stands.Message, LastProbeTime: metav1.NewTime(w.probed),
		})
	}
	return j
}

func (w *worldJob) uid() types.UID {
	if w.anew {
		return "B"
	}
	return "A"
}
