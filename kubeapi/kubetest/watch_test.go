package kubetest_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// The Job is written at resourceVersion 1001, the Pod at 1002.

func touchPod(s *kubetest.Server) {
	s.UpdatePod("ns", "pod", func(p *corev1.Pod) { p.Status.Message += "x" })
}

func TestWatch(t *testing.T) {
	tests := []struct {
		name  string
		query string
		do    func(s *kubetest.Server)
		want  string
	}{
		{"starts with the present", "", func(s *kubetest.Server) {}, "ADDED 1002"},
		{"starts with the present and its end", "&allowWatchBookmarks=true", func(s *kubetest.Server) {}, "ADDED 1002, BOOKMARK 1002 initial"},
		{"version 0 is any", "&resourceVersion=0", func(s *kubetest.Server) {}, "ADDED 1002"},
		{"goes on after its version", "&resourceVersion=1002", touchPod, "MODIFIED 1003"},
		{"makes up for what it missed", "&resourceVersion=1001", touchPod, "ADDED 1002, MODIFIED 1003"},
		{"a version to come", "&resourceVersion=1003", func(s *kubetest.Server) { touchPod(s); touchPod(s) }, "MODIFIED 1004"},
		{"deletion and a new Pod", "", func(s *kubetest.Server) {
			s.DeletePod("ns", "pod")
			s.CreatePod(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "pod"}})
		}, "ADDED 1002, MODIFIED 1003, DELETED 1004, ADDED 1005"},
		{"only the named Pod", "", func(s *kubetest.Server) {
			s.CreatePod(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "other"}})
			s.CreatePod(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "pod"}})
			s.UpdateJob("ns", "job", func(j *batchv1.Job) { j.Status.Active = 1 })
			touchPod(s)
		}, "ADDED 1002, MODIFIED 1006"},
		{"bookmark", "&allowWatchBookmarks=1&resourceVersion=1002", (*kubetest.Server).Bookmark, "BOOKMARK 1003"},
		{"unwanted bookmark", "&resourceVersion=1002", (*kubetest.Server).Bookmark, ""},
		{"compaction leaves running watches alone", "&resourceVersion=1002", func(s *kubetest.Server) { s.Compact(); touchPod(s) }, "MODIFIED 1004"},
		{"denial leaves running watches alone", "&resourceVersion=1002", func(s *kubetest.Server) { s.Deny("watch", "pods"); touchPod(s) }, "MODIFIED 1003"},
		{"closed", "&resourceVersion=1002", func(s *kubetest.Server) { s.CloseWatches(); touchPod(s) }, "end"},
		{"broken", "&resourceVersion=1002", func(s *kubetest.Server) { s.BreakWatches(); touchPod(s) }, "garbage, broken"},
		{"any bytes", "&resourceVersion=1002", func(s *kubetest.Server) { s.SendEvent([]byte("\x00?\n")); touchPod(s) }, "garbage, MODIFIED 1003"},
		{"cut", "&resourceVersion=1002", (*kubetest.Server).CutConnections, "broken"},
		{"server closed", "&resourceVersion=1002", (*kubetest.Server).Close, "broken"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *kubetest.Server, c *client) {
				w := c.watch(tt.query)
				w.got()
				tt.do(s)
				if got := w.got(); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		})
	}
}

func TestWatchExpired(t *testing.T) {
	bubble(t, func(t *testing.T, s *kubetest.Server, c *client) {
		s.Bookmark() // 1003
		s.Compact()  // 1004
		w := c.watch("&resourceVersion=1003")
		if got := w.got(); got != "ERROR 410, end" {
			t.Errorf("got %q", got)
		}
		want := `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version: 1003 (1004)","reason":"Expired","code":410}}` + "\n"
		if w.raw[0] != want {
			t.Errorf("got %s", w.raw[0])
		}
		s.Bookmark() // 1005, and known: a watch may go on from it
		if got := c.watch("&resourceVersion=1005").got(); got != "" {
			t.Errorf("got %q", got)
		}
	})
}

// A watch of a Pod that does not exist has headers at once, and nothing else.
func TestWatchOfNothing(t *testing.T) {
	bubble(t, func(t *testing.T, s *kubetest.Server, c *client) {
		s.DeletePod("ns", "pod")
		w := c.watch("&allowWatchBookmarks=true")
		if got := w.got(); got != "BOOKMARK 1004 initial" || s.Watches() != 1 {
			t.Errorf("got %q, %d watches", got, s.Watches())
		}
	})
}

func TestWatchTime(t *testing.T) {
	tests := []struct {
		query string
		after time.Duration
		want  string
	}{
		{"&resourceVersion=1002&timeoutSeconds=90", 90*time.Second - 1, ""},
		{"&resourceVersion=1002&timeoutSeconds=90", 90 * time.Second, "end"},
		{"&resourceVersion=1002", 30*time.Minute - 1, ""},
		{"&resourceVersion=1002", 30 * time.Minute, "end"},
		{"&resourceVersion=1002&allowWatchBookmarks=true", 2*time.Minute + 1, "BOOKMARK 1002, BOOKMARK 1002"},
	}
	for _, tt := range tests {
		bubble(t, func(t *testing.T, s *kubetest.Server, c *client) {
			w := c.watch(tt.query)
			time.Sleep(tt.after)
			if got := w.got(); got != tt.want {
				t.Errorf("%s after %s: got %q, want %q", tt.query, tt.after, got, tt.want)
			}
		})
	}
}

// An event larger than any buffer on the way arrives whole.
func TestWatchLargeEvent(t *testing.T) {
	bubble(t, func(t *testing.T, s *kubetest.Server, c *client) {
		w := c.watch("")
		w.got()
		s.SendEvent([]byte(`{"type":"MODIFIED","object":{"metadata":{"resourceVersion":"` + strings.Repeat("9", 5<<20) + "\"}}}\n"))
		if got := w.got(); len(got) != len("ADDED 1002, MODIFIED ")+5<<20 {
			t.Errorf("%d bytes", len(got))
		}
	})
}

func TestWatches(t *testing.T) {
	bubble(t, func(t *testing.T, s *kubetest.Server, c *client) {
		c.watch("")
		c.watch("&timeoutSeconds=1")
		if s.Watches() != 2 {
			t.Errorf("%d watches", s.Watches())
		}
		if err := s.Wait(t.Context(), func() bool { return s.Watches() == 1 }); err != nil {
			t.Error(err)
		}
		s.CloseWatches()
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		resp, err := c.send(ctx, "GET", watchPath, "")
		if err != nil || s.Watches() != 1 {
			t.Fatalf("%d watches, %v", s.Watches(), err)
		}
		cancel()
		resp.Body.Close()
		synctest.Wait()
		if s.Watches() != 0 {
			t.Errorf("%d watches after the client left", s.Watches())
		}
	})
}
