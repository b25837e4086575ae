package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// suites are the columns of the table: a heading, and what its tests begin with.
var suites = []struct{ heading, prefix string }{
	{"golden suite", "TestAPIServer/golden/"},
	{"deliveries", "TestAPIServer/delivery/"},
	{"beside its Job controller", "TestAPIServer/controllers/"},
	{"policies", "TestPolicies/"},
	{"consumers' commands", "TestConsumers/"},
	{"the double's fidelity", "TestFidelity/"},
}

// tests is a pattern of the tests that are the suites.
func tests() string {
	var names []string
	for _, s := range suites {
		name, _, _ := strings.Cut(s.prefix, "/")
		names = append(names, name)
	}
	return "^(" + strings.Join(slices.Compact(names), "|") + ")$"
}

// result is what came of the suites on one version.
type result struct {
	version  string
	passed   []int // by suite
	failures int
	skips    []*skip
}

// skip is all that was skipped for one reason.
type skip struct {
	reason string
	tests  []string // suite and name
}

// empty is a suite of which nothing has run; "" where there is none.
func (r *result) empty() string {
	for i, n := range r.passed {
		if n == 0 {
			return suites[i].heading
		}
	}
	return ""
}

func (r *result) String() string {
	var parts []string
	for i, s := range suites {
		parts = append(parts, fmt.Sprintf("%s %d", s.heading, r.passed[i]))
	}
	s := strings.Join(parts, ", ")
	if e := r.empty(); e != "" {
		s += "; of the " + e + " nothing has run"
	}
	if r.failures > 0 {
		s += fmt.Sprintf("; %d FAILED", r.failures)
	}
	return s
}

// event is a line of go test -json.
type event struct{ Action, Test, Output string }

// read reads the events of a run, and shows what failed as soon as it has. Of
// tests with parts the parts count.
func read(version string, events io.Reader, show io.Writer) (*result, error) {
	r := &result{version: version, passed: make([]int, len(suites))}
	output, parents := map[string][]string{}, map[string]bool{}
	for d := json.NewDecoder(events); ; {
		var e event
		if err := d.Decode(&e); errors.Is(err, io.EOF) {
			return r, nil
		} else if err != nil {
			return r, err
		}
		for i, c := range e.Test { // a name may have slashes of its own
			if c == '/' {
				parents[e.Test[:i]] = true
			}
		}
		switch e.Action {
		case "output":
			output[e.Test] = append(output[e.Test], e.Output)
		case "pass":
			if i := suiteOf(e.Test); i >= 0 && !parents[e.Test] {
				r.passed[i]++
			}
		case "skip":
			r.skipped(e.Test, output[e.Test])
		case "fail": // of a package too, which has no test where it does not build
			if !parents[e.Test] && (e.Test != "" || r.failures == 0) {
				r.failures++
				fmt.Fprint(show, strings.Join(output[e.Test], ""))
			}
		}
	}
}

// skipped files a test under the reason that its last line but one gives.
func (r *result) skipped(test string, output []string) {
	name, reason := test, "no reason"
	if i := suiteOf(test); i >= 0 {
		name = suites[i].heading + ": " + strings.TrimPrefix(test, suites[i].prefix)
	}
	for _, line := range output {
		if _, said, ok := strings.Cut(line, ".go:"); ok {
			_, reason, _ = strings.Cut(strings.TrimSpace(said), ": ")
		}
	}
	i := slices.IndexFunc(r.skips, func(s *skip) bool { return s.reason == reason })
	if i < 0 {
		i = len(r.skips)
		r.skips = append(r.skips, &skip{reason: reason})
	}
	s := r.skips[i]
	s.tests = append(s.tests, name)
	slices.Sort(s.tests)
	slices.SortFunc(r.skips, func(a, b *skip) int { return strings.Compare(a.reason, b.reason) })
}

func suiteOf(test string) int {
	for i, s := range suites {
		if strings.HasPrefix(test, s.prefix) {
			return i
		}
	}
	return -1
}
