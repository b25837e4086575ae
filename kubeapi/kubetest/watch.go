package kubetest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

const (
	// watchTimeout ends a watch that names no timeoutSeconds; a real server
	// takes 30 to 60 minutes.
	watchTimeout = 30 * time.Minute
	// bookmarkPeriod is that of kube-apiserver, which adds up to a quarter.
	bookmarkPeriod = time.Minute
	// lastBookmark is how long before the end of a watch the last one comes.
	lastBookmark = 2 * time.Second
)

// An event is something that running watches get: a change of a Pod, which
// later watches can ask for as well, or something that a test made.
type event struct {
	kind      eventKind
	version   int64  // of a change
	namespace string // of a change
	name      string // of a change
	line      []byte
}

type eventKind int

const (
	change eventKind = iota
	bookmark
	raw
	closeWatch
	breakWatch
)

// objectEvent is the event for a change of a Pod.
func objectEvent(eventType string, version int64, o object) event {
	return event{kind: change, version: version, namespace: o.GetNamespace(), name: o.GetName(), line: eventLine(watch.EventType(eventType), o)}
}

func eventLine(t watch.EventType, o runtime.Object) []byte {
	return append(mustJSON(metav1.WatchEvent{Type: string(t), Object: runtime.RawExtension{Object: o}}), '\n')
}

func (s *Server) inject(e event) { s.update(func() { s.history = append(s.history, e) }) }

// Bookmark sends a bookmark to the running watches that asked for bookmarks, as
// they get every minute anyway. Its resourceVersion is a new one, as if
// something else had been written.
func (s *Server) Bookmark() {
	s.update(func() {
		s.version++
		s.history = append(s.history, s.bookmarkEvent(nil))
	})
}

// bookmarkEvent is a bookmark of the present. The caller holds the lock.
func (st *store) bookmarkEvent(annotations map[string]string) event {
	return event{kind: bookmark, line: eventLine(watch.Bookmark, &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{ResourceVersion: strconv.FormatInt(st.version, 10), Annotations: annotations},
	})}
}

// Compact forgets what happened so far: a watch that resumes from any
// resourceVersion seen until now gets 410 Expired. Running watches go on.
func (s *Server) Compact() {
	s.update(func() {
		s.version++ // something else was written
		s.floor = s.version
	})
}

// CloseWatches ends all running watches cleanly, as a server does after a
// while.
func (s *Server) CloseWatches() { s.inject(event{kind: closeWatch}) }

// BreakWatches breaks all running watches off in the middle of an event.
func (s *Server) BreakWatches() { s.inject(event{kind: breakWatch}) }

// SendEvent writes bytes into all running watches as they are: unknown events,
// garbage, events without end. A watch event ends with a newline.
func (s *Server) SendEvent(b []byte) { s.inject(event{kind: raw, line: b}) }

// Watches is the number of running watches.
func (s *Server) Watches() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watches
}

func (s *Server) watch(a *answer) {
	backlog, next, err := s.beginWatch(a.rec)
	s.update(func() { s.watches++ })
	defer s.update(func() { s.watches-- })
	a.Header().Set("Content-Type", "application/json")
	a.WriteHeader(http.StatusOK)
	a.Flush()
	if err != nil {
		a.event(event{kind: raw, line: eventLine(watch.Error, asObject(err))})
		return
	}
	if a.events(backlog) {
		s.follow(a, next)
	}
}

// follow writes the history from next on, until the watch ends.
func (s *Server) follow(a *answer, next int) {
	timeout := watchTimeout
	if seconds, _ := strconv.Atoi(a.rec.Query.Get("timeoutSeconds")); seconds > 0 {
		timeout = time.Duration(seconds) * time.Second
	}
	end := time.NewTimer(timeout)
	defer end.Stop()
	minute := time.NewTicker(bookmarkPeriod)
	defer minute.Stop()
	var last <-chan time.Time
	if timeout > lastBookmark {
		last = time.After(timeout - lastBookmark)
	}
	for {
		s.mu.Lock()
		events, changed := s.history[next:], s.changed
		next = len(s.history)
		s.mu.Unlock()
		if !a.events(events) {
			return
		}
		select {
		case <-changed:
		case <-minute.C:
			if !a.bookmark() {
				return
			}
		case <-last:
			if !a.bookmark() {
				return
			}
		case <-end.C:
			return
		case <-a.req.Context().Done():
			abort()
		}
	}
}

// bookmark is event for a bookmark of the present: it reports whether that was sent.
func (a *answer) bookmark() bool {
	a.s.mu.Lock()
	e := a.s.bookmarkEvent(nil)
	a.s.mu.Unlock()
	return a.event(e)
}

// events is event for several.
func (a *answer) events(events []event) bool {
	return !slices.ContainsFunc(events, func(e event) bool { return !a.event(e) })
}

// beginWatch returns what a watch begins with, and where in the history it goes
// on.
func (s *Server) beginWatch(r *Request) (backlog []event, next int, err *apierrors.StatusError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next = len(s.history)
	from := fromVersion(r)
	if from == 0 {
		if o := s.objects[key{"pods", r.Namespace, r.Name}]; o != nil {
			backlog = append(backlog, objectEvent("ADDED", s.version, o))
		}
		if InitialBookmarks.In(s.kubernetes) {
			backlog = append(backlog, s.bookmarkEvent(map[string]string{metav1.InitialEventsAnnotationKey: "true"}))
		}
		return backlog, next, nil
	}
	if from < s.floor {
		return nil, next, apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", from, s.floor))
	}
	for _, e := range s.history {
		if e.kind == change {
			backlog = append(backlog, e)
		}
	}
	return backlog, next, nil
}

// fromVersion is the resourceVersion that a watch goes on from; 0: none.
func fromVersion(r *Request) int64 {
	v, _ := strconv.ParseInt(r.Query.Get("resourceVersion"), 10, 64)
	return v
}

// event writes an event, if it is for this watch, and reports whether the watch
// goes on.
func (a *answer) event(e event) bool {
	switch e.kind {
	case change:
		if e.namespace != a.rec.Namespace || e.name != a.rec.Name || e.version <= fromVersion(a.rec) {
			return true
		}
	case bookmark:
		if !a.rec.Query.Has("allowWatchBookmarks") {
			return true
		}
	case closeWatch:
		return false
	case breakWatch:
		a.Write([]byte(`{"type":"MODIFIED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"na`))
		a.Flush()
		abort()
	}
	if _, err := a.Write(e.line); err != nil {
		return false
	}
	a.Flush()
	return true
}
