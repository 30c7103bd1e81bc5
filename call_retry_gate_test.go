package demeterrr_test

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// closeGate makes a call of c meet a 429, which must be the next step.
func closeGate(t *testing.T, c *demeterrr.Client) {
	t.Helper()
	wantError(t, get(t.Context(), c, demeterrr.WithMaxRetries(0)), 1, demeterrr.ErrRateLimited)
}

// wantHeldUntil checks that request i was sent at opens or up to spread later.
func (s *script) wantHeldUntil(i int, opens, spread time.Duration) {
	s.t.Helper()
	if i >= len(s.sent) {
		s.t.Fatalf("request %d was not sent", i+1)
	}
	if got := s.sent[i].at; got < opens || got > opens+spread {
		s.t.Errorf("request %d was sent at %v, want %v or up to %v later", i+1, got, opens, spread)
	}
}

func TestA429HoldsBackEveryOtherCallOfTheClient(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]step{
		"header":        limitedFor("60"),
		"error.details": {status: 429, body: limited60JSON},
		"of a proxy":    {status: 429, body: "slow down", header: []string{"Retry-After", "60"}},
	} {
		for _, op := range operations {
			t.Run(name+"/"+op.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					c, s := play(t, []step{first, op.success})
					closeGate(t, c)
					time.Sleep(20 * time.Second)
					wantNil(t, op.call(t.Context(), c))
					s.wantHeldUntil(1, time.Minute, time.Second)
				})
			})
		}
	}
}

func TestAShortGateSpreadsLittle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for range 20 {
			c, s := play(t, []step{limitedFor("2"), okContact})
			closeGate(t, c)
			wantNil(t, get(t.Context(), c))
			s.wantHeldUntil(1, 2*time.Second, 100*time.Millisecond)
		}
	})
}

func TestA429HoldsBackNoOtherClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := play(t, []step{limitedFor("60"), okContact})
		closeGate(t, c)
		wantNil(t, get(t.Context(), s.client()))
		s.wantHeldUntil(1, 0, 0)
	})
}

func TestTheGateOpensByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := play(t, []step{limitedFor("60"), okContact})
		closeGate(t, c)
		time.Sleep(time.Minute)
		wantNil(t, get(t.Context(), c, demeterrr.WithMaxRetries(0)))
		s.wantHeldUntil(1, time.Minute, 0)
	})
}

func TestWhatDoesNotCloseTheGate(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]step{
		"a 429 without retryAfter":   limited,
		"a 429 with garbage":         limitedFor("soon"),
		"a 503 with Retry-After":     step{status: 503}.with("Retry-After", "60"),
		"a 500 with Retry-After":     internal.with("Retry-After", "60"),
		"a success with Retry-After": okContact.with("Retry-After", "60"),
		"a 403 with Retry-After":     step{status: 403}.with("Retry-After", "60"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, s := play(t, []step{first, okContact})
				_ = get(t.Context(), c, demeterrr.WithMaxRetries(0))
				wantNil(t, get(t.Context(), c))
				s.wantHeldUntil(1, 0, 0)
			})
		})
	}
}

// The odds of 100 calls within half a second are below 1e-27.
func TestThoseWhoWaitAreSpreadWhenTheGateOpens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := play(t, append([]step{limitedFor("60")}, repeat(okContact, 100)...))
		closeGate(t, c)
		var calls sync.WaitGroup
		for range 100 {
			calls.Go(func() {
				if err := get(t.Context(), c); err != nil {
					t.Error(err)
				}
			})
		}
		calls.Wait()
		s.wantSent(101)
		for i := 1; i <= 100; i++ {
			s.wantHeldUntil(i, time.Minute, time.Second)
		}
		byTime := func(a, b sent) int { return cmp.Compare(a.at, b.at) }
		first, last := slices.MinFunc(s.sent[1:], byTime), slices.MaxFunc(s.sent[1:], byTime)
		if spread := last.at - first.at; spread < time.Second/2 {
			t.Errorf("100 calls came within %v", spread)
		}
	})
}

func TestTheGateRefusesWhoMayNotWait(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		deadline time.Duration
		policy   demeterrr.RetryPolicy
		opts     []demeterrr.CallOption
	}{
		"beyond MaxRetryAfter":      {policy: demeterrr.RetryPolicy{MaxRetries: 3, MaxRetryAfter: 39 * time.Second}},
		"past the deadline":         {deadline: 39 * time.Second, policy: demeterrr.DefaultRetryPolicy()},
		"at the deadline":           {deadline: 40 * time.Second, policy: demeterrr.DefaultRetryPolicy()},
		"no retries by the policy":  {policy: demeterrr.RetryPolicy{}},
		"no retries by call option": {policy: demeterrr.DefaultRetryPolicy(), opts: []demeterrr.CallOption{demeterrr.WithMaxRetries(0)}},
	} {
		for _, op := range operations {
			t.Run(name+"/"+op.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					c, s := play(t, []step{limitedFor("60"), op.success}, demeterrr.WithRetryPolicy(tt.policy))
					closeGate(t, c)
					time.Sleep(20 * time.Second)
					begin, ctx := time.Now(), t.Context()
					if tt.deadline > 0 {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, tt.deadline)
						defer cancel()
					}
					err := op.call(ctx, c, tt.opts...)
					e := wantError(t, err, 0, demeterrr.ErrRateLimited)
					wantIsNot(t, err, demeterrr.ErrUnknownOutcome, context.DeadlineExceeded, demeterrr.ErrTimeout)
					if e.RetryAfter != 40*time.Second || e.StatusCode != 0 || e.Method == "" || e.Path == "" {
						t.Errorf("got %v with status %d and RetryAfter %v, want the remaining 40 s", e, e.StatusCode, e.RetryAfter)
					}
					if took := time.Since(begin); took != 0 {
						t.Errorf("it returned after %v", took)
					}
					s.wantSent(1)
				})
			})
		}
	}
}

func TestTheGateLetsWaitWhoMay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for range 30 {
			c, s := play(t, []step{limitedFor("120"), okContact})
			closeGate(t, c) // exactly the default of MaxRetryAfter, and just before the deadline
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute+time.Millisecond)
			wantNil(t, get(ctx, c, demeterrr.WithAtMostOnce(), demeterrr.WithMaxRetries(1)))
			s.wantHeldUntil(1, 2*time.Minute, time.Second)
			cancel()
		}
	})
}

func TestTheGateIsClosedForAnHourAtMost(t *testing.T) {
	t.Parallel()
	for _, retryAfter := range []string{"3600", "18000", "1743440400", "9000000000"} {
		t.Run(retryAfter, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				patient := demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: 1, MaxRetryAfter: 2 * time.Hour})
				c, s := play(t, []step{limitedFor(retryAfter), okContact}, patient)
				closeGate(t, c)
				wantNil(t, get(t.Context(), c))
				s.wantHeldUntil(1, time.Hour, time.Second)
			})
		})
	}
}

func TestAShorter429DoesNotOpenTheGateSooner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		late := limitedFor("10")
		late.took = 5 * time.Second // it was in flight when the other closed the gate
		c, s := play(t, []step{late, limitedFor("60"), okContact})
		go func() { _ = get(t.Context(), c, demeterrr.WithMaxRetries(0)) }()
		synctest.Wait()
		closeGate(t, c)
		time.Sleep(8 * time.Second)
		wantNil(t, get(t.Context(), c))
		s.wantHeldUntil(2, time.Minute, time.Second)
	})
}

// A call waits at the gate. A reply in flight closes the gate again.
func TestALonger429KeepsTheGateClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		late := limitedFor("60")
		late.took = 5 * time.Second
		c, s := play(t, []step{late, limitedFor("10"), okContact})
		go func() { _ = get(t.Context(), c, demeterrr.WithMaxRetries(0)) }()
		synctest.Wait()
		closeGate(t, c)
		wantNil(t, get(t.Context(), c))
		s.wantHeldUntil(2, 65*time.Second, time.Second)
	})
}

// A retry passes the gate too: its wait of a second must become longer.
func TestTheGateHoldsBackRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := play(t, []step{gateway, limitedFor("60"), okContact})
		done := make(chan error)
		go func() { done <- get(t.Context(), c) }()
		synctest.Wait()
		closeGate(t, c)
		wantNil(t, <-done)
		s.wantHeldUntil(2, time.Minute, time.Second)
	})
}

// If the gate stops a retry, the call returns its own last reply and the
// remaining wait.
func TestTheGateRefusesARetry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := play(t, []step{gateway, limitedFor("3600"), okContact})
		done := make(chan error)
		go func() { done <- create(t.Context(), c) }()
		synctest.Wait()
		closeGate(t, c)
		err := <-done
		e := wantError(t, err, 1, demeterrr.ErrServer, demeterrr.ErrRateLimited, demeterrr.ErrUnknownOutcome)
		if e.StatusCode != 502 || e.RetryAfter < time.Hour-1250*time.Millisecond || e.RetryAfter > time.Hour-time.Second {
			t.Errorf("got %v with RetryAfter %v", e, e.RetryAfter)
		}
		s.wantSent(2)
	})
}

func TestWaitingForTheGateCanBeCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		c, s := play(t, []step{limitedFor("60"), okContact})
		closeGate(t, c)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Second, cancel)
		err := create(ctx, c)
		wantError(t, err, 0, context.Canceled)
		wantIsNot(t, err, demeterrr.ErrUnknownOutcome)
		if took := time.Since(begin); took != 10*time.Second {
			t.Errorf("it returned after %v", took)
		}
		s.wantSent(1)
	})
}

// The call with the 429 waits by itself, then finds the gate open.
func TestTheGateDoesNotHoldTheCallThatClosedIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for range 50 {
			c, s := play(t, []step{limitedFor("60"), okContact})
			wantNil(t, get(t.Context(), c, demeterrr.WithMaxRetries(1)))
			s.wantWaits(time.Minute)
		}
	})
}
