package watch

import (
	"cmp"
	"encoding/json"
	"errors"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

// metadata is what a report carries beside its condition, in the same PATCH, for those
// who do not read conditions. It never costs the report: what the API server refuses
// for its sake goes again without.
type metadata struct {
	label      string // the key of the label with the outcome's status; empty: none
	annotation string // the key of the annotation with the details; empty: none
	version    string // the reporter's
	dropped    dropped
}

// dropped is what no report carries any more, in words, and the refusal that it comes of.
type dropped struct{ what, err string }

// annotated is the annotation's value: one line, members sorted, and those left out
// that are not known. Each report replaces all of it.
type annotated struct {
	Attempt      int32           `json:"attempt,omitempty"` // of the Job's, from 1
	Details      json.RawMessage `json:"details,omitempty"` // the adapter's own
	DetailsBytes int             `json:"detailsBytes,omitempty"`
	FinishedAt   string          `json:"finishedAt,omitempty"` // the adapter's
	Pod          string          `json:"pod,omitempty"`
	PodUID       string          `json:"podUID,omitempty"`
	Version      string          `json:"reporterVersion,omitempty"`
	StartedAt    string          `json:"startedAt,omitempty"`
	V            int             `json:"v"` // of these members
}

// annotationVersion is raised when a member changes its meaning or goes.
const annotationVersion = 1

// describe gives a report its label and annotation.
func (s *state) describe(p *patch) {
	m := &s.metadata
	if m.label != "" {
		metav1.SetMetaDataLabel(&p.what.ObjectMeta, m.label, string(p.outcome.Status))
	}
	if m.annotation != "" {
		metav1.SetMetaDataAnnotation(&p.what.ObjectMeta, m.annotation, s.annotated(p.verdict))
	}
}

func (s *state) annotated(v verdict) string {
	a := annotated{Pod: s.podName, Version: s.metadata.version, V: annotationVersion}
	if job := s.job.last; job != nil && job.UID == s.uid() {
		a.Attempt = 1 + job.Status.Failed
	}
	if pod := s.pod.last; pod != nil {
		a.PodUID = string(pod.UID)
		a.StartedAt, a.FinishedAt = adapterTimes(pod, s.pod.roles)
	}
	if v.own {
		a.Details = s.file.result.AnnotatedDetails()
	}
	if n := len(a.Details); n > contract.MaxAnnotatedDetails {
		a.Details, a.DetailsBytes = nil, n
	}
	var line strings.Builder
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(a) // the details are JSON that was read
	return strings.TrimSuffix(line.String(), "\n")
}

// adapterTimes are those of the adapter's present run, or of its last one; empty
// where the Pod does not tell them.
func adapterTimes(pod *corev1.Pod, r roles) (started, finished string) {
	if r.adapter == nil {
		return "", ""
	}
	s := status(pod, r.adapter.Name)
	switch {
	case s == nil:
		return "", ""
	case s.State.Running != nil:
		return timestamp(s.State.Running.StartedAt), ""
	}
	if end := cmp.Or(s.State.Terminated, s.LastTerminationState.Terminated); end != nil {
		return timestamp(end.StartedAt), timestamp(end.FinishedAt)
	}
	return "", ""
}

// timestamp is empty for no time, and for 1970, which a runtime says that does not know.
func timestamp(t metav1.Time) string {
	if t.Unix() <= 0 {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// drop takes in that a PATCH was refused, and reports whether that comes of its label
// or annotation, which no report carries from now on. Where the refusal names one of
// the two the other stays.
func (m *metadata) drop(sent *batchv1.Job, err error) bool {
	if !blamesMetadata(err) {
		return false
	}
	label, annotation := len(sent.Labels) > 0, len(sent.Annotations) > 0
	if !label && !annotation {
		return false
	}
	named := func(field string) bool { return strings.Contains(refusal(err), field) }
	ofLabel, ofAnnotation := label && named("metadata.labels"), named("metadata.annotations")
	m.dropped = dropped{"label and annotation", err.Error()}
	switch {
	case !annotation, ofLabel && !ofAnnotation:
		m.label, m.dropped.what = "", "label"
	case !label, ofAnnotation && !ofLabel:
		m.annotation, m.dropped.what = "", "annotation"
	default:
		m.label, m.annotation = "", ""
	}
	return true
}

// refusal is the API server's word, in which validation names the fields.
func refusal(err error) string {
	var answer apierrors.APIStatus
	if !errors.As(err, &answer) {
		return ""
	}
	return answer.Status().Message
}

// missesRight reports whether a refusal is an authorizer's, RBAC's or another's. No
// label is the reason for that, nor for what an API server says that has just started.
func missesRight(text string) bool {
	what, why, _ := strings.Cut(text, " is forbidden: ")
	return !strings.Contains(what, ":") && (strings.HasPrefix(why, `User "`) && strings.Contains(why, `" cannot `) || strings.HasPrefix(why, "not yet ready to handle request"))
}

// blamesMetadata reports whether a refusal may come of a label or an annotation: one
// by validation, by a policy or a webhook, whatever its code, or for the object's
// size. What is refused for good anyway is worth a second try.
func blamesMetadata(err error) bool {
	text := refusal(err)
	admission := strings.Contains(text, " denied request: ") || strings.Contains(text, " denied the request")
	switch answerOf(err) {
	case refused: // but for another Job under the same name
		return !strings.Contains(text, "metadata.uid")
	case forbidden:
		return !missesRight(text)
	case unable:
		return admission || strings.Contains(text, "request is too large") || strings.Contains(text, "larger than max")
	case busy, notFound, expired:
		return admission
	}
	return false
}
