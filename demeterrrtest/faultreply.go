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

// apply turns the reply that was due into the one that the fault makes of it.
// The quota's headers are on everything that the API itself answers.
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

// codes are what the API documents for a status; the most usual one where it documents several.
var codes = map[int]demeterrr.Code{
	400: demeterrr.CodeValidation,
	401: demeterrr.CodeInvalidAPIKey,
	403: demeterrr.CodeInsufficientPermissions,
	404: demeterrr.CodeNotFound,
	409: demeterrr.CodeContactExists,
	429: demeterrr.CodeRateLimited,
	500: demeterrr.CodeInternal,
}

// code is that of the error that the fault asks for; empty if the API documents none.
func (f *fault) code() demeterrr.Code {
	if f.Code != "" {
		return f.Code
	}
	return codes[f.Status]
}

// retryAfter is the wait that a reply names: no longer than the fault lasts.
func (f *fault) retryAfter(now time.Time) time.Duration {
	if f.For > 0 {
		return min(f.RetryAfter, f.end.Sub(now))
	}
	return f.RetryAfter
}

// answer is the error that the fault asks for.
func (f *fault) answer(s *Server, c *call) *reply {
	status, code := f.Status, f.code()
	if status == 0 {
		status = documented[code].status
	}
	switch code {
	case "":
		return proxyPage(status)
	case demeterrr.CodeRateLimited:
		return rateLimited(status, Limit{Requests: 1000, Window: time.Hour}, f.retryAfter(c.now)) // the documented sample's limit
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

// proxyPage is what something between the client and the API answers.
func proxyPage(status int) *reply {
	if bodiless(status) {
		return &reply{status: status, header: http.Header{}}
	}
	title := fmt.Sprintf("%d %s", status, http.StatusText(status))
	page := "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title +
		"</h1></center>\r\n<hr><center>proxy</center>\r\n</body>\r\n</html>\r\n"
	return &reply{status: status, header: http.Header{"Content-Type": {"text/html"}}, body: []byte(page)}
}

// seconds rounds up to whole seconds, as headers carry them.
func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }
