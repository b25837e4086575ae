package apiserver_test

import (
	"encoding/json"
	"slices"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
	"github.com/openshift-hyperfleet/status-reporter/test/apiserver"
	"github.com/openshift-hyperfleet/status-reporter/test/program"
	"github.com/openshift-hyperfleet/status-reporter/testdata/suite"
)

// goldenNeeds are the cases whose Pod or Job an older server does not take.
var goldenNeeds = map[string]*kubetest.Feature{
	"containers/container-policy-never":                   apiserver.RestartRules,
	"containers/container-policy-on-failure":              apiserver.RestartRules,
	"containers/job-success-criteria-met":                 kubetest.SuccessCriteria,
	"containers/restart-rule-all-containers":              apiserver.RestartAllContainers,
	"containers/restart-rule-all-containers-by-another":   apiserver.RestartAllContainers,
	"containers/restart-rule-all-containers-then-running": apiserver.RestartAllContainers,
	"containers/restart-rule-matched":                     apiserver.RestartRules,
	"containers/restart-rule-matched-then-success":        apiserver.RestartRules,
	"containers/restart-rule-not-in":                      apiserver.RestartRules,
	"containers/restart-rule-not-matched":                 apiserver.RestartRules,
}

// TestGoldenNeeds holds the list to the cases: a skip that is not needed would
// hide a case, and one that lacks would fail on an older server alone.
func TestGoldenNeeds(t *testing.T) {
	cases := suite.Load(t)
	for _, c := range cases {
		var want *kubetest.Feature
		var pod corev1.Pod
		var job batchv1.Job
		if err := json.Unmarshal(c.Pod, &pod); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(c.Job, &job); err != nil {
			t.Fatal(err)
		}
		for _, condition := range job.Status.Conditions {
			if condition.Type == batchv1.JobSuccessCriteriaMet {
				want = kubetest.SuccessCriteria
			}
		}
		for _, container := range pod.Spec.Containers {
			if container.RestartPolicy != nil && want == nil {
				want = apiserver.RestartRules
			}
			for _, rule := range container.RestartPolicyRules {
				if rule.Action == corev1.ContainerRestartRuleActionRestartAllContainers {
					want = apiserver.RestartAllContainers
				}
			}
		}
		if got := goldenNeeds[c.String()]; got != want {
			t.Errorf("%s: the list has %+v, the case needs %+v", c, got, want)
		}
	}
	for name := range goldenNeeds {
		if !slices.ContainsFunc(cases, func(c suite.Case) bool { return c.String() == name }) {
			t.Errorf("%s is no case", name)
		}
	}
}

// TestAPIServer plays against a real kube-apiserver, in real time, what
// TestGolden and TestDelivery play against the fake one. It runs only with
// `make test-apiserver`.
func TestAPIServer(t *testing.T) {
	cluster := apiserver.Start(t)
	t.Run("delivery", func(t *testing.T) {
		for _, d := range program.Deliveries(cluster.Version()) {
			t.Run(d.Name, func(t *testing.T) {
				if !d.Alone {
					t.Parallel()
				}
				n := cluster.Namespace(t)
				api := program.Server(n)
				if d.Faulty {
					api = n.Fronted()
				}
				d.Run(program.NewRig(t, d.Case(t), api))
			})
		}
	})
	t.Run("golden", func(t *testing.T) {
		cases := suite.Load(t)
		t.Cleanup(func() { t.Logf("%d cases", len(cases)) })
		for _, c := range cases {
			t.Run(c.String(), func(t *testing.T) {
				t.Parallel()
				if f := goldenNeeds[c.String()]; f != nil {
					cluster.Needs(t, f)
				}
				program.PlayGolden(program.NewRig(t, c, cluster.Namespace(t)), c)
			})
		}
	})
	t.Run("controllers", func(t *testing.T) {
		cluster.RunControllers(t, "job-controller,ttl-after-finished-controller,garbage-collector-controller")
		cluster.Enforce(t)
		t.Run("load", func(t *testing.T) { testLoad(t, cluster) })
		t.Run("ttl", func(t *testing.T) { testTTL(t, cluster) })
		t.Run("upgrade", func(t *testing.T) { testUpgrade(t, cluster) })
	})
}
