package watch

import (
	"slices"
	"testing"
	"time"
)

const byStop = cut + "the reporter received SIGTERM"

// TestStopping: when SIGKILL is expected, and who is told when.
func TestStopping(t *testing.T) {
	tests := []struct {
		name  string
		pods  *fakePods
		story func(r *rig)
		want  []killing
		ends  string
	}{
		{"SIGTERM", newFakePods(pod()), func(r *rig) { r.until(10 * sec); r.sigterm() },
			[]killing{{10 * sec, 40 * sec}}, byStop},
		{"a second SIGTERM", newFakePods(pod()), func(r *rig) { r.until(10 * sec); r.sigterm(); r.until(20 * sec); r.sigterm() },
			[]killing{{10 * sec, 40 * sec}}, byStop},
		{"the Pod's grace period", newFakePods(pod(gracePeriodOf(10))), func(r *rig) { r.until(10 * sec); r.sigterm() },
			[]killing{{10 * sec, 20 * sec}}, byStop},
		{"deletion", newFakePods(pod()), func(r *rig) { r.until(10 * sec); r.set(pod(isDeleted(20))) },
			[]killing{{10 * sec, 30 * sec}}, cut + "the Pod is being deleted"},
		{"deletion after SIGTERM, with another grace period", newFakePods(pod()), func(r *rig) {
			r.until(10 * sec)
			r.sigterm()
			r.until(12 * sec)
			r.set(pod(isDeleted(5)))
		}, []killing{{10 * sec, 40 * sec}, {12 * sec, 15 * sec}}, cut + "the Pod is being deleted"},
		{"sidecar: SIGTERM late in a deletion", newFakePods(pod(asSidecar)), func(r *rig) {
			r.until(10 * sec)
			r.set(pod(asSidecar, isDeleted(10)))
			r.until(14500 * time.Millisecond)
			r.expect("none")
			r.sigterm()
		}, []killing{{10 * sec, 20 * sec}}, cut + "the Pod is being deleted"},
		{"sidecar: SIGTERM at the end of a deletion", newFakePods(pod(asSidecar)), func(r *rig) {
			r.until(10 * sec)
			r.set(pod(asSidecar, isDeleted(2)))
			r.until(12 * sec)
			r.sigterm()
		}, []killing{{10 * sec, 12 * sec}, {12 * sec, 14 * sec}}, cut + "the Pod is being deleted"},
		{"gone after SIGTERM", newFakePods(pod()), func(r *rig) {
			r.until(10 * sec)
			r.sigterm()
			r.until(12 * sec)
			r.set(nil)
		}, []killing{{10 * sec, 40 * sec}, {12 * sec, 14 * sec}}, cut + "the Pod is gone"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			run(t, test.pods, func(t *testing.T, r *rig) {
				test.story(r)
				if r.now() == "none" {
					r.comes(test.ends)
				}
				r.expect(test.ends)
				if !slices.Equal(r.killings(), test.want) {
					t.Errorf("SIGKILL is expected %v, want %v", r.killings(), test.want)
				}
			})
		})
	}
}

// TestStopObserves until the write must begin, and no longer.
func TestStopObserves(t *testing.T) {
	run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
		r.until(10 * sec)
		r.sigterm()
		if n := len(r.calls("get")); n != 1 {
			t.Errorf("%d reads of the Pod at SIGTERM, want one at once", n)
		}
		if at := r.comes(byStop); at != 35*sec {
			t.Errorf("told after %v, want 5 s before SIGKILL", at)
		}
		if v, _ := r.Verdict(); v.Provisional {
			t.Error("provisional, though the Pod can be read")
		}
	})
	run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
		r.until(10 * sec)
		r.sigterm()
		r.until(30 * sec)
		r.write(valid)
		if at := r.comes(own); at > 32*sec {
			t.Errorf("the result is seen after %v", at)
		}
	})
	run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
		r.until(10 * sec)
		r.sigterm()
		r.until(35*sec - 1)
		r.write(valid) // no poll is due before the word must be out
		if at := r.comes(own); at != 35*sec {
			t.Errorf("the result is seen after %v", at)
		}
	}, func(o *Observer) { o.cfg.Poll = 100 * time.Second })
	run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
		r.until(10 * sec)
		r.sigterm()
		r.write(valid) // SIGTERM with the result just written
		r.LookAgain(t.Context())
		r.expect(own)
	})
}

// TestStopPodUnreadable: what is known is told at once, and more is told later.
func TestStopPodUnreadable(t *testing.T) {
	start := func(r *rig) {
		r.until(10 * sec)
		r.fail(nil, errNetwork, errNetwork)
		r.sigterm()
		r.expect("provisional " + byStop)
		if at := r.ran(); at != 10*sec {
			t.Errorf("told after %v, want at once", at)
		}
	}
	t.Run("for good", func(t *testing.T) {
		run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
			start(r)
			if at := r.comes(byStop); at != 35*sec {
				t.Errorf("the last word came after %v, want 5 s before SIGKILL", at)
			}
			if n := len(r.calls("get")); n < 3 || n > 40 {
				t.Errorf("%d reads in 25 s", n)
			}
		})
	})
	t.Run("a result", func(t *testing.T) {
		run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
			start(r)
			r.write(valid)
			r.comes(own)
		})
	})
	t.Run("for a while", func(t *testing.T) {
		run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
			start(r)
			r.until(15 * sec)
			r.fail(nil, nil, nil)
			if at := r.comes("none"); at > 20*sec {
				t.Errorf("the early word stands for %v", at)
			}
			r.set(pod(ends(1, "Error")))
			r.expect(exit1)
		})
	})
	t.Run("refused, and never read", func(t *testing.T) {
		f := newFakePods(nil)
		f.fail(answer{code: 403}, answer{code: 403}, answer{code: 403})
		run(t, f, func(t *testing.T, r *rig) {
			r.until(10 * sec)
			r.sigterm()
			r.expect("provisional " + byStop)
			if at := r.comes(byStop); at != 35*sec {
				t.Errorf("the last word came after %v, want 5 s before SIGKILL", at)
			}
		})
	})
	t.Run("a server that wanted time before", func(t *testing.T) {
		run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
			r.fail(nil, answer{code: 429, wait: 30 * time.Second}, nil)
			r.until(305 * sec) // the deadline's reading is put off until 330 s
			before := len(r.calls("get"))
			r.sigterm()
			if n := len(r.calls("get")); n != before+1 {
				t.Errorf("%d reads at SIGTERM, want one at once", n-before)
			}
		})
	})
	t.Run("a server that wants time", func(t *testing.T) {
		run(t, newFakePods(pod(gracePeriodOf(10))), func(t *testing.T, r *rig) {
			r.until(10 * sec)
			r.fail(nil, answer{code: 429, wait: time.Hour}, nil)
			r.sigterm()
			r.expect("provisional " + byStop)
			if at := r.comes(byStop); at != 15*sec {
				t.Errorf("the last word came after %v, want 5 s before SIGKILL", at)
			}
		})
	})
}

// A read that is under way when SIGTERM comes, and fails, tells as much as one
// that began then.
func TestStopDuringAReading(t *testing.T) {
	run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
		release := r.holdReads()
		r.until(301 * sec) // the deadline's reading hangs
		r.sigterm()
		r.expect("none")
		r.until(303 * sec)
		r.fail(nil, errNetwork, nil)
		release()
		r.expect("provisional " + byStop)
	})
}

// TestStopEndIsDue: a native sidecar gets SIGTERM some milliseconds before its
// adapter's end can be read.
func TestStopEndIsDue(t *testing.T) {
	f := newFakePods(pod(asSidecar, gracePeriodOf(10)))
	f.fail(answer{code: 403}, nil, nil)
	run(t, f, func(t *testing.T, r *rig) {
		r.until(9 * sec)
		f.lag()
		r.until(10 * sec)
		r.sigterm()
		pass(30 * time.Millisecond)
		r.set(pod(asSidecar, gracePeriodOf(10), ends(137, "OOMKilled")))
		if at := r.comes(oom); at > 10*sec+200*time.Millisecond {
			t.Errorf("told after %v, want soon after SIGTERM", at)
		}
	})
	f = newFakePods(pod(asSidecar))
	f.fail(answer{code: 403}, nil, nil)
	run(t, f, func(t *testing.T, r *rig) { // and a reading that fails does not end the readings
		r.until(9 * sec)
		f.lag()
		r.until(10 * sec)
		r.sigterm()
		pass(30 * time.Millisecond)
		r.fail(answer{code: 403}, errNetwork, errNetwork) // the polls, too: each would ask for a reading
		r.until(11 * sec)
		r.set(pod(asSidecar, ends(137, "OOMKilled")))
		r.fail(answer{code: 403}, nil, errNetwork)
		if at := r.comes(oom); at > 17*sec { // the longest pause is 5 s
			t.Errorf("told after %v, want soon after the Pod can be read again", at)
		}
	})
	run(t, newFakePods(pod(asSidecar)), func(t *testing.T, r *rig) {
		r.until(10 * sec)
		r.sigterm()
		r.comes(byStop)
		if n := len(r.calls("get")); n < 5 || n > 15 {
			t.Errorf("%d reads for an end that does not come in 25 s", n)
		}
	})
	run(t, newFakePods(pod(asSidecar)), func(t *testing.T, r *rig) {
		r.until(10 * sec)
		r.set(pod(asSidecar, isDeleted(30)))
		r.until(20 * sec)
		r.sigterm() // since the Pod is being deleted: its statuses are not written any more
		r.set(pod(asSidecar, isDeleted(30), isDisrupted("A", "b")))
		r.until(39 * sec)
		if n := len(r.calls("get")); n != 1 {
			t.Errorf("%d reads, want the one at the deletion", n)
		}
	})
}

// TestStopLastReading: without a watch that tells, the last reading must.
func TestStopLastReading(t *testing.T) {
	f := newFakePods(pod(gracePeriodOf(10)))
	f.fail(answer{code: 403}, nil, nil)
	run(t, f, func(t *testing.T, r *rig) {
		r.until(9 * sec)
		f.lag()
		r.until(10 * sec)
		r.sigterm()
		r.until(12 * sec)
		r.set(pod(gracePeriodOf(10), ends(137, "OOMKilled")))
		if at := r.comes(oom); at != 14*sec {
			t.Errorf("told after %v, want a second before the word is due", at)
		}
	})
}

// SIGTERM before anything else has happened is not lost.
func TestStopBeforeRun(t *testing.T) {
	run(t, newFakePods(pod()), func(t *testing.T, r *rig) {
		if want := []killing{{0, 30 * sec}}; !slices.Equal(r.killings(), want) {
			t.Errorf("SIGKILL is expected %v, want %v", r.killings(), want)
		}
		if at := r.comes(byStop); at != 25*sec {
			t.Errorf("told after %v", at)
		}
	}, func(o *Observer) { o.Stop(); o.Stop() })
}
