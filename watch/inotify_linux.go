package watch

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const inotifyMask = syscall.IN_CLOSE_WRITE | syscall.IN_MOVED_TO | syscall.IN_CREATE | syscall.IN_ATTRIB |
	syscall.IN_MODIFY | syscall.IN_DELETE | syscall.IN_MOVED_FROM | syscall.IN_DELETE_SELF | syscall.IN_MOVE_SELF | syscall.IN_ONLYDIR |
	syscall.IN_EXCL_UNLINK // who still writes to a file that was replaced is no writer of the new one

// subscribe has the kernel tell of every event in path's directory, until ctx
// ends or the directory is no longer the one at its path; then the channel is
// closed. It fails where there is no such directory yet, where the user's
// inotify instances are used up, and on filesystems that have none.
func subscribe(ctx context.Context, path string) (<-chan fileEvent, error) {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	f := os.NewFile(uintptr(fd), "inotify") // non-blocking, so that Close ends a Read
	if _, err := syscall.InotifyAddWatch(fd, filepath.Dir(path), inotifyMask); err != nil {
		f.Close()
		return nil, os.NewSyscallError("inotify_add_watch", err)
	}
	events := make(chan fileEvent, 64)
	stop := context.AfterFunc(ctx, func() { f.Close() })
	go func() {
		defer close(events)
		defer f.Close()
		defer stop()
		buf := make([]byte, 4096) // at least one event: 16 bytes and a name of at most 256
		for {
			n, err := f.Read(buf)
			if err != nil {
				return
			}
			for _, ev := range parseInotify(buf[:n], filepath.Base(path)) {
				select {
				case events <- ev:
				case <-ctx.Done():
					return
				}
				if ev.lost {
					return
				}
			}
		}
	}()
	return events, nil
}

// parseInotify folds what one read of the kernel's queue brought into at most
// three events: about the file, about other names, and the subscription's end.
// An adapter that writes in a loop is no reason to decide as often.
func parseInotify(buf []byte, base string) (events []fileEvent) {
	var own, others, end fileEvent
	for len(buf) >= syscall.SizeofInotifyEvent && !end.lost {
		mask := binary.NativeEndian.Uint32(buf[4:])
		size := int(binary.NativeEndian.Uint32(buf[12:]))
		next := min(syscall.SizeofInotifyEvent+size, len(buf))
		name := strings.TrimRight(string(buf[syscall.SizeofInotifyEvent:next]), "\x00")
		buf = buf[next:]
		switch {
		case mask&(syscall.IN_DELETE_SELF|syscall.IN_MOVE_SELF|syscall.IN_IGNORED|syscall.IN_UNMOUNT) != 0:
			end.lost = true
		case mask&syscall.IN_Q_OVERFLOW != 0:
			own = fileEvent{closed: true, look: true}
		case name != base:
			others = fileEvent{other: true, look: others.look || mask&syscall.IN_MODIFY == 0}
		case mask&syscall.IN_MODIFY != 0:
			own.modified = true
		case mask&syscall.IN_CREATE != 0:
			own.created, own.look = true, true
		case mask&syscall.IN_ATTRIB != 0:
			own.look = true
		default: // closed after writing, moved here or away, deleted: no writer is known
			own = fileEvent{closed: true, look: true}
		}
	}
	for _, ev := range []fileEvent{own, others, end} {
		if ev.look || ev.modified || ev.lost {
			events = append(events, ev)
		}
	}
	return events
}
