package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

func TestScale(t *testing.T) {
	for _, tt := range []struct {
		s    scale
		v, x float64
	}{
		{scale{from: 0, to: 10}, 0, plotLeft},
		{scale{from: 0, to: 10}, 5, (plotLeft + plotRight) / 2},
		{scale{from: 0, to: 10}, 11, plotRight},
		{scale{from: 0, to: 10}, -1, plotLeft},
		{scale{0.1, 1000, true}, 10, (plotLeft + plotRight) / 2},
		{scale{0.1, 1000, true}, 0, plotLeft},
		{scale{0.1, 1000, true}, 1000, plotRight},
	} {
		if x := tt.s.x(tt.v); x != tt.x {
			t.Errorf("%+v: %g at %g, want %g", tt.s, tt.v, x, tt.x)
		}
	}
}

func TestDuration(t *testing.T) {
	for ms, want := range map[float64]string{0.1: "0.10 ms", 1: "1 ms", 0.537: "0.54 ms", 999.4: "999 ms", 999.9999999: "1 s", 3750: "3.75 s", 10000: "10 s"} {
		if got := duration(ms); got != want {
			t.Errorf("%g: %s, want %s", ms, got, want)
		}
	}
}

func TestStep(t *testing.T) {
	for whole, want := range map[float64]float64{4: 1, 7.9: 1, 8: 2, 10: 2, 20: 5, 31.5: 5, 40: 10, 100: 20, 1000: 200, 0.4: 0.1} {
		if got := step(whole); got-want > 1e-9 || want-got > 1e-9 {
			t.Errorf("%g: %g, want %g", whole, got, want)
		}
	}
}

func TestHistogram(t *testing.T) {
	bins := histogram([]float64{0, 0.05, 0.1, 1, 1.01, 10, 1e9})
	for bin, want := range map[int]int{0: 3, binsADecade: 2, 2 * binsADecade: 1, len(bins) - 1: 1, 5: 0} {
		if bins[bin] != want {
			t.Errorf("bin %d has %d, want %d", bin, bins[bin], want)
		}
	}
	if from, to := binStart(0), binStart(binsADecade); from != fastest || to < 9.99*fastest || to > 10.01*fastest {
		t.Errorf("a decade goes from %g to %g", from, to)
	}
}

func TestPerSecondOf(t *testing.T) {
	began := time.Now()
	var times []time.Time
	for _, ms := range []int{0, 999, 1000, 3500} {
		times = append(times, began.Add(time.Duration(ms)*time.Millisecond))
	}
	got := perSecondOf(began, times)
	if len(got) != 4 || got[0] != 2 || got[1] != 1 || got[2] != 0 || got[3] != 1 {
		t.Errorf("%v, want 2, 1, 0, 1", got)
	}
}

// elements counts those of an SVG by name and class.
func elements(t *testing.T, p *picture) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for d := xml.NewDecoder(strings.NewReader(string(p.bytes()))); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return counts
		}
		if err != nil {
			t.Fatalf("no XML: %v\n%s", err, p.bytes())
		}
		if start, ok := token.(xml.StartElement); ok {
			name := start.Name.Local
			for _, a := range start.Attr {
				if a.Name.Local == "class" {
					name += "." + a.Value
				}
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Errorf("%s: %s=%q", name, a.Name.Local, a.Value)
				}
			}
			counts[name]++
		}
	}
}

func TestPictures(t *testing.T) {
	b := &bench{subjects: []subject{{name: "a", kind: own}, {name: "b <&>", kind: another}, {name: "floor", kind: floor}}}
	b.latency.add("result", [][]float64{{0.5, 0.6}, {900, 2000}, {0.2}})
	b.latency.add("Pod", [][]float64{{1.5}, {9000}, nil}) // not measured
	b.usage = []usage{{[]float64{0.01, 30}, 1.8, 9}, {[]float64{0.02, 10, 20, 30}, 4, 28}, {nil, 0.9, 4}}
	got := elements(t, b.draw(30*time.Second))
	for name, want := range map[string]int{
		"path.own area": 2, "path.another area": 2, "path.floor area": 1, "path.own line": 1, "path.another line": 1,
		"rect.own": 2, "rect.own shared": 1, "rect.page": 1, "style": 1, "title": 1,
	} {
		if got[name] != want {
			t.Errorf("%d of %s, want %d", got[name], name, want)
		}
	}

	began := time.Now()
	arrivals := []time.Time{began, began.Add(time.Second), began.Add(40 * time.Second)}
	got = elements(t, drawRates("rates", arrivals, []span{{began.Add(5 * time.Second), began.Add(35 * time.Second), "no server"}}))
	if got["rect.own"] != 3 || got["rect.band"] != 1 {
		t.Errorf("%v, want three seconds with requests and one mark", got)
	}
	elements(t, drawRates("nothing came", nil, nil))
}
