package watch

import (
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestAnothersReport: what stands by another Pod of the Job.
func TestAnothersReport(t *testing.T) {
	const yes, no, unknown = corev1.ConditionTrue, corev1.ConditionFalse, corev1.ConditionUnknown
	dying := with(alive(), deleting)
	checkDelivery(t, []delivers{
		{"True, success", aSecond(another(yes), finished(success)),
			"read Job; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"True, failure", aSecond(another(yes), finished(failure)),
			"read Job; read Job; read Pod; PATCH False Broken uid=job-1 rv=2; reported False Broken; end delivered own"},
		{"True, failure named as an interruption", aSecond(another(yes), finished(failing("AdapterInterrupted"))),
			"read Job; read Job; read Pod; PATCH False AdapterInterrupted uid=job-1 rv=2; reported False AdapterInterrupted; end delivered own"},
		{"True, crash", aSecond(another(yes), becomes(exited(1))),
			"read Job; read Job; read Pod; PATCH False AdapterExitedWithError uid=job-1 rv=2; reported False AdapterExitedWithError; end delivered"},
		{"True, failure of a Pod that is being deleted", aSecond(another(yes), becomes(dying), finished(failure)),
			"read Job; read Pod; read Job; read Pod; superseded False Broken; end delivered superseded"},
		{"True, failure, the deletion is learnt by reading", aSecond(another(yes), unwatched(dying), finished(failure)),
			"read Job; read Job; read Pod; superseded False Broken; end delivered superseded"},
		{"True, crash, the deletion is learnt by reading", aSecond(another(yes), unwatched(with(exited(1), deleting)), hears(exited(1))),
			"read Job; read Job; read Pod; superseded False AdapterExitedWithError; end delivered superseded"},
		{"True, crash of a Pod that is gone", aSecond(another(yes), hold("read Job"), becomes(exited(1)), deletes, release("read Job")),
			"read Job; read Job; superseded False AdapterExitedWithError; end delivered superseded"},
		{"True, failure, the Pod is found gone", aSecond(another(yes), fail("read Pod", status404), finished(failure), until(2*sec)),
			"read Job; read Job; read Pod!; superseded False Broken; end delivered superseded"},
		{"True, failure of a copy for debugging", []scene{becomes(alive(), ofNoJob), until(sec), another(yes), finished(failure)},
			"read Job; read Job; read Pod; superseded False Broken; end delivered superseded"},
		{"True, crash of a Pod of another Job", []scene{becomes(alive(), ofAnotherJob), until(sec), another(yes), becomes(exited(1), ofAnotherJob)},
			"read Job; read Job; read Pod; superseded False AdapterExitedWithError; end delivered superseded"},
		{"True, success of a copy for debugging", []scene{becomes(alive(), ofNoJob), until(sec), another(yes), finished(success)},
			"read Job; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"True, timeout of a Pod never found", []scene{fail("read Pod", status404), askPod, another(yes), until(61 * sec)},
			"read Pod!; read Job; read Pod!; PATCH False AdapterTimeout uid=job-1 rv=2; reported False AdapterTimeout; end delivered"},
		{"True, timeout of a Pod never to be read", []scene{refusesPod, another(yes), until(121 * sec)},
			"read Job; read Pod!; read Job; read Pod!; PATCH False AdapterTimeout uid=job-1 rv=2; reported False AdapterTimeout; end delivered"},
		{"True, deletion", aSecond(another(yes), becomes(dying), until(27*sec)),
			"read Job; read Pod; read Job; read Pod; superseded Unknown AdapterInterrupted; end delivered superseded"},
		{"True, SIGTERM", aSecond(another(yes), stops, until(27*sec)),
			"read Job; read Pod; read Job; read Pod; superseded Unknown AdapterInterrupted; taken back; read Job; read Pod; superseded Unknown AdapterInterrupted; end delivered superseded"},
		{"False, success", aSecond(another(no), finished(success)),
			"read Job; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"False, failure of a Pod that is being deleted", aSecond(another(no), becomes(dying), finished(failure)),
			"read Job; read Pod; read Job; PATCH False Broken uid=job-1 rv=2; reported False Broken; end delivered own"},
		{"False, deletion", aSecond(another(no), becomes(dying), until(27*sec)),
			"read Job; read Pod; read Job; read Pod; superseded Unknown AdapterInterrupted; end delivered superseded"},
		{"False, deletion in the last try", aSecond(another(no), noMoreTries, becomes(dying, tracked), until(27*sec)),
			"read Job; read Pod; read Job; read Pod; PATCH False AdapterInterrupted uid=job-1 rv=3; reported False AdapterInterrupted; end delivered"},
		{"Unknown, deletion", aSecond(another(unknown), becomes(dying), until(27*sec)),
			"read Job; read Pod; read Job; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=2; reported Unknown AdapterInterrupted; end delivered"},
		{"Unknown, failure", aSecond(another(unknown), finished(failure)),
			"read Job; read Job; PATCH False Broken uid=job-1 rv=2; reported False Broken; end delivered own"},

		{"True of an earlier process, crash", aSecond(becomes(anew()), setBefore, becomes(with(exited(1), startedAgain))), "read Job; read Job; read Pod; superseded False AdapterExitedWithError; end delivered superseded"},
		{"True of an earlier process, crash, the status is from before this one", aSecond(becomes(anew(notKnown)), setBefore, becomes(with(exited(1), startedAgain, notKnown))), "read Job; read Job; read Pod; superseded False AdapterExitedWithError; end delivered superseded"},
		{"True of an earlier process, of the adapter's run before", aSecond(becomes(anew(startedAt(sec))), setBefore, becomes(with(exited(1), startedAgain, startedAt(sec)))), "read Job; read Job; read Pod; PATCH False AdapterExitedWithError uid=job-1 rv=3; reported False AdapterExitedWithError; end delivered"},
		{"True of an earlier process, where the start is not known", aSecond(becomes(anew(notStarted)), setBefore, becomes(with(exited(1), startedAgain, notStarted))), "read Job; read Job; read Pod; PATCH False AdapterExitedWithError uid=job-1 rv=3; reported False AdapterExitedWithError; end delivered"},
		{"True of an earlier process, failure", aSecond(becomes(anew()), setBefore, finished(failure)), "read Job; read Job; read Pod; PATCH False Broken uid=job-1 rv=3; reported False Broken; end delivered own"},
		{"True since, crash, the reporter was never started again", aSecond(setBefore, becomes(with(exited(1), startedAt(0), known))), "read Job; read Job; read Pod; PATCH False AdapterExitedWithError uid=job-1 rv=3; reported False AdapterExitedWithError; end delivered"},

		{"True comes between reading and an interim crash", aSecond(finished(lookFails), becomes(exited(1)), stops, until(1400*ms), another(yes), until(1600*ms)), "read Job; read Job; read Pod; read Job; read Pod; PATCH False AdapterExitedWithError uid=job-1 rv=2; reported False AdapterExitedWithError"},
		{"True comes between reading and writing", aSecond(becomes(dying), hold("PATCH"), finished(failure), another(yes), release("PATCH"), until(2*sec)),
			"read Job; read Pod; read Job; PATCH False Broken uid=job-1 rv=1; trying False Broken; read Job; read Pod; superseded False Broken; end delivered superseded"},
		{"True comes while the PATCH is tried again", aSecond(becomes(dying), fail("PATCH", errNetwork), finished(failure), until(5*sec), another(yes), fail("PATCH", nil), until(20*sec)),
			"read Job; read Pod; read Job; PATCH False Broken uid=job-1 rv=1!; trying False Broken; read Job; PATCH False Broken uid=job-1 rv=1!; read Job; read Pod; superseded False Broken; end delivered superseded"},
		{"an own one that was lost is no other's", aSecond(becomes(dying), loses(true), finished(failure), loses(false), until(3*sec)),
			"read Job; read Pod; read Job; PATCH False Broken uid=job-1 rv=1; trying False Broken; read Job; PATCH False Broken uid=job-1 rv=2; reported False Broken; end delivered own"},
	})
}

// TestAnothersReportUnread: while Job or Pod cannot be read another Pod's success is safe.
func TestAnothersReportUnread(t *testing.T) {
	const yes = corev1.ConditionTrue
	dying := with(alive(), deleting)
	checkDelivery(t, []delivers{
		{"one 403 for the Job", aSecond(another(yes), becomes(dying), fail("read Job", status403), until(26*sec), fail("read Job", nil), until(29*sec)),
			"read Job; read Pod; read Job!; read Pod; trying False AdapterInterrupted; read Job; read Pod; superseded Unknown AdapterInterrupted; end delivered superseded"},
		{"one 429 for the Job", aSecond(another(yes), becomes(dying), fail("read Job", status429), finished(failure), fail("read Job", nil), until(12*sec)),
			"read Job; read Pod; read Job!; trying False Broken; read Job; read Pod; superseded False Broken; end delivered superseded"},
		{"one 503 for the Job", aSecond(another(yes), becomes(dying), fail("read Job", status503), finished(failure), fail("read Job", nil), until(12*sec)),
			"read Job; read Pod; read Job!; trying False Broken; read Job; read Pod; superseded False Broken; end delivered superseded"},
		{"an outage, then a 503 for the Job", aSecond(fail("read Job", errNetwork), becomes(exited(1)), until(71*sec), clock,
			another(yes), unwatched(with(exited(1), deleting)), fail("read Job", status503), until(100*sec), clock, fail("read Job", nil), until(113*sec)),
			"read Job; read Job!; trying False AdapterExitedWithError; read Job!; @1m11s; read Job!; trying False AdapterExitedWithError; read Job!; @1m40s; read Job; read Pod; superseded False AdapterExitedWithError; end delivered superseded"},
		{"a stop in which neither Job nor Pod can be read", []scene{another(yes), begins, until(sec), fail("read Job", errNetwork), fail("read Pod", errNetwork), unwatched(with(exited(1), deleting)), hears(exited(1)), stops, until(40 * sec)}, "read Job; read Job!; trying False AdapterExitedWithError; read Job!; read Pod!; no time False AdapterExitedWithError; end"},
		{"one 503 for the Pod", aSecond(another(yes), fail("read Pod", status503), unwatched(with(exited(1), deleting)), hears(exited(1)), until(2*sec), fail("read Pod", nil), until(10*sec)),
			"read Job; read Job; read Pod!; trying False AdapterExitedWithError; read Job; read Pod!; read Job; read Pod; superseded False AdapterExitedWithError; end delivered superseded"},
		{"the Pod is not to be reached for long", aSecond(another(yes), unwatched(exited(1)), fail("read Pod", errNetwork), hears(exited(1)), until(200*sec), clock, fail("read Pod", nil), until(220*sec)),
			"read Job; read Job; read Pod!; trying False AdapterExitedWithError; read Job; read Pod!; @3m20s; read Job; read Pod; PATCH False AdapterExitedWithError uid=job-1 rv=2; reported False AdapterExitedWithError; end delivered"},
		{"an outage, then a 503 for the Pod", aSecond(another(yes), fail("read Pod", errNetwork), unwatched(with(exited(1), deleting)), hears(exited(1)), until(71*sec), clock, fail("read Pod", status503), until(100*sec), clock, fail("read Pod", nil), until(113*sec)),
			"read Job; read Job; read Pod!; trying False AdapterExitedWithError; read Job; read Pod!; @1m11s; read Job; read Pod!; @1m40s; read Job; read Pod; superseded False AdapterExitedWithError; end delivered superseded"},
		{"one 429 for the Pod, whose Retry-After counts", aSecond(another(yes), fail("read Pod", status429), unwatched(with(exited(1), deleting)), hears(exited(1)), fail("read Pod", nil), until(8*sec-ms), clock, until(13*sec)),
			"read Job; read Job; read Pod!; trying False AdapterExitedWithError; @7.999s; read Job; read Pod; superseded False AdapterExitedWithError; end delivered superseded"},
		{"the Pod may not be read any more, for a minute", aSecond(another(yes), fail("read Pod", status403), hears(exited(1)), until(61*sec-ms), clock, until(75*sec)),
			"read Job; read Job; read Pod!; trying False AdapterExitedWithError; read Job; read Pod!; @1m0.999s; read Job; read Pod!; PATCH False AdapterExitedWithError uid=job-1 rv=2; reported False AdapterExitedWithError; end delivered"},
		{"the Pod cannot be read, for a minute", aSecond(another(yes), fail("read Pod", status503), hears(exited(1)), until(61*sec-ms), clock, until(75*sec)),
			"read Job; read Job; read Pod!; trying False AdapterExitedWithError; read Job; read Pod!; @1m0.999s; read Job; read Pod!; PATCH False AdapterExitedWithError uid=job-1 rv=2; reported False AdapterExitedWithError; end delivered"},
		{"superseded, then out of time, since the server is busy", aSecond(another(yes), stops, until(3*sec), clock, fail("read Job", status429), until(31*sec)),
			"read Job; read Pod; read Job; read Pod; superseded Unknown AdapterInterrupted; @3s; taken back; read Job!; read Pod; trying False AdapterInterrupted; read Job!; read Pod; superseded False AdapterInterrupted; end delivered superseded"},
		{"superseded, then the Job is not to be read", aSecond(another(yes), stops, until(3*sec), clock, fail("read Job", errNetwork), until(31*sec)),
			"read Job; read Pod; read Job; read Pod; superseded Unknown AdapterInterrupted; @3s; taken back; read Job!; read Pod; trying Unknown AdapterInterrupted; read Job!; read Pod; superseded Unknown AdapterInterrupted; end delivered superseded"},
	})
}

// TestAnothersReportRefusedBefore: a refusal of hours ago is none that has lasted.
func TestAnothersReportRefusedBefore(t *testing.T) {
	const yes = corev1.ConditionTrue
	dying := with(exited(1), deleting)
	job := func(first, second error) []scene {
		return []scene{fail("read Job", first), begins, fail("read Job", nil), until(59 * time.Minute), another(yes),
			fail("read Job", second), becomes(dying), fail("read Job", nil), until(time.Hour)}
	}
	const superseded = "read Job!; read Job; read Job!; trying False AdapterExitedWithError; read Job; read Pod; superseded False AdapterExitedWithError; end delivered superseded"
	checkDelivery(t, []delivers{
		{"503 for the Job, twice", job(status503, status503), superseded},
		{"403 for the Job, twice", job(status403, status403), superseded},
		{"403 for the Job, then 503", job(status403, status503), superseded},
		{"503 for the Job for a minute, then once more", []scene{fail("read Job", status503), begins, until(61 * sec), fail("read Job", nil), until(59 * time.Minute), another(yes),
			fail("read Job", status503), becomes(dying), fail("read Job", nil), until(time.Hour)},
			"read Job!; trying False AdapterExitedWithError; read Job; read Pod; superseded False AdapterExitedWithError; end delivered superseded"},
		{"403 for the Job, always", []scene{fail("read Job", status403), begins, until(60*sec - ms), clock, until(59 * time.Minute), clock, becomes(exited(1)), until(time.Hour)},
			"read Job!; @59.999s; read Job!; @59m0s; read Job!; PATCH False AdapterExitedWithError uid=job-1; reported False AdapterExitedWithError; end delivered"},
		{"503 for the Pod, twice", []scene{fail("read Pod", status503), askPod, begins, fail("read Pod", nil), until(59 * time.Minute), another(yes), unwatched(dying),
			fail("read Pod", status503), hears(exited(1)), fail("read Pod", nil), until(time.Hour)},
			"read Pod!; read Job; read Pod!; trying False AdapterExitedWithError; read Job; read Pod; superseded False AdapterExitedWithError; end delivered superseded"},
	}, func(c *Config) { c.Wait = 2 * time.Hour })
}

func failing(reason string) look {
	l := failure
	l.result.Reason = reason
	return l
}

// askPod is a reading of the Pod, as the feed wants it.
func askPod(p *play) {
	p.asks("read Pod", "read Pod", p.beganReadPod(), func(err error, began seq) { p.sawPodReading(nil, err, began) })
}

// hears is what the watch tells of the Pod, which may be old.
func hears(f facts) scene { return func(p *play) { tells(f, p.like...)(p.state) } }

func noMoreTries(p *play) { p.changeJob(lastTry) }

// startedAgain is the reporter, in an adapter's run since the start.
func startedAgain(f *facts) { startedAt(0)(f); known(f); f.reporterRestarts = 1 }

// notKnown is the status from before that.
func notKnown(f *facts) { f.reporterStarted, f.reporterRestarts = start.Add(-5*sec), 0 }

func notStarted(f *facts) { f.started = time.Time{} }

func anew(changes ...func(*facts)) facts {
	return with(with(alive(), startedAgain), changes...)
}

// setBefore is a True of which nobody has heard, as the adapter's run began.
func setBefore(p *play) {
	another(corev1.ConditionTrue)(p)
	p.changeJob(func(j *batchv1.Job) { j.Status.Conditions[0].LastProbeTime = metav1.NewTime(start) })
}
