package main

import (
	"fmt"
	"math"
	"slices"
	"time"
)

const (
	lane         = 24 // the height of one subject
	binsADecade  = 12
	fastest      = 0.1 // ms, where the picture of latencies begins
	slowest      = 20_000
	barsHeight   = 160
	secondsAfter = 5 // shown of the time before the first request, and after the last
)

// distributions are latencies by figure and subject, in milliseconds.
type distributions []distribution

type distribution struct {
	name  string
	times [][]float64
}

func (d *distributions) add(name string, times [][]float64) {
	*d = append(*d, distribution{name, times})
}

// usage is what a subject takes while its adapter works.
type usage struct {
	requests             []float64 // when, in seconds from the start
	anonymous, fileShare float64   // MB
}

// draw writes what the figures say as one picture.
func (b *bench) draw(run time.Duration) *picture {
	p := newPicture("What a status reporter takes: latency, requests, memory")
	p.head("Latency: how often which (log scale), and the median")
	s := scale{from: fastest, to: slowest, log: true, left: plotLeft}
	for _, d := range b.latency {
		p.y += 18
		p.text(14, p.y, "", d.name)
		p.y += 4
		measured := 0
		for _, times := range d.times {
			measured += min(1, len(times))
		}
		p.grid(s, p.y, p.y+float64(lane*measured))
		for i, times := range d.times {
			if len(times) > 0 {
				p.drawDistribution(s, b.subjects[i], times)
			}
		}
	}
	p.ticks(s, duration)
	p.drawRequests(b.subjects, b.usage, run.Seconds())
	p.drawMemory(b.subjects, b.usage)
	return p
}

// duration is a time for people. What ten to some power lacks is no part of it.
func duration(ms float64) string {
	ms = math.Round(ms*1e6) / 1e6
	if ms >= 1000 {
		return number(ms/1000, "s")
	}
	return number(ms, "ms")
}

func (p *picture) drawDistribution(s scale, subject subject, times []float64) {
	bins := histogram(times)
	highest := slices.Max(bins)
	bottom := p.y + lane - 4
	outline := []point{{s.x(binStart(0)), bottom}}
	for i, n := range bins {
		y := bottom - (lane-8)*float64(n)/float64(highest)
		outline = append(outline, point{s.x(binStart(i)), y}, point{s.x(binStart(i + 1)), y})
	}
	outline = append(outline, point{s.x(binStart(len(bins))), bottom})
	p.path(subject.kind.class()+" area", outline, true)
	p.text(plotLeft-8, bottom-2, "end", shortName(subject.name))
	p.text(plotRight+8, bottom-2, "", duration(valueOf(times).P50))
	p.y += lane
}

// histogram counts times in bins of equal width on the log scale; what is beyond
// either end counts there.
func histogram(times []float64) []int {
	bins := make([]int, int(math.Ceil(binsADecade*math.Log10(slowest/fastest))))
	for _, t := range times {
		bin := int(math.Floor(binsADecade * math.Log10(max(t, fastest)/fastest)))
		bins[min(bin, len(bins)-1)]++
	}
	return bins
}

func binStart(bin int) float64 { return fastest * math.Pow(10, float64(bin)/binsADecade) }

func (p *picture) drawRequests(subjects []subject, of []usage, run float64) {
	p.head("Requests of one Job over its adapter's time")
	top, most, last := p.y+4, 1, run
	for _, u := range of {
		most = max(most, len(u.requests))
		for _, at := range u.requests {
			last = max(last, at)
		}
	}
	const apart = 2 // lines of the same height lie side by side
	height := float64(lane * 4)
	p.y = top + height
	s := scale{from: 0, to: last * 1.03, left: plotLeft}
	p.grid(s, top, p.y)
	for i, u := range of {
		level := func(n int) float64 {
			return p.y - (height-apart*float64(len(of)))*float64(n)/float64(most) - apart*float64(i)
		}
		outline := []point{{s.x(0), level(0)}}
		for n, at := range u.requests {
			outline = append(outline, point{s.x(at), level(n)}, point{s.x(at), level(n + 1)})
		}
		outline = append(outline, point{s.x(s.to), level(len(u.requests))})
		p.path(subjects[i].kind.class()+" line", outline, false)
		p.text(plotLeft-8, top+12+float64(i*18), "end", fmt.Sprintf("%s: %d", shortName(subjects[i].name), len(u.requests)))
		p.rect(subjects[i].kind.class(), 14, top+4+float64(i*18), 8, 8)
	}
	p.ticks(s, func(v float64) string { return number(v, "s") })
}

func (p *picture) drawMemory(subjects []subject, of []usage) {
	p.head("Memory at rest, MB: of its own (dark), and shared by all on a node (light)")
	most := 1.0
	for _, u := range of {
		most = max(most, u.anonymous+u.fileShare)
	}
	s := scale{from: 0, to: most * 1.02, left: plotLeft}
	p.grid(s, p.y, p.y+float64(lane*len(of)))
	for i, u := range of {
		class := subjects[i].kind.class()
		p.rect(class, s.x(0), p.y+6, s.x(u.anonymous)-s.x(0), lane-10)
		p.rect(class+" shared", s.x(u.anonymous), p.y+6, s.x(u.anonymous+u.fileShare)-s.x(u.anonymous), lane-10)
		p.text(plotLeft-8, p.y+lane-8, "end", shortName(subjects[i].name))
		p.text(plotRight+8, p.y+lane-8, "", number(u.anonymous, "")+" + "+number(u.fileShare, ""))
		p.y += lane
	}
	p.ticks(s, func(v float64) string { return number(v, "MB") })
}

// span is a time that is marked, such as an outage.
type span struct {
	from, to  time.Time
	name, who string
}

// drawRates draws requests a second over time, and what they are not to exceed where
// there is such a bound.
func drawRates(title string, arrivals []time.Time, marked []span, bound float64) *picture {
	p := newPicture(title)
	p.head(title)
	if len(arrivals) == 0 {
		return p
	}
	began := arrivals[0]
	counts := perSecondOf(began, arrivals)
	top := p.y + 34
	p.y = top + barsHeight
	s := scale{from: -secondsAfter, to: float64(len(counts) + secondsAfter), left: ratesLeft}
	highest := max(float64(slices.Max(counts)), bound)
	height := func(n float64) float64 { return barsHeight * n / highest }
	for v := 0.0; v <= highest; v += step(max(highest, 4)) {
		p.text(ratesLeft-8, p.y-height(v)+4, "end", number(v, "/s"))
		p.line("axis", ratesLeft, p.y-height(v), plotRight, p.y-height(v))
	}
	for i, n := range counts {
		if n > 0 {
			width := s.x(float64(i+1)) - s.x(float64(i))
			p.rect("own", s.x(float64(i)), p.y-height(float64(n)), max(0.5, width-0.5), height(float64(n)))
		}
	}
	for _, m := range marked { // over the bars: a second that it began in is not all in it
		from, to := s.x(m.from.Sub(began).Seconds()), s.x(m.to.Sub(began).Seconds())
		p.rect("band", from, top, to-from, barsHeight)
		p.text((from+to)/2, top-18, "mid", m.name)
		p.text((from+to)/2, top-4, "mid", m.who)
	}
	if bound > 0 {
		p.line("bound", ratesLeft, p.y-height(bound), plotRight, p.y-height(bound))
		p.text(plotRight+8, p.y-height(bound)+4, "", "limit "+number(bound, ""))
	}
	for v := 0.0; v <= s.to; v += step(s.to) {
		p.text(s.x(v), p.y+16, "mid", number(v, "s"))
	}
	p.y += 18
	return p
}

// perSecondOf counts the arrivals of each second from began to the last.
func perSecondOf(began time.Time, arrivals []time.Time) []int {
	counts := make([]int, int(arrivals[len(arrivals)-1].Sub(began)/time.Second)+1)
	for _, t := range arrivals {
		counts[int(t.Sub(began)/time.Second)]++
	}
	return counts
}
