package kubetest

import (
	"fmt"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A Fault is what happens to one request. Its methods return changed copies:
//
//	kubetest.Status(429, "TooManyRequests", "slow down").Header("Retry-After", "1").Times(3)
//	kubetest.Proceed().After(2 * time.Second)
//
// Where a fault halves or withholds the answer of a watch, that is its first
// event; the watch's headers are out by then.
type Fault struct {
	action action
	delay  time.Duration
	do     func()
	code   int
	header http.Header
	body   string
	times  int // 0 stands for once, below that for ever
}

type action string

const (
	proceed        action = "Proceed"
	respond        action = "Respond"
	loseRequest    action = "LoseRequest"
	hangRequest    action = "HangRequest"
	loseAnswer     action = "LoseAnswer"
	hangAnswer     action = "HangAnswer"
	truncateAnswer action = "TruncateAnswer"
	stallAnswer    action = "StallAnswer"
	silentAnswer   action = "SilentAnswer"
)

// Proceed serves the request as if there were no fault: useful with
// [Fault.After] and [Fault.Do], and as a gap in a queue.
func Proceed() Fault { return Fault{action: proceed} }

// Respond answers in place of the server, as a proxy may: a 502 with HTML, a
// 302, garbled JSON, a 200 that is no object. Nothing is done.
func Respond(code int, contentType, body string) Fault {
	return Fault{action: respond, code: code, body: body}.Header("Content-Type", contentType)
}

// Status answers with a metav1.Status. Nothing is done.
func Status(code int, reason metav1.StatusReason, message string) Fault {
	return Respond(code, "application/json", string(mustJSON(asObject(status(code, reason, message)))))
}

// LoseRequest resets the connection; nothing is done. Other requests on the
// connection are lost with it.
func LoseRequest() Fault { return Fault{action: loseRequest} }

// HangRequest never answers; nothing is done.
func HangRequest() Fault { return Fault{action: hangRequest} }

// LoseAnswer does the work, then resets the connection instead of answering.
func LoseAnswer() Fault { return Fault{action: loseAnswer} }

// HangAnswer does the work and never answers.
func HangAnswer() Fault { return Fault{action: hangAnswer} }

// TruncateAnswer does the work and sends half of the answer, then resets the
// stream (with HTTP/1.1: closes the connection).
func TruncateAnswer() Fault { return Fault{action: truncateAnswer} }

// StallAnswer does the work and sends half of the answer, then nothing.
func StallAnswer() Fault { return Fault{action: stallAnswer} }

// SilentAnswer does the work and sends the answer's headers, then nothing.
func SilentAnswer() Fault { return Fault{action: silentAnswer} }

// After waits for d before anything else happens to the request.
func (f Fault) After(d time.Duration) Fault { f.delay = d; return f }

// Do calls do when the delay is over, before the request is served.
func (f Fault) Do(do func()) Fault { f.do = do; return f }

// Header sets a header of the answer made by [Respond] or [Status].
func (f Fault) Header(key, value string) Fault {
	h := f.header.Clone()
	if h == nil {
		h = make(http.Header)
	}
	h.Set(key, value)
	f.header = h
	return f
}

// Times applies the fault to n requests instead of one.
func (f Fault) Times(n int) Fault { f.times = n; return f }

// Forever applies the fault to every request, until [Server.ClearFaults].
func (f Fault) Forever() Fault { f.times = -1; return f }

func (f Fault) String() string {
	s := string(f.action)
	if f.action == respond {
		s = fmt.Sprintf("%s(%d)", s, f.code)
	}
	if f.delay > 0 {
		s += fmt.Sprintf(".After(%s)", f.delay)
	}
	return s
}

type faultQueue struct {
	match  Match
	faults []Fault
}

// Fault queues faults for the requests that match: one for each, in order.
// Where several calls match a request, the earliest that has faults left
// counts. Faults come before authentication, as trouble on the way does.
func (s *Server) Fault(m Match, faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &faultQueue{m, append([]Fault(nil), faults...)})
}

// ClearFaults drops all faults that no request has met yet.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// nextFault takes the fault meant for r off its queue. The caller holds the
// lock.
func (s *Server) nextFault(r *Request) (f Fault, ok bool) {
	for _, q := range s.faults {
		if len(q.faults) == 0 || !q.match.matches(r) {
			continue
		}
		head := &q.faults[0]
		f = *head
		switch {
		case head.times < 0:
		case head.times > 1:
			head.times--
		default:
			q.faults = q.faults[1:]
		}
		return f, true
	}
	return Proceed(), false
}

// before runs the part of a fault that comes before the work, and reports
// whether the work is to be done.
func (a *answer) before() bool {
	if a.fault.delay > 0 {
		timer := time.NewTimer(a.fault.delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-a.req.Context().Done():
			abort()
		}
	}
	if a.fault.do != nil {
		a.fault.do()
	}
	switch a.fault.action {
	case respond:
		for k, v := range a.fault.header {
			a.Header()[k] = v
		}
		a.WriteHeader(a.fault.code)
		a.Write([]byte(a.fault.body))
		return false
	case loseRequest:
		a.reset()
	case hangRequest:
		a.hang()
	}
	return true
}

// An answer is the http.ResponseWriter of one request: it notes the code, and
// runs the part of a fault that comes after the work. Handlers write their
// body in one go; a watch writes one event at a time.
type answer struct {
	http.ResponseWriter
	s     *Server
	req   *http.Request
	rec   *Request // guarded by s.mu
	fault Fault
}

func (a *answer) WriteHeader(code int) {
	// Of an answer that will not go out nothing may: not even in a buffer that
	// net/http flushes when it sees the connection end.
	withheld := a.fault.action == loseAnswer || a.fault.action == hangAnswer
	if withheld && a.rec.Verb != "watch" {
		return
	}
	a.s.update(func() { a.rec.Code, a.rec.Answered = code, time.Now() })
	a.ResponseWriter.WriteHeader(code)
}

func (a *answer) Write(p []byte) (int, error) {
	switch a.fault.action {
	case loseAnswer:
		a.reset()
	case hangAnswer:
		a.hang()
	case silentAnswer:
		a.Flush()
		a.hang()
	case stallAnswer, truncateAnswer:
		a.ResponseWriter.Write(p[:len(p)/2])
		a.Flush()
		if a.fault.action == stallAnswer {
			a.hang()
		}
		abort()
	}
	return a.ResponseWriter.Write(p)
}

func (a *answer) Flush() { http.NewResponseController(a.ResponseWriter).Flush() }

// hang holds the request until the client gives up or the server is closed.
func (a *answer) hang() {
	<-a.req.Context().Done()
	abort()
}

func (a *answer) reset() {
	linkOf(a.req.Context()).reset()
	abort()
}

// abort ends the handler; net/http resets the stream.
func abort() { panic(http.ErrAbortHandler) }
