// Command e2e runs real Jobs, with the reporter as deploy/ has it, on the
// cluster that KUBECONFIG points at, and compares the conditions they get with
// the golden ones in testdata/e2e.
//
//	go run ./test/e2e -image registry.example/status-reporter:v1
//
// It works in a namespace of its own, and deletes it at the end: after a
// failure and after Ctrl-C as well. It needs kubectl, a cluster whose nodes
// reach both images, and the right to make namespaces and Roles.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

type options struct {
	image, adapterImage string
	deploy, cases       string
	inject              bool
	only                *regexp.Regexp
	parallel            int
	slack               time.Duration
}

func main() {
	o := options{}
	flag.StringVar(&o.image, "image", "", "image of the reporter (required)")
	flag.StringVar(&o.adapterImage, "adapter-image", "busybox:1.36", "image of the adapters; needs sh, dd, mv and touch")
	flag.StringVar(&o.deploy, "deploy", "deploy", "directory of rbac.yaml, job.yaml and job-native-sidecar.yaml")
	flag.StringVar(&o.cases, "cases", "testdata/e2e", "directory of the cases")
	flag.IntVar(&o.parallel, "parallel", 4, "Jobs at once")
	flag.DurationVar(&o.slack, "slack", 0, "time that a slow cluster may take beyond each limit")
	flag.BoolVar(&o.inject, "inject", false, "have the cluster's policies of deploy/inject put the reporter into the Jobs")
	only := flag.String("run", "", "run only the cases that match the regular expression")
	flag.Parse()
	var err error
	if o.only, err = regexp.Compile(*only); err != nil || o.image == "" || flag.NArg() > 0 || o.parallel < 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err = run(ctx, stop, o, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
}

var errShort = errors.New("not all cases hold")

// run runs the cases. It calls stop before the namespace is deleted, so that
// another signal ends the program at once.
func run(ctx context.Context, stop func(), o options, out io.Writer) (err error) {
	cases, err := load(o)
	if err != nil {
		return err
	}
	c, err := connect(ctx, out)
	if err != nil {
		return err
	}
	defer func() {
		stop()
		err = errors.Join(err, c.close(out))
	}()
	prepare := c.applyRoles
	if o.inject {
		prepare = c.applyInjection
	}
	if err := prepare(ctx, o); err != nil {
		return err
	}
	cases, lacking := split(cases, c.version, out)
	began := time.Now()
	results := playAll(ctx, c, cases, o, out)
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	held := table(out, results)
	fmt.Fprintf(out, "%d of %d hold, %d skipped, in %s\n", held, len(cases), lacking, time.Since(began).Round(time.Second))
	if held < len(cases) {
		return errShort
	}
	return nil
}

// split names the cases that the cluster cannot play, and returns the others.
func split(cases []testCase, has kubetest.Version, out io.Writer) (able []testCase, lacking int) {
	for _, c := range cases {
		if why := c.lacks(has); why != "" {
			fmt.Fprintf(out, "skip  %s: %s\n", c, why)
			lacking++
			continue
		}
		able = append(able, c)
	}
	return able, lacking
}

// playAll plays the cases, a few at a time, and returns the results in the
// cases' order. It tells of each as it ends. When ctx ends the rest is not played.
func playAll(ctx context.Context, c *cluster, cases []testCase, o options, out io.Writer) []result {
	results := make([]result, len(cases))
	slots := make(chan struct{}, o.parallel)
	var told sync.Mutex
	var all sync.WaitGroup
	for i, tc := range cases {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			if ctx.Err() == nil {
				results[i] = play(ctx, c, tc, o.slack)
			}
			told.Lock()
			defer told.Unlock()
			if ctx.Err() == nil {
				results[i].tell(out)
			}
		})
	}
	all.Wait()
	return results
}

func table(out io.Writer, results []result) (held int) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\n\tCASE\tCONDITION\tSECONDS\tREPORTER\tLIMIT")
	for _, r := range results {
		verdict, limit := "FAIL", ""
		if len(r.faults) == 0 {
			verdict = "ok"
			held++
		}
		if r.limit > 0 {
			limit = fmt.Sprintf("%.1f", r.limit.Seconds())
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", verdict, r.name, r.condition, seconds(r.took), seconds(r.reporter), limit)
	}
	w.Flush()
	fmt.Fprint(out, "\nSECONDS from the adapter's last act (the file's close, its exit) to the report, by the node's clock;\n"+
		"REPORTER the part of it after the API server had the adapter's end: the rest is the kubelet's.\n")
	return held
}

func seconds(d *time.Duration) string {
	if d == nil {
		return ""
	}
	return fmt.Sprintf("%.3f", d.Seconds())
}
