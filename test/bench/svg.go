package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"os"
	"strings"
)

const (
	pictureWidth = 820
	plotLeft     = 250 // where what is drawn begins; names are left of it
	ratesLeft    = 70  // the same where only numbers are
	plotRight    = pictureWidth - 90
	nameLength   = 30 // characters that are shown of a subject's name
)

// style has colours of its own for a dark page, and a background, so that a
// picture can be read wherever it is shown.
const style = `<style>
text{font:12px sans-serif;fill:#1f2328}.head{font-weight:bold}.end{text-anchor:end}.mid{text-anchor:middle}
.page{fill:#ffffff}.axis{stroke:#d1d9e0;fill:none}.band{fill:#d1d9e0}.bound{stroke:#cf222e;fill:none;stroke-dasharray:4 3}
.own{fill:#0969da;stroke:#0969da}.another{fill:#bc4c00;stroke:#bc4c00}.floor{fill:#6e7781;stroke:#6e7781}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.page{fill:#0d1117}.axis{stroke:#3d444d}.band{fill:#3d444d}.bound{stroke:#ff7b72}
.own{fill:#58a6ff;stroke:#58a6ff}.another{fill:#f0883e;stroke:#f0883e}.floor{fill:#9198a1;stroke:#9198a1}}
.area{fill-opacity:.5;stroke-width:1}.line{fill:none;stroke-width:2}.shared{fill-opacity:.25}
</style>
`

// picture is an SVG that grows downwards.
type picture struct {
	title string
	body  bytes.Buffer
	y     float64 // where the next thing goes
}

func newPicture(title string) *picture { return &picture{title: title, y: 14} }

func (k kind) class() string { return [...]string{"own", "another", "floor"}[k] }

func (p *picture) printf(format string, args ...any) { fmt.Fprintf(&p.body, format+"\n", args...) }

func (p *picture) text(x, y float64, class, text string) {
	p.printf(`<text x="%s" y="%s" class="%s">%s</text>`, coordinate(x), coordinate(y), class, escape(text))
}

func (p *picture) line(class string, x1, y1, x2, y2 float64) {
	p.printf(`<path class="%s" d="M%s %sL%s %s"/>`, class, coordinate(x1), coordinate(y1), coordinate(x2), coordinate(y2))
}

func (p *picture) rect(class string, x, y, width, height float64) {
	p.printf(`<rect class="%s" x="%s" y="%s" width="%s" height="%s"/>`, class, coordinate(x), coordinate(y), coordinate(width), coordinate(height))
}

func (p *picture) path(class string, points []point, closed bool) {
	var d strings.Builder
	for i, pt := range points {
		d.WriteByte("ML"[min(i, 1)])
		d.WriteString(coordinate(pt.x) + " " + coordinate(pt.y))
	}
	if closed {
		d.WriteByte('Z')
	}
	p.printf(`<path class="%s" d="%s"/>`, class, d.String())
}

// head begins a part of the picture.
func (p *picture) head(text string) {
	p.y += 22
	p.text(14, p.y, "head", text)
	p.y += 10
}

func (p *picture) bytes() []byte {
	var b bytes.Buffer
	height := p.y + 14
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %s" width="%d" role="img">`+"\n<title>%s</title>\n",
		pictureWidth, coordinate(height), pictureWidth, escape(p.title))
	b.WriteString(style)
	fmt.Fprintf(&b, `<rect class="page" width="%d" height="%s" rx="6"/>`+"\n", pictureWidth, coordinate(height))
	b.Write(p.body.Bytes())
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// write ends the picture with the machine.
func (p *picture) write(path, machine string) error {
	p.y += 24
	p.text(14, p.y, "", machine)
	return os.WriteFile(path+".svg", p.bytes(), 0o644)
}

type point struct{ x, y float64 }

// scale puts values between from and to onto the plot, or their logarithms.
type scale struct {
	from, to float64
	log      bool
	left     float64 // where the plot begins
}

func (s scale) x(v float64) float64 {
	from, to := s.from, s.to
	if s.log {
		v, from, to = math.Log10(v), math.Log10(from), math.Log10(to)
	}
	return s.left + min(1, max(0, (v-from)/(to-from)))*(plotRight-s.left)
}

// ticks are round values within the scale: powers of ten, or five or so steps.
func (s scale) ticks() (at []float64) {
	if s.log {
		for v := s.from; v <= s.to*1.001; v *= 10 {
			at = append(at, v)
		}
		return at
	}
	for v := s.from; v <= s.to*1.001; v += step(s.to - s.from) {
		at = append(at, v)
	}
	return at
}

// step is 1, 2 or 5 times a power of ten, four to ten of which make the whole.
func step(whole float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(whole/4)))
	for _, f := range []float64{5, 2} {
		if unit*f <= whole/4 {
			return unit * f
		}
	}
	return unit
}

// grid draws the scale's lines, to be drawn upon.
func (p *picture) grid(s scale, top, bottom float64) {
	for _, v := range s.ticks() {
		p.line("axis", s.x(v), top, s.x(v), bottom)
	}
}

// ticks writes the scale's values under what was drawn.
func (p *picture) ticks(s scale, label func(float64) string) {
	for _, v := range s.ticks() {
		p.text(s.x(v), p.y+14, "mid", label(v))
	}
	p.y += 16
}

// shortName is as much of a subject's name as there is room for.
func shortName(name string) string {
	name = strings.TrimPrefix(name, againstPrefix)
	if r := []rune(name); len(r) > nameLength {
		return string(r[:nameLength-1]) + "…"
	}
	return name
}

func coordinate(f float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.1f", f), "0"), ".")
}

func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s))
	return b.String()
}
