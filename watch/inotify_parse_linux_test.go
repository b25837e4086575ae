package watch

import (
	"encoding/binary"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// raw is an event of the directory as the kernel writes it.
func raw(mask uint32, name string) []byte { return rawOf(1, mask, name) }

func rawOf(wd int32, mask uint32, name string) []byte {
	size := (len(name) + 16) / 16 * 16 // NUL-padded
	if name == "" {
		size = 0
	}
	buf := make([]byte, syscall.SizeofInotifyEvent+size)
	binary.NativeEndian.PutUint32(buf, uint32(wd))
	binary.NativeEndian.PutUint32(buf[4:], mask)
	binary.NativeEndian.PutUint32(buf[12:], uint32(size))
	copy(buf[syscall.SizeofInotifyEvent:], name)
	return buf
}

func TestParseInotify(t *testing.T) {
	const base = "r.json"
	const (
		above, file, old = 2, 3, 4 // descriptors beside the directory's; the last is followed no more
	)
	type events = []fileEvent
	tests := []struct {
		name string
		buf  [][]byte
		want events
	}{
		{"nothing", nil, nil},
		{"created", [][]byte{raw(syscall.IN_CREATE, base)}, events{{created: true, look: true}}},
		{"a directory is created", [][]byte{raw(syscall.IN_CREATE|syscall.IN_ISDIR, base)}, events{{created: true, look: true}}},
		{"modified", [][]byte{raw(syscall.IN_MODIFY, base)}, events{{modified: true}}},
		{"closed", [][]byte{raw(syscall.IN_CLOSE_WRITE, base)}, events{{closed: true, look: true}}},
		{"moved here", [][]byte{raw(syscall.IN_MOVED_TO, base)}, events{{closed: true, look: true}}},
		{"moved away", [][]byte{raw(syscall.IN_MOVED_FROM, base)}, events{{closed: true, look: true}}},
		{"deleted", [][]byte{raw(syscall.IN_DELETE, base)}, events{{closed: true, look: true}}},
		{"attributes", [][]byte{raw(syscall.IN_ATTRIB, base)}, events{{look: true}}},
		{"overflow", [][]byte{rawOf(-1, syscall.IN_Q_OVERFLOW, "")}, events{{overflow: true, look: true}}},
		{"overflow after it was written", [][]byte{raw(syscall.IN_MODIFY, base), rawOf(-1, syscall.IN_Q_OVERFLOW, "")},
			events{{modified: true, overflow: true, look: true}}},
		{"overflow after it was closed", [][]byte{raw(syscall.IN_CLOSE_WRITE, base), rawOf(-1, syscall.IN_Q_OVERFLOW, "")},
			events{{closed: true, overflow: true, look: true}}},
		{"closed after an overflow", [][]byte{rawOf(-1, syscall.IN_Q_OVERFLOW, ""), raw(syscall.IN_CLOSE_WRITE, base)},
			events{{closed: true, look: true}}},
		{"the file's own: modified", [][]byte{rawOf(file, syscall.IN_MODIFY, "")}, events{{modified: true}}},
		{"the file's own: closed", [][]byte{rawOf(file, syscall.IN_CLOSE_WRITE, "")}, events{{closed: true, look: true}}},
		{"the file's own: attributes", [][]byte{rawOf(file, syscall.IN_ATTRIB, "")}, events{{look: true}}},
		{"the file's own: moved", [][]byte{rawOf(file, syscall.IN_MOVE_SELF, "")}, events{{closed: true, look: true}}},
		{"the file's own: unmounted", [][]byte{rawOf(file, syscall.IN_UNMOUNT, "")}, events{{closed: true, look: true}}},
		{"the file's own: gone, and whoever comes next is another", [][]byte{rawOf(file, syscall.IN_DELETE_SELF, ""), raw(syscall.IN_CREATE, base), rawOf(file, syscall.IN_IGNORED, "")},
			events{{closed: true, created: true, look: true}}},
		{"the directory's name goes", [][]byte{rawOf(above, syscall.IN_DELETE|syscall.IN_ISDIR, "results")}, events{{lost: true}}},
		{"the directory's name comes", [][]byte{rawOf(above, syscall.IN_MOVED_TO|syscall.IN_ISDIR, "results")}, events{{lost: true}}},
		{"another name goes", [][]byte{rawOf(above, syscall.IN_DELETE|syscall.IN_ISDIR, "result"), rawOf(above, syscall.IN_CREATE, base)}, nil},
		{"what is above is moved", [][]byte{rawOf(above, syscall.IN_MOVE_SELF, "")}, events{{lost: true}}},
		{"a directory of before", [][]byte{rawOf(old, syscall.IN_CLOSE_WRITE, base), rawOf(old, syscall.IN_IGNORED, "")}, nil},
		{"no watch at all", [][]byte{rawOf(0, syscall.IN_CLOSE_WRITE, base), rawOf(-1, syscall.IN_CLOSE_WRITE, base)}, nil},
		{"directory deleted", [][]byte{raw(syscall.IN_DELETE_SELF, "")}, events{{lost: true}}},
		{"directory moved", [][]byte{raw(syscall.IN_MOVE_SELF, "")}, events{{lost: true}}},
		{"watch removed", [][]byte{raw(syscall.IN_IGNORED, "")}, events{{lost: true}}},
		{"unmounted", [][]byte{raw(syscall.IN_UNMOUNT, "")}, events{{lost: true}}},
		{"another name", [][]byte{raw(syscall.IN_CLOSE_WRITE, "r.jso")}, events{{other: true, look: true}}},
		{"a longer name", [][]byte{raw(syscall.IN_CLOSE_WRITE, "r.json.tmp")}, events{{other: true, look: true}}},
		{"the longest name", [][]byte{raw(syscall.IN_CREATE, strings.Repeat("x", 255))}, events{{other: true, look: true}}},
		{"the directory itself", [][]byte{raw(syscall.IN_ATTRIB|syscall.IN_ISDIR, "")}, events{{look: true}}},
		{"several", [][]byte{raw(syscall.IN_CREATE, base), raw(syscall.IN_MODIFY, base), raw(syscall.IN_CLOSE_WRITE, base)},
			events{{closed: true, look: true}}},
		{"the same again", [][]byte{raw(syscall.IN_MODIFY, base), raw(syscall.IN_MODIFY, base), raw(syscall.IN_MODIFY, base)}, events{{modified: true}}},
		{"the same, not in a row", [][]byte{raw(syscall.IN_MODIFY, base), raw(syscall.IN_CLOSE_WRITE, base), raw(syscall.IN_MODIFY, base)},
			events{{closed: true, look: true, modified: true}}},
		{"created and written", [][]byte{raw(syscall.IN_CREATE, base), raw(syscall.IN_MODIFY, base)}, events{{created: true, look: true, modified: true}}},
		{"another name is written", [][]byte{raw(syscall.IN_MODIFY, "x"), raw(syscall.IN_MODIFY, "y")}, nil},
		{"both", [][]byte{raw(syscall.IN_CREATE, "x"), raw(syscall.IN_ATTRIB, base), raw(syscall.IN_MODIFY, "x")}, events{{look: true}, {other: true, look: true}}},
		{"lost after all", [][]byte{raw(syscall.IN_MODIFY, base), raw(syscall.IN_IGNORED, ""), raw(syscall.IN_ATTRIB, base)}, events{{modified: true}, {lost: true}}},
		{"a header that is cut", [][]byte{raw(syscall.IN_MODIFY, "")[:15]}, nil},
		{"a name that is cut", [][]byte{raw(syscall.IN_MODIFY, base)[:20]}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := watches{dir: 1, file: file, above: map[int]string{above: "results"}}
			if got := w.parse(slices.Concat(test.buf...), base); !slices.Equal(got, test.want) {
				t.Errorf("\n got %+v\nwant %+v", got, test.want)
			}
		})
	}
}

// After a loss nothing of what was watched counts, until that is found anew.
func TestParseInotifyAfterLoss(t *testing.T) {
	w := watches{dir: 1, file: 3, above: map[int]string{2: "results"}}
	w.parse(rawOf(2, syscall.IN_MOVED_FROM, "results"), "r.json")
	for wd := range int32(4) {
		if got := w.parse(rawOf(wd, syscall.IN_CLOSE_WRITE, "r.json"), "r.json"); got != nil {
			t.Errorf("watch %d still tells %+v", wd, got)
		}
	}
}

func FuzzParseInotify(f *testing.F) {
	f.Add(raw(syscall.IN_CREATE, "r.json"))
	f.Add(append(raw(syscall.IN_Q_OVERFLOW, ""), raw(syscall.IN_MODIFY, "other")...))
	f.Add(slices.Repeat([]byte{0xff}, 40))
	f.Fuzz(func(t *testing.T, buf []byte) {
		w := watches{dir: 1, file: 3, above: map[int]string{2: "results"}}
		events := w.parse(buf, "r.json")
		if len(events) > min(3, len(buf)/syscall.SizeofInotifyEvent) {
			t.Errorf("%d events of %d bytes", len(events), len(buf))
		}
		for i, ev := range events {
			if i > 0 && ev == events[i-1] {
				t.Errorf("event %+v comes twice in a row", ev)
			}
			if !ev.look && !ev.modified && !ev.lost {
				t.Errorf("event %+v leads to nothing", ev)
			}
			if ev.lost && ev.look || ev.other && (ev.modified || ev.created || ev.closed || ev.overflow) {
				t.Errorf("event %+v is two", ev)
			}
		}
	})
}
