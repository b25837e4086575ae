package reporter

import (
	"testing"
	"time"
)

func TestProcessAge(t *testing.T) {
	const fields = " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 123456 20 21"
	for _, tt := range []struct {
		name, stat, uptime string
		want               time.Duration
		ok                 bool
	}{
		{"as the kernel has it", "7 (status-reporter)" + fields, "1236.06 2000.00\n", 1500 * time.Millisecond, true},
		{"a name with brackets and spaces", "7 (a ) b) (c)" + fields, "1234.56 0\n", 0, true},
		{"from the future", "7 (x)" + fields, "1000.00 0\n", 0, false},
		{"of another boot", "7 (x)" + fields, "99999.00 0\n", 0, false},
		{"cut off", "7 (x) S 1 2 3", "1234.56 0\n", 0, false},
		{"no name", "7", "1234.56 0\n", 0, false},
		{"no number", "7 (x)" + fields[:len(fields)-12] + "x 20 21", "1234.56 0\n", 0, false},
		{"no uptime", "7 (x)" + fields, "", 0, false},
		{"garbled uptime", "7 (x)" + fields, "soon", 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			age, ok := processAge([]byte(tt.stat), []byte(tt.uptime))
			if ok != tt.ok || ok && age.Round(time.Millisecond) != tt.want {
				t.Errorf("%v, %v; want %v, %v", age, ok, tt.want, tt.ok)
			}
		})
	}
}

// TestProcessStart: of this very process, unless it has run for long.
func TestProcessStart(t *testing.T) {
	if at := ProcessStart(); !at.IsZero() && (time.Since(at) < 0 || time.Since(at) > time.Minute) {
		t.Errorf("%v ago", time.Since(at))
	}
}
