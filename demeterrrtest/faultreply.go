package demeterrrtest

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"strconv"
	"time"

	demeterrr "github.com/demeterrr/demeterrr-go"
)

// apply turns the due reply into the reply of the fault. Every reply of the API
// itself carries the quota headers.
func (f *fault) apply(s *Server, due *reply, c *call, quota http.Header) *reply {
	out := due
	if f.answers() {
		out = f.answer(s, c)
	}
	if !f.answers() || f.code() != "" {
		maps.Copy(out.header, quota)
	}
	if f.Body != "" {
		out.body = []byte(f.Body)
		out.header.Set("Content-Type", "application/json")
		if f.ContentType != "" {
			out.header.Set("Content-Type", f.ContentType)
		}
	}
	if wait := f.retryAfter(c.now); wait > 0 {
		out.header.Set("Retry-After", strconv.Itoa(seconds(wait)))
	}
	for name, values := range f.Header {
		out.header[http.CanonicalHeaderKey(name)] = values
	}
	return out
}

// codes are the documented codes by status. A status with several codes has its
// most common one.
var codes = map[int]demeterrr.Code{
	400: demeterrr.CodeValidation,
	401: demeterrr.CodeInvalidAPIKey,
	403: demeterrr.CodeInsufficientPermissions,
	404: demeterrr.CodeNotFound,
	409: demeterrr.CodeContactExists,
	429: demeterrr.CodeRateLimited,
	500: demeterrr.CodeInternal,
}

// code returns the error code of the fault; empty if the API documents none.
func (f *fault) code() demeterrr.Code {
	if f.Code != "" {
		return f.Code
	}
	return codes[f.Status]
}

// retryAfter returns the wait to announce, at most the rest of the fault's
// duration.
func (f *fault) retryAfter(now time.Time) time.Duration {
	if f.For > 0 {
		return min(f.RetryAfter, f.end.Sub(now))
	}
	return f.RetryAfter
}

// answer returns the error reply of the fault.
func (f *fault) answer(s *Server, c *call) *reply {
	status, code := f.Status, f.code()
	if status == 0 {
		status = documented[code].status
	}
	switch code {
	case "":
		return proxyPage(status)
	case demeterrr.CodeRateLimited:
		return rateLimited(status, Limit{Requests: 1000, Window: time.Hour}, f.retryAfter(c.now)) // the limit of the documented sample
	case demeterrr.CodeInsufficientPermissions:
		scope := "contacts:write"
		if r, _ := s.findRoute(c.method, c.path); r != nil {
			scope = r.scope
		}
		return scopeError(status, scope)
	default:
		return errorReply(status, errorBody{Code: code, Message: documented[code].message})
	}
}

// proxyPage returns the reply of a proxy between the client and the API.
func proxyPage(status int) *reply {
	if bodiless(status) {
		return &reply{status: status, header: http.Header{}}
	}
	title := fmt.Sprintf("%d %s", status, http.StatusText(status))
	page := "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title +
		"</h1></center>\r\n<hr><center>proxy</center>\r\n</body>\r\n</html>\r\n"
	return &reply{status: status, header: http.Header{"Content-Type": {"text/html"}}, body: []byte(page)}
}

// seconds rounds up to whole seconds, the unit of the headers.
func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }
