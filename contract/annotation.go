package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxAnnotatedDetails is how many bytes of Details go into an annotation of the
// Job, as [Result.AnnotatedDetails] has them. All annotations of an object together
// hold 256 KiB, and each client that watches Jobs gets them with every change.
const MaxAnnotatedDetails = 16 << 10

// AnnotatedDetails is Details for an annotation: one line of compact JSON, its
// members in the adapter's order, that is safe to print. What steers a terminal or
// hides in text (control characters, bidirectional ones among the format characters,
// line and paragraph separators) is escaped as JSON has it, so that the value stays
// the same; invalid UTF-8 becomes U+FFFD. It is nil where there are no details, null
// included.
func (r Result) AnnotatedDetails() json.RawMessage {
	var line bytes.Buffer
	if len(r.Details) == 0 || json.Compact(&line, r.Details) != nil || line.String() == "null" {
		return nil
	}
	return escaped(line.Bytes())
}

// escaped is valid JSON with all that is not to be printed as an escape. Such
// characters stand in strings alone; C0 is escaped already, or it were no JSON.
func escaped(data []byte) []byte {
	safe := make([]byte, 0, len(data))
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		data = data[size:]
		switch {
		case r < utf8.RuneSelf && r != 0x7f:
			safe = append(safe, byte(r))
		case !unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp):
			safe = utf8.AppendRune(safe, r) // an invalid byte arrives here as U+FFFD
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			safe = fmt.Appendf(safe, `\u%04x\u%04x`, high, low)
		default:
			safe = fmt.Appendf(safe, `\u%04x`, r)
		}
	}
	return safe
}
