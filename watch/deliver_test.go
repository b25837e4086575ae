package watch

import (
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

// ofNoJob is a Pod without an owner, as `kubectl debug --copy-to` makes it.
func ofNoJob(p *corev1.Pod) { p.OwnerReferences = nil }

// ofAnotherJob is a Pod of a Job that JOB_NAME does not name.
func ofAnotherJob(p *corev1.Pod) {
	p.OwnerReferences[0].Name, p.OwnerReferences[0].UID = "another", "job-9"
}

// ofAWorkflow is a Pod that something other than a Job controls.
func ofAWorkflow(p *corev1.Pod) {
	p.OwnerReferences[0].Kind, p.OwnerReferences[0].UID = "Workflow", "flow-1"
}

// aSecond is a run in which nothing has happened for a second.
func aSecond(more ...scene) []scene { return append([]scene{begins, until(sec)}, more...) }

// TestDeliverUnderUID: which Job is meant, and by what a report goes.
func TestDeliverUnderUID(t *testing.T) {
	noJob := fail("read Job", status403)
	checkDelivery(t, []delivers{
		{"success", aSecond(finished(success)),
			"read Job; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"failure", aSecond(finished(failure)),
			"read Job; read Job; PATCH False Broken uid=job-1 rv=1; reported False Broken; end delivered own"},
		{"crash", aSecond(becomes(exited(1))),
			"read Job; read Job; PATCH False AdapterExitedWithError uid=job-1 rv=1; reported False AdapterExitedWithError; end delivered"},
		{"timeout", aSecond(until(60*sec-ms), clock, until(60*sec)),
			"read Job; @59.999s; read Pod; read Job; PATCH False AdapterTimeout uid=job-1 rv=1; reported False AdapterTimeout; end delivered"},
		{"of the Job, the Pod has no owner", []scene{becomes(alive(), ofNoJob), until(sec), finished(success)},
			"read Job; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"of the Job, the Pod is another's", []scene{becomes(alive(), ofAnotherJob), until(sec), finished(success)},
			"read Job; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"of the Job, the Pod is no Job's", []scene{becomes(alive(), ofAWorkflow), until(sec), finished(success)},
			"read Job; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"of the Job, the Pod is not to be reached", []scene{fail("read Pod", errNetwork), finished(success), until(59 * sec), clock, until(68 * sec)},
			"read Pod!; @59s; read Pod!; read Job; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"of the Pod, the Job is not to be reached", []scene{fail("read Job", errNetwork), begins, until(sec), finished(success)},
			"read Job!; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"of the Pod, the Job may not be read", []scene{noJob, begins, until(sec), finished(success)},
			"read Job!; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"of neither, they may not be read", []scene{noJob, refusesPod, finished(success), until(59 * sec), clock, until(62 * sec)},
			"read Job!; read Pod!; @59s; read Pod!; read Job!; PATCH True Ready; reported True Ready; end delivered own"},
		{"of the Job, the Pod is not to be reached: its word on the reporter's end is waited for", []scene{finished(absent), fail("read Pod", errNetwork), until(sec), finished(success), until(7*sec - ms), clock, until(8 * sec)},
			"read Pod!; read Job; PATCH True Ready uid=job-1; reported True Ready; @6.999s; end delivered own"},
		{"believed, and the Pod that is read for it tells that it is left over", []scene{func(p *play) { noDeadline(p.state); keptIn(volumeHostPath)(p.state) }, fail("read Pod", status503),
			unwatched(with(alive(), restartable, known, startedAt(10*sec))), finished(changedAt(success, -3600*sec)), until(60*sec - ms), clock, fail("read Pod", nil), until(90 * sec)},
			"read Pod!; @59.999s; read Pod; read Job"},
		{"believed after an outage, and the Pod is gone: nobody will tell", []scene{func(p *play) { noDeadline(p.state) }, becomes(with(alive(), restartable)), func(p *play) { keptIn(volumeHostPath)(p.state) },
			fail("read Pod", errNetwork), fail("PATCH", errNetwork), finished(changedAt(success, -3600*sec)), until(90 * sec), clock, fail("PATCH", nil), deletes, until(93 * sec)},
			"read Job; read Pod!; PATCH True Ready uid=job-1!; trying True Ready; PATCH True Ready uid=job-1!; @1m30s; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"of the Job, which is another one now: a fault waits for the Pod", []scene{finished(absent), fail("read Pod", status503), madeAnew, finished(half), until(71 * sec), clock, fail("read Pod", nil), until(90 * sec)},
			"read Pod!; read Job; trying False InvalidResultFormat; @1m11s; read Pod; read Job; refused False InvalidResultFormat; end"},
		{"of the Job, the Pod cannot be read for a minute: then a fault goes by what there is", []scene{finished(absent), fail("read Pod", status503), finished(half), until(30 * time.Minute)},
			"read Pod!; read Job; trying False InvalidResultFormat; read Pod!; read Job; PATCH False InvalidResultFormat uid=job-1 rv=1; reported False InvalidResultFormat; read Pod!; end delivered"},
		{"of neither, the Job may not be read, and the Pod not yet", []scene{finished(absent), noJob, fail("read Pod", status503), until(sec), finished(success), until(50 * sec), clock, fail("read Pod", nil), until(63 * sec)},
			"read Pod!; read Job!; trying True Ready; read Pod!; read Job!; @50s; read Pod; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"of neither, they may not be read, nothing came", []scene{noJob, refusesPod, until(60*sec - ms), clock, until(60 * sec)},
			"read Job!; @59.999s; read Pod!; read Job!; PATCH False AdapterTimeout; reported False AdapterTimeout; end delivered"},
		{"of neither, the Job may not be read, the Pod is not to be reached", []scene{noJob, fail("read Pod", errNetwork), finished(success), until(59 * sec), clock, until(62 * sec), fail("read Pod", nil), until(75 * sec)},
			"read Pod!; @59s; read Pod!; read Job!; trying True Ready; read Pod!; read Job!; read Pod; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"of neither, the Job is not to be reached", []scene{fail("read Job", errNetwork), refusesPod, finished(success), until(190 * sec), clock, fail("read Job", nil), until(203 * sec)},
			"read Job!; read Pod!; read Job!; trying True Ready; read Pod!; read Job!; @3m10s; read Pod!; read Job; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"of neither, the Job cannot be read", []scene{fail("read Job", status503), refusesPod, finished(success), until(190 * sec), clock, fail("read Job", nil), until(203 * sec)},
			"read Job!; read Pod!; read Job!; trying True Ready; read Pod!; read Job!; @3m10s; read Pod!; read Job; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"the Job is made anew, success", aSecond(madeAnew, finished(success), until(2*sec)),
			"read Job; PATCH True Ready uid=job-1; refused True Ready; end own"},
		{"the Job is made anew, failure", aSecond(madeAnew, finished(failure), until(2*sec)),
			"read Job; read Job; refused False Broken; end own"},
		{"the Job is made anew, of the Job once read", []scene{becomes(alive(), ofNoJob), until(sec), madeAnew, finished(success), until(2 * sec)},
			"read Job; PATCH True Ready uid=job-1; refused True Ready; end own"},
		{"the Job is made anew, crash", []scene{becomes(alive(), ofNoJob), until(sec), madeAnew, becomes(exited(1), ofNoJob), until(2 * sec)},
			"read Job; read Job; refused False AdapterExitedWithError; end"},
		{"first answers: a second", []scene{hold("read Job"), begins, finished(success), until(sec - ms), clock, until(sec)},
			"read Job; @999ms; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"first answers: they come", []scene{hold("read Job"), begins, finished(success), until(500 * ms), clock, release("read Job")},
			"read Job; @500ms; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"a success goes without the Job, however often", []scene{fail("read Job", errNetwork), fail("PATCH", errNetwork), begins, finished(success), until(30 * sec), clock, fail("PATCH", nil), until(43 * sec)},
			"read Job!; PATCH True Ready uid=job-1!; trying True Ready; PATCH True Ready uid=job-1!; @30s; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
	})
}

// TestDeliverTimes: the transition is that of the status.
func TestDeliverTimes(t *testing.T) {
	before := metav1.NewTime(start.Add(-time.Hour))
	for _, test := range []struct {
		name string
		has  batchv1.JobCondition
		want time.Time // of the transition
	}{
		{"none", batchv1.JobCondition{Type: "Another", Status: "False", LastTransitionTime: before}, start.Add(sec)},
		{"the same status", batchv1.JobCondition{Type: "Available", Status: "False", LastTransitionTime: before}, before.Time},
		{"another status", batchv1.JobCondition{Type: "Available", Status: "Unknown", LastTransitionTime: before}, start.Add(sec)},
		{"the same status since nobody knows when", batchv1.JobCondition{Type: "Available", Status: "False"}, start.Add(sec)},
	} {
		s := newTestState(Config{Wait: time.Minute})
		s.now, s.job.last = start.Add(sec), theJob(func(j *batchv1.Job) { j.Status.Conditions = []batchv1.JobCondition{test.has} })
		got := s.condition(contract.OOMKilled(""))
		if !got.LastTransitionTime.Time.Equal(test.want) || !got.LastProbeTime.Time.Equal(s.now) {
			t.Errorf("%s: transition at %v, probed at %v; want %v, %v", test.name, got.LastTransitionTime, got.LastProbeTime, test.want, s.now)
		}
	}
}

// TestOwnResultIsNotLookedAtAgain: it stays what it is, and a look at a volume may
// take its time.
func TestOwnResultIsNotLookedAtAgain(t *testing.T) {
	for _, tt := range []struct {
		found look
		looks bool
	}{{success, false}, {failure, false}, {absent, true}} {
		s := newTestState(Config{Wait: time.Minute})
		tells(exited(1))(s)
		jobAnswers(s)
		looks(tt.found)(s)
		s.next(s.now)
		jobAnswers(s) // in this attempt
		if step := s.next(s.now); step.look != tt.looks || (step.patch == nil) != tt.looks {
			t.Errorf("%v: looks again: %t, writes: %t", tt.found, step.look, step.patch != nil)
		}
	}
}

// TestJobIsNoOlder: an answer that was long on its way replaces none of a PATCH.
func TestJobIsNoOlder(t *testing.T) {
	version := func(v string) *batchv1.Job { return theJob(func(j *batchv1.Job) { j.ResourceVersion = v }) }
	s := newTestState(Config{Wait: time.Minute})
	began, sent := s.beganReadJob(), &patch{}
	s.beganPatch(sent)
	s.sawPatch(sent, version("2"), nil)
	if s.sawJob(version("1"), nil, began); s.job.last.ResourceVersion != "2" {
		t.Errorf("the Job is %s", s.job.last.ResourceVersion)
	}
	if s.sawJob(version("3"), nil, s.beganReadJob()); s.job.last.ResourceVersion != "3" {
		t.Errorf("the Job read since is %s", s.job.last.ResourceVersion)
	}
}

// TestDeliverGuard: what is not a True waits for a Job that can be read, but not for ever.
func TestDeliverGuard(t *testing.T) {
	checkDelivery(t, []delivers{
		{"403", aSecond(fail("read Job", status403), becomes(exited(1)), until(61*sec-ms), clock, until(75*sec)),
			"read Job; read Job!; trying False AdapterExitedWithError; read Job!; @1m0.999s; read Job!; PATCH False AdapterExitedWithError uid=job-1; reported False AdapterExitedWithError; end delivered"},
		{"503, always", []scene{fail("read Job", status503), begins, until(sec), becomes(exited(1)), until(61*sec - ms), clock, until(75 * sec)},
			"read Job!; trying False AdapterExitedWithError; read Job!; @1m0.999s; read Job!; PATCH False AdapterExitedWithError uid=job-1; reported False AdapterExitedWithError; end delivered"},
		{"403, then 200", aSecond(fail("read Job", status403), becomes(exited(1)), until(30*sec), clock, fail("read Job", nil), until(43*sec)),
			"read Job; read Job!; trying False AdapterExitedWithError; read Job!; @30s; read Job; PATCH False AdapterExitedWithError uid=job-1 rv=1; reported False AdapterExitedWithError; end delivered"},
		{"503", aSecond(fail("read Job", status503), becomes(exited(1)), until(61*sec-ms), clock, until(75*sec)),
			"read Job; read Job!; trying False AdapterExitedWithError; read Job!; @1m0.999s; read Job!; PATCH False AdapterExitedWithError uid=job-1; reported False AdapterExitedWithError; end delivered"},
		{"429: says nothing of the next answer", aSecond(fail("read Job", status503), becomes(exited(1)), until(30*sec), fail("read Job", status429), until(61*sec-ms), clock, until(120*sec)),
			"read Job; read Job!; trying False AdapterExitedWithError; read Job!; @1m0.999s; read Job!"},
		{"429 alone", aSecond(fail("read Job", status429), becomes(exited(1)), until(200*sec), clock, fail("read Job", nil), until(245*sec)),
			"read Job; read Job!; trying False AdapterExitedWithError; read Job!; @3m20s; read Job; PATCH False AdapterExitedWithError uid=job-1 rv=1; reported False AdapterExitedWithError; end delivered"},
		{"network", aSecond(fail("read Job", errNetwork), becomes(exited(1)), until(200*sec), clock, fail("read Job", nil), until(213*sec)),
			"read Job; read Job!; trying False AdapterExitedWithError; read Job!; @3m20s; read Job; PATCH False AdapterExitedWithError uid=job-1 rv=1; reported False AdapterExitedWithError; end delivered"},
		{"a page", aSecond(fail("read Job", aPage), becomes(exited(1)), until(200*sec), clock, fail("read Job", nil), until(213*sec)),
			"read Job; read Job!; trying False AdapterExitedWithError; read Job!; @3m20s; read Job; PATCH False AdapterExitedWithError uid=job-1 rv=1; reported False AdapterExitedWithError; end delivered"},
		{"an outage does not use it up", aSecond(fail("read Job", errNetwork), becomes(exited(1)), until(71*sec), clock, fail("read Job", status503), until(100*sec), clock, fail("read Job", nil), until(113*sec)),
			"read Job; read Job!; trying False AdapterExitedWithError; read Job!; @1m11s; read Job!; trying False AdapterExitedWithError; read Job!; @1m40s; read Job; PATCH False AdapterExitedWithError uid=job-1 rv=1; reported False AdapterExitedWithError; end delivered"},
		{"an answer without a uid is nobody's", aSecond(func(p *play) { p.changeJob(func(j *batchv1.Job) { j.UID = "" }) }, becomes(exited(1)), until(2*sec), func(p *play) { p.changeJob(func(j *batchv1.Job) { j.UID = "job-1" }) }, until(20*sec)),
			"read Job; read Job; trying False AdapterExitedWithError; read Job; PATCH False AdapterExitedWithError uid=job-1 rv=3; reported False AdapterExitedWithError; end delivered"},
		{"refused long ago, and no answer when it was read once more", []scene{func(p *play) { noDeadline(p.state) }, fail("read Job", status403), becomes(alive()), until(59 * sec), fail("read Job", errNetwork), until(62 * sec), fail("read Job", status403), until(200 * sec), clock, becomes(exited(1)), until(201 * sec)},
			"read Job!; @3m20s; read Job!; PATCH False AdapterExitedWithError uid=job-1; reported False AdapterExitedWithError; end delivered"},
		{"an outage in between counts anew", aSecond(fail("read Job", status503), becomes(exited(1)), until(40*sec), fail("read Job", errNetwork), until(70*sec), fail("read Job", status503), until(119*sec), clock, until(160*sec)),
			"read Job; read Job!; trying False AdapterExitedWithError; read Job!; @1m59s; read Job!; PATCH False AdapterExitedWithError uid=job-1; reported False AdapterExitedWithError; end delivered"},
		{"404", aSecond(fail("read Job", status404), becomes(exited(1)), until(2*sec)),
			"read Job; read Job!; refused False AdapterExitedWithError; end"},
		{"400", aSecond(fail("read Job", apiError{code: 400}), becomes(exited(1)), until(2*sec)),
			"read Job; read Job!; refused False AdapterExitedWithError; end"},
		{"409: read again", aSecond(hold("PATCH"), finished(failure), touched, release("PATCH"), until(3*sec)),
			"read Job; read Job; PATCH False Broken uid=job-1 rv=1; trying False Broken; read Job; PATCH False Broken uid=job-1 rv=2; reported False Broken; end delivered own"},
	})
}

// TestDeliverAnswers is one row for each answer to a PATCH.
func TestDeliverAnswers(t *testing.T) {
	answer := func(err error) []scene {
		return aSecond(fail("PATCH", err), finished(success), until(200*sec), clock, fail("PATCH", nil), until(245*sec))
	}
	checkDelivery(t, []delivers{
		{"404", answer(status404),
			"read Job; PATCH True Ready uid=job-1!; refused True Ready; end own"},
		{"410", answer(status410),
			"read Job; PATCH True Ready uid=job-1!; refused True Ready; end own"},
		{"422", answer(status422),
			"read Job; PATCH True Ready uid=job-1!; refused True Ready; end own"},
		{"401", answer(apiError{code: 401}),
			"read Job; PATCH True Ready uid=job-1!; trying True Ready; PATCH True Ready uid=job-1!; @3m20s; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"408", answer(apiError{code: 408}),
			"read Job; PATCH True Ready uid=job-1!; trying True Ready; PATCH True Ready uid=job-1!; @3m20s; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"503", answer(status503),
			"read Job; PATCH True Ready uid=job-1!; trying True Ready; PATCH True Ready uid=job-1!; @3m20s; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"a page", answer(aPage),
			"read Job; PATCH True Ready uid=job-1!; trying True Ready; PATCH True Ready uid=job-1!; @3m20s; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"network, or a 2xx that does not carry the condition", answer(errNetwork),
			"read Job; PATCH True Ready uid=job-1!; trying True Ready; PATCH True Ready uid=job-1!; @3m20s; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"429 with Retry-After", aSecond(fail("PATCH", status429), finished(success), fail("PATCH", nil), until(8*sec-ms), clock, until(9*sec)),
			"read Job; PATCH True Ready uid=job-1!; trying True Ready; @7.999s; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"a page with Retry-After", aSecond(fail("PATCH", apiError{wait: 7 * sec}), finished(success), fail("PATCH", nil), until(8*sec-ms), clock, until(9*sec)),
			"read Job; PATCH True Ready uid=job-1!; trying True Ready; @7.999s; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"Retry-After of a day", aSecond(fail("PATCH", apiError{code: 503, wait: 24 * time.Hour}), finished(success), fail("PATCH", nil), until(31*sec-ms), clock, until(32*sec)),
			"read Job; PATCH True Ready uid=job-1!; trying True Ready; @30.999s; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"applied, and its answer lost", aSecond(loses(true), finished(success), loses(false), until(3*sec)),
			"read Job; PATCH True Ready uid=job-1; trying True Ready; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"failure, applied, and its answer lost", aSecond(loses(true), finished(failure), loses(false), until(3*sec)),
			"read Job; read Job; PATCH False Broken uid=job-1 rv=1; trying False Broken; read Job; PATCH False Broken uid=job-1 rv=2; reported False Broken; end delivered own"},
		{"403 for less than a minute", aSecond(fail("PATCH", status403), finished(success), until(60*sec), clock, fail("PATCH", nil), until(73*sec)),
			"read Job; PATCH True Ready uid=job-1!; trying True Ready; PATCH True Ready uid=job-1!; @1m0s; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"403 for a minute", aSecond(fail("PATCH", status403), finished(success), until(61*sec-ms), clock, until(75*sec)),
			"read Job; PATCH True Ready uid=job-1!; trying True Ready; PATCH True Ready uid=job-1!; @1m0.999s; PATCH True Ready uid=job-1!; refused True Ready; end own"},
		{"403 after an outage", aSecond(fail("PATCH", errNetwork), finished(success), until(71*sec), clock, fail("PATCH", status403), until(100*sec), clock, fail("PATCH", nil), until(113*sec)),
			"read Job; PATCH True Ready uid=job-1!; trying True Ready; PATCH True Ready uid=job-1!; @1m11s; PATCH True Ready uid=job-1!; trying True Ready; PATCH True Ready uid=job-1!; @1m40s; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"403 before and after an outage", aSecond(fail("PATCH", status403), finished(success), until(40*sec), fail("PATCH", errNetwork), until(70*sec), fail("PATCH", status403), until(129*sec), clock, until(160*sec)),
			"read Job; PATCH True Ready uid=job-1!; trying True Ready; PATCH True Ready uid=job-1!; @2m9s; PATCH True Ready uid=job-1!; refused True Ready; end own"},
		{"no time is left", aSecond(fail("PATCH", errNetwork), finished(success), until(30*time.Minute), clock, until(31*time.Minute)),
			"read Job; PATCH True Ready uid=job-1!; trying True Ready; PATCH True Ready uid=job-1!; @30m0s; PATCH True Ready uid=job-1!; no time True Ready; end own"},
	})
}
