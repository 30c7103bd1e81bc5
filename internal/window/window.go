// Package window keeps the books of several sliding windows at once, exactly and
// in O(limit) memory. It knows no lock, no clock and no queue: times are
// durations on a clock of the caller's that never runs backwards.
//
// One fact carries it. A place is taken from the moment a request begins until
// one window after it ended. So the n-th request to begin may do so one window
// after the (n-limit)-th end: no more than limit-1 of the n-1 before it can then
// still hold a place, whichever they are. A ring of the last ends is all there is.
package window

import (
	"sort"
	"time"
)

// Limit is at most Requests requests in every interval of length Window.
type Limit struct {
	Requests int
	Window   time.Duration
}

// Report is what the end of a request told about the quota.
type Report struct {
	// Limit and Remaining are those of one window; Limit 0 if nothing was reported.
	Limit, Remaining int
	// ResetIn is how long that window still lasts; 0 if it was not reported.
	ResetIn time.Duration
	// RetryAfter is for how long nothing may begin; 0 if the request was not refused.
	RetryAfter time.Duration
}

// maxPause bounds what one refusal can ask for.
const maxPause = time.Hour

// Book counts requests against limits. It must be made with [New].
type Book struct {
	windows      []window
	ends         []time.Duration // a ring: the m-th end is at (m-1) % size; it grows to size as ends come
	size         int
	begun, ended int
	resume       time.Duration // nothing begins before: a refusal asked for it
}

// window is a limit, and how many of its places others seem to hold. What is
// known of others is forgotten after a window at the latest; before that, from
// the time ask on, requests may find out by one at a time.
type window struct {
	Limit
	foreign    int
	ask, until time.Duration
}

// New returns a Book of the limits, whose members must all be positive.
func New(limits []Limit) *Book {
	b := &Book{}
	for _, l := range limits {
		b.windows = append(b.windows, window{Limit: l})
		b.size = max(b.size, l.Requests)
	}
	return b
}

// Begin takes a place; the caller has asked Earliest for it.
func (b *Book) Begin() { b.begun++ }

// End frees a place, one window after now; at once if the request was refused,
// because then no window has counted it. It reports false, and does nothing, if
// no request is under way.
func (b *Book) End(now time.Duration, refused bool) bool {
	if b.ended == b.begun {
		return false
	}
	if refused {
		b.begun--
		return true
	}
	if len(b.ends) < b.size {
		b.ends = append(b.ends, now)
	} else {
		b.ends[b.ended%b.size] = now
	}
	b.ended++
	return true
}

// Earliest returns when the request that is i places back in the line can begin;
// ahead tells the same of those before it. If it is not exact, because requests
// under way must end first, it is the soonest that it could be.
func (b *Book) Earliest(i int, now time.Duration, ahead func(i int) time.Duration) (at time.Duration, exact bool) {
	n := b.begun + i + 1
	at, exact = b.resume, true
	for j := range b.windows {
		w := &b.windows[j]
		free, ok := b.end(n-w.Requests, now, ahead)
		if w.foreign > 0 && now < w.until {
			m := n - w.Requests + w.foreign
			shared, sharedOK := b.end(min(m, n-1), now, ahead)
			if m == n || shared+w.Window > w.ask {
				shared, sharedOK = w.ask-w.Window, n == b.ended+1 // with nothing else under way
			}
			free, ok = max(free, shared), ok && sharedOK
		}
		at, exact = max(at, free+w.Window), exact && ok
	}
	return at, exact
}

// end returns when the m-th end was, or the soonest that it can be.
func (b *Book) end(m int, now time.Duration, ahead func(i int) time.Duration) (at time.Duration, exact bool) {
	switch {
	case m <= 0:
		return -1 << 62, true // before any window
	case m <= b.ended:
		return b.ends[(m-1)%b.size], true
	case m <= b.begun:
		return now, false
	default:
		return min(ahead(m-b.begun-1), 1<<62), false // no sum overflows
	}
}

// Learn takes in what the end of a request told, and reports whether it changed
// anything. What a window has counted beyond our own places must be others', and
// so many places are left to them. Our places are an upper bound of what the
// server counts for us, so that alone there are none of others.
func (b *Book) Learn(now time.Duration, r Report) (changed bool) {
	known, refused := b.reported(r), r.RetryAfter > 0
	if known != nil {
		used := r.Limit - r.Remaining
		changed = known.leave(used-b.held(known, now), b.underWay(), now, r.ResetIn, refused && r.Remaining == 0)
	}
	switch {
	case refused && (known == nil || r.Remaining > 0):
		changed = b.guess(known, now, r.RetryAfter, true) || changed
	case known == nil && r.Limit > 0 && r.Remaining == 0:
		changed = b.guess(nil, now, r.ResetIn, false)
	}
	if refused {
		b.resume = max(b.resume, now+min(r.RetryAfter, maxPause))
	}
	return changed || refused
}

// reported returns the window that the report describes, as far as its limit tells; nil if none.
func (b *Book) reported(r Report) *window {
	for j := range b.windows {
		if w := &b.windows[j]; w.Requests == r.Limit && 0 <= r.Remaining && r.Remaining <= r.Limit {
			return w
		}
	}
	return nil
}

// guess deals with a window that is used up, is not named, and is not known. Most
// likely, and at the least cost, it is the one where we have the fewest places left.
func (b *Book) guess(known *window, now, askIn time.Duration, refused bool) (changed bool) {
	var tightest *window
	var left int
	for j := range b.windows {
		w := &b.windows[j]
		if free := w.Requests - b.held(w, now); w != known && (tightest == nil || free < left) {
			tightest, left = w, free
		}
	}
	return tightest != nil && tightest.leave(left, b.underWay(), now, askIn, refused)
}

// leave leaves at least so many places to others for a window from now on, or up
// to underWay more, as the server may not have counted yet what is under way: what
// was known decides. It has counted none of that if this request was refused.
// After askIn, if that is known and sensible, requests may ask. If one that asked
// was refused, others take what becomes free: none asks again in this window.
func (w *window) leave(places, underWay int, now, askIn time.Duration, refused bool) (changed bool) {
	was := w.foreign
	if now >= w.until {
		was = 0
	}
	asked := was > 0 && w.ask <= now
	if askIn <= 0 || askIn > w.Window || refused && asked {
		askIn = w.Window
	}
	most := min(places+underWay, w.Requests)
	if refused {
		places = most
	}
	w.foreign = max(min(max(was, places), most), 0)
	w.ask, w.until = now+askIn, now+w.Window
	return was > 0 || w.foreign > 0
}

// underWay returns how many requests are.
func (b *Book) underWay() int { return b.begun - b.ended }

// held returns how many places of w our own requests hold.
func (b *Book) held(w *window, now time.Duration) int {
	kept := min(b.ended, w.Requests)
	first := b.ended - kept
	gone := sort.Search(kept, func(i int) bool { return b.ends[(first+i)%b.size]+w.Window > now })
	return b.begun - first - gone
}
