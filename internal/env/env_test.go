package env

import (
	"strings"
	"testing"
)

func TestGet(t *testing.T) {
	for value, want := range map[string]string{
		"": "fallback", " \r\n": "fallback", "\ufeff": "fallback", "a": "a", " a b\n": "a b", "\ufeffa\u00a0": "a",
	} {
		got := Get(func(name string) string {
			if name != "NAME" {
				t.Errorf("%s was read", name)
			}
			return value
		}, "NAME", "fallback")
		if got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}

func TestShorten(t *testing.T) {
	for value, want := range map[string]string{
		"short": "short", strings.Repeat("x", 64): strings.Repeat("x", 64),
		strings.Repeat("x", 65): strings.Repeat("x", 64) + "…", strings.Repeat("x", 63) + "é": strings.Repeat("x", 63) + "…",
	} {
		if got := Shorten(value); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}
