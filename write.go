package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

const writeUsage = `Usage: status-reporter write -status success|failure [-reason WORD] [-message TEXT] [-details FILE] [-path PATH]

Writes the adapter's result file: all of it at once, readable for the
reporter's user. Exits with 1 where that fails, 2 for wrong arguments.

`

// write publishes a result for an adapter whose image carries the binary.
func (p *process) write(args []string) int {
	flags := p.flags("write", writeUsage)
	var r contract.Result
	flags.StringVar((*string)(&r.Status), "status", "", "success or failure")
	flags.StringVar(&r.Reason, "reason", "", "a CamelCase word for programs")
	flags.StringVar(&r.Message, "message", "", "a sentence for people")
	details := flags.String("details", "", "a `file` with JSON for the adapter's own use; - for standard input")
	path := flags.String("path", "", "where to write (default $RESULTS_PATH, else "+contract.DefaultResultsPath+")")
	if _, code, ok := p.parse(flags, args, 0); !ok {
		return code
	}
	if r.Status != contract.Success && r.Status != contract.Failure {
		return p.wrong(flags, errors.New("-status must be success or failure"))
	}
	if *path == "" {
		*path = (&parser{getenv: p.getenv}).get("RESULTS_PATH", contract.DefaultResultsPath)
	}
	err := p.details(&r, *details)
	if err == nil {
		err = contract.WriteFile(*path, r)
	}
	if err != nil {
		fmt.Fprintln(p.stderr, "status-reporter write:", err)
		return exitFault
	}
	return 0
}

func (p *process) details(r *contract.Result, name string) (err error) {
	if name == "" {
		return nil
	}
	if r.Details, err = p.readFile(name); err != nil {
		return err
	}
	if len(r.Details) > contract.MaxFileSize {
		return contract.TooLarge()
	}
	if err = json.Unmarshal(r.Details, new(json.RawMessage)); err != nil {
		return fmt.Errorf("-details %s: not valid JSON: %w", name, err)
	}
	return nil
}
