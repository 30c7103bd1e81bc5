// Package gate is a gate that one reply closes for everybody: after a 429 that
// names a time, no request of the client leaves before it.
package gate

import (
	"sync"
	"time"
)

// MaxClosed is the longest that a gate stays closed: a server cannot lock a
// client out for longer by one wrong number.
const MaxClosed = time.Hour

// Gate is open until somebody closes it. The zero value is an open gate.
type Gate struct {
	mu    sync.Mutex
	until time.Time
}

// Close closes the gate for d from now on, at most for MaxClosed. A gate that
// is closed for longer already stays as it is. A d of 0 or less closes nothing.
func (g *Gate) Close(d time.Duration) {
	until := time.Now().Add(min(d, MaxClosed))
	g.mu.Lock()
	defer g.mu.Unlock()
	if until.After(g.until) {
		g.until = until
	}
}

// Left is how long the gate stays closed from now; 0 or less means that it is open.
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
