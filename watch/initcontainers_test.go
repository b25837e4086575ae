package watch

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// addsInitAgain gives the Pod an init container that has ended before.
func addsInitAgain(c corev1.Container, s, last corev1.ContainerState) change {
	return func(p *corev1.Pod) {
		addsInit(c, s)(p)
		statuses := p.Status.InitContainerStatuses
		statuses[len(statuses)-1].LastTerminationState = last
	}
}

func TestNeverStarted(t *testing.T) {
	const exited = "init container setup exited with code 1: Error"
	setup, proxy := container("setup"), native(container("proxy"))
	crashed := terminated(1, "Error")
	initializing := waits("PodInitializing", "")
	backOff := waiting("CrashLoopBackOff", "back-off 10s restarting failed container=setup")
	deleted := isDeleted(none)
	tests := []struct {
		name string
		pod  *corev1.Pod
		want string
	}{
		{"there is none", pod(initializing), ""},
		{"failed", pod(initializing, addsInit(setup, crashed)), exited},
		{"failed with a termination message", pod(initializing, addsInit(setup, said("\nrelease not found\n"))), exited + ": release not found"},
		{"failed without a reason", pod(initializing, addsInit(setup, terminated(1, ""))), exited},
		{"out of memory", pod(initializing, addsInit(setup, terminated(137, "OOMKilled"))), "init container setup exited with code 137: OOMKilled"},
		{"done, with a child that was out of memory", pod(initializing, addsInit(setup, terminated(0, "OOMKilled"))), ""},
		{"done", pod(initializing, addsInit(setup, terminated(0, "Completed"))), ""},
		{"done in its second try", pod(initializing, addsInitAgain(setup, terminated(0, "Completed"), crashed)), ""},
		{"guessed", pod(initializing, addsInit(setup, terminated(137, "ContainerStatusUnknown"))), ""},
		{"runs", pod(initializing, addsInit(setup, stateRunning)), ""},
		{"runs again", pod(initializing, addsInitAgain(setup, stateRunning, crashed)), exited + " (it runs again)"},
		{"runs again after a guess", pod(initializing, addsInitAgain(setup, stateRunning, terminated(255, "Unknown"))), ""},
		{"crash loop", pod(initializing, addsInitAgain(setup, backOff, said("no route"))), exited + ": no route"},
		{"crash loop of which no end is known", pod(initializing, addsInit(setup, backOff)),
			"init container setup: CrashLoopBackOff: back-off 10s restarting failed container=setup"},
		{"image", pod(initializing, addsInit(setup, waiting("ImagePullBackOff", "Back-off pulling image"))), "init container setup: ImagePullBackOff: Back-off pulling image"},
		{"image, after a crash", pod(initializing, addsInitAgain(setup, waiting("ErrImagePull", ""), crashed)), "init container setup: ErrImagePull"},
		{"waits for others", pod(initializing, addsInit(setup, waiting("PodInitializing", ""))), ""},
		{"waits without a reason", pod(initializing, addsInit(setup, waiting("", ""))), ""},
		{"is being created", pod(initializing, addsInit(setup, waiting("ContainerCreating", ""))), ""},
		{"no status yet", pod(initializing, func(p *corev1.Pod) { p.Spec.InitContainers = []corev1.Container{setup} }), ""},
		{"failed, the Pod with it", pod(initializing, addsInit(setup, crashed), inPhase(corev1.PodFailed, "", "")), exited},
		{"failed, the Pod is deleted", pod(initializing, addsInit(setup, crashed), deleted), exited},
		{"the second of three", pod(initializing, addsInit(container("first"), terminated(0, "Completed")), addsInit(setup, crashed),
			addsInit(container("third"), waiting("PodInitializing", ""))), exited},

		{"behind the reporter", pod(asSidecar, initializing, addsInit(setup, crashed)), exited},
		{"the reporter itself", pod(asSidecar, initializing, func(p *corev1.Pod) { status(p, reporterName).State = crashed }), ""},
		{"the reporter itself, by its image", pod(asSidecar, initializing, func(p *corev1.Pod) { status(p, reporterName).State = waiting("ImagePullBackOff", "") }), ""},

		{"a native sidecar's image", pod(initializing, addsInit(proxy, waiting("ImagePullBackOff", ""))), "init container proxy: ImagePullBackOff"},
		{"a native sidecar in a crash loop", pod(initializing, addsInitAgain(proxy, waiting("CrashLoopBackOff", ""), crashed)), "init container proxy exited with code 1: Error"},
		{"a native sidecar has ended", pod(initializing, addsInit(proxy, crashed)), "init container proxy exited with code 1: Error"},
		{"a native sidecar has ended with the Pod", pod(initializing, addsInit(proxy, terminated(143, "Error")), addsInit(setup, crashed), inPhase(corev1.PodFailed, "", "")), exited},
		{"a native sidecar has ended with the Pod's deletion", pod(initializing, addsInit(proxy, terminated(143, "Error")), deleted), ""},
		{"a native sidecar runs", pod(initializing, addsInitAgain(proxy, stateRunning, crashed)), ""},
		{"both", pod(initializing, addsInitAgain(proxy, waiting("CrashLoopBackOff", ""), crashed), addsInit(setup, crashed)), "init container proxy exited with code 1: Error; " + exited},

		{"the adapter has no status yet", pod(func(p *corev1.Pod) { p.Status.ContainerStatuses = nil }, addsInit(setup, crashed)), exited},
		{"the adapter's end is a guess", pod(ends(137, "ContainerStatusUnknown"), addsInit(setup, crashed)), exited},
		{"the adapter's end is a guess, a native sidecar crashed", pod(ends(137, "ContainerStatusUnknown"), addsInit(proxy, crashed)), ""},
		{"the adapter is started once more", pod(initializing, endedBefore(137, "RestartingAllContainers"), addsInit(setup, crashed)), exited},
		{"the adapter runs", pod(addsInitAgain(proxy, waiting("CrashLoopBackOff", ""), crashed)), ""},
		{"the adapter has ended", pod(ends(1, "Error"), addsInit(proxy, crashed)), ""},
		{"the adapter has ended before", pod(waits("CrashLoopBackOff", ""), endedBefore(1, "Error"), addsInit(proxy, crashed)), ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := findContainers(test.pod, "adapter", variables)
			if err != nil {
				t.Fatal(err)
			}
			if got := factsOf(test.pod, r).neverStarted; got != test.want {
				t.Errorf("\n got %q\nwant %q", got, test.want)
			}
		})
	}
}

// What stands behind the adapter in the list of init containers waits for it.
func TestNeverStartedOfAnInitContainer(t *testing.T) {
	crashed := terminated(1, "Error")
	p := pod(addsInit(container("first"), crashed), addsInit(container("work"), waiting("PodInitializing", "")), addsInit(native(container("last")), crashed))
	r, err := findContainers(p, "work", variables)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := factsOf(p, r).neverStarted, "init container first exited with code 1: Error"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
