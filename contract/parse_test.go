package contract_test

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

const bom = "\xef\xbb\xbf"

func TestParse(t *testing.T) {
	defaults := contract.Result{Status: contract.Success, Reason: contract.DefaultReason, Message: contract.DefaultMessage}
	with := func(change func(*contract.Result)) contract.Result {
		r := defaults
		change(&r)
		return r
	}
	for _, tt := range []struct {
		name, input string
		want        contract.Result
	}{
		{"status alone", `{"status":"success"}`, defaults},
		{"all members", `{"status":"failure","reason":" Quota\n","message":"\tnone left ","details":[1, {"a" : 2}]}`,
			contract.Result{Status: contract.Failure, Reason: "Quota", Message: "none left", Details: []byte(`[1, {"a" : 2}]`)}},
		{"details null", `{"status":"success","details":null}`, with(func(r *contract.Result) { r.Details = []byte("null") })},
		{"details a number at the end", "{\"status\":\"success\",\"details\": -1.5e3\n}", with(func(r *contract.Result) { r.Details = []byte("-1.5e3") })},
		{"null reason and message", `{"status":"success","reason":null,"message":null}`, defaults},
		{"behind a byte order mark", bom + " \r\n\t{\"status\":\"success\"}\n", defaults},
		{"names are exact", `{"Status":1,"REASON":"no","Message":{},"DETAILS":0,"status":"success"}`, defaults},
		{"the largest file", `{"status":"success"}` + strings.Repeat(" ", contract.MaxFileSize-20), defaults},
		{"the deepest file", `{"status":"success","details":` + nested(9999) + `}`, with(func(r *contract.Result) { r.Details = []byte(nested(9999)) })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			input := []byte(tt.input)
			got, err := contract.Parse(input)
			if err != nil {
				t.Fatal(err)
			}
			clear(input) // the result must not share the caller's memory
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
		})
	}
}

// TestParseErrors has the place of each fault marked in its input: » is not
// part of the file.
func TestParseErrors(t *testing.T) {
	const badStatus = "must be either 'success' or 'failure'"
	for _, tt := range []struct {
		input, member, problem string
	}{
		{`»`, "", "empty"},
		{bom + `»`, "", "empty"},
		{`{"status":»`, "", "not valid JSON: unexpected end"},
		{`{"status":"success","details":tr»`, "", "not valid JSON: unexpected end"},
		{`{"status":"success","details":t»x}`, "", "not valid JSON: invalid character 'x' in literal true (expecting 'r')"},
		{`{"status":"success","details":tr» `, "", "not valid JSON: invalid character ' ' in literal true (expecting 'u')"},
		{"{\n  »'status'", "", `not valid JSON: invalid character '\'' looking for beginning of object key string`},
		{`{"status":"success"} »x`, "", "not valid JSON: invalid character 'x' after top-level value"},
		{bom + `{"status":"success"»]`, "", "not valid JSON: invalid character ']' after object key:value pair"},
		{`{"status":"success","details":` + strings.Repeat("[", 9999) + `»[`, "", "not valid JSON: invalid character '[' exceeded max depth"},
		{"\n »[]", "", "must be a JSON object, not an array"},
		{`»"success"`, "", "must be a JSON object, not a string"},
		{`»12`, "", "must be a JSON object, not a number"},
		{`»false`, "", "must be a JSON object, not a boolean"},
		{bom + "\n»null", "", "must be a JSON object, not null"},
		{`{}`, "status", badStatus},
		{bom + `{"Status":"success"}`, "status", badStatus},
		{`{"status" : »null}`, "status", badStatus},
		{bom + `{"status":»"done"}`, "status", badStatus},
		{"{\"status\":\n  »{\"a\": 1} }", "status", "must be a string, not an object"},
		{`{"status":"success","reason":»[]}`, "reason", "must be a string, not an array"},
		{`{"status":"success","reason": »12 }`, "reason", "must be a string, not a number"},
		{`{"status":"success","message": »true,"x":1}`, "message", "must be a string, not a boolean"},
		{"{\"status\":\"success\" , »\"status\" : \"success\"}", "status", "named twice"},
		{`{"status":"success","code":1,` + "\n\t" + `»"c\u006fde":2}`, "code", "named twice"},
		{`{"":1,»"":2}`, `""`, "named twice"},
		{`{"\u001b\u202e":1,»"\u001b\u202e":2}`, `""`, "named twice"},
		{`{"` + strings.Repeat("é", 200) + `":1,»"` + strings.Repeat("é", 200) + `":2}`, strings.Repeat("é", 128), "named twice"},
		// Of two faults the first in the file is told, and syntax before all.
		{`{"status":»1,"reason":2}`, "status", "must be a string, not a number"},
		{`{"a":1,»"a":2,"status":1}`, "a", "named twice"},
		{`{"status":1,»}`, "", "not valid JSON: invalid character '}' looking for beginning of object key string"},
	} {
		before, after, marked := strings.Cut(tt.input, "»")
		want := contract.ParseError{Member: tt.member, Offset: int64(len(before)), Problem: tt.problem}
		if !marked {
			want.Offset = -1
		}
		checkError(t, []byte(before+after), want)
	}
	checkError(t, bytes.Repeat([]byte("x"), contract.MaxFileSize+1),
		contract.ParseError{Offset: contract.MaxFileSize, Problem: "larger than 1048576 bytes"})
}

func checkError(t *testing.T, input []byte, want contract.ParseError) {
	t.Helper()
	result, err := contract.Parse(input)
	if err == nil {
		t.Errorf("%.60q: no error", input)
		return
	}
	if diff := cmp.Diff(contract.Result{}, result); diff != "" {
		t.Errorf("%.60q: a result beside the error (-want +got):\n%s", input, diff)
	}
	var got *contract.ParseError
	if !errors.As(err, &got) {
		t.Errorf("%.60q: error is a %T", input, err)
		return
	}
	if diff := cmp.Diff(want, *got); diff != "" {
		t.Errorf("%.60q: error (-want +got):\n%s", input, diff)
	}
	text := want.Problem
	if want.Member != "" {
		text = want.Member + ": " + want.Problem
	}
	if err.Error() != text {
		t.Errorf("%.60q: text %q, want %q", input, err.Error(), text)
	}
}

// TestParseMemory has the file that costs most: as many members as a mebibyte
// holds, no two of one name. The reporter's container has 32 MiB in all.
func TestParseMemory(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(`{"status":"success"`)
	for i := 0; b.Len() < contract.MaxFileSize-20; i++ {
		fmt.Fprintf(&b, `,"%x":0`, i)
	}
	b.WriteString("}")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := contract.Parse(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 48<<20 {
		t.Errorf("Parse allocated %d bytes", n)
	}
}

func nested(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
