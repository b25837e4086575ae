package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
	"github.com/openshift-hyperfleet/status-reporter/test/program"
)

const (
	labelKey      = "example.com/outcome"
	annotationKey = "example.com/details"
)

var (
	// carrying is the environment of a reporter that carries the outcome further.
	carrying   = map[string]string{"OUTCOME_LABEL": labelKey, "DETAILS_ANNOTATION": annotationKey, "FAILURE_EXIT_CODE": "4"}
	failed     = contract.Outcome{Status: contract.False, Reason: "Quota", Message: "none left"}
	failedFile = `{"status":"failure","reason":"Quota","message":"none left","details":{"used": 24}}`
)

// Refusals of a label or an annotation, as an API server of 1.37 words them.
func refusesMetadata(code int, reason metav1.StatusReason) kubetest.Fault {
	return kubetest.Status(code, reason, `jobs.batch "adapter-job" is forbidden: ValidatingAdmissionPolicy 'no-labels' with binding 'no-labels' denied request: no labels, please`)
}

// outcomeFaults is what becomes of a label and an annotation, and of the exit code.
func outcomeFaults() []story {
	policy := refusesMetadata(http.StatusForbidden, metav1.StatusReasonForbidden)
	after := func(file string, faults ...kubetest.Fault) func(h *harness) {
		return func(h *harness) {
			h.Server.Fault(patches, faults...)
			h.Run(10 * time.Second)
			h.Write(file)
		}
	}
	tooLarge := kubetest.Status(http.StatusInternalServerError, "", "etcdserver: request is too large")
	webhook := kubetest.Status(http.StatusBadRequest, "", `admission webhook "labels.example.com" denied the request: no labels`)
	noRight := kubetest.Status(http.StatusForbidden, metav1.StatusReasonForbidden,
		`jobs.batch "adapter-job" is forbidden: User "system:serviceaccount:adapters:status-reporter-sa" cannot patch resource "jobs/status" in API group "batch" in the namespace "adapters"`)
	big := fmt.Sprintf(`{"status":"success","reason":"Ready","message":"all done","details":%q}`, strings.Repeat("x", 64<<10))
	stories := []story{
		{Name: "a success, nothing is refused", Want: good, Most: 3, Play: after(goodFile)},
		{Name: "a failure, nothing is refused", Want: failed, Exit: 4, Most: 4, Play: after(failedFile)},
		{Name: "a policy refuses them (403)", Want: good, Most: 4, Within: 13 * time.Second, Play: after(goodFile, policy)},
		{Name: "a policy refuses them (422), a failure", Want: failed, Exit: 4, Most: 5, Within: 13 * time.Second,
			Play: after(failedFile, refusesMetadata(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid))},
		{Name: "a webhook refuses them (400)", Want: good, Most: 4, Within: 13 * time.Second, Play: after(goodFile, webhook)},
		{Name: "the Job is too large with them", Want: good, Most: 4, Within: 13 * time.Second, Play: after(goodFile, tooLarge)},
		{Name: "a policy refuses them, and the connection breaks off", Want: good, Most: 6, Play: after(goodFile, policy, kubetest.LoseRequest())},
		{Name: "a policy refuses them, and the report as well, for good", Want: nothing, Exit: 3, Within: 90 * time.Second, Play: after(goodFile, policy.Forever())},
		{Name: "the right is missing for 40 s", Want: good, Within: 70 * time.Second, Play: func(h *harness) {
			h.Server.Fault(patches, noRight.Forever())
			h.Run(10 * time.Second)
			h.Finish()
			time.Sleep(40 * time.Second)
			h.Server.ClearFaults()
		}},
		{Name: "64 KiB of details", Want: good, Most: 3, Play: after(big)},
		{Name: "a failure that cannot be delivered", Want: nothing, Exit: 3, Play: func(h *harness) {
			h.Run(10 * time.Second)
			h.Server.Down()
			h.Write(failedFile)
		}},
		{Name: "a failure, and the Pod may not be read", Want: failed, Exit: 4, Play: func(h *harness) {
			h.Server.Deny("get", "pods")
			h.Server.Deny("watch", "pods")
			after(failedFile)(h)
		}},
		{Name: "a crash: not the adapter's own word", Want: crashed, Exit: 1, Play: func(h *harness) {
			h.Run(10 * time.Second)
			h.Crash()
		}},
		{Name: "stopped before anything was known", Want: interruptedBy(contract.Unknown, "the Pod is being deleted"), Exit: 143, Play: func(h *harness) {
			h.Run(10 * time.Second)
			h.Delete(30)
			h.Sigterm()
		}},
	}
	for i := range stories {
		stories[i].Env = carrying
	}
	return stories
}

func TestOutcomeFaults(t *testing.T) { program.PlayStories(t, outcomeFaults()) }

// carried are the Job's label and annotation.
func carried(h *harness) (label, annotation string) {
	job := h.API.Job(namespace, jobName)
	return job.Labels[labelKey], job.Annotations[annotationKey]
}

// TestOutcomeIsCarried: label and annotation are the report's, and nothing of them is
// there where they are not asked for, or refused.
func TestOutcomeIsCarried(t *testing.T) {
	big := `"` + strings.Repeat("x", 64<<10) + `"`
	for _, tt := range []struct {
		name, file, label string
		env               map[string]string
		faults            []kubetest.Fault
		want              string // of the annotation; <start> and <uid> stand for the Pod's
	}{
		{name: "a failure with details", file: failedFile, env: carrying, label: "False",
			want: `{"attempt":1,"details":{"used":24},"pod":"adapter-job-x7k2p","podUID":"<uid>","reporterVersion":"dev","startedAt":"<start>","v":1}`},
		{name: "details that are too large", file: `{"status":"success","details":` + big + `}`, env: carrying, label: "True",
			want: `{"attempt":1,"detailsBytes":65538,"pod":"adapter-job-x7k2p","podUID":"<uid>","reporterVersion":"dev","startedAt":"<start>","v":1}`},
		{name: "details that steer a terminal", file: "{\"status\":\"success\",\"details\":\"\u202e\u009b31m\"}", env: carrying, label: "True",
			want: `{"attempt":1,"details":"\u202e\u009b31m","pod":"adapter-job-x7k2p","podUID":"<uid>","reporterVersion":"dev","startedAt":"<start>","v":1}`},
		{name: "refused", file: failedFile, env: carrying, faults: []kubetest.Fault{refusesMetadata(http.StatusForbidden, metav1.StatusReasonForbidden)}},
		{name: "not asked for", file: failedFile, env: nil},
		{name: "misconfigured", env: func() map[string]string {
			env := maps.Clone(carrying)
			env["POLL_INTERVAL_SECONDS"] = "two"
			return env
		}(), label: "False", want: `{"attempt":1,"pod":"adapter-job-x7k2p","podUID":"<uid>","reporterVersion":"dev","startedAt":"<start>","v":1}`},
		{name: "the label's key is wrong", env: map[string]string{"OUTCOME_LABEL": "kubernetes.io/outcome", "DETAILS_ANNOTATION": annotationKey},
			want: `{"attempt":1,"pod":"adapter-job-x7k2p","podUID":"<uid>","reporterVersion":"dev","startedAt":"<start>","v":1}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			program.Bubble(t, func(h *harness) {
				maps.Copy(h.Env, tt.env)
				h.Server.Fault(patches, tt.faults...)
				pod := h.Server.Pod(namespace, podName)
				started := program.AdapterStatus(pod).State.Running.StartedAt.UTC()
				want := strings.NewReplacer("<uid>", string(pod.UID), "<start>", started.Format(time.RFC3339)).Replace(tt.want)
				h.Start()
				h.Write(tt.file)
				h.Wait()
				label, annotation := carried(h)
				if label != tt.label || annotation != want {
					t.Errorf("\n got %s %s\nwant %s %s", label, annotation, tt.label, want)
				}
				if says := strings.Contains(h.Log.String(), "the API server refuses the report with its label and annotation; it goes without"); says != (len(tt.faults) > 0) {
					t.Errorf("the log says that it goes without: %v", says)
				}
			})
		})
	}
}

// TestOutcomeReplacesTheWholeAnnotation: of an earlier Pod's nothing stays.
func TestOutcomeReplacesTheWholeAnnotation(t *testing.T) {
	program.Bubble(t, func(h *harness) {
		maps.Copy(h.Env, carrying)
		h.Server.UpdateJob(namespace, jobName, func(j *batchv1.Job) {
			j.Labels = map[string]string{labelKey: "Unknown", "app": "mine"}
			j.Annotations = map[string]string{annotationKey: `{"details":{"left":"over"},"finishedAt":"2026-01-01T00:00:00Z"}`, "other": "stays"}
			j.Status.Failed = 1
		})
		h.Run(time.Second)
		h.Crash()
		h.End(1)
		job := h.API.Job(namespace, jobName)
		var value map[string]any
		if err := json.Unmarshal([]byte(job.Annotations[annotationKey]), &value); err != nil {
			t.Fatal(err)
		}
		if value["details"] != nil || value["attempt"] != 2.0 || value["finishedAt"] == nil || value["finishedAt"] == "2026-01-01T00:00:00Z" {
			t.Errorf("%v", value)
		}
		if job.Labels[labelKey] != "False" || job.Labels["app"] != "mine" || job.Annotations["other"] != "stays" {
			t.Errorf("labels %v, annotations %v", job.Labels, job.Annotations)
		}
	})
}

// TestLogLines: each says who speaks, and of which trace.
func TestLogLines(t *testing.T) {
	const trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for _, tt := range []struct {
		name, value, trace, span string
		invalid                  int // lines that say so
	}{
		{"none", "", "", "", 0},
		{"valid", " 00-" + trace + "-" + span + "-01\n", trace, span, 0},
		{"invalid", "00-" + trace + "-0000000000000000-01", "", "", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			program.Bubble(t, func(h *harness) {
				h.Env["TRACEPARENT"] = tt.value
				h.Run(time.Second)
				h.Finish()
				h.End(0)
				lines, invalid := 0, 0
				for line := range bytes.Lines([]byte(h.Log.String())) {
					var l struct {
						Level, Msg, Component, Version, Job string
						TraceID                             string `json:"trace_id"`
						SpanID                              string `json:"span_id"`
					}
					if err := json.Unmarshal(line, &l); err != nil {
						t.Fatalf("%v: %s", err, line)
					}
					if l.Component != "status-reporter" || l.Version != "dev" || l.Job != jobName || l.TraceID != tt.trace || l.SpanID != tt.span {
						t.Errorf("%s", line)
					}
					if n := bytes.Count(line, []byte(`"version":`)); n != 1 {
						t.Errorf("version is there %d times: %s", n, line)
					}
					lines++
					if strings.HasPrefix(l.Msg, "TRACEPARENT: ") && l.Level == "DEBUG" {
						invalid++
					}
				}
				if lines < 3 || invalid != tt.invalid {
					t.Errorf("%d lines, %d of an invalid TRACEPARENT, want %d:\n%s", lines, invalid, tt.invalid, h.Log)
				}
			})
		})
	}
}
