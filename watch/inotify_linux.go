package watch

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

const (
	contentMask = syscall.IN_CLOSE_WRITE | syscall.IN_MODIFY | syscall.IN_ATTRIB | syscall.IN_DELETE_SELF | syscall.IN_MOVE_SELF |
		syscall.IN_EXCL_UNLINK // who still writes to a file that was replaced is no writer of the new one
	dirMask = contentMask | syscall.IN_CREATE | syscall.IN_DELETE | syscall.IN_MOVED_FROM | syscall.IN_MOVED_TO | syscall.IN_ONLYDIR
	// What goes on beside the names that lead to the file is no reason to wake up.
	aboveMask = syscall.IN_DELETE_SELF | syscall.IN_MOVE_SELF | syscall.IN_ONLYDIR
	comeMask  = syscall.IN_CREATE | syscall.IN_MOVED_TO // but where there is no such name yet
)

// inotify is a subscription at work. It watches three kinds of inodes:
//
//   - the directory, for what is done to the file under its name;
//   - the directories above it, for nothing is told of a directory when one above
//     it is renamed, nor, but to the one right above it, when it is removed while
//     somebody is in it;
//   - the file itself where it may be changed under another name: it has hard
//     links, or is mounted alone, or its directory may not be listed.
type inotify struct {
	path string
	conn syscall.RawConn

	mu      sync.Mutex // what the watches mean changes while events are read
	watches watches
	all     []int // the watches there are, whatever they mean
	place
}

// watches says what a watch is for, by its descriptor; they begin at 1.
type watches struct {
	dir, file int
	above     map[int]string // the name there which leads to the file
}

// place is what is known of the directory that is watched.
type place struct {
	local   bool // nobody changes it but through this kernel
	mounted bool // the file is not in it, but mounted over its name
}

// subscribe has the kernel tell of everything that becomes of path, until ctx
// ends; then the channel is closed. It fails where the user's inotify instances
// are used up, and where hardly a file descriptor is left.
func subscribe(ctx context.Context, path string) (subscription, error) {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil {
		return subscription{}, os.NewSyscallError("inotify_init1", err)
	}
	f := os.NewFile(uintptr(fd), "inotify") // non-blocking, so that Close ends a Read
	if limit, ok := descriptorLimit(); ok && uint64(fd)+spareDescriptors >= limit {
		f.Close()
		return subscription{}, os.NewSyscallError("inotify_init1", syscall.EMFILE)
	}
	conn, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return subscription{}, err
	}
	n := &inotify{path: path, conn: conn}
	events := make(chan fileEvent, 64)
	stop := context.AfterFunc(ctx, func() { f.Close() })
	go func() {
		defer close(events)
		defer f.Close()
		defer stop()
		n.read(ctx, f, events)
	}()
	return subscription{events: events, renew: n.renew}, nil
}

func (n *inotify) read(ctx context.Context, f *os.File, events chan<- fileEvent) {
	buf := make([]byte, 4096) // at least one event: 16 bytes and a name of at most 256
	for {
		size, err := f.Read(buf)
		if err != nil {
			return
		}
		n.mu.Lock()
		parsed := n.watches.parse(buf[:size], filepath.Base(n.path))
		n.mu.Unlock()
		for _, ev := range parsed {
			select {
			case events <- ev:
			case <-ctx.Done():
				return
			}
		}
	}
}

// renew watches what is at the path now, and nothing else. From the top down:
// what is changed after it was passed is told by what is above it.
func (n *inotify) renew() (c coverage, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	closed := n.conn.Control(func(fd uintptr) { c, err = n.watch(int(fd)) })
	return c, cmp.Or(closed, err)
}

func (n *inotify) watch(fd int) (c coverage, err error) {
	var all []int
	add := func(path string, mask uint32) (int, error) {
		wd, err := syscall.InotifyAddWatch(fd, path, mask)
		if err != nil {
			return 0, os.NewSyscallError("inotify_add_watch", err)
		}
		all = append(all, wd)
		return wd, nil
	}
	dir := filepath.Dir(n.path)
	next, aboveErr := watchAbove(dir, aboveMask, add)
	if next.dir, err = add(dir, dirMask); errors.Is(err, syscall.ENOENT) {
		next, aboveErr = watchAbove(dir, aboveMask|comeMask, add)
		next.dir, err = add(dir, dirMask)
	}
	if next.dir == 0 || next.dir != n.watches.dir {
		n.place = placeOf(n.path)
	}
	c.content = err == nil && !n.mounted
	c.names = err == nil && aboveErr == nil
	if hasOtherEvents(n.path, c) {
		var err error
		next.file, err = add(n.path, contentMask|syscall.IN_DONT_FOLLOW)
		c.links = err == nil
	}
	if err = cmp.Or(err, aboveErr); !n.local {
		c, err = coverage{}, cmp.Or(err, errNotLocal)
	}
	c.anew = next.dir != n.watches.dir || next.dir == 0 && next.file != n.watches.file
	for _, wd := range n.all {
		if !slices.Contains(all, wd) {
			_, _ = syscall.InotifyRmWatch(fd, uint32(wd)) // refused where its inode is gone
		}
	}
	n.watches, n.all = next, all
	return c, err
}

// hasOtherEvents reports whether the file is regular and its events are not, or
// not all, those of its directory.
func hasOtherEvents(path string, c coverage) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular() && (!c.content || info.Sys().(*syscall.Stat_t).Nlink > 1)
}

var errNotLocal = errors.New("others than this kernel may change its filesystem")

// watchAbove watches what is above a directory; an error says why not all of it.
func watchAbove(dir string, mask uint32, add func(path string, mask uint32) (int, error)) (watches, error) {
	r := watches{above: map[int]string{}}
	names, err := ancestors(dir)
	for _, name := range slices.Backward(names) {
		if name == dir {
			mask |= syscall.IN_DELETE
		}
		wd, refusal := add(filepath.Dir(name), mask)
		if refusal != nil {
			err = refusal
			continue
		}
		r.above[wd] = filepath.Base(name)
	}
	return r, err
}

// parse folds what one read of the kernel's queue brought into at most three
// events: about the file, about other names, and a loss. An adapter that writes
// in a loop is no reason to decide as often. What comes after a loss is of no
// use: all is looked for anew.
func (r *watches) parse(buf []byte, base string) (events []fileEvent) {
	var own, others, end fileEvent
	for len(buf) >= syscall.SizeofInotifyEvent && !end.lost {
		wd := int(int32(binary.NativeEndian.Uint32(buf)))
		mask := binary.NativeEndian.Uint32(buf[4:])
		size := int(binary.NativeEndian.Uint32(buf[12:]))
		next := min(syscall.SizeofInotifyEvent+size, len(buf))
		name := strings.TrimRight(string(buf[syscall.SizeofInotifyEvent:next]), "\x00")
		buf = buf[next:]
		switch r.about(wd, mask, name, base) {
		case theFile:
			own.fold(mask)
		case anotherName:
			others = fileEvent{other: true, look: others.look || mask&syscall.IN_MODIFY == 0}
		case theDirectory:
			end.lost = true
			*r = watches{}
		}
	}
	for _, ev := range []fileEvent{own, others, end} {
		if ev.look || ev.modified || ev.lost {
			events = append(events, ev)
		}
	}
	return events
}

type subject int

const (
	nothing subject = iota // that is of interest now
	theFile
	anotherName
	theDirectory // may not be at its path any more
)

func (r *watches) about(wd int, mask uint32, name, base string) subject {
	const self = syscall.IN_DELETE_SELF | syscall.IN_MOVE_SELF | syscall.IN_IGNORED | syscall.IN_UNMOUNT
	child, above := r.above[wd]
	switch {
	case mask&syscall.IN_Q_OVERFLOW != 0:
		return theFile
	case wd <= 0:
	case wd == r.file:
		if mask&self != 0 {
			r.file = 0
		}
		return theFile
	case above && (mask&self != 0 || name == child), wd == r.dir && mask&self != 0:
		return theDirectory
	case wd == r.dir && (name == base || name == "" && mask&syscall.IN_ATTRIB != 0): // another may have taken the directory's place
		return theFile
	case wd == r.dir:
		return anotherName
	}
	return nothing
}

// fold adds what the kernel tells of the file.
func (ev *fileEvent) fold(mask uint32) {
	switch {
	case mask&syscall.IN_Q_OVERFLOW != 0:
		ev.overflow, ev.look = true, true
	case mask&syscall.IN_MODIFY != 0:
		ev.modified = true
	case mask&syscall.IN_CREATE != 0:
		ev.created, ev.look = true, true
	case mask&syscall.IN_ATTRIB != 0:
		ev.look = true
	default: // closed after writing, moved here or away, deleted: no writer is known
		*ev = fileEvent{closed: true, look: true}
	}
}
