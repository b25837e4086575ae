package reporter

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"time"
)

// ProcessStart is when this process was started: on a starved node a second or
// more before its first line runs. The zero time where that cannot be known.
func ProcessStart() time.Time {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return time.Time{}
	}
	uptime, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return time.Time{}
	}
	age, ok := processAge(stat, uptime)
	if !ok {
		return time.Time{}
	}
	return time.Now().Add(-age)
}

// processAge reads starttime, the 22nd field of proc_pid_stat(5), in hundredths of
// a second since the boot, and the seconds since the boot of proc_uptime(5). More
// than half a minute is none of this process, but of a sandbox that knows no better.
func processAge(stat, uptime []byte) (age time.Duration, ok bool) {
	name := bytes.LastIndexByte(stat, ')') // which may hold spaces and brackets itself
	fields, since := strings.Fields(string(stat[name+1:])), strings.Fields(string(uptime))
	const starttime = 22 - 3
	if name < 0 || len(fields) <= starttime || len(since) == 0 {
		return 0, false
	}
	ticks, err := strconv.ParseInt(fields[starttime], 10, 64)
	if err != nil {
		return 0, false
	}
	seconds, err := strconv.ParseFloat(since[0], 64)
	age = time.Duration(seconds*float64(time.Second)) - time.Duration(ticks)*10*time.Millisecond
	return age, err == nil && age >= 0 && age < 30*time.Second
}
