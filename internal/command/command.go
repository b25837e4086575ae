// Package command has what the binary does beside reporting: it judges result
// files, writes them, and tells its version.
package command

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// Process is what a command has of the world: it reads and writes nothing else but the
// files that its arguments and RESULTS_PATH name. A command runs on the caller's
// goroutine until it is done; it keeps nothing.
type Process struct {
	Getenv         func(string) string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Build          Build
}

// Build is what the binary was made of, as far as it was stamped with it.
type Build struct{ Version, Commit, Date string }

const usage = `status-reporter sets a condition on a Kubernetes Job from the result of the adapter beside it.

Usage:
  status-reporter               run as the sidecar; configured by the environment
  status-reporter validate FILE print the condition that a result file makes, and what is wrong with it
  status-reporter write         write a result file, from an adapter in shell
  status-reporter version       print version, commit and build date
  status-reporter help          print this

validate and write tell more with -h.

Documentation: https://github.com/openshift-hyperfleet/status-reporter
`

// Exit codes.
const (
	exitFailure = 1 // an invalid file, or one that could not be written
	exitUsage   = 2 // wrong arguments, or nothing to work on
)

// Run runs the command that the arguments name, of which there is at least one,
// and returns the exit code.
func Run(args []string, p Process) int { return p.run(args) }

func (p *Process) run(args []string) int {
	switch args[0] {
	case "validate":
		return p.validate(args[1:])
	case "write":
		return p.write(args[1:])
	case "version", "--version", "-version":
		fmt.Fprintln(p.Stdout, p.Build.line())
	case "help", "--help", "-h", "-help":
		fmt.Fprint(p.Stdout, usage)
	default:
		fmt.Fprintf(p.Stderr, "status-reporter: unknown command %q\n\n%s", args[0], usage)
		return exitUsage
	}
	return 0
}

func (b Build) line() string {
	c, d := b.Commit, b.Date
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
		b.Version, orUnknown(c), orUnknown(d), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
