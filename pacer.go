package demeterrr

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/demeterrr/demeterrr-go/internal/window"
)

// Limit is at most Requests requests in every interval of length Window.
type Limit struct {
	// Requests is at least 1.
	Requests int
	// Window is more than 0 and at most 366 days.
	Window time.Duration
	// Reserve is how many of Requests are kept for calls of normal priority. It is
	// at least 0, the default, and less than Requests. See [LowPriority].
	Reserve int
}

// check says what is wrong with the limit; it is empty if nothing is.
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
// other limits, and so may your organization.
func DefaultLimits() []Limit {
	return []Limit{{Requests: 100, Window: time.Minute}, {Requests: 1000, Window: time.Hour}}
}

// Pacer is a [Limiter] that keeps one process within its quota, exactly: no
// interval of a limit's length, wherever it begins, sees more requests than the
// limit, whatever their latency. A request that travels for two seconds may be
// counted two seconds late. So it holds its place from Acquire until one window
// after its [Release]. A place is held forever if its Release is never called.
//
// Calls of normal priority go first, in the order of their arrival. Calls of
// low priority, marked with [LowPriority], wait as long as normal calls use up
// the quota. Together they hold at most Requests - Reserve places of each
// [Limit]. So a normal call finds a place at once until normal calls have used
// up the Reserve.
//
// Share one Pacer among all clients of an organization. It is safe for
// concurrent use, and has no goroutine in the background. For each limit it
// remembers up to Requests times, and twice that with a Reserve. The zero value
// has the [DefaultLimits]; a nil Pacer lets nothing through.
//
// A Pacer does not know what was used before it began, by others, or by an
// earlier run of the same program. It learns that from replies, and yields:
// places in use by others count against all calls, and keep the Reserve free.
type Pacer struct {
	mu          sync.Mutex
	limits      []Limit
	problem     string       // what is wrong with limits
	book        *window.Book // nil before the first Acquire
	epoch       time.Time    // the zero of the book's clock
	normal, low line
	unused      *place // a list of released places, to be taken again

	timer   *time.Timer   // serves those in line when the next place is free
	looks   bool          // the timer runs
	looksAt time.Duration // until then
}

// place is what an Acquire took. It is used again, each time with a new ticket:
// a Release with an old ticket does nothing.
type place struct {
	ticket uint64
	low    bool
	next   *place
}

// NewPacer returns a Pacer that keeps all the limits at once: the
// organization's, or a share of them if others need the rest; without any, the
// [DefaultLimits]. If a limit is not as [Limit] describes, New refuses the
// Pacer, and every Acquire fails and says so.
func NewPacer(limits ...Limit) *Pacer {
	p := &Pacer{limits: slices.Clone(limits)}
	for _, l := range limits {
		if problem := l.check(); problem != "" {
			p.problem = "NewPacer: " + problem
		}
	}
	return p
}

// check says what is wrong with the limits; it is empty if nothing is.
func (p *Pacer) check() string {
	if p == nil {
		return "the *Pacer is nil; make one with NewPacer"
	}
	return p.problem
}

// Acquire waits until a request may be sent, and takes its place. Call the
// [Release] when the request is over; a second call of it does nothing. If ctx
// ends first, Acquire returns ctx's error.
//
// If no place can be free before ctx's deadline, Acquire fails early, with an
// [*Error] that matches [ErrRateLimited]. Its RetryAfter is the least time
// until a place can be free. Acquire fails early only if the wait is in vain in
// the best case: every call ahead is sent and over at once, and no call
// overtakes this one. Normal calls that arrive later can still overtake a call
// of low priority. It fails as soon as they put its deadline out of reach, or
// else at the deadline with ctx's error. A call ahead that gives its place back
// unsent can make room sooner than RetryAfter says.
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

// take takes a place that is free.
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

// release gives back the place of a request that is over. The place is free at
// once if the request was not sent, or was refused with a retryAfter. A
// retryAfter holds back every call until then, for an hour at most. If a report
// shows that others have used part of a window, the Pacer leaves them so many
// places until the reported reset, by this machine's clock. Then one request
// tries first whether the window is open again.
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

// report is what the book can learn from an outcome.
func report(outcome LimitOutcome) window.Report {
	r := window.Report{Limit: outcome.RateLimit.Limit, Remaining: outcome.RateLimit.Remaining, RetryAfter: outcome.RetryAfter}
	if reset := outcome.RateLimit.Reset; !reset.IsZero() {
		r.ResetIn = max(time.Until(reset), 0) + time.Second // it may have been cut to the second
	}
	return r
}

// now returns the time on the book's clock, and opens the book when it is first
// asked.
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

// earliest returns when a call can have a place, with so many calls of each
// class ahead in line. Calls of low priority are never ahead of a normal one.
func (p *Pacer) earliest(low bool, now time.Duration, normalAhead, lowAhead int) (at time.Duration, exact bool) {
	if low {
		return p.book.EarliestLow(now, normalAhead+lowAhead, lowAhead)
	}
	return p.book.Earliest(now, normalAhead)
}
