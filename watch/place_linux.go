package watch

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// ancestors are the directory and those above it whose names another directory
// may come to have: up to the root of their filesystem's mount, whose place
// nobody can change. An error says why that is not all.
func ancestors(dir string) (names []string, err error) {
	device := func(path string) (dev uint64, link, ok bool) {
		info, err := os.Lstat(path)
		if err != nil {
			return 0, false, false
		}
		return uint64(info.Sys().(*syscall.Stat_t).Dev), info.Mode()&os.ModeSymlink != 0, true
	}
	dev, link, ok := device(dir)
	for parent := filepath.Dir(dir); parent != dir; dir, parent = parent, filepath.Dir(parent) {
		above, aboveLink, aboveOK := device(parent)
		if ok && aboveOK && !link && dev != above {
			break
		}
		if link { // and what is above its target is not known
			err = errors.New("a symbolic link leads to its directory")
		}
		names = append(names, dir)
		dev, link, ok = above, aboveLink, aboveOK
	}
	return names, err
}

// localFilesystems are those that nobody changes but through this kernel, which
// tells of it: by the magic number of statfs. The rest (NFS, CIFS, FUSE, 9p, and
// what is not known) tells of what this kernel does, and maybe not of others.
var localFilesystems = []uint32{
	0x0000ef53, // ext2, ext3, ext4
	0x58465342, // xfs
	0x9123683e, // btrfs
	0x01021994, // tmpfs
	0x858458f6, // ramfs
	0x794c7630, // overlay
	0x2fc12fc1, // zfs
	0xf2f52010, // f2fs
	0xca451a4e, // bcachefs
}

// placeOf takes for mounted alone, and not for local, what it cannot find out.
func placeOf(path string) place {
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return place{mounted: true}
	}
	file := filepath.Join(dir, filepath.Base(path))
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	p := place{local: isLocal(dir), mounted: err != nil || isMountPoint(string(mounts), file)}
	if p.mounted {
		p.local = p.local && isLocal(file)
	}
	return p
}

func isLocal(path string) bool {
	var fs syscall.Statfs_t
	return syscall.Statfs(path, &fs) == nil && slices.Contains(localFilesystems, uint32(fs.Type))
}

// isMountPoint reports whether a path is among the mounts of proc_pid_mountinfo(5).
func isMountPoint(mounts, path string) bool {
	escape := strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`)
	path = escape.Replace(path)
	for line := range strings.Lines(mounts) {
		if fields := strings.Fields(line); len(fields) > 4 && fields[4] == path {
			return true
		}
	}
	return false
}
