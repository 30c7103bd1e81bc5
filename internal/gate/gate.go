// Package gate blocks the requests of a client after a 429, until the time named
// in the 429.
package gate

import (
	"sync"
	"time"
)

// MaxClosed bounds the closed time of a gate. One wrong number of a server can
// lock a client out for an hour at most.
const MaxClosed = time.Hour

// Gate is open until a call of Close. The zero value is open.
type Gate struct {
	mu    sync.Mutex
	until time.Time
}

// Close closes the gate for d from now, at most for MaxClosed. It never
// shortens an earlier Close. A d of 0 or less closes nothing.
func (g *Gate) Close(d time.Duration) {
	until := time.Now().Add(min(d, MaxClosed))
	g.mu.Lock()
	defer g.mu.Unlock()
	if until.After(g.until) {
		g.until = until
	}
}

// Left returns the time until the gate opens; 0 or less for an open gate.
func (g *Gate) Left() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.until.IsZero() {
		return 0
	}
	left := time.Until(g.until)
	if left <= 0 {
		g.until = time.Time{} // spares the next callers the clock
	}
	return left
}
