package fakepage

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	demeterrr "github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// The limits of a control.
const (
	maxControl = 64 << 10 // bytes of a body
	maxFaults  = 100      // that wait
	maxSeconds = 24 * 60 * 60
)

// fault is a [demeterrrtest.Fault] in JSON. Times are in seconds.
type fault struct {
	Route       string            `json:"route,omitempty"`
	Skip        int               `json:"skip,omitempty"`
	Times       int               `json:"times,omitempty"`
	For         float64           `json:"for,omitempty"`
	Status      int               `json:"status,omitempty"`
	Code        string            `json:"code,omitempty"`
	AfterWork   bool              `json:"afterWork,omitempty"`
	Body        string            `json:"body,omitempty"`
	ContentType string            `json:"contentType,omitempty"`
	RetryAfter  float64           `json:"retryAfter,omitempty"`
	Header      map[string]string `json:"header,omitempty"`
	Delay       float64           `json:"delay,omitempty"`
	Drop        string            `json:"drop,omitempty"`
	IgnoreQuery []string          `json:"ignoreQuery,omitempty"`
}

// faultWith is a fault with its description.
type faultWith struct {
	fault
	What string `json:"what"`
}

// drops are the names of the ways for a connection to fail.
var drops = map[string]demeterrrtest.Drop{
	"": 0, "noConnection": demeterrrtest.NoConnection, "before": demeterrrtest.DropBefore, "after": demeterrrtest.DropAfter, "truncate": demeterrrtest.Truncate,
}

// readFault reads the fault of a page or a script.
func readFault(body io.Reader) (demeterrrtest.Fault, error) {
	var in *fault
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil {
		return demeterrrtest.Fault{}, fmt.Errorf("want a fault as a JSON object, such as {\"status\": 500}: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) || in == nil {
		return demeterrrtest.Fault{}, errors.New("want one JSON object and nothing after it, such as {\"status\": 500}")
	}
	drop, known := drops[in.Drop]
	if !known {
		return demeterrrtest.Fault{}, fmt.Errorf("drop %q: want noConnection, before, after or truncate", in.Drop)
	}
	for name, seconds := range map[string]float64{"for": in.For, "retryAfter": in.RetryAfter, "delay": in.Delay} {
		if seconds != 0 && (seconds < 0.001 || seconds > maxSeconds) {
			return demeterrrtest.Fault{}, fmt.Errorf("%s: want 0 to %d seconds, and at least a millisecond if not 0", name, maxSeconds)
		}
	}
	f := demeterrrtest.Fault{
		Route: in.Route, Skip: in.Skip, Times: in.Times, For: duration(in.For), Status: in.Status, Code: demeterrr.Code(in.Code), AfterWork: in.AfterWork,
		Body: in.Body, ContentType: in.ContentType, RetryAfter: duration(in.RetryAfter), Delay: duration(in.Delay), Drop: drop, IgnoreQuery: in.IgnoreQuery,
	}
	for name, value := range in.Header {
		if f.Header == nil {
			f.Header = http.Header{}
		}
		f.Header.Set(name, value)
	}
	return f, nil
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

// newFault converts a fault to JSON.
func newFault(f demeterrrtest.Fault) faultWith {
	out := faultWith{fault: fault{
		Route: f.Route, Skip: f.Skip, Times: f.Times, For: f.For.Seconds(), Status: f.Status, Code: string(f.Code), AfterWork: f.AfterWork,
		Body: f.Body, ContentType: f.ContentType, RetryAfter: f.RetryAfter.Seconds(), Delay: f.Delay.Seconds(), IgnoreQuery: f.IgnoreQuery,
	}, What: what(f)}
	for name := range f.Header {
		if out.Header == nil {
			out.Header = map[string]string{}
		}
		out.Header[name] = f.Header.Get(name)
	}
	for name, drop := range drops {
		if drop == f.Drop {
			out.Drop = name
		}
	}
	return out
}

// happens describes the effect of a fault on a request.
func happens(f *demeterrrtest.Fault) string {
	switch {
	case f.Drop == demeterrrtest.NoConnection:
		return "no connection"
	case f.Drop == demeterrrtest.DropBefore:
		return "connection lost before the work"
	case f.Drop == demeterrrtest.DropAfter:
		return "reply lost after the work"
	case f.Drop == demeterrrtest.Truncate:
		return "reply cut short"
	case f.Status != 0 && f.AfterWork:
		return fmt.Sprintf("%d after the work", f.Status)
	case f.Status != 0:
		return fmt.Sprintf("%d", f.Status)
	case f.Code != "":
		return string(f.Code)
	case f.Delay > 0:
		return "reply delayed by " + f.Delay.String()
	case f.Body != "":
		return "another body"
	case len(f.IgnoreQuery) > 0:
		return "query ignored"
	}
	return "other headers"
}

// what describes a pending fault: "500, the next POST /contacts". The page adds
// how long it lasts.
func what(f demeterrrtest.Fault) string {
	requests := cmp.Or(f.Route, "request")
	text := happens(&f)
	if f.Skip > 0 {
		text += fmt.Sprintf(" after %d more", f.Skip)
	}
	switch {
	case f.Times == demeterrrtest.Always || f.Times == 0 && f.For > 0:
		return text + ", every " + requests
	case f.Times > 1:
		return fmt.Sprintf("%s, the next %d %s", text, f.Times, cmp.Or(f.Route, "requests"))
	}
	return text + ", the next " + requests
}
