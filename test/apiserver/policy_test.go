package apiserver_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
	"github.com/openshift-hyperfleet/status-reporter/test/apiserver"
)

// attempt is one PATCH of a Job's status with the token of a Pod, under
// deploy/policy/own-condition.yaml.
type attempt struct {
	name        string
	job         string               // its name; job if empty
	change      func(j *batchv1.Job) // what it has beside an adapter
	status      batchv1.JobStatus    // what stands there before
	state       string               // the same by name, as the Job controller leaves it
	pod         string               // that the token is bound to; job-bcdfg if empty, - for none
	account     string               // of the Pod; the reporter's if empty
	annotations map[string]string    // of the namespace
	kind        string               // of the patch; strategic if empty
	body        string               // condition's if empty; UID and VERSION stand for the Job's
	want        string               // what the refusal says; empty where there is none
	code        int32                // of a refusal that is not the policy's

	needs       *kubetest.Feature // where the server lacks it, what is below holds
	wantWithout string
	codeWithout int32
}

// elsewhere is the reporter's account of another namespace, which has the Role, too.
const elsewhere = "elsewhere"

// condition is a strategic-merge patch with one.
func condition(fields string) string { return `{"status":{"conditions":[{` + fields + `}]}}` }

// good is what the reporter sends for a result.
var good = condition(`"type":"Available","status":"True","reason":"R","message":"m","lastTransitionTime":"2026-01-15T09:00:00Z"`)

// TestPolicies holds the policies of deploy/ to what they are for, on a real API
// server.
func TestPolicies(t *testing.T) {
	cluster := apiserver.Start(t)
	cluster.Enforce(t)
	t.Run("own condition", func(t *testing.T) { testOwnCondition(t, cluster) })
	t.Run("price", func(t *testing.T) { testPrice(t, cluster) })
	cluster.RunControllers(t, "job-controller")
	t.Run("Pod names", func(t *testing.T) { testPodNames(t, cluster) })
	t.Run("lint", func(t *testing.T) { testLint(t, cluster) })
	t.Run("inject", func(t *testing.T) { testInject(t, cluster) })
}

// testOwnCondition plays each attempt.
func testOwnCondition(t *testing.T, cluster *apiserver.Cluster) {
	attempts := attempts()
	t.Cleanup(func() {
		if !t.Failed() {
			t.Logf("%d patches: each is allowed or refused as the table says", len(attempts))
		}
	})
	for _, a := range attempts {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			a.play(t, cluster)
		})
	}
}

func (a *attempt) play(t *testing.T, cluster *apiserver.Cluster) {
	n := cluster.Namespace(t, apiserver.Enforced, func(meta *metav1.ObjectMeta) { meta.Annotations = a.annotations })
	n.Bind(n.Name)
	j := apiserver.Job("job")
	if a.job != "" {
		j.Name = a.job
	}
	if a.change != nil {
		a.change(j)
	}
	v := cluster.Version()
	if j.Status = a.status; a.state != "" {
		j.Status = stateOf(a.state, v)
	}
	if a.needs != nil && !a.needs.In(v) {
		a.want, a.code = a.wantWithout, a.codeWithout
	}
	j = n.CreateJob(j)
	token := a.tokenOf(t, cluster, n)
	kind, body := a.kind, strings.NewReplacer(`"UID"`, `"`+string(j.UID)+`"`, `"VERSION"`, `"`+j.ResourceVersion+`"`).Replace(a.body)
	if kind == "" {
		kind = apiserver.StrategicMerge
	}
	if body == "" {
		body = good
	}
	got := n.Patch(token, j.Name, kind, body)
	changed := n.Job("", j.Name).ResourceVersion != j.ResourceVersion
	const policy = "ValidatingAdmissionPolicy 'status-reporter-own-condition' with binding 'status-reporter-own-condition' denied request: "
	switch _, said, refused := strings.Cut(got.Message, policy); {
	case a.code != 0:
		if got.Code != a.code || refused {
			t.Errorf("code %d, want %d of the server itself: %s", got.Code, a.code, got.Message)
		}
	case a.want == "":
		if got.Code != http.StatusOK || !changed {
			t.Errorf("code %d, Job changed: %v: %s", got.Code, changed, got.Message)
		}
	case !refused || got.Code != http.StatusForbidden || got.Reason != metav1.StatusReasonForbidden || changed:
		t.Errorf("code %d %s, Job changed: %v: %s", got.Code, got.Reason, changed, got.Message)
	case !strings.Contains(said, a.want):
		t.Errorf("said %q, want %q", said, a.want)
	case !strings.HasSuffix(said, ".") || strings.Count(said, ". ") > 0:
		t.Errorf("not one sentence: %q", said)
	}
}

// tokenOf makes the Pod, as the Job controller would, and a token that is bound to it.
func (a *attempt) tokenOf(t *testing.T, cluster *apiserver.Cluster, n *apiserver.Namespace) string {
	account, name := "status-reporter-sa", "job-bcdfg"
	switch a.account {
	case "":
	case elsewhere:
		other := cluster.Namespace(t)
		n.Bind(other.Name)
		n = other
	default:
		account = a.account
		n.CreateAccount(account)
	}
	if a.pod != "" {
		name = a.pod
	}
	if name == "-" {
		return n.Token(account, nil)
	}
	spec := apiserver.Job("").Spec.Template.Spec
	spec.ServiceAccountName = account
	return n.Token(account, n.CreatePod(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}))
}

// testPodNames has the real Job controller name Pods: each may report on its
// own Job and on no other, but for the two that are known to look the same.
func testPodNames(t *testing.T, cluster *apiserver.Cluster) {
	n := cluster.Namespace(t, apiserver.Enforced)
	make := func(name string, changes ...func(*batchv1.Job)) string {
		j := apiserver.Job(name)
		both(changes...)(j)
		return n.CreateJob(j).Name
	}
	jobs := []string{
		make("a", indexed(1)), make("a-0"), make("a-0-0"), make("b"), make("b-0"), make("b-0-0", indexed(2)), make("b.0"), make("b.0.c"),
		make("", func(j *batchv1.Job) { j.GenerateName = "b-" }), make(long[:56]), make("x" + long[:56]), make("y" + long[:57]), make("z" + long[:62]), make("i"+long[:60], indexed(9)),
	}
	alike := map[[2]string]bool{{"a", "a-0"}: true, {"a-0", "a"}: true}
	tokens := map[string]string{}
	for _, name := range jobs {
		pod := n.AdoptPod(name, corev1.PodStatus{Phase: corev1.PodRunning})
		tokens[name] = n.Token("status-reporter-sa", pod)
	}
	for _, of := range jobs {
		for _, to := range jobs {
			got := n.Patch(tokens[of], to, apiserver.StrategicMerge, good).Code
			if want := of == to || alike[[2]string{of, to}]; want != (got == http.StatusOK) || !want && got != http.StatusForbidden {
				t.Errorf("a Pod of %s, for %s: %d", of, to, got)
			}
		}
	}
}

// testPrice measures a report with the policy and without, in turns.
func testPrice(t *testing.T, cluster *apiserver.Cluster) {
	const reports = 300
	took := map[bool][]time.Duration{}
	report := map[bool]func(i int){}
	for _, on := range []bool{true, false} {
		n := cluster.Namespace(t)
		if on {
			n = cluster.Namespace(t, apiserver.Enforced)
		}
		j := apiserver.Job("job")
		reporter(true, "CONDITION_TYPE=Available", "OUTCOME_LABEL=outcome", "DETAILS_ANNOTATION=details")(j)
		j.Status = under()
		n.CreateJob(j)
		token := (&attempt{}).tokenOf(t, cluster, n)
		report[on] = func(i int) {
			body := condition(`"type":"Available","status":"True","message":"` + strconv.Itoa(i) + `"`)
			began := time.Now()
			got := n.Patch(token, "job", apiserver.StrategicMerge, body)
			took[on] = append(took[on], time.Since(began))
			if got.Code != http.StatusOK {
				t.Fatal(got.Message)
			}
		}
	}
	for i := range reports {
		report[i%2 == 0](i)
		report[i%2 != 0](i)
	}
	for _, list := range took {
		slices.Sort(list)
	}
	with, without := took[true][reports/2], took[false][reports/2]
	t.Logf("a report with the policy takes %.2f of the time without (medians %s and %s)", float64(with)/float64(without), with, without)
	if with > 3*without {
		t.Error("the policy costs more than the report")
	}
}
