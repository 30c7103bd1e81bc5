package demeterrr

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/demeterrr/demeterrr-go/internal/window"
)

// Limit allows at most Requests requests in every interval of length Window.
type Limit struct {
	// Requests is at least 1.
	Requests int
	// Window is more than 0 and at most 366 days.
	Window time.Duration
	// Reserve is the part of Requests kept for calls of normal priority. It is
	// at least 0, the default, and less than Requests. See [LowPriority].
	Reserve int
}

// check returns the mistake in the limit, or "".
func (l Limit) check() string {
	switch {
	case l.Requests < 1 || l.Window <= 0 || l.Window > 366*24*time.Hour:
		return fmt.Sprintf("a limit of %d requests in %v: Requests must be at least 1, Window more than 0 and at most 366 days", l.Requests, l.Window)
	case l.Reserve < 0:
		return fmt.Sprintf("a limit of %d requests in %v with a Reserve of %d: Reserve must be at least 0; 0 keeps nothing back", l.Requests, l.Window, l.Reserve)
	case l.Reserve >= l.Requests:
		return fmt.Sprintf("a limit of %d requests in %v with a Reserve of %d: Reserve must be less than Requests, or no call of low priority is ever sent", l.Requests, l.Window, l.Reserve)
	}
	return ""
}

// DefaultLimits returns the documented default quota of an organization: 100
// requests a minute and 1,000 an hour, without a Reserve. Other plans have
// other limits, and your organization may have its own.
func DefaultLimits() []Limit {
	return []Limit{{Requests: 100, Window: time.Minute}, {Requests: 1000, Window: time.Hour}}
}

// Pacer is a [Limiter] that keeps one process within its quota exactly. Every
// interval of a limit's length, wherever it begins, has at most the limit's
// requests, whatever their latency. The server may count a slow request late.
// So a request holds its place from Acquire until one window after its
// [Release]. If Release is never called, the place is held forever.
//
// Calls of normal priority go first, in order of arrival. Calls of low
// priority, marked with [LowPriority], wait while normal calls use up the
// quota. Together they hold at most Requests - Reserve places of each [Limit].
// So a normal call gets a place at once until normal calls have used up the
// Reserve.
//
// Share one Pacer among all clients of an organization. It is safe for
// concurrent use and has no background goroutine. It remembers up to Requests
// times for each limit, and twice that with a Reserve. The zero value has the
// [DefaultLimits]. A nil Pacer fails every Acquire.
//
// A Pacer starts without knowledge of requests by others, or by an earlier run
// of the same program. It learns of them from replies, and yields. Places used
// by others count against all calls, and the Reserve stays free.
type Pacer struct {
	mu          sync.Mutex
	limits      []Limit
	problem     string       // the mistake in limits, or ""
	book        *window.Book // nil before the first Acquire
	epoch       time.Time    // zero of the book's clock
	normal, low line
	unused      *place // free list of released places

	timer   *time.Timer   // serves the line when the next place is free
	looks   bool          // the timer is running
	looksAt time.Duration // the time it fires
}

// place is a place taken by an Acquire. Places are reused, each time with a new
// ticket. A Release with an old ticket does nothing.
type place struct {
	ticket uint64
	low    bool
	next   *place
}

// NewPacer returns a Pacer that keeps all the limits at once. Pass the
// organization's limits, or a share of them if other programs need the rest.
// Without limits it has the [DefaultLimits]. If a limit is invalid (see
// [Limit]), [New] rejects the Pacer and every Acquire fails with the reason.
func NewPacer(limits ...Limit) *Pacer {
	p := &Pacer{limits: slices.Clone(limits)}
	for _, l := range limits {
		if problem := l.check(); problem != "" {
			p.problem = "NewPacer: " + problem
		}
	}
	return p
}

// check returns the mistake in the limits, or "".
func (p *Pacer) check() string {
	if p == nil {
		return "the *Pacer is nil; make one with NewPacer"
	}
	return p.problem
}

// Acquire waits until a request may be sent, and takes its place. Call the
// [Release] when the request is over; a second call does nothing. If ctx ends
// first, Acquire returns ctx's error.
//
// If no place can come free before ctx's deadline, Acquire fails early with an
// [*Error] that matches [ErrRateLimited]. Its RetryAfter is the shortest
// possible wait for a place. Acquire assumes the best case: each call ahead is
// sent and ends at once, and no call overtakes this one. A normal call that
// arrives later can overtake a call of low priority. The latter then fails as
// soon as its deadline is out of reach, or else at its deadline with ctx's
// error. A call ahead may release its place unsent, so room can come sooner
// than RetryAfter says.
func (p *Pacer) Acquire(ctx context.Context) (Release, error) {
	if problem := p.check(); problem != "" {
		return nil, invalid("%s", problem)
	}
	if ctx == nil {
		return nil, invalid("Pacer.Acquire: the context is nil; pass context.Background() if there is no other")
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	low := IsLowPriority(ctx)
	p.mu.Lock()
	now := p.now()
	at, exact := p.earliest(low, now, p.normal.Len(), p.low.Len())
	if p.head() == nil || !low && p.normal.Len() == 0 {
		if exact && at <= now {
			defer p.mu.Unlock()
			return p.take(low), nil
		}
	}
	w := &waiter{ctx: ctx, low: low, done: make(chan struct{})}
	if w.late(p.epoch, at) {
		p.mu.Unlock()
		return nil, tooLate(at - now)
	}
	p.enqueue(w, now)
	p.serve(now)
	waits := w.queued != nil
	p.mu.Unlock()
	if !waits {
		return w.release, nil
	}
	return p.wait(w, p.epoch.Add(at))
}

// take takes a free place.
func (p *Pacer) take(low bool) Release {
	p.book.Begin(low)
	taken := p.unused
	if taken == nil {
		taken = &place{}
	}
	p.unused, taken.next, taken.low = taken.next, nil, low
	ticket := taken.ticket
	return func(outcome LimitOutcome) { p.release(taken, ticket, outcome) }
}

// release gives back the place of a finished request. The place is free at once
// if the request was unsent, or was refused with a retryAfter. A retryAfter
// pauses every call, for an hour at most. If the reported quota shows use by
// others, the Pacer leaves them that many places until the reported reset, by
// this machine's clock. Then one request tests whether the window is open
// again.
func (p *Pacer) release(taken *place, ticket uint64, outcome LimitOutcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if taken.ticket != ticket {
		return
	}
	taken.ticket++
	taken.next, p.unused = p.unused, taken
	now := p.now()
	if outcome.Sent && outcome.RetryAfter <= 0 {
		p.book.End(taken.low, now)
	} else {
		p.book.GiveBack(taken.low)
	}
	if outcome.Sent && p.book.Learn(now, report(outcome)) {
		p.refuseLate(now)
	}
	p.serve(now)
}

// report converts an outcome for the book.
func report(outcome LimitOutcome) window.Report {
	r := window.Report{Limit: outcome.RateLimit.Limit, Remaining: outcome.RateLimit.Remaining, RetryAfter: outcome.RetryAfter}
	if reset := outcome.RateLimit.Reset; !reset.IsZero() {
		r.ResetIn = max(time.Until(reset), 0) + time.Second // the reset may be cut to the second
	}
	return r
}

// now returns the time on the book's clock. The first call opens the book.
func (p *Pacer) now() time.Duration {
	if p.book == nil {
		if len(p.limits) == 0 {
			p.limits = DefaultLimits()
		}
		limits := make([]window.Limit, len(p.limits))
		for i, l := range p.limits {
			limits[i] = window.Limit(l)
		}
		p.book, p.epoch = window.New(limits), time.Now()
	}
	return time.Since(p.epoch)
}

// earliest returns the time of a call's place, given the calls ahead in each
// class. Normal calls are always ahead of calls of low priority.
func (p *Pacer) earliest(low bool, now time.Duration, normalAhead, lowAhead int) (at time.Duration, exact bool) {
	if low {
		return p.book.EarliestLow(now, normalAhead+lowAhead, lowAhead)
	}
	return p.book.Earliest(now, normalAhead)
}
