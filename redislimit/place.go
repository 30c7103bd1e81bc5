package redislimit

import (
	"context"
	_ "embed"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/demeterrr/demeterrr-go"
)

//go:embed places.lua
var source string

var script = redis.NewScript(source)

// place is a place that Redis gave, or the next one that it can give.
type place struct {
	id     string
	low    bool
	moment int64         // on Redis's clock, in microseconds
	moved  int64         // how often places had moved by then
	wait   time.Duration // until the moment, as Redis saw it
	// On this machine's clock the moment is between these two: counted from the
	// question to Redis, and from its reply.
	soonest, latest time.Time
}

// takeNormal reserves the next place and sleeps until its moment.
func (l *Limiter) takeNormal(ctx context.Context, id string) (place, error) {
	p, _, err := l.ask(ctx, id, false)
	for err == nil {
		wait := time.Until(p.latest)
		if wait <= 0 {
			return p, nil
		}
		demeterrr.ReportWait(ctx, p.latest)
		if err := sleep(ctx, wait); err != nil || wait <= l.margin {
			return p, err
		}
		p, err = l.confirm(ctx, p)
	}
	return p, err
}

// confirm returns p after a long sleep. If a pause or a late attempt has moved
// p meanwhile, confirm returns its new place. It asks Redis if places moved, or
// if this process has heard nothing within the margin.
func (l *Limiter) confirm(ctx context.Context, p place) (place, error) {
	select {
	case l.recheck <- struct{}{}:
	case <-ctx.Done():
		return p, ctx.Err()
	}
	heard := l.lastHeard()
	if time.Since(heard.asked) > l.margin {
		again, _, err := l.ask(ctx, p.id, p.low) // its reply spares the next calls the question
		<-l.recheck
		return again, err
	}
	<-l.recheck
	if heard.moved == p.moved {
		return p, nil
	}
	again, _, err := l.ask(ctx, p.id, p.low)
	return again, err
}

// takeLow takes a free place. While there is none, one call of this process
// asks again at a time, when Redis expects the next place or a little later.
func (l *Limiter) takeLow(ctx context.Context, id string) (place, error) {
	p, taken, err := l.ask(ctx, id, true)
	for inTurn := false; err == nil && !taken; {
		until := p.latest.Add(l.jitter(ctx, p))
		demeterrr.ReportWait(ctx, until)
		if !inTurn {
			select {
			case l.lowTurn <- struct{}{}:
				inTurn = true
				defer func() { <-l.lowTurn }()
			case <-ctx.Done():
				return p, ctx.Err()
			}
		}
		if err := sleep(ctx, time.Until(until)); err != nil {
			return p, err
		}
		p, taken, err = l.ask(ctx, id, true)
	}
	return p, err
}

// jitter spreads calls that wait for the same place. It is random up to the
// shortest of three times: the wait, a quarter of the margin, and half of the
// time left before the deadline.
func (l *Limiter) jitter(ctx context.Context, p place) time.Duration {
	spread := min(time.Until(p.latest), l.margin/4)
	if deadline, ok := ctx.Deadline(); ok {
		spread = min(spread, deadline.Sub(p.latest)/2)
	}
	return rand.N(max(spread, time.Millisecond)) //nolint:gosec // nobody gains by guessing it
}

// ask takes the place named id if it is free, or else returns the next possible
// place. It fails with a *DeadlineError if that is after the deadline of ctx.
// Places that this process gave back reach Redis first.
func (l *Limiter) ask(ctx context.Context, id string, low bool) (p place, taken bool, err error) {
	if err := l.settle(ctx); err != nil {
		return p, false, err
	}
	patience, class := int64(-1), 0
	if deadline, ok := ctx.Deadline(); ok {
		patience = max(0, time.Until(deadline).Microseconds())
	}
	if low {
		class = 1
	}
	asked := time.Now()
	reply, err := l.run(ctx, "acquire", append([]any{id, class, patience}, l.settings...))
	if err != nil {
		return p, false, err
	}
	if len(reply) != 4 {
		return p, false, fmt.Errorf("places.lua returned %d numbers, not 4", len(reply))
	}
	l.hear(news{asked, reply[3]})
	wait := time.Duration(reply[1]-reply[2]) * time.Microsecond
	if patience >= 0 && reply[0] == 0 && wait.Microseconds() > patience {
		return p, false, &DeadlineError{Wait: wait}
	}
	p = place{
		id: id, low: low, moment: reply[1], moved: reply[3], wait: wait,
		soonest: asked.Add(wait), latest: time.Now().Add(wait),
	}
	return p, reply[0] == 1, nil
}

// hear stores the news of a reply; older news than the stored one is dropped.
func (l *Limiter) hear(n news) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n.asked.After(l.heard.asked) {
		l.heard = n
	}
}

func (l *Limiter) lastHeard() news {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heard
}

// run runs the script and returns when ctx ends. By default, go-redis would
// wait beyond ctx for a silent server. The goroutine ends with the client's own
// time-outs.
func (l *Limiter) run(ctx context.Context, operation string, args []any) ([]int64, error) {
	args = append(append([]any{operation}, l.common...), args...)
	done := make(chan *redis.Cmd, 1)
	go func() { done <- script.Run(ctx, l.rdb, l.keys, args...) }()
	select {
	case cmd := <-done:
		return cmd.Int64Slice()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// sleep sleeps for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
