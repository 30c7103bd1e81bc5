package redislimit

import (
	"context"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

const (
	// giveBackTimeout bounds the time that a canceled Acquire spends on giving
	// its place back.
	giveBackTimeout = 500 * time.Millisecond
	// releaseTimeout bounds the round trip that gives places back. After it, a
	// place stays taken for its window and the margin, which is safe.
	releaseTimeout = 5 * time.Second
	// maxBatch is the number of places in one round trip.
	maxBatch = 1000
)

// releaseOf returns the Release of a place. It makes a round trip only for what
// Redis cannot expect: an unused place, a 429 with a wait, and an attempt
// longer than the margin.
func (l *Limiter) releaseOf(ctx context.Context, p place) demeterrr.Release {
	ctx = context.WithoutCancel(ctx)
	var released atomic.Bool
	return func(outcome demeterrr.LimitOutcome) {
		if released.Swap(true) {
			return
		}
		took := time.Since(p.soonest)
		end := p.moment + took.Microseconds() + 1
		switch {
		case !outcome.Sent:
			l.tell(ctx, p, 0, 0)
		case outcome.StatusCode == http.StatusTooManyRequests && outcome.RetryAfter > 0:
			l.tell(ctx, p, 0, end+outcome.RetryAfter.Microseconds())
		case took > l.margin:
			l.tell(ctx, p, end-l.margin.Microseconds(), 0)
		}
	}
}

// batch is the content of the next round trip to Redis.
type batch struct {
	resume int64 // the end of a pause; 0 for none
	places []any // three arguments of the script each: id, low, new moment
	done   chan struct{}
}

// tell queues a change to a place, and starts the sending goroutine if none
// runs. The place counts from the new moment; 0 frees it.
func (l *Limiter) tell(ctx context.Context, p place, moment, resume int64) {
	low := 0
	if p.low {
		low = 1
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next == nil {
		l.next = &batch{done: make(chan struct{})}
		if l.underWay == nil {
			go l.send(context.WithoutCancel(ctx))
		}
	}
	l.next.resume = max(l.next.resume, resume)
	l.next.places = append(l.next.places, p.id, low, moment)
}

// send sends queued batches until the queue is empty.
func (l *Limiter) send(ctx context.Context) {
	for {
		l.mu.Lock()
		b := l.next
		l.underWay, l.next = b, nil
		l.mu.Unlock()
		if b == nil {
			return
		}
		ctx, cancel := context.WithTimeout(ctx, releaseTimeout)
		for places := range slices.Chunk(b.places, 3*maxBatch) {
			if _, err := l.run(ctx, "release", append([]any{b.resume}, places...)); err != nil {
				break // these places stay taken
			}
		}
		cancel()
		close(b.done)
	}
}

// settle waits until everything queued before has reached Redis or failed.
func (l *Limiter) settle(ctx context.Context) error {
	l.mu.Lock()
	b := l.next
	if b == nil {
		b = l.underWay
	}
	l.mu.Unlock()
	if b == nil {
		return nil
	}
	select {
	case <-b.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// giveBack frees the place of a caller that gives up, and waits a moment for
// the round trip.
func (l *Limiter) giveBack(ctx context.Context, p place) {
	l.tell(ctx, p, 0, 0)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackTimeout)
	defer cancel()
	_ = l.settle(ctx) // a place that stays reserved expires, which is safe
}
