package watch

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestResultVolume(t *testing.T) {
	mount := func(volume, at string) corev1.VolumeMount { return corev1.VolumeMount{Name: volume, MountPath: at} }
	type mounts = []corev1.VolumeMount
	const file = "/results/adapter-result.json"
	p := pod(func(p *corev1.Pod) {
		p.Spec.Volumes = []corev1.Volume{
			{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			{Name: "memory", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}}},
			{Name: "node", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/var/results"}}},
			{Name: "claim", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "results"}}},
			{Name: "server", VolumeSource: corev1.VolumeSource{NFS: &corev1.NFSVolumeSource{Server: "nfs", Path: "/"}}},
			{Name: "generic", VolumeSource: corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}},
		}
	})
	tests := []struct {
		name   string
		mounts mounts
		file   string
		want   volume
	}{
		{"emptyDir", mounts{mount("scratch", "/results")}, file, volumeEmptyDir},
		{"emptyDir in memory", mounts{mount("memory", "/results")}, file, volumeEmptyDir},
		{"hostPath", mounts{mount("node", "/results")}, file, volumeHostPath},
		{"a claim", mounts{mount("claim", "/results")}, file, volumeOther},
		{"NFS", mounts{mount("server", "/results")}, file, volumeOther},
		{"a volume of its own storage class", mounts{mount("generic", "/results")}, file, volumeOther},
		{"a volume that is not in the spec", mounts{mount("gone", "/results")}, file, volumeOther},
		{"no mounts", nil, file, volumeNone},
		{"a mount elsewhere", mounts{mount("node", "/data")}, file, volumeNone},
		{"a mount of which it is no part", mounts{mount("node", "/result"), mount("node", "/results-old"), mount("node", "/results/adapter-result")}, file, volumeNone},
		{"a mount below it", mounts{mount("node", "/results/adapter-result.json/x")}, file, volumeNone},
		{"the file itself", mounts{mount("node", "/results/adapter-result.json")}, file, volumeHostPath},
		{"the longest, first", mounts{mount("node", "/results"), mount("scratch", "/")}, file, volumeHostPath},
		{"the longest, last", mounts{mount("scratch", "/"), mount("node", "/results")}, file, volumeHostPath},
		{"a file in a mounted directory", mounts{mount("scratch", "/results"), mount("node", "/results/adapter-result.json")}, file, volumeHostPath},
		{"everything", mounts{mount("claim", "/")}, file, volumeOther},
		{"deeper", mounts{mount("node", "/a")}, "/a/b/c/r.json", volumeHostPath},
		{"a mount path that ends in a slash", mounts{mount("node", "/results/")}, file, volumeHostPath},
		{"a mount path that is not clean", mounts{mount("node", "/x/../results")}, file, volumeHostPath},
		{"a relative mount path is below the root", mounts{mount("node", "results")}, file, volumeHostPath},
		{"a RESULTS_PATH that is not clean", mounts{mount("node", "/results")}, "/x/..//results/./r.json", volumeHostPath},
		{"a part of a volume", mounts{{Name: "node", MountPath: "/results", SubPath: "adapter"}}, file, volumeHostPath},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := p.DeepCopy()
			p.Spec.Containers[1].VolumeMounts = test.mounts
			p.Spec.Containers[0].VolumeMounts = mounts{mount("claim", "/results")} // the adapter's do not count
			r, err := findContainers(p, "", variables)
			if err != nil {
				t.Fatal(err)
			}
			if got := resultVolume(p, r, test.file); got != test.want {
				t.Errorf("volume %d, want %d", got, test.want)
			}
		})
	}
	if got := resultVolume(p, roles{}, file); got != volumeUnknown {
		t.Errorf("the reporter is not known: volume %d", got)
	}
}
