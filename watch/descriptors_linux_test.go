package watch

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestCheckDescriptors(t *testing.T) {
	if err := CheckDescriptors(); err != nil {
		t.Skipf("here: %v", err)
	}
	// Every descriptor that is open beyond the limit stays open.
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	for n, want := range map[uint64]bool{wantedDescriptors: true, wantedDescriptors - 1: false} {
		lower := limit
		lower.Cur = n
		must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lower))
		err := CheckDescriptors()
		must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
		if (err == nil) != want {
			t.Errorf("limit %d: error %v", n, err)
		}
		if err != nil && !strings.Contains(err.Error(), "RLIMIT_NOFILE") {
			t.Errorf("error %v does not name the limit", err)
		}
	}
}

// TestLookDescriptors: a look gets by with few, and gives them back.
func TestLookDescriptors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.json")
	write(t, path, valid)
	withDescriptors(t, 2, func() {
		for range 10 {
			if l := lookAt(path); l.kind != fileValid {
				t.Fatalf("kind %d, error %v; want the result", l.kind, l.err)
			}
		}
	})
}
