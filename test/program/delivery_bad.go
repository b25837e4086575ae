package program

import (
	"fmt"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// badAnswers are BadAnswers and others that pass.
func badAnswers() []BadAnswer {
	return append([]BadAnswer{
		{"cut off in the answer", kubetest.TruncateAnswer()},
		{"cut off after the work", kubetest.LoseAnswer()},
		{"the work is done, no answer", kubetest.HangAnswer()},
		{"half an answer, then silence", kubetest.StallAnswer()},
		{"200 with a page", kubetest.Respond(http.StatusOK, "text/html", "<html>welcome</html>")},
		{"200 with another object", kubetest.Respond(http.StatusOK, "application/json", `{"kind":"Status","status":"Success"}`)},
		{"200 with garbled JSON", kubetest.Respond(http.StatusOK, "application/json", `{"kind":"Job","metadata":{]`)},
		{"302", kubetest.Respond(http.StatusFound, "text/html", "moved").Header("Location", "https://192.0.2.1/")},
		{"401", kubetest.Status(http.StatusUnauthorized, metav1.StatusReasonUnauthorized, "Unauthorized")},
		{"429 in plain text", kubetest.Respond(http.StatusTooManyRequests, "text/plain", "Too many requests, please try again later.").Header("Retry-After", "1")},
		{"503 with Retry-After", kubetest.Status(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "not now").Header("Retry-After", "2")},
		{"a webhook's denial", denial(http.StatusForbidden, metav1.StatusReasonForbidden)},
	}, BadAnswers...)
}

// denial is how an admission webhook's is told.
func denial(code int, reason metav1.StatusReason) kubetest.Fault {
	return kubetest.Status(code, reason, `admission webhook "reports.example.com" denied the request: not on a Friday`)
}

// badDeliveries are requests that are answered badly, once each, where the server is
// well otherwise.
func badDeliveries() []Delivery {
	var rows []Delivery
	for _, bad := range badAnswers() {
		add := func(name string, d Delivery) {
			d.Name, d.Badly = fmt.Sprintf("%s: %s", name, bad.Name), name
			rows = append(rows, d)
		}
		add("a result, and the PATCH is answered badly", Delivery{Want: Good, Within: 40 * time.Second, play: all(meets(bad.fault, Patches), (*Rig).Finish)})
		add("a crash, and the Job's reading and the PATCH are answered badly", Delivery{Want: Crashed, Exit: 1, Within: 60 * time.Second,
			play: all(meets(bad.fault, JobReads, Patches), (*Rig).Crash)})
		add("a crash, of which no watch tells, and the Pod's reading is answered badly", Delivery{before: deny("watch pods"), Want: Crashed, Exit: 1, Within: 60 * time.Second,
			play: all(meets(bad.fault, PodReads), (*Rig).Crash)})
		add("the Pod is deleted, and its reading, the Job's and the PATCH are answered badly", Delivery{Want: isDeleted, Exit: 143, Within: 20 * time.Second,
			play: all(meets(bad.fault, PodReads, JobReads, Patches), deleted(20))})
	}
	return rows
}

// refusedDeliveries are refusals that are final, and denied what carries the outcome.
func refusedDeliveries() []Delivery {
	final := func(name string, fault kubetest.Fault, says string) Delivery {
		return Delivery{Name: name, Exit: 3, Within: 10 * time.Second, says: says, play: all(meets(fault.Forever(), Patches), (*Rig).Finish)}
	}
	return []Delivery{
		final("a webhook denies the PATCH with 422, for good", denial(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid), "not on a Friday"),
		final("the PATCH is too large", kubetest.Status(http.StatusRequestEntityTooLarge, metav1.StatusReasonRequestEntityTooLarge, "limit is 3145728"), "limit is 3145728"),
		{Name: "a webhook denies the PATCH with 403, for good", Exit: 3, Within: 90 * time.Second, says: "not on a Friday",
			play: all(meets(denial(http.StatusForbidden, metav1.StatusReasonForbidden).Forever(), Patches), (*Rig).Finish)},
		{Name: "a policy denies all reports", Exit: 3, Within: 10 * time.Second, says: "no reports today",
			before: func(r *Rig) { r.trouble().Forbid(JobName, "no reports today") }},
	}
}
