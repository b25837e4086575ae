package watch

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

// start is when the runs of the state's tables begin. They may take a minute.
var start = time.Date(2026, 1, 15, 9, 0, 0, 0, time.UTC)

const sec = time.Second

// event is one thing that happens to the state of a row.
type event func(s *state)

// row is a story and what the decision says at its end.
type row struct {
	name  string
	story []event
	want  string // as describe says it
}

func checkRows(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			s := happened(r.story...)
			if got := describe(s); got != r.want {
				t.Errorf("\n got %s\nwant %s", got, r.want)
			}
		})
	}
}

// happened is the state after a story. As in the loop, the clock's doings are noted
// after each event.
func happened(story ...event) *state {
	s := newTestState(Config{Wait: time.Minute})
	for _, happens := range story {
		happens(s)
		s.next(s.now)
	}
	return s
}

// newTestState is one whose Pod nobody follows: the rows tell what becomes known.
func newTestState(c Config) *state {
	c.Path, c.Poll, c.Job, c.Pod, c.Variables, c.ConditionType = "/results/r.json", 10*sec, "adapter-job", "adapter-job-x7k2p", variables, "Available"
	s := newState(c, start)
	s.feed.off = true
	s.pod.roles.adapter, s.pod.volume = &corev1.Container{Name: "adapter"}, volumeEmptyDir
	return &s
}

// describe puts the decision into words. The outcome of an interruption is that for a
// Job which cannot be read.
func describe(s *state) string {
	var words []string
	v, need := s.decide()
	if v != nil {
		words = append(words, describeVerdict(s, v))
	}
	if need.done != nil {
		words = append(words, "end")
	}
	if need.look {
		words = append(words, "look")
	}
	if need.readPod {
		words = append(words, "read")
	}
	if words == nil {
		return "wait"
	}
	return strings.Join(words, ", ")
}

func describeVerdict(s *state, v *verdict) string {
	o := s.outcome(*v)
	what := fmt.Sprintf("%s %s: %s", o.Status, o.Reason, o.Message)
	if v.interrupted {
		what = "interrupted " + what
	}
	if v.interim {
		what = "interim " + what
	}
	if v.own {
		what = "own " + what
	}
	if s.stop.begun() {
		what += fmt.Sprintf(" [kill at %v]", s.killAt().Sub(start))
	}
	return what
}

// The files of the stories.
var (
	absent    = look{}
	success   = look{kind: fileValid, version: 1, stamp: 1, result: contract.Result{Status: contract.Success, Reason: "Ready", Message: "All set"}}
	lookFails = look{kind: fileNotYet, err: fmt.Errorf("not readable: %w", syscall.EIO)}
	failure   = look{kind: fileValid, version: 2, stamp: 2, result: contract.Result{Status: contract.Failure, Reason: "Broken", Message: "No quota"}}
	half      = look{kind: fileInvalid, version: 3, stamp: 3, err: errors.New("not valid JSON: unexpected end")}
	more      = look{kind: fileInvalid, version: 4, stamp: 4, err: errors.New("not valid JSON: unexpected end")}
	empty     = look{kind: fileNotYet, version: 5, stamp: 5, err: errors.New("empty")}
	locked    = look{kind: fileNotYet, err: errors.New("not readable: permission denied")}
)

// The Pods of the stories, with restartPolicy Never and the result in an emptyDir.
func alive() facts { return facts{running: true, grace: defaultGrace} }

func exited(code int32) facts {
	state := "Error"
	if code == 0 {
		state = "Completed"
	}
	return facts{ended: terminated(code, state).Terminated, grace: defaultGrace}
}

func oomKilled(code int32) facts {
	return facts{ended: terminated(code, "OOMKilled").Terminated, grace: defaultGrace}
}

// crashed is an adapter that the kubelet has started again, a second after the start.
func crashed(code int32) facts {
	f := exited(code)
	f.crashed, f.ended, f.running, f.started = f.ended, nil, true, start.Add(sec)
	return f
}

// with changes a Pod.
func with(f facts, changes ...func(*facts)) facts {
	for _, change := range changes {
		change(&f)
	}
	return f
}

func deleting(f *facts)   { f.deleting = true }
func disrupted(f *facts)  { f.causes = []string{"PreemptionByScheduler: preempted"} }
func sidecar(f *facts)    { f.sidecar = true }
func failed(f *facts)     { f.failed = true }
func hasRule(f *facts)    { f.restartsAll = true }
func allRestart(f *facts) { f.restartsAll, f.restartingAll = true, true }

func graced(d time.Duration) func(*facts) {
	return func(f *facts) { f.grace = d }
}

func waitsFor(why string) func(*facts) {
	return func(f *facts) { f.waiting, f.running = why, false }
}

// startedAt is when the present run of the adapter started, after the table's start.
func startedAt(d time.Duration) func(*facts) {
	return func(f *facts) { f.started = start.Add(d) }
}

// at moves the clock.
func at(d time.Duration) event { return func(s *state) { s.now = start.Add(d) } }

// looks is a look that begins now.
func looks(l look) event { return func(s *state) { s.file.saw(l, s.clock, s.now) } }

// ownPod is a Pod of the Job, as the state's tables have it: its facts come by themselves.
func ownPod(changes ...change) *corev1.Pod {
	yes := true
	return pod(append([]change{func(p *corev1.Pod) {
		p.ResourceVersion = "10"
		p.OwnerReferences = []metav1.OwnerReference{{Kind: "Job", Name: "adapter-job", UID: "job-1", Controller: &yes}}
	}}, changes...)...)
}

// tells is news of the Pod from the watch.
func tells(f facts, changes ...change) event {
	return func(s *state) {
		s.sawFacts(f)
		s.pod.last, s.pod.synced, s.pod.taken = ownPod(changes...), true, s.tick()
	}
}

// reads is a fresh reading that begins now. What it finds is taken in before; the
// reading itself then brings nothing newer.
func reads(f facts, changes ...change) event {
	return func(s *state) {
		began := s.beganReadPod()
		tells(f, changes...)(s)
		old := *s.pod.last
		old.ResourceVersion = "1"
		s.sawPodReading(&old, nil, began)
	}
}

// readsWith is a fresh reading that begins now, and fails.
func readsWith(err error) event {
	return func(s *state) { s.sawPodReading(nil, err, s.beganReadPod()) }
}

var (
	readFails    = readsWith(errNetwork)
	readRefused  = readsWith(status403)
	readNotFound = readsWith(status404)
)

func writes(s *state)  { s.file.writing = true }
func closes(s *state)  { s.file.writing = false }
func sigterm(s *state) { seen(&s.stop.sigterm, s.now); s.pod.retryAt = time.Time{} }
func podGone(s *state) { s.podDeleted() }

// after has more happen after a story.
func after(story []event, more ...event) []event {
	return append(append([]event(nil), story...), more...)
}

// What the tables expect.
const (
	own         = "own True Ready: All set"
	ownFailure  = "own False Broken: No quota"
	timeout     = "False AdapterTimeout: Adapter did not produce results within 1m0s"
	invalidFile = "False InvalidResultFormat: Failed to parse adapter result: not valid JSON: unexpected end"
	oom         = "False AdapterOOMKilled: Adapter container was killed due to out of memory (OOMKilled)"
	exit1       = "False AdapterExitedWithError: Adapter container exited with code 1: Error"
	missing     = "False AdapterMissingResults: Adapter container exited with code 0 but wrote no result file at /results/r.json"
	stopped     = "interrupted False AdapterInterrupted: Adapter was stopped before it produced results: "
	nodeLost    = stopped + "the Pod has failed; the node no longer reports on the adapter"
	maybeMore   = " (the Pod is being stopped; a result may still follow)"
)

// jobAnswers is a reading of the Job that begins now.
func jobAnswers(s *state) { s.sawJob(theJob(), nil, s.beganReadJob()) }

// jobRefused is one that may not be had.
func jobRefused(s *state) { s.sawJob(nil, status403, s.beganReadJob()) }

// theJob is that of the stories, which may try again.
func theJob(changes ...func(*batchv1.Job)) *batchv1.Job {
	j := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "adapter-job", UID: "job-1", ResourceVersion: "1"}}
	for _, c := range changes {
		c(j)
	}
	return j
}
