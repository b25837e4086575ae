package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFit(t *testing.T) {
	for _, tt := range []struct {
		name string
		x, y []float64
		want line
	}{
		{"exact", []float64{0, 100, 300, 1000}, []float64{7, 9, 13, 27}, line{7, 0.02, 0}},
		{"flat", []float64{0, 0, 10, 10}, []float64{1, 1, 1, 1}, line{1, 0, 0}},
		// Residuals 0.1, 0.2, -0.7 and 0.4.
		{"scattered", []float64{0, 1, 2, 3}, []float64{0, 1, 1, 3}, line{-0.1, 0.9, math.Sqrt(0.7 / 2 / 5)}},
		{"one number of reporters", []float64{5, 5, 5}, []float64{1, 2, 3}, line{2, 0, math.Inf(1)}},
		{"two points have no error", []float64{0, 1}, []float64{1, 2}, line{1.5, 0, math.Inf(1)}},
	} {
		got := fit(tt.x, tt.y)
		for _, v := range [][2]float64{{got.base, tt.want.base}, {got.slope, tt.want.slope}, {got.uncertainty, tt.want.uncertainty}} {
			if math.Abs(v[0]-v[1]) > 1e-9 {
				t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
				break
			}
		}
	}
}

// NIST's reference data set Norris, with its certified values: what a calibration of
// an ozone monitor gave.
func TestFitNorris(t *testing.T) {
	x := []float64{
		0.2, 337.4, 118.2, 884.6, 10.1, 226.5, 666.3, 996.3, 448.6, 777.0, 558.2, 0.4, 0.6, 775.5, 666.9, 338.0, 447.5, 11.6,
		556.0, 228.1, 995.8, 887.6, 120.2, 0.3, 0.3, 556.8, 339.1, 887.2, 999.0, 779.0, 11.1, 118.3, 229.2, 669.1, 448.9, 0.5,
	}
	y := []float64{
		0.1, 338.8, 118.1, 888.0, 9.2, 228.1, 668.5, 998.5, 449.1, 778.9, 559.2, 0.3, 0.1, 778.1, 668.8, 339.3, 448.9, 10.8,
		557.7, 228.3, 998.0, 888.8, 119.6, 0.3, 0.6, 557.6, 339.3, 888.0, 998.5, 778.9, 10.2, 117.6, 228.9, 668.4, 449.2, 0.2,
	}
	got, want := fit(x, y), line{-0.262323073774029, 1.00211681802045, 0.000429796848199937}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(line{}), cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-10 })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLevels(t *testing.T) {
	for fleet, want := range map[int][]int{
		1:    {0, 1, 0},
		2:    {0, 1, 2, 0},
		30:   {0, 3, 10, 30, 0},
		100:  {0, 10, 30, 100, 0},
		200:  {0, 10, 30, 100, 200, 0},
		300:  {0, 30, 100, 300, 0},
		1000: {0, 100, 300, 1000, 0},
		2000: {0, 100, 300, 1000, 2000, 0},
	} {
		if got := levels(fleet); !slices.Equal(got, want) {
			t.Errorf("%d: %v, want %v", fleet, got, want)
		}
	}
}

func TestMemoryLeft(t *testing.T) {
	const mb = 1 << 20
	for _, tt := range []struct {
		name          string
		before, now   float64
		running, want int
		has           bool
	}{
		{"a guess, as none runs", 2000 * mb, 2000 * mb, 0, 122, true},
		{"a guess says no", 2000 * mb, 2000 * mb, 0, 123, false},
		{"too few to tell", 2000 * mb, 1990 * mb, 10, 1000, false},
		{"enough to tell", 4000 * mb, 3600 * mb, 100, 744, true},
		{"and they take more than there is", 4000 * mb, 3600 * mb, 100, 745, false},
		{"others have given memory back", 4000 * mb, 4500 * mb, 100, 3000, true},
		{"but a reporter takes some", 4000 * mb, 4500 * mb, 100, 4000, false},
		{"it is short already", 4000 * mb, 900 * mb, 100, 101, false},
		{"fewer take none", 4000 * mb, 900 * mb, 100, 0, true},
		{"not known", 0, 0, 0, 1000, true},
	} {
		available := tt.before
		m := newMemoryLeft(func() float64 { return available })
		available = tt.now
		if got := m.has(tt.running, tt.want); got != tt.has {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}

// What there is no memory for is left out, and the rest is measured.
func TestCostOfWithoutMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc")
	}
	b := newTestBench(t)
	b.log = new(bytes.Buffer)
	b.available = func() float64 { return spareMemory + guessedMemory }
	script := filepath.Join(t.TempDir(), "reporter")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexec sleep 600\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := b.addSubject(script, own); err != nil {
		t.Fatal(err)
	}
	var jobs []*job
	for i := range 3 {
		j, err := b.server.createJob(fmt.Sprint("job-", i))
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, j)
	}
	samples, err := b.costOf(t.Context(), options{fleet: 3, window: time.Millisecond}, &readings{}, way{"a way", b.subjects[0], false}, jobs)
	if err != nil {
		t.Fatal(err)
	}
	var visited []int
	for _, s := range samples {
		visited = append(visited, s.reporters)
	}
	if want := []int{0, 0, 0, 1, 1, 1, 0, 0, 0}; !slices.Equal(visited, want) {
		t.Errorf("samples of %v reporters, want %v", visited, want)
	}
	if said := fmt.Sprint(b.log); !strings.Contains(said, "no memory for 3 reporters; 1 were the last") {
		t.Errorf("it says\n%s", said)
	}
}

func TestParseAvailable(t *testing.T) {
	if got := parseAvailable("MemTotal:       32000 kB\nMemFree:          500 kB\nMemAvailable:    1024 kB\n"); got != 1<<20 {
		t.Errorf("%g, want 1 MiB", got)
	}
	if got := parseAvailable("MemTotal:       32000 kB\n"); got != 0 {
		t.Errorf("%g of nothing", got)
	}
}

func TestUncertain(t *testing.T) {
	for _, tt := range []struct {
		f, e float64
		unit string
		want string
	}{
		{95.26, 1.234, "kB", "95.3 ± 1.2 kB"},
		{95.26, 0.0123, "kB", "95.260 ± 0.012 kB"},
		{1234.5, 120, "", "1234 ± 120"},
		{-0.5, 2.5, "µs/s", "-0.5 ± 2.5 µs/s"},
		{720, 0, "/h", "720 ± 0 /h"},
		{4. / 3, 1e-15, "/h", "1.33 ± 0.00 /h"},
		{-1e-16, 3e-17, "", "0 ± 0"},
		{1, math.Inf(1), "", "1 ± +Inf"},
	} {
		if got := uncertain(tt.f, tt.e, tt.unit); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

func TestCPUTime(t *testing.T) {
	got, err := cpuTime("4242 (a (strange) name) S 1 4242 4242 0 -1 4194560 30 0 0 0 150 25 0 0 20 0 8 0 1 2 3")
	if err != nil || got != 1750*time.Millisecond {
		t.Errorf("%s, %v, want 1.75s", got, err)
	}
	for _, stat := range []string{"", "1 (x) S 1 2", "1 (x) S 1 2 3 4 5 6 7 8 9 10 x 12 13"} {
		if _, err := cpuTime(stat); err == nil {
			t.Errorf("%q is taken", stat)
		}
	}
}

func TestMetric(t *testing.T) {
	const text = `# TYPE apiserver_request_total counter
apiserver_request_total{code="200",resource="pods",verb="GET"} 12
apiserver_request_total{code="200",resource="pods",subresource="status",verb="PUT"} 3
apiserver_request_total{code="200",resource="pods",subresource="",verb="WATCH"} 7
apiserver_request_total{code="200",resource="jobs",verb="GET"} 100
apiserver_request_total_other{resource="pods"} 1000
go_memstats_heap_alloc_bytes 1.5e+06
`
	for _, tt := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"apiserver_request_total", []string{`resource="pods"`}, 22},
		{"apiserver_request_total", []string{`resource="pods"`, `verb="WATCH"`}, 7},
		{"apiserver_request_total", nil, 122},
		{"apiserver_request_total", []string{`resource="nodes"`}, 0},
		{"go_memstats_heap_alloc_bytes", nil, 1.5e6},
		{"missing", nil, 0},
	} {
		if got := metric([]byte(text), tt.name, tt.labels...); got != tt.want {
			t.Errorf("%s %s: %g, want %g", tt.name, tt.labels, got, tt.want)
		}
	}
	if got := requests([]byte(text)); got != 115 {
		t.Errorf("%g requests, want those for Pods and Jobs, without watches", got)
	}
}

// readings is a control plane whose /metrics go on by this many requests.
type readings struct {
	controlPlane
	served int
}

func (r *readings) PIDs() map[string]int {
	return map[string]int{"kube-apiserver": os.Getpid(), "etcd": os.Getpid()}
}

func (r *readings) Read(_ context.Context, path string) ([]byte, error) {
	if path != "/metrics" {
		return nil, nil
	}
	r.served++
	return fmt.Appendf(nil, `apiserver_request_total{resource="pods",verb="GET"} %d
apiserver_request_total{resource="pods",verb="WATCH"} %d
apiserver_longrunning_requests{resource="pods",verb="WATCH"} 90
go_memstats_heap_alloc_bytes 2e+06
go_memstats_stack_inuse_bytes 1e+06
`, r.served*3, r.served*1000), nil
}

// Real time goes into CPU times; what is fake here is the control plane.
func TestSample(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc")
	}
	s, err := takeSample(t.Context(), &readings{}, 100, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if s.reporters != 100 || s.values[3] != 3 || s.values[6] != 90 {
		t.Errorf("%+v, want 100 reporters, 3 MB live and 90 watches", s)
	}
	// Three in a moment, and 90 watches that end every 45 minutes.
	if got := s.values[5]; got < 120+3 || math.IsInf(got, 0) {
		t.Errorf("%g requests an hour", got)
	}
	if s.values[2] <= 0 || s.values[4] <= 0 {
		t.Errorf("resident memory of %g and %g MB", s.values[2], s.values[4])
	}
}

func TestCosts(t *testing.T) {
	var samples []sample
	for _, n := range levels(100) {
		for _, off := range []float64{-1, 1} { // no more than the readings of one visit differ
			s := sample{reporters: n}
			for i := range s.values {
				s.values[i] = 10 + 0.5*float64(n) + off
			}
			samples = append(samples, s)
		}
	}
	costs := costsOf("with the watch", samples)
	if len(costs) != len(costFigures) {
		t.Fatalf("%d figures, want %d", len(costs), len(costFigures))
	}
	want := cost{
		Way: "with the watch", Figure: "kube-apiserver, resident", Unit: "MB", ShareUnit: "kB",
		At: []level{{0, 10}, {10, 15}, {30, 25}, {100, 60}}, Share: 500, Many: 5000,
	}
	if diff := cmp.Diff(want, costs[2], cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-6 })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	fewer := want
	fewer.Way, fewer.At = "another", want.At[:2]
	all := table{Machine: "here", Costs: []cost{fewer, want}}
	text := string(all.markdown())
	for _, line := range []string{
		"| at rest | figure | 0 | 10 | 30 | 100 | a reporter | 10000 more |\n",
		"| with the watch | kube-apiserver, resident | 10 MB | 15 MB | 25 MB | 60 MB | 500 ± 0 kB | 5000 ± 0 MB |\n",
		"| another | kube-apiserver, resident | 10 MB | 15 MB | no memory | no memory | 500 ± 0 kB | 5000 ± 0 MB |\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("no %q in\n%s", line, text)
		}
	}
}

// What a visit came upon is in all of its readings: more of them make no error smaller.
func TestCostsOfVisits(t *testing.T) {
	errorOf := func(readings int) float64 {
		var samples []sample
		for i, n := range []int{0, 10, 30, 100, 0} {
			s := sample{reporters: n}
			s.values[0] = float64(n + i%2)
			samples = append(samples, slices.Repeat([]sample{s}, readings)...)
		}
		return costsOf("a way", samples)[0].Error
	}
	if one, many := errorOf(1), errorOf(100); one == 0 || math.Abs(one-many) > 1e-9 {
		t.Errorf("the error is %g with one reading a visit, %g with a hundred", one, many)
	}
}
