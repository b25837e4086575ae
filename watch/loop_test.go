package watch

import (
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const halfFile = `{"status":"succ`

func TestLoopFile(t *testing.T) {
	inBubble(t, newFakeAPI(ownPod()), func(t *testing.T, r *rig) {
		r.until(5 * sec)
		r.write(valid)
		r.delivers("6s True Ready")
		if r.at != 6*sec || !r.result.Own {
			t.Errorf("after %v: %+v, want at the next poll", r.at, r.result)
		}
	})
}

// A result that is there already needs no event and no poll.
func TestLoopFileAtStart(t *testing.T) {
	inBubble(t, newFakeAPI(ownPod()), func(t *testing.T, r *rig) { r.delivers("0s True Ready") },
		func(r *rig) { write(t, r.Path, valid) })
}

func TestLoopPod(t *testing.T) {
	inBubble(t, newFakeAPI(ownPod()), func(t *testing.T, r *rig) {
		r.until(5 * sec)
		r.set(ownPod(ends(1, "Error")))
		r.delivers("5s False AdapterExitedWithError")
		if n := len(r.calls("get", "cached")); n != 0 {
			t.Errorf("%d reads beside the watch", n)
		}
	})
}

// A file that comes with the adapter's end is looked for before that is judged.
func TestLoopEndsWithFile(t *testing.T) {
	inBubble(t, newFakeAPI(ownPod()), func(t *testing.T, r *rig) {
		r.until(5 * sec)
		r.write(valid)
		r.set(ownPod(ends(0, "Completed")))
		r.delivers("5s True Ready")
	})
}

// TestLoopQuiet: an hour in which nothing happens costs nothing.
func TestLoopQuiet(t *testing.T) {
	var looks atomic.Int32
	inBubble(t, newFakeAPI(ownPod()), func(t *testing.T, r *rig) {
		r.until(time.Hour - 1)
		if n := looks.Load(); n < 1790 || n > 1801 {
			t.Errorf("%d looks in an hour of polls every 2 s", n)
		}
		if watches, jobs, reads := len(r.calls("watch")), len(r.calls("job")), len(r.calls("get", "cached")); watches != 1 || jobs != 1 || reads != 0 {
			t.Errorf("%d watches, %d readings of the Job, %d of the Pod in an hour; want one watch and one Job", watches, jobs, reads)
		}
		if len(r.lines) != 0 {
			t.Errorf("told of news that are none: %q", r.lines)
		}
	}, func(r *rig) {
		r.Wait = 2 * time.Hour
		r.lookAt = func(path string) look { looks.Add(1); return lookAt(path) }
	})
}

// TestLoopDeadline: what is written in the last moment counts, though no poll
// would see it.
func TestLoopDeadline(t *testing.T) {
	slow := func(r *rig) { r.Poll = 200 * sec }
	inBubble(t, newFakeAPI(ownPod()), func(t *testing.T, r *rig) {
		r.until(300*sec - 1)
		r.write(valid)
		r.delivers("5m0s True Ready")
	}, slow)
	inBubble(t, newFakeAPI(ownPod()), func(t *testing.T, r *rig) {
		r.delivers("5m0s False AdapterTimeout")
		if n := len(r.calls("get")); n != 1 {
			t.Errorf("%d fresh reads of the Pod, want one", n)
		}
	}, slow)
}

// With a cache that lags, the last word is the server's.
func TestLoopDeadlineReadsThePod(t *testing.T) {
	f := newFakeAPI(ownPod())
	f.fail("watch", status403)
	inBubble(t, f, func(t *testing.T, r *rig) {
		f.lag()
		r.until(290 * sec)
		r.set(ownPod(ends(137, "OOMKilled")))
		r.delivers("5m0s False AdapterOOMKilled")
	})
}

// TestLoopSettle: when an invalid file of a running adapter is believed.
func TestLoopSettle(t *testing.T) {
	inBubble(t, newFakeAPI(ownPod()), func(t *testing.T, r *rig) {
		r.until(5 * sec)
		r.write(halfFile) // seen at 6 s
		r.delivers("16s False InvalidResultFormat")
	})
	inBubble(t, newFakeAPI(ownPod()), func(t *testing.T, r *rig) {
		for r.ran() < 100*sec { // byte by byte
			r.until(r.ran() + 5*sec)
			r.write(halfFile[:int(r.ran()/(10*sec))+1])
			r.expects()
		}
		r.write(valid)
		r.delivers("1m42s True Ready")
	})
}

// TestLoopStop: when SIGKILL is expected, and who is told when.
func TestLoopStop(t *testing.T) {
	grace := gracePeriodOf
	tests := []struct {
		name    string
		pod     *corev1.Pod
		story   func(r *rig)
		kills   []killing
		patches []string
	}{
		{"SIGTERM", ownPod(), func(r *rig) { r.until(10 * sec); r.stop() },
			[]killing{{10 * sec, 40 * sec}}, []string{"10.5s Unknown AdapterInterrupted", "35s Unknown AdapterInterrupted"}},
		{"a second SIGTERM", ownPod(), func(r *rig) { r.until(10 * sec); r.stop(); r.until(20 * sec); r.stop() },
			[]killing{{10 * sec, 40 * sec}}, []string{"10.5s Unknown AdapterInterrupted", "35s Unknown AdapterInterrupted"}},
		{"the Pod's grace period", ownPod(grace(15)), func(r *rig) { r.until(10 * sec); r.stop() },
			[]killing{{10 * sec, 25 * sec}}, []string{"10.5s Unknown AdapterInterrupted", "20s Unknown AdapterInterrupted"}},
		{"deletion after SIGTERM, with another grace period", ownPod(), func(r *rig) {
			r.until(10 * sec)
			r.stop()
			r.until(10200 * ms)
			r.set(ownPod(isDeleted(9)))
		}, []killing{{10 * sec, 40 * sec}, {10200 * ms, 19 * sec}}, []string{"14s Unknown AdapterInterrupted"}},
		{"gone after SIGTERM", ownPod(), func(r *rig) {
			r.until(10 * sec)
			r.stop()
			r.until(10200 * ms)
			r.set(nil)
		}, []killing{{10 * sec, 40 * sec}, {10200 * ms, 12200 * ms}}, []string{"10.2s Unknown AdapterInterrupted"}},
		{"answers of 3 s", ownPod(), func(r *rig) {
			r.until(10 * sec)
			r.answersTake(3 * sec)
			r.set(ownPod(isDeleted(30)))
		}, []killing{{10 * sec, 40 * sec}}, []string{"33.8s Unknown AdapterInterrupted"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, newFakeAPI(test.pod), func(t *testing.T, r *rig) {
				test.story(r)
				r.delivers(test.patches...)
				if !slices.Equal(r.kills, test.kills) {
					t.Errorf("SIGKILL is expected %v, want %v", r.kills, test.kills)
				}
			})
		})
	}
}

// SIGTERM with the result just written, and before anything else has happened.
func TestLoopStopEarly(t *testing.T) {
	inBubble(t, newFakeAPI(ownPod()), func(t *testing.T, r *rig) {
		r.until(10 * sec)
		r.write(valid)
		r.stop()
		r.delivers("10s True Ready")
	}, func(r *rig) { r.Poll = 100 * sec })
	inBubble(t, newFakeAPI(ownPod()), func(t *testing.T, r *rig) {
		r.delivers("500ms Unknown AdapterInterrupted", "25s Unknown AdapterInterrupted")
	}, func(r *rig) { r.sigterm <- os.Interrupt })
}

// A server that wanted time before is asked at SIGTERM all the same.
func TestLoopStopAsksAtOnce(t *testing.T) {
	inBubble(t, newFakeAPI(ownPod()), func(t *testing.T, r *rig) {
		r.fail("get", apiError{code: 429, wait: 30 * sec})
		r.until(305 * sec) // the deadline's reading is put off until 330 s
		before := len(r.calls("get"))
		r.stop()
		if n := len(r.calls("get")); n != before+1 {
			t.Errorf("%d reads at SIGTERM, want one at once", n-before)
		}
	})
}

// TestLoopPatchEnds: a PATCH without an answer does not last beyond the grace period.
func TestLoopPatchEnds(t *testing.T) {
	inBubble(t, newFakeAPI(ownPod()), func(t *testing.T, r *rig) {
		r.hold("patch")
		r.until(10 * sec)
		r.set(ownPod(ends(1, "Error"), isDeleted(30)))
		r.until(40 * sec)
		if !r.done() || r.result.Delivered || r.at != 40*sec-exitMargin/2 {
			t.Errorf("after %v: %+v, want its end before SIGKILL", r.at, r.result)
		}
		if last := r.lines[len(r.lines)-1]; !strings.Contains(last, msgNoTime) {
			t.Errorf("the last line is %q", last)
		}
	})
}
