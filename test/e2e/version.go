package main

import (
	"fmt"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// needs is a feature that a cluster may lack.
type needs struct {
	Feature string           `json:"feature"`
	Since   kubetest.Version `json:"since"` // the first that has it by default
}

// lacks says what a cluster of a version lacks for the case; empty: nothing.
func (c testCase) lacks(has kubetest.Version) string {
	asDefault := len(c.Env) == 1 && c.Env["FAILURE_EXIT_CODE"] == "0" // which undoes what deploy/job.yaml says
	switch {
	case !c.injected():
	case len(c.Env) > 0 && !asDefault:
		return "the injected reporter's variables are the namespace's, not a Job's"
	case c.SidecarLast:
		return "the injected reporter starts before the Job's own init containers"
	}
	for _, n := range []needs{c.Needs, c.form.needs} {
		if has < n.Since {
			return fmt.Sprintf("%s: since Kubernetes %s, this is %s", n.Feature, n.Since, has)
		}
	}
	return ""
}
