package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ParseError tells what is wrong with a result file. Its text never holds more
// of the file than one character or one member's name.
type ParseError struct {
	Member  string // the top-level member at fault; empty where it is the file as a whole
	Offset  int64  // bytes before the fault; -1 where there is no one place, as for a missing member
	Problem string // what is wrong
}

func (e *ParseError) Error() string {
	if e.Member == "" {
		return e.Problem
	}
	return e.Member + ": " + e.Problem
}

const badStatus = "must be either 'success' or 'failure'"

const (
	byteOrderMark = "\xef\xbb\xbf"
	jsonSpace     = " \t\r\n"
)

// Parse reads a result file. Reason and Message come back as the Job will show
// them: control characters removed, trimmed, cut, defaults filled in. Member
// names are exact; unknown members are ignored; a member named twice, a wrong
// type, a second document or anything but an object is an error, always a
// [*ParseError]. Of several faults it tells the first, a fault of syntax before
// all others.
func Parse(data []byte) (Result, error) {
	if len(data) > MaxFileSize {
		return Result{}, TooLarge()
	}
	doc := bytes.TrimPrefix(data, []byte(byteOrderMark))
	var r Result
	if err := r.read(doc); err != nil {
		if err.Offset >= 0 {
			err.Offset += int64(len(data) - len(doc))
		}
		return Result{}, err
	}
	return r.normalized(), nil
}

// TooLarge is the error for a file of more than MaxFileSize bytes.
func TooLarge() *ParseError {
	return &ParseError{Offset: MaxFileSize, Problem: fmt.Sprintf("larger than %d bytes", MaxFileSize)}
}

// read takes over the top-level object.
func (r *Result) read(doc []byte) *ParseError {
	seen := map[string]bool{}
	err := walk(doc, func(m member) *ParseError {
		if seen[m.name] {
			return &ParseError{Member: show(m.name), Offset: m.at, Problem: "named twice"}
		}
		seen[m.name] = true
		if problem := r.set(m.name, m.value); problem != "" {
			return &ParseError{Member: m.name, Offset: m.valueAt, Problem: problem}
		}
		return nil
	})
	if err == nil && r.Status == "" {
		err = &ParseError{Member: "status", Offset: -1, Problem: badStatus}
	}
	return err
}

// member is one of the top-level object's.
type member struct {
	name        string
	value       json.RawMessage
	at, valueAt int64 // bytes before name and value
}

// walk takes the top-level object apart, in the order of the file, until visit
// returns an error. encoding/json's own decoding into a struct would match
// names in any case and let the last of two members win.
func walk(doc []byte, visit func(member) *ParseError) *ParseError {
	start := skipped(doc, jsonSpace)
	if start == int64(len(doc)) {
		return &ParseError{Problem: "empty"}
	}
	// The first pass finds every fault of syntax, text after the object included.
	if err := json.Unmarshal(doc, new(json.RawMessage)); err != nil {
		return syntaxError(doc, err)
	}
	if doc[start] != '{' {
		return &ParseError{Offset: start, Problem: "must be a JSON object, not " + kind(doc[start:])}
	}
	dec := json.NewDecoder(bytes.NewReader(doc))
	if _, err := dec.Token(); err != nil { // the brace
		return syntaxError(doc, err)
	}
	for dec.More() {
		m := member{at: dec.InputOffset()}
		m.at += skipped(doc[m.at:], ","+jsonSpace)
		token, err := dec.Token()
		if err == nil {
			err = dec.Decode(&m.value)
		}
		if err != nil {
			return syntaxError(doc, err)
		}
		m.name, _ = token.(string)
		m.valueAt = dec.InputOffset() - int64(len(m.value))
		if err := visit(m); err != nil {
			return err
		}
	}
	return nil
}

// set takes over one member, or tells what is wrong with it. Unknown ones are
// ignored.
func (r *Result) set(name string, value json.RawMessage) (problem string) {
	var text *string
	switch name {
	case "details":
		r.Details = value
		return ""
	case "status":
		text = (*string)(&r.Status)
	case "reason":
		text = &r.Reason
	case "message":
		text = &r.Message
	default:
		return ""
	}
	if k := kind(value); k != "a string" && k != "null" {
		return "must be a string, not " + k
	}
	if err := json.Unmarshal(value, text); err != nil { // null leaves it empty
		return err.Error()
	}
	if name == "status" && r.Status != Success && r.Status != Failure {
		return badStatus
	}
	return ""
}

// kind names the type of a valid JSON value.
func kind(value []byte) string {
	switch value[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// skipped counts the bytes of set that data begins with.
func skipped(data []byte, set string) int64 {
	return int64(len(data) - len(bytes.TrimLeft(data, set)))
}

// show keeps a name from the file short: it lands in a condition.
func show(name string) string {
	if name = truncate(clean(name), MaxReasonLength); name == "" {
		return `""`
	}
	return name
}

// syntaxError tells of the fault that encoding/json found in doc.
func syntaxError(doc []byte, err error) *ParseError {
	// Of text that ends too early Unmarshal may blame a space that is not there.
	again := json.NewDecoder(bytes.NewReader(doc)).Decode(new(json.RawMessage))
	if errors.Is(again, io.ErrUnexpectedEOF) {
		return &ParseError{Offset: int64(len(doc)), Problem: "not valid JSON: unexpected end"}
	}
	e := &ParseError{Problem: "not valid JSON: " + err.Error()}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		e.Offset = syntax.Offset - 1 // it counts the character at fault as well
	}
	return e
}
