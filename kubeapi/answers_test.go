package kubeapi_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

const maxObject = 2 << 20

// A 2xx is not yet a success.
func TestAnswersThatAreNone(t *testing.T) {
	const html = "<!doctype html><title>Sign in</title>"
	pod := func(content string) kubetest.Fault { return kubetest.Respond(200, "application/json", content) }
	for _, tt := range []struct {
		name  string
		fault kubetest.Fault
		want  string // in the error; empty: any
	}{
		{"HTML", kubetest.Respond(200, "text/html", html), "200, but the answer is not JSON"},
		{"nothing", pod(""), "200, but the answer is not JSON"},
		{"204", kubetest.Respond(204, "", ""), "204, but the answer is not JSON"},
		{"null", pod("null"), "not a Pod"},
		{"list", pod("[]"), "not JSON"},
		{"no kind", pod("{}"), "not a Pod"},
		{"Status", pod(`{"kind":"Status","status":"Success"}`), "200, but the answer is not a Pod"},
		{"Job", pod(`{"kind":"Job","apiVersion":"batch/v1"}`), "not a Pod"},
		{"two documents", pod(`{"kind":"Pod"}{"kind":"Pod"}`), "not JSON"},
		{"wrong type", pod(`{"kind":"Pod","metadata":[]}`), "cannot be read as a Pod"},
		{"binary", pod("\x00\xff\xfe\x1b"), "not JSON"},
		{"cut by JSON", pod(`{"kind":"Pod","metadata":{"na`), "not JSON"},
		{"cut by the network", kubetest.TruncateAnswer(), "the answer broke off"},
		{"connection cut before the answer", kubetest.LoseRequest(), ""},
		{"connection cut instead of the answer", kubetest.LoseAnswer(), ""},
		{"too large", pod(`{"kind":"Pod"}` + strings.Repeat(" ", maxObject)), "larger than 2097152 bytes"},
		{"5 MiB", pod(`{"kind":"Pod"}` + strings.Repeat(" ", 5<<20)), "larger than 2097152 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			protocols(t, func(w *world) {
				w.s.Fault(podGet, tt.fault)
				took, err := timed(w.getPod)
				mayPass(w.T, err)
				if err == nil || took != 0 {
					w.Fatalf("took %s, %v", took, err)
				}
				if !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "GET "+podPath+": ") {
					w.Errorf("%v; want %q in it", err, tt.want)
				}
				if code(err) != 0 {
					w.Errorf("has a code: %v", err)
				}
				if err := w.getPod(); err != nil {
					w.Errorf("the next attempt: %v", err)
				}
			})
		})
	}
}

// The bound is no smaller than it says.
func TestLargestAnswer(t *testing.T) {
	bubble(t, func(w *world) {
		object := `{"kind":"Pod","metadata":{"name":"n"}}`
		w.s.Fault(podGet, kubetest.Respond(200, "application/json", object+strings.Repeat(" ", maxObject-len(object))))
		pod, err := w.c.GetPod(w.Context(), false)
		if err != nil || pod.Name != "n" {
			t.Errorf("%v, %v", pod, err)
		}
	})
}

// Only a Job that carries the very condition proves that it stands there.
func TestPatchIsProvedByTheAnswer(t *testing.T) {
	want := condition
	for _, tt := range []struct {
		name   string
		change func(job *batchv1.Job, c *batchv1.JobCondition)
		ok     bool
	}{
		{"as sent", func(*batchv1.Job, *batchv1.JobCondition) {}, true},
		{"among others", func(job *batchv1.Job, _ *batchv1.JobCondition) {
			job.Status.Conditions = append([]batchv1.JobCondition{{Type: "Complete", Status: "True"}}, job.Status.Conditions...)
		}, true},
		{"none", func(job *batchv1.Job, _ *batchv1.JobCondition) { job.Status.Conditions = nil }, false},
		{"other type", func(_ *batchv1.Job, c *batchv1.JobCondition) { c.Type = "Ready" }, false},
		{"other status", func(_ *batchv1.Job, c *batchv1.JobCondition) { c.Status = corev1.ConditionFalse }, false},
		{"other reason", func(_ *batchv1.Job, c *batchv1.JobCondition) { c.Reason = "Other" }, false},
		{"other message", func(_ *batchv1.Job, c *batchv1.JobCondition) { c.Message = "other" }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				job := &batchv1.Job{Status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{want}}}
				job.Kind, job.APIVersion = "Job", "batch/v1"
				tt.change(job, &job.Status.Conditions[0])
				w.s.Fault(jobPatch, kubetest.Respond(200, "application/json", encode(w.T, job)))
				err := w.patch()
				if (err == nil) != tt.ok {
					w.Errorf("%v", err)
				}
				if !tt.ok {
					mayPass(w.T, err)
				}
			})
		})
	}
}

func TestCondition(t *testing.T) {
	job := &batchv1.Job{Status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: "A"}, {Type: "B"}}}}
	if c := kubeapi.Condition(job, "B"); c != &job.Status.Conditions[1] {
		t.Errorf("%v", c)
	}
	if c := kubeapi.Condition(job, "C"); c != nil {
		t.Errorf("%v", c)
	}
}

// No redirect is followed, neither for reads nor with the token and the report.
func TestRedirectsAreNotFollowed(t *testing.T) {
	for _, c := range []int{300, 301, 302, 303, 304, 307, 308} {
		bubble(t, func(w *world) {
			fault := kubetest.Respond(c, "", "").Header("Location", podPath).Times(3)
			w.s.Fault(kubetest.Match{}, fault)
			for _, call := range []func() error{w.getPod, w.patch, w.watch} {
				err := call()
				mayPass(w.T, err)
				if code(err) != c {
					w.Errorf("%d: %v", c, err)
				}
			}
			if n := len(w.s.Requests()); n != 3 {
				w.Errorf("%d: %d requests, want 3", c, n)
			}
		})
	}
}

// An error whose body does not end keeps its code, in the time that it has.
func TestErrorBodyBreaksOff(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault kubetest.Fault
		takes time.Duration
	}{
		{"cut", kubetest.TruncateAnswer(), 0},
		{"stalled", kubetest.StallAnswer(), 3 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			protocols(t, func(w *world) {
				w.use()
				w.s.Deny("patch", "jobs/status")
				w.s.Fault(jobPatch, tt.fault)
				took, err := timed(w.patch)
				var e *kubeapi.Error
				if !errors.As(err, &e) || e.Code != 403 || e.FromAPI || !strings.HasPrefix(e.Message, `{"kind":"Status"`) {
					w.Errorf("%v", err)
				}
				if took != tt.takes {
					w.Errorf("took %s, want %s", took, tt.takes)
				}
				w.s.Allow("patch", "jobs/status")
				before := w.s.Connections()
				if err := w.patch(); err != nil {
					w.Errorf("the next attempt: %v", err)
				}
				if tt.takes > 0 && w.s.Connections() != before+1 {
					w.Error("after a time-out the next attempt used the old connection")
				}
			})
		})
	}
}
