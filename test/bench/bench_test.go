package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func newTestBench(t *testing.T) *bench {
	t.Helper()
	b, err := newBench(t.Output())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	return b
}

// playReporters has the real reporter report, in real time: that is what the
// program is for.
func playReporters(t *testing.T, b *bench) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "status-reporter")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, modulePath).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := b.addSubject(binary, own); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		trigger func(*reporter) error
		jobs    int // readings of the Job: a fault is written onto it as it is
	}{"result": {b.writeResult, 1}, "crash": {b.crashed, 2}} {
		batch, err := b.batch(t.Context(), b.subjects[0], schedule(2, 0), test.trigger)
		if err != nil {
			t.Fatal(name, err)
		}
		for _, r := range batch {
			if ms := b.latencyOf(r); ms <= 0 || ms > 5000 {
				t.Errorf("%s: the latency is %g ms", name, ms)
			}
			if r.requests["watch pods"] != 1 || r.requests["get jobs"] != test.jobs || r.requests["patch jobs"] != 1 || len(r.conns) != 1 {
				t.Errorf("%s: %v on %d connections", name, r.requests, len(r.conns))
			}
			if !r.began.Before(r.first) || !r.first.Before(r.triggered) || cpu(r) <= 0 {
				t.Errorf("%s: began %s, first request %s, triggered %s, CPU time %g ms", name, r.began, r.first, r.triggered, cpu(r))
			}
		}
	}
}

func TestReporters(t *testing.T) {
	b := newTestBench(t)
	playReporters(t, b)
	asked := 0
	b.available = func() float64 { // at first, and before each of three
		if asked++; asked > 4 {
			return spareMemory
		}
		return 2 * spareMemory
	}
	all, err := b.startAll(t.Context(), 5)
	if err != nil || len(all) != 3 {
		t.Fatalf("%d reporters with memory for three, %v", len(all), err)
	}
	if err := b.outage(t.Context(), options{fleet: 3, outage: 300 * time.Millisecond}, all, true); err != nil {
		t.Fatal(err)
	}
	if last := b.table.Rows[len(b.table.Rows)-1]; last.Values[0].P50 != 3 {
		t.Errorf("%s: %v", last.Name, last.Values)
	}
}

// A reporter that ends without a report is a problem, not a figure.
func TestProblem(t *testing.T) {
	b := newTestBench(t)
	script := filepath.Join(t.TempDir(), "reporter")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho no idea >&2\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := b.addSubject(script, own); err != nil {
		t.Fatal(err)
	}
	_, err := b.batch(t.Context(), b.subjects[0], schedule(1, 0), b.writeResult)
	if err == nil || !strings.Contains(err.Error(), "ended at the start") || !strings.Contains(err.Error(), "no idea") {
		t.Errorf("error %v", err)
	}
}

// send sends one request to the server as any client would.
func send(t *testing.T, s *server, method, path, body string) (code int, answer string) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://"+s.gate.Addr().String()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

func TestServer(t *testing.T) {
	b := newTestBench(t)
	if _, err := b.server.createJob("job"); err != nil {
		t.Fatal(err)
	}
	const pods, jobs = "/api/v1/namespaces/adapters/pods", "/apis/batch/v1/namespaces/adapters/jobs"
	b.server.setNoWatch(true)
	for _, tt := range []struct {
		method, path, body string
		code               int
		holds              string
	}{
		{"GET", pods + "/job-x7k2p", "", 200, `"name":"job-x7k2p"`},
		{"GET", pods + "?fieldSelector=metadata.name%3Djob-x7k2p", "", 200, `"kind":"PodList"`},
		{"GET", pods + "?watch=true&fieldSelector=metadata.name%3Djob-x7k2p", "", 403, `"reason":"Forbidden"`},
		{"GET", jobs + "/job", "", 200, `"kind":"Job"`},
		{"GET", jobs + "/other", "", 404, `"reason":"NotFound"`},
		{"PATCH", jobs + "/job/status", `{"status":{"conditions":[{"type":"Available","status":"True"}]}}`, 200, `"type":"Available","status":"True"`},
		{"PUT", jobs + "/job/status", `{"status":{"conditions":[{"type":"Available","status":"False"}]}}`, 200, `"type":"Available","status":"False"`},
		{"PATCH", jobs + "/job/status", `[]`, 415, "UnsupportedMediaType"},
		{"DELETE", jobs + "/job", "", 405, "MethodNotAllowed"},
		{"GET", "/version", "", 404, "NotFound"},
	} {
		if code, answer := send(t, b.server, tt.method, tt.path, tt.body); code != tt.code || !strings.Contains(answer, tt.holds) {
			t.Errorf("%s %s: %d %s, want %d and %s", tt.method, tt.path, code, answer, tt.code, tt.holds)
		}
	}
}

func TestGate(t *testing.T) {
	b := newTestBench(t)
	if code, answer := send(t, b.server, "GET", "/version", ""); code != 404 {
		t.Fatal(code, answer)
	}
	b.server.gate.shut()
	if code, answer := send(t, b.server, "GET", "/version", ""); code != 0 || !strings.Contains(answer, "refused") {
		t.Errorf("shut: %d %s", code, answer)
	}
	opened := time.Now()
	if err := b.server.gate.open(); err != nil {
		t.Fatal(err)
	}
	if code, answer := send(t, b.server, "GET", "/version", ""); code != 404 {
		t.Errorf("open again: %d %s", code, answer)
	}
	if n := len(b.server.gate.acceptedSince(opened)); n != 1 {
		t.Errorf("%d connections since, want 1", n)
	}
}

func TestPerSecond(t *testing.T) {
	began := time.Now()
	var times []time.Time
	for _, ms := range []int{0, 900, 950, 1100, 1899, 1900, 5000} {
		times = append(times, began.Add(time.Duration(ms)*time.Millisecond))
	}
	if n := perSecond(times); n != 4 {
		t.Errorf("%g in a second, want 4", n) // 900 to 1899
	}
	if n := perSecond(nil); n != 0 {
		t.Errorf("%g of none", n)
	}
}

func TestTable(t *testing.T) {
	table := table{Machine: "here", Subjects: []string{"a", "b"}}
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[99-i] = float64(i + 1)
	}
	table.add(row{Name: "time", Unit: "ms", Limit: 5}, hundred, []float64{12.5, 12.5})
	table.add(row{Name: "size", Unit: "MB"}, []float64{0.1234}, nil)
	want := "| figure | limit | a | b | ratio |\n" +
		"| --- | --- | --- | --- | --- |\n" +
		"| time | 5 ms | p50 50 ms, p99 99 ms (n 100) | 12.5 ms | 0.25 |\n" +
		"| size |  | 0.12 MB | not measured |  |\n\nhere\n"
	if diff := cmp.Diff(want, string(table.markdown())); diff != "" {
		t.Errorf("markdown (-want +got):\n%s", diff)
	}
	out := filepath.Join(t.TempDir(), "out")
	if err := table.write(out); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(out + ".json")
	if err != nil {
		t.Fatal(err)
	}
	back := newTable()
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(table, back); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
}

func TestGoBenchmarks(t *testing.T) {
	got := goBenchmarks("cpu: x\nBenchmarkParse/200-2   \t 100\t 1500.5 ns/op\t 3072 B/op\t 69 allocs/op\nBenchmarkNone-2 \t 1 \t 5 ns/op\nPASS\n")
	if want := []goBenchmark{{"Parse/200", 1500.5, 3072, 69}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestAttributeLine(t *testing.T) {
	got := attributeLine.FindAllStringSubmatch("=== RUN   TestX/with_it\n=== ATTR  TestX/with_it requests 3\n--- PASS: TestX\n    === ATTR  TestX/with_it connections 1\n", -1)
	if len(got) != 2 || !slices.Equal(got[0][1:], []string{"with_it", "requests", "3"}) || !slices.Equal(got[1][1:], []string{"with_it", "connections", "1"}) {
		t.Errorf("%q", got)
	}
}

func TestGroup(t *testing.T) {
	for symbol, want := range map[string]string{
		"main.(*process).run":                          "this module",
		modulePath + "/watch.assign":                   "this module",
		"k8s.io/api/core/v1.(*Pod).Size":               "k8s.io/api",
		"gopkg.in/inf%2ev0.NewDec":                     "other modules",
		"crypto/internal/fips140/sha256.blockGeneric":  "standard library: crypto",
		"slices.SortFunc[go.shape.[]k8s.io/api/x.T,y]": "standard library: slices",
		"internal/poll.(*FD).Read":                     "runtime and internal",
		"type:*func(context.Context)":                  "types, strings and constants",
	} {
		if got := group(symbol); got != want {
			t.Errorf("%s: %s, want %s", symbol, got, want)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-h"}, 0, "-reporter"},
		{nil, 2, "-reporter is required"},
		{[]string{"-reporter", "r", "-n", "0"}, 2, "-n from 1"},
		{[]string{"-reporter", "r", "-fleet", "2", "-against", "s"}, 2, "-fleet measures one reporter; only TestFleet has"},
		{[]string{"-reporter", "/no/such/reporter"}, 1, "no such file"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(context.Background(), tt.args, &stdout, &stderr)
		if code != tt.code || !strings.Contains(stderr.String(), tt.want) || stdout.Len() > 0 {
			t.Errorf("%v: exit code %d, want %d; stderr %q, want %q", tt.args, code, tt.code, &stderr, tt.want)
		}
	}
}

func TestTableFloor(t *testing.T) {
	table := table{Machine: "here", Subjects: []string{"a", "against: b", "floor"}}
	table.add(row{Name: "time", Unit: "ms", Limit: 5}, []float64{3}, []float64{6}, []float64{1.5})
	table.add(row{Name: "nothing", Unit: "ms"}, []float64{3}, nil, nil)
	table.add(row{Name: "zero"}, []float64{0}, []float64{6}, []float64{0})
	want := "| figure | limit | a | against: b | ratio | floor | over the floor |\n" +
		"| --- | --- | --- | --- | --- | --- | --- |\n" +
		"| time | 5 ms | 3 ms | 6 ms | 2 | 1.50 ms | 2 |\n" +
		"| nothing |  | 3 ms | not measured |  | not measured |  |\n" +
		"| zero |  | 0 | 6 |  | 0 |  |\n\nhere\n"
	if diff := cmp.Diff(want, string(table.markdown())); diff != "" {
		t.Errorf("markdown (-want +got):\n%s", diff)
	}
}
