package sink

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestTerminationMessage(t *testing.T) {
	for _, tt := range []struct {
		name string
		made bool // by the kubelet
		sets []string
		want string
	}{
		{"set", true, []string{"a\n"}, "a\n"},
		{"replaced", true, []string{"a long one\n", "b\n"}, "b\n"},
		{"withdrawn", true, []string{"a\n", ""}, ""},
		{"set again", true, []string{"a\n", "", "b\n"}, "b\n"},
		{"not in a container", false, []string{"a\n"}, ""},
	} {
		for _, slowly := range []bool{true, false} {
			t.Run(tt.name, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "termination-log")
				if tt.made {
					if err := os.WriteFile(path, []byte("what was there before, and is longer"), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				m := NewTerminationMessage(path)
				for _, line := range tt.sets {
					m.Set([]byte(line))
					if slowly {
						Flush(time.Minute, m)
					}
				}
				Flush(time.Minute, m)
				got, err := os.ReadFile(path)
				if tt.made != (err == nil) {
					t.Errorf("there: %v", err)
				}
				if diff := cmp.Diff(tt.want, string(got)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestTerminationLine(t *testing.T) {
	long := func(s string) string { return strings.Repeat(s, 5000) }
	for _, tt := range []struct {
		name string
		args []any
		want map[string]int // how many bytes at least are left of what; the rest is whole
	}{
		{"short", []any{"job", "a", "message", "b"}, nil},
		{"a long message", []any{"job", "a", "reason", "r", "message", long("x")}, map[string]int{"message": 3900}},
		{"of two bytes a character", []any{"message", long("ä")}, map[string]int{"message": 3900}},
		{"of four", []any{"message", long("😀")}, map[string]int{"message": 3900}},
		{"that is quoted", []any{"message", long(`"`)}, map[string]int{"message": 1900}},
		{"of control characters", []any{"message", long("\x00")}, map[string]int{"message": 600}},
		{"an error", []any{"job", "a", "error", errors.New(long("x"))}, map[string]int{"error": 3900}},
		{"both", []any{"message", long("x"), "error", errors.New(long("y")), "adapterRestarts", 3}, map[string]int{"message": 1900, "error": 1900}},
		{"a short message and a long error", []any{"message", "short", "error", errors.New(long("y"))}, map[string]int{"error": 3900}},
		{"a long name", []any{"job", long("x"), "message", "m", "adapterRestarts", 3}, map[string]int{"job": 3900}},
		{"a long name and a long message", []any{"job", long("x"), "message", long("y")}, map[string]int{"job": 1900, "message": 1900}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			line := TerminationLine(slog.LevelWarn, "said", tt.args...)
			got := parse(t, line)
			if got["level"] != "WARN" || got["msg"] != "said" || got["time"] == nil {
				t.Errorf("line: %s", line)
			}
			for i := 0; i < len(tt.args); i += 2 {
				key := tt.args[i].(string)
				least, cut := tt.want[key]
				whole := text(tt.args[i+1])
				switch is := text(got[key]); {
				case !strings.HasPrefix(whole, is) || cut && len(is) < least || !cut && is != whole:
					t.Errorf("%s is %d bytes of %d: %.100s", key, len(is), len(whole), is)
				}
			}
		})
	}
	t.Run("too many attributes", func(t *testing.T) {
		var args []any
		for range 1000 {
			args = append(args, "number", 1)
		}
		if got := parse(t, TerminationLine(slog.LevelInfo, long("€"), args...)); len(got) != 3 || !strings.HasPrefix(long("€"), got["msg"].(string)) || got["msg"] == "" {
			t.Errorf("%v", got)
		}
	})
}

func TestBoundary(t *testing.T) {
	for _, s := range []string{
		"", "abc", "aä€😀z", "\x80\x80\x80\x80\x80\x80", "€\x80\x80\x80\x80", "😀\x80\x80\x80\x80", "ä\x80\x80\x80\x80",
		"\xf0\x9f\x98", "\xf0\x9f\x98a", "\xe2\x82€", "\xf0\xe2\x82\xac", "\xff\xfe\xff\xfe\xff",
	} {
		ends := 0 // the last character's end up to n, as range over a string has it
		for n := range len(s) + 3 {
			for i := range s {
				if i <= n {
					ends = i
				}
			}
			if n >= len(s) {
				ends = len(s)
			}
			if got := boundary(s, n); got != ends {
				t.Errorf("%q: at most %d: %d, want %d", s, n, got, ends)
			}
		}
	}
}

// text is a value as a line has it, of the types in this file.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case error:
		return v.Error()
	}
	b, _ := json.Marshal(v)
	return string(b)
}

func parse(t *testing.T, line []byte) map[string]any {
	t.Helper()
	if len(line) > maxTerminationMessage || !utf8.Valid(line) || bytes.Count(line, []byte("\n")) != 1 || line[len(line)-1] != '\n' {
		t.Errorf("%d bytes, no line of at most %d in UTF-8: %q", len(line), maxTerminationMessage, line)
	}
	var m map[string]any
	if err := json.Unmarshal(line, &m); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	return m
}

func FuzzTerminationLine(f *testing.F) {
	f.Add("reported", "adapter-job", "all is well", "", uint16(1))
	f.Add("not reported", "adapter-job", "\xff\xe2\x82", "€\u2028\x00\"\\", uint16(2000))
	f.Add("reported", "\xf0\x9f\x98", "😀", "\x80\x80\x80\x80\x80", uint16(1500))
	f.Add("reported", "adapter-job", "€\x80\x80\x80\x80", "😀\x80\x80\x80", uint16(999))
	f.Fuzz(func(t *testing.T, msg, job, message, err string, times uint16) {
		n := min(int(times)%3000, 50000/(len(message)+len(err)+1)) + 1 // long enough, and quick
		message, err = strings.Repeat(message, n), strings.Repeat(err, n)
		got := parse(t, TerminationLine(slog.LevelError, msg, "job", job, "message", message, "error", errors.New(err)))
		for key, whole := range map[string]string{"msg": msg, "job": job, "message": message, "error": err} {
			is, there := got[key].(string)
			if !there && len(msg) < 100 {
				t.Errorf("%s is left out", key)
			}
			if !strings.HasPrefix(string([]rune(whole)), is) {
				t.Errorf("%s is no beginning: %q of %q", key, is, whole)
			}
		}
	})
}
