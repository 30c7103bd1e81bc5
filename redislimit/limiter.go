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

// maxLate is the number of late places in a row after which an Acquire fails.
const maxLate = 3

// Limiter gives out places under limits shared by all users of a key. Make one
// with [New]. It is safe for concurrent use. The Acquire of the zero Limiter
// fails.
type Limiter struct {
	rdb    redis.UniversalClient
	key    string
	limits []demeterrr.Limit
	margin time.Duration
	hold   bool

	keys     []string      // of the script
	common   []any         // for every call of the script
	settings []any         // further arguments of an acquire: the limits
	lowTurn  chan struct{} // held by the one call of low priority that asks again
	recheck  chan struct{} // held by the one call that checks whether places moved

	mu       sync.Mutex
	heard    news   // the newest reply
	next     *batch // places to give back with the next round trip
	underWay *batch // places of the round trip in flight
}

// news is the part of a reply that concerns every call: how often places had
// moved at a moment.
type news struct {
	asked time.Time
	moved int64
}

// DeadlineError is the error of an Acquire with a place after the deadline of
// its context. The place stays free. The error does not match
// context.DeadlineExceeded, because the context is still alive.
type DeadlineError struct {
	Wait time.Duration // the shortest wait that would have been enough, as seen by Redis
}

// Error returns a text with the wait.
func (e *DeadlineError) Error() string {
	return fmt.Sprintf("redislimit: the next place is %v away, after the context's deadline", e.Wait)
}

// RetryAfter returns e.Wait. The client recognizes the error by this method,
// and its own error then matches demeterrr.ErrRateLimited.
func (e *DeadlineError) RetryAfter() time.Duration { return e.Wait }

// New returns a Limiter that shares its limits with every Limiter of the same
// key in the same Redis, in any process. rdb is any client of go-redis, and
// yours to close. The key is a short name without braces, such as the
// organization's. Pass at least one limit; [demeterrr.DefaultLimits] returns
// the documented ones. New sends nothing. It returns an error for an invalid
// argument.
//
// Give every Limiter of a key the same limits and options. During a rollout
// they can differ: each Limiter then keeps its own limits and counts the places
// of all. Redis remembers places for the longest window of any of them, until
// the key has been idle for that long.
func New(rdb redis.UniversalClient, key string, limits []demeterrr.Limit, opts ...Option) (*Limiter, error) {
	l := &Limiter{
		rdb: rdb, key: key, limits: slices.Clone(limits), margin: defaultMargin,
		lowTurn: make(chan struct{}, 1), recheck: make(chan struct{}, 1),
	}
	for i, opt := range opts {
		if opt == nil {
			return nil, fmt.Errorf("redislimit: option %d is nil; leave it out", i)
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

// validate returns an error for an argument that New rejects.
func (l *Limiter) validate() error {
	if v := reflect.ValueOf(l.rdb); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return errors.New("redislimit: the Redis client is nil; pass New one made by go-redis")
	}
	if l.key == "" || strings.ContainsAny(l.key, "{}") {
		return fmt.Errorf("redislimit: key %q is empty or has braces; pass a name without braces, such as the organization's", l.key)
	}
	if len(l.limits) == 0 {
		return errors.New("redislimit: no limits; pass New at least one")
	}
	for i, limit := range l.limits {
		if limit.Requests <= 0 || limit.Window <= 0 || limit.Window > longest {
			return fmt.Errorf("redislimit: limit %d is %d requests in %v; give at least 1 request, and a window of more than 0 and at most %v",
				i, limit.Requests, limit.Window, longest)
		}
		if limit.Reserve < 0 || limit.Reserve >= limit.Requests {
			return fmt.Errorf("redislimit: limit %d has a Reserve of %d of %d requests; give at least 0, and less than Requests",
				i, limit.Reserve, limit.Requests)
		}
	}
	if l.margin <= 0 || l.margin > longest {
		return fmt.Errorf("redislimit: margin %v is out of range; give more than 0 and at most %v", l.margin, longest)
	}
	return nil
}

// Acquire blocks until one request may be sent. Call its Release after the
// request; the client does that. Calls of normal priority are served in the
// order of their Acquires, before calls of low priority.
//
// Acquire fails at once with a *[DeadlineError] if the place comes after the
// deadline of ctx. It returns an error that matches ctx.Err() when ctx ends,
// and the cause when Redis fails. A pause of the machine or the network can
// make a place late by more than the margin. Acquire then gives it back and
// takes another one, and fails after three.
func (l *Limiter) Acquire(ctx context.Context) (demeterrr.Release, error) {
	if l == nil || l.rdb == nil {
		return nil, errors.New("redislimit: this Limiter is empty; make it with New")
	}
	if ctx == nil {
		return nil, errors.New("redislimit: Acquire got a nil context; pass context.Background()")
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
			l.giveBack(ctx, place{id: id}) // also without a reply: the place may be ours
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
	return nil, fmt.Errorf("redislimit: key %q: %d places in a row were reached too late (the last by %v, with a margin of %v); "+
		"relieve Redis or this machine, or give a larger margin", l.key, maxLate, late, l.margin)
}

// failed adds the key to err. A DeadlineError stays unchanged.
func (l *Limiter) failed(err error) error {
	if _, ok := errors.AsType[*DeadlineError](err); ok {
		return err
	}
	return fmt.Errorf("redislimit: no place under key %q: %w", l.key, err)
}
