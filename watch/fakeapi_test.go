package watch

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"
)

// call is one that was made of the server.
type call struct {
	verb string // watch, get, cached where an old answer will do, job, or patch
	at   time.Duration
	what string // a watch's resourceVersion, or a PATCH's status and reason
}

// killing is a word to SetKillAt: after this long SIGKILL was expected then.
type killing struct{ at, kill time.Duration }

// fakeAPI is a server with one Pod and its Job, in the time of a synctest bubble.
// Requests fail while their verb has an error, and wait while it is held.
type fakeAPI struct {
	mu       sync.Mutex
	began    time.Time
	pod      *corev1.Pod // nil: there is none
	job      *batchv1.Job
	version  int
	watchers map[chan apiwatch.Event]bool
	made     []call
	kills    []killing

	fails map[string]error
	holds map[string]chan struct{}
	slow  time.Duration // that an answer takes
	stale *corev1.Pod   // what the cache still holds
	quiet bool          // watches tell nothing
}

func newFakeAPI(p *corev1.Pod) *fakeAPI {
	f := &fakeAPI{version: 10, watchers: map[chan apiwatch.Event]bool{}, fails: map[string]error{}, holds: map[string]chan struct{}{}, job: theJob()}
	f.set(p)
	return f
}

// set has the Pod be another one, and tells the watches.
func (f *fakeAPI) set(p *corev1.Pod) {
	f.mu.Lock()
	defer f.mu.Unlock()
	kind := apiwatch.Modified
	switch {
	case p == nil && f.pod == nil:
		return
	case p == nil:
		kind, p = apiwatch.Deleted, f.pod
	case f.pod == nil:
		kind = apiwatch.Added
	}
	f.version++
	p = p.DeepCopy()
	p.ResourceVersion = strconv.Itoa(f.version)
	f.pod = p
	if kind == apiwatch.Deleted {
		f.pod = nil
	}
	for w := range f.watchers {
		w <- apiwatch.Event{Type: kind, Object: p}
	}
}

// cuts has the connections of all watches break.
func (f *fakeAPI) cuts() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for w := range f.watchers {
		delete(f.watchers, w)
		close(w)
	}
}

// fail has requests of a verb have this answer; nil: no more.
func (f *fakeAPI) fail(verb string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fails[verb] = err
}

// hold has requests of a verb that begin from now on wait for the release.
func (f *fakeAPI) hold(verb string) (release func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	hold := make(chan struct{})
	f.holds[verb] = hold
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.holds, verb)
		close(hold)
	}
}

// answersTake has every answer take so long.
func (f *fakeAPI) answersTake(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.slow = d
}

// hush has watches that begin from now on tell nothing, or again what there is.
func (f *fakeAPI) hush(yes bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.quiet = yes
}

// lag has the cache be what it is now from now on.
func (f *fakeAPI) lag() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stale = f.pod
}

// calling takes note of a call, and answers when it is due.
func (f *fakeAPI) calling(ctx context.Context, verb, what string) error {
	f.mu.Lock()
	f.made = append(f.made, call{verb, time.Since(f.began), what})
	hold, slow := f.holds[verb], f.slow
	f.mu.Unlock()
	if verb != "watch" {
		select {
		case <-time.After(slow):
		case <-ctx.Done():
		}
	}
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fails[verb]
}

func (f *fakeAPI) GetPod(ctx context.Context, cached bool) (*corev1.Pod, error) {
	verb := "get"
	if cached {
		verb = "cached"
	}
	if err := f.calling(ctx, verb, ""); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.pod
	if cached && f.stale != nil {
		p = f.stale
	}
	if p == nil {
		return nil, status404
	}
	return p.DeepCopy(), nil
}

func (f *fakeAPI) GetJob(ctx context.Context) (*batchv1.Job, error) {
	if err := f.calling(ctx, "job", ""); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.job.DeepCopy(), nil
}

func (f *fakeAPI) PatchJobStatus(ctx context.Context, on metav1.Preconditions, what *batchv1.Job) (*batchv1.Job, error) {
	c := what.Status.Conditions[0]
	if err := f.calling(ctx, "patch", string(c.Status)+" "+c.Reason); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fails["metadata"]; err != nil && len(what.Labels)+len(what.Annotations) > 0 {
		return nil, err
	}
	if on.ResourceVersion != nil && *on.ResourceVersion != f.job.ResourceVersion {
		return nil, status409
	}
	f.version++
	f.job.ResourceVersion = strconv.Itoa(f.version)
	f.job.Status.Conditions = []batchv1.JobCondition{c}
	return f.job.DeepCopy(), nil
}

func (f *fakeAPI) SetKillAt(at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kills = append(f.kills, killing{time.Since(f.began), at.Sub(f.began)})
}

func (f *fakeAPI) WatchPod(ctx context.Context, version string, opened func(), event func(apiwatch.Event)) error {
	if err := f.calling(ctx, "watch", version); err != nil {
		return err
	}
	events := make(chan apiwatch.Event, 100)
	f.mu.Lock()
	pod, quiet := f.pod, f.quiet
	f.watchers[events] = !quiet
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.watchers, events)
	}()
	opened()
	if quiet {
		<-ctx.Done()
		return ctx.Err()
	}
	if version == "" && pod != nil {
		event(apiwatch.Event{Type: apiwatch.Added, Object: pod.DeepCopy()})
	}
	for {
		select {
		case ev, ok := <-events:
			if !ok { // the connection is cut
				return errNetwork
			}
			event(ev)
		case <-time.After(time.Minute):
			event(apiwatch.Event{Type: apiwatch.Bookmark, Object: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{ResourceVersion: f.at()}}})
		case <-ctx.Done():
			return fmt.Errorf("the watch broke off: %w", ctx.Err())
		}
	}
}

func (f *fakeAPI) at() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strconv.Itoa(f.version)
}

// calls are those made with these verbs.
func (f *fakeAPI) calls(verbs ...string) (made []call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.made {
		for _, verb := range verbs {
			if c.verb == verb {
				made = append(made, c)
			}
		}
	}
	return made
}
