package contract

import (
	"bytes"
	"strings"
)

// hint says what to do about a fault.
func (i *inspector) hint(e *ParseError) string {
	if e.Offset < 0 && i.similar != "" {
		return "names are exact: write \"status\" for \"" + i.similar + "\""
	}
	rest := i.data[max(e.Offset, 0):]
	for _, m := range hints {
		if m.is(e, i.data, rest) {
			return m.hint
		}
	}
	for _, m := range syntaxHints {
		if strings.Contains(e.Problem, m.problem) && bytes.HasPrefix(rest, []byte(m.at)) {
			return m.hint
		}
	}
	return useLibrary
}

// hints are tried in order, on a fault, the file, and what it goes on with. What is
// none of these is a fault of the syntax.
var hints = []struct {
	is   func(e *ParseError, data, rest []byte) bool
	hint string
}{
	{problem("empty"), `write the result before the adapter exits: {"status": "success"} at least`},
	{problem("larger"), "shorten \"details\", or keep them elsewhere"},
	{problem("must be a JSON object"), `write an object: {"status": "success"} at least`},
	{problem("named twice"), "keep one of the two"},
	{func(e *ParseError, _, _ []byte) bool { return e.Offset < 0 }, `add "status": "success" or "status": "failure"`},
	{func(e *ParseError, _, _ []byte) bool { return e.Member == "status" },
		`write "success" or "failure", in lower case and nothing else; more can be said in "reason"`},
	{func(e *ParseError, _, rest []byte) bool { return e.Member != "" && (rest[0] == '{' || rest[0] == '[') },
		`write text; structured data goes into "details"`},
	{func(e *ParseError, _, _ []byte) bool { return e.Member != "" }, "put it in double quotes"},
	{func(_ *ParseError, data, _ []byte) bool { return isUTF16(data) }, "write the file in UTF-8; this looks like UTF-16"},
	{func(_ *ParseError, data, _ []byte) bool { return len(bytes.Trim(data, "\x00")) == 0 },
		"write the result again, and sync the file before it is renamed: " + nulBytes},
}

func problem(prefix string) func(e *ParseError, data, rest []byte) bool {
	return func(e *ParseError, _, _ []byte) bool { return strings.HasPrefix(e.Problem, prefix) }
}

// isUTF16 reports whether a file has its byte order mark, or an ASCII character in it.
func isUTF16(data []byte) bool {
	return bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) ||
		len(data) > 1 && (data[0] == 0) != (data[1] == 0)
}

const (
	nulBytes   = "they stand for what was not on the disk yet when a node crashed"
	useLibrary = "let a JSON library write the file"
	noNumber   = "JSON has no such number: write null, or text in double quotes"
	theWords   = "JSON's words are true, false and null, in lower case"
	noComments = "JSON has no comments: leave them out"
	atName     = "beginning of object key string"
	atValue    = "beginning of value"
	afterValue = "after object key:value pair"
)

// syntaxHints are tried in order: problem is part of encoding/json's text, at
// is what the file goes on with.
var syntaxHints = []struct{ problem, at, hint string }{
	{"unexpected end", "", "write all of the file: to a temporary file in the same directory, renamed when it is complete"},
	{"exceeded max depth", "", "nest less deeply: 10,000 levels at most"},
	{"after top-level value", "\x00", "leave the NUL bytes after it out; a string in C ends with one, and " + nulBytes},
	{"", "\x00", "leave the NUL bytes out; a file that was cut and written on begins with them, and " + nulBytes},
	{"after top-level value", "", "write one JSON object and nothing after it; in a shell > begins a file anew and >> appends; a file that is written in place must be truncated to its new length"},
	{"in string literal", "\n", `write a line break in a string as \n`},
	{"in string literal", "\r", `write a line break in a string as \n`},
	{"in string literal", "\t", `write a tab in a string as \t`},
	{"in string literal", "", "leave the control character out, or write it as \\u and four hexadecimal digits"},
	{"escape", "", `write a backslash as \\; the escapes are \" \\ \/ \b \f \n \r \t and \u with four hexadecimal digits`},
	{"", "/", noComments},
	{"", "#", noComments},
	{"", "'", `use " instead of '`},
	{"", "\u00a0", "replace the no-break space by a plain one"},
	{"", byteOrderMark, "leave the second byte order mark out"},
	{atName, "}", "remove the comma before it"},
	{atName, "", "put the member's name in double quotes"},
	{atValue, "]", "remove the comma before it"},
	{atValue, "}", "a value is missing before it"},
	{atValue, ",", "a value is missing before it"},
	{atValue, "NaN", noNumber},
	{atValue, "Inf", noNumber},
	{atValue, "inf", noNumber},
	{atValue, "True", theWords},
	{atValue, "False", theWords},
	{atValue, "None", theWords},
	{atValue, "\x1f\x8b", "this is compressed: write plain text"},
	{atValue, "", "put text in double quotes; the file begins with {"},
	{"in numeric literal", "I", noNumber},
	{"in numeric literal", "", "write the number as JSON does: digits before and after the point, no plus sign"},
	{"in literal", "", theWords},
	{afterValue, `"`, "put a comma before it"},
	{"after array element", "", "put a comma between two elements, and ] after the last"},
	{afterValue, "", "put a comma between two members, and } after the last; numbers have no leading zeros"},
	{"after object key", "", "put a colon between name and value"},
}
