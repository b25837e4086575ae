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
//	SERVICE_ACCOUNT_DIR     /var/run/secrets/kubernetes.io/serviceaccount; token and ca.crt
//
// KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT come from the kubelet.
//
// Exit codes: 0 the adapter's own result stands on the Job; 1 a fault of the
// adapter stands on the Job, or an interruption that is False (0 in a Pod with
// restartPolicy OnFailure, where the kubelet would start the reporter again);
// 78 misconfigured; 3 the report could not be delivered; 143 stopped before
// there was anything final to report, or another Pod's report stands (likewise
// 0 with OnFailure).
package main

import (
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/internal/sink"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi"
	"github.com/openshift-hyperfleet/status-reporter/watch"
)

// Exit codes.
const (
	exitReported      = 0
	exitFault         = 1
	exitMisconfigured = 78 // EX_CONFIG of sysexits.h; 2 is how every Go program ends that panics or gets SIGQUIT
	exitUndelivered   = 3
	exitInterrupted   = 143 // 128 and SIGTERM, as of a process that it has ended
)

// memoryLimit makes a container limit of 32 MiB safe.
const memoryLimit = 20 << 20

// exitMargin is how long the end of the process waits for the last lines to be
// written. A SIGKILL may be near.
const exitMargin = 200 * time.Millisecond

func main() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT) // before anything else: the first may come at once
	signal.Ignore(syscall.SIGPIPE)                          // or a line onto a standard error without a reader ends the program
	log.SetOutput(io.Discard)                               // net/http's, which would wait for its reader
	debug.SetMemoryLimit(memoryLimit)
	runtime.GOMAXPROCS(1) // for one file and one Pod: a quarter of the CPU time and 0.4 MB less
	p := process{
		getenv:         os.Getenv,
		stdin:          os.Stdin,
		stdout:         os.Stdout,
		stderr:         os.Stderr,
		signals:        signals,
		terminationLog: "/dev/termination-log",
		started:        processStart(),
	}
	os.Exit(p.run(os.Args[1:]))
}

// process is what the program has of the world. Nothing else reads the
// environment.
type process struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
	signals        <-chan os.Signal
	terminationLog string    // written only where the kubelet has made it
	started        time.Time // zero: now

	// For tests.
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	pollOnly bool
}

func (p *process) run(args []string) int {
	if len(args) > 0 {
		return p.command(args)
	}
	lines, last := sink.NewLog(p.stderr), sink.NewTerminationMessage(p.terminationLog)
	defer sink.Flush(exitMargin, lines, last)
	cfg, warnings, problems := parseConfig(p.getenv)
	log := slog.New(slog.NewJSONHandler(lines, &slog.HandlerOptions{Level: cfg.logLevel})).
		With("job", cfg.job, "namespace", cfg.namespace, "pod", cfg.pod)
	for _, w := range warnings {
		log.Warn(w)
	}
	client, err := kubeapi.New(kubeapi.Config{
		Host: cfg.host, Port: cfg.port, ServiceAccountDir: cfg.serviceAccountDir,
		Namespace: cfg.namespace, Job: cfg.job, Pod: cfg.pod,
		UserAgent: "status-reporter/" + version, Log: log, Dial: p.dial,
	})
	if err != nil {
		problems = append(problems, "SERVICE_ACCOUNT_DIR: "+err.Error())
	} else {
		defer client.Close()
	}
	r := &reporter{cfg: cfg, log: log, last: last, client: client, started: p.started, pollOnly: p.pollOnly}
	if problems != nil {
		wrong := errors.New(strings.Join(problems, "; "))
		r.say(slog.LevelError, "misconfigured", "error", wrong)
		if err == nil && cfg.addressed() {
			r.run(p.signals, wrong)
		}
		return exitMisconfigured
	}
	if err := watch.CheckDescriptors(); err != nil {
		log.Warn(err.Error())
	}
	log.Info("started", "version", version, "resultsPath", cfg.resultsPath, "maxWait", cfg.wait.String())
	return exitCode(r.run(p.signals, nil))
}

// reporter is the sidecar with its configuration.
type reporter struct {
	cfg      config
	log      *slog.Logger
	last     *sink.TerminationMessage
	client   *kubeapi.Client
	started  time.Time
	pollOnly bool
}

// run runs until the report is made, or cannot be. Where the configuration is
// wrong, that is what is reported.
func (r *reporter) run(signals <-chan os.Signal, wrong error) watch.Result {
	c := r.cfg
	return watch.Run(context.Background(), watch.Config{
		Path: c.resultsPath, Poll: c.poll, Wait: c.wait, Adapter: c.adapter, Variables: variables,
		Job: c.job, Pod: c.pod, ConditionType: c.conditionType, Misconfigured: wrong, Started: r.started,
		API: r.client, Log: r.log, Last: r.say, PollOnly: r.pollOnly,
	}, signals)
}

// say logs what may be the last line of the run, and keeps it for the kubelet.
// Without a msg it takes the last one back.
func (r *reporter) say(level slog.Level, msg string, args ...any) {
	if msg == "" {
		r.last.Set(nil)
		return
	}
	r.log.Log(context.Background(), level, msg, args...)
	r.last.Set(sink.TerminationLine(level, msg, append([]any{"job", r.cfg.job, "namespace", r.cfg.namespace, "pod", r.cfg.pod}, args...)...))
}

// exitCode is 0 for a fault as well where the kubelet would start the reporter
// again and count it against the Job's backoffLimit. What is not final has a code
// of its own: a podFailurePolicy that fails the Job for a fault must not do so for
// a Pod that somebody has deleted.
func exitCode(r watch.Result) int {
	switch {
	case !r.Delivered:
		return exitUndelivered
	case r.Own || r.Pod != nil && r.Pod.Spec.RestartPolicy == corev1.RestartPolicyOnFailure:
		return exitReported
	case r.Superseded || r.Outcome.Status == contract.Unknown:
		return exitInterrupted
	}
	return exitFault
}
