package watch

import (
	"math/rand/v2"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/openshift-hyperfleet/status-reporter/internal/backoff"
)

const (
	minPodPoll      = 5 * time.Second // a thousand Jobs must not become a load
	maxPodPoll      = time.Hour
	watchRetry      = time.Minute      // between tries where the Role has no watch
	watchSilence    = 2 * time.Minute  // servers send a bookmark about every minute
	firstEvent      = 5 * time.Second  // the present state is due at once
	healthyAfter    = 10 * time.Second // a watch that held this long did not fail at the start
	minWatchBackoff = time.Second      // the most of the first pause: a server that ends cuts a thousand watches at once
	maxWatchBackoff = 10 * time.Second
)

// feed is how news of the Pod come: by a watch, and by readings where the Role has
// none. At most one of each is under way; a watch that ends is begun again after
// a pause, where it was if the server can. It ends with the Pod. It is a part of state:
// follow says what to begin, and the methods named saw… take in what came.
type feed struct {
	off  bool
	poll time.Duration

	watching bool      // a watch is under way
	began    time.Time // when it was begun
	accepted bool      // by the server
	events   int       // that told something
	heard    time.Time // when the last event came, bookmarks included
	version  string    // resourceVersion to resume from
	resumed  bool      // the watch under way has begun there
	asked    bool      // the Pod is read because nothing came
	expired  bool      // the last watch could not be resumed

	at      time.Time // not before this does the next watch begin
	get     bool      // before that the Pod is read: the watch has told nothing
	backoff backoff.Backoff

	pollUntil time.Time // the Role has no watch: the Pod is read until then
	polling   bool      // a reading for that is under way
	pollAt    time.Time // when the next one is due
	denied    string    // what the server said of that
	rand      func(n int64) int64
}

func newFeed(c Config) feed {
	random := c.rand
	if random == nil {
		random = rand.Int64N
	}
	return feed{
		rand:    random,
		off:     c.Misconfigured != nil || c.Pod == "",
		poll:    min(max(c.Poll, minPodPoll), maxPodPoll),
		backoff: backoff.Backoff{Min: minWatchBackoff, Max: maxWatchBackoff, Rand: c.rand},
	}
}

// following is what the feed wants done.
type following struct {
	watch bool // begin one, from version
	stop  bool // end the one under way, which is silent
	get   bool // read the Pod, freshly
	poll  bool // read it, and an answer that is a little old will do
}

// follow says what to do for news of the Pod.
func (s *state) follow() (do following) {
	f := &s.feed
	switch {
	case f.off || !s.stop.deleted.IsZero():
		do.stop = f.watching
	case f.watching:
		do.stop = !s.now.Before(f.heard.Add(watchSilence))
		if f.late(s.now) && !f.asked {
			f.get, f.asked = true, true
		}
		do.get = f.get
	case s.now.Before(f.pollUntil):
		do.poll = !f.polling && !s.now.Before(f.pollAt)
		do.get = f.get
	case s.now.Before(f.at) || s.unreachable() && s.pod.synced:
	case f.get:
		do.get = true
	default:
		do.watch = true
	}
	if do.get && s.now.Before(s.pod.retryAt) {
		do.get = false
	}
	return do
}

// late reports whether the watch was accepted, yet the present state does not come.
func (f *feed) late(now time.Time) bool {
	return f.accepted && !f.resumed && f.events == 0 && !now.Before(f.began.Add(firstEvent))
}

func (s *state) beganWatch() {
	f := &s.feed
	f.watching, f.began, f.heard, f.accepted, f.asked, f.events = true, s.now, s.now, false, false, 0
	f.resumed = f.version != ""
}

func (s *state) watchAccepted() { s.feed.accepted = true }

func (s *state) sawWatchEvent(ev apiwatch.Event) {
	f := &s.feed
	f.heard = s.now
	pod, _ := ev.Object.(*corev1.Pod)
	if pod == nil {
		return // of a type that is not known: not an error
	}
	if pod.ResourceVersion != "" {
		f.version = pod.ResourceVersion
	}
	switch ev.Type {
	case apiwatch.Bookmark:
		return
	case apiwatch.Deleted:
		s.podDeleted()
	default:
		s.sawPodEvent(pod)
	}
	f.events++
}

// sawWatchEnd takes in the end of a watch.
func (s *state) sawWatchEnd(err error) {
	f := &s.feed
	f.watching = false
	if s.now.Sub(f.began) >= healthyAfter {
		f.backoff.Reset()
	}
	again := f.expired
	f.expired = false
	switch answerOf(err) {
	case forbidden:
		f.pollUntil, f.pollAt = s.now.Add(watchRetry), later(f.pollAt, s.now)
		f.denied = err.Error()
		return
	case expired:
		f.expired, f.version = true, ""
		if !again {
			return // at once
		}
	}
	s.pod.lacking(err)
	// Where there was no server to be met, the next watch tells as much as a
	// reading: a fleet must not come back with both.
	met := f.accepted || somebody(err) || s.now.Sub(f.began) >= time.Second
	f.at = s.now.Add(f.backoff.Next(retryAfter(err)))
	f.get = f.get || f.events == 0 && met
}

func (s *state) beganPoll() { s.feed.polling = true }

func (s *state) sawPoll(pod *corev1.Pod, err error) {
	f := &s.feed
	f.polling = false
	pause := f.poll + time.Duration(f.rand(int64(f.poll/4)))
	if err != nil {
		pause = max(pause, min(retryAfter(err), backoff.MaxRetryAfter))
	}
	f.pollAt = s.now.Add(pause)
	s.sawCachedPod(pod, err)
}

// resumeFrom has the next watch begin at a fresh reading: etcd may have been restored.
func (f *feed) resumeFrom(version string) {
	f.get = false
	if !f.watching && version != "" {
		f.version = version
	}
}

func (f *feed) wake() []time.Time {
	if f.off {
		return nil
	}
	if f.watching {
		return []time.Time{f.heard.Add(watchSilence), f.began.Add(firstEvent)}
	}
	return []time.Time{f.at, f.pollAt, f.pollUntil}
}
