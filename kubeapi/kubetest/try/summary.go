package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/internal/yaml"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// summary prints the Job to stdout and how it came to be to stderr. Its error
// says that the run did not show what it was to show.
func (s *stage) summary(expectReason string, stdout, stderr io.Writer) error {
	job := s.server.Job(namespace, jobName)
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": job.APIVersion, "kind": job.Kind, "status": job.Status,
		"metadata": map[string]any{"name": job.Name, "namespace": job.Namespace, "uid": job.UID},
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "\n$ kubectl get job %s -n %s -o yaml  # without its spec\n", jobName, namespace)
	stdout.Write(text)
	fmt.Fprintln(stderr)
	condition, patched := s.delivered(job)
	s.timing(condition, patched, stderr)
	fmt.Fprintf(stderr, "requests: %d, connections: %d, reporter's exit code: %d\n",
		len(s.server.Requests()), s.server.Connections(), s.reporter.code)
	if info, err := os.Lstat(s.results); err == nil && info.Mode().IsRegular() && info.Mode()&0o004 == 0 {
		fmt.Fprintf(stderr, "warning: the result file's mode is %s; in a Pod the reporter may run as another user, who cannot read it: chmod 644\n", info.Mode())
	}
	switch {
	case condition == nil:
		return errors.New("the Job got no condition")
	case expectReason != "" && condition.Reason != expectReason:
		return fmt.Errorf("the condition's reason is %s, expected %s", condition.Reason, expectReason)
	}
	return nil
}

// delivered is the condition that the reporter wrote, and when its last write
// arrived; nil where it wrote none.
func (s *stage) delivered(job *batchv1.Job) (*batchv1.JobCondition, time.Time) {
	var at time.Time
	for _, r := range s.server.Requests(kubetest.Match{Verb: "patch"}) {
		if r.Code == 200 {
			at = r.Time
		}
	}
	if at.IsZero() || len(job.Status.Conditions) == 0 {
		return nil, at
	}
	return &job.Status.Conditions[0], at // nobody else writes one
}

// timing tells what happened when, and how long the report took from what
// caused it.
func (s *stage) timing(c *batchv1.JobCondition, patched time.Time, stderr io.Writer) {
	own := c != nil && s.own(c)
	closed, read := fileTimes(s.history(), own, patched)
	writeTimeline(stderr, s.timeline(closed, read), coloured(stderr))
	fmt.Fprintln(stderr)
	switch {
	case own && !closed.IsZero():
		fmt.Fprintf(stderr, "from the result file's close to the condition: %s\n", milliseconds(patched.Sub(closed)))
	case c != nil && !s.podChanged.IsZero() && s.podChanged.Before(patched):
		fmt.Fprintf(stderr, "from the adapter's state in the Pod to the condition: %s\n", milliseconds(patched.Sub(s.podChanged)))
	}
}

// own reports whether the condition is the adapter's own result.
func (s *stage) own(c *batchv1.JobCondition) bool {
	data, _ := os.ReadFile(s.results)
	result, err := contract.Parse(data)
	return err == nil && result.Reason == c.Reason
}
