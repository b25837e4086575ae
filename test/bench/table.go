package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// table is what is printed and written.
type table struct {
	Machine  string   `json:"machine"`
	Subjects []string `json:"subjects"`
	Rows     []row    `json:"rows"`
	Costs    []cost   `json:"costs,omitempty"`
}

// row is one figure of every subject.
type row struct {
	Name   string  `json:"name"`
	Unit   string  `json:"unit,omitempty"`
	Limit  float64 `json:"limit,omitempty"`  // what the reporter is to stay within
	Values []value `json:"values"`           // by subject
	Inside bool    `json:"inside,omitempty"` // of what a figure is made of: not for docs
}

// value is a figure from n observations. Where there is one, it is both.
type value struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	N   int     `json:"n"`
}

// modelName is the CPU's, on machines that say it.
var modelName = regexp.MustCompile(`(?m)^model name\s*: (.+)$`)

func newTable() table {
	machine := fmt.Sprintf("%s/%s, %d CPUs, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	if data, _ := os.ReadFile("/proc/cpuinfo"); len(data) > 0 {
		if m := modelName.FindSubmatch(data); m != nil {
			machine += ", " + string(m[1])
		}
	}
	if data, _ := os.ReadFile("/proc/loadavg"); len(data) > 0 {
		machine += ", load at the start " + strings.Fields(string(data))[0]
	}
	return table{Machine: machine}
}

// add adds a row with what was observed of each subject.
func (t *table) add(r row, observed ...[]float64) {
	for _, o := range observed {
		r.Values = append(r.Values, valueOf(o))
	}
	t.Rows = append(t.Rows, r)
}

func valueOf(observed []float64) value {
	if len(observed) == 0 {
		return value{}
	}
	sorted := slices.Sorted(slices.Values(observed))
	return value{percentile(sorted, 50), percentile(sorted, 99), len(sorted)}
}

// percentile is the smallest value that p percent of all do not exceed.
func percentile(sorted []float64, p int) float64 {
	return sorted[max(0, (len(sorted)*p+99)/100-1)]
}

// cells are the table as text. Behind another reporter is how many times the
// first one's its median is, and behind the floor how many times that the first
// one's.
func (t *table) cells() [][]string {
	head := []string{"figure", "limit"}
	for i, name := range t.Subjects {
		head = append(head, name)
		switch {
		case name == floorName:
			head = append(head, "over the floor")
		case i > 0:
			head = append(head, "ratio")
		}
	}
	all := [][]string{head}
	for _, r := range t.Rows {
		line := []string{r.Name, ""}
		if r.Limit > 0 {
			line[1] = number(r.Limit, r.Unit)
		}
		for i, v := range r.Values {
			line = append(line, v.String(r.Unit))
			switch {
			case t.Subjects[i] == floorName:
				line = append(line, v.under(r.Values[0]))
			case i > 0:
				line = append(line, r.Values[0].under(v))
			}
		}
		for len(line) < len(head) {
			line = append(line, "")
		}
		all = append(all, line)
	}
	return all
}

// under is how many times v other is.
func (v value) under(other value) string {
	if v.N == 0 || other.N == 0 || v.P50 <= 0 {
		return ""
	}
	return number(other.P50/v.P50, "")
}

func (v value) String(unit string) string {
	switch {
	case v.N == 0:
		return "not measured"
	case v.P50 == v.P99:
		return number(v.P50, unit)
	}
	return fmt.Sprintf("p50 %s, p99 %s (n %d)", number(v.P50, unit), number(v.P99, unit), v.N)
}

// number has three significant digits, and all of those before the point.
func number(f float64, unit string) string {
	decimals := 0
	for limit := 100.0; decimals < 2 && f < limit && f != float64(int64(f)); limit /= 10 {
		decimals++
	}
	return strings.TrimSpace(strconv.FormatFloat(f, 'f', decimals, 64) + " " + unit)
}

// tables are all that there are, the first line of each its head.
func (t *table) tables() (all [][][]string) {
	for _, cells := range [][][]string{t.cells(), costCells(t.Costs)} {
		if len(cells) > 1 {
			all = append(all, cells)
		}
	}
	return all
}

// text prints the tables for people.
func (t *table) text(w io.Writer) {
	for _, cells := range t.tables() {
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, line := range cells {
			fmt.Fprintln(tw, strings.Join(line, "\t"))
		}
		tw.Flush()
	}
	fmt.Fprintln(w, t.Machine)
}

func (t *table) markdown() []byte {
	var b bytes.Buffer
	for _, cells := range t.tables() {
		writeMarkdown(&b, cells)
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "%s\n", t.Machine)
	return b.Bytes()
}

func writeMarkdown(b *bytes.Buffer, cells [][]string) {
	for i, line := range cells {
		fmt.Fprintf(b, "| %s |\n", strings.Join(line, " | "))
		if i == 0 {
			b.WriteString("|" + strings.Repeat(" --- |", len(line)) + "\n")
		}
	}
}

// write writes the table as JSON and as Markdown.
func (t *table) write(path string) error {
	data, err := json.MarshalIndent(t, "", "  ")
	return errors.Join(err,
		os.WriteFile(path+".json", append(data, '\n'), 0o644),
		os.WriteFile(path+".md", t.markdown(), 0o644))
}
