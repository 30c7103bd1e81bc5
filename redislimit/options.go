package redislimit

import "time"

const (
	defaultMargin = time.Second
	// idleMemory is how long an idle key proves that Redis has kept its data.
	idleMemory = 30 * 24 * time.Hour
	// longest keeps every moment exact in a Lua number (2^53 microseconds).
	longest = 366 * 24 * time.Hour
)

// Option changes a Limiter made by [New]. Give the same options to all
// processes that share a key.
type Option func(*Limiter)

// WithMargin sets the time that Redis expects a request to take, from the
// moment of its place to its Release. It covers the reply's way from Redis, a
// late timer, and the request itself. The default is one second. It is more
// than 0 and at most 366 days.
//
// A place counts for its window and the margin: 100 a minute become 100 in 61
// seconds. A longer request costs a round trip at its end, and its place counts
// from there. The limits hold exactly unless a request outlasts the shortest
// window and the margin. A pause after a 429 reaches other processes within the
// margin.
func WithMargin(d time.Duration) Option {
	return func(l *Limiter) { l.margin = d }
}

// WithColdStartHold delays the first place of a Redis without state by the
// longest window and the margin. A Redis that lost its data then stays within
// the limits. Without the option, it lets at most one more limit's worth
// through. A key used for the first time waits too. A key used in the last 30
// days keeps its state and goes on at once.
func WithColdStartHold() Option {
	return func(l *Limiter) { l.hold = true }
}
