package reporter

import (
	"regexp"
	"strings"
)

// traceparent is the trace that the run is a part of, as W3C's Trace Context has it
// in the environment; the zero value: none.
type traceparent struct {
	traceID, spanID string
	flags           string
}

// parseTraceparent reads a traceparent. Versions after 00 may have more behind the
// flags; what is read of them is passed on as one of version 00.
func parseTraceparent(v string) (t traceparent, ok bool) {
	if v == "" {
		return t, false
	}
	part := regexp.MustCompile(`^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$`).FindStringSubmatch(v)
	switch {
	case part == nil, part[1] == "ff", part[1] == "00" && part[5] != "":
		return t, false
	case strings.Trim(part[2], "0") == "", strings.Trim(part[3], "0") == "":
		return t, false
	}
	t = traceparent{traceID: part[2], spanID: part[3], flags: part[4]}
	if part[1] != "00" { // of whose flags the first is known alone
		t.flags = "00"
		if strings.ContainsAny(part[4][1:], "13579bdf") {
			t.flags = "01"
		}
	}
	return t, true
}

// header is empty where there is no trace.
func (t traceparent) header() string {
	if t.traceID == "" {
		return ""
	}
	return "00-" + t.traceID + "-" + t.spanID + "-" + t.flags
}

// attributes are those of each log line.
func (t traceparent) attributes() []any {
	if t.traceID == "" {
		return nil
	}
	return []any{"trace_id", t.traceID, "span_id", t.spanID}
}
