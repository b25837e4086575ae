package main

import (
	"testing"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

func TestLacks(t *testing.T) {
	plain, rules := entry{}, entry{Needs: needs{"RestartAllContainers", 36}}
	for _, tc := range []struct {
		testCase testCase
		has      kubetest.Version
		want     string
	}{
		{testCase{entry: plain, form: forms[0]}, 28, ""},
		{testCase{entry: plain, form: forms[1]}, 28, "native sidecars: since Kubernetes 1.29, this is 1.28"},
		{testCase{entry: plain, form: forms[1]}, 29, ""},
		{testCase{entry: rules, form: forms[0]}, 35, "RestartAllContainers: since Kubernetes 1.36, this is 1.35"},
		{testCase{entry: rules, form: forms[1]}, 36, ""},
		{testCase{entry: plain, form: injection}, 35, "MutatingAdmissionPolicy: since Kubernetes 1.36, this is 1.35"},
		{testCase{entry: entry{Env: map[string]string{"FAILURE_EXIT_CODE": "0"}}, form: injection}, 37, ""},
		{testCase{entry: entry{Env: map[string]string{"POLL_INTERVAL_SECONDS": "2"}}, form: injection}, 37, "the injected reporter's variables are the namespace's, not a Job's"},
		{testCase{entry: entry{SidecarLast: true}, form: injection}, 37, "the injected reporter starts before the Job's own init containers"},
		{testCase{entry: entry{SidecarLast: true}, form: forms[1]}, 37, ""},
	} {
		if got := tc.testCase.lacks(tc.has); got != tc.want {
			t.Errorf("%+v on %s: %q, want %q", tc.testCase.entry, tc.has, got, tc.want)
		}
	}
}
