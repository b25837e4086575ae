package reporter

import "testing"

func TestParseTraceparent(t *testing.T) {
	const (
		trace = "0af7651916cd43dd8448eb211c80319c"
		span  = "b7ad6b7169203331"
		valid = "00-" + trace + "-" + span + "-01"
	)
	for _, tt := range []struct{ name, in, header string }{
		{"sampled", valid, valid},
		{"not sampled", "00-" + trace + "-" + span + "-00", "00-" + trace + "-" + span + "-00"},
		{"flags of another level", "00-" + trace + "-" + span + "-03", "00-" + trace + "-" + span + "-03"},
		{"a later version", "01-" + trace + "-" + span + "-01", valid},
		{"a later version with more", "cc-" + trace + "-" + span + "-09-what the future will be", valid},
		{"a later version with flags that nobody knows", "cc-" + trace + "-" + span + "-fe", "00-" + trace + "-" + span + "-00"},
		{"empty", "", ""},
		{"version 00 with more", valid + "-more", ""},
		{"more without a hyphen", "cc-" + trace + "-" + span + "-01.more", ""},
		{"version ff", "ff-" + trace + "-" + span + "-01", ""},
		{"capital letters", "00-0AF7651916CD43DD8448EB211C80319C-" + span + "-01", ""},
		{"a trace ID of zeros", "00-00000000000000000000000000000000-" + span + "-01", ""},
		{"a span ID of zeros", "00-" + trace + "-0000000000000000-01", ""},
		{"a short trace ID", "00-" + trace[1:] + "-" + span + "-01", ""},
		{"a short span ID", "00-" + trace + "-" + span[1:] + "-01", ""},
		{"no flags", "00-" + trace + "-" + span, ""},
		{"a header that it ends", valid + "\r\nAuthorization: none", ""},
		{"a line break", valid + "\n", ""},
		{"words", "none", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := parseTraceparent(tt.in)
			if got.header() != tt.header || ok != (tt.header != "") {
				t.Errorf("%q, %v; want %q", got.header(), ok, tt.header)
			}
			if ok && (got.traceID != trace || got.spanID != span) {
				t.Errorf("%+v", got)
			}
			if n := len(got.attributes()); n != map[bool]int{true: 4}[ok] {
				t.Errorf("%d attributes", n)
			}
		})
	}
}
