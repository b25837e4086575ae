package contract_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshift-hyperfleet/status-reporter/contract"
)

func TestAnnotatedDetails(t *testing.T) {
	for _, tt := range []struct{ name, details, want string }{
		{"none", "", ""},
		{"null", " null\n", ""},
		{"false is something", "false", "false"},
		{"empty is something", ` {} `, "{}"},
		{"no JSON", `{"a":`, ""},
		{"one line, in the adapter's order", "{\n\t\"z\": [1, 2.50],\r\n  \"a\" : \"b c\"\n}", `{"z":[1,2.50],"a":"b c"}`},
		{"numbers as they are", `[1e400,12345678901234567890,-0.0]`, `[1e400,12345678901234567890,-0.0]`},
		{"a member named twice", `{"a":1,"a":2}`, `{"a":1,"a":2}`},
		{"no HTML escapes", `"<a> & é 漢 😀"`, `"<a> & é 漢 😀"`},
		{"escapes of the adapter's", `"\u001b[31m\n\ud800"`, `"\u001b[31m\n\ud800"`},
		{"DEL and C1", "\"\x7f\u0080\u009b31m\u009f\"", `"\u007f\u0080\u009b31m\u009f"`},
		{"bidirectional", "\"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\"",
			`"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"`},
		{"in a member's name", "{\"\u202ea\":1}", `{"\u202ea":1}`},
		{"separators, a byte order mark, a tag", "\"\u2028\u2029\ufeff\U000e0041\"", `"\u2028\u2029\ufeff\udb40\udc41"`},
		{"invalid UTF-8", "\"a\xff\xc3\"", "\"a\ufffd\ufffd\""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := contract.Result{Details: json.RawMessage(tt.details)}
			if got := string(r.AnnotatedDetails()); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// FuzzAnnotatedDetails: one line, nothing that steers a terminal, and the same value.
func FuzzAnnotatedDetails(f *testing.F) {
	for _, seed := range []string{`{"a": [1, "\u202e"]}`, "\"\u202e\x7f\u2028\"", "\"\xff\"", " null ", "[[]]", "1E1000"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, details []byte) {
		got := contract.Result{Details: details}.AnnotatedDetails()
		want, err := value(details)
		if err != nil || want == nil {
			if got != nil {
				t.Errorf("%q of %q, which is nothing", got, details)
			}
			return
		}
		same, err := value(got)
		if err != nil {
			t.Fatalf("%q of %q: %v", got, details, err)
		}
		if diff := cmp.Diff(want, same); diff != "" {
			t.Errorf("%q of %q (-want +got):\n%s", got, details, diff)
		}
		if i := strings.IndexFunc(string(got), steers); i >= 0 {
			t.Errorf("%q of %q: at %d", got, details, i)
		}
	})
}

// value is what a JSON text stands for. Its numbers are as they are written, since
// one that no float64 holds, as 1E1000, is JSON all the same.
func value(data []byte) (v any, err error) {
	if !json.Valid(data) {
		return nil, errors.New("no JSON")
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	err = decoder.Decode(&v)
	return v, err
}

// steers reports whether a character is one that a terminal obeys, or that reorders
// or breaks a line.
func steers(r rune) bool {
	switch {
	case r < 0x20, 0x7f <= r && r <= 0x9f, r == 0x61c, r == 0x200e, r == 0x200f:
		return true
	}
	return 0x2028 <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069
}
