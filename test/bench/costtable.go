package main

import (
	"fmt"
	"maps"
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

// costsOf are the figures of one way. The line goes through the means of each visit to
// a number of reporters: readings of one visit share what it came upon, and would make
// the error look smaller than it is.
func costsOf(way string, samples []sample) (all []cost) {
	for i, f := range costFigures {
		c := cost{Way: way, Figure: f.name, Unit: f.unit, ShareUnit: f.share}
		var x, y []float64
		byLevel := map[int][]float64{}
		for first := 0; first < len(samples); {
			n := samples[first].reporters
			var visit []float64
			for ; first < len(samples) && samples[first].reporters == n; first++ {
				visit = append(visit, samples[first].values[i])
			}
			x, y = append(x, float64(n)), append(y, mean(visit))
			byLevel[n] = append(byLevel[n], visit...)
		}
		l := fit(x, y)
		c.Share, c.Error = l.slope*f.factor, l.uncertainty*f.factor
		c.Many, c.ManyError = l.slope*manyReporters, l.uncertainty*manyReporters
		for _, n := range slices.Sorted(maps.Keys(byLevel)) {
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

// costCells are a table of what reporters cost, with a column for each number that
// any of the ways had memory for.
func costCells(costs []cost) [][]string {
	if len(costs) == 0 {
		return nil
	}
	means := make([]map[int]float64, len(costs))
	numbers := map[int]bool{}
	for i, c := range costs {
		means[i] = map[int]float64{}
		for _, l := range c.At {
			means[i][l.Reporters], numbers[l.Reporters] = l.Mean, true
		}
	}
	columns := slices.Sorted(maps.Keys(numbers))
	head := []string{"at rest", "figure"}
	for _, n := range columns {
		head = append(head, strconv.Itoa(n))
	}
	all := [][]string{append(head, "a reporter", fmt.Sprint(manyReporters, " more"))}
	for i, c := range costs {
		line := []string{c.Way, c.Figure}
		for _, n := range columns {
			if f, measured := means[i][n]; measured {
				line = append(line, number(f, c.Unit))
			} else {
				line = append(line, "no memory")
			}
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
	switch {
	case e == 0 && f != math.Trunc(f):
		decimals = 2
	case e > 0 && !math.IsInf(e, 0):
		decimals = min(4, max(0, 1-int(math.Floor(math.Log10(e)))))
	}
	s := strconv.FormatFloat(f, 'f', decimals, 64) + " ± " + strconv.FormatFloat(e, 'f', decimals, 64)
	if unit != "" {
		s += " " + unit
	}
	return s
}
