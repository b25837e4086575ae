package watch

import (
	"io/fs"
	"syscall"
	"time"
)

// changeTime is the file's ctime.
func changeTime(info fs.FileInfo) time.Time {
	return time.Unix(info.Sys().(*syscall.Stat_t).Ctim.Unix())
}
