package deploy_test

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

const tokenPath = "/var/run/secrets/kubernetes.io/serviceaccount"

// TestToken: the adapter never holds the reporter's token.
func TestToken(t *testing.T) {
	for name, m := range jobs(t) {
		t.Run(name, func(t *testing.T) {
			pod := m.jobs[0].Spec.Template.Spec
			if v := pod.AutomountServiceAccountToken; v == nil || *v {
				t.Error("the Pod gives the token to every container")
			}
			if m.accounts[0].AutomountServiceAccountToken != nil {
				t.Error("the account takes the token from Jobs that count on the automatic mount, as the original's do")
			}
			var volume string
			for _, v := range pod.Volumes {
				if v.Projected != nil {
					volume = v.Name
					checkProjection(t, v.Projected)
				}
			}
			reporter, adapter := split(t, pod)
			if want := (corev1.VolumeMount{Name: volume, MountPath: tokenPath, ReadOnly: true}); !mounts(reporter, want) {
				t.Errorf("the reporter does not mount %+v", want)
			}
			for _, v := range adapter.VolumeMounts {
				if v.Name == volume || v.MountPath == tokenPath {
					t.Errorf("the adapter mounts the token: %+v", v)
				}
			}
		})
	}
}

// checkProjection: the files that the reporter looks for, under their names.
func checkProjection(t *testing.T, p *corev1.ProjectedVolumeSource) {
	t.Helper()
	var paths []string
	for _, s := range p.Sources {
		switch {
		case s.ServiceAccountToken != nil:
			paths = append(paths, s.ServiceAccountToken.Path)
			if e := s.ServiceAccountToken.ExpirationSeconds; e == nil || *e < 600 {
				t.Errorf("the API refuses a token of less than 600 seconds: %+v", s.ServiceAccountToken)
			}
		case s.ConfigMap != nil && s.ConfigMap.Name == "kube-root-ca.crt":
			for _, item := range s.ConfigMap.Items {
				paths = append(paths, item.Path)
			}
		}
	}
	if !slices.Equal(paths, []string{"token", "ca.crt"}) {
		t.Errorf("the volume holds %q", paths)
	}
}

// TestRestricted holds every container to the Pod Security Standard
// "restricted", and to a root filesystem that cannot be written.
func TestRestricted(t *testing.T) {
	for name, m := range jobs(t) {
		t.Run(name, func(t *testing.T) {
			pod := m.jobs[0].Spec.Template.Spec
			if pod.HostNetwork || pod.HostPID || pod.HostIPC {
				t.Error("the Pod shares a namespace with its node")
			}
			for _, v := range pod.Volumes {
				if v.EmptyDir == nil && v.Projected == nil {
					t.Errorf("volume %s is neither emptyDir nor projected", v.Name)
				}
			}
			for _, c := range containers(pod) {
				checkRestricted(t, pod, c)
			}
		})
	}
}

func checkRestricted(t *testing.T, pod corev1.PodSpec, c corev1.Container) {
	t.Helper()
	s := c.SecurityContext
	if s == nil || s.Capabilities == nil {
		t.Errorf("%s has no securityContext with capabilities", c.Name)
		return
	}
	nonRoot, seccomp := s.RunAsNonRoot, s.SeccompProfile
	if p := pod.SecurityContext; p != nil {
		if nonRoot == nil {
			nonRoot = p.RunAsNonRoot
		}
		if seccomp == nil {
			seccomp = p.SeccompProfile
		}
	}
	for what, ok := range map[string]bool{
		"runAsNonRoot":                   isTrue(nonRoot),
		"readOnlyRootFilesystem":         isTrue(s.ReadOnlyRootFilesystem),
		"allowPrivilegeEscalation false": s.AllowPrivilegeEscalation != nil && !*s.AllowPrivilegeEscalation,
		"not privileged":                 !isTrue(s.Privileged),
		"seccomp RuntimeDefault":         seccomp != nil && seccomp.Type == corev1.SeccompProfileTypeRuntimeDefault,
		"drop ALL": slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) &&
			len(s.Capabilities.Add) == 0,
	} {
		if !ok {
			t.Errorf("%s: want %s", c.Name, what)
		}
	}
}

func isTrue(b *bool) bool { return b != nil && *b }
