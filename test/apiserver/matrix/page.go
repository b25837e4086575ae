package main

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
	"github.com/openshift-hyperfleet/status-reporter/test/apiserver"
)

// What is between these lines of the page is made here.
const (
	begin = "<!-- made by make test-matrix: begin -->\n"
	end   = "<!-- made by make test-matrix: end -->\n"
)

var (
	rowPattern  = regexp.MustCompile(`(?m)^\| (1\.\d+\.\d+) \|.*\n`)
	skipPattern = regexp.MustCompile(`(?m)^- \*\*(1\.\d+\.\d+)\*\*, .*\n`)
)

// update puts results into the page, in place of those of the same versions.
func update(page string, results []*result) (string, error) {
	before, rest, ok1 := strings.Cut(page, begin)
	made, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		return "", errors.New("the lines that say what is made are missing")
	}
	rows, skips := map[string]string{}, map[string]string{}
	for _, m := range rowPattern.FindAllStringSubmatch(made, -1) {
		rows[m[1]] = m[0]
	}
	for _, m := range skipPattern.FindAllStringSubmatch(made, -1) {
		skips[m[1]] += m[0]
	}
	for _, r := range results {
		rows[r.version], skips[r.version] = row(r), skipLines(r)
	}
	var b strings.Builder
	b.WriteString(before + begin + "| Kubernetes |")
	for _, s := range suites {
		b.WriteString(" " + s.heading + " |")
	}
	b.WriteString(" skipped |\n|" + strings.Repeat(" --- |", len(suites)+2) + "\n")
	versions := slices.SortedFunc(maps.Keys(rows), compareVersions)
	for _, v := range versions {
		b.WriteString(rows[v])
	}
	b.WriteString("\nWhat is skipped, as the server or the kubectl at hand lacks it:\n\n")
	for _, v := range versions {
		b.WriteString(skips[v])
	}
	b.WriteString("\n" + features() + end + after)
	return b.String(), nil
}

func row(r *result) string {
	s := "| " + r.version + " |"
	for _, n := range r.passed {
		s += fmt.Sprintf(" %d passed |", n)
	}
	skipped := 0
	for _, s := range r.skips {
		skipped += len(s.tests)
	}
	return s + fmt.Sprintf(" %d |\n", skipped)
}

func skipLines(r *result) (lines string) {
	for _, s := range r.skips {
		lines += fmt.Sprintf("- **%s**, %s: %s\n", r.version, s.reason, strings.Join(s.tests, "; "))
	}
	return lines
}

// features is what the versions differ in, as the suites and the fake have it.
func features() string {
	b := "| since | what | before |\n| --- | --- | --- |\n"
	list := slices.SortedStableFunc(slices.Values(apiserver.Features), func(a, b *kubetest.Feature) int { return int(a.Since - b.Since) })
	for _, f := range list {
		since := f.Since.String()
		for _, v := range f.Not {
			since += ", not " + v.String()
		}
		b += fmt.Sprintf("| %s | %s | %s |\n", since, f.Name, f.Before)
	}
	return b
}

func compareVersions(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	return slices.CompareFunc(as, bs, func(a, b string) int {
		x, _ := strconv.Atoi(a)
		y, _ := strconv.Atoi(b)
		return x - y
	})
}
