package contract_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/testdata/suite"
)

// show is a finding as one line.
func show(f contract.Finding) string {
	place := ""
	if f.Line > 0 {
		place = fmt.Sprintf("%d:%d ", f.Line, f.Column)
	}
	return place + f.String() + " => " + f.Hint
}

func TestInspectWarnings(t *testing.T) {
	const sayWhy = " => say why: people and programs read it on the Job"
	for _, tt := range []struct {
		name, input string
		want        []string
	}{
		{"nothing to say", `{"status":"success","reason":"Done","message":"All is well","details":{"Status":1}}`, nil},
		{"byte order mark", bom + `{"status":"success","reason":" Done","message":"é"}`, []string{
			"1:1 a byte order mark; it is skipped => write UTF-8 without one",
			"1:30 reason: white space around it is trimmed => leave it out"}},
		{"nothing said", `{"status":"success"}`, []string{
			`reason: missing; the Job will say "NoReasonProvided"` + sayWhy,
			`message: missing; the Job will say "No message provided"` + sayWhy}},
		{"nothing said in many words", "{\"status\":\"success\",\n\"reason\":null,\r\n  \"message\" : \"\\u0001 \"}", []string{
			`2:10 reason: empty; the Job will say "NoReasonProvided"` + sayWhy,
			"3:15 message: control characters and bidirectional overrides are removed: 1 => leave them out",
			`3:15 message: empty; the Job will say "No message provided"` + sayWhy}},
		{"unknown members", `{"é":0,"Status":1,"status":"success","code":3," MESSAGE":"m","message":"m","reason":"R"}`, []string{
			`1:2 é: unknown member; it is ignored => put what is for your own use under "details"`,
			`1:8 Status: unknown member; it is ignored => names are exact: did you mean "status"?`,
			`1:38 code: unknown member; it is ignored => put what is for your own use under "details"`,
			`1:47 MESSAGE: unknown member; it is ignored => names are exact: did you mean "message"?`}},
		{"too long", `{"status":"success","reason":"` + strings.Repeat("é", 129) + `","message":"` + strings.Repeat("m", 1025) + `"}`, []string{
			`1:30 reason: 129 characters; it is cut to 128 => put the rest under "details"`,
			`1:30 reason: not one word; programs match on it => write one CamelCase word, such as "QuotaExceeded"; sentences go into "message"`,
			`1:172 message: 1025 characters; it is cut to 1024 => put the rest under "details"`}},
		{"just long enough", `{"status":"success","reason":"` + strings.Repeat("r", 128) + `","message":"` + strings.Repeat("é", 1024) + `"}`, nil},
		{"not clean", "{\"status\":\"success\",\"reason\":\"R\",\"message\":\"\\u001b[31mred\\r\\n\\u202eder \xff\"}", []string{
			"1:44 message: control characters and bidirectional overrides are removed: 3 => leave them out",
			"1:44 message: holds U+FFFD, which stands for bytes that are no character => write UTF-8, and whole characters"}},
		{"details that no annotation takes", `{"status":"success","reason":"R","message":"m","details":{"a": "` + strings.Repeat("é", 8189) + `"}}`, []string{
			`1:58 details: 16386 bytes as one line; an annotation gets their size alone above 16384 => shorten them, or keep them elsewhere; without DETAILS_ANNOTATION it does not matter`}},
		{"details that are escaped for it", `{"status":"success","reason":"R","message":"m","details":"` + strings.Repeat("\u202e", 2800) + `"}`, []string{
			`1:58 details: 16802 bytes as one line; an annotation gets their size alone above 16384 => shorten them, or keep them elsewhere; without DETAILS_ANNOTATION it does not matter`}},
		{"details that it just takes", `{"status":"success","reason":"R","message":"m","details":{"a" : "` + strings.Repeat("é", 8188) + `"} }`, nil},
		{"the first twenty", manyMembers(100), manyWarnings(20)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i := contract.Inspect([]byte(tt.input))
			if i.Fault != nil {
				t.Fatalf("fault: %s", show(*i.Fault))
			}
			var got []string
			for _, w := range i.Warnings {
				got = append(got, show(w))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

func manyMembers(n int) string {
	b := []byte(`{"status":"success"`)
	for i := range n {
		b = fmt.Appendf(b, ",\n\"n%d\":0", i)
	}
	return string(b) + "}"
}

func manyWarnings(n int) (warnings []string) {
	for i := range n {
		warnings = append(warnings, fmt.Sprintf(`%d:1 n%d: unknown member; it is ignored => put what is for your own use under "details"`, i+2, i))
	}
	return warnings
}

// TestInspectFaults has for each hint the file that needs it, the place of the
// fault marked: » is not part of the file.
func TestInspectFaults(t *testing.T) {
	for _, tt := range []struct{ input, hint string }{
		{`»`, "write the result before the adapter exits"},
		{`»[]`, "write an object"},
		{"{\"a\":1,\n  »\"a\":2}", "keep one of the two"},
		{"{\n  \"é\": \"é\", »\"é\":2}", "keep one of the two"},
		{`{}`, `add "status": "success" or "status": "failure"`},
		{`{"Status":"success"}`, `names are exact: write "status" for "Status"`},
		{`{" status":"success"}`, `names are exact: write "status" for "status"`},
		{`{"status":»"Success"}`, `write "success" or "failure", in lower case`},
		{`{"status":»true}`, `write "success" or "failure", in lower case`},
		{`{"status":"success","reason":»{}}`, `write text; structured data goes into "details"`},
		{`{"status":"success","message":»[1]}`, `write text; structured data goes into "details"`},
		{`{"status":"success","message":»1}`, "put it in double quotes"},
		{"»\xff\xfe{\x00", "write the file in UTF-8"},
		{"{»\x00\"\x00", "write the file in UTF-8"},
		{"»\x00\x00{}", "leave the NUL bytes out; a file that was cut"},
		{`{"status":"succ` + "»\x00\x00", "leave the NUL bytes out"},
		{`{"status":"success"}` + "»\x00", "leave the NUL bytes after it out; a string in C"},
		{`{"status":"success"}` + "\n»\x00\x00\n", "leave the NUL bytes after it out"},
		{"»\x00\x00\x00", "write the result again, and sync the file"},
		{`{"status":"success"}»ure"}`, "write one JSON object and nothing after it; in a shell > begins a file anew and >> appends; a file that is written in place must be truncated"},
		{`{"status":"success"»`, "write all of the file"},
		{strings.Repeat("[", 10000) + "»[", "nest less deeply"},
		{`{"status":"success"}` + "\n»{}", "write one JSON object and nothing after it"},
		{`{"status":"success","message":"a` + "»\n" + `b"}`, `write a line break in a string as \n`},
		{`{"status":"success","message":"a` + "»\r\n" + `b"}`, `write a line break in a string as \n`},
		{`{"status":"success","message":"a` + "»\t" + `b"}`, `write a tab in a string as \t`},
		{`{"status":"success","message":"a` + "»\x1b" + `b"}`, "leave the control character out"},
		{`{"status":"success","message":"a\»xb"}`, `write a backslash as \\`},
		{`{"status":"success","message":"a\u00»g0"}`, `write a backslash as \\`},
		{`{»// a comment`, "JSON has no comments"},
		{`{"status":"success", »# a comment`, "JSON has no comments"},
		{`{»'status'`, `use " instead of '`},
		{"{»\u00a0}", "replace the no-break space"},
		{bom + "»" + bom + "{}", "leave the second byte order mark out"},
		{`{"status":"success",»}`, "remove the comma before it"},
		{`{»status:1}`, "put the member's name in double quotes"},
		{`{"details":[1,»]}`, "remove the comma before it"},
		{`{"details":»}`, "a value is missing before it"},
		{`{"details":»,"a":1}`, "a value is missing before it"},
		{`{"details":»NaN}`, "JSON has no such number"},
		{`{"details":»Infinity}`, "JSON has no such number"},
		{`{"details":»inf}`, "JSON has no such number"},
		{`{"details":-»Infinity}`, "JSON has no such number"},
		{`{"details":»True}`, "JSON's words are true, false and null"},
		{`{"details":»False}`, "JSON's words are true, false and null"},
		{`{"details":»None}`, "JSON's words are true, false and null"},
		{`{"details":n»ill}`, "JSON's words are true, false and null"},
		{"»\x1f\x8b\b", "this is compressed"},
		{`»status: success`, "put text in double quotes; the file begins with {"},
		{`{"details":-»x}`, "write the number as JSON does"},
		{`{"status":"success" »"reason":"R"}`, "put a comma before it"},
		{`{"details":[1 »2]}`, "put a comma between two elements"},
		{`{"details":0»1}`, "put a comma between two members"},
		{`{"details" »1}`, "put a colon between name and value"},
	} {
		before, after, marked := strings.Cut(tt.input, "»")
		i := contract.Inspect([]byte(before + after))
		if i.Fault == nil {
			t.Errorf("%.60q: no fault", tt.input)
			continue
		}
		line, column := 0, 0
		if marked {
			line = 1 + strings.Count(before, "\n")
			runes := []rune(strings.TrimPrefix(before[strings.LastIndex(before, "\n")+1:], bom))
			column = 1 + len(runes)
		}
		if i.Fault.Line != line || i.Fault.Column != column || !strings.HasPrefix(i.Fault.Hint, tt.hint) {
			t.Errorf("%.60q: %s; want %d:%d => %s", tt.input, show(*i.Fault), line, column, tt.hint)
		}
	}
	large := contract.Inspect([]byte(strings.Repeat("\n", contract.MaxFileSize) + "{}"))
	if f := large.Fault; f == nil || f.Line != contract.MaxFileSize+1 || f.Column != 1 || !strings.HasPrefix(f.Hint, `shorten "details"`) {
		t.Errorf("a large file: %+v", f)
	}
}

const useLibrary = "let a JSON library write the file"

// TestInspectGolden: the outcome is Parse's, a fault has a place where Parse
// knows one, and every fault has a hint of its own.
func TestInspectGolden(t *testing.T) {
	for _, c := range suite.Load(t, suite.Contract) {
		i := contract.Inspect(c.Input)
		o := suite.Condition{Type: c.Condition.Type, Status: string(i.Outcome.Status), Reason: i.Outcome.Reason, Message: i.Outcome.Message}
		if diff := cmp.Diff(c.Condition, o); diff != "" {
			t.Errorf("%s: outcome (-want +got):\n%s", c, diff)
		}
		invalid := c.Condition.Reason == contract.ReasonInvalidResultFormat
		if invalid != (i.Fault != nil) {
			t.Errorf("%s: fault %v", c, i.Fault)
		}
		if i.Fault == nil {
			continue
		}
		if missing := i.Fault.Member == "status" && !strings.Contains(string(c.Input), `"status"`); missing == (i.Fault.Line > 0) {
			t.Errorf("%s: at line %d, column %d", c, i.Fault.Line, i.Fault.Column)
		}
		if i.Fault.Hint == "" || i.Fault.Hint == useLibrary {
			t.Errorf("%s: no hint for %s", c, show(*i.Fault))
		}
	}
}
