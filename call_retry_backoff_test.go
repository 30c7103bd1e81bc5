package demeterrr_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

func TestBackoffDoublesUpToMaxWait(t *testing.T) {
	t.Parallel()
	const second = time.Second
	for name, tt := range map[string]struct {
		policy demeterrr.RetryPolicy
		waits  []time.Duration
	}{
		"defaults":                    {demeterrr.DefaultRetryPolicy(), []time.Duration{second, 2 * second, 4 * second}},
		"zeros mean the defaults":     {demeterrr.RetryPolicy{MaxRetries: 8}, []time.Duration{second, 2 * second, 4 * second, 8 * second, 16 * second, 30 * second, 30 * second, 30 * second}},
		"a policy of its own":         {demeterrr.RetryPolicy{MaxRetries: 5, MinWait: 3 * second, MaxWait: 20 * second}, []time.Duration{3 * second, 6 * second, 12 * second, 20 * second, 20 * second}},
		"MaxWait reached exactly":     {demeterrr.RetryPolicy{MaxRetries: 4, MinWait: 5 * second, MaxWait: 10 * second}, []time.Duration{5 * second, 10 * second, 10 * second, 10 * second}},
		"MinWait equals MaxWait":      {demeterrr.RetryPolicy{MaxRetries: 3, MinWait: 2 * second, MaxWait: 2 * second}, []time.Duration{2 * second, 2 * second, 2 * second}},
		"MinWait beyond the default":  {demeterrr.RetryPolicy{MaxRetries: 2, MinWait: 45 * second}, []time.Duration{45 * second, 45 * second}},
		"MaxWait below the default":   {demeterrr.RetryPolicy{MaxRetries: 2, MaxWait: 100 * time.Millisecond}, []time.Duration{100 * time.Millisecond, 100 * time.Millisecond}},
		"one retry":                   {demeterrr.RetryPolicy{MaxRetries: 1}, []time.Duration{second}},
		"MaxRetries is literal":       {demeterrr.RetryPolicy{}, nil},
		"MaxRetries 0 with waits set": {demeterrr.RetryPolicy{MinWait: second, MaxWait: second}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, s := play(t, repeat(gateway, 20), demeterrr.WithRetryPolicy(tt.policy))
				wantError(t, get(t.Context(), c), len(tt.waits)+1, demeterrr.ErrServer)
				s.wantWaits(tt.waits...)
			})
		})
	}
}

func TestDefaultRetryPolicy(t *testing.T) {
	t.Parallel()
	want := demeterrr.RetryPolicy{MaxRetries: 3, MinWait: time.Second, MaxWait: 30 * time.Second, MaxRetryAfter: 2 * time.Minute}
	same(t, "DefaultRetryPolicy", demeterrr.DefaultRetryPolicy(), want)
}

// Unchecked doubling by a shift gives 0 or a negative wait from the 64th on.
func TestBackoffDoesNotOverflow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := play(t, repeat(gateway, 100), demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: 80, MinWait: 1, MaxWait: time.Minute}))
		wantError(t, get(t.Context(), c), 81)
		waits := make([]time.Duration, 80)
		for i := range waits {
			waits[i] = time.Minute
			if i < 36 { // 2^36 ns are more than a minute
				waits[i] = 1 << i
			}
		}
		for i, want := range waits {
			if got := s.sent[i+1].at - s.sent[i].at; got < want || got > want+want/4 {
				t.Errorf("wait %d took %v, want %v or up to a quarter more", i+1, got, want)
			}
		}
	})
}

// The longest wait must not turn negative, as this means no wait.
func TestTheLongestWaitDoesNotOverflow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Hour, cancel)
		c, s := play(t, repeat(gateway, 10), demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: 3, MinWait: math.MaxInt64 - 1, MaxWait: math.MaxInt64}))
		wantError(t, get(ctx, c), 1, context.Canceled, demeterrr.ErrServer)
		s.wantSent(1)
	})
}

// With 300 waits, the odds of missing a fifth of the range are below 1e-28.
func TestChanceLengthensAWaitByLessThanAQuarter(t *testing.T) {
	t.Parallel()
	wantSpread(t, gateway, time.Second)
}

// wantSpread checks that the waits after a reply are spread between floor and a
// quarter more.
func wantSpread(t *testing.T, reply step, floor time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		shortest, longest := time.Duration(math.MaxInt64), time.Duration(0)
		for range 300 {
			c, s := play(t, []step{reply, okContact})
			wantNil(t, get(t.Context(), c))
			s.wantWaits(floor)
			wait := s.sent[1].at - s.sent[0].at
			shortest, longest = min(shortest, wait), max(longest, wait)
		}
		if shortest > floor+floor/20 || longest < floor+floor/5 {
			t.Errorf("waits are between %v and %v, want them spread over %v and up to a quarter more", shortest, longest, floor)
		}
	})
}

func TestWithMaxRetriesOverridesThePolicy(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		policy, call, want int
	}{
		"none":                   {3, 0, 1},
		"fewer":                  {3, 1, 2},
		"more":                   {1, 5, 6},
		"some where policy none": {0, 2, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, s := play(t, repeat(gateway, 20), demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: tt.policy}))
				wantError(t, get(t.Context(), c, demeterrr.WithMaxRetries(tt.call)), tt.want)
				s.wantSent(tt.want)
				wantError(t, get(t.Context(), c), tt.policy+1) // the next call uses the policy again
			})
		})
	}
}

func TestRetryPolicyIsChecked(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]demeterrr.RetryPolicy{
		"MaxRetries":           {MaxRetries: -1},
		"MinWait":              {MinWait: -1},
		"MaxWait":              {MaxWait: -1},
		"MaxRetryAfter":        {MaxRetryAfter: -1},
		"MinWait over MaxWait": {MinWait: 2, MaxWait: 1},
	} {
		c, err := demeterrr.New(testKey, demeterrr.WithRetryPolicy(p))
		if c != nil {
			t.Errorf("%s: got a client", name)
		}
		wantError(t, err, 0, demeterrr.ErrValidation)
	}
}

func TestWithMaxRetriesIsChecked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := play(t, nil)
		wantError(t, get(t.Context(), c, demeterrr.WithMaxRetries(-1)), 0, demeterrr.ErrValidation)
		s.wantSent(0)
	})
}

// A wait beyond the deadline is skipped.
func TestBackoffDoesNotPassTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begin := time.Now()
		c, s := play(t, repeat(gateway, 10))
		err := get(ctx, c) // 1 s, then 2 s would be too long
		wantError(t, err, 2, demeterrr.ErrServer)
		wantIsNot(t, err, context.DeadlineExceeded, context.Canceled)
		s.wantWaits(time.Second)
		if took := time.Since(begin); took >= 1250*time.Millisecond {
			t.Errorf("it returned after %v, want it at once after the second reply", took)
		}
	})
}

// Jitter uses at most half of the time before the deadline.
func TestChanceDoesNotPassTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for range 50 {
			ctx, cancel := context.WithTimeout(t.Context(), 1010*time.Millisecond)
			c, s := play(t, []step{gateway, okContact})
			wantNil(t, get(ctx, c))
			s.wantWaits(time.Second)
			cancel()
		}
	})
}
