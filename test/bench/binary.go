package main

import (
	"cmp"
	"context"
	"debug/elf"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	modulePath = "github.com/openshift-hyperfleet/status-reporter"
	// groups are listed of what the binary holds, the largest first.
	groups = 14
)

// size tells how large the binaries are.
func (b *bench) size() error {
	sizes := make([][]float64, len(b.subjects))
	for i, s := range b.subjects {
		info, err := os.Stat(s.path)
		if err != nil {
			return err
		}
		sizes[i] = []float64{float64(info.Size()) / 1e6}
	}
	b.table.add(row{Name: "binary", Unit: "MB", Limit: 10.5}, sizes...)
	return nil
}

// parts tells what the reporter's binary holds.
func (b *bench) parts(ctx context.Context) error {
	b.say("measuring: what the binary holds")
	file := filepath.Join(b.dir, "with-symbols")
	if out, err := exec.CommandContext(ctx, "make", "-s", "binary", "BINARY="+file, "LDFLAGS=").CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	parts, err := held(file)
	if err != nil {
		b.say("what the binary holds is not known: %v", err) // not an ELF file
		return nil
	}
	for _, name := range slices.SortedFunc(maps.Keys(parts), func(x, y string) int { return cmp.Compare(parts[y], parts[x]) })[:min(groups, len(parts))] {
		b.table.add(row{Name: "of it " + name, Unit: "MB", Inside: true}, []float64{parts[name] / 1e6})
	}
	return nil
}

// held sums up the symbols of a Go binary, in bytes, by what they come from.
// Symbols without a size of their own, such as the tables of the runtime, count
// by their section.
func held(file string) (map[string]float64, error) {
	f, err := elf.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		return nil, err
	}
	parts := map[string]float64{}
	rest := make([]float64, len(f.Sections)) // of a section, what no symbol has
	for i, s := range f.Sections {
		if s.Flags&elf.SHF_ALLOC != 0 && s.Type != elf.SHT_NOBITS {
			rest[i] = float64(s.FileSize)
		}
	}
	for _, s := range symbols {
		i := int(s.Section)
		if i >= len(rest) || rest[i] == 0 || s.Size == 0 || float64(s.Size) > rest[i] {
			continue
		}
		rest[i] -= float64(s.Size)
		parts[group(s.Name)] += float64(s.Size)
	}
	for i, s := range f.Sections {
		switch {
		case rest[i] == 0:
		case strings.HasPrefix(s.Name, ".gopclntab"):
			parts["function tables (pclntab)"] += rest[i]
		default:
			parts["types, strings and constants"] += rest[i]
		}
	}
	return parts, nil
}

// group names what a symbol comes from: a module, or a part of the standard
// library.
func group(symbol string) string {
	if strings.HasPrefix(symbol, "type:") || strings.HasPrefix(symbol, "go:") {
		return "types, strings and constants"
	}
	symbol = strings.ReplaceAll(symbol, "%2e", ".")
	path := symbol
	if i := strings.IndexAny(path, "[("); i >= 0 { // instances and methods
		path = path[:i]
	}
	slash := strings.LastIndex(path, "/")
	if dot := strings.Index(path[slash+1:], "."); dot >= 0 {
		path = path[:slash+1+dot]
	}
	switch first, _, _ := strings.Cut(path, "/"); {
	case path == "main" || strings.HasPrefix(path, modulePath):
		return "this module"
	case strings.HasPrefix(path, "k8s.io/"):
		return strings.Join(strings.SplitN(path, "/", 3)[:2], "/")
	case strings.Contains(first, "."):
		return "other modules"
	case first == "internal" || first == "runtime" || first == "":
		return "runtime and internal"
	default:
		return "standard library: " + first
	}
}

// inside runs the tests and Go benchmarks of what is inside the process.
func (b *bench) inside(ctx context.Context) error {
	b.say("measuring: the requests of five minutes of fake time, and Go benchmarks")
	counted, err := goTool(ctx, "test", "-count=1", "-v", "-run=^TestRequestsOfFiveMinutes$", modulePath)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, counted)
	}
	for _, m := range attributeLine.FindAllStringSubmatch(string(counted), -1) {
		n, _ := strconv.ParseFloat(m[3], 64)
		b.table.add(row{Name: m[2] + " a Job, adapter of 5m, " + strings.ReplaceAll(m[1], "_", " ")}, []float64{n})
	}
	out, err := goTool(ctx, "test", "-run=^$", "-bench=.", "-benchmem", modulePath+"/contract", modulePath+"/watch", modulePath+"/kubeapi")
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	for _, r := range goBenchmarks(string(out)) {
		b.table.add(row{Name: r.name + ", time", Unit: "µs", Inside: true}, []float64{r.nanoseconds / 1e3})
		b.table.add(row{Name: r.name + ", allocated", Unit: "kB", Inside: true}, []float64{r.bytes / 1e3})
		b.table.add(row{Name: r.name + ", allocations", Inside: true}, []float64{r.allocations})
	}
	return nil
}

// attributeLine is one of testing.T.Attr's.
var attributeLine = regexp.MustCompile(`(?m)^\s*=== ATTR\s+[^/\s]+/(\S+) (\S+) (\d+)$`)

type goBenchmark struct {
	name                            string
	nanoseconds, bytes, allocations float64
}

var benchmarkLine = regexp.MustCompile(`(?m)^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op\s+(?:[\d.]+ MB/s\s+)?(\d+) B/op\s+(\d+) allocs/op`)

func goBenchmarks(out string) (all []goBenchmark) {
	for _, m := range benchmarkLine.FindAllStringSubmatch(out, -1) {
		r := goBenchmark{name: m[1]}
		for i, into := range []*float64{&r.nanoseconds, &r.bytes, &r.allocations} {
			*into, _ = strconv.ParseFloat(m[2+i], 64)
		}
		all = append(all, r)
	}
	return all
}

func goTool(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("go %s: %w", args[0], err)
	}
	return out, err
}
