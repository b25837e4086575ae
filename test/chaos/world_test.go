package chaos

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
	"github.com/openshift-hyperfleet/status-reporter/test/program"
	"github.com/openshift-hyperfleet/status-reporter/testdata/suite"
)

// world plays a scenario and keeps the truth: what there was to see, and since
// when. The oracle judges the reporter by it.
type world struct {
	*program.Harness
	s   *scenario
	uid types.UID // of the Job that the Pod is for

	file file
	pod  podTruth
	job  jobTruth
	past []snapshot // one for each change

	sigterms []time.Duration
	troubles []span
	frozen   time.Duration   // when connections became black holes for the first time; 0: never
	releases []time.Duration // when black holes let go of what they hold
	writes   []write         // of conditions of the reporter's type, in order
	faults   map[string]int

	mu     sync.Mutex // guards writes, and job.lost against hooks
	code   int
	ended  time.Duration
	killed bool
	stands time.Duration // when it said that another Pod's report stands
}

type span struct{ from, to time.Duration }

// write is one that was applied to a Job, by the reporter or by somebody else.
type write struct {
	at      time.Duration
	uid     types.UID
	other   bool
	outcome contract.Outcome
}

type snapshot struct {
	at   time.Duration
	file file
	pod  podTruth
	job  jobTruth
}

func (w *world) now() time.Duration { return time.Since(w.Began) }

// must is for what cannot fail: a bubble cannot be left while a reporter runs in it.
func (w *world) must(err error) {
	if err != nil {
		panic(fmt.Sprintf("%v\n%s", err, w.s))
	}
}

func (w *world) note() {
	w.past = append(w.past, snapshot{w.now(), w.file, w.pod, w.job})
}

func (w *world) trouble(from, to time.Duration) { w.troubles = append(w.troubles, span{from, to}) }

// playChaos plays a scenario in a bubble.
func playChaos(t *testing.T, c suite.Case, s *scenario) *world {
	w := &world{Harness: program.NewHarness(t, c), s: s, faults: map[string]int{}}
	w.setUp()
	w.Began = time.Now()
	w.note()
	next := 0
	for ; next < len(s.events) && s.events[next].at == 0; next++ {
		s.events[next].do(w)
	}
	w.Start()
	done := make(chan struct{})
	go func() {
		w.code = <-w.Exit
		w.ended = w.now()
		close(done)
	}()
	w.runEvents(s.events[next:], done)
	select {
	case <-done:
	case <-time.After(3 * time.Hour):
		panic(fmt.Sprintf("the reporter does not end\n%s%s", w.Log, s))
	}
	w.heal()
	return w
}

// runEvents does what is to happen until the reporter has ended, or the kubelet
// would have killed it.
func (w *world) runEvents(events []event, done <-chan struct{}) {
	for _, e := range events {
		at := e.at
		if w.s.kill > 0 {
			at = min(at, w.s.kill)
		}
		select {
		case <-done:
			return
		case <-time.After(at - w.now()):
		}
		if w.s.kill > 0 && e.at >= w.s.kill {
			break
		}
		e.do(w)
	}
	if w.s.kill == 0 {
		return
	}
	select {
	case <-done:
	case <-time.After(w.s.kill - w.now()):
		w.killed = true
		w.releases = append(w.releases, w.now())
		w.Server.Down() // nothing that it does from here on counts
	}
}

// heal lets what is still on its way arrive.
func (w *world) heal() {
	w.releases = append(w.releases, w.now())
	w.Server.ClearFaults()
	w.Server.Thaw()
	if !w.killed {
		w.Server.Up()
	}
	time.Sleep(time.Minute)
	synctest.Wait()
}

func (w *world) setUp() {
	s := w.s
	w.Path = filepath.Join(filepath.Dir(w.Path), "results", "adapter-result.json")
	w.Env["RESULTS_PATH"] = w.Path
	w.Env["POLL_INTERVAL_SECONDS"] = fmt.Sprint(int(s.poll.Seconds()))
	w.Env["MAX_WAIT_TIME_SECONDS"] = fmt.Sprint(int(s.wait.Seconds()))
	if !s.dirLater || s.stale != nil {
		w.must(os.Mkdir(filepath.Dir(w.Path), 0o755))
	}
	w.uid = w.Server.Job(program.Namespace, program.JobName).UID
	w.job = jobTruth{limit: s.backoffLimit, failed: s.failed}
	w.Server.UpdateJob(program.Namespace, program.JobName, func(j *batchv1.Job) {
		j.Spec.BackoffLimit, j.Status.Failed = &s.backoffLimit, s.failed
		j.Status.Conditions = append(j.Status.Conditions, batchv1.JobCondition{Type: "Other", Status: corev1.ConditionTrue, Reason: "Kept"})
	})
	w.Server.CreateJob(&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: program.Namespace, Name: "decoy"}})
	if s.stale != nil {
		w.must(os.WriteFile(w.Path, []byte(s.stale.data), 0o644))
		w.file = *s.stale
	}
	w.pod = podTruth{running: true, grace: s.grace, startedAt: s.startedAt()}
	w.Began = time.Now()
	w.UpdatePod(func(pod *corev1.Pod) {
		w.shape(pod)
		w.pod.render(pod, w.Began)
	})
	for _, r := range []struct {
		lacks          bool
		verb, resource string
	}{{s.noWatch, "watch", "pods"}, {s.noPods, "watch", "pods"}, {s.noPods, "get", "pods"}, {s.noJobs, "get", "jobs"}} {
		if r.lacks {
			w.Server.Deny(r.verb, r.resource)
		}
	}
	w.Server.OnPatch(func(job *batchv1.Job) {
		c := kubeapi.Condition(job, w.Kind)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.writes = append(w.writes, write{at: w.now(), uid: job.UID, outcome: saidBy(c)})
	})
}

// shape makes the Pod's spec what the scenario says.
func (w *world) shape(pod *corev1.Pod) {
	grace := int64(w.s.grace.Seconds())
	pod.Spec.TerminationGracePeriodSeconds = &grace
	if w.s.onFailure {
		pod.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
	}
	for i := range pod.Spec.Containers {
		if c := &pod.Spec.Containers[i]; c.Name == "status-reporter" {
			c.Name = w.s.reporterName
		}
	}
	for i := range pod.Status.ContainerStatuses {
		if s := &pod.Status.ContainerStatuses[i]; s.Name == "status-reporter" {
			s.Name = w.s.reporterName
		}
	}
	if w.s.sidecar {
		always := corev1.ContainerRestartPolicyAlways
		reporter := pod.Spec.Containers[1]
		reporter.RestartPolicy = &always
		pod.Spec.InitContainers, pod.Spec.Containers = append(pod.Spec.InitContainers, reporter), pod.Spec.Containers[:1]
	}
	if w.s.restartsAll {
		never := corev1.ContainerRestartPolicyNever
		pod.Spec.Containers[0].RestartPolicy = &never
		pod.Spec.Containers[0].RestartPolicyRules = []corev1.ContainerRestartRule{{
			Action:    corev1.ContainerRestartRuleActionRestartAllContainers,
			ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{Operator: corev1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{restartCode}},
		}}
	}
	if source := &pod.Spec.Volumes[0].VolumeSource; w.s.volume != "emptyDir" {
		*source = corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/results"}}
		if w.s.volume != "hostPath" {
			*source = corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "results"}}
		}
	}
	if w.s.spaced {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "a-proxy", Image: "proxy"})
		pod.Status.ContainerStatuses = append([]corev1.ContainerStatus{{Name: "a-proxy", State: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{ExitCode: 7, Reason: "Error"}}}}, pod.Status.ContainerStatuses...)
	}
}

// What the adapter does.

func (w *world) beside(name string) string { return filepath.Join(filepath.Dir(w.Path), name) }

func (w *world) sawFile(f file) {
	f.since = w.now()
	w.file = f
	w.note()
}

// put writes a file, whatever was in its way.
func (w *world) put(f file) {
	if info, err := os.Lstat(w.Path); err == nil && (info.IsDir() || info.Mode()&os.ModeNamedPipe != 0) {
		w.must(os.Remove(w.Path))
	}
	w.must(os.MkdirAll(filepath.Dir(w.Path), 0o755))
	w.must(os.WriteFile(w.Path, []byte(f.data), 0o644))
	w.sawFile(f)
}

// rename writes under another name first; the last name is the result file's
// unless it is a link to this one.
func (w *world) rename(f file, name ...string) {
	to := w.Path
	if len(name) > 0 {
		to = w.beside(name[0])
	}
	w.must(os.WriteFile(w.beside(".tmp"), []byte(f.data), 0o644))
	w.must(os.Rename(w.beside(".tmp"), to))
	w.sawFile(f)
}

func (w *world) remove() {
	w.must(os.Remove(w.Path))
	w.sawFile(file{})
}

// What the kubelet, the controllers and others do.

func (w *world) sigterm() {
	w.sigterms = append(w.sigterms, w.now())
	select {
	case w.Signals <- os.Interrupt:
	default:
	}
}

func (w *world) setPod(change func(p *podTruth)) {
	if w.pod.gone {
		return
	}
	before := w.pod.disturbed()
	change(&w.pod)
	if w.pod.disturbed() && !before {
		w.pod.disturbedAt = w.now()
	}
	w.note()
	w.UpdatePod(func(pod *corev1.Pod) { w.pod.render(pod, w.Began) })
}

func (w *world) removePod() {
	w.job.failed++ // a Pod that is gone is counted
	w.pod.gone = true
	w.note()
	w.updateJob()
	w.Server.DeletePod(program.Namespace, program.PodName)
}

func (w *world) setJob(change func(j *jobTruth)) {
	if w.job.lost {
		return
	}
	change(&w.job)
	w.note()
	w.updateJob()
}

func (w *world) updateJob() {
	if w.job.lost {
		return
	}
	w.Server.UpdateJob(program.Namespace, program.JobName, w.job.render)
}

func (w *world) touchJob() {
	if !w.lost() {
		w.Server.UpdateJob(program.Namespace, program.JobName, func(j *batchv1.Job) {
			metav1.SetMetaDataAnnotation(&j.ObjectMeta, "touched", time.Now().String())
		})
	}
}

func (w *world) lost() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.job.lost
}

func (w *world) otherReport(o contract.Outcome) {
	if w.lost() {
		return
	}
	w.mu.Lock()
	w.writes = append(w.writes, write{w.now(), w.uid, true, o})
	w.mu.Unlock()
	w.Server.UpdateJob(program.Namespace, program.JobName, func(j *batchv1.Job) {
		c := kubeapi.Condition(j, w.Kind)
		if c == nil {
			j.Status.Conditions = append(j.Status.Conditions, batchv1.JobCondition{Type: w.Kind})
			c = &j.Status.Conditions[len(j.Status.Conditions)-1]
		}
		c.Status, c.Reason, c.Message = corev1.ConditionStatus(o.Status), o.Reason, o.Message
	})
}

func (w *world) loseJob(anew bool) {
	w.mu.Lock()
	w.job.lost = true
	w.mu.Unlock()
	w.note()
	if anew {
		w.ReplaceJob()
		return
	}
	w.Server.DeleteJob(program.Namespace, program.JobName)
}

func saidBy(c *batchv1.JobCondition) contract.Outcome {
	if c == nil {
		return contract.Outcome{}
	}
	return contract.Outcome{Status: contract.ConditionStatus(c.Status), Reason: c.Reason, Message: c.Message}
}

// patched is the condition that a PATCH carries.
func patched(r kubetest.Request) contract.Outcome {
	var body struct {
		Status struct{ Conditions []batchv1.JobCondition }
	}
	if json.Unmarshal(r.Body, &body) != nil || len(body.Status.Conditions) != 1 {
		return contract.Outcome{}
	}
	return saidBy(&body.Status.Conditions[0])
}
