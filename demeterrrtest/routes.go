package demeterrrtest

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	demeterrr "github.com/demeterrr/demeterrr-go"
)

// call is one request as the endpoints see it.
type call struct {
	method     string
	path       string // escaped, with the base path
	id         string // the segment for {id} in the route's path
	query      url.Values
	queryError error
	header     http.Header
	body       []byte
	now        time.Time
}

// route is one endpoint (contract, section 3).
type route struct {
	method, path string
	scope        string
	query        []string // the known parameter names
	serve        func(*Server, *call) *reply
}

// routes are the endpoints of every server; see also [Server.AddObjects].
var routes = []route{
	{"GET", "/contacts", "contacts:read", []string{"page", "limit", "search", "email", "phone", "location_id"}, (*Server).listContacts},
	{"POST", "/contacts", "contacts:write", nil, (*Server).createContact},
	{"GET", "/contacts/{id}", "contacts:read", nil, (*Server).getContact},
	{"PATCH", "/contacts/{id}", "contacts:write", nil, (*Server).updateContact},
	{"DELETE", "/contacts/{id}", "contacts:write", nil, (*Server).deleteContact},
	{"GET", "/sequences", "sequences:read", []string{"page", "limit"}, (*Server).listSequences},
	{"GET", "/sequences/{id}", "sequences:read", nil, (*Server).getSequence},
	{"POST", "/sequences/{id}/execute", "sequences:execute", nil, (*Server).execute},
}

// findRoute returns the endpoint of a call and the value of its {id}; nil if
// there is none.
func (s *Server) findRoute(method, path string) (*route, string) {
	for i := range s.routes {
		if s.routes[i].method != method {
			continue
		}
		if id, ok := matchPath(s.routes[i].path, path); ok {
			return &s.routes[i], id
		}
	}
	return nil, ""
}

// matchPath matches a whole path with a pattern. The pattern leaves out the
// base path, and {…} stands for one non-empty segment. It returns the first of
// those segments, unescaped.
func matchPath(pattern, path string) (id string, ok bool) {
	want, have := strings.Split(basePath+pattern, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return "", false
	}
	for i := range want {
		if !strings.HasPrefix(want[i], "{") {
			if want[i] != have[i] {
				return "", false
			}
			continue
		}
		segment, err := url.PathUnescape(have[i])
		if err != nil || segment == "" {
			return "", false
		}
		if id == "" {
			id = segment
		}
	}
	return id, true
}

// dispatch passes a call with a valid key to its endpoint.
func (s *Server) dispatch(c *call, k *key) *reply {
	r, id := s.findRoute(c.method, c.path)
	if r == nil {
		return documentedError(demeterrr.CodeNotFound)
	}
	if !k.may(r.scope) {
		return scopeError(http.StatusForbidden, r.scope)
	}
	if c.queryError != nil {
		return validationError(problem{"query", "is malformed"})
	}
	if problems := checkQuery(c.query, r.query); len(problems) > 0 {
		return validationError(problems...)
	}
	c.id = id
	return r.serve(s, c)
}
