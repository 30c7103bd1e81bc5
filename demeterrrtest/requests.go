package demeterrrtest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Request is one request as it reached the server.
type Request struct {
	Method string
	// Path is the escaped path after the base path, such as "/contacts/c0ffee".
	Path  string
	Query url.Values
	// Header is the header of the request. The values of X-Api-Key and
	// Authorization are replaced by "[key]".
	Header http.Header
	Body   []byte
	// Status is the status of the reply; 0 if the connection was dropped first.
	Status int
	// At is the time when the request reached the server.
	At time.Time
	// ErrorBody is the body of a reply with a status of 400 or more; nil for
	// any other or lost reply.
	ErrorBody []byte
	// Throttled is the full window behind a 429 of [WithRateLimits]; nil for
	// any other reply.
	Throttled *Window
	// Fault is the injected fault that the request met; nil if none.
	Fault *Fault
}

// Requests returns all requests that reached the server, in order. It includes
// those answered by a fault or a rate limit. A request that met [NoConnection]
// never arrived.
//
// The server keeps all of them, with their bodies. For a server that runs for
// long, use [WithRequestLog]. Treat the bodies, windows and faults as
// read-only.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// logged returns a call as a log entry, without the key.
func logged(c *call, query url.Values, out outcome) Request {
	header := c.header.Clone()
	for _, name := range []string{"X-Api-Key", "Authorization"} {
		if header.Get(name) != "" {
			header.Set(name, "[key]")
		}
	}
	entry := Request{
		Method: c.method, Path: strings.TrimPrefix(c.path, basePath), Query: query, Header: header,
		Body: c.body, At: c.now, Throttled: out.throttled,
	}
	if out.drop != DropBefore && out.drop != DropAfter {
		entry.Status = out.reply.status
	}
	if entry.Status >= 400 {
		entry.ErrorBody = out.reply.body
	}
	return entry
}
