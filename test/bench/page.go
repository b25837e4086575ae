package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// What is between these lines of the page is made here, under a name each.
const (
	beginMark = "<!-- made by make bench-docs: %s: begin -->\n"
	endMark   = "<!-- made by make bench-docs: %s: end -->\n"
)

// part is what the page has of a table; nil: the run had nothing for it, and it stays.
type part struct {
	name string
	made []byte
}

// writePage puts what the last runs have written into a page, and their pictures beside
// it. What was not measured there stays as it is.
func writePage(page string, out io.Writer) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	found := 0
	for _, run := range []struct {
		out   string
		parts func(*table) []part
	}{{"bench", figureParts}, {"bench-fleet", fleetParts}} {
		data, err := os.ReadFile(run.out + ".json")
		if errors.Is(err, os.ErrNotExist) {
			fmt.Fprintf(out, "there is no %s.json: run make %s first; its tables stay as they are\n", run.out, run.out)
			continue
		}
		found++
		var t table
		if err == nil {
			err = json.Unmarshal(data, &t)
		}
		if err != nil {
			return err
		}
		for _, p := range run.parts(&t) {
			if p.made == nil {
				fmt.Fprintf(out, "%s.json has nothing of %q, which stays as it is\n", run.out, p.name)
			} else if text, err = replacePart(text, p); err != nil {
				return fmt.Errorf("%s: %w", page, err)
			}
		}
		picture, err := os.ReadFile(run.out + ".svg")
		if err == nil {
			err = os.WriteFile(filepath.Join(filepath.Dir(page), run.out+".svg"), picture, 0o644)
		}
		if err != nil {
			return err
		}
	}
	if found == 0 {
		return errors.New("nothing was measured")
	}
	return os.WriteFile(page, text, 0o644)
}

func replacePart(text []byte, p part) ([]byte, error) {
	begin, end := fmt.Appendf(nil, beginMark, p.name), fmt.Appendf(nil, endMark, p.name)
	before, rest, ok := bytes.Cut(text, begin)
	_, after, closed := bytes.Cut(rest, end)
	if !ok || !closed {
		return nil, fmt.Errorf("the lines that say what is made of %q are missing", p.name)
	}
	return slices.Concat(before, begin, p.made, end, after), nil
}

// figureParts are the page's of one reporter, and of the reporters beside it.
func figureParts(t *table) []part {
	own := table{Subjects: t.Subjects[:1]}
	compared := table{Subjects: t.Subjects}
	for _, r := range t.Rows {
		if r.Inside {
			continue
		}
		if len(r.Values) > 1 {
			compared.Rows = append(compared.Rows, r)
		}
		r.Values = r.Values[:1]
		own.Rows = append(own.Rows, r)
	}
	parts := []part{{"one reporter", section(t.Machine, own.cells())}, {name: "compared"}}
	if slices.ContainsFunc(t.Subjects, func(s string) bool { return strings.HasPrefix(s, againstPrefix) }) {
		parts[1].made = section(t.Machine, compared.cells())
	}
	return parts
}

// fleetParts are the page's of many reporters, and of what they cost the API server.
func fleetParts(t *table) []part {
	parts := []part{{"fleet", section(t.Machine, t.cells())}, {name: "costs"}}
	if len(t.Costs) == 0 {
		return parts
	}
	var numbers []string
	for _, l := range t.Costs[0].At {
		numbers = append(numbers, strconv.Itoa(l.Reporters))
	}
	each := wayCells("each", t.Costs, func(c cost) string { return uncertain(c.Share, c.Error, c.ShareUnit) })
	many := wayCells(fmt.Sprint(manyReporters, " of them"), t.Costs, func(c cost) string { return uncertain(c.Many, c.ManyError, c.Unit) })
	parts[1].made = section(t.Machine+"; at "+strings.Join(numbers, ", ")+" reporters", each, many)
	return parts
}

// wayCells has the ways beneath and the figures beside each other.
func wayCells(corner string, costs []cost, cell func(cost) string) [][]string {
	all := [][]string{{corner}}
	for _, c := range costs {
		if last := all[len(all)-1]; len(all) == 1 || last[0] != c.Way {
			all = append(all, []string{c.Way})
		}
		if len(all) == 2 {
			all[0] = append(all[0], c.Figure)
		}
		last := &all[len(all)-1]
		*last = append(*last, cmp.Or(cell(c), "not measured"))
	}
	return all
}

func section(machine string, tables ...[][]string) []byte {
	b := bytes.NewBufferString("\n")
	for _, cells := range tables {
		writeMarkdown(b, cells)
		b.WriteString("\n")
	}
	fmt.Fprintf(b, "%s\n\n", machine)
	return b.Bytes()
}
