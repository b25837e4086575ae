// Package reporter is the sidecar: its configuration, what it is made of, its
// exit codes and its termination message.
package reporter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/internal/env"
	"github.com/openshift-hyperfleet/status-reporter/internal/sink"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi"
	"github.com/openshift-hyperfleet/status-reporter/watch"
)

// Exit codes.
const (
	ExitReported      = 0
	ExitFault         = 1
	ExitMisconfigured = 78 // EX_CONFIG of sysexits.h; 2 is how every Go program ends that panics or gets SIGQUIT
	ExitUndelivered   = 3
	ExitInterrupted   = 143 // 128 and SIGTERM, as of a process that it has ended
)

// exitMargin is how long the end of the process waits for the last lines to be
// written. A SIGKILL may be near.
const exitMargin = 200 * time.Millisecond

// Process is what the sidecar has of the world. Nothing else reads the
// environment. Stderr is written by one goroutine at a time, and may block.
type Process struct {
	Getenv         func(string) string
	Stderr         io.Writer        // the log
	Signals        <-chan os.Signal // each tells it to stop
	TerminationLog string           // a file's path; written only where the kubelet has made it
	Started        time.Time        // zero: now
	Version        string           // for the log and the API server

	// Dial and PollOnly are for tests: how the API server is reached, nil for the
	// network's way; and that no file events are subscribed to.
	Dial     func(ctx context.Context, network, address string) (net.Conn, error)
	PollOnly bool
}

// Run runs the sidecar until its report is made, or cannot be, and returns the
// exit code.
func Run(p Process) int {
	said := env.Get(p.Getenv, "TRACEPARENT", "")
	trace, traced := parseTraceparent(said)
	each := append([]any{"component", "status-reporter", "version", p.Version}, trace.attributes()...)
	lines, last := sink.NewLog(p.Stderr, each...), sink.NewTerminationMessage(p.TerminationLog)
	defer sink.Flush(exitMargin, lines, last)
	cfg, warnings, problems := parseConfig(p.Getenv)
	log := slog.New(slog.NewJSONHandler(lines, &slog.HandlerOptions{Level: cfg.logLevel})).
		With(each...).With("job", cfg.job, "namespace", cfg.namespace, "pod", cfg.pod)
	if said != "" && !traced {
		log.Debug("TRACEPARENT: no traceparent of W3C's Trace Context; it is left alone", "is", env.Shorten(said))
	}
	for _, w := range warnings {
		log.Warn(w)
	}
	client, err := kubeapi.New(kubeapi.Config{
		Host: cfg.host, Port: cfg.port, ServiceAccountDir: cfg.serviceAccountDir,
		Namespace: cfg.namespace, Job: cfg.job, Pod: cfg.pod,
		UserAgent: "status-reporter/" + p.Version, Traceparent: trace.header(), Log: log, Dial: p.Dial,
	})
	if err != nil {
		problems = append(problems, "SERVICE_ACCOUNT_DIR: "+unusable(err).Error())
	} else {
		defer client.Close()
	}
	r := &reporter{cfg: cfg, log: log, last: last, client: client, started: p.Started, version: p.Version, pollOnly: p.PollOnly}
	if problems != nil {
		wrong := errors.New(strings.Join(problems, "; "))
		r.say(slog.LevelError, "misconfigured", "error", wrong)
		if err == nil && cfg.addressed() {
			r.run(p.Signals, wrong)
		}
		return ExitMisconfigured
	}
	if err := watch.CheckDescriptors(); err != nil {
		log.Warn(err.Error())
	}
	log.Info("started", "resultsPath", cfg.resultsPath, "maxWait", cfg.wait.String())
	return exitCode(r.run(p.Signals, nil), cfg.failureExitCode)
}

// unusable says what to do about a token or a CA that is not there.
func unusable(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w; let the reporter's user read it, as of a projected volume without a defaultMode of its own", err)
	}
	return fmt.Errorf("%w; mount a projected volume there with the token and kube-root-ca.crt, as deploy/job.yaml does", err)
}

// reporter is the sidecar with its configuration: it joins watch, kubeapi and the
// sinks, for one run. The run calls say from one goroutine.
type reporter struct {
	cfg      config
	log      *slog.Logger
	last     *sink.TerminationMessage
	client   *kubeapi.Client
	started  time.Time
	version  string
	pollOnly bool
}

// run runs until the report is made, or cannot be. Where the configuration is
// wrong, that is what is reported.
func (r *reporter) run(signals <-chan os.Signal, wrong error) watch.Result {
	c := r.cfg
	return watch.Run(context.Background(), watch.Config{
		Path: c.resultsPath, Poll: c.poll, Wait: c.wait, Adapter: c.adapter, Variables: variables,
		Job: c.job, Pod: c.pod, ConditionType: c.conditionType, Misconfigured: wrong, Started: r.started,
		OutcomeLabel: c.outcomeLabel, DetailsAnnotation: c.detailsAnnotation, Version: r.version,
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

// exitCode is 0 for a fault, and for the adapter's own failure, where the kubelet
// would start the reporter again and count it against the Job's backoffLimit. Where
// that is not known it is no reason: such restarts end at backoffLimit, and a Job
// that is Complete would hide the failure. What is not final has a code of its own: a
// podFailurePolicy that fails the Job for a fault must not do so for a Pod that
// somebody has deleted.
func exitCode(r watch.Result, failure int) int {
	switch {
	case !r.Delivered:
		return ExitUndelivered
	case r.Restarts:
		return ExitReported
	case r.Own && r.Outcome.Status == contract.False:
		return failure
	case r.Own:
		return ExitReported
	case r.Superseded || r.Outcome.Status == contract.Unknown:
		return ExitInterrupted
	}
	return ExitFault
}
