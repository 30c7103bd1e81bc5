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

// spaced is a limiter like *rate.Limiter with a burst of one. It gives one
// place after the other, and takes none back.
type spaced struct {
	every time.Duration
	mu    sync.Mutex
	next  time.Time
}

func (l *spaced) Wait(ctx context.Context) error {
	l.mu.Lock()
	at := time.Now()
	if l.next.After(at) {
		at = l.next
	}
	l.next = at.Add(l.every)
	l.mu.Unlock()
	select {
	case <-time.After(time.Until(at)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Of 50 goroutines, the eleventh meets a 429. The calls behind it have their
// place, or take one during the pause. After the pause they must not leave
// together.
func TestALimitHoldsAfterAPause(t *testing.T) {
	t.Parallel()
	limit := demeterrr.Limit{Requests: 6, Window: 6 * time.Second}
	for name, limiter := range map[string]func() demeterrr.Limiter{
		"WaitLimiter": func() demeterrr.Limiter { return demeterrr.WaitLimiter(&spaced{every: time.Second}) },
		"Pacer":       func() demeterrr.Limiter { return demeterrr.NewPacer(limit) },
	} {
		for latency, took := range map[string]time.Duration{"at once": 0, "after 2.5 s": 2500 * time.Millisecond} {
			t.Run(name+", "+latency, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					refusal := limitedFor("20")
					steps := slices.Concat(repeat(okContact, 10), []step{refusal}, repeat(okContact, 50))
					for i := range steps {
						steps[i].took = took
					}
					c, s := play(t, steps, demeterrr.WithLimiter(limiter()))
					var calls sync.WaitGroup
					for range 50 {
						calls.Go(func() { wantNil(t, get(t.Context(), c)) })
					}
					calls.Wait()
					s.wantSent(51)
					slices.SortFunc(s.sent, func(a, b sent) int { return cmp.Compare(a.at, b.at) })
					refusedAt := s.sent[10].at + took
					for i, r := range s.sent {
						if j := i + limit.Requests; j < len(s.sent) && s.sent[j].at-r.at < limit.Window {
							t.Errorf("%d requests in the %v from %v", limit.Requests+1, s.sent[j].at-r.at, r.at)
						}
						if r.at > refusedAt && r.at < refusedAt+20*time.Second {
							t.Errorf("a request left at %v, while all were held back", r.at)
						}
					}
				})
			})
		}
	}
}

func TestWaitLimiterWithoutALimiterIsRefused(t *testing.T) {
	t.Parallel()
	const says = "WaitLimiter: the limiter is nil; leave the option out for none"
	for name, l := range map[string]demeterrr.Limiter{
		"nil":         demeterrr.WaitLimiter(nil),
		"a typed nil": demeterrr.WaitLimiter((*spaced)(nil)),
	} {
		_, err := demeterrr.New(testKey, demeterrr.WithLimiter(l))
		refusedBeforeSending(t, name, err, demeterrr.ErrValidation, "WithLimiter: "+says)
		// New cannot see into a decorator, so each call reports the mistake.
		wrapped := acquireFunc(func(ctx context.Context) (demeterrr.Release, error) { return l.Acquire(ctx) })
		err = get(t.Context(), serving(t, neverSent(t), demeterrr.WithLimiter(wrapped)))
		refusedBeforeSending(t, name+", wrapped", err, demeterrr.ErrValidation, says)
	}
}

func TestTheErrorsOfAWaitLimiterComeBack(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err        error
		match      error
		retryAfter time.Duration
	}{
		"any":                      {errLimiter, errLimiter, 0},
		"an error with a wait":     {away{}, demeterrr.ErrRateLimited, time.Hour},
		"the caller is in a hurry": {context.DeadlineExceeded, context.DeadlineExceeded, 0},
	} {
		limiter := demeterrr.WaitLimiter(waitOnly{func(context.Context) error { return tt.err }})
		e := wantError(t, get(t.Context(), serving(t, neverSent(t), demeterrr.WithLimiter(limiter))), 0, tt.match, tt.err)
		same(t, name, e.RetryAfter, tt.retryAfter)
	}
}

func TestLowPriorityIsInTheContext(t *testing.T) {
	t.Parallel()
	low := demeterrr.LowPriority(t.Context())
	derived, cancel := context.WithTimeout(context.WithoutCancel(low), time.Hour)
	defer cancel()
	for name, tt := range map[string]struct {
		ctx  context.Context
		want bool
	}{
		"none": {nil, false}, "nil marked": {demeterrr.LowPriority(nil), false}, //nolint:staticcheck // what is tested
		"normal": {t.Context(), false}, "low": {low, true}, "derived": {derived, true}, "twice": {demeterrr.LowPriority(low), true},
	} {
		same(t, name, demeterrr.IsLowPriority(tt.ctx), tt.want)
	}
	if demeterrr.LowPriority(low) != low {
		t.Error("a context of low priority is derived again")
	}
	var seen []bool
	limiter := acquireFunc(func(ctx context.Context) (demeterrr.Release, error) {
		seen = append(seen, demeterrr.IsLowPriority(ctx))
		return noPlace, nil
	})
	for _, tracers := range [][]demeterrr.Tracer{nil, {forgetful{}}} {
		c := serving(t, answer(200, okContact.body), demeterrr.WithLimiter(limiter), demeterrr.WithTracer(tracers...))
		wantNil(t, get(t.Context(), c))
		wantNil(t, get(low, c))
	}
	same(t, "the limiter saw", seen, []bool{false, true, false, true})
}
