// Package contract is the agreement between an adapter and the status
// reporter: one small JSON file that the adapter writes, and the condition
// that the reporter makes of it.
//
// The file holds one JSON object of at most [MaxFileSize] bytes:
//
//	{
//	  "status":  "success" or "failure", exactly so; required
//	  "reason":  a CamelCase word for programs; at most 128 characters
//	  "message": a sentence for people; at most 1024 characters
//	  "details": any JSON, for the adapter's own use; no part of the condition
//	}
//
// An adapter written in Go publishes its result with [WriteFile]. The package
// imports the standard library only, so that using it costs an adapter nothing.
package contract

import (
	"cmp"
	"encoding/json"
	"strings"
)

// Limits of the contract. Characters are Unicode code points.
const (
	MaxFileSize          = 1 << 20 // bytes
	MaxReasonLength      = 128     // characters
	MaxMessageLength     = 1024    // characters
	DefaultReason        = "NoReasonProvided"
	DefaultMessage       = "No message provided"
	DefaultResultsPath   = "/results/adapter-result.json"
	DefaultConditionType = "Available"
)

// Status is the adapter's own verdict on its work.
type Status string

// The two statuses. Nothing else is valid, in no other spelling.
const (
	Success Status = "success"
	Failure Status = "failure"
)

// Result is what an adapter has to say, as it says it: what is too long or empty is
// cut or filled in by Outcome, and not before. It is a value; no method changes it.
type Result struct {
	Status  Status          `json:"status"`
	Reason  string          `json:"reason,omitempty"`
	Message string          `json:"message,omitempty"`
	Details json.RawMessage `json:"details,omitempty"`
}

// Outcome is the condition that a Result makes.
func (r Result) Outcome() Outcome {
	status := False
	if r.Status == Success {
		status = True
	}
	r = r.normalized()
	return Outcome{Status: status, Reason: r.Reason, Message: r.Message}
}

// normalized is the Result as the Job shows it: clean, trimmed, cut, with the
// defaults filled in.
func (r Result) normalized() Result {
	r = r.shortened()
	r.Reason, r.Message = cmp.Or(r.Reason, DefaultReason), cmp.Or(r.Message, DefaultMessage)
	return r
}

// shortened is the Result with as much of its text as the Job shows.
func (r Result) shortened() Result {
	r.Reason = truncate(clean(r.Reason), MaxReasonLength)
	r.Message = truncate(clean(r.Message), MaxMessageLength)
	return r
}

// clean makes text safe to print: kubectl writes conditions to terminals as
// they are, so that escape sequences and reversed text would reach people.
// Invalid UTF-8 becomes U+FFFD; space around the text goes.
func clean(s string) string { return strings.TrimSpace(printable(s)) }

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < 0x20, 0x7f <= r && r <= 0x9f: // C0, DEL, C1
			return -1
		case 0x202a <= r && r <= 0x202e, 0x2066 <= r && r <= 0x2069: // bidirectional overrides
			return -1
		}
		return r // an invalid byte arrives here as U+FFFD
	}, s)
}

// truncate shortens s to n characters, never in the middle of one, and leaves no
// space at the end: what was trimmed once stays trimmed.
func truncate(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			return strings.TrimSpace(s[:i])
		}
	}
	return s
}
