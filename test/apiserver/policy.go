package apiserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// ownCondition is the policy that Enforce applies.
const ownCondition = "deploy/policy/own-condition.yaml"

// Enforced labels a namespace for the policies in deploy/policy.
func Enforced(meta *metav1.ObjectMeta) {
	meta.Labels = map[string]string{"status-reporter/policies": "enabled"}
}

// Enforce applies deploy/policy/own-condition.yaml and waits until it counts:
// the server follows its policies with a small delay.
func (c *Cluster) Enforce(tb testing.TB) {
	tb.Helper()
	c.Apply(tb, ownCondition)
	n := c.Namespace(tb, Enforced)
	job := n.CreateJob(Job("any"))
	token := n.Token(n.account, nil) // of no Pod: no policy but this one minds
	n.Await(ownCondition+" in force", func() bool {
		return n.Patch(token, job.Name, StrategicMerge, `{"metadata":{"labels":{"any":"any"}}}`).Code == http.StatusForbidden
	})
}

// Await fails the test where cond does not come true.
func (n *Namespace) Await(what string, cond func() bool) {
	n.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if n.Wait(ctx, cond) != nil {
		n.tb.Fatalf("%s does not come", what)
	}
}

// Job is one with an adapter and nothing else.
func Job(name string) *batchv1.Job {
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			ServiceAccountName: "status-reporter-sa",
			RestartPolicy:      corev1.RestartPolicyNever,
			Containers:         []corev1.Container{{Name: "adapter", Image: "adapter"}},
		}}},
	}
}

// Apply makes the objects of a file, or replaces them, with pairs of strings to
// replace in it: those of deploy/policy belong to no namespace.
func (c *Cluster) Apply(tb testing.TB, file string, pairs ...string) {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join(moduleRoot(), file))
	if err != nil {
		tb.Fatal(err)
	}
	data = []byte(strings.NewReplacer(pairs...).Replace(string(data)))
	docs := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for {
		var doc json.RawMessage
		if err := docs.Decode(&doc); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			tb.Fatalf("%s: %v", file, err)
		}
		var object metav1.PartialObjectMetadata
		if err := json.Unmarshal(doc, &object); err != nil {
			tb.Fatalf("%s: %v", file, err)
		}
		plural, ok := map[string]string{
			"MutatingAdmissionPolicy":          "mutatingadmissionpolicies",
			"MutatingAdmissionPolicyBinding":   "mutatingadmissionpolicybindings",
			"ValidatingAdmissionPolicy":        "validatingadmissionpolicies",
			"ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
		}[object.Kind]
		if !ok {
			tb.Fatalf("%s: unexpected kind %q", file, object.Kind)
		}
		if _, err := c.apply("/apis/"+object.APIVersion+"/"+plural+"/"+object.Name, doc); err != nil {
			tb.Fatalf("%s: %v", file, err)
		}
	}
}

// Bind gives the reporter's Role to every ServiceAccount of a namespace.
func (n *Namespace) Bind(namespace string) {
	n.tb.Helper()
	n.must(http.MethodPost, n.rbac("rolebindings"), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "all-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: n.role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: "system:serviceaccounts:" + namespace}},
	}, nil)
}

// Configure sets the values of a ConfigMap.
func (n *Namespace) Configure(name string, data map[string]string) {
	n.tb.Helper()
	n.must(http.MethodPost, n.core("configmaps"), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: data}, nil)
}

// Limit sets a quota, as the quota controller would take it up.
func (n *Namespace) Limit(hard corev1.ResourceList) {
	n.tb.Helper()
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "quota"}, Spec: corev1.ResourceQuotaSpec{Hard: hard}}
	n.must(http.MethodPost, n.core("resourcequotas"), quota, quota)
	quota.Status.Hard, quota.Status.Used = hard, corev1.ResourceList{}
	for name := range hard {
		quota.Status.Used[name] = resource.Quantity{}
	}
	n.must(http.MethodPut, n.core("resourcequotas/quota/status"), quota, nil)
}

// CreateAccount makes a ServiceAccount.
func (n *Namespace) CreateAccount(name string) {
	n.tb.Helper()
	n.must(http.MethodPost, n.core("serviceaccounts"), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, nil)
}

// Media types of patches.
const (
	StrategicMerge = "application/strategic-merge-patch+json"
	Merge          = "application/merge-patch+json"
	JSONPatch      = "application/json-patch+json"
)

// Patch patches a Job's status with a token and returns what the server says:
// code 200 alone where it is done.
func (n *Namespace) Patch(token, job, kind, body string) metav1.Status {
	n.tb.Helper()
	c := &client{base: n.c.admin.base, token: token, http: n.c.anonymous}
	_, _, err := c.send(context.Background(), http.MethodPatch, n.jobs()+"/"+job+"/status", kind, []byte(body))
	if err == nil {
		return metav1.Status{Code: http.StatusOK}
	}
	status := statusOf(err)
	if status == nil {
		n.tb.Fatal(err)
	}
	return *status
}

// Try makes a Job, a CronJob or a Pod that is not kept, into made where that is
// not nil. It returns the warnings, or what the refusal says.
func (n *Namespace) Try(object, made any) (warnings []string, refusal string) {
	n.tb.Helper()
	path := n.jobs()
	switch object.(type) {
	case *batchv1.CronJob:
		path = strings.TrimSuffix(path, "jobs") + "cronjobs"
	case *corev1.Pod:
		path = n.pods()
	}
	body, err := json.Marshal(object)
	if err != nil {
		n.tb.Fatal(err)
	}
	data, header, err := n.c.admin.send(context.Background(), http.MethodPost, path+"?dryRun=All", "application/json", body)
	if status := statusOf(err); status != nil {
		return nil, status.Message
	}
	if err == nil && made != nil {
		err = json.Unmarshal(data, made)
	}
	if err != nil {
		n.tb.Fatal(err)
	}
	return header["Warning"], ""
}

// Refusals counts what the policies have refused since the server started, by its own metrics.
func (c *Cluster) Refusals(tb testing.TB) (n int) {
	tb.Helper()
	page, _, err := c.admin.send(context.Background(), http.MethodGet, "/metrics", "", nil)
	if err != nil {
		tb.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^apiserver_validating_admission_policy_check_total\{.*enforcement_action="deny".*\} (\d+)$`).FindAllSubmatch(page, -1) {
		count, err := strconv.Atoi(string(m[1]))
		if err != nil {
			tb.Fatal(err)
		}
		n += count
	}
	return n
}
