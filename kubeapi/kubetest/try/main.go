// Command try runs an adapter beside the real status reporter, without a
// cluster: both are processes, the API server is kubetest's, and the kubelet's
// part, an exit that becomes a container's state, is played.
//
//	go run ./kubeapi/kubetest/try [-case CASE]
//	go run ./kubeapi/kubetest/try [-expect-reason REASON] -- COMMAND [ARG ...]
//
// Outside of this repository it is
// github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest/try@VERSION.
//
// COMMAND is the adapter. It finds RESULTS_PATH in its environment and must
// write its result there; status-reporter is on its PATH. Without a COMMAND a built-in adapter runs; CASE is
// how it goes: success, failure, crash, oom, timeout, invalid or missing.
//
// The reporter is built from the same module, unless -reporter names a binary. Its
// settings can be given in the environment, such as MAX_WAIT_TIME_SECONDS=10,
// CONDITION_TYPE=Validated or LOG_LEVEL=debug.
//
// The Job goes to stdout as YAML, all else to stderr: what both processes print,
// and at the end a timeline of what happened, in colour on a terminal unless
// NO_COLOR is set. The exit code is 0 where
// the Job got a condition, with -expect-reason one of that reason, else 1; 2
// where the arguments are wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const usage = `Usage:
  try [-reporter PATH] [-case CASE] [-expect-reason REASON]
  try [-reporter PATH] [-expect-reason REASON] -- COMMAND [ARG ...]

`

const reporterPackage = "github.com/openshift-hyperfleet/status-reporter"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// options are the command line, taken apart.
type options struct {
	reporter     string // path of the binary; empty: build it
	adapter      builtin
	command      []string // the adapter
	programs     string   // a directory for its PATH; empty: none
	expectReason string
	patience     time.Duration // for an adapter that goes on when its Job has a condition
}

func parseOptions(args []string, stdout, stderr io.Writer) (options, error) {
	o := options{patience: 10 * time.Second}
	flags := flag.NewFlagSet("try", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {} // once it is known where it goes
	names := strings.Join(slices.Sorted(maps.Keys(builtins)), ", ")
	name := flags.String("case", "", "how the built-in adapter goes: "+names+" (default success)")
	flags.StringVar(&o.reporter, "reporter", "", "the reporter's binary (default: it is built)")
	flags.StringVar(&o.expectReason, "expect-reason", "", "fail unless the condition has this reason")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			flags.SetOutput(stdout)
		}
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
		return o, err
	}
	o.command = flags.Args()
	if len(o.command) > 0 {
		if *name != "" {
			return o, errors.New("-case is for the built-in adapters: give it or a COMMAND")
		}
		return o, lookUp(o.command[0])
	}
	if *name == "" {
		*name = "success"
	}
	var known bool
	if o.adapter, known = builtins[*name]; !known {
		return o, fmt.Errorf("-case %s: must be one of %s", *name, names)
	}
	o.command = []string{"sh", "-euc", o.adapter.script}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseOptions(args, stdout, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "try:", err)
		return 2
	}
	tb := &testbed{stderr: stderr}
	defer tb.cleanup()
	if o.reporter == "" {
		if o.reporter, err = build(ctx, tb.TempDir(), stderr); err != nil {
			fmt.Fprintln(stderr, "try:", err)
			return 1
		}
	}
	o.programs = tb.TempDir()
	if err := asInAnImage(o.programs, o.reporter); err != nil {
		fmt.Fprintln(stderr, "try:", err)
		return 1
	}
	s := newStage(tb, stderr)
	if err = s.play(ctx, o); err == nil {
		err = s.summary(o.expectReason, stdout, stderr)
	}
	if err != nil {
		fmt.Fprintln(stderr, "try:", err)
		return 1
	}
	if tb.failed.Load() {
		return 1
	}
	return 0
}

// build compiles the reporter that belongs to this program.
func build(ctx context.Context, dir string, stderr io.Writer) (string, error) {
	fmt.Fprintln(stderr, "building the reporter")
	args := []string{"build", "-o", dir, reporterPackage}
	if v := published(); v != "" {
		args = []string{"install", reporterPackage + "@" + v}
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOBIN="+dir)
	cmd.Stderr = stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("the reporter could not be built (%w): run try in the module %s or in one that requires it, as %s/kubeapi/kubetest/try@VERSION, or name a binary with -reporter",
			err, reporterPackage, reporterPackage)
	}
	return filepath.Join(dir, "status-reporter"), nil
}

// published is the version of this program where it comes from the module
// proxy, as with go run PACKAGE@VERSION, and not from a working tree.
func published() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Path != reporterPackage || info.Main.Version == "(devel)" {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs" {
			return ""
		}
	}
	return info.Main.Version
}

// testbed is what kubetest needs of a test.
type testbed struct {
	stderr   io.Writer
	failed   atomic.Bool
	cleanups []func()
}

func (*testbed) Helper()            {}
func (t *testbed) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }
func (t *testbed) Errorf(format string, args ...any) {
	t.failed.Store(true)
	fmt.Fprintf(t.stderr, "try: "+format+"\n", args...)
}

func (t *testbed) TempDir() string {
	dir, err := os.MkdirTemp("", "status-reporter-try-")
	if err != nil {
		t.Errorf("%v", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (t *testbed) cleanup() {
	for _, f := range slices.Backward(t.cleanups) {
		f()
	}
}
