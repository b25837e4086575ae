package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"syscall"
)

// Frame types and flags of RFC 9113.
const (
	data       = 0
	headers    = 1
	reset      = 3
	settings   = 4
	ping       = 6
	goAway     = 7
	endStream  = 1
	ack        = 1
	endHeaders = 4
	frameHead  = 9

	watchStream = 1
	patchStream = 3
)

// preface begins a client's connection; its settings are the defaults.
var preface = append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(settings, 0, 0, nil)...)

// requests are made before they are needed.
type requests struct{ watch, success, failure []byte }

func requestsOf(namespace, job, pod, token string) requests {
	status := "/apis/batch/v1/namespaces/" + namespace + "/jobs/" + job + "/status"
	patch := func(value string) []byte {
		body := fmt.Appendf(nil, `{"status":{"conditions":[{"type":"Available","status":%q,"reason":"Floor","message":"The least there is"}]}}`, value)
		head := headerBlock(":method", "PATCH", ":scheme", "https", ":authority", "kubernetes", ":path", status,
			"authorization", "Bearer "+token, "content-type", "application/strategic-merge-patch+json")
		return append(frame(headers, endHeaders, patchStream, head), frame(data, endStream, patchStream, body)...)
	}
	watch := headerBlock(":method", "GET", ":scheme", "https", ":authority", "kubernetes",
		":path", "/api/v1/namespaces/"+namespace+"/pods?watch=true&fieldSelector=metadata.name%3D"+pod,
		"authorization", "Bearer "+token)
	return requests{frame(headers, endHeaders|endStream, watchStream, watch), patch("True"), patch("False")}
}

func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	f := make([]byte, frameHead, frameHead+len(payload))
	binary.BigEndian.PutUint32(f, uint32(len(payload))<<8)
	f[3], f[4] = kind, flags
	binary.BigEndian.PutUint32(f[5:], stream)
	return append(f, payload...)
}

// headerBlock has names and values in turns, as literals that no table keeps
// (RFC 7541, 6.2.2).
func headerBlock(fields ...string) (b []byte) {
	for i, s := range fields {
		if i%2 == 0 {
			b = append(b, 0)
		}
		b = append(prefixed(b, len(s)), s...)
	}
	return b
}

// prefixed appends a length as an integer with a prefix of seven bits.
func prefixed(b []byte, n int) []byte {
	if n < 127 {
		return append(b, byte(n))
	}
	b = append(b, 127)
	for n -= 127; n >= 128; n >>= 7 {
		b = append(b, byte(n)|128)
	}
	return append(b, byte(n))
}

// framer takes what the server sends apart, as far as there is need.
type framer struct {
	conn       io.ReadWriter
	pending    []byte
	terminated bool // the watch has told of it
	answered   bool
}

// read reads all there is.
func (f *framer) read(buffer []byte) error {
	for {
		n, err := f.conn.Read(buffer)
		f.pending = append(f.pending, buffer[:n]...)
		if errors.Is(err, syscall.EAGAIN) {
			return f.take()
		}
		if err != nil {
			return err
		}
	}
}

func (f *framer) take() error {
	for len(f.pending) >= frameHead {
		length := int(binary.BigEndian.Uint32(f.pending) >> 8)
		if len(f.pending) < frameHead+length {
			return nil
		}
		kind, flags, stream := f.pending[3], f.pending[4], binary.BigEndian.Uint32(f.pending[5:])
		payload := f.pending[frameHead : frameHead+length]
		f.pending = f.pending[frameHead+length:]
		switch {
		case (kind == settings || kind == ping) && flags&ack == 0:
			if kind == settings {
				payload = nil
			}
			if _, err := f.conn.Write(frame(kind, ack, 0, payload)); err != nil {
				return err
			}
		case kind == data && stream == watchStream:
			f.terminated = f.terminated || bytes.Contains(payload, []byte(`"exitCode":1`))
		case kind == headers && stream == patchStream:
			f.answered = true
		case kind == goAway, kind == reset && stream == patchStream:
			return fmt.Errorf("frame %d: %x", kind, payload)
		}
	}
	return nil
}
