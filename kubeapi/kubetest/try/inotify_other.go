//go:build !linux

package main

import (
	"time"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

func watchFile(_ kubetest.TB, path string) func(before time.Time) time.Time { return modified(path) }
