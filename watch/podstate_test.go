package watch

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"
)

// TestWhichPod: which of two readings is the newer, and whose Pod it is.
func TestWhichPod(t *testing.T) {
	another := func(p *corev1.Pod) { p.UID = "2" }
	news := func(version string, changes ...change) event {
		return sends(apiwatch.Modified, versioned(version, changes...))
	}
	cached := func(version string) event { return polled(version, nil) }
	overtaken := func(version, meanwhile string) event { // a fresh reading, and an event that comes before its answer
		return func(s *state) {
			began := s.beganReadPod()
			news(meanwhile)(s)
			s.sawPodReading(versioned(version), nil, began)
		}
	}
	for _, test := range []struct {
		name    string
		story   []event
		want    string // its resourceVersion
		deleted bool
	}{
		{"none", nil, "", false},
		{"an event", []event{news("7")}, "7", false},
		{"a newer event", []event{news("9"), news("10")}, "10", false},
		{"an older event", []event{news("10"), news("9")}, "10", false},
		{"a cache that lags", []event{news("10"), cached("9")}, "10", false},
		{"a cache that is ahead", []event{news("10"), cached("11")}, "11", false},
		{"a version that is no number", []event{news("10"), news("x")}, "x", false},
		{"after one that is no number", []event{news("x"), news("9")}, "9", false},
		{"a fresh reading", []event{news("9"), getsPod("10")}, "10", false},
		{"a fresh reading with a lower version: etcd was restored", []event{news("10"), getsPod("3")}, "3", false},
		{"a fresh reading, overtaken by an event", []event{news("5"), overtaken("9", "10")}, "10", false},
		{"a fresh reading, newer than an event that came meanwhile", []event{news("5"), overtaken("11", "10")}, "11", false},
		{"another of its name, by an event", []event{news("9"), news("10", another)}, "9", true},
		{"another of its name, by a fresh reading", []event{news("9"), getsPod("10", another)}, "9", true},
		{"a fresh 404", []event{news("9"), readNotFound}, "9", true},
		{"a fresh 404, never read", []event{readNotFound}, "", false},
		{"a cached 404", []event{news("9"), polled("", status404)}, "9", false},
		{"a cached error", []event{news("9"), polled("", errNetwork)}, "9", false},
		{"deleted", []event{news("9"), sends(apiwatch.Deleted, versioned("10"))}, "9", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newFollowed(10 * sec)
			for _, happens := range test.story {
				happens(s)
			}
			var got string
			if s.pod.last != nil {
				got = s.pod.last.ResourceVersion
			}
			if deleted := !s.stop.deleted.IsZero(); got != test.want || deleted != test.deleted {
				t.Errorf("version %q, deleted %v; want %q, %v", got, deleted, test.want, test.deleted)
			}
		})
	}
}

// TestPodComplaint: what the user has to mend is said, until it is mended.
func TestPodComplaint(t *testing.T) {
	named := func(name string) event { return func(s *state) { s.adapterName = name } }
	const alone = "the result file alone is followed"
	for _, test := range []struct {
		name   string
		story  []event
		want   string // the beginning
		synced bool
	}{
		{"not read yet", nil, "", false},
		{"read", []event{getsPod("7")}, "", true},
		{"no such container", []event{named("wrok"), getsPod("7")}, `ADAPTER_CONTAINER_NAME: the Pod has no container "wrok"`, true},
		{"the reporter itself", []event{named(reporterName), getsPod("7")}, `ADAPTER_CONTAINER_NAME: container "status-reporter" is the reporter itself`, true},
		{"403", []event{readRefused}, "the Pod cannot be read", true},
		{"404", []event{readNotFound}, "the Pod cannot be read", true},
		{"400", []event{readsWith(apiError{code: 400})}, "the Pod cannot be read", true},
		{"a cached 403", []event{polled("", status403)}, "the Pod cannot be read", true},
		{"a cached 404", []event{polled("", status404)}, "the Pod cannot be read", true},
		{"a cached 503", []event{polled("", status503)}, "", false},
		{"a network error", []event{readFails}, "", false},
		{"503", []event{readsWith(status503)}, "", false},
		{"403, then read", []event{readRefused, getsPod("7")}, "", true},
		{"read, then 403", []event{getsPod("7"), readRefused}, "", true},
		{"read, then 400: that may pass as well", []event{getsPod("7"), readsWith(apiError{code: 400})}, "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newFollowed(10 * sec)
			for _, happens := range test.story {
				happens(s)
			}
			got := s.pod.complaint
			if s.pod.synced != test.synced || (got == "") != (test.want == "") || !strings.HasPrefix(got, test.want) || got != "" && !strings.Contains(got, alone) {
				t.Errorf("complaint %q, synced %v; want %q, %v", got, s.pod.synced, test.want, test.synced)
			}
		})
	}
}

// TestPodIsReadAgain for what must become readable soon, in pauses that double, and
// twice for each report.
func TestPodIsReadAgain(t *testing.T) {
	native := with(alive(), sidecar)
	for _, test := range []struct {
		name  string
		facts facts
		story []event
		want  string // when it is read after the second at which the story ends
	}{
		{"a regular container", alive(), []event{sigterm}, "1s 1s"},
		{"a native sidecar: the end is due", native, []event{sigterm}, "1s 1.1s 1.2s 1.4s 1.5s 2s 3s"},
		{"a native sidecar whose adapter has ended", with(exited(1), sidecar), []event{sigterm}, ""},
		{"a native sidecar, in a deletion", with(native, deleting), []event{sigterm}, "1s 1s"},
		{"a native sidecar that is gone", native, []event{sigterm, podGone}, ""},
		{"the reporter's run is not told yet", with(alive(), restartable), []event{looks(success)}, "1s 2s 4s"},
		{"the file is gone again, and may have been the run's", with(alive(), restartable), []event{looks(success), func(s *state) { s.next(s.now) }, looks(absent)}, "1s 2s 4s"},
		{"known", with(alive(), restartable, known), []event{looks(success)}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := happened(tells(test.facts), jobAnswers, at(sec))
			for _, happens := range test.story {
				happens(s)
			}
			var read []string
			for end := start.Add(5 * sec); s.now.Before(end); {
				do := s.next(s.now)
				switch {
				case do.readPod:
					read = append(read, s.now.Sub(start).String())
					reads(test.facts)(s)
					continue
				case do.look:
					looks(s.file.look)(s)
					continue
				case do.readJob:
					jobAnswers(s)
					continue
				case do.patch != nil:
					s.beganPatch(do.patch)
					s.sawPatch(do.patch, theJob(), nil)
					continue
				}
				if s.now = s.wake(); s.now.IsZero() {
					break
				}
			}
			if got := strings.Join(read, " "); got != test.want {
				t.Errorf("read at %s, want %s", got, test.want)
			}
		})
	}
}

// TestPodWithoutUID: what is no API server's tells nothing, least of all that the Pod
// is gone.
func TestPodWithoutUID(t *testing.T) {
	s := newTestState(Config{Wait: 60 * sec})
	s.takePod(ownPod())
	strange := ownPod()
	strange.UID = ""
	s.sawPodEvent(strange)
	s.sawPodReading(strange, nil, s.beganReadPod())
	if !s.stop.deleted.IsZero() || s.pod.last.UID == "" || s.pod.missed == 0 {
		t.Errorf("deleted %v, last %q, missed %d", s.stop.deleted, s.pod.last.UID, s.pod.missed)
	}
}

// TestPatchWithoutUID: nor does it tell that a report stands.
func TestPatchWithoutUID(t *testing.T) {
	s := happened(tells(alive()), jobAnswers, at(sec), looks(success))
	p := s.next(s.now).patch
	s.beganPatch(p)
	strange := theJob()
	strange.UID = ""
	s.sawPatch(p, strange, nil)
	if s.out.said.msg != msgTrying || s.job.last.UID == "" {
		t.Errorf("said %q, the Job is %q", s.out.said.msg, s.job.last.UID)
	}
}

// TestPriorReport: a native sidecar that is started again knows what it has reported.
func TestPriorReport(t *testing.T) {
	const message = `{"level":"INFO","msg":%q,"type":"Available","own":%v,"adapterRestarts":%d,"status":"True","reason":"Ready","message":"All set"}`
	prior := fmt.Sprintf(message, msgReported, true, 0)
	leaves := func(text string, changes ...func(*facts)) facts {
		return with(with(alive(), sidecar, known, func(f *facts) { f.lastReport, f.reporterRestarts = text, 1 }), changes...)
	}
	before := func(f *facts) { f.reporterStarted = start.Add(-2 * sec) }
	const again = "reported True Ready"
	checkDelivery(t, []delivers{
		{"an own result", []scene{becomes(leaves(prior)), until(sec), clock, stops}, again + "; @1s; end delivered own"},
		{"an own result, whatever has become of the file", []scene{together(finished(failure), becomes(leaves(prior))), until(sec), clock, stops}, again + "; @1s; end delivered own"},
		{"whatever becomes of the adapter", []scene{becomes(leaves(prior)), until(sec), becomes(with(oomKilled(137), sidecar)), stops}, again + "; end delivered own"},
		{"of the adapter's run before", []scene{becomes(leaves(fmt.Sprintf(message, msgReported, true, 1))), until(sec), clock}, "read Job; @1s"},
		{"not the adapter's own", []scene{becomes(leaves(fmt.Sprintf(message, msgReported, false, 0))), until(sec), clock}, "read Job; @1s"},
		{"not reported", []scene{becomes(leaves(fmt.Sprintf(message, msgNoTime, true, 0))), until(sec), clock}, "read Job; @1s"},
		{"without the adapter's run", []scene{becomes(leaves(`{"msg":"reported","own":true,"status":"True"}`)), until(sec), clock}, "read Job; @1s"},
		{"of another reporter in the Pod", []scene{becomes(leaves(strings.Replace(prior, "Available", "Validated", 1))), until(sec), clock}, "read Job; @1s"},
		{"cut off", []scene{becomes(leaves(prior[:40])), until(sec), clock}, "read Job; @1s"},
		{"cut off in its message", []scene{becomes(leaves(prior[:len(prior)-5])), until(sec), clock, stops}, again + "; @1s; end delivered own"},
		{"cut off before its message", []scene{becomes(leaves(prior[:len(prior)-30])), until(sec), clock}, "read Job; @1s"},
		{"none", []scene{becomes(leaves("")), until(sec), clock}, "read Job; @1s"},
		{"a regular container's", []scene{becomes(leaves(prior, func(f *facts) { f.sidecar = false })), until(sec), clock}, "read Job; @1s"},
		{"a status from before the restart in place tells of a run before", []scene{becomes(leaves(prior, before)), until(sec), clock}, "read Job; @1s"},
		{"after something else was told", []scene{becomes(leaves(prior, before)), becomes(with(exited(1), sidecar, before)), until(sec), becomes(leaves(prior)), stops}, "read Job; read Job; PATCH False AdapterExitedWithError uid=job-1 rv=1; reported False AdapterExitedWithError; PATCH True Ready uid=job-1; " + again + "; end delivered own"},
		{"after a result that was believed", []scene{together(finished(failure), becomes(leaves(prior, before))), until(61 * sec), becomes(leaves(prior)), stops}, "read Pod; read Job; " + strings.Repeat("read Pod; ", 10) + "read Job; PATCH False Broken uid=job-1 rv=1; reported False Broken; end delivered own"},
		{"after a result that was gone before it was known", []scene{together(finished(failure), unwatched(leaves(prior)), hears(leaves(prior, before)), finished(absent)), until(sec), clock, stops}, "read Pod; read Job; " + again + "; @1s; end delivered own"},
		{"none, after a result that was gone before that was known", []scene{becomes(leaves("", before)), finished(absent), together(fail("read Pod", errNetwork), finished(success)), finished(absent), becomes(with(exited(0), sidecar, before)), until(sec), clock, becomes(with(exited(0), sidecar, known)), stops}, "read Job; read Pod!; @1s; PATCH True Ready uid=job-1; " + again + "; end delivered own"},
		{"a result waits for a status that is not", []scene{together(finished(failure), unwatched(leaves(prior)), hears(leaves(prior, before))), until(sec), clock, stops},
			"read Pod; read Job; " + again + "; @1s; end delivered own"},
	})
}
