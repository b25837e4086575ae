package watch

import (
	"errors"
	"testing"
	"time"
)

// TestDeliverInStop: interim, then final, within what is left.
func TestDeliverInStop(t *testing.T) {
	native := with(alive(), sidecar)
	graceOf := func(d time.Duration) facts { return with(alive(), graced(d)) }
	checkDelivery(t, []delivers{
		{"SIGTERM", aSecond(stops, until(1500*ms-ms), clock, until(26*sec-ms), clock, until(27*sec)),
			"read Job; read Pod; read Job; read Pod; @1.499s; PATCH Unknown AdapterInterrupted uid=job-1 rv=1; reported Unknown AdapterInterrupted; @25.999s; read Job; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=2; reported Unknown AdapterInterrupted; end delivered"},
		{"SIGTERM, then a result", aSecond(stops, until(3*sec), finished(success)),
			"read Job; read Pod; read Job; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=1; reported Unknown AdapterInterrupted; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"SIGTERM, then a failure", aSecond(stops, until(3*sec), finished(failure)),
			"read Job; read Pod; read Job; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=1; reported Unknown AdapterInterrupted; read Job; PATCH False Broken uid=job-1 rv=2; reported False Broken; end delivered own"},
		{"SIGTERM, then an end", aSecond(stops, until(3*sec), becomes(oomKilled(137))),
			"read Job; read Pod; read Job; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=1; reported Unknown AdapterInterrupted; read Job; PATCH False AdapterOOMKilled uid=job-1 rv=2; reported False AdapterOOMKilled; end delivered"},
		{"SIGTERM, then it is a deletion", aSecond(stops, until(3*sec), becomes(with(alive(), deleting)), clock, until(27*sec)),
			"read Job; read Pod; read Job; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=1; reported Unknown AdapterInterrupted; @3s; read Job; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=2; reported Unknown AdapterInterrupted; end delivered"},
		{"SIGTERM, the last try", aSecond(noMoreTries, becomes(alive(), tracked), stops, until(3*sec), clock, finished(success)),
			"read Job; read Pod; read Job; read Pod; PATCH False AdapterInterrupted uid=job-1 rv=2; reported False AdapterInterrupted; @3s; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"SIGTERM, the interim report is refused: the run goes on", aSecond(fail("PATCH", status422), stops, until(3*sec), clock, fail("PATCH", nil), finished(success)),
			"read Job; read Pod; read Job; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=1!; refused Unknown AdapterInterrupted; @3s; taken back; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"SIGTERM, the interim report is not delivered", aSecond(fail("PATCH", errNetwork), stops, until(15*sec), clock, fail("PATCH", nil), finished(success), until(28*sec)),
			"read Job; read Pod; read Job; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=1!; trying Unknown AdapterInterrupted; read Job; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=1!; @15s; taken back; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"SIGTERM, a result while the interim PATCH is in flight", aSecond(hold("PATCH"), stops, until(2*sec), finished(success), clock, release("PATCH")),
			"read Job; read Pod; read Job; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=1; @2s; reported Unknown AdapterInterrupted; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"SIGTERM, a result while the interim PATCH is in flight, which fails", aSecond(hold("PATCH"), fail("PATCH", errNetwork), stops, until(2*sec), finished(success), clock, fail("PATCH", nil), release("PATCH")),
			"read Job; read Pod; read Job; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=1!; @2s; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"SIGTERM, the interim report's Retry-After is not beyond the grace period", aSecond(fail("PATCH", apiError{code: 429, wait: 30 * sec}), stops, until(3*sec), fail("PATCH", nil), finished(success), until(30*sec)),
			"read Job; read Pod; read Job; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=1!; trying Unknown AdapterInterrupted; taken back; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"SIGTERM while the server's Retry-After runs", aSecond(becomes(with(alive(), graced(10*sec))), fail("PATCH", apiError{code: 429, wait: 30 * sec}), finished(success), until(3*sec), fail("PATCH", nil), stops, until(12*sec)),
			"read Job; PATCH True Ready uid=job-1!; trying True Ready; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"SIGTERM, the Job is read before: answers of 300 ms", aSecond(until(2*sec), answersTake(300*ms), stops, until(2800*ms), clock, until(4*sec), clock),
			"read Job; read Pod; read Job; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=1; @2.8s; reported Unknown AdapterInterrupted; @4s"},
		{"SIGTERM, the Pod cannot be read", aSecond(fail("read Pod", errNetwork), stops, until(15*sec), clock),
			"read Job; read Pod!; read Job; read Pod!; PATCH Unknown AdapterInterrupted uid=job-1 rv=1; reported Unknown AdapterInterrupted; read Pod!; @15s"},
		{"SIGTERM in a grace period of 2 s", []scene{becomes(graceOf(2 * sec)), until(sec), stops, until(1500*ms - ms), clock, until(3 * sec)},
			"read Job; read Pod; read Job; read Pod; @1.499s; PATCH Unknown AdapterInterrupted uid=job-1 rv=1; reported Unknown AdapterInterrupted; read Job; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=2; reported Unknown AdapterInterrupted; end delivered"},
		{"SIGTERM, nothing was read yet", []scene{stops, until(2 * sec), clock},
			"read Pod; read Job; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=1; reported Unknown AdapterInterrupted; @2s"},
		{"deletion", aSecond(becomes(with(alive(), deleting)), until(26*sec-ms), clock, until(27*sec)),
			"read Job; read Pod; @25.999s; read Job; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=1; reported Unknown AdapterInterrupted; end delivered"},
		{"deletion, answers of 3 s", aSecond(until(10*sec), answersTake(3*sec), becomes(with(alive(), deleting)), until(27800*ms-ms), clock, until(40*sec)),
			"read Job; read Pod; @27.799s; read Job; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=1; reported Unknown AdapterInterrupted; end delivered"},
		{"deletion, nobody answers", aSecond(fail("read Pod", errNetwork), fail("read Job", errNetwork), fail("PATCH", errNetwork), becomes(with(alive(), deleting)), until(30*sec), clock, until(31*sec)),
			"read Job; read Pod!; read Job!; read Pod!; trying Unknown AdapterInterrupted; read Pod!; read Job!; read Pod!; PATCH Unknown AdapterInterrupted uid=job-1 rv=1!; @30s; read Pod!; read Job!; read Pod!; PATCH Unknown AdapterInterrupted uid=job-1 rv=1!; no time Unknown AdapterInterrupted; end"},
		{"deletion, the Pod's reading hangs", aSecond(hold("read Pod"), becomes(with(alive(), deleting)), until(28500*ms-100*ms-ms), clock, until(28500*ms)),
			"read Job; read Pod; @28.399s; read Job; PATCH Unknown AdapterInterrupted uid=job-1 rv=1; reported Unknown AdapterInterrupted; end delivered"},
		{"deletion, the Job's reading fails, and somebody has written meanwhile", aSecond(fail("read Job", errNetwork), touched, becomes(with(alive(), deleting)), until(31*sec)),
			"read Job; read Pod; read Job!; read Pod; trying Unknown AdapterInterrupted; read Job!; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=1; no time Unknown AdapterInterrupted; end"},
		{"deletion of a Job made anew, whose reading fails", aSecond(fail("read Job", errNetwork), madeAnew, becomes(with(alive(), deleting)), until(31*sec)),
			"read Job; read Pod; read Job!; read Pod; trying Unknown AdapterInterrupted; read Job!; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=1; refused Unknown AdapterInterrupted; end"},
		{"deletion with a long grace period: interim after 25 s", []scene{becomes(graceOf(600 * sec)), until(sec), becomes(with(graceOf(600*sec), deleting)), until(26*sec - ms), clock, until(30 * sec), clock, until(601 * sec)},
			"read Job; read Pod; @25.999s; read Job; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=1; reported Unknown AdapterInterrupted; @30s; read Pod; read Job; read Pod; PATCH False AdapterTimeout uid=job-1 rv=2; reported False AdapterTimeout; end delivered"},
		{"native sidecar, a result: it stays until SIGTERM", []scene{becomes(native), until(sec), finished(success), until(50 * sec), clock, stops},
			"read Job; PATCH True Ready uid=job-1; reported True Ready; @50s; end delivered own"},
		{"native sidecar, the same is not written twice", []scene{becomes(native), until(sec), finished(half), until(12 * sec), clock, finished(more), until(30 * sec), clock, finished(success)},
			"read Job; read Pod; read Job; PATCH False InvalidResultFormat uid=job-1 rv=1; reported False InvalidResultFormat; @12s; read Pod; read Job; @30s; PATCH True Ready uid=job-1; reported True Ready"},
		{"native sidecar, the same is written again where another has written over it", []scene{becomes(native), until(sec), finished(half), until(12 * sec), another("Unknown"), clock, finished(more), until(30 * sec)},
			"read Job; read Pod; read Job; PATCH False InvalidResultFormat uid=job-1 rv=1; reported False InvalidResultFormat; @12s; read Pod; read Job; PATCH False InvalidResultFormat uid=job-1 rv=3"},
		{"native sidecar, deletion: an end replaces the interruption", []scene{becomes(native), until(sec), becomes(with(native, deleting)), until(27 * sec), clock, becomes(with(oomKilled(137), sidecar, deleting)), stops},
			"read Job; read Pod; read Job; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=1; reported Unknown AdapterInterrupted; @27s; read Job; PATCH False AdapterOOMKilled uid=job-1 rv=2; reported False AdapterOOMKilled; end delivered"},
		{"native sidecar, a fault stands: no reading changes that", []scene{becomes(native), until(sec), finished(half), until(12 * sec), clock, hold("read Pod"), stops, until(13 * sec)},
			"read Job; read Pod; read Job; PATCH False InvalidResultFormat uid=job-1 rv=1; reported False InvalidResultFormat; @12s; end delivered"},
		{"native sidecar, a fault stands: the last look finds that it is written to", []scene{becomes(native), until(sec), finished(half), until(12 * sec), changes(more), stops, until(12500 * ms), clock, finished(success)},
			"read Job; read Pod; read Job; PATCH False InvalidResultFormat uid=job-1 rv=1; reported False InvalidResultFormat; read Pod; read Pod; read Pod; read Pod; read Job; read Pod; @12.5s; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"native sidecar, a fault stands: it was written to, and the adapter has ended", []scene{becomes(native), until(sec), finished(half), until(12 * sec), together(changes(more), unwatched(with(exited(0), sidecar))), stops, until(12500 * ms)},
			"read Job; read Pod; read Job; PATCH False InvalidResultFormat uid=job-1 rv=1; reported False InvalidResultFormat; read Pod; read Job; end delivered"},
		{"native sidecar, timed out: the adapter's end comes too late", []scene{becomes(native), until(61 * sec), becomes(with(exited(0), sidecar)), until(62 * sec), clock, stops},
			"read Job; read Pod; read Job; PATCH False AdapterTimeout uid=job-1 rv=1; reported False AdapterTimeout; @1m2s; end delivered"},
		{"native sidecar, timed out: so does an OOM kill", []scene{becomes(native), until(61 * sec), becomes(with(oomKilled(137), sidecar)), until(62 * sec), clock, stops},
			"read Job; read Pod; read Job; PATCH False AdapterTimeout uid=job-1 rv=1; reported False AdapterTimeout; @1m2s; end delivered"},
		{"native sidecar, timed out: a result does not", []scene{becomes(native), until(61 * sec), finished(success), until(62 * sec), clock, stops},
			"read Job; read Pod; read Job; PATCH False AdapterTimeout uid=job-1 rv=1; reported False AdapterTimeout; PATCH True Ready uid=job-1; reported True Ready; @1m2s; end delivered own"},
		{"native sidecar, timed out: a result that nothing has told of", []scene{becomes(native), until(61 * sec), func(p *play) { p.result = success }, stops},
			"read Job; read Pod; read Job; PATCH False AdapterTimeout uid=job-1 rv=1; reported False AdapterTimeout; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"native sidecar, refused: it ends", []scene{becomes(native), until(sec), fail("PATCH", status422), finished(success), until(2 * sec)},
			"read Job; PATCH True Ready uid=job-1!; refused True Ready; end own"},
		{"native sidecar, SIGTERM, then the adapter's end", []scene{becomes(native), until(sec), stops, until(1200 * ms), clock, becomes(with(exited(0), sidecar))},
			"read Job; read Pod; read Pod; read Pod; @1.2s; read Job; PATCH False AdapterMissingResults uid=job-1 rv=1; reported False AdapterMissingResults; end delivered"},
		{"native sidecar, SIGTERM alone", []scene{becomes(native), until(sec), stops, until(2*sec - ms), clock, until(3 * sec), clock},
			"read Job; read Pod; read Pod; read Pod; read Pod; read Job; read Pod; @1.999s; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=1; reported Unknown AdapterInterrupted; read Pod; @3s"},
		{"SIGTERM, a Pod of no name is never read", []scene{func(p *play) { p.podName = ""; p.pod.synced = true }, stops, until(2 * sec), clock},
			"read Job; read Job; PATCH Unknown AdapterInterrupted uid=job-1 rv=1; reported Unknown AdapterInterrupted; @2s"},
		{"RestartAllContainers", aSecond(becomes(with(alive(), allRestart)), stops),
			"read Job; end delivered superseded"},
		{"gone", aSecond(deletes, until(2*sec)),
			"read Job; read Job; PATCH Unknown AdapterInterrupted uid=job-1 rv=1; reported Unknown AdapterInterrupted; end delivered"},
	})
}

// TestDeliverGuardInStop: half of what is left must suffice.
func TestDeliverGuardInStop(t *testing.T) {
	dying := with(alive(), deleting)
	crashing := with(exited(1), deleting)
	checkDelivery(t, []delivers{
		{"crash, 503 for the Job", aSecond(fail("read Job", status503), becomes(crashing), until(15*sec), clock, until(25*sec)),
			"read Job; read Job!; trying False AdapterExitedWithError; read Job!; @15s; read Job!; PATCH False AdapterExitedWithError uid=job-1; reported False AdapterExitedWithError; end delivered"},
		{"crash, 403 for the Job", aSecond(fail("read Job", status403), becomes(crashing), until(15*sec), clock, until(25*sec)),
			"read Job; read Job!; trying False AdapterExitedWithError; read Job!; @15s; read Job!; PATCH False AdapterExitedWithError uid=job-1; reported False AdapterExitedWithError; end delivered"},
		{"crash, the network", aSecond(fail("read Job", errNetwork), becomes(crashing), until(30*sec), clock, until(31*sec)),
			"read Job; read Job!; trying False AdapterExitedWithError; read Job!; PATCH False AdapterExitedWithError uid=job-1 rv=1; reported False AdapterExitedWithError; end delivered"},
		{"interruption, 503 for the Job: by the one last read", aSecond(becomes(dying), until(20*sec), fail("read Job", status503), until(28*sec), clock, until(31*sec)),
			"read Job; read Pod; read Job!; read Pod; trying Unknown AdapterInterrupted; read Job!; read Pod; @28s; read Job!; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=1; reported Unknown AdapterInterrupted; end delivered"},
		{"interruption, 503 for the Job, and somebody has written since", aSecond(becomes(dying), until(20*sec), fail("read Job", status503), touched, until(28*sec), clock, until(31*sec)),
			"read Job; read Pod; read Job!; read Pod; trying Unknown AdapterInterrupted; read Job!; read Pod; @28s; read Job!; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=1; trying Unknown AdapterInterrupted; read Job!; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=1; no time Unknown AdapterInterrupted; end"},
		{"interruption, 503 for a Job never read: not unguarded", []scene{fail("read Job", status503), becomes(dying), until(29 * sec), clock, until(30 * sec)},
			"read Pod; read Job!; read Pod; trying False AdapterInterrupted; read Job!; read Pod; @29s; read Job!; read Pod; no time False AdapterInterrupted; end"},
		{"interruption, 403 for the Job", aSecond(fail("read Job", status403), becomes(dying), until(28*sec), clock, until(31*sec)),
			"read Job; read Pod; read Job!; read Pod; trying False AdapterInterrupted; read Job!; read Pod; @28s; read Job!; read Pod; PATCH False AdapterInterrupted uid=job-1; reported False AdapterInterrupted; end delivered"},
	})
}

// TestDeliverOneVerdict: what is gone leaves nothing behind.
func TestDeliverOneVerdict(t *testing.T) {
	graceOf := func(d time.Duration) facts { return with(alive(), graced(d)) }
	long := func(c *Config) { c.Wait = 2 * time.Hour }
	checkDelivery(t, []delivers{
		{"half a file", aSecond(finished(half), until(11*sec)),
			"read Job; read Pod; read Job; PATCH False InvalidResultFormat uid=job-1 rv=1; reported False InvalidResultFormat; end delivered"},
		{"its 30 minutes are not the result's", aSecond(fail("PATCH", status503), finished(half), until(20*sec), rewritten, fail("PATCH", nil), until(35*time.Minute), clock, finished(success)),
			"read Job; read Pod; read Job; PATCH False InvalidResultFormat uid=job-1 rv=1!; trying False InvalidResultFormat; read Job; PATCH False InvalidResultFormat uid=job-1 rv=1!; taken back; @35m0s; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"withdrawn while the Job is read", aSecond(hold("read Job"), finished(half), until(12*sec), finished(more), clock, release("read Job"), until(20*sec), clock, finished(success)),
			"read Job; read Pod; read Job; @12s; @20s; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"replaced while the Job is read", aSecond(hold("read Job"), finished(half), until(12*sec), becomes(oomKilled(137)), clock, release("read Job")),
			"read Job; read Pod; read Job; @12s; read Job; PATCH False AdapterOOMKilled uid=job-1 rv=1; reported False AdapterOOMKilled; end delivered"},
		{"the last look finds it changed", aSecond(hold("read Job"), finished(half), until(12*sec), changes(more), clock, release("read Job"), until(13*sec)),
			"read Job; read Pod; read Job; @12s"},
		{"withdrawn while its PATCH is in flight", aSecond(hold("PATCH"), finished(half), until(12*sec), finished(more), clock, release("PATCH"), until(13*sec), clock, finished(success)),
			"read Job; read Pod; read Job; PATCH False InvalidResultFormat uid=job-1 rv=1; @12s; reported False InvalidResultFormat; @13s; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"replaced while its PATCH is in flight", aSecond(hold("PATCH"), finished(half), until(12*sec), finished(success), clock, release("PATCH")),
			"read Job; read Pod; read Job; PATCH False InvalidResultFormat uid=job-1 rv=1; @12s; reported False InvalidResultFormat; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"replaced while its PATCH is in flight, which is lost", aSecond(hold("PATCH"), loses(true), finished(half), until(12*sec), becomes(oomKilled(137)), clock, release("PATCH"), loses(false), until(13*sec)),
			"read Job; read Pod; read Job; PATCH False InvalidResultFormat uid=job-1 rv=1; @12s; read Job; PATCH False AdapterOOMKilled uid=job-1 rv=2; trying False AdapterOOMKilled; read Job; PATCH False AdapterOOMKilled uid=job-1 rv=3; reported False AdapterOOMKilled; end delivered"},
		{"Retry-After holds for the next", aSecond(fail("PATCH", status429), finished(half), until(12*sec), fail("PATCH", nil), finished(success), until(18*sec-ms), clock, until(18*sec)),
			"read Job; read Pod; read Job; PATCH False InvalidResultFormat uid=job-1 rv=1!; trying False InvalidResultFormat; taken back; @17.999s; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"a pause does not", aSecond(fail("PATCH", errNetwork), finished(half), until(300*sec), clock, fail("PATCH", nil), finished(success)),
			"read Job; read Pod; read Job; PATCH False InvalidResultFormat uid=job-1 rv=1!; trying False InvalidResultFormat; read Job; PATCH False InvalidResultFormat uid=job-1 rv=1!; @5m0s; taken back; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"Retry-After to a PATCH that is replaced", aSecond(hold("PATCH"), fail("PATCH", status429), finished(half), until(12*sec), finished(success), fail("PATCH", nil), release("PATCH"), until(19*sec-ms), clock, until(19*sec)),
			"read Job; read Pod; read Job; PATCH False InvalidResultFormat uid=job-1 rv=1!; @18.999s; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"Retry-After holds for an interim report as well", aSecond(fail("PATCH", status429), finished(half), until(12*sec), rewritten, fail("PATCH", nil), stops, until(18*sec-ms), clock, until(18*sec)),
			"read Job; read Pod; read Job; PATCH False InvalidResultFormat uid=job-1 rv=1!; trying False InvalidResultFormat; taken back; read Pod; read Job; read Pod; @17.999s; read Job; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=1; reported Unknown AdapterInterrupted"},
		{"Retry-After, and it is withdrawn before the next", aSecond(fail("PATCH", status429), finished(half), until(12*sec), rewritten, until(15*sec), fail("PATCH", nil), finished(success), until(18*sec-ms), clock, until(18*sec)),
			"read Job; read Pod; read Job; PATCH False InvalidResultFormat uid=job-1 rv=1!; trying False InvalidResultFormat; taken back; @17.999s; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"a 403 to a report that was withdrawn hours ago is none of the next one's", aSecond(fail("PATCH", status403), finished(half), until(12*sec), rewritten, until(time.Hour), clock, finished(success), fail("PATCH", nil), until(61*time.Minute)),
			"read Job; read Pod; read Job; PATCH False InvalidResultFormat uid=job-1 rv=1!; trying False InvalidResultFormat; read Job; PATCH False InvalidResultFormat uid=job-1 rv=1!; taken back; @1h0m0s; PATCH True Ready uid=job-1!; trying True Ready; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"what was acknowledged is allowed: a 403 passes, however long it takes", []scene{becomes(graceOf(600 * sec)), until(sec), stops, until(3 * sec), clock, fail("PATCH", status403), finished(success), until(100 * sec), clock, fail("PATCH", nil), until(113 * sec)},
			"read Job; read Pod; read Job; read Pod; PATCH Unknown AdapterInterrupted uid=job-1 rv=1; reported Unknown AdapterInterrupted; @3s; PATCH True Ready uid=job-1!; trying True Ready; PATCH True Ready uid=job-1!; @1m40s; PATCH True Ready uid=job-1; reported True Ready; end delivered own"},
		{"what stood may have been replaced by what was lost", []scene{becomes(with(alive(), sidecar)), until(sec), finished(half), until(12 * sec), clock, finished(empty), loses(true), until(2 * time.Hour), clock, loses(false), finished(half), until(2*time.Hour + 5*sec)},
			"read Job; read Pod; read Job; PATCH False InvalidResultFormat uid=job-1 rv=1; reported False InvalidResultFormat; @12s; read Pod; read Job; PATCH False InvalidResultFormat uid=job-1 rv=2; trying False InvalidResultFormat; @2h0m0s; taken back; read Job; PATCH False InvalidResultFormat uid=job-1 rv=3; reported False InvalidResultFormat"},
		{"a 403 is counted from the first, whatever the verdict", aSecond(fail("PATCH", status403), finished(half), until(70*sec), finished(success), until(71*sec-ms), clock, until(84*sec)),
			"read Job; read Pod; read Job; PATCH False InvalidResultFormat uid=job-1 rv=1!; trying False InvalidResultFormat; read Job; PATCH False InvalidResultFormat uid=job-1 rv=1!; taken back; PATCH True Ready uid=job-1!; trying True Ready; PATCH True Ready uid=job-1!; @1m10.999s; PATCH True Ready uid=job-1!; refused True Ready; end own"},
	}, long)
}

func TestDeliverMisconfigured(t *testing.T) {
	wrong := func(c *Config) { c.Misconfigured = errors.New("POLL_INTERVAL_SECONDS: must be positive") }
	checkDelivery(t, []delivers{
		{"as it should be", []scene{until(2 * sec)},
			"read Pod; read Job; PATCH False ReporterMisconfigured uid=job-1 rv=1; reported False ReporterMisconfigured; end delivered"},
		{"Pod may not be read", []scene{fail("read Pod", status403), until(2 * sec), clock, until(10 * sec)},
			"read Pod!; read Job; PATCH False ReporterMisconfigured uid=job-1 rv=1; reported False ReporterMisconfigured; end delivered"},
		{"Job not to be reached", []scene{fail("read Job", errNetwork), until(29 * sec), clock, until(31 * sec)},
			"read Pod; read Job!; trying False ReporterMisconfigured; read Job!; @29s; read Job!; no time False ReporterMisconfigured; end"},
		{"Job may not be read", []scene{fail("read Job", status403), until(14 * sec), clock, until(31 * sec)},
			"read Pod; read Job!; trying False ReporterMisconfigured; read Job!; @14s; read Job!; PATCH False ReporterMisconfigured uid=job-1; reported False ReporterMisconfigured; end delivered"},
		{"made anew", []scene{madeAnew, until(2 * sec)},
			"read Pod; read Job; refused False ReporterMisconfigured; end"},
		{"another's True", []scene{another("True"), until(2 * sec)},
			"read Pod; read Job; PATCH False ReporterMisconfigured uid=job-1 rv=2; reported False ReporterMisconfigured; end delivered"},
		{"another's True, of a Pod being deleted", []scene{together(unwatched(with(alive(), deleting)), another("True")), until(2 * sec)},
			"read Pod; read Job; read Pod; superseded False ReporterMisconfigured; end delivered superseded"},
		{"another's True, the Pod is not to be reached", []scene{together(fail("read Pod", errNetwork), another("True")), until(29 * sec), clock, until(31 * sec)},
			"read Pod!; read Job; trying False ReporterMisconfigured; read Pod!; read Job; @29s; read Pod!; read Job; no time False ReporterMisconfigured; end"},
		{"SIGTERM: no later than its grace period", []scene{fail("PATCH", errNetwork), until(sec), becomes(with(alive(), graced(4*sec))), stops, until(5 * sec)},
			"read Pod; read Job; PATCH False ReporterMisconfigured uid=job-1 rv=1!; trying False ReporterMisconfigured; read Job; PATCH False ReporterMisconfigured uid=job-1 rv=1!; read Job; read Pod; PATCH False ReporterMisconfigured uid=job-1 rv=1!; no time False ReporterMisconfigured; end"},
		{"native sidecar: it ends all the same", []scene{unwatched(with(alive(), sidecar)), until(2 * sec)},
			"read Pod; read Job; PATCH False ReporterMisconfigured uid=job-1 rv=1; reported False ReporterMisconfigured; end delivered"},
	}, wrong)
}

// changes is what the next look finds.
func changes(l look) scene { return func(p *play) { p.result = l } }

// rewritten is a file that its writer is at.
func rewritten(p *play) { p.file.writing = true; finished(more)(p) }
