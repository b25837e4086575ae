package kubetest

import (
	"context"
	"net/url"
	"slices"
	"time"
)

// A Request is one request as the server saw it.
type Request struct {
	Time        time.Time // of its arrival
	Method      string
	Path        string
	Query       url.Values
	Verb        string // get, list, watch, patch; empty where the request is unknown
	Resource    string // pods, jobs, jobs/status; empty where the request is unknown
	Namespace   string
	Name        string
	ContentType string
	Body        []byte
	Code        int       // of the answer, as soon as it goes out; 0 where none did
	Answered    time.Time // when it went out
	Conn        int       // the connection: 1 is the first accepted
	Proto       string    // HTTP/2.0 or HTTP/1.1
	Fault       string    // the fault it met, empty if none
}

// A Match says which requests are meant; an empty field matches all.
type Match struct {
	Verb     string // get, list, watch, patch
	Resource string // pods, jobs, jobs/status
	Name     string
}

func (m Match) matches(r *Request) bool {
	return (m.Verb == "" || m.Verb == r.Verb) &&
		(m.Resource == "" || m.Resource == r.Resource) &&
		(m.Name == "" || m.Name == r.Name)
}

// Requests returns what has arrived, in order: all of it without a match, else
// what at least one match means.
func (s *Server) Requests(matches ...Match) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []Request
	for _, r := range s.requests {
		hit := len(matches) == 0
		for _, m := range matches {
			hit = hit || m.matches(r)
		}
		if hit {
			found = append(found, *r)
		}
	}
	return found
}

// WaitRequests waits until n matching requests have arrived, answered or not,
// and returns them; with ctx's error, those that have when ctx ends.
func (s *Server) WaitRequests(ctx context.Context, m Match, n int) ([]Request, error) {
	return s.waitFor(ctx, n, func() []Request { return s.Requests(m) })
}

// WaitAnswers waits until n matching requests have been answered, at least with
// headers (a watch is answered when it runs), and returns them; with ctx's
// error, those that have when ctx ends.
func (s *Server) WaitAnswers(ctx context.Context, m Match, n int) ([]Request, error) {
	return s.waitFor(ctx, n, func() []Request {
		return slices.DeleteFunc(s.Requests(m), func(r Request) bool { return r.Code == 0 })
	})
}

func (s *Server) waitFor(ctx context.Context, n int, find func() []Request) (found []Request, err error) {
	err = s.Wait(ctx, func() bool {
		found = find()
		return len(found) >= n
	})
	return found, err
}
