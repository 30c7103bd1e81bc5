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

// Limiter is asked before every attempt, retries included. *rate.Limiter of
// golang.org/x/time/rate is one. Wait returns nil when the request may be sent,
// or an error if it may not, or if ctx ends first. An error with a method
// RetryAfter() time.Duration comes back as one that matches [ErrRateLimited].
type Limiter interface {
	Wait(ctx context.Context) error
}

// LimitObserver is what a [Limiter] may implement besides, to learn how an
// attempt ended. The client calls Done exactly once for each Wait that returned
// nil, when the attempt is over: with what the reply reported, and with the
// retryAfter of a 429, or zeros.
type LimitObserver interface {
	Done(reported RateLimit, retryAfter time.Duration)
}
