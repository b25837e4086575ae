//go:build !linux

package reporter

import "time"

// ProcessStart is not known here.
func ProcessStart() time.Time { return time.Time{} }
