// Command status-reporter is a sidecar for Kubernetes Jobs. It waits for the
// result file of the adapter container beside it, or for the adapter's end
// without one, and sets one condition on the Job's status.
//
// It takes its configuration from the environment only:
//
//	JOB_NAME                required; the Job that gets the condition
//	JOB_NAMESPACE           required; its namespace
//	POD_NAME                required; the Pod that adapter and reporter are in
//	RESULTS_PATH            /results/adapter-result.json; what the adapter writes
//	POLL_INTERVAL_SECONDS   2; between looks at the file; where inotify tells of every change, ten times as long
//	MAX_WAIT_TIME_SECONDS   300; for the adapter, from the reporter's start
//	CONDITION_TYPE          Available; none of the Job controller's own
//	LOG_LEVEL               info; debug, info, warn or error
//	ADAPTER_CONTAINER_NAME  the first container in the Pod's spec that is not the reporter
//	FAILURE_EXIT_CODE       0; the exit code where the adapter's own result is a failure: 4 to 125 but not 78
//	OUTCOME_LABEL           none; the key of a label of the Job that the outcome's status goes into
//	DETAILS_ANNOTATION      none; the key of an annotation of the Job that the details go into
//	SERVICE_ACCOUNT_DIR     /var/run/secrets/kubernetes.io/serviceaccount; token and ca.crt
//
// KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT come from the kubelet. A W3C
// TRACEPARENT puts its trace_id and span_id on each log line, and goes with each
// request.
//
// Exit codes: 0 the adapter's own result stands on the Job (FAILURE_EXIT_CODE where
// that is set and the result is a failure); 1 a fault of the adapter stands on the
// Job, or an interruption that is False (both 0 in a Pod with restartPolicy
// OnFailure, where the kubelet would start the reporter again);
// 78 misconfigured; 3 the report could not be delivered; 143 stopped before
// there was anything final to report, or another Pod's report stands (likewise
// 0 with OnFailure).
package main

import (
	"io"
	"log"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/openshift-hyperfleet/status-reporter/internal/command"
	"github.com/openshift-hyperfleet/status-reporter/internal/reporter"
)

// Stamped by the Makefile.
var (
	version = "dev"
	commit  = ""
	date    = ""
)

// memoryLimit makes a container limit of 32 MiB safe.
const memoryLimit = 20 << 20

func main() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT) // before anything else: the first may come at once
	signal.Ignore(syscall.SIGPIPE)                          // or a line onto a standard error without a reader ends the program
	log.SetOutput(io.Discard)                               // net/http's, which would wait for its reader
	debug.SetMemoryLimit(memoryLimit)
	runtime.GOMAXPROCS(1) // for one file and one Pod: a quarter of the CPU time and 0.4 MB less
	if len(os.Args) > 1 {
		signal.Reset() // SIGTERM and Ctrl-C end a command, which may wait for its input
		os.Exit(command.Run(os.Args[1:], command.Process{
			Getenv: os.Getenv, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
			Build: command.Build{Version: version, Commit: commit, Date: date},
		}))
	}
	os.Exit(reporter.Run(reporter.Process{
		Getenv: os.Getenv, Stderr: os.Stderr, Signals: signals, TerminationLog: "/dev/termination-log",
		Started: reporter.ProcessStart(), Version: version,
	}))
}
