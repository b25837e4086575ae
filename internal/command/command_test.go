package command

import (
	"regexp"
	"testing"
)

func TestCommands(t *testing.T) {
	for _, row := range []struct {
		args []string
		exit int
		out  string
	}{
		{[]string{"version"}, 0, `^status-reporter v1\.2\.3 \(commit \S+, built \S+, go1\.\S+ \w+/\w+\)\n$`},
		{[]string{"--version"}, 0, `^status-reporter v1\.2\.3 `},
		{[]string{"help"}, 0, `(?s)^status-reporter sets a condition.*Usage:`},
		{[]string{"repor"}, 2, `^status-reporter: unknown command "repor"\n`},
	} {
		r := runCommand("", nil, row.args...)
		text := r.Stdout + r.Stderr
		if r.Code != row.exit || !regexp.MustCompile(row.out).MatchString(text) {
			t.Errorf("%v: exit code %d: %s", row.args, r.Code, text)
		}
		if (r.Code == 0) != (r.Stderr == "") {
			t.Errorf("%v: wrong stream: %s", row.args, r.Stderr)
		}
	}
}
