package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Inspection is what there is to say about a result file before it is used.
type Inspection struct {
	Outcome  Outcome   `json:"outcome"`  // what the Job would get
	Fault    *Finding  `json:"fault"`    // nil where the file is valid
	Warnings []Finding `json:"warnings"` // what is valid and will be changed or ignored; the first 20
}

// Finding is one remark on a result file.
type Finding struct {
	Member  string `json:"member,omitempty"` // empty where it is the file as a whole
	Line    int    `json:"line,omitempty"`   // from 1; 0 where there is no one place
	Column  int    `json:"column,omitempty"` // in characters, from 1
	Problem string `json:"problem"`
	Hint    string `json:"hint"` // what to do
}

func (f Finding) String() string {
	if f.Member == "" {
		return f.Problem
	}
	return f.Member + ": " + f.Problem
}

const (
	mostWarnings = 20
	sayWhy       = "say why: people and programs read it on the Job"
)

// Inspect says what the reporter makes of a result file, and what its author
// may not have meant.
func Inspect(data []byte) Inspection {
	i := inspector{data: data, bom: len(data) - len(bytes.TrimPrefix(data, []byte(byteOrderMark)))}
	i.Warnings = []Finding{} // a list in JSON, even if it is empty
	result, err := Parse(data)
	i.Outcome = result.Outcome()
	if len(data) <= MaxFileSize {
		i.warnings()
	}
	if fault, ok := errors.AsType[*ParseError](err); ok {
		i.Outcome = InvalidFormat(err)
		f := i.finding(fault.Member, fault.Offset, fault.Problem, i.hint(fault))
		i.Fault = &f
	}
	return i.Inspection
}

// inspector goes through one file, member by member, and collects what there is to
// say of it, as far as it can be read. It is used once.
type inspector struct {
	Inspection
	data    []byte
	bom     int    // bytes of the byte order mark
	similar string // a member that may be meant as the status
}

// finding places a remark; an offset below 0 is no place.
func (i *inspector) finding(member string, offset int64, problem, hint string) Finding {
	f := Finding{Member: member, Problem: problem, Hint: hint}
	if offset >= 0 {
		before := bytes.TrimPrefix(i.data[:offset], []byte(byteOrderMark))
		f.Line = 1 + bytes.Count(before, []byte("\n"))
		f.Column = 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	}
	return f
}

func (i *inspector) warn(member string, offset int64, hint, problem string, args ...any) {
	if len(i.Warnings) < mostWarnings {
		i.Warnings = append(i.Warnings, i.finding(member, offset, fmt.Sprintf(problem, args...), hint))
	}
}

// warnings looks at every member, unless the file is no object.
func (i *inspector) warnings() {
	if i.bom > 0 {
		i.warn("", 0, "write UTF-8 without one", "a byte order mark; it is skipped")
	}
	seen := map[string]bool{}
	fault := walk(i.data[i.bom:], func(m member) *ParseError {
		m.at, m.valueAt = m.at+int64(i.bom), m.valueAt+int64(i.bom)
		seen[m.name] = true
		i.member(m)
		return nil
	})
	if fault == nil && !seen["reason"] {
		i.warn("reason", -1, sayWhy, "missing; the Job will say %q", DefaultReason)
	}
	if fault == nil && !seen["message"] {
		i.warn("message", -1, sayWhy, "missing; the Job will say %q", DefaultMessage)
	}
}

func (i *inspector) member(m member) {
	switch m.name {
	case "status":
	case "details":
		if n := len(Result{Details: m.value}.AnnotatedDetails()); n > MaxAnnotatedDetails {
			i.warn("details", m.valueAt, "shorten them, or keep them elsewhere; without DETAILS_ANNOTATION it does not matter",
				"%d bytes as one line; an annotation gets their size alone above %d", n, MaxAnnotatedDetails)
		}
	case "reason":
		i.text(m, MaxReasonLength, DefaultReason)
	case "message":
		i.text(m, MaxMessageLength, DefaultMessage)
	default:
		fix := `put what is for your own use under "details"`
		for _, known := range []string{"status", "reason", "message", "details"} {
			if strings.EqualFold(strings.TrimSpace(m.name), known) {
				fix = fmt.Sprintf("names are exact: did you mean %q?", known)
			}
		}
		if strings.EqualFold(strings.TrimSpace(m.name), "status") {
			i.similar = show(m.name)
		}
		i.warn(show(m.name), m.at, fix, "unknown member; it is ignored")
	}
}

// word is a reason as the Kubernetes API conventions have it.
var word = regexp.MustCompile(`^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$`)

// text warns of what the Job will not show as it is in the file.
func (i *inspector) text(m member, most int, fallback string) {
	var s *string
	if json.Unmarshal(m.value, &s) != nil {
		return // a fault, told as such
	}
	if s == nil {
		s = new(string)
	}
	characters := utf8.RuneCountInString
	shown := printable(*s)
	if n := characters(*s) - characters(shown); n > 0 {
		i.warn(m.name, m.valueAt, "leave them out", "control characters and bidirectional overrides are removed: %d", n)
	}
	if strings.ContainsRune(shown, utf8.RuneError) {
		i.warn(m.name, m.valueAt, "write UTF-8, and whole characters", "holds U+FFFD, which stands for bytes that are no character")
	}
	trimmed := strings.TrimSpace(shown)
	switch n := characters(trimmed); {
	case n == 0:
		i.warn(m.name, m.valueAt, sayWhy, "empty; the Job will say %q", fallback)
		return
	case n > most:
		i.warn(m.name, m.valueAt, `put the rest under "details"`, "%d characters; it is cut to %d", n, most)
	}
	if trimmed != shown {
		i.warn(m.name, m.valueAt, "leave it out", "white space around it is trimmed")
	}
	if m.name == "reason" && !word.MatchString(truncate(trimmed, most)) {
		i.warn(m.name, m.valueAt, `write one CamelCase word, such as "QuotaExceeded"; sentences go into "message"`, "not one word; programs match on it")
	}
}
