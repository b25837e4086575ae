package kubetest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
)

// Forward has the server at base, reached by transport, answer all requests that meet
// no fault: a real one, so that trouble on the way to it can be played. Tokens, rights
// and objects are that server's. While it is away, connections that are used are reset.
func Forward(base *url.URL, transport http.RoundTripper) Option {
	return func(s *Server) {
		s.upstream = &httputil.ReverseProxy{
			Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(base) },
			Transport:     transport,
			FlushInterval: -1, // a watch has no end
			ErrorHandler: func(w http.ResponseWriter, req *http.Request, _ error) {
				if req.Context().Err() != nil {
					abort() // the client is gone
				}
				w.(*answer).reset()
			},
		}
	}
}

func (s *Server) forward(a *answer) {
	req := a.req.Clone(a.req.Context())
	req.Body = io.NopCloser(bytes.NewReader(a.rec.Body))
	s.upstream.ServeHTTP(a, req)
}
