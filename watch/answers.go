package watch

import (
	"errors"
	"net/http"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// answer is what has become of a request.
type answer int

const (
	answered   answer = iota // as asked
	unanswered               // by the API server: the network's fault, or that of something on the way
	busy                     // asked to come again
	unable                   // the server has failed
	expired                  // refused with 410: a watch cannot be resumed there
	forbidden                // refused with 403, which may pass: Roles come late, and a server just started knows none
	notFound                 // refused with 404
	refused                  // refused for good
)

// answerOf is the one place that sorts errors. What is no metav1.Status has not
// been said by the API server, whatever its code: a load balancer's 404 does not
// say that the Pod is deleted.
func answerOf(err error) answer {
	var status apierrors.APIStatus
	switch {
	case err == nil:
		return answered
	case !errors.As(err, &status):
		return unanswered
	}
	switch code := int(status.Status().Code); code {
	case http.StatusForbidden:
		return forbidden
	case http.StatusNotFound:
		return notFound
	case http.StatusGone:
		return expired
	case http.StatusUnauthorized, // the token is read anew for each request
		http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		return busy
	default:
		switch {
		case code < 400:
			return unanswered
		case code >= 500:
			return unable
		}
		return refused
	}
}

// errNoUID is an answer that looks like one of the API server's, and is none: taken
// for an object of the same name made anew it would end the run.
var errNoUID = errors.New("the answer has no metadata.uid, so it is no API server's")

// genuine is err, or errNoUID where the answer is none of the API server's, as far as
// an object that is known tells.
func genuine(answer metav1.Object, err error, known bool) error {
	if err == nil && known && answer.GetUID() == "" {
		return errNoUID
	}
	return err
}

// somebody reports whether an error is an answer at all, be it of a proxy.
func somebody(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status)
}

// retryAfter is the pause that the server asked for; 0 where it asked for none.
func retryAfter(err error) time.Duration {
	seconds, _ := apierrors.SuggestsClientDelay(err)
	return time.Duration(seconds) * time.Second
}

// recent is how long the last answers took, of whatever request: a mass drain is
// when a server is slow, and what is left of a grace period must suffice.
type recent struct {
	took [8]time.Duration
	next int
}

func (r *recent) add(took time.Duration) {
	r.took[r.next%len(r.took)] = took
	r.next++
}

func (r *recent) slowest() time.Duration { return slices.Max(r.took[:]) }
