package kubeapi

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/openshift-hyperfleet/status-reporter/testdata"
)

// again is a body that can be read any number of times.
type again struct{ *bytes.Reader }

func (r again) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err == io.EOF {
		r.Seek(0, io.SeekStart)
	}
	return n, err
}

// BenchmarkPatch is the PATCH without the network: the body, the exchange, and
// the Job of the answer.
func BenchmarkPatch(b *testing.B) {
	condition := batchv1.JobCondition{Type: "Available", Status: corev1.ConditionTrue, Reason: "AllChecksPassed", Message: "All 12 checks passed"}
	job := &batchv1.Job{}
	if err := json.Unmarshal(example(b, "default.job.json"), job); err != nil {
		b.Fatal(err)
	}
	job.Status.Conditions = []batchv1.JobCondition{condition}
	body, err := json.Marshal(job)
	if err != nil {
		b.Fatal(err)
	}
	c := answering(b, account(b), 200, nil, again{bytes.NewReader(body)})
	report := &batchv1.Job{Status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{condition}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.PatchJobStatus(b.Context(), metav1.Preconditions{UID: &job.UID}, report); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEvent is one event of the watch.
func BenchmarkEvent(b *testing.B) {
	data := example(b, "default.pod.json")
	c := &Client{cfg: Config{Pod: "adapter-job-x7k2p"}}
	b.ReportAllocs()
	for b.Loop() {
		if ev, err := c.decodeEvent(apiwatch.Modified, data); err != nil || ev == nil {
			b.Fatal(ev, err)
		}
	}
}

func example(b *testing.B, name string) []byte {
	data, err := testdata.FS.ReadFile(name)
	if err != nil {
		b.Fatal(err)
	}
	return data
}
