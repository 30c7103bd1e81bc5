package fakepage

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// The memory for requests: the newest ones, with the start of each body.
const (
	keptRequests = 1000
	keptBody     = 4096
	keptText     = 512
)

// request is a request as the page shows it.
type request struct {
	Number int    `json:"number"` // counts up from 1
	At     stamp  `json:"at"`
	Method string `json:"method"`
	Path   string `json:"path"`
	Query  string `json:"query"`
	Status int    `json:"status"` // 0: the reply was lost
	// Why is the reason for a failure, in words; empty for a success.
	Why       string     `json:"why"`
	Throttled *window    `json:"throttled"`
	Fault     *faultWith `json:"fault"`
}

// requestDetails is a request with its bodies.
type requestDetails struct {
	request
	Body      string `json:"body"`
	ErrorBody string `json:"errorBody"`
	UserAgent string `json:"userAgent"`
}

// newRequest shortens a request and replaces the key everywhere.
func newRequest(number int, r demeterrrtest.Request, key string) *requestDetails {
	clean := func(text string, most int) string { return cut(strings.ReplaceAll(text, key, "[key]"), most) }
	enough := keptBody * (len(key) + 1) // even for a body full of keys
	start := func(body []byte) string { return string(body[:min(len(body), enough)]) }
	d := &requestDetails{
		request: request{
			Number: number, At: stamp(r.At), Method: cut(r.Method, keptText), Path: clean(r.Path, keptText), Query: clean(r.Query.Encode(), keptText),
			Status: r.Status, Why: clean(why(r), keptText),
		},
		Body: clean(start(r.Body), keptBody), ErrorBody: clean(start(r.ErrorBody), keptBody), UserAgent: clean(r.Header.Get("User-Agent"), keptText),
	}
	if r.Throttled != nil {
		d.Throttled = newWindow(*r.Throttled)
	}
	if r.Fault != nil {
		f := newFault(*r.Fault)
		f.Body, f.Header = "", nil // the reply has them
		d.Fault = &f
	}
	return d
}

// cut shortens a text, with a mark at its end.
func cut(text string, most int) string {
	if len(text) <= most {
		return strings.ToValidUTF8(text, "\uFFFD")
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// why gives the reason for a failure.
func why(r demeterrrtest.Request) string {
	var reasons []string
	if r.Fault != nil {
		reasons = append(reasons, "injected: "+happens(r.Fault))
	}
	answers := r.Fault != nil && (r.Fault.Status != 0 || r.Fault.Code != "" || r.Fault.Body != "")
	switch {
	case r.Throttled != nil:
		w := newWindow(*r.Throttled)
		reasons = append(reasons, fmt.Sprintf("%s used up, room in %s", w.text(), wait(r.Throttled.Reset.Sub(r.At))))
	case r.Status >= 400 && !answers:
		reasons = append(reasons, refusal(r))
	}
	return strings.Join(reasons, "; ")
}

// refusal is the API's error in one line.
func refusal(r demeterrrtest.Request) string {
	var body struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
			Details []struct {
				Field   string `json:"field"`
				Message string `json:"message"`
			} `json:"details"`
		} `json:"error"`
	}
	if len(r.ErrorBody) > maxControl || json.Unmarshal(r.ErrorBody, &body) != nil {
		return http.StatusText(r.Status)
	}
	problems := make([]string, len(body.Error.Details))
	for i, d := range body.Error.Details {
		problems[i] = d.Field + " " + d.Message
	}
	if len(problems) > 0 {
		return body.Error.Code + ": " + strings.Join(problems, ", ")
	}
	return body.Error.Code + ": " + body.Error.Message
}

// wait writes a time to wait in whole seconds, rounded up: "34 s", "12 min", "3 h".
func wait(d time.Duration) string {
	seconds := int((d + time.Second - 1) / time.Second)
	switch {
	case seconds <= 120:
		return fmt.Sprintf("%d s", seconds)
	case seconds <= 2*60*60:
		return fmt.Sprintf("%d min", (seconds+59)/60)
	}
	return fmt.Sprintf("%d h", (seconds+3599)/3600)
}
