package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"regexp"
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
	{"requests", "/h", "/h", 1},
	{"open watches", "", "", 1},
}

// reading is the state of the control plane at one time.
type reading struct {
	at       time.Time
	cpu      map[string]time.Duration
	requests float64
}

// takeSample reads before and after a time in which nothing is done. The
// collection of garbage is before both of them, and so is no part of the CPU time.
func takeSample(ctx context.Context, c controlPlane, n int, window time.Duration) (s sample, err error) {
	if _, err := c.Read(ctx, "/debug/pprof/heap?gc=1"); err != nil {
		return s, err
	}
	metrics, err := c.Read(ctx, "/metrics")
	if err != nil {
		return s, err
	}
	live := metric(metrics, "go_memstats_heap_alloc_bytes", "") + metric(metrics, "go_memstats_stack_inuse_bytes", "")
	before, err := read(c, metrics)
	if err == nil {
		err = pause(ctx, window)
	}
	if err != nil {
		return s, err
	}
	if metrics, err = c.Read(ctx, "/metrics"); err != nil {
		return s, err
	}
	after, err := read(c, metrics)
	if err != nil {
		return s, err
	}
	seconds := after.at.Sub(before.at).Seconds()
	cpu := func(name string) float64 { return milliseconds(after.cpu[name]-before.cpu[name]) / seconds }
	resident := func(name string) float64 {
		m := memoryOf(c.PIDs()[name])
		return (m.anonymous + m.file) / 1e6
	}
	return sample{n, [...]float64{
		cpu("kube-apiserver"), cpu("etcd"), resident("kube-apiserver"), live / 1e6, resident("etcd"),
		(after.requests - before.requests) / seconds * 3600,
		metric(metrics, "apiserver_longrunning_requests", `resource="pods"`),
	}}, nil
}

func read(c controlPlane, metrics []byte) (reading, error) {
	r := reading{at: time.Now(), cpu: map[string]time.Duration{}}
	for name, pid := range c.PIDs() {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return r, err
		}
		if r.cpu[name], err = cpuTime(string(stat)); err != nil {
			return r, err
		}
	}
	for _, resource := range []string{"pods", "jobs"} {
		r.requests += metric(metrics, "apiserver_request_total", `resource="`+resource+`"`)
	}
	return r, nil
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

// metric sums up the series of a name whose labels hold this one.
func metric(text []byte, name, label string) (sum float64) {
	for _, m := range regexp.MustCompile(`(?m)^`+name+`(\{.*\})? (\S+)$`).FindAllSubmatch(text, -1) {
		if strings.Contains(string(m[1]), label) {
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
