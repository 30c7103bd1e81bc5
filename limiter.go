package demeterrr

import (
	"context"
	"time"
)

// RateLimit is what a reply reported of the organization's quota in its
// X-RateLimit headers (API docs, page "rate limits"). Which of the API's windows
// it describes is not documented. The zero value means that nothing was reported.
type RateLimit struct {
	// Limit is the number of requests that one window allows.
	Limit int
	// Remaining is how many of them are left in the window.
	Remaining int
	// Reset is when the window ends, to the second, translated to this machine's clock; zero if it was not reported.
	Reset time.Time
}

// Limiter hands out the places at which attempts may be sent, retries included:
// see [WithLimiter]. A [Pacer] is one, and [WaitLimiter] makes one of
// *rate.Limiter.
//
// Acquire blocks until an attempt may be sent, and returns how to give its place
// back. A nil [Release] with a nil error means that there is nothing to give
// back. Acquire returns an error if the attempt may not be sent, or if ctx ends
// first. An error with a method RetryAfter() time.Duration comes back as one that
// matches [ErrRateLimited]. Acquire is called by many goroutines at once. It may
// yield to others if [IsLowPriority] says so, and call [ReportWait] when it waits.
//
// A decorator returns the Release of the limiter that it wraps. It wraps Release
// only to learn how the attempt ended.
type Limiter interface {
	Acquire(ctx context.Context) (Release, error)
}

// Release gives a place back and tells how the attempt ended. The client calls it
// exactly once for each Acquire without an error, also after a panic.
type Release func(LimitOutcome)

// LimitOutcome is what became of the attempt that a place was taken for.
type LimitOutcome struct {
	// Sent is false if certainly nothing of the request left, as after a failed dial.
	Sent bool
	// StatusCode is the HTTP status; 0 if no reply came.
	StatusCode int
	// RateLimit is what the reply reported; zero if it did not.
	RateLimit RateLimit
	// RetryAfter is how long a 429 asks to wait; 0 if it did not, and for any other reply.
	RetryAfter time.Duration
}

// WaitLimiter makes a [Limiter] of *rate.Limiter of golang.org/x/time/rate and
// its like. A place that was not used does not come back, and no call yields to
// another. If the next place comes after the deadline, rate.Limiter fails at once.
// The call returns an [*Error] that wraps its error, and does not match
// [ErrRateLimited]. A nil w makes a Limiter that [New] refuses and whose Acquire
// fails.
func WaitLimiter(w interface{ Wait(context.Context) error }) Limiter {
	if isNil(w) {
		return waitLimiter{}
	}
	return waitLimiter{w.Wait}
}

type waitLimiter struct{ wait func(context.Context) error }

func (w waitLimiter) Acquire(ctx context.Context) (Release, error) {
	if problem := w.check(); problem != "" {
		return nil, invalid("%s", problem)
	}
	return nil, w.wait(ctx)
}

// check says why the limiter cannot be used; it is empty if it can.
func (w waitLimiter) check() string {
	if w.wait == nil {
		return "WaitLimiter: the limiter is nil; leave the option out for none"
	}
	return ""
}

// LowPriority returns a context whose calls yield to others at a [Pacer] and at
// redislimit. Use it for batch jobs. Sync and Execute of package bulk mark their
// own calls; ExecuteOnce does not. A call of low priority also waits for a
// retryAfter of up to an hour, and that wait uses up no retry.
func LowPriority(ctx context.Context) context.Context {
	if ctx == nil || IsLowPriority(ctx) {
		return ctx
	}
	return context.WithValue(ctx, lowPriorityKey{}, true)
}

// IsLowPriority reports whether ctx comes from [LowPriority]. It is for limiters.
func IsLowPriority(ctx context.Context) bool {
	return ctx != nil && ctx.Value(lowPriorityKey{}) != nil
}

type lowPriorityKey struct{}

// ReportWait tells that a [Limiter] waits, and until when; a zero until is unknown.
// It reaches [WaitTracer], [WithOnWait] and the log. A limiter calls it inside
// Acquire, with the context of Acquire or one derived from it. Each Acquire is one
// wait: the first report counts. Without a listener it does nothing. If a listener
// panics, the context of Acquire ends, and the panic goes on after Acquire.
func ReportWait(ctx context.Context, until time.Time) {
	if ctx == nil {
		return
	}
	if w, ok := ctx.Value(limiterWaitKey{}).(*limiterWait); ok {
		w.report(until)
	}
}

type limiterWaitKey struct{}
