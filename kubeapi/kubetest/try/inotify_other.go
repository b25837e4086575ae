//go:build !linux

package main

import "github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"

func watchFile(_ kubetest.TB, path string) func() []fileEvent { return modified(path) }
