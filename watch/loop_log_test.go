package watch

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLoopLast: what the run's last line is so far, for the log and the kubelet.
func TestLoopLast(t *testing.T) {
	const (
		readyIs = `type=Available status=True reason=Ready own=true adapterRestarts=%d message=All set`
		crashIs = `type=Available status=False reason=AdapterExitedWithError message=Adapter container exited with code 1: Error`
		halfIs  = `type=Available status=False reason=InvalidResultFormat message=Failed to parse adapter result: not valid JSON: unexpected end`
	)
	for _, test := range []struct {
		name  string
		pod   *corev1.Pod
		story func(r *rig)
		want  []string
	}{
		{"an own result", ownPod(), func(r *rig) { r.write(valid) },
			[]string{"2s INFO reported " + fmt.Sprintf(readyIs, 0)}},
		{"an own result of a later run", ownPod(func(p *corev1.Pod) { adapterStatus(p).RestartCount = 3 }), func(r *rig) { r.write(valid) },
			[]string{"2s INFO reported " + fmt.Sprintf(readyIs, 3)}},
		{"not an own one", ownPod(ends(1, "Error")), func(*rig) {},
			[]string{"0s INFO reported " + crashIs}},
		{"taken back", ownPod(), func(r *rig) {
			r.fail("patch", errNetwork)
			r.write(halfFile)
			r.until(13 * sec)
			r.write(valid)
			r.until(14 * sec)
			r.fail("patch", nil)
		}, []string{
			"12s WARN the report is not delivered yet; trying on " + halfIs + " error=connection reset", "INFO",
			"WARN the report is not delivered yet; trying on " + fmt.Sprintf(readyIs, 0) + " error=connection reset", "reported " + fmt.Sprintf(readyIs, 0),
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, newFakeAPI(test.pod), func(t *testing.T, r *rig) {
				test.story(r)
				for !r.done() {
					time.Sleep(100 * time.Millisecond)
				}
				if !slices.EqualFunc(r.lines, test.want, strings.HasSuffix) {
					t.Errorf("\n got %s\nwant %s", strings.Join(r.lines, "\n     "), strings.Join(test.want, "\n     "))
				}
			})
		})
	}
}

// A Pod that cannot be read has no restarts to tell of.
func TestLoopLastWithoutPod(t *testing.T) {
	f := newFakeAPI(nil)
	for _, verb := range []string{"watch", "get", "cached"} {
		f.fail(verb, status403)
	}
	inBubble(t, f, func(t *testing.T, r *rig) {
		r.until(sec)
		r.write(valid)
		r.delivers("2s True Ready") // a file that is seen to appear is the present run's
		if got := r.lines[len(r.lines)-1]; !strings.HasSuffix(got, "own=true message=All set") {
			t.Errorf("the last line is %q", got)
		}
		if n := r.logged("the result file alone is followed"); n != 1 {
			t.Errorf("%d complaints, want one", n)
		}
	})
}

// TestLoopLogs each thing once.
func TestLoopLogs(t *testing.T) {
	for _, test := range []struct {
		name  string
		pod   *corev1.Pod
		story func(r *rig)
		want  string
	}{
		{"the adapter", ownPod(), func(r *rig) { r.set(ownPod(isDisrupted("A", "b"))) }, `msg="following the adapter" container=adapter nativeSidecar=false`},
		{"a native sidecar", ownPod(asSidecar), func(r *rig) { r.set(ownPod(asSidecar, isDisrupted("A", "b"))) }, `msg="following the adapter" container=adapter nativeSidecar=true`},
		{"SIGTERM", ownPod(), func(r *rig) { r.stop(); r.stop() }, `level=INFO msg="told to stop"`},
		{"gone", ownPod(), func(r *rig) { r.hold("patch"); r.set(nil) }, `level=INFO msg="the Pod is gone"`},
		{"another Job's Pod", ownPod(ofAnotherJob), func(r *rig) { r.set(ownPod(ofAnotherJob, isDisrupted("A", "b"))) },
			`level=WARN msg="JOB_NAME is not the Job that this Pod belongs to" belongsTo=another`},
		{"the Job", ownPod(), func(r *rig) { r.set(ownPod(isDisrupted("A", "b"))) }, `level=WARN msg="the Job cannot be read yet" error="the answer was 403"`},
		{"the Pod", ownPod(), func(r *rig) { r.until(10 * sec) }, `level=WARN msg="the Pod cannot be read yet" error="the answer was 503"`},
		{"a file of an earlier run", ownPod(startsLater), func(r *rig) { r.set(ownPod(startsLater, isDisrupted("A", "b"))) }, `level=INFO msg="the result file is left over from an earlier run; it counts as none"`},
		{"the container", ownPod(), func(r *rig) { r.set(ownPod(isDisrupted("A", "b"))) }, `level=ERROR msg="ADAPTER_CONTAINER_NAME: the Pod has no container \"wrok\"; the result file alone is followed"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFakeAPI(test.pod)
			switch test.name {
			case "the Job":
				f.fail("job", status403)
			case "the Pod":
				f.fail("watch", status503)
				f.fail("get", status503)
			}
			inBubble(t, f, func(t *testing.T, r *rig) {
				if test.name == "a file of an earlier run" {
					r.until(r.ran() + 3*sec)
				}
				test.story(r)
				r.until(r.ran() + 100*ms)
				if n := r.logged(test.want); n != 1 {
					t.Errorf("logged %d times, want once: %s", n, test.want)
				}
			}, func(r *rig) {
				switch test.name {
				case "the container":
					r.Adapter = "wrok"
				case "a file of an earlier run":
					write(t, r.Path, valid)
				}
			})
		})
	}
}

// startsLater has the result on the node, and the adapter's run start after all that
// the test does.
func startsLater(p *corev1.Pod) {
	p.Spec.Volumes = []corev1.Volume{{Name: "results", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/var/results"}}}}
	for i := range p.Spec.Containers {
		p.Spec.Containers[i].VolumeMounts = []corev1.VolumeMount{{Name: "results", MountPath: "/"}}
	}
	for i := range p.Status.ContainerStatuses {
		p.Status.ContainerStatuses[i].State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}}
	}
}

// A misconfigured reporter looks at no file and follows no Pod.
func TestLoopMisconfigured(t *testing.T) {
	inBubble(t, newFakeAPI(ownPod()), func(t *testing.T, r *rig) {
		r.delivers("0s False ReporterMisconfigured")
		if n := len(r.calls("watch")); n != 0 || r.result.Own {
			t.Errorf("%d watches, result %+v", n, r.result)
		}
	}, func(r *rig) {
		r.Misconfigured = errors.New("POLL_INTERVAL_SECONDS: must be positive")
		r.lookAt = func(string) look { t.Error("it looks at a file"); return absent }
	})
}

// The exported way in does what the tests' does.
func TestRun(t *testing.T) {
	inBubble(t, newFakeAPI(ownPod(ends(1, "Error"))), func(t *testing.T, r *rig) {
		if result := Run(t.Context(), r.Config, nil); !result.Delivered || result.Outcome.Reason != "AdapterExitedWithError" {
			t.Errorf("result %+v", result)
		}
	})
}
