package main

import (
	"fmt"
	"os/signal"
	"runtime"
	"runtime/debug"
)

// Stamped by the Makefile.
var (
	version = "dev"
	commit  = ""
	date    = ""
)

const usage = `status-reporter sets a condition on a Kubernetes Job from the result of the adapter beside it.

Usage:
  status-reporter               run as the sidecar; configured by the environment
  status-reporter validate FILE print the condition that a result file makes, and what is wrong with it
  status-reporter write         write a result file, from an adapter in shell
  status-reporter version       print version, commit and build date
  status-reporter help          print this

validate and write tell more with -h.

Documentation: README.md
`

// exitUsage is for a command that got wrong arguments, or nothing to work on.
const exitUsage = 2

// command runs what is not the sidecar itself.
func (p *process) command(args []string) int {
	signal.Reset() // SIGTERM and Ctrl-C end a command, which may wait for its input
	switch args[0] {
	case "validate":
		return p.validate(args[1:])
	case "write":
		return p.write(args[1:])
	case "version", "--version", "-version":
		fmt.Fprintln(p.stdout, versionLine())
	case "help", "--help", "-h", "-help":
		fmt.Fprint(p.stdout, usage)
	default:
		fmt.Fprintf(p.stderr, "status-reporter: unknown command %q\n\n%s", args[0], usage)
		return exitUsage
	}
	return 0
}

func versionLine() string {
	c, d := commit, date
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision" && c == "":
				c = s.Value
			case s.Key == "vcs.time" && d == "":
				d = s.Value
			}
		}
	}
	return fmt.Sprintf("status-reporter %s (commit %s, built %s, %s %s/%s)",
		version, orUnknown(c), orUnknown(d), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
