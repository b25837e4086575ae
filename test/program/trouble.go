package program

import (
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// trouble is what can be made with either server.
type trouble interface {
	SpoilToken()
	NewToken()
	Restart()
	StopServer()
	StartServer()
	Save()
	Restore()
	Terminate(seconds int64)
	Forbid(job, words string)
}

func (r *Rig) trouble() trouble {
	if s, ok := r.API.(*kubetest.Server); ok {
		return fakeTrouble{s, r}
	}
	return r.API.(trouble)
}

// way is the server by way of which the reporter reaches the one that has the objects:
// a real one has another in front, and the fake is both.
func (r *Rig) way() *kubetest.Server {
	if s, ok := r.API.(*kubetest.Server); ok {
		return s
	}
	return r.API.(interface{ Way() *kubetest.Server }).Way()
}

// fakeTrouble has a kubetest.Server do what a cluster does by itself.
type fakeTrouble struct {
	s *kubetest.Server
	r *Rig
}

func (f fakeTrouble) SpoilToken() { f.s.SetAcceptedTokens() }
func (f fakeTrouble) NewToken()   { f.s.RotateToken("another", false) }

// Restart forgets the past, as a real server does.
func (f fakeTrouble) Restart() {
	f.StopServer()
	f.StartServer()
}

func (f fakeTrouble) StopServer() { f.s.Down() }

func (f fakeTrouble) StartServer() {
	f.s.Compact()
	time.Sleep(5 * time.Second)
	f.s.Up()
}

func (f fakeTrouble) Save() {}

// Restore has the reporter know of versions that are far ahead of all that follows.
func (f fakeTrouble) Restore() {
	ahead := f.s.Pod(Namespace, PodName)
	ahead.ResourceVersion = "100000"
	f.s.SendEvent(WatchEvent(f.r.T, ahead))
	time.Sleep(time.Millisecond)
	f.Restart()
}

// Terminate is the API server's part of a graceful deletion.
func (f fakeTrouble) Terminate(seconds int64) {
	f.s.UpdatePod(Namespace, PodName, func(pod *corev1.Pod) {
		at := metav1.NewTime(time.Now().Add(time.Duration(seconds) * time.Second))
		pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &at, &seconds
	})
}

// Forbid says it as a ValidatingAdmissionPolicy does.
func (f fakeTrouble) Forbid(job, words string) {
	f.s.Fault(Patches, kubetest.Status(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid,
		fmt.Sprintf("jobs.batch %q is forbidden: ValidatingAdmissionPolicy 'reports' with binding 'reports' denied request: %s", job, words)).Forever())
}
