package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/internal/env"
)

const writeUsage = `Usage: status-reporter write -status success|failure [-reason WORD]
           [-message TEXT | -message-file FILE] [-details FILE] [-path PATH]
           [-exit-code N]

Writes the adapter's result file: all of it at once, readable for the
reporter's user. What may be too long for an argument, such as the output of
a program, comes by -message-file; the Job shows its first 1024 characters.
For one of the two, FILE may be -, which is standard input.

The report comes first: where the message's file cannot be read the message
says so, and details that cannot be read, are not valid JSON or make the
result larger than 1 MiB are left out. Standard error says what and why, and
warns of what the Job will not show as it is given; the exit code is 0. It is
1 where the result could not be written, and 2, with nothing written, for
wrong arguments and for a RESULTS_PATH that the reporter would refuse.

With -exit-code N it is N, 0 to 125, after a failure that was written: so a
shell adapter under set -e ends there, its container with it, and beside a
reporter that is a native sidecar the Job fails.

`

// writing is a result, and where it comes from and goes to.
type writing struct {
	contract.Result
	messageFile, detailsFile, path string
	exitCode                       int // after a failure

	warnings []func() // to be given when the result is written: standard error may be closed
}

// write publishes a result for an adapter whose image carries the binary.
func (p *Process) write(args []string) int {
	flags := p.flags("write", writeUsage)
	var w writing
	flags.StringVar((*string)(&w.Status), "status", "", "success or failure")
	flags.StringVar(&w.Reason, "reason", "", "a CamelCase word for programs")
	flags.StringVar(&w.Message, "message", "", "a sentence for people")
	flags.StringVar(&w.messageFile, "message-file", "", "a `file` with the message; - for standard input")
	flags.StringVar(&w.detailsFile, "details", "", "a `file` with JSON for the adapter's own use; - for standard input")
	flags.Func("exit-code", "`N`, the exit code after a failure; 0 after a success (default 0)", w.setExitCode)
	flags.StringVar(&w.path, "path", "", "where to write (default $RESULTS_PATH, else "+contract.DefaultResultsPath+")")
	if code, ok := p.parseWriting(flags, args, &w); !ok {
		return code
	}
	if w.messageFile != "" {
		p.readMessage(&w)
	}
	if w.detailsFile != "" {
		p.readDetails(&w)
	}
	err := contract.WriteFile(w.path, w.Result)
	if errors.Is(err, contract.ErrInvalid) && w.Details != nil {
		p.leaveDetailsOut(&w, contract.Finding{Problem: err.Error(), Hint: "shorten them, or keep them elsewhere"})
		err = contract.WriteFile(w.path, w.Result)
	}
	if err == nil {
		p.warnOfText(&w)
	}
	for _, warn := range w.warnings {
		warn()
	}
	if err != nil {
		fmt.Fprintln(p.Stderr, "status-reporter write:", unwritten(w.path, err))
		return exitFailure
	}
	if w.Status == contract.Failure {
		return w.exitCode
	}
	return 0
}

// setExitCode leaves out what belongs to shells and signals.
func (w *writing) setExitCode(v string) error {
	n, err := strconv.ParseUint(env.Trim(v), 10, 7)
	if err != nil || n > 125 {
		return errors.New("must be from 0 to 125")
	}
	w.exitCode = int(n)
	return nil
}

// parseWriting is parse, with what makes arguments right for write.
func (p *Process) parseWriting(flags *flag.FlagSet, args []string, w *writing) (code int, ok bool) {
	if _, code, ok = p.parse(flags, args, false); !ok {
		return code, false
	}
	// In a script with DOS line ends the last argument of each line has a carriage return behind it.
	w.Status = contract.Status(env.Trim(string(w.Status)))
	source := "-path"
	if w.path = env.Trim(w.path); w.path == "" {
		source, w.path = "RESULTS_PATH", env.Get(p.Getenv, "RESULTS_PATH", contract.DefaultResultsPath)
	}
	w.messageFile, w.detailsFile = env.Trim(w.messageFile), env.Trim(w.detailsFile)
	var err error
	switch {
	case w.Status != contract.Success && w.Status != contract.Failure:
		err = errors.New("-status must be success or failure")
	case w.Message != "" && w.messageFile != "":
		err = errors.New("-message and -message-file exclude each other")
	case w.messageFile == "-" && w.detailsFile == "-":
		err = errors.New("-message-file and -details cannot both be standard input")
	default:
		err = checkPath(source, w.path)
	}
	if err != nil {
		return p.wrong(flags, err), false
	}
	return 0, true
}

// checkPath refuses what the reporter refuses. A path of -path may be relative: who
// tries something out gives one.
func checkPath(source, path string) error {
	if source != "-path" && !filepath.IsAbs(path) {
		return fmt.Errorf("%s: must be an absolute path, is %q", source, env.Shorten(path))
	}
	info, err := os.Stat(path)
	if err == nil && info.IsDir() || strings.HasSuffix(path, "/") || strings.HasSuffix(path, "/.") {
		return fmt.Errorf("%s: must be the path of the result file, but %q is a directory", source, env.Shorten(path))
	}
	return nil
}

// unwritten says what to do about a result that could not be written.
func unwritten(path string, err error) error {
	dir := filepath.Dir(path)
	switch _, missing := os.Stat(dir); {
	case errors.Is(missing, fs.ErrNotExist):
		return fmt.Errorf("directory %s does not exist: mount the volume, or set RESULTS_PATH or -path", env.Shorten(dir))
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: mount the volume without readOnly, or set RESULTS_PATH or -path", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: let the adapter's user write to the volume, as to an emptyDir, or give the Pod an fsGroup", err)
	}
	return err
}

// warnOfText warns of what validate would: the Job will not show reason and message
// as they were given.
func (p *Process) warnOfText(w *writing) {
	said := w.Result
	said.Reason, said.Message = env.Trim(said.Reason), env.Trim(said.Message) // a file's text ends in a line break
	warn := func(f contract.Finding) {
		f.Line, f.Column = 0, 0 // there is no such file
		w.warnings = append(w.warnings, func() { p.finding("status-reporter write", "warning", f) })
	}
	if n := utf8.RuneCountInString(said.Message); n > contract.MaxMessageLength { // may be too large for Inspect
		warn(contract.Finding{Member: "message", Problem: fmt.Sprintf("%d characters; it is cut to %d", n, contract.MaxMessageLength), Hint: `put the rest under "details"`})
		said.Message = env.Trim(string([]rune(said.Message)[:contract.MaxMessageLength]))
	}
	data, err := json.Marshal(said)
	if err != nil {
		return // told by who has written it
	}
	for _, f := range contract.Inspect(data).Warnings {
		warn(f)
	}
}

func (p *Process) readMessage(w *writing) {
	data, err := p.readFile(w.messageFile)
	w.Message = string(data)
	if err == nil {
		return
	}
	f := unreadable(err)
	if w.Message == "" {
		w.Message = fmt.Sprintf("The message could not be read: -message-file %s: %s", env.Shorten(w.messageFile), f.Problem)
		f.Problem += "; the message says so"
	}
	p.warn(w, "-message-file "+env.Shorten(w.messageFile), f)
}

func (p *Process) readDetails(w *writing) {
	data, err := p.readFile(w.detailsFile)
	w.Details = bytes.TrimPrefix(data, []byte("\ufeff")) // as in a result file
	switch {
	case err != nil:
		p.leaveDetailsOut(w, unreadable(err))
	case len(data) <= contract.MaxFileSize && len(bytes.TrimSpace(w.Details)) == 0:
		p.leaveDetailsOut(w, contract.Finding{Problem: "empty", Hint: "write JSON, null at least"})
	case len(data) > contract.MaxFileSize || !json.Valid(w.Details):
		p.leaveDetailsOut(w, *contract.Inspect(data).Fault)
	}
}

// leaveDetailsOut for the report's sake.
func (p *Process) leaveDetailsOut(w *writing, f contract.Finding) {
	w.Details = nil
	f.Problem += "; the result is written without details"
	p.warn(w, "-details "+env.Shorten(w.detailsFile), f)
}

func (p *Process) warn(w *writing, source string, f contract.Finding) {
	w.warnings = append(w.warnings, func() { p.finding("status-reporter write: "+source, "warning", f) })
}

// unreadable leaves the name out: where an argument is not what it should be
// that may be a whole file.
func unreadable(err error) contract.Finding {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	return contract.Finding{Problem: err.Error(), Hint: "name a file that can be read, or - for standard input"}
}
