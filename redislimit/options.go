package redislimit

import "time"

const (
	defaultMargin = time.Second
	// idleMemory is how long a key that is not used still proves that Redis lost nothing.
	idleMemory = 30 * 24 * time.Hour
	// longest keeps every moment exact in a Lua number (2^53 microseconds).
	longest = 366 * 24 * time.Hour
)

// Option changes how a Limiter made by New behaves. All processes that share a key give the same options.
type Option func(*Limiter)

// WithMargin sets how long Redis expects a request to be under way, from the
// moment of its place until its Release: the reply's way from Redis, the lateness
// of a timer, and the request itself. A place is taken for its window and the
// margin: a limit of 100 a minute with the default margin of one second becomes
// 100 in 61 seconds. A request that takes longer costs a round trip at its end, and
// counts from there. The limits hold exactly unless a request takes longer than the
// shortest window and the margin. A pause after a 429 reaches other processes within
// the margin. The margin is more than 0 and at most 366 days.
func WithMargin(d time.Duration) Option {
	return func(l *Limiter) { l.margin = d }
}

// WithColdStartHold makes a Limiter that finds no state in Redis give its first place only after the longest window and
// the margin, because it cannot know what passed before. So a Redis that lost everything lets nothing more through. A
// key that is used for the first time looks the same and waits as well; one that was used in the last 30 days does not,
// however long it was idle. Without this option a Redis that lost its data lets at most one more limit's worth through.
func WithColdStartHold() Option {
	return func(l *Limiter) { l.hold = true }
}
