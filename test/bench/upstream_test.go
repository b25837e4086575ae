package main

import (
	"flag"
	"os"
	"testing"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
	"github.com/openshift-hyperfleet/status-reporter/test/apiserver"
)

// TestFleet is `make bench-fleet APISERVER=1`: the command with these arguments,
// against a real kube-apiserver.
func TestFleet(t *testing.T) {
	if flag.NArg() == 0 {
		t.Skip("run `make bench-fleet APISERVER=1`")
	}
	o, err := parseOptions(flag.Args(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	if o.against != "" {
		if code, done := insidePod(t.Context(), os.Args[1:], os.Stdout, os.Stderr); done {
			if code != 0 {
				t.Fatal("exit code", code)
			}
			return
		}
	}
	o.upstream = apiserver.Start(t).Namespace(t)
	if err := measure(t.Context(), o, os.Stdout, os.Stderr); err != nil {
		t.Fatal(err)
	}
}

// What is noted of an upstream is what is noted of the double.
func TestUpstream(t *testing.T) {
	api := kubetest.New(t)
	b := newTestBench(t)
	if err := b.server.forwardTo(api); err != nil {
		t.Fatal(err)
	}
	playReporters(t, b)
	for name := range b.server.jobs {
		if c := api.Job(namespace, name).Status.Conditions; len(c) != 1 {
			t.Errorf("%s has conditions %+v, want one", name, c)
		}
	}
}
