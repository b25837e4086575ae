package kubeapi_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// All of it at once, for the race detector: whatever happens, everything ends,
// and the client works afterwards.
func TestConcurrency(t *testing.T) {
	protocols(t, func(w *world) {
		ctx, cancel := context.WithTimeout(w.Context(), 40*time.Second)
		defer cancel()
		w.s.Fault(podGet, kubetest.HangRequest(), kubetest.Proceed(), kubetest.StallAnswer(), kubetest.Proceed().Times(5), kubetest.LoseAnswer(), kubetest.TruncateAnswer())
		w.s.Fault(jobPatch, kubetest.LoseRequest(), kubetest.Proceed().After(2*time.Second), kubetest.HangAnswer(), kubetest.SilentAnswer(), kubetest.Status(503, "", "").Times(3))
		w.s.Fault(podWatch, kubetest.Proceed(), kubetest.HangRequest(), kubetest.TruncateAnswer())
		var all sync.WaitGroup
		worker := func(call func() error) {
			all.Go(func() {
				for ctx.Err() == nil {
					call()
					time.Sleep(rand.N(time.Second))
				}
			})
		}
		for range 4 {
			worker(func() error { _, err := w.c.GetPod(ctx, true); return err })
			worker(func() error { _, err := w.c.GetJob(ctx); return err })
			worker(func() error { _, err := w.c.PatchJobStatus(ctx, w.meant(), report()); return err })
			worker(func() error {
				return w.c.WatchPod(ctx, "", func() {}, func(apiwatch.Event) {})
			})
			worker(func() error { w.c.SetKillAt(time.Now().Add(rand.N(time.Minute))); return nil })
		}
		for range 10 {
			time.Sleep(rand.N(5 * time.Second))
			w.s.CutConnections()
			w.s.FreezeConnections()
			w.s.BreakWatches()
		}
		all.Wait()
		w.s.ClearFaults()
		w.s.Thaw()
		if w.patch() != nil { // the connection may have been cut meanwhile
			if err := w.patch(); err != nil {
				w.Error(err)
			}
		}
	})
}

// Nothing that is left over keeps a closed client's goroutines alive: the
// bubble does not end before them.
func TestClose(t *testing.T) {
	bubble(t, func(w *world) {
		f := w.follow(w.Context(), "")
		w.s.Fault(jobGet, kubetest.HangRequest())
		hung := make(chan error, 1)
		go func() { hung <- w.getJob() }()
		synctest.Wait()
		w.c.Close()
		w.c.Close()
		for _, err := range []error{<-f.ended, <-hung, w.getPod()} {
			if err == nil || !strings.Contains(err.Error(), "closed") {
				t.Error(err)
			}
		}
	})
}
