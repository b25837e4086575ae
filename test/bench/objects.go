package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openshift-hyperfleet/status-reporter/testdata"
)

// createJob makes a Job and its Pod, in which adapter and reporter run: the
// golden suite's, which are as a cluster has them.
func (s *server) createJob(name string) (*job, error) {
	j := &job{requests: map[string]int{}, conns: map[string]bool{}, changed: make(chan struct{}), done: make(chan struct{})}
	for file, object := range map[string]any{"default.job.json": &j.object, "default.pod.json": &j.pod} {
		data, err := testdata.FS.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(data, object)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	j.object.Name, j.object.Namespace, j.object.UID = name, s.namespace, types.UID("uid-of-"+name)
	j.object.Status.Conditions = nil
	j.pod.Name, j.pod.Namespace, j.pod.UID = name+podSuffix, s.namespace, types.UID("uid-of-"+name+podSuffix)
	setAdapter(&j.pod, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}})
	j.pod.OwnerReferences[0].Name, j.pod.OwnerReferences[0].UID = name, j.object.UID
	if s.upstream != nil {
		made := s.upstream.CreateJob(&j.object)
		j.pod.OwnerReferences[0].UID = made.UID
		s.upstream.CreatePod(&j.pod)
	}
	s.podChanged(j, func(*corev1.Pod) {})
	s.mu.Lock()
	defer s.mu.Unlock()
	j.object.ResourceVersion = strconv.Itoa(s.version)
	s.jobs[name] = j
	return j, nil
}

// crash is what the kubelet tells of an adapter that exits with 1, and when it
// does.
func (s *server) crash(j *job) (at time.Time) {
	change := func(pod *corev1.Pod) {
		at = time.Now()
		setAdapter(pod, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: 1, Reason: "Error", StartedAt: metav1.Now(), FinishedAt: metav1.Now(),
		}})
	}
	if s.upstream != nil {
		s.upstream.UpdatePod(s.namespace, j.pod.Name, change)
		return at
	}
	s.podChanged(j, change)
	return at
}

func setAdapter(pod *corev1.Pod, state corev1.ContainerState) {
	statuses := pod.Status.ContainerStatuses
	for i := range statuses {
		if statuses[i].Name == "adapter" {
			statuses[i].State = state
		}
	}
}

// podChanged changes the double's Pod and tells the watches.
func (s *server) podChanged(j *job, change func(*corev1.Pod)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&j.pod)
	s.version++
	j.version = s.version
	j.pod.ResourceVersion = strconv.Itoa(j.version)
	j.podJSON, _ = json.Marshal(&j.pod)
	close(j.changed)
	j.changed = make(chan struct{})
}

func (s *server) setNoWatch(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noWatch = on
}

// watch sends the Pod at first and whenever it changes, and a bookmark a minute.
func (s *server) watch(w http.ResponseWriter, req *http.Request, j *job) {
	flush := http.NewResponseController(w).Flush
	w.Header().Set("Content-Type", jsonType)
	flush()
	s.answered(j)
	kind := "ADDED"
	seen, _ := strconv.Atoi(req.URL.Query().Get("resourceVersion"))
	if seen > 0 {
		kind = "MODIFIED"
	}
	minute := time.NewTicker(time.Minute)
	defer minute.Stop()
	for {
		s.mu.Lock()
		pod, version, changed := j.podJSON, j.version, j.changed
		s.mu.Unlock()
		if version > seen {
			fmt.Fprintf(w, `{"type":%q,"object":%s}`+"\n", kind, pod)
			seen, kind = version, "MODIFIED"
		}
		if flush() != nil {
			return
		}
		select {
		case <-changed:
		case <-minute.C:
			fmt.Fprintf(w, `{"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"%d"}}}`+"\n", seen)
		case <-req.Context().Done():
			return
		}
	}
}

// write takes the conditions of a patch of any kind that is an object, which it
// merges by their type, or those of a whole Job, which replace what is there.
// Like a real server it heeds a uid and a resourceVersion that are named.
func (s *server) write(w http.ResponseWriter, req *http.Request, j *job, arrived time.Time) {
	change, err := readJob(req.Body)
	if err != nil {
		refuse(w, http.StatusUnsupportedMediaType, "UnsupportedMediaType")
		return
	}
	s.mu.Lock()
	switch {
	case change.ResourceVersion != "" && change.ResourceVersion != j.object.ResourceVersion:
		s.mu.Unlock()
		refuse(w, http.StatusConflict, "Conflict")
		return
	case change.UID != "" && change.UID != j.object.UID:
		s.mu.Unlock()
		refuse(w, http.StatusUnprocessableEntity, "Invalid")
		return
	}
	if req.Method == http.MethodPut {
		j.object.Status.Conditions = nil
	}
	for _, c := range change.Status.Conditions {
		setCondition(&j.object.Status, c)
	}
	if len(change.Status.Conditions) > 0 {
		j.report(arrived)
	}
	s.version++
	j.object.ResourceVersion = strconv.Itoa(s.version)
	s.mu.Unlock()
	s.sendJob(w, req, j)
}

func setCondition(status *batchv1.JobStatus, c batchv1.JobCondition) {
	for i := range status.Conditions {
		if status.Conditions[i].Type == c.Type {
			status.Conditions[i] = c
			return
		}
	}
	status.Conditions = append(status.Conditions, c)
}

func (s *server) sendJob(w http.ResponseWriter, req *http.Request, j *job) {
	s.mu.Lock()
	object := j.object.DeepCopy()
	s.mu.Unlock()
	sendObject(w, req, object)
}

// sendPod sends what watches get too: the JSON is made once for each change.
func (s *server) sendPod(w http.ResponseWriter, req *http.Request, j *job) {
	s.mu.Lock()
	data, pod := j.podJSON, j.pod.DeepCopy()
	s.mu.Unlock()
	if wantsProtobuf(req) {
		sendObject(w, req, pod)
		return
	}
	w.Header().Set("Content-Type", jsonType)
	w.Write(data)
}

func (s *server) sendPods(w http.ResponseWriter, req *http.Request, j *job) {
	s.mu.Lock()
	list := &corev1.PodList{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"},
		ListMeta: metav1.ListMeta{ResourceVersion: strconv.Itoa(s.version)},
		Items:    []corev1.Pod{*j.pod.DeepCopy()},
	}
	s.mu.Unlock()
	sendObject(w, req, list)
}

func refuse(w http.ResponseWriter, code int, reason string) {
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":%[2]q,"reason":%[2]q,"code":%[1]d}`, code, reason)
}
