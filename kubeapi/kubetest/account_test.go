package kubetest_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

func TestTokens(t *testing.T) {
	s := kubetest.New(t, kubetest.InMemory())
	populate(s)
	c := newClient(t, s)
	first := s.Token()
	code := func(token string) int { return c.do("GET", jobPath, "", "Authorization", "Bearer "+token).code }

	if readFile(t, s, "token") != first || code(first) != 200 {
		t.Errorf("the first token: %d", code(first))
	}
	s.RotateToken("second", true)
	if readFile(t, s, "token") != "second" || s.Token() != "second" || code(first) != 200 || code("second") != 200 {
		t.Errorf("rotated, the old one kept: %d, %d", code(first), code("second"))
	}
	s.RotateToken("third", false)
	if code("second") != 401 || code("third") != 200 {
		t.Errorf("rotated: %d, %d", code("second"), code("third"))
	}
	s.SetAcceptedTokens("fourth")
	if code("third") != 401 || code("fourth") != 200 || readFile(t, s, "token") != "third" {
		t.Errorf("another accepted: %d, %d", code("third"), code("fourth"))
	}
	s.SetAcceptedTokens()
	if code("fourth") != 401 || code("") != 401 {
		t.Errorf("none accepted: %d, %d", code("fourth"), code(""))
	}
}

// The files are the kubelet's: links through ..data, which is swapped in one
// step, with one version beside it.
func TestServiceAccountDir(t *testing.T) {
	s := kubetest.New(t, kubetest.InMemory())
	dir := s.ServiceAccountDir()
	ca := readFile(t, s, "ca.crt")
	link := func(name string) string {
		target, err := os.Readlink(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		}
		return target
	}
	before := link("..data")
	s.RotateToken("next", false)
	after := link("..data")
	if link("token") != filepath.Join("..data", "token") || before == after || !strings.HasPrefix(after, "..2") {
		t.Errorf("token -> %s, ..data -> %s, then %s", link("token"), before, after)
	}
	if readFile(t, s, "ca.crt") != ca {
		t.Error("the CA changed with the token")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	want := []string{after, "..data", "ca.crt", "token"}
	if slices.Sort(want); !slices.Equal(names, want) {
		t.Errorf("the directory has %q, want %q", names, want)
	}
}

func TestEnviron(t *testing.T) {
	s := kubetest.New(t)
	env := s.Environ()
	slices.Sort(env)
	want := []string{"KUBERNETES_SERVICE_HOST=127.0.0.1", "KUBERNETES_SERVICE_PORT=" + s.Port(), "SERVICE_ACCOUNT_DIR=" + s.ServiceAccountDir()}
	if !slices.Equal(env, want) {
		t.Errorf("%q", env)
	}
}
