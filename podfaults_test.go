package main

import (
	"os"
	"slices"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

const halfFile = `{"status":"succ`

var invalidHalf = contract.Outcome{Status: contract.False, Reason: contract.ReasonInvalidResultFormat,
	Message: "Failed to parse adapter result: not valid JSON: unexpected end"}

func interruptedBy(status contract.ConditionStatus, why string) contract.Outcome {
	return contract.Outcome{Status: status, Reason: contract.ReasonAdapterInterrupted,
		Message: "Adapter was stopped before it produced results: " + why}
}

var replaced = contract.Outcome{Status: contract.True, Reason: "Replaced", Message: "by another Pod"}

func anotherSucceeds(h *harness) {
	h.server.UpdateJob(namespace, jobName, func(j *batchv1.Job) {
		j.Status.Conditions = append(j.Status.Conditions, batchv1.JobCondition{
			Type: "Available", Status: corev1.ConditionStatus(replaced.Status), Reason: replaced.Reason, Message: replaced.Message})
	})
}

// podFaults are Pods as they really are, while time passes. What one look at a
// Pod tells is in the golden suite.
func podFaults() []story {
	return []story{
		{name: "OnFailure: crash, then success", want: good, play: func(h *harness) {
			h.onFailure()
			h.run(10 * time.Second)
			h.crash()
			time.Sleep(time.Second)
			h.restart()
			time.Sleep(10 * time.Second)
			h.finish()
		}},
		{name: "OnFailure: crash loop until the timeout", want: crashed, within: 301 * time.Second, play: func(h *harness) {
			h.onFailure()
			h.run(10 * time.Second)
			for range 13 {
				h.crash()
				time.Sleep(time.Second)
				h.restart()
				time.Sleep(20 * time.Second)
			}
		}},
		{name: "half a file, then killed for its memory", want: oom, exit: 1, within: 11 * time.Second, play: func(h *harness) {
			h.run(10 * time.Second)
			h.write(halfFile)
			h.terminate(137, "OOMKilled")
		}},
		{name: "half a file, then killed for its memory, and no watch tells", want: oom, exit: 1, within: 25 * time.Second, play: func(h *harness) {
			deny(h, "watch pods")
			h.run(10 * time.Second)
			h.write(halfFile)
			time.Sleep(9 * time.Second)
			h.terminate(137, "OOMKilled")
		}},
		{name: "half a file, the API server down when it would be believed, then killed for its memory", want: oom, exit: 1, within: 45 * time.Second, play: func(h *harness) {
			h.run(10 * time.Second)
			h.write(halfFile)
			h.server.Down()
			time.Sleep(5 * time.Second)
			h.terminate(137, "OOMKilled")
			time.Sleep(10 * time.Second)
			h.server.Up()
		}},
		{name: "crash seen, not delivered yet, and a result after all", want: good, within: 36 * time.Second, play: func(h *harness) {
			h.run(10 * time.Second)
			h.server.Fault(patches, kubetest.Status(500, "", "not now").Times(8))
			h.crash()
			time.Sleep(100 * time.Millisecond)
			h.finish()
		}},
		{name: "result in the same moment as exit 1", want: good, within: 11 * time.Second, play: func(h *harness) {
			h.run(10 * time.Second)
			h.finish()
			h.crash()
		}},
		{name: "result two seconds before the timeout", want: good, within: 301 * time.Second, play: func(h *harness) {
			h.run(298 * time.Second)
			h.finish()
		}},
		{name: "result in the last moment, which no poll would see", want: good, within: 301 * time.Second,
			env: map[string]string{"POLL_INTERVAL_SECONDS": "200"}, play: func(h *harness) {
				h.run(299 * time.Second)
				h.finish()
			}},
		{name: "crash in the last moment, and no watch tells", want: crashed, exit: 1, within: 301 * time.Second,
			env: map[string]string{"POLL_INTERVAL_SECONDS": "200"}, play: func(h *harness) {
				deny(h, "watch pods")
				h.run(299 * time.Second)
				h.crash()
			}},
		{name: "timeout while the API server is down, and a result after all, which no poll would see", want: good, within: 340 * time.Second,
			env: map[string]string{"POLL_INTERVAL_SECONDS": "200"}, play: func(h *harness) {
				h.run(290 * time.Second)
				h.server.Down()
				time.Sleep(30 * time.Second)
				h.finish()
				h.server.Up()
			}},
		{name: "a result that calls itself AdapterInterrupted, on a Job that others write to", play: func(h *harness) {
			h.run(10 * time.Second)
			h.server.UpdateJob(namespace, jobName, func(job *batchv1.Job) {
				job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{Type: "Available", Status: "True", Reason: "Earlier"})
			})
			h.write(`{"status":"failure","reason":"AdapterInterrupted","message":"by the user"}`)
		}, want: contract.Outcome{Status: contract.False, Reason: "AdapterInterrupted", Message: "by the user"}, within: 13 * time.Second},
		{name: "the Pod is deleted by force", want: interruptedBy(contract.Unknown, "the Pod is gone"), exit: 143, within: 12 * time.Second, play: func(h *harness) {
			h.run(10 * time.Second)
			h.server.DeletePod(namespace, podName)
		}},
		{name: "another Pod's success stands, and the adapter crashes", want: crashed, exit: 1, within: 11 * time.Second, play: func(h *harness) {
			anotherSucceeds(h)
			h.run(10 * time.Second)
			h.crash()
		}},
		{name: "the Pod is not to be found at all, another Pod's success stands, and nothing comes in time", want: timedOut, exit: 1, play: func(h *harness) {
			anotherSucceeds(h)
			h.env["POD_NAME"] = "another"
			h.run(10 * time.Second)
		}},
		{name: "the Pod is not to be found at all", want: good, within: 13 * time.Second, play: func(h *harness) {
			h.server.DeletePod(namespace, podName)
			h.run(10 * time.Second)
			h.finish()
		}},
	}
}

func writesFailure(h *harness) { h.write(`{"status":"failure","reason":"Cancelled"}`) }

// outlived has an adapter end when the Pod that replaces its own has succeeded.
func outlived(ends func(h *harness)) func(h *harness) {
	return func(h *harness) {
		h.run(10 * time.Second)
		h.delete(30)
		h.sigterm()
		anotherSucceeds(h)
		time.Sleep(5 * time.Second)
		ends(h)
	}
}

// cutOff has an adapter end, and its Pod replaced before the server can be told.
func cutOff(ends func(h *harness)) func(h *harness) {
	return func(h *harness) {
		h.run(10 * time.Second)
		ends(h)
		h.server.Down()
		time.Sleep(10 * time.Second)
		h.delete(300)
		anotherSucceeds(h)
		h.server.Up()
	}
}

// stopFaults are the ways in which a run is ended from outside.
func stopFaults() []story {
	return []story{
		{name: "SIGTERM before the watch, then a result", want: good, within: 13 * time.Second, play: func(h *harness) {
			h.sigterm()
			h.run(10 * time.Second)
			h.finish()
		}},
		{name: "SIGTERM while waiting, and nothing more", want: interruptedBy(contract.Unknown, "the reporter received SIGTERM"), exit: 143, within: 36 * time.Second, play: func(h *harness) {
			h.run(10 * time.Second)
			h.sigterm()
		}},
		{name: "SIGTERM twice", want: good, within: 33 * time.Second, play: func(h *harness) {
			h.run(10 * time.Second)
			h.sigterm()
			time.Sleep(10 * time.Second)
			h.sigterm()
			time.Sleep(10 * time.Second)
			h.finish()
		}},
		{name: "SIGTERM with the result just written", want: good, within: 11 * time.Second, play: func(h *harness) {
			h.run(10 * time.Second)
			h.finish()
			h.sigterm()
		}},
		{name: "SIGTERM, and the adapter writes in its grace period", want: good, within: 33 * time.Second, play: func(h *harness) {
			h.run(10 * time.Second)
			h.delete(30)
			h.sigterm()
			time.Sleep(20 * time.Second)
			h.finish()
		}},
		{name: "SIGTERM, and the adapter crashes in its grace period", want: crashed, exit: 1, within: 21 * time.Second, play: func(h *harness) {
			h.run(10 * time.Second)
			h.delete(30)
			h.sigterm()
			time.Sleep(10 * time.Second)
			h.crash()
		}},
		{name: "the Pod is deleted, its replacement succeeds, and then its adapter crashes", want: replaced, exit: 143, within: 16 * time.Second,
			play: outlived((*harness).crash)},
		{name: "the Pod is deleted, its replacement succeeds, and then its adapter writes a failure", want: replaced, exit: 143, within: 18 * time.Second,
			play: outlived(writesFailure)},
		{name: "the Pod is deleted, its replacement succeeds, and then its adapter does", want: good, within: 18 * time.Second,
			play: outlived((*harness).finish)},
		{name: "half a file, the Pod's replacement succeeds, the Pod is deleted by force, and no watch tells", want: replaced, exit: 143, play: func(h *harness) {
			deny(h, "watch pods")
			h.run(10 * time.Second)
			h.write(halfFile)
			time.Sleep(3 * time.Second)
			anotherSucceeds(h)
			h.server.DeletePod(namespace, podName)
		}},
		{name: "half a file, and in an outage of 60 s the Pod is removed and its replacement succeeds", want: replaced, exit: 143, play: func(h *harness) {
			h.run(10 * time.Second)
			h.write(halfFile)
			h.server.Down()
			time.Sleep(time.Minute)
			anotherSucceeds(h)
			h.server.DeletePod(namespace, podName)
			h.server.Up()
		}},
		{name: "a failure, and in an outage of 10 s the Pod is deleted and its replacement succeeds", want: replaced, exit: 143,
			play: cutOff(writesFailure)},
		{name: "a crash, and in an outage of 10 s the Pod is deleted and its replacement succeeds", want: replaced, exit: 143,
			play: cutOff((*harness).crash)},
		{name: "SIGTERM in the middle of the PATCH", want: good, within: 25 * time.Second, play: func(h *harness) {
			h.server.Fault(patches, kubetest.HangRequest())
			h.run(10 * time.Second)
			h.finish()
			time.Sleep(2500 * time.Millisecond)
			h.delete(10)
			h.sigterm()
		}},
		{name: "SIGTERM with the API server down for 5 s", want: good, within: 28 * time.Second, play: func(h *harness) {
			h.run(10 * time.Second)
			h.server.Down()
			h.finish()
			h.sigterm()
			time.Sleep(5 * time.Second)
			h.server.Up()
		}},
		{name: "SIGTERM with the API server down for good", want: nothing, exit: 3, within: 40 * time.Second, play: func(h *harness) {
			h.run(10 * time.Second)
			h.server.Down()
			h.finish()
			h.sigterm()
		}},
		{name: "SIGTERM with a grace period of 10 s on a dead connection", want: good, within: 20 * time.Second, play: func(h *harness) {
			h.grace(10)
			h.run(10 * time.Second)
			h.server.FreezeConnections()
			h.finish()
			h.sigterm()
		}},
		{name: "SIGTERM with a grace period of 10 s on a dead connection, and no result",
			want: interruptedBy(contract.Unknown, "the Pod is being deleted"), exit: 143, within: 20 * time.Second, play: func(h *harness) {
				h.grace(10)
				h.run(10 * time.Second)
				h.server.FreezeConnections()
				h.delete(10)
				h.sigterm()
			}},
		{name: "SIGTERM with a grace period of 2 s", want: interruptedBy(contract.Unknown, "the Pod is being deleted"), exit: 143, within: 12 * time.Second, play: func(h *harness) {
			h.run(10 * time.Second)
			h.delete(2)
			h.sigterm()
		}},
		{name: "SIGTERM, the Pod cannot be read, and a result in the grace period", want: good, within: 33 * time.Second, play: func(h *harness) {
			deny(h, "get pods", "watch pods")
			h.run(10 * time.Second)
			h.sigterm()
			time.Sleep(20 * time.Second)
			h.finish()
		}},
		{name: "SIGTERM, the Pod cannot be read, another Pod's report stands, and a result in the grace period", want: good, within: 33 * time.Second, play: func(h *harness) {
			deny(h, "get pods", "watch pods")
			h.run(10 * time.Second)
			h.server.UpdateJob(namespace, jobName, func(job *batchv1.Job) {
				job.Status.Conditions = []batchv1.JobCondition{{Type: "Available", Status: "False", Reason: "Earlier"}}
			})
			h.sigterm()
			time.Sleep(20 * time.Second)
			h.finish()
		}},
		{name: "SIGTERM, the Pod cannot be read, and nothing more", want: interruptedBy(contract.Unknown, "the reporter received SIGTERM"), exit: 143, within: 41 * time.Second, play: func(h *harness) {
			deny(h, "get pods", "watch pods")
			h.run(10 * time.Second)
			h.sigterm()
		}},
		{name: "SIGTERM, the Pod cannot be read, an early report, then a fault whose write is not acknowledged, and the fault goes away",
			want: interruptedBy(contract.Unknown, "the reporter received SIGTERM"), exit: 143, within: 41 * time.Second, play: func(h *harness) {
				deny(h, "get pods", "watch pods")
				h.run(10 * time.Second)
				h.sigterm()
				h.awaitReport()
				h.server.Fault(patches, kubetest.LoseAnswer(), kubetest.Status(503, metav1.StatusReasonServiceUnavailable, "busy").Forever())
				h.write(halfFile)
				h.await("the fault", func() bool { return h.condition().Reason == contract.ReasonInvalidResultFormat })
				if err := os.Remove(h.path); err != nil {
					h.t.Fatal(err)
				}
				time.Sleep(time.Second)
				h.server.ClearFaults()
			}},
		{name: "a deletionTimestamp without SIGTERM, and a result in the grace period", want: good, within: 33 * time.Second, play: func(h *harness) {
			h.run(10 * time.Second)
			h.delete(30)
			time.Sleep(20 * time.Second)
			h.finish()
		}},
		{name: "a deletionTimestamp without SIGTERM, and nothing more", want: interruptedBy(contract.Unknown, "the Pod is being deleted"), exit: 143, within: 36 * time.Second, play: func(h *harness) {
			h.run(10 * time.Second)
			h.delete(30)
		}},
		{name: "half a file, the Pod deleted with a grace period of 10 s, and each answer comes 1.2 s late", want: invalidHalf, exit: 1, within: 32 * time.Second, play: func(h *harness) {
			h.server.Fault(anything, kubetest.Proceed().After(1200*time.Millisecond).Forever())
			h.run(20 * time.Second)
			h.write(halfFile)
			time.Sleep(3 * time.Second)
			h.delete(10)
			h.sigterm()
		}},
		{name: "half a file, then SIGTERM and nothing more", exit: 1, within: 36 * time.Second,
			want: invalidHalf, play: func(h *harness) {
				h.run(10 * time.Second)
				h.write(halfFile)
				time.Sleep(time.Second)
				h.delete(10)
				h.sigterm()
			}},
	}
}

// sidecarFaults are those of a reporter that is a native sidecar.
func sidecarFaults() []story {
	return []story{
		{name: "native sidecar: stays after an early report until SIGTERM", want: good, within: 71 * time.Second, play: func(h *harness) {
			h.nativeSidecar()
			h.run(10 * time.Second)
			h.finish()
			time.Sleep(time.Minute)
			h.sigterm()
		}},
		{name: "native sidecar: SIGTERM a moment before the adapter's crash is told", want: crashed, exit: 1, within: 11 * time.Second, play: func(h *harness) {
			h.nativeSidecar()
			h.run(10 * time.Second)
			h.sigterm()
			time.Sleep(34 * time.Millisecond)
			h.crash()
		}},
		{name: "native sidecar: SIGTERM a moment before the adapter's crash, and no watch tells", want: crashed, exit: 1, within: 20 * time.Second, play: func(h *harness) {
			h.nativeSidecar()
			h.grace(10)
			deny(h, "watch pods")
			h.run(10 * time.Second)
			h.sigterm()
			time.Sleep(34 * time.Millisecond)
			h.crash()
		}},
		{name: "native sidecar: the Pod is deleted, and the adapter uses up its grace period", exit: 143, within: 41 * time.Second,
			want: interruptedBy(contract.Unknown, "the Pod is being deleted"), play: func(h *harness) {
				h.nativeSidecar()
				h.run(10 * time.Second)
				h.delete(30)
				time.Sleep(30 * time.Second)
				h.sigterm()
			}},
		{name: "native sidecar: the Pod is deleted, and the adapter writes in its grace period", want: good, within: 33 * time.Second, play: func(h *harness) {
			h.nativeSidecar()
			h.run(10 * time.Second)
			h.delete(30)
			time.Sleep(20 * time.Second)
			h.finish()
			time.Sleep(100 * time.Millisecond)
			h.sigterm()
		}},
		{name: "native sidecar: SIGTERM on a Pod that is being deleted: no time to observe", exit: 143, within: 12 * time.Second,
			want: interruptedBy(contract.Unknown, "the Pod is being deleted"), play: func(h *harness) {
				h.nativeSidecar()
				h.run(10 * time.Second)
				h.sigterm()
				time.Sleep(10 * time.Millisecond)
				h.delete(30)
			}},
	}
}

func (h *harness) onFailure() {
	h.updatePod(func(pod *corev1.Pod) { pod.Spec.RestartPolicy = corev1.RestartPolicyOnFailure })
}

// restart is the kubelet's after a crash.
func (h *harness) restart() {
	h.updatePod(func(pod *corev1.Pod) { beginRun(adapterStatus(pod)) })
}

func (h *harness) grace(seconds int64) {
	h.updatePod(func(pod *corev1.Pod) { pod.Spec.TerminationGracePeriodSeconds = &seconds })
}

// delete is the API server's part of a graceful deletion.
func (h *harness) delete(seconds int64) {
	h.updatePod(func(pod *corev1.Pod) {
		at := metav1.NewTime(time.Now().Add(time.Duration(seconds) * time.Second))
		pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &at, &seconds
	})
}

// nativeSidecar makes the reporter an init container that always restarts.
func (h *harness) nativeSidecar() {
	h.updatePod(func(pod *corev1.Pod) {
		always := corev1.ContainerRestartPolicyAlways
		c := &pod.Spec.Containers
		i := slices.IndexFunc(*c, func(c corev1.Container) bool { return c.Name == "status-reporter" })
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, (*c)[i])
		pod.Spec.InitContainers[len(pod.Spec.InitContainers)-1].RestartPolicy = &always
		*c = slices.Delete(*c, i, i+1)
		st := &pod.Status
		i = slices.IndexFunc(st.ContainerStatuses, func(s corev1.ContainerStatus) bool { return s.Name == "status-reporter" })
		st.InitContainerStatuses = append(st.InitContainerStatuses, st.ContainerStatuses[i])
		st.ContainerStatuses = slices.Delete(st.ContainerStatuses, i, i+1)
	})
}

func TestPodFaults(t *testing.T)     { playStories(t, podFaults()) }
func TestStopFaults(t *testing.T)    { playStories(t, stopFaults()) }
func TestSidecarFaults(t *testing.T) { playStories(t, sidecarFaults()) }
