package kubetest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

func TestReads(t *testing.T) {
	s := kubetest.New(t)
	populate(s)
	s.Allow("list", "pods")
	c := newClient(t, s)

	pod := c.do("GET", podPath+"?resourceVersion=0", "")
	if diff := cmp.Diff(s.Pod("ns", "pod"), decode[corev1.Pod](t, pod.body)); diff != "" {
		t.Error(diff)
	}
	job := c.do("GET", jobPath, "")
	got := decode[batchv1.Job](t, job.body)
	if diff := cmp.Diff(s.Job("ns", "job"), got); diff != "" {
		t.Error(diff)
	}
	if got.Kind != "Job" || got.APIVersion != "batch/v1" || len(got.UID) != 36 || got.ResourceVersion == "" || got.CreationTimestamp.IsZero() {
		t.Errorf("the Job lacks what a server fills in: %+v", got)
	}
	if job.proto != "HTTP/2.0" || job.header.Get("Content-Type") != "application/json" {
		t.Errorf("%s, %v", job.proto, job.header)
	}

	list := decode[corev1.PodList](t, c.do("GET", listPath, "").body)
	if list.Kind != "PodList" || list.ResourceVersion == "" || len(list.Items) != 1 || list.Items[0].Name != "pod" || list.Items[0].Kind != "" {
		t.Errorf("list: %+v", list)
	}
	if empty := c.do("GET", strings.Replace(listPath, "=pod", "=other", 1), ""); !strings.Contains(empty.body, `"items":[]`) {
		t.Errorf("list of nothing: %s", empty.body)
	}
}

// The texts are those of kube-apiserver 1.37.
func TestErrors(t *testing.T) {
	forbidden := func(message string) metav1.Status {
		return metav1.Status{Code: 403, Reason: "Forbidden", Message: message}
	}
	tests := []struct {
		name         string
		method, path string
		header       []string
		deny         []string
		want         metav1.Status
		details      *metav1.StatusDetails
	}{
		{
			name: "no token", method: "GET", path: podPath, header: []string{"Authorization", ""},
			want: metav1.Status{Code: 401, Reason: "Unauthorized", Message: "Unauthorized"},
		}, {
			name: "wrong token", method: "PATCH", path: patchPath, header: []string{"Authorization", "Bearer x"},
			want: metav1.Status{Code: 401, Reason: "Unauthorized", Message: "Unauthorized"},
		}, {
			name: "no such Pod", method: "GET", path: podPath + "2",
			want:    metav1.Status{Code: 404, Reason: "NotFound", Message: `pods "pod2" not found`},
			details: &metav1.StatusDetails{Name: "pod2", Kind: "pods"},
		}, {
			name: "no such Job", method: "GET", path: jobPath + "2",
			want:    metav1.Status{Code: 404, Reason: "NotFound", Message: `jobs.batch "job2" not found`},
			details: &metav1.StatusDetails{Name: "job2", Group: "batch", Kind: "jobs"},
		}, {
			name: "patch in another namespace", method: "PATCH", path: strings.Replace(patchPath, "/ns/", "/other/", 1),
			want:    metav1.Status{Code: 404, Reason: "NotFound", Message: `jobs.batch "job" not found`},
			details: &metav1.StatusDetails{Name: "job", Group: "batch", Kind: "jobs"},
		}, {
			name: "get Pod denied", method: "GET", path: podPath, deny: []string{"get", "pods"},
			want:    forbidden(`pods "pod" is forbidden: User "system:serviceaccount:ns:status-reporter-sa" cannot get resource "pods" in API group "" in the namespace "ns"`),
			details: &metav1.StatusDetails{Name: "pod", Kind: "pods"},
		}, {
			name: "watch denied", method: "GET", path: watchPath, deny: []string{"watch", "pods"},
			want:    forbidden(`pods "pod" is forbidden: User "system:serviceaccount:ns:status-reporter-sa" cannot watch resource "pods" in API group "" in the namespace "ns"`),
			details: &metav1.StatusDetails{Name: "pod", Kind: "pods"},
		}, {
			name: "list is not in the Role", method: "GET", path: listPath,
			want:    forbidden(`pods "pod" is forbidden: User "system:serviceaccount:ns:status-reporter-sa" cannot list resource "pods" in API group "" in the namespace "ns"`),
			details: &metav1.StatusDetails{Name: "pod", Kind: "pods"},
		}, {
			name: "get Job denied", method: "GET", path: jobPath, deny: []string{"get", "jobs"},
			want:    forbidden(`jobs.batch "job" is forbidden: User "system:serviceaccount:ns:status-reporter-sa" cannot get resource "jobs" in API group "batch" in the namespace "ns"`),
			details: &metav1.StatusDetails{Name: "job", Group: "batch", Kind: "jobs"},
		}, {
			name: "patch denied", method: "PATCH", path: patchPath, deny: []string{"patch", "jobs/status"},
			want:    forbidden(`jobs.batch "job" is forbidden: User "system:serviceaccount:ns:status-reporter-sa" cannot patch resource "jobs/status" in API group "batch" in the namespace "ns"`),
			details: &metav1.StatusDetails{Name: "job", Group: "batch", Kind: "jobs"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := kubetest.New(t, kubetest.InMemory())
			populate(s)
			if tt.deny != nil {
				s.Deny(tt.deny[0], tt.deny[1])
			}
			c := newClient(t, s)
			a := c.do(tt.method, tt.path, "", tt.header...)
			tt.want.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
			tt.want.Status, tt.want.Details = metav1.StatusFailure, tt.details
			if diff := cmp.Diff(&tt.want, decode[metav1.Status](t, a.body)); diff != "" || a.code != int(tt.want.Code) {
				t.Errorf("%d (-want +got)\n%s", a.code, diff)
			}
			if tt.deny != nil {
				s.Allow(tt.deny[0], tt.deny[1])
				body := map[string]string{"PATCH": "{}"}[tt.method]
				if resp, err := c.send(t.Context(), tt.method, tt.path, body); err != nil || resp.StatusCode != 200 {
					t.Errorf("allowed again: %v, %v", resp, err)
				}
			}
		})
	}
}

// Everything that the server does not know fails the test that uses it.
func TestUnexpectedRequests(t *testing.T) {
	tests := []struct {
		name, method, path, body string
		header                   []string
		says                     string
	}{
		{name: "path", method: "GET", path: "/healthz", says: "method and path"},
		{name: "path with a double slash", method: "GET", path: "/" + podPath, says: "method and path"},
		{name: "no name", method: "GET", path: strings.TrimSuffix(podPath, "pod"), says: "empty"},
		{name: "log", method: "GET", path: podPath + "/log", says: "method and path"},
		{name: "all jobs", method: "GET", path: strings.TrimSuffix(jobPath, "/job"), says: "method and path"},
		{name: "status of a Job", method: "GET", path: patchPath, says: "method and path"},
		{name: "patch of a Job", method: "PATCH", path: jobPath, says: "method and path"},
		{name: "put", method: "PUT", path: patchPath, body: "{}", says: "method and path"},
		{name: "head", method: "HEAD", path: podPath, says: "method and path"},
		{name: "list of all", method: "GET", path: strings.TrimSuffix(podPath, "/pod"), says: "fieldSelector"},
		{name: "another field", method: "GET", path: strings.Replace(listPath, "metadata.name", "spec.nodeName", 1), says: "fieldSelector"},
		{name: "two fields", method: "GET", path: listPath + ",metadata.namespace=ns", says: "fieldSelector"},
		{name: "query of a get", method: "GET", path: podPath + "?pretty=true", says: "pretty"},
		{name: "exact version of a get", method: "GET", path: podPath + "?resourceVersion=7", says: "resourceVersion"},
		{name: "twice", method: "GET", path: podPath + "?resourceVersion=0&resourceVersion=0", says: "twice"},
		{name: "watch=false", method: "GET", path: listPath + "&watch=false", says: "watch"},
		{name: "watch from garbage", method: "GET", path: watchPath + "&resourceVersion=x", says: "resourceVersion"},
		{name: "watch for no time", method: "GET", path: watchPath + "&timeoutSeconds=0", says: "timeoutSeconds"},
		{name: "dry run of something", method: "PATCH", path: patchPath + "?dryRun=Some", body: "{}", says: "dryRun"},
		{name: "forced patch", method: "PATCH", path: patchPath + "?force=true", body: "{}", says: "force"},
		{name: "plain JSON", method: "PATCH", path: patchPath, body: "{}", header: []string{"Content-Type", "application/json"}, says: "no kind of patch"},
		{name: "body of a get", method: "GET", path: podPath, body: "x", says: "no body"},
		{name: "protobuf", method: "GET", path: podPath, header: []string{"Accept", "application/vnd.kubernetes.protobuf"}, says: "protobuf"},
	}
	tb := &failures{TB: t}
	s := kubetest.New(tb, kubetest.InMemory())
	populate(s)
	s.Allow("list", "pods")
	s.Fault(kubetest.Match{}, kubetest.Respond(200, "text/plain", "").Forever()) // not met by unknown requests
	c := newClient(t, s)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := c.do(tt.method, tt.path, tt.body, tt.header...)
			got := tb.take()
			if a.code != 400 || len(got) != 1 || !strings.Contains(got[0], tt.method+" "+tt.path) || !strings.Contains(got[0], tt.says) {
				t.Errorf("%d, failures %q", a.code, got)
			}
		})
	}
	if conditions(s) != "" {
		t.Errorf("an unknown request changed the Job: %s", conditions(s))
	}
}

func TestMisuse(t *testing.T) {
	tb := &failures{TB: t}
	s := kubetest.New(tb, kubetest.InMemory())
	populate(s)
	tests := []struct {
		name string
		call func()
		says string
	}{
		{"create twice", func() { populate(s) }, "jobs: ns/job exists"},
		{"create without namespace", func() { s.CreatePod(&corev1.Pod{}) }, `namespace ""`},
		{"update nothing", func() { s.UpdateJob("ns", "x", func(*batchv1.Job) {}) }, "no ns/x"},
		{"delete nothing", func() { s.DeletePod("ns", "x") }, "no ns/x"},
		{"dial elsewhere", func() {
			if _, err := s.Dial(t.Context(), "tcp", "127.0.0.1:6443"); err == nil {
				t.Error("connected")
			}
		}, "127.0.0.1:6443"},
		{"a host name on a real network", func() { kubetest.New(tb, kubetest.Host("::1")) }, "Host needs InMemory"},
	}
	for _, tt := range tests {
		tt.call()
		if got := tb.take(); len(got) == 0 || !strings.Contains(got[0], tt.says) {
			t.Errorf("%s: failures %q", tt.name, got)
		}
	}
}

func TestHost(t *testing.T) {
	for _, host := range []string{"fd00::1", "10.96.0.1", "api.internal"} {
		s := kubetest.New(t, kubetest.InMemory(), kubetest.Host(host))
		populate(s)
		if a := newClient(t, s).do("GET", jobPath, ""); a.code != 200 || s.Env()["KUBERNETES_SERVICE_HOST"] != host {
			t.Errorf("%s: %d, %v", host, a.code, s.Env())
		}
	}
}

func TestRequests(t *testing.T) {
	bubble(t, func(t *testing.T, s *kubetest.Server, c *client) {
		c.do("GET", jobPath, "")
		c.watch("")
		s.Fault(kubetest.Match{Verb: "patch"}, kubetest.Status(503, "ServiceUnavailable", "later"))
		c.patch("Available", "True")
		c.patch("Available", "True")

		var got []string
		for _, r := range s.Requests() {
			got = append(got, strings.Join([]string{r.Method, r.Verb, r.Resource, r.Namespace, r.Name, r.Fault}, " "))
			if r.Proto != "HTTP/2.0" || r.Conn != 1 || r.Time.IsZero() {
				t.Errorf("%+v", r)
			}
		}
		want := []string{"GET get jobs ns job ", "GET watch pods ns pod ", "PATCH patch jobs/status ns job Respond(503)", "PATCH patch jobs/status ns job "}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if s.Connections() != 1 {
			t.Errorf("%d connections", s.Connections())
		}
		patches := s.Requests(kubetest.Match{Verb: "patch"}, kubetest.Match{Resource: "pods", Name: "other"})
		if len(patches) != 2 || patches[0].Code != 503 || patches[1].Code != 200 ||
			patches[1].ContentType != strategicMerge || !strings.Contains(string(patches[1].Body), "Available") || patches[1].Path != patchPath {
			t.Errorf("%+v", patches)
		}
	})
}
