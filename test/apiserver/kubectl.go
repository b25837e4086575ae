package apiserver

import (
	"os"
	"os/exec"
	"path/filepath"
)

// Kubectl is the environment of a shell in which kubectl is an administrator's, in
// this namespace; nil where there is no kubectl, neither beside the control plane nor
// in PATH.
func (n *Namespace) Kubectl() (env []string) {
	n.tb.Helper()
	path := os.Getenv(Variable) + string(filepath.ListSeparator) + os.Getenv("PATH")
	var kubectl string
	for _, dir := range filepath.SplitList(path) {
		if file, err := exec.LookPath(filepath.Join(dir, "kubectl")); err == nil {
			kubectl = file
			break
		}
	}
	if kubectl == "" {
		return nil
	}
	home := n.tb.TempDir()
	env = []string{"HOME=" + home, "KUBECONFIG=" + filepath.Join(home, "config"), "PATH=" + filepath.Dir(kubectl) + string(filepath.ListSeparator) + os.Getenv("PATH")}
	for _, args := range [][]string{
		{"set-cluster", "test", "--server=" + n.c.admin.base, "--certificate-authority=" + n.c.pki.path("ca.crt")},
		{"set-credentials", "admin", "--client-certificate=" + n.c.pki.path("admin.crt"), "--client-key=" + n.c.pki.path("admin.key")},
		{"set-context", "test", "--cluster=test", "--user=admin", "--namespace=" + n.Name},
		{"use-context", "test"},
	} {
		set := exec.Command(kubectl, append([]string{"config"}, args...)...)
		set.Env = env
		if out, err := set.CombinedOutput(); err != nil {
			n.tb.Fatalf("kubectl config %s: %v: %s", args[0], err, out)
		}
	}
	return env
}
