package main

import (
	"math"
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
apiserver_request_total{code="200",resource="jobs",verb="GET"} 100
apiserver_request_total_other{resource="pods"} 1000
go_memstats_heap_alloc_bytes 1.5e+06
`
	for _, tt := range []struct {
		name, label string
		want        float64
	}{
		{"apiserver_request_total", `resource="pods"`, 15},
		{"apiserver_request_total", "", 115},
		{"apiserver_request_total", `resource="nodes"`, 0},
		{"go_memstats_heap_alloc_bytes", "", 1.5e6},
		{"missing", "", 0},
	} {
		if got := metric([]byte(text), tt.name, tt.label); got != tt.want {
			t.Errorf("%s %s: %g, want %g", tt.name, tt.label, got, tt.want)
		}
	}
}

func TestCosts(t *testing.T) {
	var samples []sample
	for _, n := range levels(100) {
		s := sample{reporters: n}
		for i := range s.values {
			s.values[i] = 10 + 0.5*float64(n)
		}
		samples = append(samples, s, s)
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
	all := table{Machine: "here", Costs: []cost{want}}
	text := string(all.markdown())
	for _, line := range []string{
		"| at rest | figure | 0 | 10 | 30 | 100 | a reporter | 10000 more |\n",
		"| with the watch | kube-apiserver, resident | 10 MB | 15 MB | 25 MB | 60 MB | 500 ± 0 kB | 5000 ± 0 MB |\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("no %q in\n%s", line, text)
		}
	}
}
