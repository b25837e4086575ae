package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWriteTimeline(t *testing.T) {
	t0 := time.Date(2026, 1, 15, 9, 0, 0, 0, time.UTC)
	at := func(ms float64) time.Time { return t0.Add(time.Duration(ms * float64(time.Millisecond))) }
	for name, tt := range map[string]struct {
		events []event
		colour bool
		want   string
	}{
		"nothing": {},
		"one":     {events: []event{{at(0), "reporter", "starts"}}, want: "0.00 ms    reporter  starts\n"},
		"aligned": {
			events: []event{{at(0), "adapter", "starts"}, {at(4.216), "adapter", "closes"}, {at(1004.5), "server", "answers"}},
			want: "" +
				"   0.00 ms               adapter   starts\n" +
				"   4.22 ms     +4.22 ms  adapter   closes\n" +
				"1004.50 ms  +1000.28 ms  server    answers\n",
		},
		"in colour": {
			events: []event{{at(0), "kubelet", "tells"}, {at(0.5), "server", "answers"}},
			colour: true,
			want: "" +
				"0.00 ms  \x1b[2m        \x1b[0m  \x1b[33mkubelet \x1b[0m  tells\n" +
				"0.50 ms  \x1b[2m+0.50 ms\x1b[0m  \x1b[35mserver  \x1b[0m  answers\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			writeTimeline(&got, tt.events, tt.colour)
			if diff := cmp.Diff(tt.want, got.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFileTimes(t *testing.T) {
	t0 := time.Date(2026, 1, 15, 9, 0, 0, 0, time.UTC)
	const patched = 10
	for name, tt := range map[string]struct {
		own          bool
		history      []fileEvent // at is in milliseconds
		closed, read int         // -1: not at all
	}{
		"no file":                               {true, nil, -1, -1},
		"read and reported":                     {true, history("w5 r7"), 5, 7},
		"only a read":                           {true, history("r7"), -1, -1},
		"no read is noticed":                    {true, history("w5"), 5, -1},
		"the first read is the one":             {true, history("w5 r7 r8"), 5, 7},
		"a read of what was there before":       {true, history("r3 w5 r7"), 5, 7},
		"written twice":                         {true, history("w3 r4 w5 r7"), 5, 7},
		"written again after the report":        {true, history("w5 r7 w12 r13"), 5, 7},
		"the read is noticed late":              {true, history("w5 r12"), 5, patched},
		"all is noticed late":                   {true, history("w11 r12"), patched, patched},
		"another outcome, a file before it":     {false, history("w5 r7"), 5, 7},
		"another outcome, a file after it":      {false, history("w12 r13"), -1, -1},
		"another outcome, and read after it":    {false, history("w5 r13"), 5, -1},
		"another outcome, written again and so": {false, history("w5 r7 w12"), 5, 7},
	} {
		t.Run(name, func(t *testing.T) {
			for i := range tt.history {
				tt.history[i].at = t0.Add(tt.history[i].at.Sub(time.Time{}))
			}
			closed, read := fileTimes(tt.history, tt.own, t0.Add(patched*time.Millisecond))
			for what, pair := range map[string]struct {
				got  time.Time
				want int
			}{"closed": {closed, tt.closed}, "read": {read, tt.read}} {
				got := -1
				if !pair.got.IsZero() {
					got = int(pair.got.Sub(t0).Milliseconds())
				}
				if got != pair.want {
					t.Errorf("%s at %d, want %d", what, got, pair.want)
				}
			}
		})
	}
}

// history reads w5 as written after 5 ms, r7 as read after 7.
func history(text string) (events []fileEvent) {
	for word := range strings.FieldsSeq(text) {
		after, err := time.ParseDuration(word[1:] + "ms")
		if err != nil {
			panic(err)
		}
		events = append(events, fileEvent{at: time.Time{}.Add(after), read: word[0] == 'r'})
	}
	return events
}

// story is the timeline of a run without its times: each line must have them.
func (p played) story(t *testing.T) (lines []string) {
	t.Helper()
	row := regexp.MustCompile(`^ *\d+\.\d\d ms  ( +|\s*\+\d+\.\d\d ms)  (adapter|kubelet|reporter|server) +(.*)$`)
	for line := range strings.Lines(p.stderr) {
		if m := row.FindStringSubmatch(strings.TrimSuffix(line, "\n")); m != nil {
			lines = append(lines, m[2]+" "+m[3])
		}
	}
	return lines
}

// TestTimelineOfRuns: what a case's timeline must tell, in this order; what the
// other processes do meanwhile may stand between.
func TestTimelineOfRuns(t *testing.T) {
	const patch, acknowledged = "reporter sends PATCH jobs/adapter-job/status", "server acknowledges: 200 OK"
	const closed, sees = "adapter closes the result file", "reporter sees it: reads the result file"
	for name, wants := range map[string][][]string{ // each in its order: what is seen is told by the kernel, a little late
		"success": {{"adapter starts", closed, sees, patch, acknowledged, "reporter exits with 0"}},
		"failure": {{"adapter starts", closed, sees, patch, acknowledged, "reporter exits with 0"},
			{closed, "reporter sends GET jobs/adapter-job", "server answers: 200 OK", patch}},
		"crash": {{"adapter starts", "adapter exits with 1", "kubelet puts the adapter's end into the Pod's status", patch, acknowledged, "reporter exits with 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := play(t, "-case", name)
			got := p.story(t)
			for _, rest := range wants {
				for _, line := range got {
					if len(rest) > 0 && line == rest[0] {
						rest = rest[1:]
					}
				}
				if len(rest) > 0 {
					t.Errorf("the timeline is\n%s\nwithout, in this order:\n%s", strings.Join(got, "\n"), strings.Join(rest, "\n"))
				}
			}
			if got[0] != "adapter starts" {
				t.Errorf("it begins with %q", got[0])
			}
			if strings.Contains(p.stderr, "\x1b") {
				t.Error("colours without a terminal")
			}
			p.says(t, 0)
		})
	}
}
