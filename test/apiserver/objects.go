package apiserver

import (
	"context"
	"net/http"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// CreateJob makes a Job, with its status as the Job controller would have set
// it, and returns it as the server has it.
func (n *Namespace) CreateJob(job *batchv1.Job) *batchv1.Job {
	n.tb.Helper()
	made := job.DeepCopy()
	n.clean(&made.ObjectMeta)
	n.must(http.MethodPost, n.jobs(), made, made)
	if !apiequality.Semantic.DeepEqual(job.Status, batchv1.JobStatus{}) {
		return n.UpdateJob(n.Name, made.Name, func(j *batchv1.Job) { j.Status = job.Status })
	}
	return made
}

// UpdateJob lets change edit the status of a Job, as the Job controller would.
func (n *Namespace) UpdateJob(_, name string, change func(*batchv1.Job)) *batchv1.Job {
	n.tb.Helper()
	job := &batchv1.Job{}
	n.must(http.MethodGet, n.jobs()+"/"+name, nil, job)
	change(job)
	n.must(http.MethodPut, n.jobs()+"/"+name+"/status?fieldManager=kube-controller-manager", job, job)
	return job
}

// CreatePod makes a Pod, deletes it where it has a deletionTimestamp, which it
// then survives as no kubelet is there to end it, and sets its status.
func (n *Namespace) CreatePod(pod *corev1.Pod) *corev1.Pod {
	n.tb.Helper()
	made := pod.DeepCopy()
	n.clean(&made.ObjectMeta)
	n.must(http.MethodPost, n.pods(), made, made)
	if pod.DeletionTimestamp != nil {
		seconds := strconv.FormatInt(*pod.DeletionGracePeriodSeconds, 10)
		n.must(http.MethodDelete, n.pods()+"/"+made.Name+"?gracePeriodSeconds="+seconds, nil, made)
	}
	if !apiequality.Semantic.DeepEqual(pod.Status, corev1.PodStatus{}) {
		made = n.UpdatePod(n.Name, made.Name, func(p *corev1.Pod) { p.Status = pod.Status })
	}
	n.pod = made
	return made
}

// UpdatePod lets change edit the status of a Pod, as the kubelet would.
func (n *Namespace) UpdatePod(_, name string, change func(*corev1.Pod)) *corev1.Pod {
	n.tb.Helper()
	pod := &corev1.Pod{}
	n.must(http.MethodGet, n.pods()+"/"+name, nil, pod)
	change(pod)
	n.must(http.MethodPut, n.pods()+"/"+name+"/status", pod, pod)
	return pod
}

// DeletePod removes a Pod at once, after the Job controller's finalizer, as that
// one would.
func (n *Namespace) DeletePod(_, name string) {
	n.tb.Helper()
	pod := &corev1.Pod{}
	n.must(http.MethodGet, n.pods()+"/"+name, nil, pod)
	if len(pod.Finalizers) > 0 {
		pod.Finalizers = nil
		n.must(http.MethodPut, n.pods()+"/"+name, pod, nil)
	}
	n.must(http.MethodDelete, n.pods()+"/"+name+"?gracePeriodSeconds=0", nil, nil)
}

// DeleteJob removes a Job at once.
func (n *Namespace) DeleteJob(_, name string) {
	n.tb.Helper()
	n.must(http.MethodDelete, n.jobs()+"/"+name+"?propagationPolicy=Background", nil, nil)
}

// Job returns a Job, nil if there is none.
func (n *Namespace) Job(_, name string) *batchv1.Job { return read[batchv1.Job](n, n.jobs()+"/"+name) }

// Pod returns a Pod, nil if there is none.
func (n *Namespace) Pod(_, name string) *corev1.Pod { return read[corev1.Pod](n, n.pods()+"/"+name) }

// AdoptPod waits for the Pod that the Job controller makes for a Job, puts it on
// a node and sets its status.
func (n *Namespace) AdoptPod(job string, status corev1.PodStatus) *corev1.Pod {
	n.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var list corev1.PodList
	err := n.Wait(ctx, func() bool { // an earlier Job's has its node
		n.must(http.MethodGet, n.pods()+"?fieldSelector=spec.nodeName%3D&labelSelector="+batchv1.JobNameLabel+"%3D"+job, nil, &list)
		return len(list.Items) > 0
	})
	if err != nil {
		n.tb.Fatalf("the Job controller makes no Pod for %s", job)
	}
	name := list.Items[0].Name
	n.must(http.MethodPost, n.pods()+"/"+name+"/binding", &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Target:     corev1.ObjectReference{Kind: "Node", Name: "node-1"},
	}, nil)
	n.pod = n.UpdatePod(n.Name, name, func(p *corev1.Pod) {
		status.QOSClass = p.Status.QOSClass
		p.Status = status
	})
	return n.pod
}

func read[T any](n *Namespace, path string) *T {
	n.tb.Helper()
	o := new(T)
	if err := n.c.admin.do(context.Background(), http.MethodGet, path, nil, o); notFound(err) {
		return nil
	} else if err != nil {
		n.tb.Fatal(err)
	}
	return o
}

// clean takes out what only the server may set.
func (n *Namespace) clean(meta *metav1.ObjectMeta) {
	meta.Namespace = n.Name
	meta.UID, meta.ResourceVersion, meta.Generation = types.UID(""), "", 0
	meta.CreationTimestamp, meta.DeletionTimestamp, meta.DeletionGracePeriodSeconds = metav1.Time{}, nil, nil
}
