// Package faults plays what goes wrong, and keeps docs/faults.md by it.
package faults

import (
	"os"
	"testing"

	"github.com/openshift-hyperfleet/status-reporter/test/program"
)

// The words of the stories, short: the tables are read more often than written.
type (
	adapter = program.Adapter
	harness = program.Harness
	story   = program.Story
)

const (
	namespace = program.Namespace
	jobName   = program.JobName
	podName   = program.PodName
)

var (
	interruptedBy = program.InterruptedBy

	good       = program.Good
	goodFile   = program.GoodFile
	yesterdays = program.Yesterdays
	crashed    = program.Crashed
	oom        = program.OOMKilled
	timedOut   = program.TimedOut
	nothing    = program.Nothing

	anything = program.Anything
	patches  = program.Patches
	watches  = program.Watches
	podReads = program.PodReads
	jobReads = program.JobReads
)

// TestMain removes the binary of those that play the program as a process.
func TestMain(m *testing.M) { os.Exit(program.Main(m)) }
