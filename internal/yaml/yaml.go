// Package yaml prints values as kubectl does: the keys of the JSON form, sorted.
// It prints what conditions and Jobs hold and needs no YAML library for that;
// a key has at most 1024 characters.
package yaml

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// Marshal returns v, as encoding/json sees it, in YAML.
func Marshal(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	block(&b, tree, "")
	return bytes.TrimPrefix(b.Bytes(), []byte("\n")), nil
}

// block writes what follows a key, its line's end included.
func block(b *bytes.Buffer, v any, indent string) {
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 {
			b.WriteString(" {}\n")
			return
		}
		b.WriteByte('\n')
		entries(b, v, indent, indent)
	case []any:
		if len(v) == 0 {
			b.WriteString(" []\n")
			return
		}
		b.WriteByte('\n')
		for _, item := range v {
			b.WriteString(indent + "-")
			if m, ok := item.(map[string]any); ok && len(m) > 0 {
				entries(b, m, " ", indent+"  ")
			} else {
				block(b, item, indent+"  ")
			}
		}
	case string:
		b.WriteString(" " + text(v, indent) + "\n")
	case nil:
		b.WriteString(" null\n")
	default: // a json.Number or a bool
		fmt.Fprintf(b, " %v\n", v)
	}
}

// entries writes a map that is not empty; the first line has an indent of its own.
func entries(b *bytes.Buffer, m map[string]any, first, indent string) {
	for i, key := range slices.Sorted(maps.Keys(m)) {
		if i == 0 {
			b.WriteString(first)
		} else {
			b.WriteString(indent)
		}
		b.WriteString(text(key, "") + ":")
		below := indent + "  "
		if _, list := m[key].([]any); list {
			below = indent // kubectl does not indent lists
		}
		block(b, m[key], below)
	}
}

// text writes a string so that it reads back as that string, plain where it can.
func text(s, indent string) string {
	switch {
	case s == "" || resolves(s) || strings.ContainsFunc(s, special):
		return quoted(s)
	case strings.Contains(s, "\n"):
		if indent == "" || strings.HasPrefix(s, " ") || strings.HasPrefix(s, "\n") || strings.HasSuffix(s, "\n") {
			return quoted(s)
		}
		return "|-\n" + indent + strings.ReplaceAll(s, "\n", "\n"+indent)
	case strings.ContainsAny(s[:1], "-?:,[]{}#&*!|>'\"%@` ") || strings.HasSuffix(s, " ") || strings.HasSuffix(s, ":") ||
		strings.Contains(s, ": ") || strings.Contains(s, " #"):
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return s
}

// resolves reports whether some version of YAML would take s for something else than
// a string: a boolean, a number, a time. To quote too much does no harm.
func resolves(s string) bool {
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "y", "n", "null", "~", "<<", "=":
		return true
	}
	return notText().MatchString(s)
}

var notText = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[-+]?(0[xobXOB][0-9a-fA-F_]+|[0-9.][0-9_.:]*([eE][-+]?[0-9]+)?|\.(?i:inf|nan))$|^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt\s]|$)`)
})

func special(r rune) bool { return r != '\n' && !unicode.IsPrint(r) || r == unicode.ReplacementChar }

// quoted is JSON's quoting but for what is printable anyway; both are YAML.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08X`, r)
		default:
			b.WriteString(`\u` + strings.ToUpper(fmt.Sprintf("%04x", r)))
		}
	}
	b.WriteByte('"')
	return b.String()
}
