package faults

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
	"github.com/openshift-hyperfleet/status-reporter/test/program"
)

// apiFaults is the API server on bad days. In each the adapter does its work,
// and the server does not.
func apiFaults() []story {
	// onPatch lets faults befall the PATCH of a result.
	onPatch := func(faults ...kubetest.Fault) func(h *harness) {
		return func(h *harness) {
			h.Server.Fault(patches, faults...)
			h.Run(10 * time.Second)
			h.Finish()
		}
	}
	// heldUp lets a PATCH arrive only after that of the result.
	heldUp := func(first func(h *harness)) func(h *harness) {
		return func(h *harness) {
			h.Server.Fault(patches, kubetest.HangRequest())
			first(h)
			h.Finish()
			h.AwaitReport()
			h.Resend(h.Server.Requests(patches)[0])
		}
	}
	stories := []story{
		{Name: "nothing goes wrong", Play: onPatch(), Want: good, Within: 12*time.Second + 100*time.Millisecond, Most: 3},
		{Name: "down from the start, for a minute", Want: good, Within: 75 * time.Second, Play: func(h *harness) {
			h.Server.Down()
			h.Finish()
			h.Run(time.Minute)
			h.Server.Up()
		}},
		{Name: "down for 15 s when the result comes", Want: good, Within: 38 * time.Second, Most: 16, Play: func(h *harness) {
			h.Run(10 * time.Second)
			h.Server.Down()
			h.Finish()
			time.Sleep(15 * time.Second)
			h.Server.Up()
		}},
		{Name: "down for 20 min when the adapter crashes", Want: crashed, Exit: 1, Play: func(h *harness) {
			h.Run(10 * time.Second)
			h.Crash()
			h.Server.Down()
			time.Sleep(20 * time.Minute)
			h.Server.Up()
		}},
		{Name: "down for good", Want: nothing, Exit: 3, Within: 31 * time.Minute, Play: func(h *harness) {
			h.Run(10 * time.Second)
			h.Finish()
			h.Server.Down()
		}},
		{Name: "accepts connections and says nothing, handshakes included, for 30 s", Want: good, Within: 65 * time.Second, Play: func(h *harness) {
			h.Server.Freeze()
			h.Finish()
			h.Run(30 * time.Second)
			h.Server.CutConnections()
			h.Server.Thaw()
		}},
		{Name: "cuts the connection before the request", Want: good, Play: onPatch(kubetest.LoseRequest().Times(5))},
		{Name: "cuts the connection in the answer", Want: good, Play: onPatch(kubetest.TruncateAnswer().Times(5))},
		{Name: "cuts the connection after the write, before the answer", Want: good, Play: onPatch(kubetest.LoseAnswer().Times(5))},
		{Name: "never answers a request", Want: good, Play: onPatch(kubetest.HangRequest().Times(2))},
		{Name: "writes and never answers", Want: good, Play: onPatch(kubetest.HangAnswer().Times(2))},
		{Name: "stops in the middle of the answer", Want: good, Play: onPatch(kubetest.StallAnswer().Times(2))},
		{Name: "garbled JSON", Want: good, Play: onPatch(kubetest.Respond(200, "application/json", `{"kind":"Job","metadata":{]`).Times(3))},
		{Name: "200 with HTML", Want: good, Play: onPatch(kubetest.Respond(200, "text/html", "<html>welcome</html>").Times(3))},
		{Name: "200 with a Job that lacks the condition", Want: good,
			Play: onPatch(kubetest.Respond(200, "application/json", `{"kind":"Job","metadata":{"name":"adapter-job"}}`).Times(3))},
		{Name: "200 with a Status", Want: good, Play: onPatch(kubetest.Respond(200, "application/json", `{"kind":"Status","status":"Success"}`).Times(3))},
		{Name: "redirects elsewhere", Want: good,
			Play: onPatch(kubetest.Respond(302, "text/html", "moved").Header("Location", "https://192.0.2.1/").Times(3))},
		{Name: "404 page of a load balancer", Want: good, Play: onPatch(kubetest.Respond(404, "text/plain", "404 page not found").Times(3))},
		{Name: "502 with HTML", Want: good, Play: onPatch(kubetest.Respond(502, "text/html", "<html>bad gateway</html>").Times(3))},
		{Name: "503 until the pauses are long, then well again, and the Pod is deleted with a grace period of 4 s", Want: good, Exit: 0, Within: 60 * time.Second, Play: func(h *harness) {
			h.Grace(4)
			h.Server.Fault(patches, kubetest.Status(503, metav1.StatusReasonServiceUnavailable, "not now").Forever())
			h.Run(time.Second)
			h.Finish()
			h.Await("the pauses", func() bool { return len(h.Server.Requests(patches)) > 10 })
			h.Server.ClearFaults()
			h.Delete(4)
			h.Sigterm()
		}},
		{Name: "429 with Retry-After", Want: good, Within: 40 * time.Second, AtLeast: 31 * time.Second, Most: 6,
			Play: onPatch(kubetest.Status(429, metav1.StatusReasonTooManyRequests, "slow down").Header("Retry-After", "7").Times(3))},
		{Name: "429 with a Retry-After of a day", Want: good, Within: 48 * time.Second, AtLeast: 40 * time.Second, Most: 4,
			Play: onPatch(kubetest.Status(429, metav1.StatusReasonTooManyRequests, "slow down").Header("Retry-After", "86400"))},
		{Name: "the time-out is held up on the way, and comes after the result", Want: good,
			Play: heldUp(func(h *harness) { h.Run(302 * time.Second) })},
		{Name: "the fault of an unfinished file is held up on the way, and comes after the result", Want: good, Play: heldUp(func(h *harness) {
			h.Write(goodFile[:20])
			h.Run(12 * time.Second)
		})},
		{Name: "the crash is held up on the way, and comes after a result after all", Want: good, Play: heldUp(func(h *harness) {
			h.Run(10 * time.Second)
			h.Crash()
			time.Sleep(100 * time.Millisecond)
		})},
		{Name: "reading the Job is answered with 500 from the time-out on, for good", Want: timedOut, Exit: 1, Within: 373 * time.Second, Play: func(h *harness) {
			h.Run(10 * time.Second)
			h.Server.Fault(jobReads, kubetest.Status(500, metav1.StatusReasonInternalError, "broken").Forever())
		}},
		{Name: "each answer comes 2 s late", Want: good, Within: 20 * time.Second, Play: func(h *harness) {
			h.Server.Fault(anything, kubetest.Proceed().After(2*time.Second).Forever())
			h.Run(10 * time.Second)
			h.Finish()
		}},
		{Name: "each answer comes 8 s late", Want: good, Within: 60 * time.Second, Play: func(h *harness) {
			h.Server.Fault(anything, kubetest.Proceed().After(8*time.Second).Forever())
			h.Run(20 * time.Second)
			h.Finish()
		}},
		{Name: "a dead webhook that may be ignored takes 10 s of each write", Want: good, Within: 40 * time.Second,
			Play: onPatch(kubetest.Proceed().After(10100 * time.Millisecond).Forever())},
		{Name: "the connection is dead and looks alive when the result comes", Want: good, Within: 16 * time.Second, Play: func(h *harness) {
			h.Run(10 * time.Second)
			h.Server.FreezeConnections()
			h.Finish()
		}},
		{Name: "the connection is dead and looks alive when the adapter crashes", Want: crashed, Exit: 1, Within: 40 * time.Second, Play: func(h *harness) {
			h.Run(10 * time.Second)
			h.Server.FreezeConnections()
			h.Crash()
		}},
		{Name: "401 until the rotated token is read", Want: good, Within: 53 * time.Second, Play: func(h *harness) {
			h.Run(10 * time.Second)
			h.Server.SetAcceptedTokens("another")
			h.Finish()
			time.Sleep(30 * time.Second)
			h.Server.RotateToken("another", false)
		}},
		{Name: "403 for 40 s, because the Role comes later", Want: good, Within: 65 * time.Second, Play: func(h *harness) {
			deny(h, "watch pods", "get pods", "get jobs", "patch jobs/status")
			h.Finish()
			h.Run(40 * time.Second)
			allow(h, "watch pods", "get pods", "get jobs", "patch jobs/status")
		}},
		{Name: "403 for 40 s, and the Job is made anew under the same name meanwhile", Want: nothing, Exit: 3, Within: 65 * time.Second, Env: map[string]string{"POLL_INTERVAL_SECONDS": "60"}, Play: func(h *harness) {
			deny(h, "watch pods", "get pods", "get jobs", "patch jobs/status")
			h.Finish()
			h.Run(10 * time.Second)
			anew(h)
			time.Sleep(30 * time.Second)
			allow(h, "watch pods", "get pods", "get jobs", "patch jobs/status")
		}},
		{Name: "403 for good", Want: nothing, Exit: 3, Within: 86 * time.Second, Play: func(h *harness) {
			deny(h, "patch jobs/status")
			h.Run(10 * time.Second)
			h.Finish()
		}},
		{Name: "403 for reading the Job", Want: good, Play: func(h *harness) {
			deny(h, "get jobs")
			h.Run(10 * time.Second)
			h.Finish()
		}},
		{Name: "403 for reading Pods: the file alone tells", Want: good, Play: func(h *harness) {
			deny(h, "get pods", "watch pods")
			h.Run(10 * time.Second)
			h.Finish()
		}},
		{Name: "403 for reading Pods, and 503 for watching them once", Want: good, Within: 13 * time.Second, Most: 8, Play: func(h *harness) {
			deny(h, "get pods", "watch pods")
			h.Server.Fault(watches, kubetest.Status(503, metav1.StatusReasonServiceUnavailable, "not now"))
			h.Run(10 * time.Second)
			h.Finish()
		}},
		{Name: "403 for reading Pods, and no result", Want: timedOut, Exit: 1, Play: func(h *harness) {
			deny(h, "get pods", "watch pods")
			h.Run(10 * time.Second)
		}},
		{Name: "403 for watching Pods: they are read instead", Want: crashed, Exit: 1, Within: 20 * time.Second, Play: func(h *harness) {
			deny(h, "watch pods")
			h.Run(10 * time.Second)
			h.Crash()
		}},
		{Name: "the Job is deleted", Want: nothing, Exit: 3, Within: 15 * time.Second, Play: func(h *harness) {
			h.Run(10 * time.Second)
			h.Server.DeleteJob(namespace, jobName)
			h.Finish()
		}},
		{Name: "the Job is made anew under the same name", Want: nothing, Exit: 3, Within: 15 * time.Second, Play: func(h *harness) {
			h.Run(10 * time.Second)
			anew(h)
			h.Finish()
		}},
		{Name: "the Job is made anew, and the Pod cannot be read", Want: nothing, Exit: 3, Within: 15 * time.Second, Play: func(h *harness) {
			deny(h, "get pods", "watch pods")
			h.Run(10 * time.Second)
			anew(h)
			h.Finish()
		}},
	}
	for _, code := range []int{408, 409, 425, 500, 503, 504} {
		name := fmt.Sprintf("%d %s, five times", code, http.StatusText(code))
		stories = append(stories, story{Name: name, Want: good, Within: 40 * time.Second, Most: 8,
			Play: onPatch(kubetest.Status(code, "", "not now").Times(5))})
	}
	for _, code := range []int{400, 405, 410, 413, 422} {
		name := fmt.Sprintf("%d %s", code, http.StatusText(code))
		stories = append(stories, story{Name: name, Want: nothing, Exit: 3, Within: 13 * time.Second, Most: 3,
			Play: onPatch(kubetest.Status(code, metav1.StatusReasonInvalid, "no"))})
	}
	return append(stories, watchFaults()...)
}

// watchFaults are watches that do not do what they should, until the adapter
// crashes.
func watchFaults() []story {
	after := func(d time.Duration, spoil func(h *harness)) func(h *harness) {
		return func(h *harness) {
			h.Run(10 * time.Second)
			spoil(h)
			time.Sleep(d)
			h.Crash()
		}
	}
	return []story{
		{Name: "the watch ends in good order, as it does after an hour", Want: crashed, Exit: 1, Within: 22 * time.Second,
			Play: after(10*time.Second, func(h *harness) { h.Server.CloseWatches() })},
		{Name: "the watch breaks off", Want: crashed, Exit: 1, Within: 22 * time.Second,
			Play: after(10*time.Second, func(h *harness) { h.Server.BreakWatches() })},
		{Name: "the watch cannot be resumed (410)", Want: crashed, Exit: 1, Within: 22 * time.Second,
			Play: after(10*time.Second, func(h *harness) { h.Server.Compact(); h.Server.CloseWatches() })},
		{Name: "410 for ever", Want: crashed, Exit: 1, Within: 80 * time.Second, Most: 60, Play: func(h *harness) {
			h.Server.Fault(watches, kubetest.Status(410, metav1.StatusReasonExpired, "too old").Forever())
			after(time.Minute, func(*harness) {})(h)
		}},
		{Name: "each watch ends at once", Want: crashed, Exit: 1, Within: 80 * time.Second, Most: 60, Play: func(h *harness) {
			h.Server.Fault(watches, kubetest.Respond(200, "application/json", "").Forever())
			after(time.Minute, func(*harness) {})(h)
		}},
		{Name: "bookmarks and events of unknown types", Want: crashed, Exit: 1, Within: 12 * time.Second, Most: 4,
			Play: after(time.Second, func(h *harness) {
				h.Server.Bookmark()
				h.Server.SendEvent([]byte(`{"type":"NOVELTY","object":{"kind":"Pod"}}` + "\n"))
			})},
		{Name: "garbage in the watch", Want: crashed, Exit: 1, Within: 22 * time.Second,
			Play: after(10*time.Second, func(h *harness) { h.Server.SendEvent([]byte("{]\n")) })},
		{Name: "an event of 5 MiB", Want: crashed, Exit: 1, Within: 22 * time.Second,
			Play: after(10*time.Second, func(h *harness) {
				h.Server.SendEvent([]byte(`{"type":"MODIFIED","object":{"metadata":{"annotations":{"a":"` + strings.Repeat("x", 5<<20) + "\"}}}}\n"))
			})},
		{Name: "the watch is silent from the start", Want: crashed, Exit: 1, Within: 160 * time.Second, Play: func(h *harness) {
			h.Server.Fault(watches, kubetest.SilentAnswer())
			after(10*time.Second, func(*harness) {})(h)
		}},
		{Name: "the server does not know watches", Want: crashed, Exit: 1, Within: 40 * time.Second, Most: 40, Play: func(h *harness) {
			h.Server.Fault(watches, kubetest.Respond(501, "text/plain", "not here").Forever())
			after(20*time.Second, func(*harness) {})(h)
		}},
	}
}

func deny(h *harness, rights ...string)  { h.Deny(rights...) }
func allow(h *harness, rights ...string) { h.Allow(rights...) }

// anew deletes the Job and makes another one of its name.
func anew(h *harness) {
	job := h.Server.Job(namespace, jobName)
	h.Server.DeleteJob(namespace, jobName)
	h.Server.CreateJob(&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: jobName}, Spec: job.Spec})
}

func TestAPIFaults(t *testing.T) { program.PlayStories(t, apiFaults()) }

// TestReplacedJobIsLeftAlone: the new Job carries nothing of its predecessor's.
func TestReplacedJobIsLeftAlone(t *testing.T) {
	for _, hidden := range []bool{false, true} {
		t.Run(fmt.Sprintf("pod hidden %v", hidden), func(t *testing.T) {
			program.Bubble(t, func(h *harness) {
				if hidden {
					deny(h, "get pods", "watch pods")
				}
				h.Run(10 * time.Second)
				anew(h)
				h.Finish()
				h.End(reporter.ExitUndelivered)
				if c := h.Condition(); c != nil {
					t.Errorf("the new Job was written to: %+v", c)
				}
			})
		})
	}
}

// TestReplacedJobIsNamed: an interruption reads the Job first, and says what it
// found there.
func TestReplacedJobIsNamed(t *testing.T) {
	program.Bubble(t, func(h *harness) {
		h.Run(10 * time.Second)
		anew(h)
		h.Sigterm()
		h.End(reporter.ExitUndelivered)
		if !strings.Contains(h.Log.String(), "made anew under the same name") {
			t.Error("the log does not say what became of the Job")
		}
		if n := len(h.Server.Requests(patches)); n != 0 {
			t.Errorf("%d patches of another Job were tried", n)
		}
	})
}

// TestReplacedJobIsKnownByThePod: what the Pod tells at the last moment counts,
// though the Job of that name was the first one read.
func TestReplacedJobIsKnownByThePod(t *testing.T) {
	program.Bubble(t, func(h *harness) {
		anew(h)
		deny(h, "watch pods", "get pods")
		h.Run(10 * time.Second)
		h.Server.Fault(jobReads, kubetest.Proceed().Do(func() { h.Server.Allow("get", "pods") }))
		h.Sigterm()
		h.End(reporter.ExitUndelivered)
		if n := len(h.Server.Requests(patches)); n != 0 {
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
			c := program.DefaultCase(t)
			synctest.Test(t, func(t *testing.T) {
				h := program.NewHarness(t, c)
				if row.withoutWatches {
					deny(h, "watch pods")
				}
				h.Run(295 * time.Second)
				h.Finish()
				h.End(reporter.ExitReported)
				h.Expect(good.Status, good.Reason, good.Message)
				requests, connections := len(h.Server.Requests()), h.Server.Connections()
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
	program.Bubble(t, func(h *harness) {
		deny(h, "patch jobs/status")
		h.Run(10 * time.Second)
		h.Finish()
		h.End(reporter.ExitUndelivered)
		for what, text := range map[string]string{"log": h.Log.String(), "termination message": h.TerminationMessage()} {
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
	program.Bubble(t, func(h *harness) {
		deny(h, "patch jobs/status")
		h.Run(10 * time.Second)
		h.Finish()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		for _, part := range []string{"not delivered yet", `"Ready"`, `"all done"`, "403 Forbidden", `verb \"patch\" on resource \"jobs/status\"`} {
			if text := h.TerminationMessage(); !strings.Contains(text, part) {
				t.Errorf("the termination message lacks %q: %s", part, text)
			}
		}
		h.Server.Allow("patch", "jobs/status")
		h.End(reporter.ExitReported)
		if text := h.TerminationMessage(); !strings.Contains(text, `"msg":"reported"`) || strings.Contains(text, "not delivered yet") {
			t.Errorf("the termination message is %s, want that of the report", text)
		}
	})
}

// TestTransitionTime: it moves with the status, and only then.
func TestTransitionTime(t *testing.T) {
	old := metav1.NewTime(time.Date(1999, 12, 24, 18, 0, 0, 0, time.UTC))
	for _, status := range []corev1.ConditionStatus{corev1.ConditionTrue, corev1.ConditionFalse} {
		t.Run(string(status), func(t *testing.T) {
			program.Bubble(t, func(h *harness) {
				h.Server.UpdateJob(namespace, jobName, func(job *batchv1.Job) {
					job.Status.Conditions = []batchv1.JobCondition{{Type: "Available", Status: status, LastTransitionTime: old, LastProbeTime: old}}
				})
				h.Run(10 * time.Second)
				h.Finish()
				h.End(reporter.ExitReported)
				c := h.Condition()
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
			program.Bubble(t, func(h *harness) {
				h.Server.UpdateJob(namespace, jobName, func(job *batchv1.Job) {
					job.Spec.BackoffLimit = &row.limit
					job.Status.Conditions = []batchv1.JobCondition{{Type: "Available", Status: row.stands, Reason: "Earlier"}}
				})
				h.Run(10 * time.Second)
				h.Sigterm()
				code, _ := h.Wait()
				if code != row.exit {
					t.Errorf("exit code %d, want %d", code, row.exit)
				}
				if kept := h.Condition().Reason == "Earlier"; kept != row.keeps {
					t.Errorf("the report that stood was kept: %v, want %v", kept, row.keeps)
				}
				if row.keeps && !strings.Contains(h.Log.String(), "a report stands on the Job already") {
					t.Error("the log does not say why nothing was reported")
				}
			})
		})
	}
}

// TestReplacementPodIsFaster: another Pod reports between the reading of the
// Job and the PATCH of an Unknown.
func TestReplacementPodIsFaster(t *testing.T) {
	program.Bubble(t, func(h *harness) {
		h.Run(10 * time.Second)
		h.Server.Fault(patches, kubetest.Proceed().Do(func() {
			h.Server.UpdateJob(namespace, jobName, func(job *batchv1.Job) {
				job.Status.Conditions = []batchv1.JobCondition{{Type: "Available", Status: "True", Reason: "Faster"}}
			})
		}))
		h.Sigterm()
		if code, _ := h.Wait(); code != reporter.ExitInterrupted {
			t.Errorf("exit code %d, want %d", code, reporter.ExitInterrupted)
		}
		h.Expect(contract.True, "Faster", "")
	})
}

// TestReportThatStoodIsLeftAlone: having seen another Pod's report, an
// interruption that cannot look once more has lost nothing.
func TestReportThatStoodIsLeftAlone(t *testing.T) {
	program.Bubble(t, func(h *harness) {
		h.Server.UpdateJob(namespace, jobName, func(job *batchv1.Job) {
			job.Status.Conditions = []batchv1.JobCondition{{Type: "Available", Status: "True", Reason: "Faster"}}
		})
		h.Run(10 * time.Second)
		h.Server.Fault(podReads, kubetest.Status(504, metav1.StatusReasonTimeout, "not now"))
		h.Sigterm()
		time.Sleep(time.Second) // for the interim report
		synctest.Wait()
		if !h.Log.Has("not reported: a report stands on the Job already") {
			t.Fatal("the report that stands was not seen")
		}
		h.Server.Down()
		if code, _ := h.Wait(); code != reporter.ExitInterrupted {
			t.Errorf("exit code %d, want %d", code, reporter.ExitInterrupted)
		}
		h.Expect(contract.True, "Faster", "")
	})
}
