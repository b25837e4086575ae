package faults

import (
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
	"github.com/openshift-hyperfleet/status-reporter/test/program"
)

const halfFile = `{"status":"succ`

var invalidHalf = contract.Outcome{Status: contract.False, Reason: contract.ReasonInvalidResultFormat,
	Message: "Failed to parse adapter result: not valid JSON: unexpected end"}

var replaced = contract.Outcome{Status: contract.True, Reason: "Replaced", Message: "by another Pod"}

func anotherSucceeds(h *harness) {
	h.Server.UpdateJob(namespace, jobName, func(j *batchv1.Job) {
		j.Status.Conditions = append(slices.DeleteFunc(j.Status.Conditions, func(c batchv1.JobCondition) bool { return c.Type == "Available" }), batchv1.JobCondition{
			Type: "Available", Status: corev1.ConditionStatus(replaced.Status), Reason: replaced.Reason, Message: replaced.Message})
	})
}

// podFaults are Pods as they really are, while time passes. What one look at a
// Pod tells is in the golden suite.
func podFaults() []story {
	return []story{
		{Name: "OnFailure: crash, then success", Want: good, Play: func(h *harness) {
			h.OnFailure()
			h.Run(10 * time.Second)
			h.Crash()
			time.Sleep(time.Second)
			h.Restart()
			time.Sleep(10 * time.Second)
			h.Finish()
		}},
		{Name: "OnFailure: crash loop until the timeout", Want: crashed, Within: 301 * time.Second, Play: func(h *harness) {
			h.OnFailure()
			h.Run(10 * time.Second)
			for range 13 {
				h.Crash()
				time.Sleep(time.Second)
				h.Restart()
				time.Sleep(20 * time.Second)
			}
		}},
		{Name: "half a file, then killed for its memory", Want: oom, Exit: 1, Within: 11 * time.Second, Play: func(h *harness) {
			h.Run(10 * time.Second)
			h.Write(halfFile)
			h.Terminate(137, "OOMKilled")
		}},
		{Name: "half a file, then killed for its memory, and no watch tells", Want: oom, Exit: 1, Within: 25 * time.Second, Play: func(h *harness) {
			deny(h, "watch pods")
			h.Run(10 * time.Second)
			h.Write(halfFile)
			time.Sleep(9 * time.Second)
			h.Terminate(137, "OOMKilled")
		}},
		{Name: "half a file, the API server down when it would be believed, then killed for its memory", Want: oom, Exit: 1, Within: 45 * time.Second, Play: func(h *harness) {
			h.Run(10 * time.Second)
			h.Write(halfFile)
			h.Server.Down()
			time.Sleep(5 * time.Second)
			h.Terminate(137, "OOMKilled")
			time.Sleep(10 * time.Second)
			h.Server.Up()
		}},
		{Name: "crash seen, not delivered yet, and a result after all", Want: good, Within: 36 * time.Second, Play: func(h *harness) {
			h.Run(10 * time.Second)
			h.Server.Fault(patches, kubetest.Status(500, "", "not now").Times(8))
			h.Crash()
			time.Sleep(100 * time.Millisecond)
			h.Finish()
		}},
		{Name: "result in the same moment as exit 1", Want: good, Within: 11 * time.Second, Play: func(h *harness) {
			h.Run(10 * time.Second)
			h.Finish()
			h.Crash()
		}},
		{Name: "result two seconds before the timeout", Want: good, Within: 301 * time.Second, Play: func(h *harness) {
			h.Run(298 * time.Second)
			h.Finish()
		}},
		{Name: "result in the last moment, which no poll would see", Want: good, Within: 301 * time.Second,
			Env: map[string]string{"POLL_INTERVAL_SECONDS": "200"}, Play: func(h *harness) {
				h.Run(299 * time.Second)
				h.Finish()
			}},
		{Name: "crash in the last moment, and no watch tells", Want: crashed, Exit: 1, Within: 301 * time.Second,
			Env: map[string]string{"POLL_INTERVAL_SECONDS": "200"}, Play: func(h *harness) {
				deny(h, "watch pods")
				h.Run(299 * time.Second)
				h.Crash()
			}},
		{Name: "timeout while the API server is down, and a result after all, which no poll would see", Want: good, Within: 340 * time.Second,
			Env: map[string]string{"POLL_INTERVAL_SECONDS": "200"}, Play: func(h *harness) {
				h.Run(290 * time.Second)
				h.Server.Down()
				time.Sleep(30 * time.Second)
				h.Finish()
				h.Server.Up()
			}},
		{Name: "a result that calls itself AdapterInterrupted, on a Job that others write to", Play: func(h *harness) {
			h.Run(10 * time.Second)
			h.Server.UpdateJob(namespace, jobName, func(job *batchv1.Job) {
				job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{Type: "Available", Status: "True", Reason: "Earlier"})
			})
			h.Write(`{"status":"failure","reason":"AdapterInterrupted","message":"by the user"}`)
		}, Want: contract.Outcome{Status: contract.False, Reason: "AdapterInterrupted", Message: "by the user"}, Within: 13 * time.Second},
		{Name: "the Pod is deleted by force", Want: interruptedBy(contract.Unknown, "the Pod is gone"), Exit: 143, Within: 12 * time.Second, Play: func(h *harness) {
			h.Run(10 * time.Second)
			h.Server.DeletePod(namespace, podName)
		}},
		{Name: "another Pod's success stands, and the adapter crashes", Want: crashed, Exit: 1, Within: 11 * time.Second, Play: func(h *harness) {
			anotherSucceeds(h)
			h.Run(10 * time.Second)
			h.Crash()
		}},
		{Name: "the Pod is not to be found at all, another Pod's success stands, and nothing comes in time", Want: timedOut, Exit: 1, Play: func(h *harness) {
			anotherSucceeds(h)
			h.Env["POD_NAME"] = "another"
			h.Run(10 * time.Second)
		}},
		{Name: "the Pod is not to be found at all", Want: good, Within: 13 * time.Second, Play: func(h *harness) {
			h.Server.DeletePod(namespace, podName)
			h.Run(10 * time.Second)
			h.Finish()
		}},
	}
}

func writesFailure(h *harness) { h.Write(`{"status":"failure","reason":"Cancelled"}`) }

// outlived has an adapter end when the Pod that replaces its own has succeeded.
func outlived(ends func(h *harness)) func(h *harness) {
	return func(h *harness) {
		h.Run(10 * time.Second)
		h.Delete(30)
		h.Sigterm()
		anotherSucceeds(h)
		time.Sleep(5 * time.Second)
		ends(h)
	}
}

// cutOff has an adapter end, and its Pod replaced before the server can be told.
func cutOff(ends func(h *harness)) func(h *harness) {
	return func(h *harness) {
		h.Run(10 * time.Second)
		h.Server.Fault(patches, kubetest.LoseRequest()) // or it might come through just before
		ends(h)
		synctest.Wait()
		h.Server.Down()
		time.Sleep(10 * time.Second)
		h.Delete(300)
		anotherSucceeds(h)
		h.Server.Up()
	}
}

// stopFaults are the ways in which a run is ended from outside.
func stopFaults() []story {
	return []story{
		{Name: "SIGTERM before the watch, then a result", Want: good, Within: 13 * time.Second, Play: func(h *harness) {
			h.Sigterm()
			h.Run(10 * time.Second)
			h.Finish()
		}},
		{Name: "SIGTERM while waiting, and nothing more", Want: interruptedBy(contract.Unknown, "the reporter received SIGTERM"), Exit: 143, Within: 36 * time.Second, Play: func(h *harness) {
			h.Run(10 * time.Second)
			h.Sigterm()
		}},
		{Name: "SIGTERM twice", Want: good, Within: 33 * time.Second, Play: func(h *harness) {
			h.Run(10 * time.Second)
			h.Sigterm()
			time.Sleep(10 * time.Second)
			h.Sigterm()
			time.Sleep(10 * time.Second)
			h.Finish()
		}},
		{Name: "SIGTERM with the result just written", Want: good, Within: 11 * time.Second, Play: func(h *harness) {
			h.Run(10 * time.Second)
			h.Finish()
			h.Sigterm()
		}},
		{Name: "SIGTERM, and the adapter writes in its grace period", Want: good, Within: 33 * time.Second, Play: func(h *harness) {
			h.Run(10 * time.Second)
			h.Delete(30)
			h.Sigterm()
			time.Sleep(20 * time.Second)
			h.Finish()
		}},
		{Name: "SIGTERM, and the adapter crashes in its grace period", Want: crashed, Exit: 1, Within: 21 * time.Second, Play: func(h *harness) {
			h.Run(10 * time.Second)
			h.Delete(30)
			h.Sigterm()
			time.Sleep(10 * time.Second)
			h.Crash()
		}},
		{Name: "the Pod is deleted, its replacement succeeds, and then its adapter crashes", Want: replaced, Exit: 143, Within: 16 * time.Second,
			Play: outlived((*harness).Crash)},
		{Name: "the Pod is deleted, its replacement succeeds, and then its adapter writes a failure", Want: replaced, Exit: 143, Within: 18 * time.Second,
			Play: outlived(writesFailure)},
		{Name: "the Pod is deleted, its replacement succeeds, and then its adapter does", Want: good, Within: 18 * time.Second,
			Play: outlived((*harness).Finish)},
		{Name: "half a file, the Pod's replacement succeeds, the Pod is deleted by force, and no watch tells", Want: replaced, Exit: 143, Play: func(h *harness) {
			deny(h, "watch pods")
			h.Run(10 * time.Second)
			h.Write(halfFile)
			time.Sleep(3 * time.Second)
			anotherSucceeds(h)
			h.Server.DeletePod(namespace, podName)
		}},
		{Name: "half a file, and in an outage of 60 s the Pod is removed and its replacement succeeds", Want: replaced, Exit: 143, Play: func(h *harness) {
			h.Run(10 * time.Second)
			h.Write(halfFile)
			h.Server.Down()
			time.Sleep(time.Minute)
			anotherSucceeds(h)
			h.Server.DeletePod(namespace, podName)
			h.Server.Up()
		}},
		{Name: "a failure, and in an outage of 10 s the Pod is deleted and its replacement succeeds", Want: replaced, Exit: 143,
			Play: cutOff(writesFailure)},
		{Name: "a crash, and in an outage of 10 s the Pod is deleted and its replacement succeeds", Want: replaced, Exit: 143,
			Play: cutOff((*harness).Crash)},
		{Name: "SIGTERM in the middle of the PATCH", Want: good, Within: 25 * time.Second, Play: func(h *harness) {
			h.Server.Fault(patches, kubetest.HangRequest())
			h.Run(10 * time.Second)
			h.Finish()
			time.Sleep(2500 * time.Millisecond)
			h.Delete(10)
			h.Sigterm()
		}},
		{Name: "SIGTERM with the API server down for 5 s", Want: good, Within: 28 * time.Second, Play: func(h *harness) {
			h.Run(10 * time.Second)
			h.Server.Down()
			h.Finish()
			h.Sigterm()
			time.Sleep(5 * time.Second)
			h.Server.Up()
		}},
		{Name: "SIGTERM with the API server down for good", Want: nothing, Exit: 3, Within: 40 * time.Second, Play: func(h *harness) {
			h.Run(10 * time.Second)
			h.Server.Down()
			h.Finish()
			h.Sigterm()
		}},
		{Name: "SIGTERM with a grace period of 10 s on a dead connection", Want: good, Within: 20 * time.Second, Play: func(h *harness) {
			h.Grace(10)
			h.Run(10 * time.Second)
			h.Server.FreezeConnections()
			h.Finish()
			h.Sigterm()
		}},
		{Name: "SIGTERM with a grace period of 10 s on a dead connection, and no result",
			Want: interruptedBy(contract.Unknown, "the Pod is being deleted"), Exit: 143, Within: 20 * time.Second, Play: func(h *harness) {
				h.Grace(10)
				h.Run(10 * time.Second)
				h.Server.FreezeConnections()
				h.Delete(10)
				h.Sigterm()
			}},
		{Name: "SIGTERM with a grace period of 2 s", Want: interruptedBy(contract.Unknown, "the Pod is being deleted"), Exit: 143, Within: 12 * time.Second, Play: func(h *harness) {
			h.Run(10 * time.Second)
			h.Delete(2)
			h.Sigterm()
		}},
		{Name: "SIGTERM, the Pod cannot be read, and a result in the grace period", Want: good, Within: 33 * time.Second, Play: func(h *harness) {
			deny(h, "get pods", "watch pods")
			h.Run(10 * time.Second)
			h.Sigterm()
			time.Sleep(20 * time.Second)
			h.Finish()
		}},
		{Name: "SIGTERM, the Pod cannot be read, another Pod's report stands, and a result in the grace period", Want: good, Within: 33 * time.Second, Play: func(h *harness) {
			deny(h, "get pods", "watch pods")
			h.Run(10 * time.Second)
			h.Server.UpdateJob(namespace, jobName, func(job *batchv1.Job) {
				job.Status.Conditions = []batchv1.JobCondition{{Type: "Available", Status: "False", Reason: "Earlier"}}
			})
			h.Sigterm()
			time.Sleep(20 * time.Second)
			h.Finish()
		}},
		{Name: "SIGTERM, the Pod cannot be read, and nothing more", Want: interruptedBy(contract.Unknown, "the reporter received SIGTERM"), Exit: 143, Within: 41 * time.Second, Play: func(h *harness) {
			deny(h, "get pods", "watch pods")
			h.Run(10 * time.Second)
			h.Sigterm()
		}},
		{Name: "SIGTERM, the Pod cannot be read, an early report, then a fault whose write is not acknowledged, and the fault goes away",
			Want: interruptedBy(contract.Unknown, "the reporter received SIGTERM"), Exit: 143, Within: 41 * time.Second, Play: func(h *harness) {
				deny(h, "get pods", "watch pods")
				h.Run(10 * time.Second)
				h.Sigterm()
				h.AwaitReport()
				h.Server.Fault(patches, kubetest.LoseAnswer(), kubetest.Status(503, metav1.StatusReasonServiceUnavailable, "busy").Forever())
				h.Write(halfFile)
				h.Await("the fault", func() bool { return h.Condition().Reason == contract.ReasonInvalidResultFormat })
				if err := os.Remove(h.Path); err != nil {
					h.T.Fatal(err)
				}
				time.Sleep(time.Second)
				h.Server.ClearFaults()
			}},
		{Name: "a deletionTimestamp without SIGTERM, and a result in the grace period", Want: good, Within: 33 * time.Second, Play: func(h *harness) {
			h.Run(10 * time.Second)
			h.Delete(30)
			time.Sleep(20 * time.Second)
			h.Finish()
		}},
		{Name: "a deletionTimestamp without SIGTERM, and nothing more", Want: interruptedBy(contract.Unknown, "the Pod is being deleted"), Exit: 143, Within: 36 * time.Second, Play: func(h *harness) {
			h.Run(10 * time.Second)
			h.Delete(30)
		}},
		{Name: "half a file, the Pod deleted with a grace period of 10 s, and each answer comes 1.2 s late", Want: invalidHalf, Exit: 1, Within: 32 * time.Second, Play: func(h *harness) {
			h.Server.Fault(anything, kubetest.Proceed().After(1200*time.Millisecond).Forever())
			h.Run(20 * time.Second)
			h.Write(halfFile)
			time.Sleep(3 * time.Second)
			h.Delete(10)
			h.Sigterm()
		}},
		{Name: "half a file, then SIGTERM and nothing more", Exit: 1, Within: 36 * time.Second,
			Want: invalidHalf, Play: func(h *harness) {
				h.Run(10 * time.Second)
				h.Write(halfFile)
				time.Sleep(time.Second)
				h.Delete(10)
				h.Sigterm()
			}},
	}
}

// sidecarFaults are those of a reporter that is a native sidecar.
func sidecarFaults() []story {
	return []story{
		{Name: "native sidecar: stays after an early report until SIGTERM", Want: good, Within: 71 * time.Second, Play: func(h *harness) {
			h.NativeSidecar()
			h.Run(10 * time.Second)
			h.Finish()
			time.Sleep(time.Minute)
			h.Sigterm()
		}},
		{Name: "native sidecar: SIGTERM a moment before the adapter's crash is told", Want: crashed, Exit: 1, Within: 11 * time.Second, Play: func(h *harness) {
			h.NativeSidecar()
			h.Run(10 * time.Second)
			h.Sigterm()
			time.Sleep(34 * time.Millisecond)
			h.Crash()
		}},
		{Name: "native sidecar: SIGTERM a moment before the adapter's crash, and no watch tells", Want: crashed, Exit: 1, Within: 20 * time.Second, Play: func(h *harness) {
			h.NativeSidecar()
			h.Grace(10)
			deny(h, "watch pods")
			h.Run(10 * time.Second)
			h.Sigterm()
			time.Sleep(34 * time.Millisecond)
			h.Crash()
		}},
		{Name: "native sidecar: the Pod is deleted, and the adapter uses up its grace period", Exit: 143, Within: 41 * time.Second,
			Want: interruptedBy(contract.Unknown, "the Pod is being deleted"), Play: func(h *harness) {
				h.NativeSidecar()
				h.Run(10 * time.Second)
				h.Delete(30)
				time.Sleep(30 * time.Second)
				h.Sigterm()
			}},
		{Name: "native sidecar: the Pod is deleted, and the adapter writes in its grace period", Want: good, Within: 33 * time.Second, Play: func(h *harness) {
			h.NativeSidecar()
			h.Run(10 * time.Second)
			h.Delete(30)
			time.Sleep(20 * time.Second)
			h.Finish()
			time.Sleep(100 * time.Millisecond)
			h.Sigterm()
		}},
		{Name: "native sidecar: SIGTERM on a Pod that is being deleted: no time to observe", Exit: 143, Within: 12 * time.Second,
			Want: interruptedBy(contract.Unknown, "the Pod is being deleted"), Play: func(h *harness) {
				h.NativeSidecar()
				h.Run(10 * time.Second)
				h.Sigterm()
				time.Sleep(10 * time.Millisecond)
				h.Delete(30)
			}},
	}
}

func TestPodFaults(t *testing.T)     { program.PlayStories(t, podFaults()) }
func TestStopFaults(t *testing.T)    { program.PlayStories(t, stopFaults()) }
func TestSidecarFaults(t *testing.T) { program.PlayStories(t, sidecarFaults()) }
