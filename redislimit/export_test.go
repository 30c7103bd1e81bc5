package redislimit

import (
	"context"
	"time"
)

// Reserve and GiveBack show the two scripts to the tests, so that hours can be tested without waiting.
func (l *Limiter) Reserve(ctx context.Context, id string) (time.Duration, error) {
	return l.reserve(ctx, id)
}

func (l *Limiter) GiveBack(ctx context.Context, id string) { l.giveBack(ctx, id) }
