package demeterrrtest

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	demeterrr "github.com/demeterrr/demeterrr-go"
)

// Limit is a rate limit: a number of requests in a window. Its Reserve is for
// the client's limiter; the server treats all calls alike.
type Limit = demeterrr.Limit

// WindowKind is the way a window moves over time. The API does not document its
// own.
type WindowKind int

const (
	// FixedWindow starts at whole multiples of its length since the Unix epoch
	// (see [WithWindowPhase]). Around its edge, twice its limit can pass within
	// a moment.
	FixedWindow WindowKind = iota
	// SlidingWindow looks back over its length at every request. So any stretch
	// of that length has at most the limit. A request leaves the window exactly
	// one length after it came.
	SlidingWindow
)

// WithRateLimits gives the organization rate limits, all in force at once. A
// request with a valid key counts when it reaches the server, whatever its
// result. The exception is a request over a limit: it counts in none of the
// windows.
//
// Replies then carry the X-RateLimit headers of the longest window. A 429 has
// the documented body, for the full window with the longest wait.
func WithRateLimits(kind WindowKind, limits ...Limit) Option {
	if kind != FixedWindow && kind != SlidingWindow {
		misuse("WithRateLimits: window kind %d is not known", kind)
	}
	if len(limits) == 0 {
		misuse("WithRateLimits: no limit is given; leave the option out for none")
	}
	for _, l := range limits {
		if l.Requests < 1 || l.Window <= 0 {
			misuse("WithRateLimits: need at least one request and a window, have %d per %v", l.Requests, l.Window)
		}
	}
	limits = slices.Clone(limits)
	return func(s *Server) {
		s.windows.kind, s.windows.all = kind, nil
		for _, l := range limits {
			s.windows.all = append(s.windows.all, &window{Limit: l})
		}
	}
}

// WithWindowPhase shifts the start of fixed windows by phase, so that a test
// can choose their edges. It needs [WithRateLimits] with [FixedWindow].
func WithWindowPhase(phase time.Duration) Option {
	return func(s *Server) { s.windows.phase = phase }
}

// Window is the state of a rate limit.
type Window struct {
	Limit
	// Used is the number of requests that count in the window, at most
	// Limit.Requests.
	Used int
	// Reset is the time when the window has room again. For a fixed window that
	// is its end, for a sliding one the exit of its oldest request.
	Reset time.Time
}

// Windows returns the current state of the rate limits, in the order of
// [WithRateLimits]. It is empty without rate limits.
func (s *Server) Windows() []Window {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	out := make([]Window, len(s.windows.all))
	for i, w := range s.windows.all {
		out[i] = s.windows.state(w, now)
	}
	return out
}

// windows are all the limits of the organization.
type windows struct {
	kind  WindowKind
	phase time.Duration
	all   []*window
}

// window has the admitted requests that still count, oldest first.
type window struct {
	Limit
	admitted []time.Time
}

// state drops the requests that no longer count, and counts the rest.
func (ws *windows) state(w *window, now time.Time) Window {
	w.forget(ws.start(w, now))
	return Window{Limit: w.Limit, Used: len(w.admitted), Reset: ws.reset(w, now)}
}

// admit counts a request at the time now. If a window is full, it returns the
// one with the longest wait. header describes the longest window; nil without
// rate limits.
func (ws *windows) admit(now time.Time) (header http.Header, full *Window) {
	if len(ws.all) == 0 {
		return nil, nil
	}
	for _, w := range ws.all {
		state := ws.state(w, now)
		if state.Used >= w.Requests && (full == nil || state.Reset.After(full.Reset)) {
			full = &state
		}
	}
	if full == nil {
		for _, w := range ws.all {
			w.admitted = append(w.admitted, now)
		}
	}
	longest := slices.MaxFunc(ws.all, func(a, b *window) int { return cmp.Compare(a.Window, b.Window) })
	header = make(http.Header)
	header.Set("X-RateLimit-Limit", strconv.Itoa(longest.Requests))
	header.Set("X-RateLimit-Remaining", strconv.Itoa(longest.Requests-len(longest.admitted)))
	header.Set("X-RateLimit-Reset", strconv.FormatInt(unixUp(ws.reset(longest, now)), 10))
	return header, full
}

// start returns the time from which requests count in the current window.
func (ws *windows) start(w *window, now time.Time) time.Time {
	if ws.kind == SlidingWindow {
		return now.Add(-w.Window + 1) // a request from exactly one window ago is out
	}
	since := time.Duration(now.UnixNano()) - ws.phase
	into := since % w.Window
	if into < 0 {
		into += w.Window
	}
	return now.Add(-into)
}

// reset returns the time when the window has room again: the end of a fixed
// one, the exit of the oldest request of a sliding one.
func (ws *windows) reset(w *window, now time.Time) time.Time {
	switch {
	case ws.kind == FixedWindow:
		return ws.start(w, now).Add(w.Window)
	case len(w.admitted) > 0:
		return w.admitted[0].Add(w.Window)
	}
	return now.Add(w.Window)
}

// forget drops the requests that came before start.
func (w *window) forget(start time.Time) {
	for len(w.admitted) > 0 && w.admitted[0].Before(start) {
		w.admitted = w.admitted[1:]
	}
}

// unixUp rounds up to whole seconds: earlier, the window would still be full.
func unixUp(t time.Time) int64 { return t.Add(time.Second - 1).Unix() }

// rateLimited returns the documented reply for a full window (contract,
// sections 7 and 8). With a zero wait it leaves out retryAfter.
func rateLimited(status int, full Limit, wait time.Duration) *reply {
	type details struct {
		RetryAfter int    `json:"retryAfter,omitempty"`
		Limit      int    `json:"limit"`
		Window     string `json:"window"`
	}
	out := errorReply(status, errorBody{
		Code:    demeterrr.CodeRateLimited,
		Message: documented[demeterrr.CodeRateLimited].message,
		Details: details{seconds(wait), full.Requests, windowName(full.Window)},
	})
	if wait > 0 {
		out.header.Set("Retry-After", strconv.Itoa(seconds(wait)))
	}
	return out
}

// windowName formats a window like the documented sample: "1 hour".
func windowName(d time.Duration) string {
	for _, unit := range []struct {
		name   string
		length time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}} {
		if n := d / unit.length; n > 0 && d%unit.length == 0 {
			if n == 1 {
				return "1 " + unit.name
			}
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	return d.String()
}
