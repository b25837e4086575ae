package kubetest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// A store holds the objects and what happened to Pods. What goes in and comes out
// are copies. Every change has a resourceVersion of its own, above all before. Its
// fields are guarded by Server.mu.
type store struct {
	objects map[key]object
	version int64   // the resourceVersion last given out, to any object, as in etcd
	floor   int64   // watches from below it get 410
	history []event // for watches

	managers map[key]manager // of Jobs' conditions, where they have changed
}

type key struct{ resource, namespace, name string }

type object interface {
	metav1.Object
	runtime.Object
}

// newStore remembers nothing from before it began.
func newStore() store {
	return store{objects: make(map[key]object), managers: make(map[key]manager), version: 1000, floor: 1000}
}

// CreateJob stores a Job and returns it as the server has it. Name and
// namespace are required; uid, resourceVersion and creationTimestamp are filled
// in where they are empty. The argument is not changed.
func (s *Server) CreateJob(job *batchv1.Job) *batchv1.Job {
	s.tb.Helper()
	return s.create("jobs", job.DeepCopy()).(*batchv1.Job)
}

// Job returns a copy of a Job, nil if there is none.
func (s *Server) Job(namespace, name string) *batchv1.Job {
	job, _ := s.get("jobs", namespace, name).(*batchv1.Job)
	return job
}

// UpdateJob lets change edit a Job, as a controller would, and returns the
// result, nil if there is no such Job. A change that changes nothing keeps the
// resourceVersion. change must not call the Server.
func (s *Server) UpdateJob(namespace, name string, change func(*batchv1.Job)) *batchv1.Job {
	s.tb.Helper()
	job, _ := s.modify("jobs", namespace, name, func(o object) { change(o.(*batchv1.Job)) }).(*batchv1.Job)
	return job
}

// DeleteJob removes a Job.
func (s *Server) DeleteJob(namespace, name string) { s.tb.Helper(); s.delete("jobs", namespace, name) }

// CreatePod is as [Server.CreateJob]; watches get ADDED. Without a phase the Pod
// is Pending.
func (s *Server) CreatePod(pod *corev1.Pod) *corev1.Pod {
	s.tb.Helper()
	pod = pod.DeepCopy()
	if pod.Status.Phase == "" {
		pod.Status.Phase = corev1.PodPending
	}
	return s.create("pods", pod).(*corev1.Pod)
}

// Pod returns a copy of a Pod, nil if there is none.
func (s *Server) Pod(namespace, name string) *corev1.Pod {
	pod, _ := s.get("pods", namespace, name).(*corev1.Pod)
	return pod
}

// UpdatePod is as [Server.UpdateJob]; watches get MODIFIED.
func (s *Server) UpdatePod(namespace, name string, change func(*corev1.Pod)) *corev1.Pod {
	s.tb.Helper()
	pod, _ := s.modify("pods", namespace, name, func(o object) { change(o.(*corev1.Pod)) }).(*corev1.Pod)
	return pod
}

// DeletePod removes a Pod by force: watches get DELETED, and before that MODIFIED
// where the Pod had no deletionTimestamp.
func (s *Server) DeletePod(namespace, name string) { s.tb.Helper(); s.delete("pods", namespace, name) }

func (s *Server) create(resource string, o object) object {
	s.tb.Helper()
	k := key{resource, o.GetNamespace(), o.GetName()}
	if k.namespace == "" || k.name == "" {
		s.errorf("kubetest: create %s: namespace %q and name %q are required", resource, k.namespace, k.name)
	}
	if o.GetUID() == "" {
		o.SetUID(newUID())
	}
	if created := o.GetCreationTimestamp(); created.IsZero() {
		o.SetCreationTimestamp(metav1.NewTime(time.Now()))
	}
	o = canonical(o)
	exists := false
	s.update(func() {
		if _, exists = s.objects[k]; !exists {
			s.put(k, o, "ADDED")
		}
	})
	if exists {
		s.errorf("kubetest: create %s: %s/%s exists", resource, k.namespace, k.name)
	}
	return o.DeepCopyObject().(object)
}

func (s *Server) get(resource, namespace, name string) object {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[key{resource, namespace, name}]
	if o == nil {
		return nil
	}
	return o.DeepCopyObject().(object)
}

func (s *Server) modify(resource, namespace, name string, change func(object)) object {
	s.tb.Helper()
	k := key{resource, namespace, name}
	var stored object
	s.update(func() {
		old := s.objects[k]
		if old == nil {
			return
		}
		o := old.DeepCopyObject().(object)
		change(o)
		stored = s.replace(k, canonical(o), controller).DeepCopyObject().(object)
	})
	if stored == nil {
		s.errorf("kubetest: update %s: there is no %s/%s", resource, namespace, name)
	}
	return stored
}

func (s *Server) delete(resource, namespace, name string) {
	s.tb.Helper()
	k := key{resource, namespace, name}
	found := false
	s.update(func() {
		if o := s.objects[k]; o != nil {
			found = true
			if k.resource == "pods" && o.GetDeletionTimestamp() == nil {
				now, grace := metav1.Now(), int64(0)
				o = o.DeepCopyObject().(object)
				o.SetDeletionTimestamp(&now)
				o.SetDeletionGracePeriodSeconds(&grace)
				o = canonical(o)
				s.put(k, o, "MODIFIED")
			}
			s.put(k, o.DeepCopyObject().(object), "DELETED")
			delete(s.objects, k)
			delete(s.managers, k)
		}
	})
	if !found {
		s.errorf("kubetest: delete %s: there is no %s/%s", resource, namespace, name)
	}
}

// put stores o under the next resourceVersion. The caller holds the lock.
func (st *store) put(k key, o object, eventType string) {
	st.version++
	o.SetResourceVersion(strconv.FormatInt(st.version, 10))
	st.objects[k] = o
	if k.resource == "pods" {
		st.history = append(st.history, objectEvent(eventType, st.version, o))
	}
}

// replace stores what by has made of an object, unless that says what is stored
// already, and returns what is stored then.
func (st *store) replace(k key, o object, by manager) object {
	old := st.objects[k]
	o.SetResourceVersion(old.GetResourceVersion())
	if apiequality.Semantic.DeepEqual(old, o) {
		return old
	}
	if job, ok := o.(*batchv1.Job); ok && !apiequality.Semantic.DeepEqual(old.(*batchv1.Job).Status.Conditions, job.Status.Conditions) {
		st.managers[k] = by
	}
	st.put(k, o, "MODIFIED")
	return o
}

// canonical returns o as it is after a trip through JSON: times in whole
// seconds, empty lists and nil alike, kind and apiVersion set.
func canonical(o object) object {
	var out object
	switch o := o.(type) {
	case *batchv1.Job:
		o.APIVersion, o.Kind = "batch/v1", "Job"
		out = &batchv1.Job{}
	case *corev1.Pod:
		o.APIVersion, o.Kind = "v1", "Pod"
		out = &corev1.Pod{}
	}
	if err := json.Unmarshal(mustJSON(o), out); err != nil {
		panic(err) // a typed object always survives
	}
	return out
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("kubetest: %v", err))
	}
	return b
}

func newUID() types.UID {
	var b [16]byte
	rand.Read(b[:])
	return types.UID(fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]))
}
