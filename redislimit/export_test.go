package redislimit

import (
	"context"
	"time"
)

// Reserve and the methods after it run the script, so that tests of hours need
// no waiting. Reserve returns the time until the place, taken or not.
func (l *Limiter) Reserve(ctx context.Context, id string) (time.Duration, error) {
	wait, _, err := l.Ask(ctx, id, false)
	return wait, err
}

// Ask takes a place, and says whether it did.
func (l *Limiter) Ask(ctx context.Context, id string, low bool) (wait time.Duration, taken bool, err error) {
	p, taken, err := l.ask(ctx, id, low)
	if err != nil {
		return 0, false, err
	}
	return max(0, p.wait), taken, nil
}

// GiveBack frees a place.
func (l *Limiter) GiveBack(ctx context.Context, id string) { l.giveBack(ctx, place{id: id}) }

// Outlast reports that the attempt at a place ended at a moment of Redis's
// clock.
func (l *Limiter) Outlast(ctx context.Context, id string, low bool, end time.Duration) {
	l.tell(ctx, place{id: id, low: low}, (end - l.margin).Microseconds(), 0)
	_ = l.settle(ctx)
}

// Pause reports a 429: nothing may start before a moment of Redis's clock.
func (l *Limiter) Pause(ctx context.Context, id string, until time.Duration) {
	l.tell(ctx, place{id: id}, 0, until.Microseconds())
	_ = l.settle(ctx)
}

// Settle waits until Redis knows all releases.
func (l *Limiter) Settle(ctx context.Context) error { return l.settle(ctx) }
