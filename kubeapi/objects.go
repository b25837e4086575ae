package kubeapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	apiwatch "k8s.io/apimachinery/pkg/watch"
)

// methodWatch stands for GET in errors, so that they name the verb that RBAC knows.
const methodWatch = "WATCH"

func (c *Client) pods() string { return "/api/v1/namespaces/" + c.cfg.Namespace + "/pods" }

func (c *Client) job() string {
	return "/apis/batch/v1/namespaces/" + c.cfg.Namespace + "/jobs/" + c.cfg.Job
}

// GetPod reads the Pod. Cached allows the API server to answer from its watch
// cache, which is cheaper and may be a little old.
//
// Of a Pod, read or watched, these fields are filled, and no others:
//   - metadata: name, uid, resourceVersion, deletionTimestamp,
//     deletionGracePeriodSeconds, ownerReferences, finalizers, and of the
//     annotations batch.kubernetes.io/job-index-failure-count;
//   - spec: restartPolicy, terminationGracePeriodSeconds; of each volume its name,
//     with an empty EmptyDir or HostPath where it is one of these; of each
//     container and init container name, restartPolicy, restartPolicyRules, the
//     names of env, and of each volumeMount name, mountPath, subPath, subPathExpr;
//   - status: phase, reason, message, conditions; of each container and init
//     container name, state, lastState, restartCount.
func (c *Client) GetPod(ctx context.Context, cached bool) (*corev1.Pod, error) {
	query := url.Values{}
	if cached {
		query.Set("resourceVersion", "0")
	}
	var pod podDocument
	if err := c.object(ctx, http.MethodGet, c.pods()+"/"+c.cfg.Pod, query, nil, "Pod", &pod); err != nil {
		return nil, err
	}
	return pod.pod(), nil
}

// GetJob reads the Job. Of it, and of the Job that a PATCH returns, these fields
// are filled, and no others:
//   - metadata: as of a Pod, see [Client.GetPod];
//   - spec: backoffLimit, backoffLimitPerIndex, maxFailedIndexes, completionMode,
//     podFailurePolicy, suspend;
//   - status: conditions, failed, failedIndexes, uncountedTerminatedPods.
func (c *Client) GetJob(ctx context.Context) (*batchv1.Job, error) {
	var job jobDocument
	if err := c.object(ctx, http.MethodGet, c.job(), nil, nil, "Job", &job); err != nil {
		return nil, err
	}
	return job.job(), nil
}

// WatchPod follows the Pod until the watch ends, and returns why; nil where the
// server ended it in good order. Opened is called when the answer's headers
// have come. Without a resourceVersion the first event is the present state.
// Bookmarks carry a Pod that has a resourceVersion only; an ERROR event comes
// back as an *Error; events of unknown types are handed on without an object.
func (c *Client) WatchPod(ctx context.Context, resourceVersion string, opened func(), event func(apiwatch.Event)) error {
	query := url.Values{"watch": {"true"}, "allowWatchBookmarks": {"true"}, "fieldSelector": {"metadata.name=" + c.cfg.Pod}}
	if resourceVersion != "" {
		query.Set("resourceVersion", resourceVersion)
	}
	a, err := c.exchange(ctx, methodWatch, c.pods(), query, nil)
	if err != nil {
		return err
	}
	defer a.Close()
	a.unbind() // a watch is silent for as long as nothing happens
	opened()

	limited := &io.LimitedReader{R: a.Body}
	dec := json.NewDecoder(limited)
	for {
		limited.N = maxObject
		var raw struct {
			Type   apiwatch.EventType `json:"type"`
			Object json.RawMessage    `json:"object"`
		}
		if err := dec.Decode(&raw); errors.Is(err, io.EOF) && limited.N > 0 {
			return a.failed(nil) // nil, unless it was this side that ended it
		} else if err != nil {
			if limited.N <= 0 {
				err = fmt.Errorf("an event is larger than %d bytes", maxObject)
			}
			return a.failed(fmt.Errorf("the watch broke off: %w", err))
		}
		ev, err := c.decodeEvent(raw.Type, raw.Object)
		if err != nil {
			return err
		}
		if ev != nil {
			event(*ev)
		}
	}
}

func (c *Client) decodeEvent(kind apiwatch.EventType, object []byte) (*apiwatch.Event, error) {
	broken := func(err error) error {
		return fmt.Errorf("%s %s: %s event cannot be read: %w", methodWatch, c.pods(), kind, err)
	}
	switch kind {
	case apiwatch.Added, apiwatch.Modified, apiwatch.Deleted, apiwatch.Bookmark:
		var document podDocument
		if err := json.Unmarshal(object, &document); err != nil {
			return nil, broken(err)
		}
		pod := document.pod()
		if kind != apiwatch.Bookmark && pod.Name != c.cfg.Pod {
			return nil, nil // something on the way ignores the fieldSelector
		}
		return &apiwatch.Event{Type: kind, Object: pod}, nil
	case apiwatch.Error:
		var status metav1.Status
		if err := json.Unmarshal(object, &status); err != nil {
			return nil, broken(err)
		}
		e := &Error{Method: methodWatch, Path: c.pods(), Code: int(status.Code)}
		e.setStatus(&status)
		return nil, e
	}
	return &apiwatch.Event{Type: kind}, nil
}

// jobPatch is the one thing that is ever written. A whole Job would empty the
// template's containers: its lists are null where they are not set.
type jobPatch struct {
	Metadata struct {
		UID             types.UID         `json:"uid,omitempty"`
		ResourceVersion string            `json:"resourceVersion,omitempty"`
		Labels          map[string]string `json:"labels,omitempty"`
		Annotations     map[string]string `json:"annotations,omitempty"`
	} `json:"metadata"`
	Status struct {
		Conditions []batchv1.JobCondition `json:"conditions"`
	} `json:"status"`
}

// PatchJobStatus sets the condition of what, and its labels and annotations where it
// has any, and returns the Job as it stands then. Only a Job that carries the
// condition is a success. On is the Job that is meant: with a UID the server
// refuses another Job of the same name (422), with a resourceVersion one that
// has changed since (409); what is nil or empty is not asked for.
//
// It is a strategic merge patch because only that merges conditions by their
// type: a merge patch or server-side apply would drop those of the Job
// controller.
func (c *Client) PatchJobStatus(ctx context.Context, on metav1.Preconditions, what *batchv1.Job) (*batchv1.Job, error) {
	if n := len(what.Status.Conditions); n != 1 {
		return nil, fmt.Errorf("a report is one condition, not %d", n)
	}
	var patch jobPatch
	if on.UID != nil {
		patch.Metadata.UID = *on.UID
	}
	if on.ResourceVersion != nil {
		patch.Metadata.ResourceVersion = *on.ResourceVersion
	}
	patch.Metadata.Labels, patch.Metadata.Annotations = what.Labels, what.Annotations
	patch.Status.Conditions = what.Status.Conditions
	body, err := json.Marshal(patch)
	if err != nil {
		return nil, err
	}
	var document jobDocument
	if err := c.object(ctx, http.MethodPatch, c.job()+"/status", nil, body, "Job", &document); err != nil {
		return nil, err
	}
	job, want := document.job(), what.Status.Conditions[0]
	stands := Condition(job, want.Type)
	if stands == nil || stands.Status != want.Status || stands.Reason != want.Reason || stands.Message != want.Message {
		return nil, fmt.Errorf("PATCH %s/status: the server answered with a Job that does not carry the condition; does an admission webhook change it?", c.job())
	}
	return job, nil
}

// Condition finds a condition of the Job by its type; nil where it has none.
func Condition(job *batchv1.Job, kind batchv1.JobConditionType) *batchv1.JobCondition {
	for i := range job.Status.Conditions {
		if job.Status.Conditions[i].Type == kind {
			return &job.Status.Conditions[i]
		}
	}
	return nil
}
