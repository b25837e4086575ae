package program

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

const (
	halfFile = `{"status":"succ`
)

func onHostPath(pod *corev1.Pod) {
	pod.Spec.Volumes[0].VolumeSource = corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/var/lib/results"}}
}

// leftOver has a file lie there from before the adapter's start.
func leftOver(content string) step {
	return func(r *Rig) {
		r.Write(content)
		r.UpdatePod(func(pod *corev1.Pod) {
			AdapterStatus(pod).State.Running.StartedAt.Time = time.Now().Add(3 * time.Second)
		})
	}
}

func writes(content string) step { return func(r *Rig) { r.Write(content) } }

// opened has the adapter open its file before the reporter starts, and write to it in
// two pieces with a pause between.
func opened(d time.Duration, closes bool) (before, play step) {
	var f *os.File
	write := func(r *Rig, text string) {
		if _, err := f.WriteString(text); err != nil {
			r.T.Fatal(err)
		}
	}
	before = func(r *Rig) {
		var err error
		if f, err = os.Create(r.Path); err != nil {
			r.T.Fatal(err)
		}
		r.T.Cleanup(func() { f.Close() })
		write(r, GoodFile[:20])
	}
	play = func(r *Rig) {
		time.Sleep(d)
		write(r, GoodFile[20:])
		if closes {
			f.Close()
		}
	}
	return before, play
}

// fileDeliveries are files that come to be in parts, or without a word from the kernel.
func fileDeliveries() []Delivery {
	heldOpen, writesOn := opened(13*time.Second, true)
	pieces, writesRest := opened(5*time.Second, false)
	half := contract.Outcome{Status: contract.False, Reason: contract.ReasonInvalidResultFormat, Message: "Failed to parse adapter result: not valid JSON: unexpected end"}
	anew := func(r *Rig) { // as by a parent that is renamed, of which a watch of the directory tells nothing
		dir := filepath.Dir(r.Path)
		if err := errors.Join(os.Rename(filepath.Dir(dir), filepath.Dir(dir)+".old"), os.MkdirAll(dir, 0o755)); err != nil {
			r.T.Fatal(err)
		}
	}
	nested := func(r *Rig) {
		r.Path = filepath.Join(filepath.Dir(r.Path), "volume", "results", "adapter-result.json")
		r.Env["RESULTS_PATH"] = r.Path
		if err := os.MkdirAll(filepath.Dir(r.Path), 0o755); err != nil {
			r.T.Fatal(err)
		}
	}
	return []Delivery{
		{Name: "half a file is open before the reporter starts, and completed 13 s later", Events: true, before: heldOpen, play: writesOn, Want: Good},
		{Name: "a file in two pieces that is kept open", Events: true, before: pieces, play: writesRest, Want: Good, Within: 5 * time.Second},
		{Name: "half a file that nobody has open", Events: true, play: writes(halfFile), Want: half, Exit: 1, Within: 20 * time.Second},
		{Name: "the directory's parent is renamed, all is made anew, and a result", Events: true, before: nested, play: all(anew, pause(time.Second), (*Rig).Finish), Want: Good, Within: 5 * time.Second},
		{Name: "an empty file from the start, and the Pod is deleted", before: writes(""), play: deleted(10), Want: isDeleted, Exit: 143},
		{Name: "no events come, and a result", before: func(r *Rig) { r.pollOnly = true }, Want: Good, Within: 5 * time.Second},
	}
}

// restartAllContainers is the first version whose Pods can have such a rule, as the
// gate RestartAllContainersOnContainerExits has it.
const restartAllContainers kubetest.Version = 36

// runDeliveries are about whose file it is, and whose Pod.
func runDeliveries(v kubetest.Version) []Delivery {
	// Long enough after what was written to be told from it: a Pod's times are whole
	// seconds, and a file's are the real clock's.
	again := func(happens step) step {
		return all(pause(5*time.Second), happens, pause(time.Second), (*Rig).Restart)
	}
	missing := contract.Outcome{Status: contract.False, Reason: contract.ReasonAdapterMissingResults,
		Message: "Adapter container exited with code 0 but wrote no result file at /results/adapter-result.json"}
	first := all((*Rig).Finish, (*Rig).AwaitReport, (*Rig).Sigterm, func(r *Rig) {
		if code, _ := r.Wait(); code != 0 {
			r.T.Errorf("exit code %d of the first run", code)
		}
	})
	sidecarAgain := func(r *Rig) { r.StartAgain("status-reporter") }
	removes := func(r *Rig) {
		if err := os.Remove(r.Path); err != nil {
			r.T.Fatal(err)
		}
	}
	kept := status(func(s *batchv1.JobStatus) { s.Conditions = append(s.Conditions, isTrue("Available")) })
	rows := []Delivery{
		{Name: "a hostPath with yesterday's success, and a crash", pod: onHostPath, before: leftOver(Yesterdays), play: all(pause(4*time.Second), (*Rig).Crash), Want: Crashed, Exit: 1},
		{Name: "a hostPath with yesterday's success, and a result", pod: onHostPath, before: leftOver(Yesterdays), play: all(pause(4*time.Second), (*Rig).Finish), Want: Good},
		{Name: "a hostPath with yesterday's success, and the adapter ends well without a file", pod: onHostPath, before: leftOver(Yesterdays),
			play: all(pause(4*time.Second), terminated(0, "Completed")), Want: missing, Exit: 1},
		{Name: "a hostPath with yesterday's success, and the Pod is deleted", pod: onHostPath, before: leftOver(Yesterdays), play: all(pause(4*time.Second), deleted(10)), Want: isDeleted, Exit: 143},
		{Name: "OnFailure: half a file, killed for its memory, and the next run succeeds", pod: OnFailure, Want: Good,
			play: all(writes(halfFile), again(terminated(137, "OOMKilled")), pause(12*time.Second), (*Rig).Finish)},
		{Name: "OnFailure: half a file, a crash, and the next run ends well without one", pod: OnFailure, Want: missing,
			play: all(writes(halfFile), again((*Rig).Crash), pause(3*time.Second), terminated(0, "Completed"))},
		{Name: "a native sidecar is started again after its report, and the adapter has tidied up and crashes", pod: NativeSidecar,
			play: all(first, removes, sidecarAgain, pause(time.Second), (*Rig).Crash, pause(100*time.Millisecond), (*Rig).Sigterm), Want: Good},
		{Name: "a copy of the Pod that the Job does not control crashes, and another Pod's success stands", pod: func(pod *corev1.Pod) { pod.OwnerReferences = nil },
			before: kept, play: (*Rig).Crash, Exit: 143, keeps: []batchv1.JobConditionType{"Available"}},
		{Name: "OnFailure: a crash an hour ago, and the Pod is deleted", pod: pods(OnFailure, crashedLongAgo), play: deleted(10), Want: isDeleted},
	}
	if v < restartAllContainers {
		return rows
	}
	add := func(name string, d Delivery) {
		d.Name = "all containers were started again, the first try's failure is there, and " + name
		d.pod, d.before = pods(RestartRule, StartedAgain), leftOver(`{"status":"failure","reason":"FirstTry"}`)
		d.play = all(pause(4*time.Second), d.play)
		rows = append(rows, d)
	}
	add("the second succeeds", Delivery{play: (*Rig).Finish, Want: Good})
	add("the second crashes", Delivery{play: (*Rig).Crash, Want: Crashed, Exit: 1})
	add("the second ends well without a file", Delivery{play: terminated(0, "Completed"), Want: missing, Exit: 1})
	return rows
}

// crashedLongAgo is an adapter that has run for an hour since its only crash.
func crashedLongAgo(pod *corev1.Pod) {
	s := AdapterStatus(pod)
	EndRun(s, 1, "Error", "")
	BeginRun(s)
	s.State.Running.StartedAt.Time = time.Now().Add(-time.Hour)
}
