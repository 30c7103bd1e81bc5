package demeterrrtest

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/demeterrr/demeterrr-go/internal/validate"
)

// check refuses a fault that could never happen, and settings without effect.
func (f *Fault) check() error {
	return cmp.Or(f.checkRoute(), f.checkReply(), f.checkHeader())
}

// methods are the possible methods of a request to the server.
var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// splitRoute returns the method and the path of a route. An empty method means
// any.
func splitRoute(route string) (method, path string) {
	if method, path, ok := strings.Cut(route, " "); ok {
		return method, path
	}
	return "", route
}

func (f *Fault) checkRoute() error {
	if f.Route == "" {
		return nil
	}
	method, path := splitRoute(f.Route)
	switch {
	case !strings.HasPrefix(path, "/"):
		return fmt.Errorf(`route %q: want a form like "POST /contacts" or "/contacts/{id}"`, f.Route)
	case strings.Contains(f.Route, " ") && !slices.Contains(methods, method):
		return fmt.Errorf("route %q: method %q is not one of %s", f.Route, method, strings.Join(methods, ", "))
	}
	if err := checkPath(path); err != nil {
		return fmt.Errorf("route %q: %w", f.Route, err)
	}
	return nil
}

// checkPath refuses a path that no client can request.
func checkPath(path string) error {
	switch {
	case !strings.HasPrefix(path, "/"):
		return errors.New("want a form like /surveys")
	case strings.HasPrefix(path, basePath):
		return fmt.Errorf("leave %s out", basePath)
	case strings.ContainsAny(path, "?#"):
		return errors.New("leave the query out, a route is a method and a path")
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		if err := checkSegment(segment); err != nil {
			return err
		}
	}
	return nil
}

// checkSegment refuses a segment of a path that no client can request.
func checkSegment(segment string) error {
	inner, opened := strings.CutPrefix(segment, "{")
	inner, closed := strings.CutSuffix(inner, "}")
	plain, err := url.PathUnescape(segment)
	switch {
	case segment == "":
		return errors.New("a segment is empty, leave the extra slash out")
	case strings.HasPrefix(segment, ":"):
		return fmt.Errorf("write {%s} in place of %s", segment[1:], segment)
	case opened && closed && !strings.ContainsAny(inner, "{}"):
		return nil
	case strings.ContainsAny(segment, "{}*"):
		return fmt.Errorf("a placeholder such as {id} stands for a whole segment, not %q", segment)
	case err != nil || url.PathEscape(plain) != segment:
		return fmt.Errorf("segment %q is not escaped, use url.PathEscape", segment)
	}
	return nil
}

func (f *Fault) checkReply() error {
	lost := f.Drop != 0 && f.Drop != Truncate
	switch {
	case f.Skip < 0 || f.Delay < 0 || f.RetryAfter < 0 || f.For < 0 || f.Times < Always:
		return errors.New("skip, times, for, delay and retryAfter must not be negative (times may be Always)")
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("status %d: want 200 to 599", f.Status)
	case f.Code != "" && f.Status == 0 && documented[f.Code].status == 0:
		return fmt.Errorf("code %s is not documented: give its status too", f.Code)
	case bodiless(f.Status) && (f.Body != "" || f.Code != ""):
		return fmt.Errorf("a reply with status %d has no body: leave out Body and Code", f.Status)
	case f.Drop < 0 || f.Drop > Truncate:
		return fmt.Errorf("drop %d is not known", f.Drop)
	case lost && (f.answers() || f.Body != "" || f.RetryAfter > 0 || len(f.Header) > 0 || len(f.IgnoreQuery) > 0):
		return errors.New("a dropped connection carries no reply: leave out Status, Code, Body, RetryAfter, Header and IgnoreQuery")
	case f.AfterWork && !f.answers():
		return errors.New("afterWork is for Status and Code")
	case f.ContentType != "" && f.Body == "":
		return errors.New("contentType is for Body")
	case f.answers() && len(f.IgnoreQuery) > 0:
		return errors.New("ignoreQuery is for a reply of the server's own: leave out Status and Code")
	case slices.Contains(f.IgnoreQuery, ""):
		return errors.New("ignoreQuery names an empty parameter")
	case !f.answers() && f.Body == "" && f.Drop == 0 && f.Delay == 0 && len(f.Header) == 0 && len(f.IgnoreQuery) == 0:
		return errors.New("nothing would go wrong: give a Status, a Code, a Body, a Drop, a Delay, a Header or an IgnoreQuery")
	}
	return nil
}

// breaks end a line of a header.
const breaks = "\r\n\x00"

func (f *Fault) checkHeader() error {
	if strings.ContainsAny(f.ContentType, breaks) {
		return errors.New("contentType has a line break")
	}
	for name, values := range f.Header {
		if validate.Token(name) != nil {
			return fmt.Errorf("header %q is not a name that HTTP allows", name)
		}
		if http.CanonicalHeaderKey(name) == "Content-Length" {
			return errors.New("the server sets Content-Length: use Truncate for a reply that is cut short")
		}
		if http.CanonicalHeaderKey(name) == "Transfer-Encoding" {
			return errors.New("the server sets Transfer-Encoding: leave it out")
		}
		if strings.ContainsAny(strings.Join(values, ""), breaks) {
			return fmt.Errorf("header %q has a line break in its value", name)
		}
	}
	return nil
}

// shadows reports whether f takes all requests of next, a later fault.
func (f *fault) shadows(next *fault) bool {
	if f.Times != Always || f.Skip > 0 || f.For > 0 || f.method != "" && f.method != next.method {
		return false
	}
	if f.path == "" || f.path == next.path {
		return true
	}
	_, ok := matchPath(f.path, basePath+next.path)
	return ok
}

// bodiless reports whether HTTP forbids a body with this status.
func bodiless(status int) bool {
	return status == http.StatusNoContent || status == http.StatusNotModified
}
