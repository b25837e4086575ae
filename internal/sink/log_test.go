package sink

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// pipe is a writer whose reader the test plays: a Write waits for open to be
// closed, and fails with what fail says.
type pipe struct {
	open  chan struct{}
	fail  func() error
	lines []string
}

func (p *pipe) Write(line []byte) (int, error) {
	<-p.open
	if p.fail != nil {
		if err := p.fail(); err != nil {
			return 0, err
		}
	}
	p.lines = append(p.lines, string(line))
	return len(line), nil
}

func stuck() *pipe { return &pipe{open: make(chan struct{})} }

func flowing() *pipe {
	p := stuck()
	close(p.open)
	return p
}

// said lists what was written, the lines about dropped ones as "dropped N".
func said(t *testing.T, lines []string) (all []string) {
	t.Helper()
	for _, line := range lines {
		var about struct {
			Level, Msg string
			Time       time.Time
			Count      int
			Component  string
		}
		if !strings.HasPrefix(line, "{") {
			all = append(all, strings.TrimSuffix(line, "\n"))
			continue
		}
		if err := json.Unmarshal([]byte(line), &about); err != nil || about.Level != "WARN" || about.Msg != "log lines were dropped" || about.Time.IsZero() || about.Component != "test" {
			t.Errorf("not a line of slog's about dropped lines: %q, %v", line, err)
		}
		all = append(all, fmt.Sprint("dropped ", about.Count))
	}
	return all
}

func TestLogKeepsOrderAndNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := stuck()
		l := NewLog(p, "component", "test")
		var want []string
		for i := range 100 {
			want = append(want, fmt.Sprint("line ", i))
			if n, err := fmt.Fprintln(l, want[i]); err != nil || n != len(want[i])+1 {
				t.Fatal(n, err)
			}
		}
		close(p.open)
		Flush(time.Second, l)
		if diff := cmp.Diff(want, said(t, p.lines)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		fmt.Fprintln(l, "one more") // after a pause
		Flush(time.Second, l)
		if got := p.lines[len(p.lines)-1]; got != "one more\n" {
			t.Errorf("then %q", got)
		}
	})
}

// The oldest lines give way but the one that is being written; the count stands
// in their place.
func TestLogDropsTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := stuck()
		l := NewLog(p, "component", "test")
		line := func(i int) string { return fmt.Sprintf("%06d %s", i, strings.Repeat("x", 1<<10-8)) } // 1 KiB with its end
		fmt.Fprintln(l, line(0))
		synctest.Wait() // is being written
		const lines, kept = 200, queueSize >> 10
		for i := 1; i <= lines; i++ {
			fmt.Fprintln(l, line(i))
		}
		if len(l.queue) > queueSize {
			t.Errorf("%d bytes are kept", len(l.queue))
		}
		close(p.open)
		Flush(time.Second, l)
		want := []string{line(0), fmt.Sprint("dropped ", lines-kept)}
		for i := lines - kept + 1; i <= lines; i++ {
			want = append(want, line(i))
		}
		if diff := cmp.Diff(want, said(t, p.lines)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestLogOfLinesThatCannotBeWritten(t *testing.T) {
	broken := errors.New("broken pipe")
	for _, tt := range []struct {
		name  string
		fails int // of the first writes
		lines []string
		want  []string
	}{
		{"none", 0, []string{"a", "b"}, []string{"a", "b"}},
		{"one", 1, []string{"a", "b"}, []string{"dropped 1", "b"}},
		{"the line about it too", 2, []string{"a", "b", "c"}, []string{"b", "dropped 1", "c"}},
		{"and the next", 3, []string{"a", "b", "c"}, []string{"dropped 2", "c"}},
		{"all", 1000, []string{"a", "b", "c"}, nil},
		{"one longer than the queue", 0, []string{"a", strings.Repeat("x", queueSize), "b"}, []string{"a", "dropped 1", "b"}},
		{"one as long as the queue", 0, []string{"a", strings.Repeat("x", queueSize-1), "b"}, []string{"a", strings.Repeat("x", queueSize-1), "b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := flowing()
				p.fail = func() error {
					if tt.fails--; tt.fails >= 0 {
						return broken
					}
					return nil
				}
				l := NewLog(p, "component", "test")
				for _, line := range tt.lines {
					fmt.Fprintln(l, line)
					synctest.Wait()
				}
				if diff := cmp.Diff(tt.want, said(t, p.lines)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestFlush(t *testing.T) {
	for _, tt := range []struct {
		name  string
		stuck int // of two logs
		opens time.Duration
		want  time.Duration
	}{
		{"written", 0, 0, 0},
		{"in time", 2, 100 * time.Millisecond, 100 * time.Millisecond},
		{"one is stuck", 1, time.Hour, 200 * time.Millisecond},
		{"both are stuck, and share the time", 2, time.Hour, 200 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pipes := []*pipe{flowing(), flowing()}
				for i := range tt.stuck {
					pipes[i] = stuck()
					time.AfterFunc(tt.opens, func() { close(pipes[i].open) })
				}
				logs := []*Log{NewLog(pipes[0]), NewLog(pipes[1])}
				began := time.Now()
				Flush(200*time.Millisecond, logs[0], logs[1]) // of nothing, which takes no time
				io.WriteString(logs[0], "a\n")
				io.WriteString(logs[1], "b\n")
				Flush(200*time.Millisecond, logs[0], logs[1])
				if took := time.Since(began); took != tt.want {
					t.Errorf("took %s, want %s", took, tt.want)
				}
				time.Sleep(2 * time.Hour) // and nothing is lost where the process lives on
				synctest.Wait()
				if diff := cmp.Diff([]string{"a\n", "b\n"}, slices.Concat(pipes[0].lines, pipes[1].lines)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

// Lines from many goroutines are whole, and each goroutine's in its order.
func TestLogIsSafeForConcurrentUse(t *testing.T) {
	var out bytes.Buffer
	l := NewLog(&out)
	log := slog.New(slog.NewJSONHandler(l, nil))
	var wg sync.WaitGroup
	const goroutines, lines = 8, 50
	for g := range goroutines {
		wg.Go(func() {
			for i := range lines {
				log.Info("said", "by", g, "line", i)
				runtime.Gosched()
			}
		})
	}
	wg.Wait()
	Flush(time.Minute, l)
	next := make([]int, goroutines)
	for line := range bytes.Lines(out.Bytes()) {
		var got struct{ By, Line int }
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if got.Line != next[got.By] {
			t.Fatalf("line %d of %d comes for line %d", got.Line, got.By, next[got.By])
		}
		next[got.By]++
	}
	if !slices.Equal(next, slices.Repeat([]int{lines}, goroutines)) {
		t.Errorf("lines: %v", next)
	}
}
