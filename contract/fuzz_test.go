package contract_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/openshift-hyperfleet/status-reporter/contract"
	"github.com/openshift-hyperfleet/status-reporter/testdata/suite"
)

// forbidden is what no condition may carry to a terminal.
var forbidden = regexp.MustCompile(`[\x00-\x08\x0b-\x1f\x7f-\x{9f}\x{202a}-\x{202e}\x{2066}-\x{2069}]`)

func FuzzParse(f *testing.F) {
	for _, c := range suite.Load(f) {
		if len(c.Input) < 64<<10 && c.Input != nil {
			f.Add(c.Input)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		result, err := contract.Parse(data)
		want, valid := oracle(data)
		if valid != (err == nil) {
			t.Fatalf("Parse says %v, the oracle says valid is %v", err, valid)
		}
		if err != nil {
			checkFault(t, data, err)
			return
		}
		if diff := cmp.Diff(want, result); diff != "" {
			t.Fatalf("result (-oracle +Parse):\n%s", diff)
		}
		printable(t, "reason", result.Reason, contract.MaxReasonLength)
		printable(t, "message", result.Message, contract.MaxMessageLength)
		checkStable(t, result)
	})
}

// checkFault: the error is for people and for editors.
func checkFault(t *testing.T, data []byte, err error) {
	t.Helper()
	var fault *contract.ParseError
	if !errors.As(err, &fault) {
		t.Fatalf("error is a %T", err)
	}
	if fault.Offset < -1 || fault.Offset > int64(len(data)) {
		t.Errorf("offset %d in a file of %d bytes", fault.Offset, len(data))
	}
	if n := utf8.RuneCountInString(fault.Error()); n > contract.MaxReasonLength+100 {
		t.Errorf("error of %d characters: %s", n, fault)
	}
	printable(t, "error", contract.InvalidFormat(err).Message, contract.MaxMessageLength)
}

// checkStable writes the result down and parses it again.
func checkStable(t *testing.T, result contract.Result) {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(result); err != nil {
		t.Fatal(err)
	}
	if b.Len() > contract.MaxFileSize {
		return // defaults and trimming may have made it longer
	}
	again, err := contract.Parse(b.Bytes())
	if err != nil {
		t.Fatalf("parsed again: %v", err)
	}
	result.Details, again.Details = compact(t, result.Details), compact(t, again.Details)
	if diff := cmp.Diff(result, again); diff != "" {
		t.Errorf("parsed again (-first +second):\n%s", diff)
	}
	if diff := cmp.Diff(result.Outcome(), again.Outcome()); diff != "" {
		t.Errorf("outcome (-first +second):\n%s", diff)
	}
}

func compact(t *testing.T, raw json.RawMessage) json.RawMessage {
	t.Helper()
	if raw == nil {
		return nil
	}
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// oracle reads a file the plain way: into a map, with the members counted
// beside it to find the doubled ones.
func oracle(data []byte) (contract.Result, bool) {
	if len(data) > 1048576 {
		return contract.Result{}, false
	}
	data = bytes.TrimPrefix(data, []byte(bom))
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil || members == nil || len(members) != countMembers(data) {
		return contract.Result{}, false
	}
	texts := map[string]string{}
	for _, name := range []string{"status", "reason", "message"} {
		var text *string
		if raw, ok := members[name]; ok && json.Unmarshal(raw, &text) != nil {
			return contract.Result{}, false
		}
		if text != nil {
			texts[name] = *text
		}
	}
	if s := texts["status"]; s != "success" && s != "failure" {
		return contract.Result{}, false
	}
	return contract.Result{
		Status:  contract.Status(texts["status"]),
		Reason:  shown(texts["reason"], 128, "NoReasonProvided"),
		Message: shown(texts["message"], 1024, "No message provided"),
		Details: members["details"],
	}, true
}

// countMembers counts the members of the object at the top of valid JSON.
func countMembers(data []byte) (n int) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber() // 1e9999 is JSON
	depth, tokens := 0, 0
	for {
		token, err := dec.Token()
		if err != nil {
			return tokens / 2
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			if depth == 1 {
				tokens++
			}
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		default:
			if depth == 1 {
				tokens++
			}
		}
	}
}

// shown is text as a condition shows it, the plain way: each invalid byte is
// one U+FFFD as a rune.
func shown(text string, limit int, fallback string) string {
	text = strings.TrimSpace(forbidden.ReplaceAllString(string([]rune(text)), ""))
	if runes := []rune(text); len(runes) > limit {
		text = strings.TrimSpace(string(runes[:limit]))
	}
	if text == "" {
		return fallback
	}
	return text
}

func FuzzOutcome(f *testing.F) {
	f.Add("success", "Ready", "All good")
	f.Add("failure", "\x1b[31m", strings.Repeat("é ", 1000))
	f.Add("", "\xff\u202e", "\u2066 \u0085\u00a0")
	f.Fuzz(func(t *testing.T, status, reason, message string) {
		got := contract.Result{Status: contract.Status(status), Reason: reason, Message: message}.Outcome()
		want := contract.Outcome{Status: "False", Reason: shown(reason, 128, "NoReasonProvided"), Message: shown(message, 1024, "No message provided")}
		if status == "success" {
			want.Status = "True"
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("outcome (-oracle +Outcome):\n%s", diff)
		}
		again := contract.Result{Status: contract.Status(status), Reason: got.Reason, Message: got.Message}.Outcome()
		if diff := cmp.Diff(got, again); diff != "" {
			t.Errorf("outcome of the outcome (-first +second):\n%s", diff)
		}
		failed := errors.New(message)
		for prefix, o := range map[string]contract.Outcome{
			"Adapter container was killed due to out of memory (OOMKilled)":    contract.OOMKilled(message),
			"Adapter container exited with code 7: Error":                      contract.ExitedWithError(7, "Error", message),
			"Adapter container exited with code 0 but wrote no result file at": contract.MissingResults(message),
			"Failed to parse adapter result:":                                  contract.InvalidFormat(failed),
			"Adapter did not produce results within 5m0s":                      contract.Timeout(5*time.Minute, message, ""),
			"Adapter did not produce results before the Job's deadline (":      contract.JobDeadline(message, reason),
			"Adapter was stopped before it produced results":                   contract.Interrupted(true, message, reason),
		} {
			printable(t, o.Reason, o.Message, contract.MaxMessageLength)
			if !strings.HasPrefix(o.Message, prefix) {
				t.Errorf("%s: message %q does not begin with %q", o.Reason, o.Message, prefix)
			}
		}
	})
}

// printable: valid, clean, trimmed, not empty and within the limit.
func printable(t *testing.T, what, text string, limit int) {
	t.Helper()
	switch n := utf8.RuneCountInString(text); {
	case !utf8.ValidString(text):
		t.Errorf("%s: not UTF-8: %q", what, text)
	case forbidden.MatchString(text):
		t.Errorf("%s: not clean: %q", what, text)
	case n > limit || n == 0:
		t.Errorf("%s: %d characters, limit %d", what, n, limit)
	case text != strings.TrimSpace(text):
		t.Errorf("%s: not trimmed: %q", what, text)
	}
}
