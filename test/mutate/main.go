// Command mutate changes one thing at a time in the files that decide (a condition, a
// boundary, an assignment), and runs their tests: a change that none of them notices
// is a rule that no test holds. It draws -n changes by -seed and ends with 1 where one
// survives that -equivalent does not explain.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// patience is how long the tests of one change may take: one that hangs is noticed.
const patience = 3 * time.Minute

var (
	count      = flag.Int("n", 40, "how many changes are drawn")
	seed       = flag.Uint64("seed", 1, "of the draw")
	equivalent = flag.String("equivalent", "", "a file of changes that change nothing, each with its reason: `FILE: CHANGE # REASON` in a line")
)

// candidate is a mutation of a file.
type candidate struct {
	path string
	src  []byte
	mutation
}

func (c *candidate) name() string { return filepath.Base(c.path) + ": " + c.what }

func main() {
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: %s [flags] FILE.go ...\n", os.Args[0])
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	survived, err := run(ctx, flag.Args())
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(2)
	case survived > 0:
		os.Exit(1)
	}
}

func run(ctx context.Context, paths []string) (survived int, err error) {
	all, err := candidates(paths)
	if err != nil {
		return 0, err
	}
	explained, err := explanations(*equivalent)
	if err != nil {
		return 0, err
	}
	rand.New(rand.NewPCG(*seed, 0)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	dir, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	caught, same, drawn := 0, 0, 0
	for _, c := range all {
		if caught+same+survived == *count {
			break
		}
		drawn++
		verdict, by, err := c.try(ctx, dir)
		if err != nil {
			return survived, err
		}
		reason, known := explained[c.name()]
		switch {
		case verdict == noProgram:
			continue
		case verdict == noticed:
			caught++
			fmt.Printf("caught    %s:%d %s [%s]\n", filepath.Base(c.path), c.line, c.what, by)
		case known:
			same++
			fmt.Printf("the same  %s:%d %s: %s\n", filepath.Base(c.path), c.line, c.what, reason)
		default:
			survived++
			fmt.Printf("SURVIVED  %s:%d %s -> %q\n", filepath.Base(c.path), c.line, c.what, c.with)
		}
	}
	fmt.Printf("%d changes of %d, seed %d: %d caught, %d that change nothing, %d survived; %d more were no program\n",
		caught+same+survived, len(all), *seed, caught, same, survived, drawn-caught-same-survived)
	return survived, nil
}

func candidates(paths []string) (all []candidate, err error) {
	if len(paths) == 0 {
		return nil, errors.New("name the files to change")
	}
	for _, path := range paths {
		path, err = filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		found, err := mutations(src)
		if err != nil {
			return nil, err
		}
		for _, m := range found {
			all = append(all, candidate{path, src, m})
		}
	}
	return all, nil
}

// explanations are the changes that change nothing, and why.
func explanations(path string) (map[string]string, error) {
	known := map[string]string{}
	if path == "" {
		return known, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		change, reason, ok := strings.Cut(lines.Text(), " # ")
		if !ok {
			return nil, fmt.Errorf("%s: no reason given: %s", path, lines.Text())
		}
		known[change] = reason
	}
	return known, lines.Err()
}

type verdict int

const (
	unnoticed verdict = iota
	noticed
	noProgram
)

var failure = regexp.MustCompile(`(?m)^ *--- FAIL: (\S+)`)

// try runs the tests of the file's package with the change, and leaves the file alone.
func (c *candidate) try(ctx context.Context, dir string) (v verdict, by string, err error) {
	changed, overlay := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{c.path: changed}})
	if err != nil {
		return 0, "", err
	}
	if err := errors.Join(os.WriteFile(changed, c.apply(c.src), 0o600), os.WriteFile(overlay, replace, 0o600)); err != nil {
		return 0, "", err
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(limited, "go", "test", "-overlay", overlay, "-vet=off", "-count=1", "-failfast", ".")
	cmd.Dir = filepath.Dir(c.path)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch failed := failure.FindAllStringSubmatch(string(out), -1); {
	case ctx.Err() != nil:
		return 0, "", ctx.Err()
	case limited.Err() != nil:
		return noticed, "it hangs", nil
	case err == nil:
		return unnoticed, "", nil
	case !errors.As(err, &exit):
		return 0, "", err
	case strings.Contains(string(out), "[build failed]") || strings.Contains(string(out), "[setup failed]"):
		return noProgram, "", nil
	case len(failed) > 0:
		return noticed, failed[len(failed)-1][1], nil
	}
	return noticed, "it panics", nil
}
