package apiserver_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
	"github.com/openshift-hyperfleet/status-reporter/test/apiserver"
)

// watching is a watch of the Pod and what comes of it.
type watching struct {
	name   string
	before func(s server)   // what happens before, once the Pod is there
	query  string           // VERSION and OLD stand for the Pod's resourceVersions, as it is and as it was made
	during []func(s server) // what happens then, each as soon as nothing more comes of what was before
	want   string           // the events
	alone  bool             // it disturbs others on the same server
}

// quiet is how long nothing must come before it is believed that nothing will.
const quiet = 500 * time.Millisecond

func running(s server) {
	s.UpdatePod(ns, pod, func(p *corev1.Pod) { p.Status.Phase = corev1.PodRunning })
}

func failed(s server) {
	s.UpdatePod(ns, pod, func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed })
}

func deleted(s server) { s.DeletePod(ns, pod) }

func created(s server) { s.CreatePod(podNamed(pod)) }

func podNamed(name string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}, Spec: template()}
}

func watches() []watching {
	type then = []func(s server)
	return []watching{
		{name: "begins with the present", during: then{running, failed, deleted}, want: "ADDED Pending, MODIFIED Running, MODIFIED Failed, MODIFIED Failed deleting, DELETED Failed deleting"},
		{name: "begins with the present, bookmarks wanted", query: "&allowWatchBookmarks=true", during: then{running}, want: "ADDED Pending, BOOKMARK initial, MODIFIED Running"},
		{name: "begins with any present", query: "&resourceVersion=0", during: then{running}, want: "ADDED Pending, MODIFIED Running"},
		{name: "begins with any present, bookmarks wanted", query: "&resourceVersion=0&allowWatchBookmarks=true", during: then{running}, want: "ADDED Pending, BOOKMARK initial, MODIFIED Running"},
		{name: "goes on", before: running, query: "&resourceVersion=VERSION", during: then{failed}, want: "MODIFIED Failed"},
		{name: "goes on, bookmarks wanted", before: running, query: "&resourceVersion=VERSION&allowWatchBookmarks=true", during: then{failed}, want: "MODIFIED Failed"},
		{name: "makes up for what it missed", before: func(s server) { running(s); failed(s) }, query: "&resourceVersion=OLD", want: "MODIFIED Running, MODIFIED Failed"},
		{name: "makes up for a deletion", before: func(s server) { running(s); deleted(s); created(s) }, query: "&resourceVersion=OLD", want: "MODIFIED Running, MODIFIED Running deleting, DELETED Running deleting, ADDED Pending"},
		{name: "of no Pod", before: deleted, during: then{created}, want: "ADDED Pending"},
		{name: "of no Pod, bookmarks wanted", before: deleted, query: "&allowWatchBookmarks=true", want: "BOOKMARK initial"},
		{name: "of another Pod's news", during: then{func(s server) { s.CreatePod(podNamed("other")) }}, want: "ADDED Pending"},
		{name: "ends in time", query: "&timeoutSeconds=1", want: "ADDED Pending, end"},
		{name: "bookmark before the end", query: "&timeoutSeconds=4&allowWatchBookmarks=true", want: "ADDED Pending, BOOKMARK initial, BOOKMARK, end"},
		{name: "bookmark before the end of one that goes on", query: "&timeoutSeconds=4&allowWatchBookmarks=true&resourceVersion=VERSION", want: "BOOKMARK, end"},
		{name: "no bookmark where none is wanted", query: "&timeoutSeconds=4", want: "ADDED Pending, end"},
		{name: "from before the server's memory", query: "&resourceVersion=1", want: "ERROR 410 Expired, end"},
		{name: "from the future", query: "&resourceVersion=1000000", during: then{running}, want: ""},
		{name: "from what is forgotten", alone: true, before: func(s server) { running(s); s.Restart() }, query: "&resourceVersion=OLD", want: "ERROR 410 Expired, end"},
		{name: "from what is remembered", alone: true, before: func(s server) { s.Restart(); running(s) }, query: "&resourceVersion=VERSION", during: then{failed}, want: "MODIFIED Failed"},
		{name: "denied meanwhile", during: then{func(s server) { s.Deny("watch", "pods") }, running}, want: "ADDED Pending, MODIFIED Running"},
	}
}

// wanted is what the table says of a version.
func (w *watching) wanted(v kubetest.Version) (want []string) {
	for _, event := range strings.Split(w.want, ", ") {
		if event != "" && (event != "BOOKMARK initial" || kubetest.InitialBookmarks.In(v)) {
			want = append(want, event)
		}
	}
	return want
}

func (w *watching) playFake(t *testing.T, v kubetest.Version) (said []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		said = w.play(t, fake{kubetest.New(t, kubetest.InMemory(), kubetest.Kubernetes(v))}, v)
		w.check(t, said, v)
	})
	return said
}

// playReal tries again where a bookmark alone is missing: a server promises none, and
// a busy one misses the second in which the last is due.
func (w *watching) playReal(t *testing.T, cluster *apiserver.Cluster, v kubetest.Version) (said []string) {
	t.Helper()
	isBookmark := func(what string) bool { return what == "BOOKMARK" }
	for range 5 {
		said = w.play(t, cluster.Namespace(t), v)
		want, got := w.wanted(v), inShort(said)
		if slices.Equal(want, got) || !slices.Equal(slices.DeleteFunc(want, isBookmark), got) {
			break
		}
	}
	w.check(t, said, v)
	return said
}

func (w *watching) check(t *testing.T, said []string, v kubetest.Version) {
	t.Helper()
	if diff := cmp.Diff(w.wanted(v), inShort(said)); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, strings.Join(said, "\n"))
	}
}

// inShort are events as the table has them.
func inShort(said []string) (short []string) {
	for _, line := range said {
		what, _, _ := strings.Cut(line, "\t")
		short = append(short, what)
	}
	return short
}

// play watches, and returns all that came.
func (w *watching) play(t *testing.T, s server, v kubetest.Version) []string {
	t.Helper()
	c := newCaller(t, s)
	old := s.CreatePod(podNamed(pod))
	if w.before != nil {
		w.before(s)
	}
	version := ""
	if p := s.Pod(ns, pod); p != nil {
		version = p.ResourceVersion
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	query := strings.NewReplacer("VERSION", version, "OLD", old.ResourceVersion).Replace(w.query)
	resp := c.send(ctx, http.MethodGet, listPath+"&watch=true"+query, "", "", "")
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%T: %s", s, resp.Status)
	}
	lines := make(chan string)
	go readLines(resp.Body, lines)

	var said []string
	want := w.wanted(v)
	bookmarks := strings.Contains(", "+w.want+",", ", BOOKMARK,")
	present := !strings.Contains(w.query, "resourceVersion=") || strings.Contains(w.query, "resourceVersion=0")
	if present && version != "" {
		said = collect(t, lines, bookmarks, 1, 0) // before anything else happens
	}
	for _, do := range w.during {
		do(s)
	}
	return append(said, collect(t, lines, bookmarks, len(want)-len(said), quiet)...)
}

// end stands for the end of a watch in good order.
const end = `{"type":"end"}`

func readLines(r io.Reader, lines chan<- string) {
	defer close(lines)
	b := bufio.NewReader(r)
	for {
		line, err := b.ReadString('\n')
		if err == io.EOF {
			line = end
		}
		if line != "" {
			lines <- line
		}
		if err != nil {
			return
		}
	}
}

// collect waits for n events, then for others for as long as more says. Of
// bookmarks, which a real server sends when it likes, it drops all but the
// first, and that as well if none is expected.
func collect(t *testing.T, lines <-chan string, bookmarks bool, n int, more time.Duration) (got []string) {
	t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		if len(got) >= n {
			timeout = time.After(more)
		}
		select {
		case line, ok := <-lines:
			if !ok {
				return got
			}
			what := summary(t, line)
			if what == "BOOKMARK" && !bookmarks {
				continue
			}
			bookmarks = bookmarks && what != "BOOKMARK"
			got = append(got, what+words(line))
		case <-timeout:
			return got
		}
	}
}

// summary is an event in short, as the table has it.
func summary(t *testing.T, line string) string {
	t.Helper()
	var ev struct {
		Type   string
		Object struct {
			Metadata metav1.ObjectMeta
			Status   json.RawMessage
			Code     int
			Reason   string
		}
	}
	if err := json.Unmarshal([]byte(line), &ev); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	meta := &ev.Object.Metadata
	var status corev1.PodStatus
	json.Unmarshal(ev.Object.Status, &status) // a Status has a string there
	s := strings.TrimSpace(fmt.Sprint(ev.Type, " ", status.Phase))
	switch {
	case ev.Object.Code != 0:
		s += fmt.Sprint(" ", ev.Object.Code, " ", ev.Object.Reason)
	case meta.DeletionTimestamp != nil:
		s += " deleting"
	case meta.Annotations[metav1.InitialEventsAnnotationKey] != "":
		s += " initial"
	}
	return s
}

var numbers = regexp.MustCompile(`[0-9]+`)

// words is all of an event in which the server itself speaks.
func words(line string) string {
	if strings.Contains(line, `"type":"BOOKMARK"`) || strings.Contains(line, `"type":"ERROR"`) {
		return "\t" + numbers.ReplaceAllString(strings.TrimSpace(line), "N")
	}
	return ""
}
