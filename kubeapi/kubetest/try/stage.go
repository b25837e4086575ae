package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

const (
	namespace = "adapters"
	jobName   = "adapter-job"
	podName   = "adapter-job-x7k2p"
)

// A stage is where adapter and reporter meet: a directory for the result, an
// API server with Job and Pod, and the part of the kubelet. It plays once, until both
// have ended or the context does; what it has seen is read after that.
type stage struct {
	server  *kubetest.Server
	out     *console
	results string             // path of the result file
	history func() []fileEvent // of the result file

	reporter, adapter *process  // nil where it was not started
	podChanged        time.Time // when the adapter's end was told
	adapterRunning    bool      // at the reporter's end
}

func newStage(tb kubetest.TB, stderr io.Writer) *stage {
	s := &stage{
		server:  kubetest.New(tb),
		out:     &console{w: stderr},
		results: filepath.Join(tb.TempDir(), "adapter-result.json"),
	}
	s.history = watchFile(tb, s.results)
	job := s.server.CreateJob(newJob())
	s.server.CreatePod(newPod(job.UID))
	return s
}

// play runs both processes to their end.
func (s *stage) play(ctx context.Context, o options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	env := slices.Concat(s.server.Environ(), o.adapter.env, []string{
		"JOB_NAME=" + jobName, "JOB_NAMESPACE=" + namespace, "POD_NAME=" + podName, "RESULTS_PATH=" + s.results})
	reporter, err := start(ctx, "reporter", s.out, []string{o.reporter}, env)
	if err != nil {
		return err
	}
	s.reporter = reporter
	// In a Pod both start at once; here the times are to be the reporter's work
	// and not its start.
	ready, stop := context.WithCancelCause(ctx)
	go func() { <-reporter.done; stop(errors.New("the reporter has ended")) }()
	_, notWatching := s.server.WaitAnswers(ready, kubetest.Match{Verb: "watch", Resource: "pods"}, 1)
	_, notReading := s.server.WaitAnswers(ready, kubetest.Match{Verb: "get", Resource: "jobs"}, 1)
	if notWatching == nil && notReading == nil {
		err = s.runAdapter(ctx, o, reporter)
	}
	<-reporter.done // ctx ends it
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return err
}

// runAdapter runs the adapter, tells the Pod of its end, and returns when the
// adapter's or the reporter's end has made the other one's sure.
func (s *stage) runAdapter(ctx context.Context, o options, reporter *process) error {
	alive, kill := context.WithCancel(ctx)
	defer kill()
	command, env := o.command, []string{"RESULTS_PATH=" + s.results}
	if o.programs != "" {
		env = append(env, "PATH="+o.programs+string(os.PathListSeparator)+os.Getenv("PATH"))
	}
	if command[0] == reporterName {
		command = append([]string{filepath.Join(o.programs, reporterName)}, command[1:]...)
	}
	adapter, err := start(alive, "adapter", s.out, command, env)
	if err != nil {
		return errors.Join(explained(command[0], err), reporter.cmd.Cancel()) // it would wait for a result
	}
	s.adapter = adapter
	select {
	case <-adapter.done:
	case <-reporter.done:
		s.awaitAdapter(ctx, adapter, o.patience)
		kill()
		<-adapter.done
		if s.adapterRunning {
			s.out.line("kubelet", []byte("adapter is still running; killed"))
			return nil
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.adapterEnded(adapter.code, o.adapter.oomKilled)
	return nil
}

// awaitAdapter leaves the adapter time to end by itself, unless it had its time.
func (s *stage) awaitAdapter(ctx context.Context, adapter *process, patience time.Duration) {
	if _, err := os.Lstat(s.results); err == nil {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		s.adapterRunning = adapter.wait(ctx) != nil
		return
	}
	s.adapterRunning = true
}

// adapterEnded is what the kubelet makes of the adapter's exit.
func (s *stage) adapterEnded(code int, oomKilled bool) {
	state := corev1.ContainerStateTerminated{ExitCode: int32(code), Reason: "Completed", FinishedAt: metav1.Now()}
	switch {
	case oomKilled:
		state.Reason = "OOMKilled"
	case code != 0:
		state.Reason = "Error"
	}
	s.out.line("kubelet", fmt.Appendf(nil, "adapter is terminated: exit code %d, %s", code, state.Reason))
	s.podChanged = time.Now()
	s.server.UpdatePod(namespace, podName, func(pod *corev1.Pod) {
		adapter := &pod.Status.ContainerStatuses[0]
		state.StartedAt = adapter.State.Running.StartedAt
		adapter.State = corev1.ContainerState{Terminated: &state}
		adapter.Ready = false
	})
}

func newJob() *batchv1.Job {
	now := metav1.Now()
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: jobName, Namespace: namespace},
		Spec: batchv1.JobSpec{
			BackoffLimit: new(int32(0)),
			Parallelism:  new(int32(1)),
			Completions:  new(int32(1)),
			Template:     corev1.PodTemplateSpec{Spec: podSpec()},
		},
		Status: batchv1.JobStatus{Active: 1, Ready: new(int32(1)), StartTime: &now},
	}
}

func newPod(job types.UID) *corev1.Pod {
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: podName, Namespace: namespace,
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: jobName, UID: job, Controller: new(true)}},
		},
		Spec: podSpec(),
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning,
			ContainerStatuses: []corev1.ContainerStatus{
				{Name: "adapter", Ready: true, State: running},
				{Name: "status-reporter", Ready: true, State: running},
			},
		},
	}
}

func podSpec() corev1.PodSpec {
	return corev1.PodSpec{
		RestartPolicy:                 corev1.RestartPolicyNever,
		TerminationGracePeriodSeconds: new(int64(30)),
		Containers:                    []corev1.Container{{Name: "adapter"}, {Name: "status-reporter"}},
	}
}
