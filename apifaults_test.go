package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/internal/reporter"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

var (
	anything = kubetest.Match{}
	patches  = kubetest.Match{Verb: "patch"}
	watches  = kubetest.Match{Verb: "watch"}
)

// apiFaults is the API server on bad days. In each the adapter does its work,
// and the server does not.
func apiFaults() []story {
	// onPatch lets faults befall the PATCH of a result.
	onPatch := func(faults ...kubetest.Fault) func(h *harness) {
		return func(h *harness) {
			h.server.Fault(patches, faults...)
			h.run(10 * time.Second)
			h.finish()
		}
	}
	// heldUp lets a PATCH arrive only after that of the result.
	heldUp := func(first func(h *harness)) func(h *harness) {
		return func(h *harness) {
			h.server.Fault(patches, kubetest.HangRequest())
			first(h)
			h.finish()
			h.awaitReport()
			h.resend(h.server.Requests(patches)[0])
		}
	}
	stories := []story{
		{name: "nothing goes wrong", play: onPatch(), want: good, within: 12*time.Second + 100*time.Millisecond, most: 3},
		{name: "down from the start, for a minute", want: good, within: 75 * time.Second, play: func(h *harness) {
			h.server.Down()
			h.finish()
			h.run(time.Minute)
			h.server.Up()
		}},
		{name: "down for 15 s when the result comes", want: good, within: 38 * time.Second, most: 16, play: func(h *harness) {
			h.run(10 * time.Second)
			h.server.Down()
			h.finish()
			time.Sleep(15 * time.Second)
			h.server.Up()
		}},
		{name: "down for 20 min when the adapter crashes", want: crashed, exit: 1, play: func(h *harness) {
			h.run(10 * time.Second)
			h.crash()
			h.server.Down()
			time.Sleep(20 * time.Minute)
			h.server.Up()
		}},
		{name: "down for good", want: nothing, exit: 3, within: 31 * time.Minute, play: func(h *harness) {
			h.run(10 * time.Second)
			h.finish()
			h.server.Down()
		}},
		{name: "accepts connections and says nothing, handshakes included, for 30 s", want: good, within: 65 * time.Second, play: func(h *harness) {
			h.server.Freeze()
			h.finish()
			h.run(30 * time.Second)
			h.server.CutConnections()
			h.server.Thaw()
		}},
		{name: "cuts the connection before the request", want: good, play: onPatch(kubetest.LoseRequest().Times(5))},
		{name: "cuts the connection in the answer", want: good, play: onPatch(kubetest.TruncateAnswer().Times(5))},
		{name: "cuts the connection after the write, before the answer", want: good, play: onPatch(kubetest.LoseAnswer().Times(5))},
		{name: "never answers a request", want: good, play: onPatch(kubetest.HangRequest().Times(2))},
		{name: "writes and never answers", want: good, play: onPatch(kubetest.HangAnswer().Times(2))},
		{name: "stops in the middle of the answer", want: good, play: onPatch(kubetest.StallAnswer().Times(2))},
		{name: "garbled JSON", want: good, play: onPatch(kubetest.Respond(200, "application/json", `{"kind":"Job","metadata":{]`).Times(3))},
		{name: "200 with HTML", want: good, play: onPatch(kubetest.Respond(200, "text/html", "<html>welcome</html>").Times(3))},
		{name: "200 with a Job that lacks the condition", want: good,
			play: onPatch(kubetest.Respond(200, "application/json", `{"kind":"Job","metadata":{"name":"adapter-job"}}`).Times(3))},
		{name: "200 with a Status", want: good, play: onPatch(kubetest.Respond(200, "application/json", `{"kind":"Status","status":"Success"}`).Times(3))},
		{name: "redirects elsewhere", want: good,
			play: onPatch(kubetest.Respond(302, "text/html", "moved").Header("Location", "https://192.0.2.1/").Times(3))},
		{name: "404 page of a load balancer", want: good, play: onPatch(kubetest.Respond(404, "text/plain", "404 page not found").Times(3))},
		{name: "502 with HTML", want: good, play: onPatch(kubetest.Respond(502, "text/html", "<html>bad gateway</html>").Times(3))},
		{name: "503 until the pauses are long, then well again, and the Pod is deleted with a grace period of 4 s", want: good, exit: 0, within: 60 * time.Second, play: func(h *harness) {
			h.grace(4)
			h.server.Fault(patches, kubetest.Status(503, metav1.StatusReasonServiceUnavailable, "not now").Forever())
			h.run(time.Second)
			h.finish()
			h.await("the pauses", func() bool { return len(h.server.Requests(patches)) > 10 })
			h.server.ClearFaults()
			h.delete(4)
			h.sigterm()
		}},
		{name: "429 with Retry-After", want: good, within: 40 * time.Second, atLeast: 31 * time.Second, most: 6,
			play: onPatch(kubetest.Status(429, metav1.StatusReasonTooManyRequests, "slow down").Header("Retry-After", "7").Times(3))},
		{name: "429 with a Retry-After of a day", want: good, within: 48 * time.Second, atLeast: 40 * time.Second, most: 4,
			play: onPatch(kubetest.Status(429, metav1.StatusReasonTooManyRequests, "slow down").Header("Retry-After", "86400"))},
		{name: "the time-out is held up on the way, and comes after the result", want: good,
			play: heldUp(func(h *harness) { h.run(302 * time.Second) })},
		{name: "the fault of an unfinished file is held up on the way, and comes after the result", want: good, play: heldUp(func(h *harness) {
			h.write(goodFile[:20])
			h.run(12 * time.Second)
		})},
		{name: "the crash is held up on the way, and comes after a result after all", want: good, play: heldUp(func(h *harness) {
			h.run(10 * time.Second)
			h.crash()
			time.Sleep(100 * time.Millisecond)
		})},
		{name: "reading the Job is answered with 500 from the time-out on, for good", want: timedOut, exit: 1, within: 373 * time.Second, play: func(h *harness) {
			h.run(10 * time.Second)
			h.server.Fault(kubetest.Match{Verb: "get", Resource: "jobs"}, kubetest.Status(500, metav1.StatusReasonInternalError, "broken").Forever())
		}},
		{name: "each answer comes 2 s late", want: good, within: 20 * time.Second, play: func(h *harness) {
			h.server.Fault(anything, kubetest.Proceed().After(2*time.Second).Forever())
			h.run(10 * time.Second)
			h.finish()
		}},
		{name: "each answer comes 8 s late", want: good, within: 60 * time.Second, play: func(h *harness) {
			h.server.Fault(anything, kubetest.Proceed().After(8*time.Second).Forever())
			h.run(20 * time.Second)
			h.finish()
		}},
		{name: "the connection is dead and looks alive when the result comes", want: good, within: 16 * time.Second, play: func(h *harness) {
			h.run(10 * time.Second)
			h.server.FreezeConnections()
			h.finish()
		}},
		{name: "the connection is dead and looks alive when the adapter crashes", want: crashed, exit: 1, within: 40 * time.Second, play: func(h *harness) {
			h.run(10 * time.Second)
			h.server.FreezeConnections()
			h.crash()
		}},
		{name: "401 until the rotated token is read", want: good, within: 53 * time.Second, play: func(h *harness) {
			h.run(10 * time.Second)
			h.server.SetAcceptedTokens("another")
			h.finish()
			time.Sleep(30 * time.Second)
			h.server.RotateToken("another", false)
		}},
		{name: "403 for 40 s, because the Role comes later", want: good, within: 65 * time.Second, play: func(h *harness) {
			deny(h, "watch pods", "get pods", "get jobs", "patch jobs/status")
			h.finish()
			h.run(40 * time.Second)
			allow(h, "watch pods", "get pods", "get jobs", "patch jobs/status")
		}},
		{name: "403 for 40 s, and the Job is made anew under the same name meanwhile", want: nothing, exit: 3, within: 65 * time.Second, env: map[string]string{"POLL_INTERVAL_SECONDS": "60"}, play: func(h *harness) {
			deny(h, "watch pods", "get pods", "get jobs", "patch jobs/status")
			h.finish()
			h.run(10 * time.Second)
			anew(h)
			time.Sleep(30 * time.Second)
			allow(h, "watch pods", "get pods", "get jobs", "patch jobs/status")
		}},
		{name: "403 for good", want: nothing, exit: 3, within: 86 * time.Second, play: func(h *harness) {
			deny(h, "patch jobs/status")
			h.run(10 * time.Second)
			h.finish()
		}},
		{name: "403 for reading the Job", want: good, play: func(h *harness) {
			deny(h, "get jobs")
			h.run(10 * time.Second)
			h.finish()
		}},
		{name: "403 for reading Pods: the file alone tells", want: good, play: func(h *harness) {
			deny(h, "get pods", "watch pods")
			h.run(10 * time.Second)
			h.finish()
		}},
		{name: "403 for reading Pods, and 503 for watching them once", want: good, within: 13 * time.Second, most: 8, play: func(h *harness) {
			deny(h, "get pods", "watch pods")
			h.server.Fault(watches, kubetest.Status(503, metav1.StatusReasonServiceUnavailable, "not now"))
			h.run(10 * time.Second)
			h.finish()
		}},
		{name: "403 for reading Pods, and no result", want: timedOut, exit: 1, play: func(h *harness) {
			deny(h, "get pods", "watch pods")
			h.run(10 * time.Second)
		}},
		{name: "403 for watching Pods: they are read instead", want: crashed, exit: 1, within: 20 * time.Second, play: func(h *harness) {
			deny(h, "watch pods")
			h.run(10 * time.Second)
			h.crash()
		}},
		{name: "the Job is deleted", want: nothing, exit: 3, within: 15 * time.Second, play: func(h *harness) {
			h.run(10 * time.Second)
			h.server.DeleteJob(namespace, jobName)
			h.finish()
		}},
		{name: "the Job is made anew under the same name", want: nothing, exit: 3, within: 15 * time.Second, play: func(h *harness) {
			h.run(10 * time.Second)
			anew(h)
			h.finish()
		}},
		{name: "the Job is made anew, and the Pod cannot be read", want: nothing, exit: 3, within: 15 * time.Second, play: func(h *harness) {
			deny(h, "get pods", "watch pods")
			h.run(10 * time.Second)
			anew(h)
			h.finish()
		}},
	}
	for _, code := range []int{408, 409, 425, 500, 503, 504} {
		name := fmt.Sprintf("%d %s, five times", code, http.StatusText(code))
		stories = append(stories, story{name: name, want: good, within: 40 * time.Second, most: 8,
			play: onPatch(kubetest.Status(code, "", "not now").Times(5))})
	}
	for _, code := range []int{400, 405, 410, 413, 422} {
		name := fmt.Sprintf("%d %s", code, http.StatusText(code))
		stories = append(stories, story{name: name, want: nothing, exit: 3, within: 13 * time.Second, most: 3,
			play: onPatch(kubetest.Status(code, metav1.StatusReasonInvalid, "no"))})
	}
	return append(stories, watchFaults()...)
}

// watchFaults are watches that do not do what they should, until the adapter
// crashes.
func watchFaults() []story {
	after := func(d time.Duration, spoil func(h *harness)) func(h *harness) {
		return func(h *harness) {
			h.run(10 * time.Second)
			spoil(h)
			time.Sleep(d)
			h.crash()
		}
	}
	return []story{
		{name: "the watch ends in good order, as it does after an hour", want: crashed, exit: 1, within: 22 * time.Second,
			play: after(10*time.Second, func(h *harness) { h.server.CloseWatches() })},
		{name: "the watch breaks off", want: crashed, exit: 1, within: 22 * time.Second,
			play: after(10*time.Second, func(h *harness) { h.server.BreakWatches() })},
		{name: "the watch cannot be resumed (410)", want: crashed, exit: 1, within: 22 * time.Second,
			play: after(10*time.Second, func(h *harness) { h.server.Compact(); h.server.CloseWatches() })},
		{name: "410 for ever", want: crashed, exit: 1, within: 80 * time.Second, most: 60, play: func(h *harness) {
			h.server.Fault(watches, kubetest.Status(410, metav1.StatusReasonExpired, "too old").Forever())
			after(time.Minute, func(*harness) {})(h)
		}},
		{name: "each watch ends at once", want: crashed, exit: 1, within: 80 * time.Second, most: 60, play: func(h *harness) {
			h.server.Fault(watches, kubetest.Respond(200, "application/json", "").Forever())
			after(time.Minute, func(*harness) {})(h)
		}},
		{name: "bookmarks and events of unknown types", want: crashed, exit: 1, within: 12 * time.Second, most: 4,
			play: after(time.Second, func(h *harness) {
				h.server.Bookmark()
				h.server.SendEvent([]byte(`{"type":"NOVELTY","object":{"kind":"Pod"}}` + "\n"))
			})},
		{name: "garbage in the watch", want: crashed, exit: 1, within: 22 * time.Second,
			play: after(10*time.Second, func(h *harness) { h.server.SendEvent([]byte("{]\n")) })},
		{name: "an event of 5 MiB", want: crashed, exit: 1, within: 22 * time.Second,
			play: after(10*time.Second, func(h *harness) {
				h.server.SendEvent([]byte(`{"type":"MODIFIED","object":{"metadata":{"annotations":{"a":"` + strings.Repeat("x", 5<<20) + "\"}}}}\n"))
			})},
		{name: "the watch is silent from the start", want: crashed, exit: 1, within: 160 * time.Second, play: func(h *harness) {
			h.server.Fault(watches, kubetest.SilentAnswer())
			after(10*time.Second, func(*harness) {})(h)
		}},
		{name: "the server does not know watches", want: crashed, exit: 1, within: 40 * time.Second, most: 40, play: func(h *harness) {
			h.server.Fault(watches, kubetest.Respond(501, "text/plain", "not here").Forever())
			after(20*time.Second, func(*harness) {})(h)
		}},
	}
}

func deny(h *harness, rights ...string) {
	for _, r := range rights {
		verb, resource, _ := strings.Cut(r, " ")
		h.server.Deny(verb, resource)
	}
}

func allow(h *harness, rights ...string) {
	for _, r := range rights {
		verb, resource, _ := strings.Cut(r, " ")
		h.server.Allow(verb, resource)
	}
}

// anew deletes the Job and makes another one of its name.
func anew(h *harness) {
	job := h.server.Job(namespace, jobName)
	h.server.DeleteJob(namespace, jobName)
	h.server.CreateJob(&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: jobName}, Spec: job.Spec})
}

func TestAPIFaults(t *testing.T) { playStories(t, apiFaults()) }

// TestReplacedJobIsLeftAlone: the new Job carries nothing of its predecessor's.
func TestReplacedJobIsLeftAlone(t *testing.T) {
	for _, hidden := range []bool{false, true} {
		t.Run(fmt.Sprintf("pod hidden %v", hidden), func(t *testing.T) {
			bubble(t, func(h *harness) {
				if hidden {
					deny(h, "get pods", "watch pods")
				}
				h.run(10 * time.Second)
				anew(h)
				h.finish()
				h.end(reporter.ExitUndelivered)
				if c := h.condition(); c != nil {
					t.Errorf("the new Job was written to: %+v", c)
				}
			})
		})
	}
}

// TestReplacedJobIsNamed: an interruption reads the Job first, and says what it
// found there.
func TestReplacedJobIsNamed(t *testing.T) {
	bubble(t, func(h *harness) {
		h.run(10 * time.Second)
		anew(h)
		h.sigterm()
		h.end(reporter.ExitUndelivered)
		if !strings.Contains(h.log.String(), "made anew under the same name") {
			t.Error("the log does not say what became of the Job")
		}
		if n := len(h.server.Requests(patches)); n != 0 {
			t.Errorf("%d patches of another Job were tried", n)
		}
	})
}

// TestReplacedJobIsKnownByThePod: what the Pod tells at the last moment counts,
// though the Job of that name was the first one read.
func TestReplacedJobIsKnownByThePod(t *testing.T) {
	bubble(t, func(h *harness) {
		anew(h)
		deny(h, "watch pods", "get pods")
		h.run(10 * time.Second)
		h.server.Fault(kubetest.Match{Verb: "get", Resource: "jobs"}, kubetest.Proceed().Do(func() { h.server.Allow("get", "pods") }))
		h.sigterm()
		h.end(reporter.ExitUndelivered)
		if n := len(h.server.Requests(patches)); n != 0 {
			t.Errorf("%d patches of another Job were tried", n)
		}
	})
}

// TestRequestsOfFiveMinutes is the promise of three requests on one connection,
// and what it takes without the right to watch. The attributes are for make bench.
func TestRequestsOfFiveMinutes(t *testing.T) {
	for _, row := range []struct {
		name           string
		least, most    int
		withoutWatches bool
	}{
		{"with the watch", 3, 3, false},
		{"Role without watch", 50, 70, true}, // one reading each 5 s, a little more or less, and a watch tried each minute
	} {
		t.Run(row.name, func(t *testing.T) {
			c := defaultCase(t)
			synctest.Test(t, func(t *testing.T) {
				h := newHarness(t, c)
				if row.withoutWatches {
					deny(h, "watch pods")
				}
				h.run(295 * time.Second)
				h.finish()
				h.end(reporter.ExitReported)
				h.expect(good.Status, good.Reason, good.Message)
				requests, connections := len(h.server.Requests()), h.server.Connections()
				if requests < row.least || requests > row.most {
					t.Errorf("%d requests, want %d to %d", requests, row.least, row.most)
				}
				if connections != 1 {
					t.Errorf("%d connections, want 1", connections)
				}
				t.Attr("requests", strconv.Itoa(requests))
				t.Attr("connections", strconv.Itoa(connections))
			})
		})
	}
}

// TestLostReportIsTold: what could not be delivered stands in the log and in
// the termination message, whole.
func TestLostReportIsTold(t *testing.T) {
	bubble(t, func(h *harness) {
		deny(h, "patch jobs/status")
		h.run(10 * time.Second)
		h.finish()
		h.end(reporter.ExitUndelivered)
		for what, text := range map[string]string{"log": h.log.String(), "termination message": h.terminationMessage()} {
			for _, part := range []string{"not reported", `"Ready"`, `"all done"`, "403 Forbidden", `verb \"patch\" on resource \"jobs/status\"`} {
				if !strings.Contains(text, part) {
					t.Errorf("the %s lacks %q: %s", what, part, text)
				}
			}
		}
	})
}

// TestPendingReportIsTold: a SIGKILL may be next, and then the termination
// message is all that is left.
func TestPendingReportIsTold(t *testing.T) {
	bubble(t, func(h *harness) {
		deny(h, "patch jobs/status")
		h.run(10 * time.Second)
		h.finish()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		for _, part := range []string{"not delivered yet", `"Ready"`, `"all done"`, "403 Forbidden", `verb \"patch\" on resource \"jobs/status\"`} {
			if text := h.terminationMessage(); !strings.Contains(text, part) {
				t.Errorf("the termination message lacks %q: %s", part, text)
			}
		}
		h.server.Allow("patch", "jobs/status")
		h.end(reporter.ExitReported)
		if text := h.terminationMessage(); !strings.Contains(text, `"msg":"reported"`) || strings.Contains(text, "not delivered yet") {
			t.Errorf("the termination message is %s, want that of the report", text)
		}
	})
}

// TestTransitionTime: it moves with the status, and only then.
func TestTransitionTime(t *testing.T) {
	old := metav1.NewTime(time.Date(1999, 12, 24, 18, 0, 0, 0, time.UTC))
	for _, status := range []corev1.ConditionStatus{corev1.ConditionTrue, corev1.ConditionFalse} {
		t.Run(string(status), func(t *testing.T) {
			bubble(t, func(h *harness) {
				h.server.UpdateJob(namespace, jobName, func(job *batchv1.Job) {
					job.Status.Conditions = []batchv1.JobCondition{{Type: "Available", Status: status, LastTransitionTime: old, LastProbeTime: old}}
				})
				h.run(10 * time.Second)
				h.finish()
				h.end(reporter.ExitReported)
				c := h.condition()
				if kept := c.LastTransitionTime.Equal(&old); kept != (status == corev1.ConditionTrue) {
					t.Errorf("from %s to True: lastTransitionTime %s, was %s", status, c.LastTransitionTime, old)
				}
				if c.LastProbeTime.Equal(&old) {
					t.Error("lastProbeTime was not set")
				}
			})
		})
	}
}

// TestNoReplacementOfAReport: an interruption never overwrites what another Pod
// of the Job has told.
func TestNoReplacementOfAReport(t *testing.T) {
	for _, row := range []struct {
		name   string
		stands corev1.ConditionStatus
		limit  int32
		keeps  bool
		exit   int
	}{
		{"True before Unknown", corev1.ConditionTrue, 3, true, reporter.ExitInterrupted},
		{"False before Unknown", corev1.ConditionFalse, 3, true, reporter.ExitInterrupted},
		{"Unknown before Unknown", corev1.ConditionUnknown, 3, false, reporter.ExitInterrupted},
		{"True before the last try's False", corev1.ConditionTrue, 0, true, reporter.ExitInterrupted},
		{"False before the last try's False", corev1.ConditionFalse, 0, false, reporter.ExitFault},
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, func(h *harness) {
				h.server.UpdateJob(namespace, jobName, func(job *batchv1.Job) {
					job.Spec.BackoffLimit = &row.limit
					job.Status.Conditions = []batchv1.JobCondition{{Type: "Available", Status: row.stands, Reason: "Earlier"}}
				})
				h.run(10 * time.Second)
				h.sigterm()
				code, _ := h.wait()
				if code != row.exit {
					t.Errorf("exit code %d, want %d", code, row.exit)
				}
				if kept := h.condition().Reason == "Earlier"; kept != row.keeps {
					t.Errorf("the report that stood was kept: %v, want %v", kept, row.keeps)
				}
				if row.keeps && !strings.Contains(h.log.String(), "a report stands on the Job already") {
					t.Error("the log does not say why nothing was reported")
				}
			})
		})
	}
}

// TestReplacementPodIsFaster: another Pod reports between the reading of the
// Job and the PATCH of an Unknown.
func TestReplacementPodIsFaster(t *testing.T) {
	bubble(t, func(h *harness) {
		h.run(10 * time.Second)
		h.server.Fault(patches, kubetest.Proceed().Do(func() {
			h.server.UpdateJob(namespace, jobName, func(job *batchv1.Job) {
				job.Status.Conditions = []batchv1.JobCondition{{Type: "Available", Status: "True", Reason: "Faster"}}
			})
		}))
		h.sigterm()
		if code, _ := h.wait(); code != reporter.ExitInterrupted {
			t.Errorf("exit code %d, want %d", code, reporter.ExitInterrupted)
		}
		h.expect(contract.True, "Faster", "")
	})
}

// TestReportThatStoodIsLeftAlone: having seen another Pod's report, an
// interruption that cannot look once more has lost nothing.
func TestReportThatStoodIsLeftAlone(t *testing.T) {
	bubble(t, func(h *harness) {
		h.server.UpdateJob(namespace, jobName, func(job *batchv1.Job) {
			job.Status.Conditions = []batchv1.JobCondition{{Type: "Available", Status: "True", Reason: "Faster"}}
		})
		h.run(10 * time.Second)
		h.server.Fault(kubetest.Match{Verb: "get", Resource: "pods"}, kubetest.Status(504, metav1.StatusReasonTimeout, "not now"))
		h.sigterm()
		time.Sleep(time.Second) // for the interim report
		synctest.Wait()
		if !h.log.has("not reported: a report stands on the Job already") {
			t.Fatal("the report that stands was not seen")
		}
		h.server.Down()
		if code, _ := h.wait(); code != reporter.ExitInterrupted {
			t.Errorf("exit code %d, want %d", code, reporter.ExitInterrupted)
		}
		h.expect(contract.True, "Faster", "")
	})
}
