package demeterrr

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/demeterrr/demeterrr-go/internal/validate"
)

// request is one call before it is sent: what a method of a service says about it.
type request struct {
	operation string // what asks: "Contacts.Create"
	method    string
	path      string // below the base URL, escaped
	query     url.Values
	body      any // nil, or what is encoded as JSON; it is checked first if it is a checker
	// mistake is why the request must not be sent; nil if nothing is known to be wrong with it.
	mistake error
	// route is the template of the path, for tracers. Empty means that the path is one itself, or that it is made of a raw path.
	route string
	raw   bool // the path is a caller's
}

// checker is a body that can tell before it is sent that it cannot be right.
type checker interface{ check() error }

// refuse is the error for a request that will not be sent.
func (r request) refuse(err error) *Error {
	e := invalid("%s", err)
	e.Method, e.Path = r.method, r.path
	return e
}

// withID puts an id into the one place for it in a route, escaped as one segment.
func withID(operation, method, route, id string) request {
	if err := validate.ID(id); err != nil {
		return request{operation: operation, method: method, path: route, mistake: err}
	}
	before, after, _ := strings.Cut(route, "{id}")
	return request{operation: operation, method: method, path: before + url.PathEscape(id) + after, route: route}
}

// setURL makes u the address of the request. Its path is escaped already.
func (r request) setURL(u, base *url.URL) {
	*u = *base
	plain := r.path
	if strings.Contains(plain, "%") {
		if p, err := url.PathUnescape(plain); err == nil { // it is: paths are checked before
			plain = p
		}
	}
	u.RawPath = base.RawPath + r.path // validate.BaseURL has seen to it that the base has one
	u.Path = u.RawPath
	if base.RawPath != base.Path || plain != r.path {
		u.Path = base.Path + plain
	}
	u.RawQuery = r.query.Encode()
}

// attemptRequest is the request of one attempt. A transport may keep it when the
// attempt is over, and overwrite the URL and the headers, as one does that redacts
// them before it logs. So no other attempt shares it.
type attemptRequest struct {
	http.Request
	url    url.URL
	values [4]string // of the headers
	body   bytes.Reader
}

// httpRequest is what one attempt sends. It has no GetBody: with one, net/http
// would send a body again by itself.
func (k *call) httpRequest(ctx context.Context) *http.Request {
	a := &attemptRequest{url: k.url}
	req := http.Request{
		Method: k.method, URL: &a.url, Host: a.url.Host, Header: k.header(a),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if k.encoded != nil {
		a.body.Reset(k.encoded)
		req.Body, req.ContentLength = io.NopCloser(&a.body), int64(len(k.encoded))
	}
	a.Request = *req.WithContext(ctx) // copied, so that one allocation holds it all
	return &a.Request
}

func (k *call) header(a *attemptRequest) http.Header {
	values := &a.values
	*values = [4]string{k.key, k.client.userAgent, "application/json", "application/json"}
	h := make(http.Header, 4)
	h["X-Api-Key"] = values[0:1:1]
	h["User-Agent"] = values[1:2:2]
	h["Accept"] = values[2:3:3]
	if k.encoded != nil {
		h["Content-Type"] = values[3:4:4]
	}
	if k.client.jar != nil {
		// Not left to http.Client, which would add the cookies once more with each retry.
		with := http.Request{Header: h}
		for _, cookie := range k.client.jar.Cookies(&a.url) {
			with.AddCookie(cookie)
		}
	}
	return h
}
