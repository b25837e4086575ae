package main

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// A client-go reporter reads Pod and Job as protobuf, and writes the Job as a
// whole, with the version that it has read.
func TestProtobuf(t *testing.T) {
	b := newTestBench(t)
	made, err := b.server.createJob("job")
	if err != nil {
		t.Fatal(err)
	}
	const jobs = "/apis/batch/v1/namespaces/adapters/jobs/job"
	var pod corev1.Pod
	exchange(t, b.server, "GET", "/api/v1/namespaces/adapters/pods/job-x7k2p", nil, &pod, 200)
	var pods corev1.PodList
	exchange(t, b.server, "GET", "/api/v1/namespaces/adapters/pods?fieldSelector=metadata.name%3Djob-x7k2p", nil, &pods, 200)
	if pod.Name != "job-x7k2p" || len(pods.Items) != 1 || pods.Items[0].UID != pod.UID {
		t.Errorf("Pod %s, list %v", pod.Name, pods.Items)
	}
	var job, after batchv1.Job
	exchange(t, b.server, "GET", jobs, nil, &job, 200)
	stale := job.DeepCopy()
	job.Status.Conditions = []batchv1.JobCondition{{Type: "Available", Status: "True"}}
	exchange(t, b.server, "PUT", jobs+"/status", &job, &after, 200)
	if len(after.Status.Conditions) != 1 || after.ResourceVersion == job.ResourceVersion || after.UID != job.UID {
		t.Errorf("after the PUT: %+v", after)
	}
	reported := made.reported
	if reported.IsZero() {
		t.Error("the report was not noted")
	}
	exchange(t, b.server, "PUT", jobs+"/status", stale, &metav1.Status{}, 409)
	stale.ResourceVersion, stale.UID = "", "another"
	exchange(t, b.server, "PUT", jobs+"/status", stale, &metav1.Status{}, 422)
	if n := len(made.object.Status.Conditions); n != 1 {
		t.Errorf("%d conditions after refused writes, want 1", n)
	}
	// What a whole Job does not name is not there any more.
	after.Status.Conditions[0].Type = "Other"
	var last batchv1.Job
	exchange(t, b.server, "PUT", jobs+"/status", &after, &last, 200)
	if c := last.Status.Conditions; len(c) != 1 || c[0].Type != "Other" {
		t.Errorf("conditions %+v", c)
	}
}

// A report that is refused is none: its time does not count.
func TestRefusedReport(t *testing.T) {
	b := newTestBench(t)
	made, err := b.server.createJob("job")
	if err != nil {
		t.Fatal(err)
	}
	const path = "/apis/batch/v1/namespaces/adapters/jobs/job/status"
	const conditions = `"status":{"conditions":[{"type":"Available","status":"False"}]}}`
	for _, tt := range []struct {
		metadata string
		code     int
		reported bool
	}{
		{`"resourceVersion":"1"`, 409, false},
		{`"uid":"another"`, 422, false},
		{`"uid":"uid-of-job","resourceVersion":"` + made.object.ResourceVersion + `"`, 200, true},
	} {
		code, answer := send(t, b.server, "PATCH", path, `{"metadata":{`+tt.metadata+`},`+conditions)
		if code != tt.code || made.reported.IsZero() == tt.reported {
			t.Errorf("%s: %d %s, reported at %s", tt.metadata, code, answer, made.reported)
		}
	}
}

// exchange sends one request as client-go does, and decodes the answer.
func exchange(t *testing.T, s *server, method, path string, in object, out any, code int) {
	t.Helper()
	var body []byte
	if in != nil {
		in.GetObjectKind().SetGroupVersionKind(batchv1.SchemeGroupVersion.WithKind("Job"))
		var err error
		if body, err = marshalProtobuf(in); err != nil {
			t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), method, "https://"+s.gate.Addr().String()+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", protobufType+","+jsonType)
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != code {
		t.Fatalf("%s %s: %d, want %d; %v", method, path, resp.StatusCode, code, err)
	}
	if code != http.StatusOK {
		if kind := resp.Header.Get("Content-Type"); kind != jsonType {
			t.Errorf("a refusal is of type %q", kind)
		}
		return
	}
	encoded, ok := strings.CutPrefix(string(data), protobufMagic)
	if kind := resp.Header.Get("Content-Type"); kind != protobufType || !ok {
		t.Fatalf("%s %s: %q of type %q", method, path, data, kind)
	}
	var envelope runtime.Unknown
	if err := envelope.Unmarshal([]byte(encoded)); err != nil {
		t.Fatal(err)
	}
	if err := out.(interface{ Unmarshal([]byte) error }).Unmarshal(envelope.Raw); err != nil {
		t.Fatal(err)
	}
}
