package watch

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

// followRow is a story of the feed and what it wants done at its end.
type followRow struct {
	name  string
	story []event
	want  string
}

func checkFollow(t *testing.T, rows []followRow) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			s := newFollowed(10 * sec)
			for _, happens := range r.story {
				happens(s)
			}
			if got := describeFollow(s); got != r.want {
				t.Errorf("got %s, want %s", got, r.want)
			}
		})
	}
}

func newFollowed(poll time.Duration) *state {
	s := newState(Config{Path: "/results/r.json", Poll: poll, Wait: 24 * time.Hour, Job: "adapter-job", Pod: "adapter-job-x7k2p", Variables: variables}, start)
	return &s
}

func describeFollow(s *state) string {
	do := s.follow()
	var words []string
	for _, w := range []struct {
		does bool
		word string
	}{{do.watch, "watch from " + s.feed.version}, {do.stop, "stop"}, {do.get, "get"}, {do.poll, "poll"}} {
		if w.does {
			words = append(words, strings.TrimSuffix(w.word, " from "))
		}
	}
	if words == nil {
		return "wait"
	}
	return strings.Join(words, ", ")
}

// What happens to a watch.

func opens(s *state)    { s.beganWatch() }
func accepted(s *state) { s.watchAccepted() }

func ended(err error) event { return func(s *state) { s.sawWatchEnd(err) } }

// versioned is a Pod as the server has it.
func versioned(version string, changes ...change) *corev1.Pod {
	return ownPod(append(changes, func(p *corev1.Pod) { p.ResourceVersion = version })...)
}

func sends(kind apiwatch.EventType, p *corev1.Pod) event {
	return func(s *state) { s.sawWatchEvent(apiwatch.Event{Type: kind, Object: p}) }
}

// bookmark is an event that only tells how far the server is.
func bookmark(version string) event {
	return sends(apiwatch.Bookmark, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{ResourceVersion: version}})
}

func gossip(s *state) { s.sawWatchEvent(apiwatch.Event{Type: "GOSSIP"}) }

var added = sends(apiwatch.Added, versioned("7"))

func TestFollow(t *testing.T) {
	watching := []event{opens, accepted, added}
	then := func(story ...event) []event { return after(watching, story...) }
	checkFollow(t, []followRow{
		{"at first", nil, "watch"},
		{"watching", watching, "wait"},
		{"gone", then(podGone), "stop"},
		{"gone, and the watch has ended", then(podGone, ended(nil)), "wait"},
		{"deleted, by the watch", then(sends(apiwatch.Deleted, versioned("8"))), "stop"},

		{"ended well", then(at(10*sec), ended(nil), at(11*sec)), "watch from 7"},
		{"ended well, and a bookmark came", then(bookmark("9"), at(10*sec), ended(nil), at(11*sec)), "watch from 9"},
		{"an event of a type that is not known", then(gossip, at(10*sec), ended(nil), at(11*sec)), "watch from 7"},
		{"a Pod without a resourceVersion", then(sends(apiwatch.Modified, versioned("")), at(10*sec), ended(nil), at(11*sec)), "watch from 7"},
		{"read since", then(at(10*sec), ended(nil), at(11*sec), getsPod("3")), "watch from 3"},
		{"read while watching", then(at(5*sec), getsPod("3"), at(10*sec), ended(nil), at(11*sec)), "watch from 7"},
		{"cut off", then(at(10*sec), ended(errNetwork), at(11*sec)), "watch from 7"},
		{"Retry-After", then(ended(status429), at(7*sec-1)), "wait"},
		{"Retry-After is over", then(ended(status429), at(8*sec)), "watch from 7"},

		{"expired: anew at once", then(ended(status410)), "watch"},
		{"expired again: after a pause", then(ended(status410), opens, ended(status410)), "wait"},
		{"expired again, later: at once", then(ended(status410), opens, accepted, added, ended(nil), at(2*sec), opens, ended(status410)), "watch"},

		{"silent", then(at(2*time.Minute - 1)), "wait"},
		{"silent for two minutes", then(at(2 * time.Minute)), "stop"},
		{"silent since a bookmark", then(at(60*sec), bookmark("9"), at(180*sec-1)), "wait"},
		{"silent for two minutes since a bookmark", then(at(60*sec), bookmark("9"), at(180*sec)), "stop"},
		{"silent since gossip", then(at(60*sec), gossip, at(180*sec-1)), "wait"},

		{"nothing was told", []event{opens, accepted, at(5*sec - 1)}, "wait"},
		{"nothing was told for 5 s", []event{opens, accepted, at(5 * sec)}, "get"},
		{"a bookmark alone was told for 5 s", []event{opens, accepted, bookmark(""), at(5 * sec)}, "get"},
		{"a bookmark alone was told for 5 s: there is no such Pod", []event{opens, accepted, bookmark("9"), at(5 * sec)}, "get"},
		{"gossip alone was told for 5 s", []event{opens, accepted, gossip, at(5 * sec)}, "get"},
		{"nothing was told, and it was read", []event{opens, accepted, at(5 * sec), asks, getsPod("7"), at(60 * sec)}, "wait"},
		{"nothing was told, and the reading failed", []event{opens, accepted, at(5 * sec), asks, readFails}, "wait"},
		{"nothing was told, and the reading failed a while ago", []event{opens, accepted, at(5 * sec), asks, readFails, at(6 * sec)}, "get"},
		{"not accepted", []event{opens, at(60 * sec)}, "wait"},
		{"not accepted, the one before was", []event{opens, accepted, ended(nil), readRefused, opens, at(60 * sec)}, "wait"},
		{"nothing was told, by one that was read for and the next", []event{opens, accepted, at(5 * sec), asks, readRefused, ended(nil), readRefused, opens, accepted, at(60 * sec)}, "get"},
		{"resumed: there may be nothing to tell", then(at(10*sec), ended(nil), at(11*sec), opens, accepted, at(60*sec)), "wait"},

		{"ended, accepted, without an event", []event{opens, accepted, ended(nil), at(sec)}, "get"},
		{"ended, after a bookmark", []event{opens, accepted, bookmark("7"), ended(nil), at(sec)}, "get"},
		{"ended, accepted, without an event, and it was read", []event{opens, accepted, ended(nil), at(sec), getsPod("7")}, "watch from 7"},
		{"503", []event{opens, ended(status503), at(sec)}, "get"},
		{"a proxy's page", []event{opens, ended(aPage), at(sec)}, "get"},
		{"no server to be met: a watch will do", []event{opens, ended(errNetwork), at(sec)}, "watch"},
		{"a server that did not answer for a second", []event{opens, at(sec), ended(errNetwork), at(2 * sec)}, "get"},

		{"403", []event{opens, ended(status403)}, "poll"},
		{"403, a reading is under way", []event{opens, ended(status403), polls}, "wait"},
		{"403, read", []event{opens, ended(status403), polls, polled("7", nil), at(10*sec - 1)}, "wait"},
		{"403, read a poll interval ago", []event{opens, ended(status403), polls, polled("7", nil), at(12500 * ms)}, "poll"},
		{"403, the reading fails", []event{opens, ended(status403), polls, polled("", errNetwork), at(10*sec - 1)}, "wait"},
		{"403, the reading has a Retry-After", []event{opens, ended(status403), polls, polled("", apiError{code: 429, wait: 20 * sec}), at(20*sec - 1)}, "wait"},
		{"403, the reading has a Retry-After of a day", []event{opens, ended(status403), polls, polled("", apiError{code: 429, wait: 24 * time.Hour}), at(30 * sec)}, "poll"},
		{"403, the cache has it not", []event{opens, ended(status403), getsPod("7"), polls, polled("", status404)}, "get"},
		{"403, the cache has it not, and the reading failed", []event{opens, ended(status403), getsPod("7"), polls, polled("", status404), readFails}, "wait"},
		{"403 a minute ago: try to watch again", []event{opens, ended(status403), polls, polled("7", nil), at(60 * sec)}, "watch"},
		{"403 again: the next reading is no sooner", []event{opens, ended(status403), at(58 * sec), polls, polled("7", nil), at(60 * sec), opens, ended(status403), at(68*sec - 1)}, "wait"},
		{"403, then granted", []event{opens, ended(status403), polls, polled("7", nil), at(60 * sec), opens, accepted, added, at(70 * sec)}, "wait"},

		{"an attempt has met no server: wait for the next", []event{opens, accepted, added, at(10 * sec), ended(errNetwork), at(12 * sec), missed}, "wait"},
		{"it was long ago", []event{opens, accepted, added, at(10 * sec), ended(errNetwork), at(12 * sec), missed, at(27 * sec)}, "watch from 7"},
		{"the next attempt has delivered", []event{opens, accepted, added, at(10 * sec), ended(errNetwork), at(12 * sec), missed, acks}, "watch from 7"},
		{"the next attempt was answered", []event{opens, accepted, added, at(10 * sec), ended(errNetwork), at(12 * sec), missed, refuses}, "watch from 7"},
		{"an attempt has met no server, and the Pod is not known", []event{opens, ended(errNetwork), at(12 * sec), missed}, "watch"},
		{"no Pod", []event{func(s *state) { s.feed.off = true }}, "wait"},
	})
}

// getsPod is a fresh reading that begins now.
func getsPod(version string, changes ...change) event {
	return func(s *state) { s.sawPodReading(versioned(version, changes...), nil, s.beganReadPod()) }
}

func polls(s *state)  { s.beganPoll() }
func asks(s *state)   { s.follow() }
func missed(s *state) { s.out.missedAt = s.now }

// acks and refuses are answers to a PATCH of the present verdict.
func acks(s *state)    { answersPatch(nil)(s) }
func refuses(s *state) { answersPatch(status503)(s) }

func answersPatch(err error) event {
	return func(s *state) {
		s.track(&verdict{interrupted: true, interim: true})
		p := s.newPatch(s.out.verdict, contract.Outcome{}, false)
		s.beganPatch(p)
		s.sawPatch(p, theJob(), err)
	}
}

func polled(version string, err error) event {
	return func(s *state) { s.sawPoll(versioned(version), err) }
}

// Pauses are drawn: they grow, are spread, and start anew after a watch that held.
func TestFollowPauses(t *testing.T) {
	pause := func(s *state, err error, held time.Duration) time.Duration {
		s.beganWatch()
		s.now = s.now.Add(held)
		s.sawWatchEnd(err)
		return s.feed.at.Sub(s.now)
	}
	const fleet = 200
	var sum time.Duration
	for range fleet {
		s := newFollowed(5 * sec)
		first := pause(s, errNetwork, 0)
		if first > minWatchBackoff {
			t.Fatalf("the first pause is %v, want %v at most", first, minWatchBackoff)
		}
		sum += first
		for range 10 {
			pause(s, errNetwork, 0)
		}
		if p := pause(s, errNetwork, healthyAfter-1); p < maxWatchBackoff/2 || p > maxWatchBackoff {
			t.Fatalf("a pause of %v after ten failures", p)
		}
		if p := pause(s, errNetwork, healthyAfter); p > minWatchBackoff {
			t.Fatalf("a pause of %v after a watch that held", p)
		}
	}
	if mean := sum / fleet; mean < 3*minWatchBackoff/10 || mean > 7*minWatchBackoff/10 { // ten standard deviations
		t.Errorf("the first pause is %v on average, want about half of %v", mean, minWatchBackoff)
	}
}

// A thousand Jobs must not become a load, nor any interval overflow.
func TestPollPauses(t *testing.T) {
	for poll, want := range map[time.Duration]time.Duration{
		0: minPodPoll, sec: minPodPoll, 20 * sec: 20 * sec, time.Hour: time.Hour, 1<<63 - 1: time.Hour,
	} {
		seen := map[time.Duration]bool{}
		for range 50 {
			s := newFollowed(poll)
			s.beganPoll()
			s.sawPoll(nil, errNetwork)
			pause := s.feed.pollAt.Sub(s.now)
			if seen[pause] = true; pause < want || pause > want*5/4 {
				t.Fatalf("poll every %v: a pause of %v", poll, pause)
			}
		}
		if len(seen) < 10 {
			t.Errorf("poll every %v: pauses %v, all Jobs started at once would read at once", poll, seen)
		}
	}
}

func TestFeedWake(t *testing.T) {
	for _, test := range []struct {
		name  string
		story []event
		want  time.Duration
	}{
		{"watching", []event{opens, accepted, added, at(6 * sec)}, 2 * time.Minute},
		{"not told the present state", []event{opens, accepted, at(sec)}, 5 * sec},
		{"in a pause", []event{opens, ended(apiError{code: 429, wait: 30 * sec}), func(s *state) { s.feed.at = start.Add(30 * sec) }}, 30 * sec},
		{"the next reading", []event{opens, ended(status403), polls, polled("7", nil), func(s *state) { s.feed.pollAt = start.Add(12 * sec) }}, 12 * sec},
		{"the next try to watch", []event{opens, ended(status403), polls, polled("7", nil), at(59 * sec)}, 60 * sec},
		{"no Pod", []event{func(s *state) { s.feed.off = true }}, 0},
	} {
		s := newFollowed(10 * sec)
		for _, happens := range test.story {
			happens(s)
		}
		want := start.Add(test.want)
		if test.want == 0 {
			want = time.Time{}
		}
		if got := soonest(s.now, s.feed.wake()...); !got.Equal(want) {
			t.Errorf("%s: woken at %v, want %v", test.name, got, want)
		}
	}
}
