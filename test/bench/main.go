// Command bench measures the status reporter from outside, as a process beside
// a double of the API server on loopback, and prints one table.
//
//	go run ./test/bench -reporter bin/status-reporter [-against PATH] [-n 200] [-run 30s]
//	go run ./test/bench -reporter bin/status-reporter -fleet 1000
//	go run ./test/bench -page docs/performance.md
//
// The last puts what the others have written into that page, and measures nothing.
// TestFleet measures the fleet against a real kube-apiserver.
//
// With -against another reporter's binary is measured in the same run, in turns
// with the first and in the same environment. It finds token and ca.crt where
// SERVICE_ACCOUNT_DIR says, and on Linux, where namespaces can be made, at the
// path that every Pod has them at too.
//
// Beside them is the floor, the least that a program can do in the reporter's
// place. "PATCH" is the write that carries the report, with whatever method.
//
// The table also goes to OUT.json and OUT.md (-out, default bench), and what can
// be drawn of it to OUT.svg. The exit
// code is 1 where something could not be measured, was not delivered, or where
// the fleet's burst is above its bound; 2 where the arguments are wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// options are the command line.
type options struct {
	reporter, against string
	n, fleet          int
	run, outage       time.Duration
	window, settle    time.Duration
	poll              time.Duration
	out, page         string
	upstream          upstream // nil: a server double
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseOptions(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err == nil && o.fleet > 0 && o.against != "":
		err = errors.New("-fleet measures one reporter; only TestFleet has another beside it")
		fallthrough
	case err != nil:
		fmt.Fprintln(stderr, "bench:", err)
		return 2
	case o.page != "":
		if err = writePage(o.page, stderr); err != nil {
			fmt.Fprintln(stderr, "bench:", err)
			return 1
		}
		return 0
	}
	if o.against != "" {
		if code, done := insidePod(ctx, args, stdout, stderr); done {
			return code
		}
	}
	if err := measure(ctx, o, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.reporter, "reporter", "", "the reporter's binary")
	flags.StringVar(&o.against, "against", "", "another reporter's binary, to be measured beside it")
	flags.DurationVar(&o.poll, "poll", pollPeriod, "how often that one looks, if it polls, or a multiple of it: it is triggered at any time within")
	flags.IntVar(&o.n, "n", 200, "reports for each latency")
	flags.DurationVar(&o.run, "run", 30*time.Second, "how long the adapter of the idle figures takes, at least 2s")
	flags.IntVar(&o.fleet, "fleet", 0, "measure so many reporters at once instead")
	flags.DurationVar(&o.outage, "outage", 30*time.Second, "of the fleet's API server")
	flags.DurationVar(&o.window, "window", 20*time.Second, "of each reading of a real API server's cost: whole intervals of those that poll")
	flags.DurationVar(&o.settle, "settle", 10*time.Second, "before these, until that API server is at rest")
	flags.StringVar(&o.out, "out", "bench", "where the table goes too: this path with .json and .md")
	flags.StringVar(&o.page, "page", "", "put the tables and pictures that bench and bench-fleet in this directory are into this page, and measure nothing")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch {
	case o.page != "":
		return o, nil
	case o.reporter == "":
		return o, errors.New("-reporter is required")
	case o.n < 1 || o.fleet < 0 || o.poll < 0 || o.run < 2*time.Second || flags.NArg() > 0:
		return o, errors.New("-n from 1, -run from 2s, -fleet and -poll from 0, and no arguments beside the flags")
	}
	return o, nil
}

func measure(ctx context.Context, o options, stdout, stderr io.Writer) error {
	b, err := newBench(stderr)
	if err != nil {
		return err
	}
	defer b.close()
	if err := b.addSubjects(ctx, o); err != nil {
		return err
	}
	if o.upstream != nil {
		if err := b.server.forwardTo(o.upstream); err != nil {
			return err
		}
		b.table.Machine += ", beside a real kube-apiserver"
	}
	control, isReal := o.upstream.(controlPlane)
	if o.fleet > 0 {
		b.table.Subjects = b.table.Subjects[:1] // another is only in the costs
	}
	switch {
	case o.fleet == 0:
		err = b.figures(ctx, o)
	case isReal:
		if err = b.costs(ctx, o, control); err == nil {
			err = b.fleet(ctx, o)
		}
	default:
		err = b.fleet(ctx, o)
	}
	if len(b.table.Rows)+len(b.table.Costs) > 0 {
		b.table.text(stdout)
		err = errors.Join(err, b.table.write(o.out))
	}
	if err != nil {
		return err
	}
	return b.picture(o).write(o.out, b.table.Machine)
}

// picture is what was measured, drawn.
func (b *bench) picture(o options) *picture {
	if o.fleet == 0 {
		return b.draw(o.run)
	}
	title, bound := fmt.Sprintf("Requests a second of %d reporters", b.running), 0.0
	if b.running >= telling {
		bound = burst(b.running)
	}
	return drawRates(title, b.server.requestsSince(time.Time{}), b.outages, bound)
}

func (b *bench) addSubjects(ctx context.Context, o options) error {
	err := b.addSubject(o.reporter, own)
	if err == nil && o.against != "" {
		err = b.addSubject(o.against, another)
	}
	if err != nil || o.fleet > 0 || runtime.GOOS != "linux" {
		return err
	}
	file := filepath.Join(b.dir, floorName)
	out, err := goTool(ctx, "build", "-trimpath", "-ldflags=-s -w", "-o", file, modulePath+"/test/bench/floor")
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return b.addSubject(file, floor)
}

// bench is what every measurement needs: a server, the reporters to be measured in
// turn, and the table that their figures go into. Measurements run one after the other.
type bench struct {
	dir      string
	server   *server
	subjects []subject
	table    table
	log      io.Writer
	started  int // reporters so far
	running  int // of the fleet
	latency  distributions
	usage    []usage // by subject
	outages  []span

	available func() float64 // memory, see memoryLeft
}

func newBench(log io.Writer) (*bench, error) {
	dir, err := os.MkdirTemp("", "status-reporter-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{dir: dir, log: log, table: newTable(), available: availableMemory}
	// Reporters may run as other users, as they do in a Pod.
	if err = os.Chmod(dir, 0o755); err == nil {
		b.server, err = newServer(filepath.Join(dir, "serviceaccount"))
	}
	if err == nil {
		err = exposeServiceAccount(b.server.dir)
	}
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bench) close() {
	if b.server != nil {
		b.server.close()
	}
	os.RemoveAll(b.dir)
}

func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.log, format+"\n", args...) }
