package demeterrrtest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Request is one request that reached the server, as it came.
type Request struct {
	Method string
	// Path is what follows the base path, still escaped, such as "/contacts/c0ffee".
	Path  string
	Query url.Values
	// Header has X-Api-Key and Authorization, if they were sent, with their value replaced by "[key]".
	Header http.Header
	Body   []byte
	// Status is that of the reply; 0 if the connection was dropped before there was one.
	Status int
	// At is when the request reached the server.
	At time.Time
	// ErrorBody is the body of a reply with a status of 400 or more; nil for other replies and lost ones.
	ErrorBody []byte
	// Throttled is the full window that a 429 of [WithRateLimits] names; nil for every other reply.
	Throttled *Window
	// Fault is the fault that the request met, as it was injected; nil if none.
	Fault *Fault
}

// Requests returns all requests that reached the server, in order, those that a
// fault or a rate limit answered included. One that met [NoConnection] never
// arrived. All of them are kept, with their bodies: servers that run for long
// use [WithRequestLog]. The bodies, windows and faults must not be changed.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// logged is a call as the log shows it, without the key.
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
