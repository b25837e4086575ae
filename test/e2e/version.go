package main

import (
	"fmt"
	"regexp"
	"strconv"
)

// version is a minor version of Kubernetes: 36 is 1.36.
type version int

var versionPattern = regexp.MustCompile(`\bv?1\.(\d+)`)

// versionIn finds one in a text.
func versionIn(text string) (version, error) {
	m := versionPattern.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%q names no version of Kubernetes", text)
	}
	minor, err := strconv.Atoi(m[1])
	return version(minor), err
}

func (v *version) UnmarshalText(text []byte) (err error) {
	*v, err = versionIn(string(text))
	return err
}

func (v version) String() string { return fmt.Sprintf("1.%d", int(v)) }

// needs is a feature that a cluster may lack.
type needs struct {
	Feature string  `json:"feature"`
	Since   version `json:"since"` // the first that has it by default
}

// lacks says what a cluster of a version lacks for the case; empty: nothing.
func (c testCase) lacks(has version) string {
	asDefault := len(c.Env) == 1 && c.Env["FAILURE_EXIT_CODE"] == "0" // which undoes what deploy/job.yaml says
	switch {
	case !c.injected():
	case len(c.Env) > 0 && !asDefault:
		return "the injected reporter's variables are the namespace's, not a Job's"
	case c.SidecarLast:
		return "the injected reporter starts before the Job's own init containers"
	}
	for _, n := range []needs{c.Needs, c.form.needs} {
		if has < n.Since {
			return fmt.Sprintf("%s: since Kubernetes %s, this is %s", n.Feature, n.Since, has)
		}
	}
	return ""
}
