package demeterrr

import (
	"context"
	"time"
)

// RateLimit is the organization's quota, as a reply reported it in its
// X-RateLimit headers (API docs, page "rate limits"). Whether it describes the
// minute or the hour is undocumented. The zero value means that nothing was
// reported.
type RateLimit struct {
	// Limit is the number of requests allowed in one window.
	Limit int
	// Remaining is the number of requests left in the window.
	Remaining int
	// Reset is the end of the window, to the second, on this machine's clock;
	// zero if it was not reported.
	Reset time.Time
}

// Limiter decides when an attempt may be sent, retries included; see
// [WithLimiter]. Use a [Pacer], or wrap a *rate.Limiter with [WaitLimiter].
//
// Acquire blocks until an attempt may be sent, and returns the [Release] of its
// place. A nil Release with a nil error means that there is nothing to release.
// If the attempt must not be sent, or ctx ends first, Acquire returns an error.
// An error with a method RetryAfter() time.Duration makes the call fail with
// [ErrRateLimited]. Acquire must be safe for concurrent use. It may yield to
// other calls if [IsLowPriority] is true, and call [ReportWait] when it waits.
//
// A decorator returns the Release of the limiter below. It wraps Release only
// to observe how the attempt ended.
type Limiter interface {
	Acquire(ctx context.Context) (Release, error)
}

// Release gives a place back and reports how the attempt ended. The client
// calls it exactly once for each successful Acquire, also after a panic.
type Release func(LimitOutcome)

// LimitOutcome is the result of the attempt that held a place.
type LimitOutcome struct {
	// Sent is false if certainly nothing of the request left, as after a failed
	// dial.
	Sent bool
	// StatusCode is the HTTP status; 0 if no reply came.
	StatusCode int
	// RateLimit is the quota that the reply reported; zero if none.
	RateLimit RateLimit
	// RetryAfter is the wait that a 429 asked for; 0 for a 429 without one, and
	// for any other reply.
	RetryAfter time.Duration
}

// WaitLimiter makes a [Limiter] from a *rate.Limiter of golang.org/x/time/rate,
// or from any type with this Wait method. An unused place does not come back,
// and [LowPriority] has no effect.
//
// If the next place comes after the deadline, rate.Limiter fails at once. The
// call then returns an [*Error] that wraps this error and does not match
// [ErrRateLimited]. With a nil w, [New] fails, and so does every Acquire.
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

// check returns the mistake in the limiter, or "".
func (w waitLimiter) check() string {
	if w.wait == nil {
		return "WaitLimiter: the limiter is nil; leave the option out for none"
	}
	return ""
}

// LowPriority returns a context for calls that yield to others at a [Pacer] and
// at redislimit. Use it for batch jobs. Sync and Execute of package bulk mark
// their own calls; ExecuteOnce leaves its call at normal priority. After a 429,
// a call of low priority waits for a retryAfter of up to an hour, and such a
// wait uses up no retry.
func LowPriority(ctx context.Context) context.Context {
	if ctx == nil || IsLowPriority(ctx) {
		return ctx
	}
	return context.WithValue(ctx, lowPriorityKey{}, true)
}

// IsLowPriority reports whether ctx comes from [LowPriority]. Limiters use it.
func IsLowPriority(ctx context.Context) bool {
	return ctx != nil && ctx.Value(lowPriorityKey{}) != nil
}

type lowPriorityKey struct{}

// ReportWait reports that a [Limiter] waits until a time; zero means unknown.
// The report reaches [WaitTracer], [WithOnWait] and the log. A limiter calls it
// inside Acquire, with the context of Acquire or one derived from it. Each
// Acquire counts as one wait: only its first report has an effect. Without a
// listener, ReportWait does nothing. If a listener panics, the context of
// Acquire ends, and the panic goes on after Acquire.
func ReportWait(ctx context.Context, until time.Time) {
	if ctx == nil {
		return
	}
	if w, ok := ctx.Value(limiterWaitKey{}).(*limiterWait); ok {
		w.report(until)
	}
}

type limiterWaitKey struct{}
