package demeterrr_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
)

// tick is the unit of the times in the model. Deadlines lie between ticks.
const tick = 100 * time.Millisecond

// modelCall is a call in the Pacer and in the model.
type modelCall struct {
	id       int
	low      bool
	deadline time.Time // zero if there is none
	cancel   context.CancelFunc
	answer   atomic.Pointer[acquired] // the Pacer's; nil during the wait

	// The state in the model.
	waits, holds bool
	ended        time.Time // time of its release; zero before
}

// acquired is the result of an Acquire.
type acquired struct {
	release demeterrr.Release
	err     error
}

// release gives back the place from the Pacer.
func (c *modelCall) release(outcome demeterrr.LimitOutcome) { c.answer.Load().release(outcome) }

// hadPlace reports whether the Pacer gave the call a place.
func (c *modelCall) hadPlace() bool {
	a := c.answer.Load()
	return a != nil && a.release != nil
}

func (c *modelCall) err() error {
	if a := c.answer.Load(); a != nil {
		return a.err
	}
	return nil
}

// quotaModel counts all calls again for each question. It is slow, and simple
// enough to be right.
type quotaModel struct {
	limits []demeterrr.Limit
	calls  []*modelCall
}

// free reports whether a call may begin at that time.
func (m *quotaModel) free(low bool, at time.Time) bool {
	for _, l := range m.limits {
		all, lows := 0, 0
		for _, c := range m.calls {
			if c.holds || !c.ended.IsZero() && c.ended.Add(l.Window).After(at) {
				all++
				if c.low {
					lows++
				}
			}
		}
		if all >= l.Requests || low && lows >= l.Requests-l.Reserve {
			return false
		}
	}
	return true
}

// line returns the waiting calls, the next one first.
func (m *quotaModel) line() (line []*modelCall) {
	for _, low := range []bool{false, true} {
		for _, c := range m.calls {
			if c.waits && c.low == low {
				line = append(line, c)
			}
		}
	}
	return line
}

func (m *quotaModel) serve(now time.Time) {
	for _, c := range m.line() {
		if !m.free(c.low, now) {
			return
		}
		c.waits, c.holds = false, true
	}
}

// soonest returns the start of a call if all calls before it end at once.
func (m *quotaModel) soonest(want *modelCall, now time.Time) time.Time {
	copied := &quotaModel{limits: m.limits}
	for _, c := range m.calls {
		if c.holds {
			copied.calls = append(copied.calls, &modelCall{low: c.low, ended: now})
		} else if !c.ended.IsZero() {
			copied.calls = append(copied.calls, &modelCall{low: c.low, ended: c.ended})
		}
	}
	for _, c := range m.line() {
		for !copied.free(c.low, now) {
			now = now.Add(tick)
		}
		if c == want {
			break
		}
		copied.calls = append(copied.calls, &modelCall{low: c.low, ended: now})
	}
	return now
}

// modelTest runs random steps on a Pacer and on the model, and compares them
// after each.
type modelTest struct {
	*testing.T
	quotaModel
	pacer *demeterrr.Pacer
	rng   *rand.Rand
	early int // calls that failed before their deadline
}

func (t *modelTest) random(matches func(*modelCall) bool) *modelCall {
	var found []*modelCall
	for _, c := range t.calls {
		if matches(c) {
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		return nil
	}
	return found[t.rng.IntN(len(found))]
}

func (t *modelTest) arrive() {
	c := &modelCall{id: len(t.calls), low: t.rng.IntN(3) > 0, waits: true}
	ctx, cancel := context.WithCancel(t.Context())
	if t.rng.IntN(3) == 0 {
		c.deadline = time.Now().Add(time.Duration(t.rng.IntN(80))*tick + tick/2) // never at the time of a place
		ctx, cancel = context.WithDeadline(ctx, c.deadline)
	}
	if c.low {
		ctx = demeterrr.LowPriority(ctx)
	}
	c.cancel = cancel
	t.calls = append(t.calls, c)
	go func() {
		release, err := t.pacer.Acquire(ctx)
		c.answer.Store(&acquired{release, err})
	}()
}

// release gives a place back, with one Release or several.
func (t *modelTest) release() {
	c := t.random(func(c *modelCall) bool { return c.holds })
	if c == nil {
		return
	}
	sent := t.rng.IntN(4) > 0
	outcome := demeterrr.LimitOutcome{Sent: sent}
	switch t.rng.IntN(3) {
	case 0:
		c.release(outcome)
	case 1:
		func() { // like a panicking call
			defer func() { _ = recover() }()
			defer c.release(outcome)
			panic("in a transport")
		}()
	default:
		var together sync.WaitGroup
		for range 3 {
			together.Go(func() { c.release(outcome) })
		}
		together.Wait()
	}
	if c.holds = false; sent {
		c.ended = time.Now()
	}
}

// releaseAgain calls a Release a second time.
func (t *modelTest) releaseAgain() {
	if c := t.random(func(c *modelCall) bool { return c.hadPlace() && !c.holds }); c != nil {
		c.release(demeterrr.LimitOutcome{Sent: t.rng.IntN(2) == 0, RetryAfter: time.Duration(t.rng.IntN(2)) * time.Hour})
	}
}

func (t *modelTest) cancel() {
	if c := t.random(func(c *modelCall) bool { return c.waits }); c != nil {
		c.cancel()
		c.waits = false
	}
}

// cancelAndRelease cancels the first call in line and releases a place. The
// call gets the place before it notices the end of its context. The place must
// not get lost.
func (t *modelTest) cancelAndRelease() {
	if line := t.line(); len(line) > 0 {
		line[0].cancel()
		line[0].waits = false
	}
	t.release()
}

// compare checks that the same calls have places, wait, or have failed.
func (t *modelTest) compare() {
	t.Helper()
	synctest.Wait()
	now := time.Now()
	for _, c := range t.line() {
		switch failed := (*demeterrr.Error)(nil); {
		case errors.As(c.err(), &failed) && errors.Is(failed, demeterrr.ErrRateLimited):
			t.early++
			soonest, after := t.soonest(c, now), now.Add(failed.RetryAfter)
			if soonest.Before(c.deadline) || after.After(soonest) || after.Before(c.deadline) {
				t.Fatalf("call %d failed with RetryAfter %v; its earliest place is in %v, its deadline in %v",
					c.id, failed.RetryAfter, soonest.Sub(now), c.deadline.Sub(now))
			}
			c.waits = false
		case !c.deadline.IsZero() && now.After(c.deadline):
			if !errors.Is(c.err(), context.DeadlineExceeded) {
				t.Fatalf("call %d ended with %v at its deadline", c.id, c.err())
			}
			c.waits = false
		}
	}
	t.serve(now)
	var got, want []string
	for _, c := range t.calls {
		want = append(want, fmt.Sprintf("%d waits %t, has had a place %t", c.id, c.waits, c.holds || !c.ended.IsZero() || c.hadPlace() && !c.waits))
		got = append(got, fmt.Sprintf("%d waits %t, has had a place %t", c.id, c.answer.Load() == nil, c.hadPlace()))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("the Pacer and the model differ (-model +Pacer):\n%s", diff)
	}
}

// finish ends all calls, and then counts the free places.
func (t *modelTest) finish() {
	for _, c := range t.calls {
		c.cancel()
		c.waits = false
	}
	t.compare()
	for _, c := range t.calls {
		if c.holds {
			c.release(demeterrr.LimitOutcome{Sent: true})
		}
	}
	time.Sleep(time.Hour) // every window
	for _, low := range []bool{true, false} {
		places := 0
		for {
			ctx, cancel := context.WithTimeout(t.Context(), tick/2)
			if low {
				ctx = demeterrr.LowPriority(ctx)
			}
			_, err := t.pacer.Acquire(ctx)
			cancel()
			if err != nil {
				break
			}
			places++
		}
		want := slices.MinFunc(t.limits, func(a, b demeterrr.Limit) int { return a.Requests - a.Reserve - b.Requests + b.Reserve })
		if n := want.Requests - want.Reserve; low && places != n {
			t.Errorf("%d places of low priority are left of %d", places, n)
		}
		if least := slices.MinFunc(t.limits, func(a, b demeterrr.Limit) int { return a.Requests - b.Requests }); !low && places != least.Requests-(want.Requests-want.Reserve) {
			t.Errorf("%d places are left for normal calls with limits %v", places, t.limits)
		}
	}
}

func TestThePacerDoesWhatASlowModelDoes(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	early, seeds := 0, uint64(60)
	if testing.Short() {
		seeds = 20
	}
	t.Run("all", func(t *testing.T) {
		t.Parallel()
		for seed := range seeds {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					rng := rand.New(rand.NewPCG(seed, 15)) // the same on each run, to repeat a failure
					var limits []demeterrr.Limit
					for range 1 + rng.IntN(2) {
						l := demeterrr.Limit{Requests: 1 + rng.IntN(8), Window: time.Duration(1+rng.IntN(40)) * tick}
						l.Reserve = rng.IntN(l.Requests)
						limits = append(limits, l)
					}
					m := &modelTest{T: t, quotaModel: quotaModel{limits: limits}, pacer: demeterrr.NewPacer(limits...), rng: rng}
					for range 150 {
						switch step := rng.IntN(21); {
						case step < 8:
							m.arrive()
						case step < 13:
							m.release()
						case step == 13:
							m.releaseAgain()
						case step == 14:
							m.cancel()
						case step == 15:
							m.cancelAndRelease()
						default:
							for range rng.IntN(8) {
								time.Sleep(tick)
								m.compare()
							}
						}
						m.compare()
					}
					m.finish()
					mu.Lock()
					defer mu.Unlock()
					early += m.early
				})
			})
		}
	})
	t.Cleanup(func() {
		if early == 0 {
			t.Error("no call failed early: change the steps until some do")
		}
	})
}
