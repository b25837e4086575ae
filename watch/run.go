// Package watch observes one adapter, through its result file and its Pod,
// decides what there is to report, and sets it as a condition on the Job.
//
// What to do next is said by state.next alone, from what has been seen so far and
// without effects: decide.go has what there is to report, deliver.go how it gets
// onto the Job. The loop in loop.go does what it is told, and takes the answers
// into the state.
package watch

import (
	"context"
	"log/slog"
	"os"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

// API is what a run asks of the API server about one Pod and its Job. Errors that
// are somebody's answer implement [apierrors.APIStatus], with a code where the API
// server itself has spoken; all others are the network's. Requests are made side by
// side.
type API interface {
	// WatchPod follows the Pod until the watch ends. It calls opened when the
	// server has accepted the watch, then event for each event. Without a
	// resourceVersion the first event is the present state.
	WatchPod(ctx context.Context, resourceVersion string, opened func(), event func(apiwatch.Event)) error
	// GetPod reads the Pod; cached allows an answer that is a little old.
	GetPod(ctx context.Context, cached bool) (*corev1.Pod, error)
	GetJob(ctx context.Context) (*batchv1.Job, error)
	// PatchJobStatus sets the condition that what carries, if the Job meets the
	// preconditions, and returns the Job as it stands then.
	PatchJobStatus(ctx context.Context, on metav1.Preconditions, what *batchv1.Job) (*batchv1.Job, error)
	// SetKillAt says when the process must expect SIGKILL: requests, those under
	// way included, do not wait beyond what that leaves.
	SetKillAt(t time.Time)
}

// Config says what to observe and what to report it on.
type Config struct {
	Path          string        // of the result file
	Poll          time.Duration // between looks at it; ten times as long where the kernel tells of events
	Wait          time.Duration // for the adapter, from Run's start
	Adapter       string        // container name; empty: detected
	Started       time.Time     // of this process; zero: now
	Variables     []string      // the reporter's own, by which its container is known
	Job           string        // its name
	Pod           string        // its name; empty: not known, and never read
	ConditionType batchv1.JobConditionType
	// Keys of the Job's label and annotation that a report sets; empty: none.
	OutcomeLabel, DetailsAnnotation string
	Version                         string // of the reporter, for the annotation
	Misconfigured                   error  // where set, this alone is reported, in 30 s at most
	API                             API
	Log                             *slog.Logger
	// Last says what the run's last line is so far, for the log and the kubelet;
	// an empty msg takes back a report that is not to be made any more.
	Last     func(level slog.Level, msg string, args ...any)
	PollOnly bool // do without inotify

	rand func(n int64) int64 // for the pauses, as in backoff.Backoff; nil: a random one
}

// Result is how a run ended.
type Result struct {
	Delivered  bool             // the Outcome stands on the Job, or another Pod's report does
	Superseded bool             // another Pod's report stands, which this one is not to replace
	Own        bool             // the Outcome is the adapter's own
	Outcome    contract.Outcome // zero where there was nothing to report
	Restarts   bool             // the kubelet starts the reporter again after any code but 0, as far as is known
}

// Run observes and reports. It returns when the report is made or given up; as a
// native sidecar, which the kubelet would start again, not before SIGTERM.
func Run(ctx context.Context, cfg Config, sigterm <-chan os.Signal) Result {
	return run(ctx, cfg, sigterm, lookAt)
}

func run(ctx context.Context, cfg Config, sigterm <-chan os.Signal, lookAt func(path string) look) Result {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // and no wait for what still looks or reads
	l := &loop{
		Config:  cfg,
		s:       newState(cfg, time.Now()),
		file:    newFileObserver(cfg.Path, cfg.PollOnly, cfg.Log),
		sigterm: sigterm,
		answers: make(chan func(), 4),
		pressed: make(chan struct{}),
	}
	l.file.lookAt = lookAt
	r := l.run(ctx)
	r.Restarts = l.s.pod.restartsReporter()
	return r
}
