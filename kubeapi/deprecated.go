package kubeapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// StatusCode lets callers that do not import this package tell refusals apart.
// It is 0 where something before the API server has spoken.
//
// It goes with its last caller: [Error.Status] takes its place.
func (e *Error) StatusCode() int { return int(e.Status().Code) }

// RetryAfter is the pause that the server asked for; 0 where it asked for none.
//
// It goes with its last caller: apierrors.SuggestsClientDelay takes its place.
func (e *Error) RetryAfter() time.Duration { return e.Wait }

// roleDelay is how long a 403 may be the Role's late arrival: Roles are often
// created moments before or after the Job.
const roleDelay = time.Minute

// Final tells whether trying again is of no use. Since is the time since the
// first attempt. Everything but a clear refusal by the API server itself may
// pass: a 404 page of a load balancer says nothing about the Job.
//
// It goes with its last caller.
func Final(err error, since time.Duration) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return errors.Is(err, ErrReplaced)
	}
	switch {
	case e.Code < 400, e.Code >= 500:
		return false
	case e.Code == http.StatusUnauthorized, // the token is read anew for each request
		e.Code == http.StatusRequestTimeout,
		e.Code == http.StatusConflict,
		e.Code == http.StatusTooEarly,
		e.Code == http.StatusTooManyRequests:
		return false
	case e.Code == http.StatusForbidden:
		return since >= roleDelay
	}
	return e.FromAPI
}

// ErrReplaced says that the Job was deleted and another one has its name.
//
// It goes with its last caller.
var ErrReplaced = errors.New("the Job was deleted and made anew under the same name; this report belongs to its predecessor")

// StatusPatch is the one thing that is ever written.
//
// It goes with its last caller: [Client.PatchJob] takes its place.
type StatusPatch struct {
	UID             types.UID // of the Job that is meant; empty: whichever has the name
	ResourceVersion string    // where not empty, the Job must not have changed since
	Condition       batchv1.JobCondition
}

// PatchJobStatus is PatchJob with a StatusPatch. It goes with its last caller.
func (c *Client) PatchJobStatus(ctx context.Context, p StatusPatch) (*batchv1.Job, error) {
	return c.PatchJob(ctx, metav1.Preconditions{UID: &p.UID, ResourceVersion: &p.ResourceVersion},
		&batchv1.Job{Status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{p.Condition}}})
}
