package demeterrr

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
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

// DefaultLimits returns the documented default quota of an organization: 100
// requests a minute and 1,000 an hour. Other
// plans have others, and so may your organization.
func DefaultLimits() []Limit {
	return []Limit{{Requests: 100, Window: time.Minute}, {Requests: 1000, Window: time.Hour}}
}

// Pacer is a [Limiter] that keeps one process within its quota, exactly: no
// interval of a limit's length, wherever it begins, sees more requests than the
// limit, whatever their latency. A request that travels for two seconds may be
// counted two seconds late, so it takes its place from Acquire until one window after Release.
//
// Calls are served first come, first served. A Pacer starts no goroutine, and
// remembers as many times as the largest limit has requests. It is safe for
// concurrent use; share one among all clients of an organization. The zero
// value has the [DefaultLimits]; a nil Pacer lets nothing through.
//
// A Pacer does not know what was used before it began, by others, or by an earlier
// run of the same program. It finds out from what replies report, and yields.
type Pacer struct {
	mu      sync.Mutex
	limits  []Limit
	problem string       // what is wrong with limits
	book    *window.Book // nil before the first Acquire
	epoch   time.Time    // the zero of the book's clock
	queue   []*waiter    // in the order of their coming
}

// waiter is an Acquire that found no place.
type waiter struct {
	ctx  context.Context
	at   time.Duration // when its place is free, or the soonest that it can be
	wake chan struct{} // holds a token when it has reason to look again
}

// NewPacer returns a Pacer that keeps all the limits at once: the organization's,
// or a share of them if others need the rest; without any, the [DefaultLimits].
// If a limit is not as [Limit] describes, New refuses the Pacer, and every Acquire fails
// and says so.
func NewPacer(limits ...Limit) *Pacer {
	p := &Pacer{limits: slices.Clone(limits)}
	for _, l := range limits {
		if l.Requests < 1 || l.Window <= 0 || l.Window > 366*24*time.Hour {
			p.problem = fmt.Sprintf("NewPacer: a limit of %d requests in %v: Requests must be at least 1, Window more than 0 and at most 366 days", l.Requests, l.Window)
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

// Acquire returns when a request may be sent; the [Release] must then be called
// when it is over. If ctx ends before, Acquire returns ctx's error. If ctx has a
// deadline and no place can be free before it, Acquire fails at once: an [*Error]
// that matches [ErrRateLimited], whose RetryAfter is how long it would have
// taken, at the least. A Release that is called again does nothing.
func (p *Pacer) Acquire(ctx context.Context) (Release, error) {
	if err := p.wait(ctx); err != nil {
		return nil, err
	}
	var released atomic.Bool
	return func(outcome LimitOutcome) {
		if !released.Swap(true) {
			p.release(outcome)
		}
	}, nil
}

func (p *Pacer) wait(ctx context.Context) error {
	if problem := p.check(); problem != "" {
		return invalid("%s", problem)
	}
	if ctx == nil {
		return invalid("Pacer.Acquire: the context is nil; pass context.Background() if there is no other")
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	p.mu.Lock()
	now := p.now()
	if len(p.queue) == 0 {
		if at, exact := p.book.Earliest(0, now, p.ahead); exact && at <= now {
			p.book.Begin()
			p.mu.Unlock()
			return nil
		}
	}
	w := &waiter{ctx: ctx, wake: make(chan struct{}, 1)}
	p.queue = append(p.queue, w)
	p.plan(len(p.queue)-1, now)
	p.mu.Unlock()
	return p.await(w)
}

// await blocks until w has its place, holding no lock while it does.
func (p *Pacer) await(w *waiter) error {
	for {
		sleep, err := p.try(w)
		if err != nil || sleep == 0 {
			return err
		}
		w.sleep(sleep)
	}
}

// untilWoken is how long a waiter sleeps whose turn only others can bring.
const untilWoken = -1

// try takes w out of the line, with its place (sleep and err are zero) or an
// error; or it returns for how long to sleep before it is worth trying again.
func (p *Pacer) try(w *waiter) (sleep time.Duration, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	i := slices.Index(p.queue, w)
	at, exact := p.book.Earliest(i, now, p.ahead)
	w.at = at
	switch first := i == 0; {
	case w.ctx.Err() != nil:
		err = w.ctx.Err()
	case first && exact && at <= now:
		p.book.Begin() // those behind move up by one and the book by one: their times stay
	case p.late(w):
		err = &Error{Code: CodeRateLimited, RetryAfter: at - now, Message: "no place in the quota can be free before the context's deadline"}
	case first && exact:
		return at - now, nil
	default:
		return untilWoken, nil
	}
	p.queue = slices.Delete(p.queue, i, i+1)
	if err != nil {
		p.plan(i, now)
	}
	if i == 0 {
		p.wakeFirst()
	}
	return 0, err
}

// release gives back the place of a request that is over. A retryAfter
// means that the request was refused: its place is free again, but until then (an
// hour at most) nobody acquires one. Where a report shows that others have used
// part of a window, the Pacer leaves them so many places until reported.Reset, by
// this machine's clock. Should that be wrong, one request tries first whether the
// window is open again.
func (p *Pacer) release(outcome LimitOutcome) {
	reported, retryAfter := outcome.RateLimit, outcome.RetryAfter
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if !p.book.End(now, retryAfter > 0 || !outcome.Sent) {
		return
	}
	report := window.Report{Limit: reported.Limit, Remaining: reported.Remaining, RetryAfter: retryAfter}
	if !reported.Reset.IsZero() {
		report.ResetIn = max(time.Until(reported.Reset), 0) + time.Second // it may have been cut to the second
	}
	if p.book.Learn(now, report) {
		p.plan(0, now)
	}
	p.wakeFirst()
}

// now returns the time on the book's clock, and opens the book when it is first asked.
func (p *Pacer) now() time.Duration {
	if p.book == nil {
		if len(p.limits) == 0 {
			p.limits = DefaultLimits()
		}
		limits := make([]window.Limit, len(p.limits))
		for i, l := range p.limits {
			limits[i] = window.Limit{Requests: l.Requests, Window: l.Window}
		}
		p.book, p.epoch = window.New(limits), time.Now()
	}
	return time.Since(p.epoch)
}

func (p *Pacer) ahead(i int) time.Duration { return p.queue[i].at }

// plan works out the times of the waiters from the i-th on, and wakes those
// whose deadline has become too early.
func (p *Pacer) plan(i int, now time.Duration) {
	for ; i < len(p.queue); i++ {
		w := p.queue[i]
		w.at, _ = p.book.Earliest(i, now, p.ahead)
		if p.late(w) {
			w.look()
		}
	}
}

// late reports whether w's deadline comes before its place.
func (p *Pacer) late(w *waiter) bool {
	deadline, ok := w.ctx.Deadline()
	return ok && !p.epoch.Add(w.at).Before(deadline)
}

func (p *Pacer) wakeFirst() {
	if len(p.queue) > 0 {
		p.queue[0].look()
	}
}

func (w *waiter) look() {
	select {
	case w.wake <- struct{}{}:
	default: // it has a token already
	}
}

// sleep returns after d, or before if there is reason to look again.
func (w *waiter) sleep(d time.Duration) {
	var over <-chan time.Time
	if d != untilWoken {
		timer := time.NewTimer(d)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-over:
	case <-w.wake:
	case <-w.ctx.Done():
	}
}
