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

func condition(fields string) string { return `{"status":{"conditions":[{` + fields + `}]}}` }

func TestPatchConditions(t *testing.T) {
	const since = `"lastTransitionTime":"2026-01-01T00:00:00Z"`
	tests := []struct {
		name    string
		present []batchv1.JobCondition
		patch   string
		want    string // the stored conditions, as JSON; "same": nothing is written
		warning []string
	}{
		{
			name:  "the first",
			patch: condition(`"type":"Available","status":"True","reason":"r","message":"m",` + since),
			want:  `[{"type":"Available","status":"True","lastProbeTime":null,"lastTransitionTime":"2026-01-01T00:00:00Z","reason":"r","message":"m"}]`,
		}, {
			name:    "a new type lands at index 0",
			present: []batchv1.JobCondition{{Type: "Suspended", Status: "True"}},
			patch:   condition(`"type":"Available","status":"True"`),
			want:    `[{"type":"Available","status":"True","lastProbeTime":null,"lastTransitionTime":null},{"type":"Suspended","status":"True","lastProbeTime":null,"lastTransitionTime":null}]`,
		}, {
			name:    "what is left out stays, lastTransitionTime too",
			present: []batchv1.JobCondition{{Type: "A", Status: "True", Reason: "r", LastTransitionTime: metav1.Unix(0, 0)}, {Type: "B"}},
			patch:   condition(`"type":"A","status":"False","message":"m"`),
			want:    `[{"type":"A","status":"False","lastProbeTime":null,"lastTransitionTime":"1970-01-01T00:00:00Z","reason":"r","message":"m"},{"type":"B","status":"","lastProbeTime":null,"lastTransitionTime":null}]`,
		}, {
			name:    "null deletes",
			present: []batchv1.JobCondition{{Type: "A", Status: "True", Reason: "r", LastTransitionTime: metav1.Unix(0, 0)}},
			patch:   condition(`"type":"A","status":null,"reason":null,"lastTransitionTime":null`),
			want:    `[{"type":"A","status":"","lastProbeTime":null,"lastTransitionTime":null}]`,
		}, {
			name:    "the same again writes nothing",
			present: []batchv1.JobCondition{{Type: "A", Status: "True"}},
			patch:   condition(`"type":"A","status":"True","lastProbeTime":null`),
			want:    "same",
		}, {
			name:    "unknown fields are dropped with warnings",
			patch:   `{"status":{"conditions":[{"type":"A","status":"x","observedGeneration":1}]},"y":2}`,
			want:    `[{"type":"A","status":"x","lastProbeTime":null,"lastTransitionTime":null}]`,
			warning: []string{`299 - "unknown field \"status.conditions[0].observedGeneration\""`, `299 - "unknown field \"y\""`},
		}, {
			name:  "the very first may lack its type",
			patch: condition(`"status":"True"`),
			want:  `[{"type":"","status":"True","lastProbeTime":null,"lastTransitionTime":null}]`,
		}, {
			name:    "Complete and others stay",
			present: []batchv1.JobCondition{{Type: "SuccessCriteriaMet", Status: "True"}, {Type: "Complete", Status: "True"}},
			patch:   condition(`"type":"SuccessCriteriaMet","status":"True"`),
			want:    "same",
		}, {
			name:  "FailureTarget is not protected",
			patch: condition(`"type":"FailureTarget","status":"True"`),
			want:  `[{"type":"FailureTarget","status":"True","lastProbeTime":null,"lastTransitionTime":null}]`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := kubetest.New(t, kubetest.InMemory())
			populate(s)
			before := s.UpdateJob("ns", "job", func(j *batchv1.Job) { j.Status.Conditions = tt.present })
			a := newClient(t, s).do("PATCH", patchPath, tt.patch)
			after := s.Job("ns", "job")
			if tt.want == "same" {
				if diff := cmp.Diff(before, after); diff != "" || a.code != 200 {
					t.Errorf("%d %s\n%s", a.code, a.body, diff)
				}
				return
			}
			want := *decode[[]batchv1.JobCondition](t, tt.want)
			if diff := cmp.Diff(want, after.Status.Conditions); diff != "" || a.code != 200 {
				t.Errorf("%d %s (-want +got)\n%s", a.code, a.body, diff)
			}
			if diff := cmp.Diff(after, decode[batchv1.Job](t, a.body)); diff != "" {
				t.Errorf("the answer is not what was stored:\n%s", diff)
			}
			if after.ResourceVersion == before.ResourceVersion {
				t.Error("a change kept the resourceVersion")
			}
			if diff := cmp.Diff(tt.warning, a.header["Warning"]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPatchMetadata(t *testing.T) {
	s := kubetest.New(t, kubetest.InMemory())
	populate(s)
	before := s.Job("ns", "job")
	want := s.Job("ns", "job")
	want.Labels = map[string]string{"a": "b"}
	want.Annotations = map[string]string{"c": "d"}
	want.Status.Conditions = []batchv1.JobCondition{{Type: "A", Status: "True"}}
	patch := `{"metadata":{"uid":"` + string(before.UID) + `","resourceVersion":"` + before.ResourceVersion + `","labels":{"a":"b"},"annotations":{"c":"d"},
		"generation":7,"creationTimestamp":"1999-01-01T00:00:00Z"},
		"spec":{"suspend":true},"status":{"conditions":[{"type":"A","status":"True"}]}}`

	c := newClient(t, s)
	dry := decode[batchv1.Job](t, c.do("PATCH", patchPath+"?dryRun=All&fieldManager=x", patch).body)
	if diff := cmp.Diff(want, dry); diff != "" {
		t.Errorf("dry run: (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(before, s.Job("ns", "job")); diff != "" {
		t.Errorf("a dry run stored something:\n%s", diff)
	}
	got := decode[batchv1.Job](t, c.do("PATCH", patchPath, patch, "Content-Type", strategicMerge+"; charset=utf-8").body)
	want.ResourceVersion = got.ResourceVersion
	if diff := cmp.Diff(want, got); diff != "" || got.ResourceVersion == before.ResourceVersion {
		t.Errorf("%s (-want +got)\n%s", got.ResourceVersion, diff)
	}
	empty := c.do("PATCH", patchPath+"?dryRun=All", `{"metadata":{"uid":"","resourceVersion":""}}`)
	if diff := cmp.Diff(want, decode[batchv1.Job](t, empty.body)); diff != "" {
		t.Errorf("empty uid and resourceVersion guard nothing: %d %s", empty.code, diff)
	}
}

// The texts are those of kube-apiserver 1.37.
func TestPatchRefused(t *testing.T) {
	complete := []batchv1.JobCondition{{Type: "SuccessCriteriaMet", Status: "True"}, {Type: "Complete", Status: "True"}}
	tests := []struct {
		name, patch string
		present     []batchv1.JobCondition
		code        int
		reason      metav1.StatusReason
		message     string
	}{
		{"no JSON", `{"status":`, nil, 400, "BadRequest", "invalid JSON patch"},
		{"a list", `[]`, nil, 400, "BadRequest", "json: cannot unmarshal array into Go value of type map[string]interface {}"},
		{"wrong type", condition(`"type":"A","status":1`), nil, 422, "Invalid", ` "" is invalid: patch: Invalid value: "map[status:map[conditions:[map[status:1 type:A]]]]": cannot convert int64 to v1.ConditionStatus`},
		{"no condition type", condition(`"status":"False"`), complete, 500, "", "map: map[status:False] does not contain declared merge key: type"},
		{"another uid", `{"metadata":{"uid":"u"}}`, nil, 422, "Invalid", `Job.batch "job" is invalid: metadata.uid: Invalid value: "u": field is immutable`},
		{"an old version", `{"metadata":{"resourceVersion":"1"}}`, nil, 409, "Conflict", `Operation cannot be fulfilled on jobs.batch "job": the object has been modified; please apply your changes to the latest version and try again`},
		{"another name", `{"metadata":{"name":"b"}}`, nil, 400, "BadRequest", "the name of the object (b) does not match the name on the URL (job)"},
		{"no name", `{"metadata":{"name":null}}`, nil, 400, "BadRequest", "the name of the object (job based on URL) was undeterminable: name must be provided"},
		{"another namespace", `{"metadata":{"namespace":"b"}}`, nil, 400, "BadRequest", "the namespace of the provided object does not match the namespace sent on the request"},
		{"Complete", condition(`"type":"Complete","status":"True"`), nil, 422, "Invalid", `Job.batch "job" is invalid: [status.completionTime: Required value: completionTime is required for Complete jobs, status.conditions: Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true condition, status.startTime: Required value: startTime is required for finished job]`},
		{"Failed", condition(`"type":"Failed","status":"True"`), nil, 422, "Invalid", `Job.batch "job" is invalid: [status.conditions: Invalid value: cannot set Failed=True condition without the FailureTarget=true condition, status.startTime: Required value: startTime is required for finished job]`},
		{"Complete while active", condition(`"type":"Complete","status":"True"`), complete[:1], 422, "Invalid", `Job.batch "job" is invalid: status.active: Invalid value: 1: active>0 is invalid for finished job`},
		{"no longer Complete", condition(`"type":"Complete","status":"False"`), complete, 422, "Invalid", `Job.batch "job" is invalid: status.conditions: Invalid value: cannot disable the terminal Complete=True condition`},
		{"no longer SuccessCriteriaMet", condition(`"type":"SuccessCriteriaMet","status":"False"`), complete, 422, "Invalid", `Job.batch "job" is invalid: [status.conditions: Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true condition, status.conditions: Invalid value: cannot disable the SuccessCriteriaMet=True condition]`},
		{"too large for etcd", condition(`"type":"A","message":"` + strings.Repeat("x", 3<<19) + `"`), nil, 500, "", "etcdserver: request is too large"},
		{"too large a request", condition(`"type":"A","message":"` + strings.Repeat("x", 3<<20) + `"`), nil, 413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := kubetest.New(t, kubetest.InMemory())
			populate(s)
			before := s.UpdateJob("ns", "job", func(j *batchv1.Job) {
				j.Status.Conditions = tt.present
				if tt.name == "Complete while active" {
					now := metav1.Unix(0, 0)
					j.Status.StartTime, j.Status.CompletionTime, j.Status.Active = &now, &now, 1
				}
			})
			s.OnPatch(func(*batchv1.Job) { t.Error("OnPatch was called") })
			a := newClient(t, s).do("PATCH", patchPath, tt.patch)
			got := decode[metav1.Status](t, a.body)
			if a.code != tt.code || got.Code != int32(tt.code) || got.Reason != tt.reason || got.Message != tt.message || got.Kind != "Status" {
				t.Errorf("%d %s", a.code, a.body)
			}
			if diff := cmp.Diff(before, s.Job("ns", "job")); diff != "" {
				t.Errorf("something was written:\n%s", diff)
			}
		})
	}
}

func TestPatchKeepsLargeMessage(t *testing.T) {
	s := kubetest.New(t, kubetest.InMemory())
	populate(s)
	a := newClient(t, s).do("PATCH", patchPath, condition(`"type":"A","status":"True","message":"`+strings.Repeat("x", 1400000)+`"`))
	if got := s.Job("ns", "job").Status.Conditions; a.code != 200 || len(got) != 1 || len(got[0].Message) != 1400000 {
		t.Errorf("%d, %d conditions", a.code, len(got))
	}
}

func TestOnPatch(t *testing.T) {
	s := kubetest.New(t, kubetest.InMemory())
	populate(s)
	c := newClient(t, s)
	var seen []string
	s.OnPatch(func(job *batchv1.Job) {
		seen = append(seen, string(job.Status.Conditions[0].Type))
		s.DeleteJob("ns", "job") // a hook may use the server
	})
	if a, err := c.patch("Available", "True"); err != nil || a.code != 200 {
		t.Errorf("%v, %v", a, err)
	}
	if a, err := c.patch("Second", "True"); err != nil || a.code != 404 {
		t.Errorf("%v, %v", a, err)
	}
	if diff := cmp.Diff([]string{"Available"}, seen); diff != "" || s.Job("ns", "job") != nil {
		t.Error(diff)
	}
}

// What the API answers must not be what a test holds in its hands.
func TestCopies(t *testing.T) {
	s := kubetest.New(t, kubetest.InMemory())
	mine := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "job", Labels: map[string]string{"a": "1"}}}
	created := s.CreateJob(mine)
	created.Labels["a"], mine.Labels["a"], s.Job("ns", "job").Labels["a"] = "2", "3", "4"
	if got := s.Job("ns", "job").Labels["a"]; got != "1" || mine.UID != "" {
		t.Errorf("label %s, uid %q", got, mine.UID)
	}
	pod := s.CreatePod(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "pod"}})
	if same := s.UpdatePod("ns", "pod", func(*corev1.Pod) {}); same.ResourceVersion != pod.ResourceVersion {
		t.Error("an update that changes nothing got a new resourceVersion")
	}
	if other := s.UpdatePod("ns", "pod", func(p *corev1.Pod) { p.Status.Phase = "Running" }); other.ResourceVersion <= pod.ResourceVersion || pod.ResourceVersion <= created.ResourceVersion {
		t.Error("resourceVersions do not grow over all objects")
	}
}

// What other kinds of patch do is compared with a real server in package
// test/apiserver. This is what they do not do here.
func TestPatchNotImplemented(t *testing.T) {
	tests := []struct{ contentType, query, patch, says string }{
		{"application/json-patch+json", "", `[{"op":"move","from":"/status/active","path":"/status/failed"}]`, `the operation "move"`},
		{"application/apply-patch+yaml", "?fieldManager=m", "status: {active: 1}", "anything but conditions"},
		{"application/apply-patch+yaml", "?fieldManager=m", "metadata: {labels: {a: b}}", "anything but conditions"},
	}
	for _, tt := range tests {
		s := kubetest.New(t, kubetest.InMemory())
		populate(s)
		before := s.Job("ns", "job")
		a := newClient(t, s).do("PATCH", patchPath+tt.query, tt.patch, "Content-Type", tt.contentType)
		if diff := cmp.Diff(before, s.Job("ns", "job")); a.code != 501 || !strings.Contains(decode[metav1.Status](t, a.body).Message, tt.says) || diff != "" {
			t.Errorf("%s: %d %s\n%s", tt.patch, a.code, a.body, diff)
		}
	}
}
