package watch

import (
	"fmt"
	"syscall"
)

const (
	// spareDescriptors must be left for a look and a connection before one is
	// spent on inotify.
	spareDescriptors = 5
	// wantedDescriptors are what a run has open at most.
	wantedDescriptors = 16
)

// CheckDescriptors returns an error where the limit of open files may be too
// low to observe anything or to report it.
func CheckDescriptors() error {
	if limit, ok := descriptorLimit(); ok && limit < wantedDescriptors {
		return fmt.Errorf("the limit of open files (RLIMIT_NOFILE, ulimit -n) is %d: below %d the result may not be seen or not be reported", limit, wantedDescriptors)
	}
	return nil
}

func descriptorLimit() (uint64, bool) {
	var limit syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	return uint64(limit.Cur), err == nil
}
