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
//	POLL_INTERVAL_SECONDS   2; between looks at the file; where inotify works, ten times as long
//	MAX_WAIT_TIME_SECONDS   300; for the adapter, from the reporter's start
//	CONDITION_TYPE          Available; none of the Job controller's own
//	LOG_LEVEL               info; debug, info, warn or error
//	ADAPTER_CONTAINER_NAME  the first container in the Pod's spec that is not the reporter
//	SERVICE_ACCOUNT_DIR     /var/run/secrets/kubernetes.io/serviceaccount; token and ca.crt
//
// KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT come from the kubelet.
//
// Exit codes: 0 the adapter's own result stands on the Job; 1 a fault of the
// adapter stands on the Job (0 in a Pod with restartPolicy OnFailure, where the
// kubelet would start the reporter again); 78 misconfigured; 3 the report could
// not be delivered; 143 stopped before there was anything final to report
// (likewise 0).
package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

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

func main() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT) // before anything else: the first may come at once
	debug.SetMemoryLimit(memoryLimit)
	runtime.GOMAXPROCS(1) // for one file and one Pod: a quarter of the CPU time and 0.4 MB less
	p := process{
		getenv:         os.Getenv,
		stdin:          os.Stdin,
		stdout:         os.Stdout,
		stderr:         os.Stderr,
		signals:        signals,
		terminationLog: "/dev/termination-log",
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
	terminationLog string // written only where the kubelet has made it

	// For tests.
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	pollOnly bool
}

func (p *process) run(args []string) int {
	if len(args) > 0 {
		return p.command(args)
	}
	cfg, warnings, problems := parseConfig(p.getenv)
	log := slog.New(slog.NewJSONHandler(p.stderr, &slog.HandlerOptions{Level: cfg.logLevel})).
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
	r := &reporter{cfg: cfg, log: log, client: client, terminationLog: p.terminationLog}
	if problems != nil {
		wrong := errors.New(strings.Join(problems, "; "))
		if err != nil || !cfg.addressed() {
			r.finish(slog.LevelError, "misconfigured", "error", wrong)
		} else {
			r.misconfigured(wrong)
		}
		return exitMisconfigured
	}
	log.Info("started", "version", version, "resultsPath", cfg.resultsPath, "maxWait", cfg.wait.String())
	return p.observe(r)
}

// observe runs the observers beside the delivery until the report is made.
func (p *process) observe(r *reporter) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel() // and no wait for what still looks or reads
	terminated := make(chan struct{})
	r.jobRead = make(chan struct{})
	r.obs = watch.New(watch.Config{
		Path: r.cfg.resultsPath, Poll: r.cfg.poll, Wait: r.cfg.wait,
		Adapter: r.cfg.adapter, Variables: variables,
		Pods: r.client, Log: r.log, PollOnly: p.pollOnly,
		Opened:   func() { go r.readJob(ctx) },
		Stopping: r.client.SetKillAt,
	})
	go r.obs.Run(ctx)
	go func() {
		select {
		case <-p.signals:
			r.obs.Stop()
			close(terminated)
		case <-ctx.Done():
		}
	}()
	code := r.report(ctx)
	if r.obs.Sidecar() && code != exitUndelivered { // that one tries again when it is started again
		r.log.Debug("a native sidecar that ends is started again; waiting for SIGTERM")
		<-terminated
	}
	return code
}
