package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// answers is a server in a function.
type answers func(r *http.Request) any

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	data, err := json.Marshal(a(r))
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(data)))}, err
}

func TestJudgeCron(t *testing.T) {
	for _, tt := range []struct {
		name, ends string
		moves      time.Duration // after so long; 0: never
		want       string
	}{
		{"Complete", "Complete", time.Second, ""},
		{"Complete, and it does not move", "Complete", 0, "does not move"},
		{"Failed", "Failed PodFailurePolicy", 0, ""},
		{"Failed, and it moves all the same", "Failed PodFailurePolicy", 4 * time.Second, "after a Job that is Failed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				c := &cluster{namespace: "n", client: &http.Client{Transport: answers(func(r *http.Request) any {
					cron := &batchv1.CronJob{}
					if r.URL.Path != "/apis/batch/v1/namespaces/n/cronjobs/cron" {
						t.Errorf("%s %s", r.Method, r.URL)
					}
					if tt.moves > 0 && time.Since(began) >= tt.moves {
						cron.Status.LastSuccessfulTime = &metav1.Time{Time: began}
					}
					return cron
				})}}
				p := &playing{cluster: c, testCase: testCase{entry: entry{Ends: tt.ends}, job: &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "cron"}}}}
				err := p.judgeCron(t.Context())
				if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%v, want %q", err, tt.want)
				}
			})
		})
	}
}

// TestAdopt: the CronJob has the Job's spec and starts nothing, and the Job is its own.
func TestAdopt(t *testing.T) {
	var made batchv1.CronJob
	c := &cluster{namespace: "n", client: &http.Client{Transport: answers(func(r *http.Request) any {
		if err := json.NewDecoder(r.Body).Decode(&made); err != nil || r.Method != http.MethodPost {
			t.Errorf("%s: %v", r.Method, err)
		}
		answer := made.DeepCopy()
		answer.UID = "cron-1"
		return answer
	})}}
	limit := int32(2)
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "cron"}, Spec: batchv1.JobSpec{BackoffLimit: &limit}}
	if err := c.adopt(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	if made.Name != "cron" || made.Spec.Suspend == nil || !*made.Spec.Suspend || *made.Spec.JobTemplate.Spec.BackoffLimit != 2 {
		t.Errorf("%+v", made)
	}
	if owner := metav1.GetControllerOf(job); owner == nil || owner.UID != "cron-1" || owner.Kind != "CronJob" || owner.Name != "cron" {
		t.Errorf("%+v", job.OwnerReferences)
	}
}
