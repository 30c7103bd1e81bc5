// Package redislimit is a [demeterrr.Limiter] for a fleet. All processes that
// share a key in Redis together keep the limits exactly, in every interval:
//
//	limits := []demeterrr.Limit{
//		{Requests: 100, Window: time.Minute, Reserve: 20},
//		{Requests: 1000, Window: time.Hour, Reserve: 150},
//	}
//	limiter, err := redislimit.New(rdb, "acme", limits)
//	client, err := demeterrr.New(apiKey, demeterrr.WithLimiter(limiter))
//
// One round trip to Redis takes a place, on Redis's clock. A call of normal
// priority reserves the next place and sleeps until its moment. A call of low
// priority ([demeterrr.LowPriority]) takes a place only if one is free, and
// leaves the Reserve of each limit to the others.
package redislimit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/demeterrr/demeterrr-go"
)

// maxLate is how many places in a row an Acquire may reach too late before it gives up.
const maxLate = 3

// Limiter hands out places under the limits that all users of a key share. New
// makes one. It is safe for concurrent use. The Acquire of the zero Limiter fails.
type Limiter struct {
	rdb    redis.UniversalClient
	key    string
	limits []demeterrr.Limit
	margin time.Duration
	hold   bool

	keys     []string      // of the script
	common   []any         // arguments of every call of the script
	settings []any         // further arguments of an acquire: the limits
	lowTurn  chan struct{} // held by the one call of low priority that asks again
	recheck  chan struct{} // held by the one call that asks whether places moved

	mu       sync.Mutex
	heard    news   // the newest reply
	next     *batch // places to give back with the next round trip
	underWay *batch // those of the round trip that is being made
}

// news is what a reply tells everybody: how often places moved, as of a moment.
type news struct {
	asked time.Time
	moved int64
}

// DeadlineError is the error of an Acquire that could not have ended before its context's deadline. It took no place.
// It does not match context.DeadlineExceeded, because the context has not ended.
type DeadlineError struct {
	Wait time.Duration // how long it would have taken, at the least, as seen by Redis
}

// Error says how long the wait would have been.
func (e *DeadlineError) Error() string {
	return fmt.Sprintf("redislimit: the next place is %v away, after the context's deadline", e.Wait)
}

// RetryAfter is e.Wait. By this method the SDK's client knows the error, and returns one that matches its ErrRateLimited.
func (e *DeadlineError) RetryAfter() time.Duration { return e.Wait }

// New returns a Limiter that shares its limits with every Limiter of the same key
// in the same Redis, in this process or any other. The client is any of go-redis's
// and stays the caller's to close. The key is a short name without braces, such as
// the organization's. New talks to nobody; it returns an error when an argument
// cannot be right.
//
// Give all of them the same limits and options. While they differ, as during a
// rollout, each Limiter keeps its own limits and counts the places of all. Redis
// remembers places for the longest window of any of them, until the key has been
// idle for that long.
func New(rdb redis.UniversalClient, key string, limits []demeterrr.Limit, opts ...Option) (*Limiter, error) {
	l := &Limiter{
		rdb: rdb, key: key, limits: slices.Clone(limits), margin: defaultMargin,
		lowTurn: make(chan struct{}, 1), recheck: make(chan struct{}, 1),
	}
	for i, opt := range opts {
		if opt == nil {
			return nil, fmt.Errorf("redislimit: option %d is nil: leave it out", i)
		}
		opt(l)
	}
	if err := l.validate(); err != nil {
		return nil, err
	}
	// The braces keep the keys in one slot of a cluster.
	l.keys = []string{"{" + key + "}:places", "{" + key + "}:free", "{" + key + "}:low"}
	hold, keep := 0, time.Duration(0)
	if l.hold {
		hold, keep = 1, idleMemory
	}
	l.common = []any{hold, keep.Microseconds()}
	for _, limit := range l.limits {
		window := (limit.Window + l.margin + time.Microsecond - 1).Microseconds()
		l.settings = append(l.settings, limit.Requests, limit.Requests-limit.Reserve, window)
	}
	return l, nil
}

// validate refuses what New cannot work with and says what to give instead.
func (l *Limiter) validate() error {
	if v := reflect.ValueOf(l.rdb); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return errors.New("redislimit: the Redis client is nil: give New one made by go-redis")
	}
	if l.key == "" || strings.ContainsAny(l.key, "{}") {
		return fmt.Errorf("redislimit: key %q: give a name that is not empty and has no braces", l.key)
	}
	if len(l.limits) == 0 {
		return errors.New("redislimit: no limits: give New at least one")
	}
	for i, limit := range l.limits {
		if limit.Requests <= 0 || limit.Window <= 0 || limit.Window > longest {
			return fmt.Errorf("redislimit: limit %d is %d requests in %v: give at least 1 request, and a window of more than 0 and at most %v",
				i, limit.Requests, limit.Window, longest)
		}
		if limit.Reserve < 0 || limit.Reserve >= limit.Requests {
			return fmt.Errorf("redislimit: limit %d has a Reserve of %d of %d requests: give at least 0, and less than Requests",
				i, limit.Reserve, limit.Requests)
		}
	}
	if l.margin <= 0 || l.margin > longest {
		return fmt.Errorf("redislimit: margin %v: give more than 0 and at most %v", l.margin, longest)
	}
	return nil
}

// Acquire returns when one request may be sent, now. Its Release must be called
// when the request is over; the client does that. Calls of normal priority are
// served in the order in which they ask, before those of low priority.
//
// Acquire returns at once with a *[DeadlineError], and without a place, if the
// place comes after the deadline of ctx. It returns an error that matches
// ctx.Err() when ctx ends, and the cause when Redis fails. A place that is reached
// later than the margin, because the machine or the network stood still, is not
// used; Acquire takes another, and gives up after three.
func (l *Limiter) Acquire(ctx context.Context) (demeterrr.Release, error) {
	if l == nil || l.rdb == nil {
		return nil, errors.New("redislimit: this Limiter is empty: make it with New")
	}
	if ctx == nil {
		return nil, errors.New("redislimit: Acquire got a nil context: give it context.Background()")
	}
	if ctx.Err() != nil {
		return nil, l.failed(ctx.Err())
	}
	take := l.takeNormal
	if demeterrr.IsLowPriority(ctx) {
		take = l.takeLow
	}
	var late time.Duration
	for range maxLate {
		id := rand.Text()
		p, err := take(ctx, id)
		if ctx.Err() != nil {
			l.giveBack(ctx, place{id: id}) // also when the reply was not awaited: the place may be ours
			return nil, l.failed(ctx.Err())
		}
		if err != nil {
			return nil, l.failed(err)
		}
		if late = time.Since(p.soonest); late <= l.margin {
			return l.releaseOf(ctx, p), nil
		}
		l.tell(ctx, p, 0, 0)
	}
	return nil, fmt.Errorf("redislimit: key %q: %d places in a row were reached too late (the last by %v, with a margin of %v): "+
		"relieve Redis or this machine, or give a larger margin", l.key, maxLate, late, l.margin)
}

// failed says which limiter err belongs to.
func (l *Limiter) failed(err error) error {
	if _, ok := errors.AsType[*DeadlineError](err); ok {
		return err
	}
	return fmt.Errorf("redislimit: no place under key %q: %w", l.key, err)
}
