package apiserver_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
	"github.com/openshift-hyperfleet/status-reporter/test/apiserver"
	"github.com/openshift-hyperfleet/status-reporter/test/program"
)

// controlled is a namespace whose Jobs are the Job controller's: it makes their
// Pods and sets their conditions.
type controlled struct {
	*apiserver.Namespace
	spec func(spec *batchv1.JobSpec) // changes what the case says
	pod  string
}

func (n *controlled) CreateJob(job *batchv1.Job) *batchv1.Job {
	job = job.DeepCopy()
	job.Status = batchv1.JobStatus{}
	n.spec(&job.Spec)
	return n.Namespace.CreateJob(job)
}

func (n *controlled) CreatePod(pod *corev1.Pod) *corev1.Pod {
	pod = n.AdoptPod(program.JobName, pod.Status)
	n.pod = pod.Name
	return pod
}

func (n *controlled) UpdatePod(_, _ string, change func(*corev1.Pod)) *corev1.Pod {
	return n.Namespace.UpdatePod(program.Namespace, n.pod, change)
}

func (n *controlled) DeletePod(_, _ string) { n.Namespace.DeletePod(program.Namespace, n.pod) }

func (n *controlled) Env() map[string]string {
	env := n.Namespace.Env()
	env["POD_NAME"] = n.pod
	return env
}

// ends are those of adapters, each as what the kubelet tells of it, and what
// the reporter and the Job controller must make of it.
var ends = []struct {
	name string
	file string // written in the same moment
	code int32
	want contract.Outcome
	exit int
	then func(kubetest.Version) []batchv1.JobConditionType // the Job controller's
}{
	{"success", program.GoodFile, 0, program.Good, 0, program.CompleteIn},
	{"crash", "", 1, program.Crashed, 1, program.FailedIn},
	{"failure", `{"status":"failure","reason":"Quota","message":"none left"}`, 0,
		contract.Outcome{Status: contract.False, Reason: "Quota", Message: "none left"}, 0, program.CompleteIn},
	{"success, then a crash", program.GoodFile, 1, program.Good, 0, program.FailedIn},
}

// testLoad has 200 reporters write to 200 Jobs while the Job controller
// completes and fails them, under deploy/policy/own-condition.yaml: of all that
// either writes nothing is refused.
func testLoad(t *testing.T, cluster *apiserver.Cluster) {
	const jobs = 200
	version := cluster.Version()
	c := program.DefaultCase(t)
	var (
		all   sync.WaitGroup
		ready sync.WaitGroup
		mu    sync.Mutex
		took  []time.Duration
	)
	ready.Add(jobs)
	refusals := cluster.Refusals(t)
	if refusals == 0 {
		t.Fatal("the server counts no refusals")
	}
	for i := range jobs {
		end := ends[i%len(ends)]
		all.Go(func() {
			t.Run(fmt.Sprintf("%d %s", i, end.name), func(t *testing.T) { // in a goroutine each: no limit on how many run at once
				once := sync.OnceFunc(ready.Done)
				defer once() // even where it fails
				r := program.NewRig(t, c, &controlled{Namespace: cluster.Namespace(t, apiserver.Enforced), spec: func(s *batchv1.JobSpec) { *s.BackoffLimit = 0 }})
				r.Start()
				once()
				ready.Wait()

				began := time.Now()
				if end.file != "" {
					r.Write(end.file)
				}
				r.EndPod(end.code)
				r.End(end.exit)
				mu.Lock()
				took = append(took, time.Since(began))
				mu.Unlock()
				r.Await("the Job's end", func() bool { return stand(r, end.then(version)) })
				r.Expect(end.want.Status, end.want.Reason, end.want.Message)
			})
		})
	}
	all.Wait()
	if n := cluster.Refusals(t) - refusals; n > 0 {
		t.Errorf("the policy has refused %d writes", n)
	}
	slices.Sort(took)
	if n := len(took); n > 0 {
		t.Logf("%d Jobs; from the adapter's end to the reporter's: median %s, worst %s", n, took[n/2].Round(time.Millisecond), took[n-1].Round(time.Millisecond))
	}
}

// stand reports whether all these conditions are True.
func stand(r *program.Rig, kinds []batchv1.JobConditionType) bool {
	job := r.API.Job(program.Namespace, program.JobName)
	for _, kind := range kinds {
		if c := kubeapi.Condition(job, kind); c == nil || c.Status != corev1.ConditionTrue {
			return false
		}
	}
	return true
}

// testTTL has a Job removed before its report: by ttlSecondsAfterFinished 0, the
// moment that it is Complete.
func testTTL(t *testing.T, cluster *apiserver.Cluster) {
	r := program.NewRig(t, program.DefaultCase(t), &controlled{Namespace: cluster.Namespace(t), spec: func(s *batchv1.JobSpec) { s.TTLSecondsAfterFinished = new(int32) }})
	r.API.Deny("patch", "jobs/status") // holds the report up
	r.Start()
	r.Finish()
	r.EndPod(0)
	r.Await("the Job's removal", func() bool { return r.API.Job(program.Namespace, program.JobName) == nil })
	r.API.Allow("patch", "jobs/status")
	r.End(3)
	if r.TerminationMessage() == "" {
		t.Error("the termination message says nothing of the report that is lost")
	}
}
