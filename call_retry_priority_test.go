package demeterrr_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

func TestALowCallWaitsForTheQuotaAtTheCostOfNoRetry(t *testing.T) {
	t.Parallel()
	hour := limitedFor("3600")
	for name, tt := range map[string]struct {
		steps    []step
		opts     []demeterrr.CallOption
		attempts []int // by MaxRetries; 0 attempts: a success after all the steps
	}{
		"one 429":            {[]step{hour}, nil, []int{0, 0, 0}},
		"two":                {[]step{hour, hour}, nil, []int{0, 0, 0}},
		"three":              {[]step{hour, hour, hour}, nil, []int{0, 0, 0}},
		"of 120 s":           {[]step{limitedFor("120"), limitedFor("120")}, nil, []int{0, 0, 0}},
		"then a failure":     {[]step{hour, gateway}, nil, []int{2, 0, 0}},
		"after a failure":    {[]step{gateway, hour}, nil, []int{1, 0, 0}},
		"among failures":     {[]step{hour, gateway, hour, hour, gateway}, nil, []int{2, 5, 0}},
		"too many failures":  {[]step{gateway, hour, gateway, gateway}, nil, []int{1, 3, 4}},
		"without retryAfter": {[]step{limited}, nil, []int{1, 0, 0}},
		"beyond an hour":     {[]step{limitedFor("3601")}, nil, []int{1, 1, 1}},
		"a 503":              {[]step{step{status: 503}.with("Retry-After", "3600")}, nil, []int{1, 1, 1}},
		"at most once":       {[]step{hour, hour}, []demeterrr.CallOption{demeterrr.WithAtMostOnce()}, []int{0, 0, 0}},
		"no retries allowed": {[]step{hour}, []demeterrr.CallOption{demeterrr.WithMaxRetries(0)}, []int{1, 1, 1}},
		"one retry allowed":  {[]step{hour, hour, gateway}, []demeterrr.CallOption{demeterrr.WithMaxRetries(1)}, []int{0, 0, 0}},
	} {
		for retries, attempts := range tt.attempts {
			t.Run(fmt.Sprint(name, ", MaxRetries ", retries), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					c, s := play(t, append(slices.Clone(tt.steps), okContact), demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: retries}))
					err := get(demeterrr.LowPriority(t.Context()), c, tt.opts...)
					if attempts == 0 {
						wantNil(t, err)
						s.wantSent(len(tt.steps) + 1)
						return
					}
					wantError(t, err, attempts)
					s.wantSent(attempts)
				})
			})
		}
	}
}

// An Execute refused for the quota has done nothing.
func TestALowExecuteWaitsForTheQuota(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := play(t, []step{limitedFor("3600"), limitedFor("1800"), okExecution})
		wantNil(t, execute(demeterrr.LowPriority(t.Context()), c, demeterrr.WithAtMostOnce()))
		s.wantHeldUntil(1, time.Hour, 30*time.Second)
		s.wantHeldUntil(2, time.Hour+30*time.Minute, time.Minute)
	})
}

func TestANormalCallDoesNotWaitForTheHour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := play(t, []step{limitedFor("3600")})
		e := wantError(t, get(t.Context(), c), 1, demeterrr.ErrRateLimited)
		same(t, "RetryAfter", e.RetryAfter, time.Hour)
		time.Sleep(time.Minute)
		e = wantError(t, get(t.Context(), c), 0, demeterrr.ErrRateLimited)
		same(t, "RetryAfter of the next call", e.RetryAfter, 59*time.Minute)
		s.wantSent(1)
	})
}

func TestALowCallWaitsWhileAllAreHeldBack(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		policy  demeterrr.RetryPolicy
		opts    []demeterrr.CallOption
		refused bool
	}{
		"by default":                    {demeterrr.DefaultRetryPolicy(), nil, false},
		"with no retries by the policy": {demeterrr.RetryPolicy{}, nil, false},
		"with a longer MaxRetryAfter":   {demeterrr.RetryPolicy{MaxRetryAfter: 2 * time.Hour}, nil, false},
		"with a shorter MaxRetryAfter":  {demeterrr.RetryPolicy{MaxRetryAfter: time.Second}, nil, false},
		"with no retries of its own":    {demeterrr.DefaultRetryPolicy(), []demeterrr.CallOption{demeterrr.WithMaxRetries(0)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, s := play(t, []step{limitedFor("3600"), okContact}, demeterrr.WithRetryPolicy(tt.policy))
				closeGate(t, c)
				time.Sleep(time.Minute)
				err := get(demeterrr.LowPriority(t.Context()), c, tt.opts...)
				if tt.refused {
					wantError(t, err, 0, demeterrr.ErrRateLimited)
					return
				}
				wantNil(t, err)
				s.wantHeldUntil(1, time.Hour, time.Second)
			})
		})
	}
}

func TestALowCallThatCannotWaitFailsAtOnce(t *testing.T) {
	t.Parallel()
	for name, elsewhere := range map[string]bool{"it meets the 429 itself": false, "another call did": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, s := play(t, []step{limitedFor("3600"), okContact})
				attempts := 1
				if elsewhere {
					closeGate(t, c)
					attempts = 0
				}
				ctx, cancel := context.WithTimeout(demeterrr.LowPriority(t.Context()), 59*time.Minute)
				defer cancel()
				begin := time.Now()
				e := wantError(t, get(ctx, c), attempts, demeterrr.ErrRateLimited)
				same(t, "RetryAfter", e.RetryAfter, time.Hour)
				same(t, "time", time.Since(begin), time.Duration(0))
				s.wantSent(1)
			})
		})
	}
}

// If the API always asks for one second, the call asks it less and less often,
// until the context ends.
func TestALowCallBacksOffFromEndless429s(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(demeterrr.LowPriority(t.Context()), time.Hour)
		defer cancel()
		c, s := play(t, repeat(limitedFor("1"), 1000))
		err := get(ctx, c)
		wantError(t, err, len(s.sent), demeterrr.ErrRateLimited)
		if len(s.sent) < 9 {
			t.Fatalf("it gave up after %d requests", len(s.sent))
		}
		waits := make([]time.Duration, 8)
		for i := range waits {
			waits[i] = s.sent[i+1].at - s.sent[i].at
		}
		for i, seconds := range []int{1, 1, 2, 4, 8, 16, 30, 30} {
			if want := time.Duration(seconds) * time.Second; waits[i] < want || waits[i] > want+want/4 {
				t.Errorf("wait %d took %v, want %v or up to a quarter more", i+1, waits[i], want)
			}
		}
		if n := len(s.sent); n > 130 {
			t.Errorf("%d requests in an hour", n)
		}
	})
}

// Back-off starts at the second 429.
func TestALowCallWaitsAsLongAsTheFirst429Asks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := play(t, []step{limitedFor("2"), okContact}, demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MinWait: 20 * time.Second}))
		wantNil(t, get(demeterrr.LowPriority(t.Context()), c))
		s.wantWaits(2 * time.Second)
	})
}

// A job is killed after 20 minutes. A new run knows nothing of the used-up
// quota, and still finishes.
func TestAJobThatStartsIntoAUsedUpHourFinishes(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]demeterrrtest.WindowKind{"fixed windows": demeterrrtest.FixedWindow, "sliding windows": demeterrrtest.SlidingWindow} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const size, workers = 1500, 4
				begin := time.Now()
				srv := demeterrrtest.NewServer(demeterrrtest.WithRateLimits(kind, demeterrr.DefaultLimits()...))
				defer srv.Close()
				done := make([]bool, size)
				killed := startJob(t, srv, done, workers, begin.Add(20*time.Minute))
				if finished := count(done); len(killed) != workers || finished < 999 || finished > 1000 {
					t.Fatalf("the job did %d before it was killed, with %d errors; it must use up the hour", finished, len(killed))
				}
				for _, err := range startJob(t, srv, done, workers, time.Time{}) {
					t.Error(err)
				}
				if n := count(done); n != size {
					t.Errorf("%d of %d were done", n, size)
				}
				if took := time.Since(begin); took > 70*time.Minute {
					t.Errorf("it took %v, and the hour's quota is back after an hour", took)
				}
				if n := refusals(srv); n > 2*workers {
					t.Errorf("%d requests were refused", n)
				}
			})
		})
	}
}

// startJob reads a contact for each unfinished item, with a new client and a
// new Pacer, like a new process. It returns the errors.
func startJob(t *testing.T, srv *demeterrrtest.Server, done []bool, workers int, killedAt time.Time) (failed []error) {
	t.Helper()
	ctx, cancel := context.WithCancel(demeterrr.LowPriority(t.Context()))
	defer cancel()
	if !killedAt.IsZero() {
		time.AfterFunc(time.Until(killedAt), cancel)
	}
	client := srv.Client(demeterrr.WithLimiter(demeterrr.NewPacer()))
	var mu sync.Mutex
	var all sync.WaitGroup
	var next atomic.Int64
	for range workers {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(done) {
					return
				}
				if done[i] {
					continue
				}
				if _, err := client.Contacts.List(ctx, nil); err != nil {
					mu.Lock()
					defer mu.Unlock()
					failed = append(failed, err)
					return
				}
				done[i] = true
			}
		})
	}
	all.Wait()
	return failed
}

func count(done []bool) (n int) {
	for _, d := range done {
		if d {
			n++
		}
	}
	return n
}

func refusals(srv *demeterrrtest.Server) (n int) {
	for _, r := range srv.Requests() {
		if r.Status == 429 {
			n++
		}
	}
	return n
}
