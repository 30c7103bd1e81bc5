// Package window counts requests in several sliding windows at once, exactly
// and in O(limit) memory. It has no lock, clock or queue: times are durations
// on a clock of the caller that never runs backwards.
//
// It rests on one fact. A place is taken from the begin of a request until one
// window after its end. So the n-th request may begin one window after the
// (n-limit)-th end: of the n-1 requests before it, at most limit-1 can then
// still hold a place, whichever they are. A ring of the last ends is enough.
//
// There are two such ledgers: one for all requests, and one for those of low
// priority, which leave a part of each window to the others.
package window

import "time"

// Limit allows at most Requests requests in every interval of length Window. At
// most Requests - Reserve of them have low priority.
type Limit struct {
	Requests int
	Window   time.Duration
	Reserve  int
}

// Report is the news about the quota at the end of a request.
type Report struct {
	// Limit and Remaining describe one window; Limit is 0 if nothing was
	// reported.
	Limit, Remaining int
	// ResetIn is the time left in that window; 0 if it was not reported.
	ResetIn time.Duration
	// RetryAfter is the time during which nothing may begin; 0 without a
	// refusal.
	RetryAfter time.Duration
}

// maxPause bounds the pause after one refusal.
const maxPause = time.Hour

// Book counts requests against limits. Make one with [New].
type Book struct {
	windows  []*window
	all, low ledger        // low has no shares if no limit has a Reserve
	resume   time.Duration // nothing begins before: a refusal asked for it
}

// window is a limit with the places that others seem to hold. The knowledge
// about others is dropped after one window at the latest. Before that, from the
// time ask on, requests test it one at a time.
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

// Begin takes a place. Ask Earliest or EarliestLow before.
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
		b.low.replan() // requests in line may begin sooner than planned
	}
}

// Earliest returns when the request with ahead others before it in line can
// begin. The time is exact unless requests in flight must end first. It is then
// the earliest possible time, if all requests before it are sent.
func (b *Book) Earliest(now time.Duration, ahead int) (at time.Duration, exact bool) {
	return b.all.earliest(now, b.resume, ahead)
}

// EarliestLow is Earliest for a request of low priority. ahead counts the
// requests of both classes before it, lowAhead those of low priority.
func (b *Book) EarliestLow(now time.Duration, ahead, lowAhead int) (at time.Duration, exact bool) {
	at, exact = b.all.earliest(now, b.resume, ahead)
	own, ok := b.low.earliest(now, b.resume, lowAhead)
	return max(at, own), exact && ok
}

// Learn applies the news at the end of a request, and reports whether anything
// changed. Places counted by a window beyond our own belong to others, and are
// left to them. Our places are an upper bound of the server's count for us, so
// a lone client never sees others.
func (b *Book) Learn(now time.Duration, r Report) (changed bool) {
	known, refused := b.reported(r), r.RetryAfter > 0
	if known != nil {
		used := r.Limit - r.Remaining
		changed = known.leave(used-b.all.held(known, now), b.all.underWay(), now, r.ResetIn, refused && r.Remaining == 0)
	}
	switch {
	case refused && (known == nil || r.Remaining > 0):
		b.guess(known, now, r.RetryAfter, true)
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

// reported returns the window that the report describes, judged by its limit;
// nil if none fits.
func (b *Book) reported(r Report) *window {
	for _, w := range b.windows {
		if w.Requests == r.Limit && 0 <= r.Remaining && r.Remaining <= r.Limit {
			return w
		}
	}
	return nil
}

// guess handles a used-up window that is neither named nor known. It chooses
// the window with the fewest of our places left: the most likely one, and the
// cheapest mistake.
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

// leave leaves at least places to others, for one window from now. The server
// may have yet to count our underWay requests in flight, so up to underWay more
// places can belong to others. Between these bounds, earlier knowledge decides.
// After a refusal the upper bound holds: the server has counted none of them.
// From askIn on, if that is known and plausible, requests may ask. If a request
// that asked was refused, others take the places that become free, and no other
// request asks in this window.
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
