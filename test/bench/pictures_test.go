package main

import (
	"encoding/xml"
	"errors"
	"html"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestScale(t *testing.T) {
	for _, tt := range []struct {
		s    scale
		v, x float64
	}{
		{scale{from: 0, to: 10, left: plotLeft}, 0, plotLeft},
		{scale{from: 0, to: 10, left: plotLeft}, 5, (plotLeft + plotRight) / 2},
		{scale{from: 0, to: 10, left: plotLeft}, 11, plotRight},
		{scale{from: 0, to: 10, left: plotLeft}, -1, plotLeft},
		{scale{from: 0.1, to: 1000, log: true, left: plotLeft}, 10, (plotLeft + plotRight) / 2},
		{scale{from: 0.1, to: 1000, log: true, left: plotLeft}, 0, plotLeft},
		{scale{from: 0.1, to: 1000, log: true, left: plotLeft}, 1000, plotRight},
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
	b := &bench{subjects: []subject{
		{name: "a", kind: own},
		{name: "against: b <&> with a name that is longer than there is room for", kind: another},
		{name: "floor", kind: floor},
	}}
	b.latency.add("result", [][]float64{{0.5, 0.6}, {900, 2000}, {0.2}})
	b.latency.add("Pod status change to PATCH, and more than is left of the plot", [][]float64{{1.5}, {9000}, nil}) // not measured
	b.usage = []usage{{[]float64{0.01, 34}, 1.8, 9}, {[]float64{0.02, 10, 20, 30}, 4, 28}, {nil, 0.9, 4}}
	p := b.draw(30 * time.Second)
	got := elements(t, p)
	for name, want := range map[string]int{
		"path.own area": 2, "path.another area": 2, "path.floor area": 1, "path.own line": 1, "path.another line": 1,
		"rect.own": 2, "rect.own shared": 1, "rect.page": 1, "style": 1, "title": 1,
	} {
		if got[name] != want {
			t.Errorf("%d of %s, want %d", got[name], name, want)
		}
	}
	readable(t, p)
	if at := latest(t, p, "own line"); at >= plotRight {
		t.Errorf("a request after the adapter's time is drawn at %g, on the plot's end", at)
	}
}

// latest is where the last rise of a line is.
func latest(t *testing.T, p *picture, class string) float64 {
	t.Helper()
	m := regexp.MustCompile(`class="` + class + `" d="M[^"]*L([\d.]+) [\d.]+L[\d.]+ [\d.]+"`).FindSubmatch(p.bytes())
	if m == nil {
		t.Fatalf("no path of %s", class)
	}
	x, _ := strconv.ParseFloat(string(m[1]), 64)
	return x
}

// A fleet of many takes longer to start: the outages are close to each other then.
func TestRates(t *testing.T) {
	began := time.Now()
	after := func(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }
	arrivals := []time.Time{began, after(1), after(300)}
	marked := []span{{after(100), after(130), "no server", "nobody reporting"}, {after(160), after(190), "no server", "everybody reporting"}}
	p := drawRates("rates", arrivals, marked, 0)
	if got := elements(t, p); got["rect.own"] != 3 || got["rect.band"] != 2 || got["path.bound"] != 0 {
		t.Errorf("%v, want three seconds with requests and two marks", got)
	}
	readable(t, p)
	p = drawRates("rates", arrivals, marked, 2000)
	if got := elements(t, p); got["path.bound"] != 1 {
		t.Errorf("%v, want a limit", got)
	}
	readable(t, p)
	elements(t, drawRates("nothing came", nil, nil, 0))
}

// box is where a text of a picture is, as far as that can be told without a font: wider
// than it is, rather.
type box struct {
	text                     string
	left, right, top, bottom float64
}

var (
	textElement = regexp.MustCompile(`<text x="([\d.-]+)" y="([\d.-]+)" class="(\w*)">([^<]*)</text>`)
	lineElement = regexp.MustCompile(`<path class="axis" d="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)"/>`)
)

func number64(t *testing.T, s string) float64 {
	t.Helper()
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// readable is a picture whose texts are on the page, and cross neither each other nor
// the lines of the grid.
func readable(t *testing.T, p *picture) {
	t.Helper()
	data := string(p.bytes())
	var all []box
	for _, m := range textElement.FindAllStringSubmatch(data, -1) {
		x, y, text := number64(t, m[1]), number64(t, m[2]), html.UnescapeString(m[4])
		width := 6.6 * float64(len([]rune(text)))
		switch m[3] {
		case "head":
			width *= 1.1
		case "end":
			x -= width
		case "mid":
			x -= width / 2
		}
		b := box{text, x, x + width, y - 10, y + 3}
		if b.left < 0 || b.right > pictureWidth || b.top < 0 || b.bottom > p.y+14 {
			t.Errorf("%q is not on the page: %+v", text, b)
		}
		for _, other := range all {
			if b.left < other.right && other.left < b.right && b.top < other.bottom && other.top < b.bottom {
				t.Errorf("%q is on %q", text, other.text)
			}
		}
		all = append(all, b)
	}
	if len(all) < 10 {
		t.Errorf("only %d texts", len(all))
	}
	for _, m := range lineElement.FindAllStringSubmatch(data, -1) {
		x1, y1, x2, y2 := number64(t, m[1]), number64(t, m[2]), number64(t, m[3]), number64(t, m[4])
		for _, b := range all {
			if x1 < b.right && b.left < x2+0.1 && y1 < b.bottom-4 && b.top < y2 {
				t.Errorf("%q is crossed by a line from %g, %g to %g, %g", b.text, x1, y1, x2, y2)
			}
		}
	}
}
