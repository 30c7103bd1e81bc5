package demeterrrtest

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	demeterrr "github.com/demeterrr/demeterrr-go"
)

// Always is a value of [Fault.Times] for a fault without end.
const Always = -1

// Drop is a way for a connection to fail.
type Drop int

// The ways for a connection to fail. In memory they return the errors of a real
// network: a dial error with ECONNREFUSED, a read error with ECONNRESET (on
// Windows WSAECONNREFUSED and WSAECONNRESET), and io.ErrUnexpectedEOF while
// reading the body.
const (
	// NoConnection refuses the connection: the request never reaches the
	// server. Over [Server.URL] the connection already exists. There it works
	// like DropBefore, and the request stays out of the log.
	NoConnection Drop = iota + 1
	// DropBefore resets the connection before the work.
	DropBefore
	// DropAfter resets the connection after the work: the reply is lost.
	DropAfter
	// Truncate sends half of the reply's body, under the Content-Length of the
	// whole. A reply with an empty body is lost, as with DropAfter.
	Truncate
)

// Fault describes a failure. Zero fields do nothing, so set only the fields for
// the failure you want:
//
//	srv.Inject(demeterrrtest.Fault{Route: "POST /contacts", Status: 500, Times: 2})
//	srv.Inject(demeterrrtest.Fault{Status: 429, RetryAfter: time.Minute})
//	srv.Inject(demeterrrtest.Fault{Status: 503, For: 10 * time.Minute})
//	srv.Inject(demeterrrtest.Fault{Route: "/sequences/{id}/execute", Drop: demeterrrtest.DropAfter})
type Fault struct {
	// Route selects the requests. "POST /contacts" and "PATCH /contacts/{id}"
	// select one method, "/sequences/{id}/execute" every method of a path, and
	// an empty Route every request.
	//
	// {id} stands for any one segment. Other segments are escaped as by
	// url.PathEscape. The route may be unknown to the fake: with Status and
	// Body, a fault can play any endpoint.
	Route string
	// Skip is the number of selected requests that pass before the fault
	// begins.
	Skip int
	// Times is the number of requests that meet the fault. 0 means once, or
	// Always if For is set. Always means without end.
	Times int
	// For ends the fault this long after Inject, even if Times is not used up;
	// 0 sets no end. A longer RetryAfter is shortened to the remaining time.
	For time.Duration

	// Status replies with this status instead of doing the work. A documented
	// status (400, 401, 403, 404, 409, 429, 500) comes with the API's error
	// body. Any other comes with an HTML page, like that of a proxy.
	Status int
	// Code selects the documented error if the status has several, or if Status
	// is 0.
	Code demeterrr.Code
	// AfterWork does the work first, then replies with Status or Code. It plays
	// a server that fails half-way.
	AfterWork bool
	// Body replaces the body of the reply. With Status and Code empty, the work
	// is done and its status stays: 404 for an endpoint unknown to the fake.
	Body string
	// ContentType is the type of Body; empty means application/json.
	ContentType string
	// RetryAfter is sent as a Retry-After header in seconds, rounded up. A 429
	// also has it in the details of its body. Zero sends none. For other forms
	// of the header, use Header.
	RetryAfter time.Duration
	// Header is added to the reply and replaces headers of the same names.
	Header http.Header

	// Delay holds back the reply or the drop for this time. The work is done
	// before it.
	Delay time.Duration
	// Drop makes the connection fail; zero keeps it intact.
	Drop Drop
	// IgnoreQuery names query parameters for the server to ignore, such as
	// "page" or "email".
	IgnoreQuery []string
}

// fault is an injected Fault.
type fault struct {
	Fault        // what is left of it
	injected     Fault
	method, path string
	end          time.Time // zero means no end
}

// Inject makes the server fail as f describes. A request meets the first fault,
// in the order of injection, that selects it, is past its Skip and is not used
// up. Faults come before all checks, so they also meet requests with a wrong
// key or over the rate limit.
//
// Inject panics with the reason if f can never happen, or has a setting without
// effect.
func (s *Server) Inject(f Fault) {
	if err := s.TryInject(f); err != nil {
		misuse("Inject: %v", err)
	}
}

// TryInject is [Server.Inject] for a fault from outside, such as a form. It
// returns an error where Inject panics, and then injects nothing.
func (s *Server) TryInject(f Fault) error {
	if err := f.check(); err != nil {
		return err
	}
	f.Header = f.Header.Clone()
	f.IgnoreQuery = slices.Clone(f.IgnoreQuery)
	next := &fault{Fault: f, injected: f}
	next.method, next.path = splitRoute(f.Route)
	next.Times = cmp.Or(f.Times, 1)
	if f.For > 0 {
		next.Times = cmp.Or(f.Times, Always)
		next.end = time.Now().Add(f.For)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("the server is closed")
	}
	if slices.ContainsFunc(s.faults, func(earlier *fault) bool { return earlier.shadows(next) }) {
		return errors.New("an earlier fault takes these requests and never ends: call ClearFaults first, or inject this one before it")
	}
	s.faults = append(s.faults, next)
	return nil
}

// Faults returns the remaining faults, in the order of injection. Their Skip,
// Times and For are the remaining values. A test can check that none is left.
func (s *Server) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.endFaults(now)
	out := make([]Fault, len(s.faults))
	for i, f := range s.faults {
		out[i] = f.Fault
		if f.For > 0 {
			out[i].For = f.end.Sub(now)
		}
	}
	return out
}

// ClearFaults removes all remaining faults.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// takeFault returns the fault for a call and uses it up by one; nil if there is
// none.
func (s *Server) takeFault(c *call) *fault {
	s.endFaults(c.now)
	for i, f := range s.faults {
		if !f.selects(c) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				s.faults = slices.Delete(s.faults, i, i+1)
			}
		}
		return f
	}
	return nil
}

// endFaults drops the faults whose time is over.
func (s *Server) endFaults(now time.Time) {
	s.faults = slices.DeleteFunc(s.faults, func(f *fault) bool { return f.For > 0 && !now.Before(f.end) })
}

func (f *fault) selects(c *call) bool {
	if f.method != "" && f.method != c.method {
		return false
	}
	if f.path == "" {
		return true
	}
	_, ok := matchPath(f.path, c.path)
	return ok
}

// beforeWork reports whether the fault replaces the work.
func (f *fault) beforeWork() bool {
	return f.Drop == NoConnection || f.Drop == DropBefore || f.answers() && !f.AfterWork
}

func (f *Fault) answers() bool { return f.Status != 0 || f.Code != "" }

// overlook removes the query parameters that the server is to ignore.
func (f *fault) overlook(query url.Values) url.Values {
	if len(f.IgnoreQuery) == 0 {
		return query
	}
	query = maps.Clone(query)
	for _, name := range f.IgnoreQuery {
		query.Del(name)
	}
	return query
}
