package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sample is what the control plane took with so many reporters at rest.
type sample struct {
	reporters int
	values    [len(costFigures)]float64
}

// costFigures are the figures of a sample. A reporter's share is so much smaller
// that it has another unit.
var costFigures = [...]struct {
	name, unit, share string
	factor            float64 // from unit to share
}{
	{"kube-apiserver, CPU", "ms/s", "µs/s", 1000},
	{"etcd, CPU", "ms/s", "µs/s", 1000},
	{"kube-apiserver, resident", "MB", "kB", 1000},
	{"of it live heap and stacks", "MB", "kB", 1000},
	{"etcd, resident", "MB", "kB", 1000},
	{"requests, a watch every 45 min", "/h", "/h", 1},
	{"open watches", "", "", 1},
}

// watchLasts is how long kube-apiserver lets a watch go on that asks for no time of
// its own: 30 to 60 minutes by its --min-request-timeout, drawn evenly. A watch counts
// as a request when it ends, and none does while a sample is taken.
const watchLasts = 45 * time.Minute

// takeSample reads before and after a time in which nothing is done. The
// collection of garbage and the reading of the metrics are outside of it, and so are
// no part of the CPU time.
func takeSample(ctx context.Context, c controlPlane, n int, window time.Duration) (s sample, err error) {
	if _, err := c.Read(ctx, "/debug/pprof/heap?gc=1"); err != nil {
		return s, err
	}
	before, err := c.Read(ctx, "/metrics")
	counting := time.Now()
	if err != nil {
		return s, err
	}
	began := time.Now()
	cpuBefore, err := cpuTimes(c)
	if err == nil {
		err = pause(ctx, window)
	}
	if err != nil {
		return s, err
	}
	cpuAfter, err := cpuTimes(c)
	if err != nil {
		return s, err
	}
	seconds := time.Since(began).Seconds()
	after, err := c.Read(ctx, "/metrics")
	if err != nil {
		return s, err
	}
	cpu := func(name string) float64 { return milliseconds(cpuAfter[name]-cpuBefore[name]) / seconds }
	resident := func(name string) float64 {
		m := memoryOf(c.PIDs()[name])
		return (m.anonymous + m.file) / 1e6
	}
	live := metric(before, "go_memstats_heap_alloc_bytes") + metric(before, "go_memstats_stack_inuse_bytes")
	watches := metric(after, "apiserver_longrunning_requests", `resource="pods"`)
	return sample{n, [...]float64{
		cpu("kube-apiserver"), cpu("etcd"), resident("kube-apiserver"), live / 1e6, resident("etcd"),
		(requests(after)-requests(before))/time.Since(counting).Hours() + watches/watchLasts.Hours(),
		watches,
	}}, nil
}

func cpuTimes(c controlPlane) (map[string]time.Duration, error) {
	times := map[string]time.Duration{}
	for name, pid := range c.PIDs() {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return nil, err
		}
		if times[name], err = cpuTime(string(stat)); err != nil {
			return nil, err
		}
	}
	return times, nil
}

// requests are those that have ended, but for watches.
func requests(metrics []byte) (n float64) {
	for _, resource := range []string{`resource="pods"`, `resource="jobs"`} {
		n += metric(metrics, "apiserver_request_total", resource) - metric(metrics, "apiserver_request_total", resource, `verb="WATCH"`)
	}
	return n
}

// tick is the unit of /proc/PID/stat, the same on all of Linux' architectures.
const tick = 10 * time.Millisecond

// cpuTime is what /proc/PID/stat says of the time in user and kernel mode. The
// name before it may hold anything.
func cpuTime(stat string) (time.Duration, error) {
	fields := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/PID/stat: %q", stat)
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick, err
}

// metric sums up the series of a name whose labels hold all of these.
func metric(text []byte, name string, labels ...string) (sum float64) {
	for _, m := range regexp.MustCompile(`(?m)^`+name+`(\{.*\})? (\S+)$`).FindAllSubmatch(text, -1) {
		if !slices.ContainsFunc(labels, func(l string) bool { return !bytes.Contains(m[1], []byte(l)) }) {
			v, _ := strconv.ParseFloat(string(m[2]), 64)
			sum += v
		}
	}
	return sum
}

// line is a straight one through points, by least squares.
type line struct {
	base, slope float64
	uncertainty float64 // of the slope: its standard error
}

func fit(x, y []float64) (l line) {
	n := float64(len(x))
	var meanX, meanY, xx, xy, residuals float64
	for i := range x {
		meanX += x[i] / n
		meanY += y[i] / n
	}
	for i := range x {
		xx += (x[i] - meanX) * (x[i] - meanX)
		xy += (x[i] - meanX) * (y[i] - meanY)
	}
	if xx == 0 || n < 3 {
		return line{base: meanY, uncertainty: math.Inf(1)}
	}
	l.slope = xy / xx
	l.base = meanY - l.slope*meanX
	for i := range x {
		d := y[i] - l.base - l.slope*x[i]
		residuals += d * d
	}
	l.uncertainty = math.Sqrt(residuals / (n - 2) / xx)
	return l
}
