package watch

import (
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// volume is where the result file lies: what an earlier run may have left there,
// and whose clock its times are by.
type volume int

const (
	volumeUnknown  volume = iota // the reporter's container is not known
	volumeNone                   // no mount covers it: the container's own file system, which goes with it
	volumeEmptyDir               // goes with the Pod; the node's clock
	volumeHostPath               // outlives Pods; the node's clock
	volumeOther                  // may outlive Pods, and have a server with a clock of its own
)

// resultVolume is that of the reporter's mount which covers file, the longest
// where there are several.
func resultVolume(pod *corev1.Pod, r roles, file string) volume {
	if r.reporter == nil {
		return volumeUnknown
	}
	var name, longest string
	for i := range r.reporter.VolumeMounts {
		m := &r.reporter.VolumeMounts[i]
		if at := path.Clean("/" + m.MountPath); covers(at, path.Clean("/"+file)) && len(at) > len(longest) {
			name, longest = m.Name, at
		}
	}
	if longest == "" {
		return volumeNone
	}
	for i := range pod.Spec.Volumes {
		switch v := &pod.Spec.Volumes[i]; {
		case v.Name != name:
		case v.EmptyDir != nil:
			return volumeEmptyDir
		case v.HostPath != nil:
			return volumeHostPath
		}
	}
	return volumeOther
}

// covers reports whether file is dir or lies below it.
func covers(dir, file string) bool {
	return file == dir || strings.HasPrefix(file, strings.TrimSuffix(dir, "/")+"/")
}
