package command

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/internal/env"
	"github.com/openshift-hyperfleet/status-reporter/internal/yaml"
)

const validateUsage = `Usage: status-reporter validate [-o yaml|json] FILE

Prints the condition that the Job would get from the result file FILE (- for
standard input), and on standard error what is wrong, where, how to fix it,
and what would be changed or ignored. It judges the content, and warns of a mode
or a symbolic link that would keep the reporter from the file. Exits with 0 for a
valid file, 1 for an invalid one, 2 where there is nothing to judge.

`

// validated is what -o json prints.
type validated struct {
	Valid     bool               `json:"valid"`
	Condition shownCondition     `json:"condition"`
	Fault     *contract.Finding  `json:"fault,omitempty"`
	Warnings  []contract.Finding `json:"warnings"`
}

// shownCondition is a Job's condition, times aside.
type shownCondition struct {
	Type string `json:"type"`
	contract.Outcome
}

// validate judges a result file as the sidecar would.
func (p *Process) validate(args []string) int {
	flags := p.flags("validate", validateUsage)
	format := flags.String("o", "yaml", "output `format`: yaml, or json with all that is said in one document")
	operands, code, ok := p.parse(flags, args, true)
	if !ok {
		return code
	}
	if *format != "yaml" && *format != "json" {
		return p.wrong(flags, errors.New("-o must be yaml or json"))
	}
	name := operands[0]
	data, err := p.readFile(name)
	if err != nil {
		fmt.Fprintln(p.Stderr, "status-reporter validate:", err)
		return exitUsage
	}
	i := contract.Inspect(data)
	v := validated{
		Valid: i.Fault == nil, Fault: i.Fault, Warnings: append(i.Warnings, reach(name)...),
		Condition: shownCondition{contract.DefaultConditionType, i.Outcome},
	}
	if *format == "json" {
		err = writeJSON(p.Stdout, v)
	} else {
		err = p.explain(name, v)
	}
	if err != nil {
		fmt.Fprintln(p.Stderr, "status-reporter validate:", err)
		return exitUsage
	}
	if !v.Valid {
		return exitFailure
	}
	return 0
}

// explain tells people: the condition to stdout, the rest as compilers do.
func (p *Process) explain(name string, v validated) error {
	if name == "-" {
		name = "stdin"
	}
	if v.Fault != nil {
		p.finding(name, "error", *v.Fault)
	}
	for _, w := range v.Warnings {
		p.finding(name, "warning", w)
	}
	text, err := yaml.Marshal(v.Condition)
	if err == nil {
		_, err = p.Stdout.Write(text)
	}
	return err
}

func (p *Process) finding(name, kind string, f contract.Finding) {
	if f.Line > 0 {
		name = fmt.Sprintf("%s:%d:%d", name, f.Line, f.Column)
	}
	fmt.Fprintf(p.Stderr, "%s: %s: %s\n    hint: %s\n", name, kind, f, f.Hint)
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// readFile reads as much of a file as there is to judge; - is standard input.
func (p *Process) readFile(name string) ([]byte, error) {
	r := p.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		r = f
	}
	return io.ReadAll(io.LimitReader(r, contract.MaxFileSize+1))
}

// reach is what would keep the reporter from a file that this user can read: the
// reporter runs as another one, and does not leave the file's directory.
func reach(name string) (warnings []contract.Finding) {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() || strings.HasPrefix(name, "/dev/") { // standard input, a pipe of the shell's
		return nil
	}
	if mode := info.Mode().Perm(); mode&0o004 == 0 {
		warnings = append(warnings, contract.Finding{
			Problem: fmt.Sprintf("mode %#o; the reporter may run as another user, who cannot read it", mode), Hint: "chmod 644, before it is renamed to its name"})
	}
	if f, err := os.OpenInRoot(filepath.Dir(name), filepath.Base(name)); err == nil {
		f.Close()
	} else if link, err := os.Lstat(name); err == nil && link.Mode()&fs.ModeSymlink != 0 {
		warnings = append(warnings, contract.Finding{
			Problem: "a symbolic link that leaves its directory; the reporter follows none", Hint: "write the file itself there"})
	}
	return warnings
}

// flags reports nothing itself: parse says what is wrong, and prints the usage.
func (p *Process) flags(command, usage string) *flag.FlagSet {
	flags := flag.NewFlagSet("status-reporter "+command, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	return flags
}

// printUsage goes where the user looks: to standard output where it was asked for.
func printUsage(flags *flag.FlagSet, to io.Writer) {
	flags.SetOutput(to)
	flags.Usage()
}

// parse takes the arguments apart, flags before and after FILE, where there is to be
// one; where that was all, ok is false and code is the exit code.
func (p *Process) parse(flags *flag.FlagSet, args []string, file bool) (operands []string, code int, ok bool) {
	err := flags.Parse(args)
	for err == nil && flags.NArg() > 0 {
		operands = append(operands, flags.Arg(0))
		err = flags.Parse(flags.Args()[1:])
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		printUsage(flags, p.Stdout)
		return nil, 0, false
	case err != nil:
	case !file && len(operands) > 0:
		err = fmt.Errorf("%q belongs to no flag: quote what holds spaces", env.Shorten(operands[0]))
	case file && len(operands) == 0:
		err = errors.New("no FILE given")
	case file && len(operands) > 1:
		err = fmt.Errorf("one FILE only, not %d: quote a name that holds spaces", len(operands))
	}
	if err != nil {
		return nil, p.wrong(flags, err), false
	}
	return operands, 0, true
}

// wrong tells of a wrong command line.
func (p *Process) wrong(flags *flag.FlagSet, err error) int {
	fmt.Fprintf(p.Stderr, "%s: %v\n\n", flags.Name(), err)
	printUsage(flags, p.Stderr)
	return exitUsage
}
