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
}

// Requests returns all requests that reached the server, in order, those that a
// fault or a rate limit answered included. One that met [NoConnection] never
// arrived. All of them are kept, with their bodies: servers that run for long
// use [WithRequestLog]. The bodies must not be changed.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// logged is a call as the log shows it, without the key.
func logged(c *call, query url.Values, status int) Request {
	header := c.header.Clone()
	for _, name := range []string{"X-Api-Key", "Authorization"} {
		if header.Get(name) != "" {
			header.Set(name, "[key]")
		}
	}
	return Request{
		Method: c.method, Path: strings.TrimPrefix(c.path, basePath), Query: query, Header: header,
		Body: c.body, Status: status, At: c.now,
	}
}
