package main

import (
	"bytes"
	"io"
	"strings"
	"syscall"
	"testing"
)

func TestPrefixed(t *testing.T) {
	for n, want := range map[int]string{0: "\x00", 126: "\x7e", 127: "\x7f\x00", 254: "\x7f\x7f", 255: "\x7f\x80\x01", 1337: "\x7f\xba\x09"} {
		if got := prefixed(nil, n); string(got) != want {
			t.Errorf("%d: %x, want %x", n, got, want)
		}
	}
}

func TestRequests(t *testing.T) {
	r := requestsOf("adapters", "job", "job-x", strings.Repeat("t", 200))
	for _, tt := range []struct {
		name  string
		bytes []byte
		kinds []byte
		holds []string
	}{
		{"watch", r.watch, []byte{headers}, []string{"metadata.name%3Djob-x", "\x00\x05:path", "\x00\x0dauthorization"}},
		{"success", r.success, []byte{headers, data}, []string{"/jobs/job/status", `"status":"True"`}},
		{"failure", r.failure, []byte{headers, data}, []string{"/jobs/job/status", `"status":"False"`}},
	} {
		var kinds []byte
		for rest := tt.bytes; len(rest) > 0; {
			kinds = append(kinds, rest[3])
			rest = rest[frameHead+int(rest[0])<<16+int(rest[1])<<8+int(rest[2]):]
		}
		if !bytes.Equal(kinds, tt.kinds) {
			t.Errorf("%s: frames %v, want %v", tt.name, kinds, tt.kinds)
		}
		for _, s := range tt.holds {
			if !bytes.Contains(tt.bytes, []byte(s)) {
				t.Errorf("%s: no %q in %q", tt.name, s, tt.bytes)
			}
		}
	}
}

// peer is a connection that has in, and then nothing more for now.
type peer struct {
	in  io.Reader
	out bytes.Buffer
}

func (p *peer) Write(b []byte) (int, error) { return p.out.Write(b) }

func (p *peer) Read(b []byte) (int, error) {
	n, err := p.in.Read(b)
	if err == io.EOF {
		err = syscall.EAGAIN
	}
	return n, err
}

func TestFramer(t *testing.T) {
	terminated := []byte(`{"terminated":{"exitCode":1}}`)
	for _, tt := range []struct {
		name             string
		in               []byte
		out              []byte
		terminated, done bool
		fails            bool
	}{
		{name: "nothing", in: nil},
		{name: "settings", in: frame(settings, 0, 0, make([]byte, 6)), out: frame(settings, ack, 0, nil)},
		{name: "settings acknowledged", in: frame(settings, ack, 0, nil)},
		{name: "ping", in: frame(ping, 0, 0, []byte("12345678")), out: frame(ping, ack, 0, []byte("12345678"))},
		{name: "running", in: frame(data, 0, watchStream, []byte(`{"running":{}}`))},
		{name: "terminated", in: frame(data, 0, watchStream, terminated), terminated: true},
		{name: "part of a frame", in: frame(data, 0, watchStream, terminated)[:20]},
		{name: "another stream", in: frame(data, 0, patchStream, terminated)},
		{name: "answer", in: frame(headers, endHeaders, patchStream, []byte{0x88}), done: true},
		{name: "answer to the watch", in: frame(headers, endHeaders, watchStream, []byte{0x88})},
		{name: "refused stream", in: frame(reset, 0, patchStream, make([]byte, 4)), fails: true},
		{name: "end", in: frame(goAway, 0, 0, make([]byte, 8)), fails: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &peer{in: bytes.NewReader(tt.in)}
			f := framer{conn: p}
			if err := f.read(make([]byte, 7)); (err != nil) != tt.fails {
				t.Error(err)
			}
			if f.terminated != tt.terminated || f.answered != tt.done || !bytes.Equal(p.out.Bytes(), tt.out) {
				t.Errorf("terminated %v, answered %v, sent %x", f.terminated, f.answered, p.out.Bytes())
			}
		})
	}
}
