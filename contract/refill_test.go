package contract

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// calls is a file that notes what is done to it.
type calls []string

func (c *calls) Write(p []byte) (int, error) {
	*c = append(*c, fmt.Sprintf("write %s", p))
	return len(p), nil
}

func (c *calls) Truncate(size int64) error {
	*c = append(*c, fmt.Sprint("truncate ", size))
	return nil
}

// TestRefill: the document is whole from the first write on.
func TestRefill(t *testing.T) {
	for size, spaces := range map[int64]int{0: 0, 4: 0, 5: 0, 9: 4, MaxFileSize + 9: MaxFileSize - 5} {
		var got calls
		if err := refill(&got, []byte("[24]\n"), size); err != nil {
			t.Fatal(err)
		}
		want := calls{"write [24]\n" + strings.Repeat(" ", spaces), "truncate 5"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("size %d (-want +got):\n%s", size, diff)
		}
	}
}
