package kubetest_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

func TestFeatures(t *testing.T) {
	for _, tt := range []struct {
		feature *kubetest.Feature
		in, not []kubetest.Version
	}{
		{kubetest.SuccessCriteria, []kubetest.Version{31, 32, kubetest.Newest}, []kubetest.Version{kubetest.Oldest}},
		{kubetest.CheckedConditions, []kubetest.Version{32, 33, kubetest.Newest}, []kubetest.Version{kubetest.Oldest, 31}},
		{kubetest.InitialBookmarks, []kubetest.Version{32, 34, kubetest.Newest}, []kubetest.Version{kubetest.Oldest, 31, 33}},
	} {
		for _, v := range tt.in {
			if !tt.feature.In(v) {
				t.Errorf("%s: not in %s", tt.feature.Name, v)
			}
		}
		for _, v := range tt.not {
			if tt.feature.In(v) {
				t.Errorf("%s: in %s", tt.feature.Name, v)
			}
		}
	}
}

// TestNewest: the double is made of k8s.io/api, and plays the version of that.
func TestNewest(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`k8s\.io/api v0(\.\d+)\.`).FindSubmatch(mod)
	if found == nil || kubetest.Newest.String() != "1"+string(found[1]) {
		t.Errorf("k8s.io/api %s, and the newest version is %s", found, kubetest.Newest)
	}
}

func TestParseVersion(t *testing.T) {
	for text, want := range map[string]kubetest.Version{
		"v1.37.2": 37, "v1.30.14-gke.1": 30, "v1.33.1+k3s1": 33, "1.36": 36, "v1.36": 36,
		"2.0": 0, "": 0, "v11.3": 0, "Server Version: v1.37.2": 0, "1.3x": 0, "1.99999999999999999999": 0,
	} {
		var got kubetest.Version
		if err := got.UnmarshalText([]byte(text)); want > 0 && (got != want || err != nil) || want == 0 && err == nil {
			t.Errorf("%q: %s, %v; want %s", text, got, err, want)
		}
	}
}
