package main

import (
	"os"
	"strconv"
	"strings"
)

const (
	// spareMemory is left to the machine: an OOM kill would end more than reporters.
	spareMemory = 1 << 30
	// guessedMemory is what a reporter takes, with its share of the server's and of the
	// kernel's memory, until there are enough to tell: more than any does.
	guessedMemory = 8 << 20
	enoughToTell  = 30 // reporters
)

// memoryLeft says how many reporters there is memory for, by what those take that run
// already. All is in bytes.
type memoryLeft struct {
	available func() float64
	before    float64 // what was available without reporters
}

func newMemoryLeft(available func() float64) memoryLeft { return memoryLeft{available, available()} }

// has reports whether, with some running, there is memory for as many as want. Where
// nobody says what is available there is.
func (m memoryLeft) has(running, want int) bool {
	now := m.available()
	if want <= running || now == 0 {
		return true
	}
	each := float64(guessedMemory)
	if running >= enoughToTell { // others may have given some back meanwhile
		each = max(guessedMemory/8, (m.before-now)/float64(running))
	}
	return now-each*float64(want-running) >= spareMemory
}

// availableMemory is what new programs can have without swapping; 0: not known.
func availableMemory() float64 {
	data, _ := os.ReadFile("/proc/meminfo")
	return parseAvailable(string(data))
}

func parseAvailable(meminfo string) float64 {
	for line := range strings.Lines(meminfo) {
		if rest, found := strings.CutPrefix(line, "MemAvailable:"); found {
			kilobytes, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			return kilobytes * 1024
		}
	}
	return 0
}
