package main

// The words of the stories, short: the tables are read more often than written.
type (
	adapter = Adapter
	harness = Harness
	story   = Story
)

const (
	namespace = Namespace
	jobName   = JobName
	podName   = PodName
)

var (
	interruptedBy = InterruptedBy

	good     = Good
	goodFile = GoodFile
	crashed  = Crashed
	timedOut = TimedOut
	nothing  = Nothing

	anything = Anything
	patches  = Patches
	watches  = Watches
)
