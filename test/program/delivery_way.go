package program

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

type step = func(r *Rig)

func all(steps ...step) step {
	return func(r *Rig) {
		for _, s := range steps {
			s(r)
		}
	}
}

func pause(d time.Duration) step { return func(*Rig) { time.Sleep(d) } }

func down(r *Rig)   { r.way().Down() }
func up(r *Rig)     { r.way().Up() }
func heals(r *Rig)  { r.way().ClearFaults() }
func cut(r *Rig)    { r.way().CutConnections() }
func freeze(r *Rig) { r.way().FreezeConnections() }

// meets has each of these requests meet a fault, each its own.
func meets(fault kubetest.Fault, of ...kubetest.Match) step {
	return func(r *Rig) {
		r.faulted = true
		for _, match := range of {
			r.way().Fault(match, fault)
		}
	}
}

func terminated(code int32, reason string) step {
	return func(r *Rig) { r.Terminate(code, reason) }
}

// deleted is a graceful deletion with its SIGTERM.
func deleted(seconds int64) step {
	return func(r *Rig) {
		r.trouble().Terminate(seconds)
		r.Sigterm()
	}
}

func settings(env map[string]string) step {
	return func(r *Rig) {
		for k, v := range env {
			r.Env[k] = v
		}
	}
}

func grace(seconds int64) func(pod *corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.TerminationGracePeriodSeconds = &seconds }
}

func pods(changes ...func(pod *corev1.Pod)) func(pod *corev1.Pod) {
	return func(pod *corev1.Pod) {
		for _, change := range changes {
			change(pod)
		}
	}
}

// awaitTrying waits until an attempt to deliver has failed.
func (r *Rig) awaitTrying() {
	r.settle(func() bool { return r.Log.Has("the report is not delivered yet; trying on") })
}

var (
	allRights = []string{"watch pods", "get pods", "get jobs", "patch jobs/status"}

	isDeleted = InterruptedBy(contract.Unknown, "the Pod is being deleted")
	mesh      = kubetest.Respond(http.StatusForbidden, "text/plain", "RBAC: access denied")
)

// unsynced has the server come back, and refuse for a while what the Role allows: until
// the first attempt to do something of the kind has met it, and d longer.
func unsynced(d time.Duration, of kubetest.Match) step {
	return all(deny(allRights...), up, func(r *Rig) {
		r.Await("an attempt", func() bool {
			for _, request := range r.way().Requests(of) {
				if request.Code == http.StatusForbidden {
					return true
				}
			}
			return false
		})
	}, pause(d), allow(allRights...))
}

// outageDeliveries are those of a server that is away for a minute, or refuses what it
// should not for longer than the minute after which a refusal of its own is final.
func outageDeliveries() []Delivery {
	const minute = 62 * time.Second
	soon := settings(map[string]string{"POLL_INTERVAL_SECONDS": "1", "MAX_WAIT_TIME_SECONDS": "10"})
	return []Delivery{
		{Name: "a result in an outage of a minute, then 403 for 10 s", Want: Good, play: all(down, (*Rig).Finish, pause(minute), unsynced(10*time.Second, Patches))},
		{Name: "a crash in an outage of a minute, then 403 for 10 s", Want: Crashed, Exit: 1, play: all(down, (*Rig).Crash, pause(minute), unsynced(10*time.Second, Anything))},
		{Name: "a result in an outage of 10 s", Want: Good, play: all(down, (*Rig).Finish, pause(10*time.Second), up)},
		{Name: "a crash in an outage of 10 s", Want: Crashed, Exit: 1, play: all(down, (*Rig).Crash, pause(10*time.Second), up)},
		{Name: "a native sidecar with a grace period of 90 s: the adapter ends well in an outage of a minute", pod: pods(NativeSidecar, grace(90)), Want: Good, Within: 30 * time.Second,
			play: all(down, (*Rig).Finish, pause(time.Second), terminated(0, "Completed"), pause(100*time.Millisecond), (*Rig).Sigterm, pause(minute), up)},
		{Name: "a native sidecar with a grace period of 90 s: the adapter crashes in an outage of a minute", pod: pods(NativeSidecar, grace(90)), Want: Crashed, Exit: 1, Within: 30 * time.Second,
			play: all(down, (*Rig).Crash, pause(100*time.Millisecond), (*Rig).Sigterm, pause(minute), up)},
		{Name: "a result, and a mesh refuses the PATCH for more than a minute with 403 in plain text", Want: Good,
			play: all(meets(mesh.Forever(), Patches), (*Rig).Finish, pause(minute+8*time.Second), heals)},
		{Name: "a crash, and a mesh refuses everything for more than a minute with 403 in plain text", Want: Crashed, Exit: 1,
			play: all(meets(mesh.Forever(), Anything), (*Rig).Crash, pause(minute+8*time.Second), heals)},
		{Name: "a result, and a webhook denies the PATCH for half a minute", Want: Good,
			play: all(meets(denial(http.StatusForbidden, metav1.StatusReasonForbidden).Forever(), Patches), (*Rig).Finish, pause(30*time.Second), heals)},
		{Name: "killed for its memory in an outage across the deadline, then 403 for 5 s", before: soon, Want: OOMKilled, Exit: 1,
			play: all(down, terminated(137, "OOMKilled"), pause(12*time.Second), unsynced(5*time.Second, PodReads))},
		{Name: "a crash in an outage across the deadline, then 403 for 5 s", before: soon, Want: Crashed, Exit: 1,
			play: all(down, (*Rig).Crash, pause(12*time.Second), unsynced(5*time.Second, PodReads))},
		{Name: "killed for its memory, and reading the Pod is refused for 10 s from before the deadline on", before: all(soon, deny("watch pods")), Want: OOMKilled, Exit: 1,
			play: all(deny("get pods"), terminated(137, "OOMKilled"), pause(20*time.Second), allow("get pods"))},
		{Name: "a result, and reading Pod and Job is never answered", before: deny("watch pods"), Want: Good, Within: 10 * time.Second,
			play: all(meets(kubetest.HangRequest().Forever(), PodReads, JobReads), pause(8*time.Second), (*Rig).Finish)},
		{Name: "the Pod is deleted in an outage of 10 s", Want: isDeleted, Exit: 143, Within: 20 * time.Second, play: all(down, deleted(30), pause(10*time.Second), up)},
	}
}

// slowDeliveries are answers that come late, all of them; a Pod that is deleted has its
// grace period of 30 s.
func slowDeliveries() []Delivery {
	var rows []Delivery
	for _, late := range []time.Duration{1500 * time.Millisecond, 2900 * time.Millisecond, 4500 * time.Millisecond} {
		add := func(what string, d Delivery) {
			d.Name = fmt.Sprintf("each answer comes %.1f s late, and %s", late.Seconds(), what)
			d.before = meets(kubetest.Proceed().After(late).Forever(), Anything)
			rows = append(rows, d)
		}
		const least = 10 * time.Second // that a crash has, which takes three answers
		add("the Pod is deleted", Delivery{Want: isDeleted, Exit: 143, play: deleted(30), Within: 30 * time.Second})
		add("the Pod is deleted, and a crash in the grace period", Delivery{Want: Crashed, Exit: 1,
			play: all(deleted(30), pause(30*time.Second-least-2*late), (*Rig).Crash), Within: least + 2*late})
		add("the Pod is deleted, and a result 10 s before its end", Delivery{Want: Good, play: all(deleted(30), pause(20*time.Second), (*Rig).Finish), Within: 10 * time.Second})
		add("a result", Delivery{Want: Good, Within: 20 * time.Second})
		add("a crash", Delivery{Want: Crashed, Exit: 1, play: (*Rig).Crash, Within: 30 * time.Second})
	}
	return rows
}

// watchDeliveries are crashes, of which a watch tells that does not do what it should.
func watchDeliveries() []Delivery {
	expired := kubetest.Status(http.StatusGone, metav1.StatusReasonExpired, "too old resource version: 1 (2)")
	event := strings.NewReplacer("\n", "").Replace(`{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",
"message":"too old resource version: 1 (2)","reason":"Expired","code":410}}`) + "\n"
	again := func(name string, fault kubetest.Fault, most time.Duration) Delivery {
		return Delivery{Name: name, Want: Crashed, Exit: 1, Within: most, play: all(meets(fault, Watches), cut, pause(5*time.Second), (*Rig).Crash)}
	}
	return []Delivery{
		again("the watch is silent", kubetest.SilentAnswer(), 160*time.Second),
		again("the watch's request is never answered", kubetest.HangRequest(), 60*time.Second),
		again("the watch breaks off in its first event", kubetest.TruncateAnswer(), 30*time.Second),
		again("the watch is refused with 410", expired, 30*time.Second),
		again("the watch is refused with 410 for ever", expired.Forever(), 30*time.Second),
		again("the watch says 410", kubetest.Respond(http.StatusOK, "application/json", event), 30*time.Second),
		again("each watch ends at once", kubetest.Respond(http.StatusOK, "application/json", "").Forever(), 30*time.Second),
		again("the watch says garbage", kubetest.Respond(http.StatusOK, "application/json", "{]\n"), 30*time.Second),
		{Name: "the connection is cut, and a crash", Want: Crashed, Exit: 1, Within: 30 * time.Second, play: all(cut, (*Rig).Crash)},
		{Name: "the connection is cut, and a result", Want: Good, Within: 30 * time.Second, play: all(cut, (*Rig).Finish)},
		{Name: "the connection is dead and looks alive, and a crash", Want: Crashed, Exit: 1, Within: 60 * time.Second, play: all(freeze, (*Rig).Crash)},
		{Name: "the connection is dead and looks alive, and a result", Want: Good, Within: 30 * time.Second, play: all(freeze, (*Rig).Finish)},
		{Name: "the connection is dead and looks alive, and the Pod is deleted", Want: isDeleted, Exit: 143, Within: 30 * time.Second, play: all(freeze, deleted(30))},
	}
}
