package program

import (
	"context"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// After SIGTERM of the kubelet's own account SIGKILL comes.
const evicted, sidecar = 1500 * time.Millisecond, 2 * time.Second

// told is such a SIGTERM, of which an interim report tells by then.
func told(by time.Duration, status contract.ConditionStatus) step {
	want := contract.Interim(InterruptedBy(status, "the reporter received SIGTERM"))
	return all((*Rig).Sigterm, pause(by), func(r *Rig) {
		ctx, cancel := context.WithTimeout(r.T.Context(), r.Slack)
		defer cancel()
		r.API.Wait(ctx, func() bool { return r.Condition() != nil })
		r.Expect(want.Status, want.Reason, want.Message)
	})
}

// stopDeliveries are the kubelet's own stops, of which the API shows nothing before all
// containers have ended: what is told by the time of SIGKILL, and what replaces it.
func stopDeliveries() []Delivery {
	lastTry := func(r *Rig) {
		r.API.UpdateJob(Namespace, JobName, func(j *batchv1.Job) { j.Status.Failed = 2 })
	}
	return []Delivery{
		{Name: "evicted: told within 1.5 s, and a result after all", play: all(told(evicted, contract.Unknown), (*Rig).Finish), Want: Good},
		{Name: "evicted: told within 1.5 s, and a crash", play: all(told(evicted, contract.Unknown), (*Rig).Crash), Want: Crashed, Exit: 1},
		{Name: "evicted: told within 1.5 s, and killed for its memory", play: all(told(evicted, contract.Unknown), terminated(137, "OOMKilled")), Want: OOMKilled, Exit: 1},
		{Name: "evicted: told within 1.5 s, and the Pod is deleted", play: all(told(evicted, contract.Unknown), func(r *Rig) { r.trouble().Terminate(10) }), Want: isDeleted, Exit: 143},
		{Name: "evicted on the last try: told within 1.5 s, and a result after all", before: lastTry, play: all(told(evicted, contract.False), (*Rig).Finish), Want: Good},
		{Name: "evicted, a native sidecar: told within 2 s, and a result after all", pod: NativeSidecar, play: all(told(sidecar, contract.Unknown), (*Rig).Finish), Want: Good},
		{Name: "evicted, a native sidecar: told within 2 s, and a crash", pod: NativeSidecar, play: all(told(sidecar, contract.Unknown), (*Rig).Crash), Want: Crashed, Exit: 1},
	}
}

// pressedDeliveries are the same, and a request has no answer: one that is made then,
// or one that is under way by then, as the Job's first reading is.
func pressedDeliveries() []Delivery {
	readsJob := func(r *Rig) {
		r.Await("a reading of the Job", func() bool { return len(r.way().Requests(JobReads)) > 0 })
	}
	hasReadJob := func(r *Rig) {
		r.Await("the Job's reading", func() bool {
			requests := r.way().Requests(JobReads)
			return len(requests) > 0 && requests[0].Code != 0
		})
	}
	var rows []Delivery
	add := func(what string, before, under step) {
		rows = append(rows,
			Delivery{Name: "evicted, and " + what + ": told within 1.5 s, and a result after all", before: before,
				play: all(under, told(evicted, contract.Unknown), (*Rig).Finish), Want: Good},
			Delivery{Name: "evicted, a native sidecar, and " + what + ": told within 2 s, and a crash", pod: NativeSidecar, before: before,
				play: all(under, told(sidecar, contract.Unknown), (*Rig).Crash), Want: Crashed, Exit: 1})
	}
	add("one reading of the Pod is never answered", nil, all(hasReadJob, meets(kubetest.HangRequest(), PodReads)))
	add("one reading of the Job is never answered", nil, all(hasReadJob, meets(kubetest.HangRequest(), JobReads)))
	add("a reading of the Job that is under way is never answered", meets(kubetest.HangRequest(), JobReads), readsJob)
	add("one PATCH is never answered", nil, all(hasReadJob, meets(kubetest.HangRequest(), Patches)))
	add("one PATCH that is made is never answered", nil, all(hasReadJob, meets(kubetest.HangAnswer(), Patches)))
	add("each answer comes 80 ms late", meets(kubetest.Proceed().After(80*time.Millisecond).Forever(), Anything), hasReadJob)
	return rows
}

// serverDeliveries have the server itself stopped, started, and its etcd restored.
func serverDeliveries() []Delivery {
	restarted := func(r *Rig) { r.trouble().Restart() }
	stop := func(r *Rig) { r.trouble().StopServer() }
	start := func(r *Rig) { r.trouble().StartServer() }
	unsynced := all(deny(allRights...), stop)
	synced := all(start, (*Rig).awaitTrying, pause(5*time.Second), allow(allRights...))
	saved := func(r *Rig) { r.trouble().Save() }
	// The watch that is begun again where it was is silent, as all versions are lower,
	// so that a crash is known at the deadline.
	soon := settings(map[string]string{"MAX_WAIT_TIME_SECONDS": "20"})
	restored := all(func(r *Rig) {
		for i := range 20 { // so that what follows has lower versions than this
			r.UpdatePod(func(pod *corev1.Pod) { pod.Status.Message = string(rune('a' + i)) })
		}
		time.Sleep(time.Second)
		r.trouble().Restore()
	})
	return []Delivery{
		{Name: "a result, after the server was started anew", Alone: true, play: all(restarted, (*Rig).Finish), Want: Good},
		{Name: "a crash, after the server was started anew", Alone: true, play: all(restarted, (*Rig).Crash), Want: Crashed, Exit: 1},
		{Name: "a result while the server is stopped, which refuses for 5 s then what the Role allows", Alone: true, play: all(unsynced, (*Rig).Finish, synced), Want: Good},
		{Name: "a crash, after etcd was restored to before", Alone: true, before: all(soon, saved), play: all(restored, (*Rig).Crash), Want: Crashed, Exit: 1, Within: 30 * time.Second},
		{Name: "a result, after etcd was restored to before", Alone: true, before: saved, play: all(restored, (*Rig).Finish), Want: Good, Within: time.Minute},
		{Name: "the Pod is deleted, after etcd was restored to before", Alone: true, before: saved, play: all(restored, deleted(10)), Want: isDeleted, Exit: 143, Within: 15 * time.Second},
	}
}
