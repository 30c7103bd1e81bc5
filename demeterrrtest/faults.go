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

// Always is for [Fault.Times]: the fault is never used up.
const Always = -1

// Drop says how a connection fails.
type Drop int

// The ways for a connection to fail. In memory they give the errors that the
// network gives: a dial error with ECONNREFUSED, a read error with ECONNRESET
// (on Windows WSAECONNREFUSED and WSAECONNRESET), and io.ErrUnexpectedEOF while
// the body is read.
const (
	// NoConnection refuses the connection: the request never reaches the server. (Over [Server.URL],
	// where the connection is there already, it is DropBefore that is not logged.)
	NoConnection Drop = iota + 1
	// DropBefore resets the connection before the work is done.
	DropBefore
	// DropAfter resets the connection after the work is done: the reply is lost.
	DropAfter
	// Truncate sends half of the reply's body, under the Content-Length of the whole. A reply without a
	// body is lost altogether, as with DropAfter.
	Truncate
)

// Fault is something that goes wrong. Its zero fields do nothing, so name only
// what should happen:
//
//	srv.Inject(demeterrrtest.Fault{Route: "POST /contacts", Status: 500, Times: 2})
//	srv.Inject(demeterrrtest.Fault{Status: 429, RetryAfter: time.Minute})
//	srv.Inject(demeterrrtest.Fault{Status: 503, For: 10 * time.Minute})
//	srv.Inject(demeterrrtest.Fault{Route: "/sequences/{id}/execute", Drop: demeterrrtest.DropAfter})
type Fault struct {
	// Route selects the requests: "POST /contacts", "PATCH /contacts/{id}", "/sequences/{id}/execute"
	// for every method of a path; empty for every request. {id} stands for any one segment, and every
	// other segment is escaped as by url.PathEscape. It need not be a route of the fake's: Status and
	// Body can play an endpoint that the fake does not have.
	Route string
	// Skip is the number of selected requests that pass before the fault begins.
	Skip int
	// Times is the number of requests that it happens to; 0 means once, or Always if For is given. Always
	// means that it never ends.
	Times int
	// For ends the fault so long after Inject, used up or not; 0 sets no end. A longer RetryAfter is
	// shortened to the time that is left.
	For time.Duration

	// Status answers with this status instead of doing the work: with the API's own error body where it
	// documents one (400, 401, 403, 404, 409, 429, 500), else with an HTML page as a proxy sends it.
	Status int
	// Code chooses the documented error, where a status has several, or no status is given.
	Code demeterrr.Code
	// AfterWork does the work first and then answers with Status or Code: the server failed half-way.
	AfterWork bool
	// Body replaces the body of the reply. Without Status and Code, the work is done and its status
	// stays: 404 for an endpoint that the fake does not have.
	Body string
	// ContentType is Body's; empty means application/json.
	ContentType string
	// RetryAfter is sent as a Retry-After header in seconds, rounded up, and on a 429 in the body's
	// details too; zero sends none. For other forms of the header use Header.
	RetryAfter time.Duration
	// Header is added to the reply, in place of headers of the same names.
	Header http.Header

	// Delay holds the reply, or the drop, back for so long. The work is done before.
	Delay time.Duration
	// Drop makes the connection fail; zero does not.
	Drop Drop
	// IgnoreQuery names query parameters that the server overlooks, such as "page" or "email".
	IgnoreQuery []string
}

// fault is a Fault on its way to being used up.
type fault struct {
	Fault        // what is left of it
	injected     Fault
	method, path string
	end          time.Time // zero: none
}

// Inject makes the server fail as f says. Several faults apply in the order in
// which they were injected: a request meets the first one that selects it, is
// past its Skip and is not used up. A fault comes before every check: it also meets a
// request with a wrong key or over its rate limit. Inject panics, saying why, on
// a fault that can never happen or has a setting without effect.
func (s *Server) Inject(f Fault) {
	if err := s.TryInject(f); err != nil {
		misuse("Inject: %v", err)
	}
}

// TryInject is [Server.Inject] for a fault that comes from outside, such as a
// form: it returns what Inject panics with. A fault with an error is not injected.
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

// Faults returns the faults that are not used up, in the order of their injection.
// Their Skip, Times and For are what is left. A test can assert that there are none.
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

// ClearFaults ends all faults that are not used up.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// takeFault returns the fault that a call meets, used up by one; nil if none.
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

// beforeWork reports whether the fault keeps the work from being done.
func (f *fault) beforeWork() bool {
	return f.Drop == NoConnection || f.Drop == DropBefore || f.answers() && !f.AfterWork
}

func (f *Fault) answers() bool { return f.Status != 0 || f.Code != "" }

// overlook removes the parameters that the server is to ignore.
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
