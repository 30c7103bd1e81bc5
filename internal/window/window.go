// Package window keeps the books of several sliding windows at once, exactly
// and in O(limit) memory. It knows no lock, no clock and no queue: times are
// durations on a clock of the caller's that never runs backwards.
//
// One fact carries it. A place is taken from the moment a request begins until
// one window after it ended. So the n-th request to begin may do so one window
// after the (n-limit)-th end: no more than limit-1 of the n-1 before it can
// then still hold a place, whichever they are. A ring of the last ends is all
// there is.
//
// There are two such ledgers: one of all requests, and one of those of low
// priority, which leave a part of each window to the others.
package window

import "time"

// Limit is at most Requests requests in every interval of length Window, and at
// most Requests - Reserve of low priority.
type Limit struct {
	Requests int
	Window   time.Duration
	Reserve  int
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
	windows  []*window
	all, low ledger        // low has no shares if no limit has a Reserve
	resume   time.Duration // nothing begins before: a refusal asked for it
}

// window is a limit, and how many of its places others seem to hold. What is
// known of others is forgotten after a window at the latest; before that, from
// the time ask on, requests may find out by one at a time.
type window struct {
	Limit
	foreign    int
	ask, until time.Duration
}

// New returns a Book of the limits. Their Requests and Window must be positive,
// and their Reserve at least 0 and below Requests.
func New(limits []Limit) *Book {
	b := &Book{}
	b.low.under = &b.all
	for _, l := range limits {
		w := &window{Limit: l}
		b.windows = append(b.windows, w)
		b.all.add(share{l.Requests, w})
		if l.Reserve > 0 {
			b.low.add(share{l.Requests - l.Reserve, w})
		}
	}
	return b
}

// Begin takes a place; the caller has asked Earliest or EarliestLow for it.
func (b *Book) Begin(low bool) {
	b.all.begun++
	if low {
		b.low.begun++
	}
}

// End frees the place of a request, one window after now.
func (b *Book) End(low bool, now time.Duration) {
	b.all.end(now)
	if low {
		b.low.end(now)
	}
}

// GiveBack frees a place at once: no window has counted its request.
func (b *Book) GiveBack(low bool) {
	b.all.begun--
	if low {
		b.low.begun--
	} else {
		b.low.replan() // those in line may begin sooner than planned
	}
}

// Earliest returns when the request with ahead others before it in line can
// begin. If the time is not exact, because requests under way must end first,
// it is the soonest that it can be, if all those before it are sent.
func (b *Book) Earliest(now time.Duration, ahead int) (at time.Duration, exact bool) {
	return b.all.earliest(now, b.resume, ahead)
}

// EarliestLow is Earliest for a request of low priority, when ahead of it are
// requests of both classes, and lowAhead of them of its own.
func (b *Book) EarliestLow(now time.Duration, ahead, lowAhead int) (at time.Duration, exact bool) {
	at, exact = b.all.earliest(now, b.resume, ahead)
	own, ok := b.low.earliest(now, b.resume, lowAhead)
	return max(at, own), exact && ok
}

// Learn takes in what the end of a request told, and reports whether it changed
// anything. What a window has counted beyond our own places must be others',
// and so many places are left to them. Our places are an upper bound of what
// the server counts for us, so that alone there are none of others.
func (b *Book) Learn(now time.Duration, r Report) (changed bool) {
	known, refused := b.reported(r), r.RetryAfter > 0
	if known != nil {
		used := r.Limit - r.Remaining
		changed = known.leave(used-b.all.held(known, now), b.all.underWay(), now, r.ResetIn, refused && r.Remaining == 0)
	}
	switch {
	case refused && (known == nil || r.Remaining > 0):
		changed = b.guess(known, now, r.RetryAfter, true) || changed
	case known == nil && r.Limit > 0 && r.Remaining == 0:
		changed = b.guess(nil, now, r.ResetIn, false)
	}
	if resume := now + min(r.RetryAfter, maxPause); refused && resume > b.resume {
		b.resume = resume
		b.all.replan()
		b.low.replan()
	}
	return changed || refused
}

// reported returns the window that the report describes, as far as its limit
// tells; nil if none.
func (b *Book) reported(r Report) *window {
	for _, w := range b.windows {
		if w.Requests == r.Limit && 0 <= r.Remaining && r.Remaining <= r.Limit {
			return w
		}
	}
	return nil
}

// guess deals with a window that is used up, is not named, and is not known.
// Most likely, and at the least cost, it is the one where we have the fewest
// places left.
func (b *Book) guess(known *window, now, askIn time.Duration, refused bool) (changed bool) {
	var tightest *window
	var left int
	for _, w := range b.windows {
		if free := w.Requests - b.all.held(w, now); w != known && (tightest == nil || free < left) {
			tightest, left = w, free
		}
	}
	return tightest != nil && tightest.leave(left, b.all.underWay(), now, askIn, refused)
}

// leave leaves at least so many places to others for a window from now on, or
// up to underWay more, as the server may not have counted yet what is under
// way: what was known decides. It has counted none of that if this request was
// refused. After askIn, if that is known and sensible, requests may ask. If one
// that asked was refused, others take what becomes free: none asks again in
// this window.
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
