package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// cronTime is how long the CronJob controller may take to note a Job's end.
const cronTime = 5 * time.Second

func (c *cluster) cronJobs() string {
	return "/apis/batch/v1/namespaces/" + c.namespace + "/cronjobs"
}

// adopt makes a CronJob that starts nothing by itself, and the Job one of its own, as
// `kubectl create job --from` does.
func (c *cluster) adopt(ctx context.Context, job *batchv1.Job) error {
	suspend, yes := true, true
	cron := &batchv1.CronJob{
		ObjectMeta: metav1.ObjectMeta{Name: job.Name},
		Spec:       batchv1.CronJobSpec{Schedule: "0 0 1 1 *", Suspend: &suspend, JobTemplate: batchv1.JobTemplateSpec{Spec: job.Spec}},
	}
	if err := c.exchange(ctx, http.MethodPost, c.cronJobs(), cron, cron); err != nil {
		return err
	}
	job.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "CronJob", Name: cron.Name, UID: cron.UID, Controller: &yes}}
	return nil
}

// judgeCron holds lastSuccessfulTime to the Job's end: it moves for one that is
// Complete, and for no other.
func (p *playing) judgeCron(ctx context.Context) error {
	complete := p.testCase.ends() == string(batchv1.JobComplete)
	for end := time.Now().Add(cronTime); ; pause(ctx, tick) {
		cron := &batchv1.CronJob{}
		if err := p.exchange(ctx, http.MethodGet, p.cronJobs()+"/"+p.job.Name, nil, cron); err != nil {
			return err
		}
		moved := cron.Status.LastSuccessfulTime != nil
		switch {
		case moved && !complete:
			return fmt.Errorf("the CronJob's lastSuccessfulTime is %s, after a Job that is Failed", cron.Status.LastSuccessfulTime)
		case moved:
			return nil
		case time.Now().After(end) && complete:
			return errors.New("the CronJob's lastSuccessfulTime does not move")
		case time.Now().After(end):
			return nil
		}
	}
}

// exchange sends one request and decodes the answer.
func (c *cluster) exchange(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	body, err := c.open(ctx, method, path, "application/json", in)
	if err != nil {
		return err
	}
	defer body.Close()
	return json.NewDecoder(body).Decode(out)
}
