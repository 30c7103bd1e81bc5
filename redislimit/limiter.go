// Package redislimit keeps rate limits for a fleet: all processes that share a key in Redis together start no more
// requests than the limits allow, in any interval. It is a limiter for the demeterrr client, which it does not import:
//
//	limiter, err := redislimit.New(rdb, "acme", []redislimit.Limit{{Requests: 100, Window: time.Minute}})
//	client, err := demeterrr.New(apiKey, demeterrr.WithLimiter(limiter))
//
// Each wait is one round trip: a script reserves the next place in the queue, on Redis's clock, and returns how long it
// is until then. Nothing polls, nobody starves, and no connection is held while waiting.
package redislimit

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed reserve.lua
var reserveSource string

//go:embed giveback.lua
var giveBackSource string

var (
	reserveScript  = redis.NewScript(reserveSource)
	giveBackScript = redis.NewScript(giveBackSource)
)

const (
	// giveBackTimeout bounds what a cancelled caller still waits for its place to be given back.
	giveBackTimeout = 500 * time.Millisecond
	// maxLate is how many places in a row a Wait may reach too late before it gives up.
	maxLate = 3
)

// Limit allows Requests starts in any interval as long as Window. Both are more than 0, and Window is at most 366 days.
type Limit struct {
	Requests int
	Window   time.Duration
}

// Limiter hands out places under the limits shared by a key. It is made by New
// and safe for concurrent use. The Wait of the zero Limiter fails.
type Limiter struct {
	rdb    redis.UniversalClient
	key    string
	limits []Limit
	margin time.Duration
	hold   bool

	keys     []string // of both scripts
	settings []any    // arguments of reserve.lua that never change
}

// DeadlineError is the error of a Wait that could not have ended before its context's deadline. It reserved nothing.
// It does not match context.DeadlineExceeded, because the context has not ended.
type DeadlineError struct {
	Wait time.Duration // how long it would have taken, as seen by Redis
}

// Error says how long the wait would have been.
func (e *DeadlineError) Error() string {
	return fmt.Sprintf("redislimit: the next place is %v away, after the context's deadline", e.Wait)
}

// RetryAfter is e.Wait. By this method the SDK's client knows the error, and returns one that matches its ErrRateLimited.
func (e *DeadlineError) RetryAfter() time.Duration { return e.Wait }

// New returns a Limiter that shares its limits with every Limiter of the same key in the same Redis, in this process or
// any other; all of them are given the same limits and options. While they differ, each place is given by the limits of
// the one who asks. The client is any of go-redis's and stays the caller's to close. The key is a short name without
// braces, such as the organization's. New talks to nobody; it returns an error when an argument cannot be right.
func New(rdb redis.UniversalClient, key string, limits []Limit, opts ...Option) (*Limiter, error) {
	l := &Limiter{rdb: rdb, key: key, limits: slices.Clone(limits), margin: defaultMargin}
	for i, opt := range opts {
		if opt == nil {
			return nil, fmt.Errorf("redislimit: option %d is nil: leave it out", i)
		}
		opt(l)
	}
	if err := l.validate(); err != nil {
		return nil, err
	}
	// The braces keep both keys in one slot of a cluster.
	l.keys = []string{"{" + key + "}:places", "{" + key + "}:free"}
	hold, keep := 0, time.Duration(0)
	if l.hold {
		hold, keep = 1, idleMemory
	}
	l.settings = []any{hold, keep.Microseconds()}
	for _, limit := range l.limits {
		l.settings = append(l.settings, limit.Requests, (limit.Window + l.margin + time.Microsecond - 1).Microseconds())
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
	}
	if l.margin <= 0 || l.margin > longest {
		return fmt.Errorf("redislimit: margin %v: give more than 0 and at most %v", l.margin, longest)
	}
	return nil
}

// Wait returns nil when one request may be started, now. It takes the next place in the queue of all processes and
// sleeps until then. It returns at once with a *DeadlineError, and without a place, when that is after the deadline of
// ctx; with an error that matches ctx.Err() when ctx ends, whose place then goes to whoever asks next; and with the
// cause when Redis fails: no request may be started then. A place that is reached later than the margin, because the
// machine or the network stood still, is not used; Wait takes another, and gives up after three.
func (l *Limiter) Wait(ctx context.Context) error {
	if l == nil || l.rdb == nil {
		return errors.New("redislimit: this Limiter is empty: make it with New")
	}
	if ctx == nil {
		return errors.New("redislimit: Wait got a nil context: give it context.Background()")
	}
	if ctx.Err() != nil {
		return l.failed(ctx.Err())
	}
	var late time.Duration
	for range maxLate {
		id, asked := rand.Text(), time.Now()
		wait, err := l.reserve(ctx, id)
		if err == nil {
			err = sleep(ctx, wait)
		}
		if ctx.Err() != nil {
			l.giveBack(ctx, id) // also when the reply was not awaited: the place may be ours
			return l.failed(ctx.Err())
		}
		if err != nil {
			return l.failed(err)
		}
		if late = time.Since(asked) - wait; late <= l.margin {
			return nil
		}
		l.giveBack(ctx, id)
	}
	return fmt.Errorf("redislimit: key %q: %d places in a row were reached too late (the last by %v, with a margin of %v): "+
		"relieve Redis or this machine, or give a larger margin", l.key, maxLate, late, l.margin)
}

// failed says which limiter err belongs to.
func (l *Limiter) failed(err error) error {
	if _, ok := errors.AsType[*DeadlineError](err); ok {
		return err
	}
	return fmt.Errorf("redislimit: no place under key %q: %w", l.key, err)
}

// reserve takes the next place under the name id and returns how far away it is.
func (l *Limiter) reserve(ctx context.Context, id string) (time.Duration, error) {
	patience := int64(-1)
	if deadline, ok := ctx.Deadline(); ok {
		patience = max(0, time.Until(deadline).Microseconds())
	}
	reply, err := l.run(ctx, reserveScript, append([]any{id, patience}, l.settings...))
	if err != nil {
		return 0, err
	}
	if len(reply) != 2 {
		return 0, fmt.Errorf("reserve.lua returned %d numbers, not 2", len(reply))
	}
	wait := time.Duration(reply[1]) * time.Microsecond
	if reply[0] == 0 {
		return 0, &DeadlineError{Wait: wait}
	}
	return wait, nil
}

// giveBack frees the place named id, as well as it can: a place that stays reserved is lost, and harms nobody.
func (l *Limiter) giveBack(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackTimeout)
	defer cancel()
	_, _ = l.run(ctx, giveBackScript, []any{id})
}

// run runs a script and returns when ctx ends, even though go-redis by default lets a silent server outlast ctx. The
// goroutine ends with the client's own timeouts.
func (l *Limiter) run(ctx context.Context, script *redis.Script, args []any) ([]int64, error) {
	done := make(chan *redis.Cmd, 1)
	go func() { done <- script.Run(ctx, l.rdb, l.keys, args...) }()
	select {
	case cmd := <-done:
		return cmd.Int64Slice()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// sleep waits for d, or until ctx ends.
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
