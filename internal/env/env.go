// Package env has how settings are read from the environment, and from flags
// that stand for them.
package env

import (
	"cmp"
	"strings"
	"unicode"
)

// Get leaves out the white space around a variable's value: what comes from a
// Secret or a ConfigMap often ends in a line break. A variable that is set to
// nothing else counts as not set.
func Get(getenv func(string) string, name, fallback string) string {
	return cmp.Or(Trim(getenv(name)), fallback)
}

// Trim takes a byte order mark for white space, which it once was: editors put
// it at the beginning of files.
func Trim(v string) string {
	return strings.TrimFunc(v, func(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' })
}

// Shorten keeps a wrong value from filling a message: it is cut to 64 bytes.
func Shorten(v string) string {
	const most = 64
	if len(v) > most {
		return strings.ToValidUTF8(v[:most], "") + "…"
	}
	return v
}
