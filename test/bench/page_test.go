package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func writeRun(t *testing.T, name string, run table) {
	t.Helper()
	data, err := json.Marshal(run)
	if err != nil {
		t.Fatal(err)
	}
	for ext, content := range map[string][]byte{".json": data, ".svg": []byte("picture of " + name)} {
		if err := os.WriteFile(name+ext, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func marked(name, content string) string {
	return fmt.Sprintf(beginMark, name) + content + fmt.Sprintf(endMark, name)
}

// figureTable is a run of one reporter and, maybe, of another beside it.
func figureTable(against bool) table {
	run := table{Machine: "here", Subjects: []string{"status-reporter", floorName}}
	values := [][]float64{{1}, {0.5}}
	if against {
		run.Subjects, values = []string{"status-reporter", againstPrefix + "b", floorName}, [][]float64{{1}, {3}, {0.5}}
	}
	run.add(row{Name: "time", Unit: "ms", Limit: 5}, values...)
	run.add(row{Name: "part", Unit: "MB", Inside: true}, []float64{2})
	run.add(row{Name: "requests"}, []float64{3})
	return run
}

func costTable() table {
	run := table{Machine: "there", Subjects: []string{"status-reporter"}}
	run.add(row{Name: "peak", Limit: 200}, []float64{150})
	for _, way := range []string{"with the watch", "without"} {
		for i, f := range costFigures[:2] {
			run.Costs = append(run.Costs, cost{Way: way, Figure: f.name, Unit: f.unit, ShareUnit: f.share,
				At: []level{{0, 1}, {10, 2}}, Share: float64(i + 1), Error: 0.5, Many: 10, ManyError: 5})
		}
	}
	return run
}

func TestPage(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("docs", 0o755); err != nil {
		t.Fatal(err)
	}
	page := filepath.Join("docs", "page.md")
	before := "A\n" + marked("one reporter", "old\n") + "B\n" + marked("compared", "old\n") + "C\n" + marked("fleet", "old\n") + marked("costs", "old\n") + "D\n"
	one := marked("one reporter", "\n| figure | limit | status-reporter |\n| --- | --- | --- |\n| time | 5 ms | 1 ms |\n| requests |  | 3 |\n\nhere\n\n")
	compared := marked("compared", "\n| figure | limit | status-reporter | against: b | ratio | floor | over the floor |\n| --- | --- | --- | --- | --- | --- | --- |\n"+
		"| time | 5 ms | 1 ms | 3 ms | 3 | 0.50 ms | 2 |\n\nhere\n\n")
	fleet := marked("fleet", "\n| figure | limit | status-reporter |\n| --- | --- | --- |\n| peak | 200 | 150 |\n\nthere\n\n")
	costs := marked("costs", "\n| each | kube-apiserver, CPU | etcd, CPU |\n| --- | --- | --- |\n"+
		"| with the watch | 1.00 ± 0.50 µs/s | 2.00 ± 0.50 µs/s |\n| without | 1.00 ± 0.50 µs/s | 2.00 ± 0.50 µs/s |\n\n"+
		"| 10000 of them | kube-apiserver, CPU | etcd, CPU |\n| --- | --- | --- |\n"+
		"| with the watch | 10.0 ± 5.0 ms/s | 10.0 ± 5.0 ms/s |\n| without | 10.0 ± 5.0 ms/s | 10.0 ± 5.0 ms/s |\n\nthere; at 0, 10 reporters\n\n")
	withoutCosts := costTable()
	withoutCosts.Costs = nil
	for _, tt := range []struct {
		name         string
		bench, fleet *table
		want, says   string
	}{
		{"nothing was measured", nil, nil, "", "no bench.json: run make bench first"},
		{"one reporter alone", new(figureTable(false)), nil,
			"A\n" + one + "B\n" + marked("compared", "old\n") + "C\n" + marked("fleet", "old\n") + marked("costs", "old\n") + "D\n", `nothing of "compared"`},
		{"a fleet by the double", nil, &withoutCosts,
			"A\n" + marked("one reporter", "old\n") + "B\n" + marked("compared", "old\n") + "C\n" + fleet + marked("costs", "old\n") + "D\n", `nothing of "costs"`},
		{"all", new(figureTable(true)), new(costTable()), "A\n" + one + "B\n" + compared + "C\n" + fleet + costs + "D\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, run := range map[string]*table{"bench": tt.bench, "bench-fleet": tt.fleet} {
				os.Remove(name + ".json")
				if run != nil {
					writeRun(t, name, *run)
				}
			}
			if err := os.WriteFile(page, []byte(before), 0o644); err != nil {
				t.Fatal(err)
			}
			var said bytes.Buffer
			code := run(t.Context(), []string{"-page", page}, &said, &said)
			if !strings.Contains(said.String(), tt.says) || tt.says == "" && said.Len() > 0 {
				t.Errorf("it says %q, want %q", &said, tt.says)
			}
			got, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			if tt.want == "" {
				if code != 1 || string(got) != before {
					t.Errorf("exit code %d, and the page is\n%s", code, got)
				}
				return
			}
			if diff := cmp.Diff(tt.want, string(got)); code != 0 || diff != "" {
				t.Errorf("exit code %d (-want +got):\n%s", code, diff)
			}
		})
	}
	for _, name := range []string{"bench", "bench-fleet"} {
		if got, _ := os.ReadFile(filepath.Join("docs", name+".svg")); string(got) != "picture of "+name {
			t.Errorf("%s.svg is %q", name, got)
		}
	}
	if err := os.WriteFile(page, []byte("no marks"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := writePage(page, t.Output()); err == nil || !strings.Contains(err.Error(), `"one reporter" are missing`) {
		t.Errorf("a page without marks: %v", err)
	}
}

// The page that make bench-docs writes to has a place for everything.
func TestPageOfDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range append(figureParts(new(figureTable(true))), fleetParts(new(costTable()))...) {
		if p.made == nil {
			t.Errorf("nothing is made of %q", p.name)
		}
		if _, err := replacePart(text, p); err != nil {
			t.Error(err)
		}
	}
}
