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

// Limit is a rate limit: at most so many requests in a window. Its Reserve is for
// the client's limiter; the server admits every call alike.
type Limit = demeterrr.Limit

// WindowKind says how a window moves. The API does not document its own.
type WindowKind int

const (
	// FixedWindow begins at whole multiples of its length, counted from the Unix epoch (see
	// [WithWindowPhase]): around its edge, twice its limit can pass in a moment.
	FixedWindow WindowKind = iota
	// SlidingWindow looks back over its length from every request: never more than the limit passes
	// in any stretch of that length. A request leaves it exactly one length after it came.
	SlidingWindow
)

// WithRateLimits gives the organization rate limits, all of them at once. A
// request counts when it reaches the server with a good key, whatever comes of
// it, unless it is refused for a limit: that one counts in none of the windows.
// Replies then carry the X-RateLimit headers, which describe the longest window;
// a 429 has the documented body, which describes the window that is full for longest.
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

// WithWindowPhase makes fixed windows begin so much after the whole multiples
// of their length, so that a test can choose where their edges are. It needs
// [WithRateLimits] with [FixedWindow].
func WithWindowPhase(phase time.Duration) Option {
	return func(s *Server) { s.windows.phase = phase }
}

// Window is the state of a rate limit.
type Window struct {
	Limit
	// Used is the number of requests that count in the window, at most Limit.Requests.
	Used int
	// Reset is when the window has room again: a fixed window at its end, a sliding one when its oldest
	// request leaves it.
	Reset time.Time
}

// Windows returns the state of the rate limits now, in the order of
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

// window remembers the requests that it admitted and that still count, oldest first.
type window struct {
	Limit
	admitted []time.Time
}

// state drops the requests that no longer count, and counts the others.
func (ws *windows) state(w *window, now time.Time) Window {
	w.forget(ws.start(w, now))
	return Window{Limit: w.Limit, Used: len(w.admitted), Reset: ws.reset(w, now)}
}

// admit counts a request that comes now, or returns the window that is full for
// longest. The header describes the longest window; it is nil if there are none.
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

// start is the moment from which requests count in the window of now.
func (ws *windows) start(w *window, now time.Time) time.Time {
	if ws.kind == SlidingWindow {
		return now.Add(-w.Window + 1) // one that came exactly a window ago counts no more
	}
	since := time.Duration(now.UnixNano()) - ws.phase
	into := since % w.Window
	if into < 0 {
		into += w.Window
	}
	return now.Add(-into)
}

// reset is when the window has room again: a fixed one at its end, a sliding
// one when its oldest request leaves it.
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

// unixUp rounds up to whole seconds, so that nobody comes back too early.
func unixUp(t time.Time) int64 { return t.Add(time.Second - 1).Unix() }

// rateLimited is the documented answer of a full window (contract, sections 7 and 8).
// Without a wait it leaves retryAfter out.
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

// windowName writes a window as the documented sample does: "1 hour".
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
