package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// cost is one figure of the control plane by the number of reporters, in one way.
type cost struct {
	Way    string  `json:"way"`
	Figure string  `json:"figure"`
	Unit   string  `json:"unit,omitempty"`
	At     []level `json:"at"`
	// One reporter's share, with its standard error, in the unit of it.
	Share     float64 `json:"share"`
	Error     float64 `json:"error"`
	ShareUnit string  `json:"shareUnit,omitempty"`
	// What manyReporters would take in Unit, if it goes on like that.
	Many      float64 `json:"many"`
	ManyError float64 `json:"manyError"`
}

// level is the mean of the samples at one number of reporters.
type level struct {
	Reporters int     `json:"reporters"`
	Mean      float64 `json:"mean"`
}

func costsOf(way string, samples []sample) (all []cost) {
	for i, f := range costFigures {
		var x, y []float64
		byLevel := map[int][]float64{}
		var order []int
		for _, s := range samples {
			x, y = append(x, float64(s.reporters)), append(y, s.values[i])
			if byLevel[s.reporters] == nil {
				order = append(order, s.reporters)
			}
			byLevel[s.reporters] = append(byLevel[s.reporters], s.values[i])
		}
		slices.Sort(order)
		l := fit(x, y)
		c := cost{
			Way: way, Figure: f.name, Unit: f.unit, ShareUnit: f.share,
			Share: l.slope * f.factor, Error: l.uncertainty * f.factor,
			Many: l.slope * manyReporters, ManyError: l.uncertainty * manyReporters,
		}
		for _, n := range order {
			c.At = append(c.At, level{n, mean(byLevel[n])})
		}
		all = append(all, c)
	}
	return all
}

func mean(values []float64) (sum float64) {
	for _, v := range values {
		sum += v / float64(len(values))
	}
	return sum
}

// costCells are a table of what reporters cost.
func costCells(costs []cost) [][]string {
	if len(costs) == 0 {
		return nil
	}
	head := []string{"at rest", "figure"}
	for _, l := range costs[0].At {
		head = append(head, strconv.Itoa(l.Reporters))
	}
	all := [][]string{append(head, "a reporter", fmt.Sprint(manyReporters, " more"))}
	for _, c := range costs {
		line := []string{c.Way, c.Figure}
		for _, l := range c.At {
			line = append(line, number(l.Mean, c.Unit))
		}
		all = append(all, append(line, uncertain(c.Share, c.Error, c.ShareUnit), uncertain(c.Many, c.ManyError, c.Unit)))
	}
	return all
}

// uncertain has as many decimals as its error has two digits.
func uncertain(f, e float64, unit string) string {
	const none = 1e-9 // what is left of a sum of floating-point numbers
	if math.Abs(e) < none {
		e = 0
	}
	if math.Abs(f) < none {
		f = 0
	}
	decimals := 0
	if e > 0 && !math.IsInf(e, 0) {
		decimals = min(4, max(0, 1-int(math.Floor(math.Log10(e)))))
	}
	s := strconv.FormatFloat(f, 'f', decimals, 64) + " ± " + strconv.FormatFloat(e, 'f', decimals, 64)
	if unit != "" {
		s += " " + unit
	}
	return s
}
