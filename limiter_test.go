package demeterrr_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// diary is a limiter and the transport below it. It records the order of their
// use.
type diary struct {
	*script
	holds []time.Duration // duration of each Acquire; 0 for the rest
	fails map[int]error   // errors of Acquire by its number, from 1

	mu     sync.Mutex
	waits  int
	events []string
}

func (d *diary) write(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, fmt.Sprintf(format, args...))
}

func (d *diary) Acquire(ctx context.Context) (demeterrr.Release, error) {
	d.mu.Lock()
	d.waits++
	n, hold := d.waits, time.Duration(0)
	if len(d.holds) >= n {
		hold = d.holds[n-1]
	}
	d.mu.Unlock()
	d.write("acquire")
	select {
	case <-time.After(hold):
		if d.fails[n] != nil {
			return nil, d.fails[n]
		}
		return d.release, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (d *diary) release(o demeterrr.LimitOutcome) {
	if (o == demeterrr.LimitOutcome{}) {
		d.write("release unsent")
		return
	}
	if !o.Sent {
		d.t.Errorf("nothing was sent, but the outcome is %+v", o)
	}
	d.write("release %d %d/%d %v", o.StatusCode, o.RateLimit.Remaining, o.RateLimit.Limit, o.RetryAfter)
}

func (d *diary) RoundTrip(req *http.Request) (*http.Response, error) {
	d.write("send")
	return d.script.RoundTrip(req)
}

func keepDiary(t *testing.T, d *diary, steps []step) *demeterrr.Client {
	t.Helper()
	d.script = &script{t: t, begin: time.Now(), steps: steps}
	return d.client(demeterrr.WithLimiter(d), demeterrr.WithHTTPClient(&http.Client{Transport: d}))
}

// quota adds headers with the remaining requests.
func (s step) quota(remaining string) step {
	return s.with("X-RateLimit-Limit", "1000", "X-RateLimit-Remaining", remaining)
}

func TestTheLimiterIsAskedBeforeEveryAttemptAndToldAfterIt(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		steps []step
		want  []string // of each attempt
	}{
		"a success without headers": {[]step{okCreated}, []string{"201 0/0 0s"}},
		"a success with headers":    {[]step{okCreated.quota("987")}, []string{"201 987/1000 0s"}},
		"retries":                   {[]step{limitedFor("60").quota("0"), internal.quota("999"), okCreated.quota("998")}, []string{"429 0/1000 1m0s", "500 999/1000 0s", "201 998/1000 0s"}},
		"retryAfter in the body":    {[]step{{status: 429, body: limited60JSON}, okCreated}, []string{"429 0/0 1m0s", "201 0/0 0s"}},
		"a 429 without retryAfter":  {[]step{limited, okCreated}, []string{"429 0/0 0s", "201 0/0 0s"}},
		"retryAfter of a 503":       {[]step{step{status: 503}.with("Retry-After", "7"), okCreated}, []string{"503 0/0 0s", "201 0/0 0s"}},
		"network failures":          {[]step{refused, noHost, reset, okCreated}, []string{"unsent", "unsent", "0 0/0 0s", "201 0/0 0s"}},
		"a wrong certificate":       {[]step{badCert}, []string{"unsent"}},
		"a 429, then nothing":       {[]step{limitedFor("60"), reset, okCreated}, []string{"429 0/0 1m0s", "0 0/0 0s", "201 0/0 0s"}},
		"no reply in time":          {[]step{stalled, okCreated}, []string{"0 0/0 0s", "201 0/0 0s"}},
		"a body cut short":          {[]step{step{body: okContact.body, cut: true}.quota("5"), okCreated}, []string{"200 5/1000 0s", "201 0/0 0s"}},
		"a final error":             {[]step{exists.quota("3")}, []string{"409 3/1000 0s"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &diary{}
				c := keepDiary(t, d, tt.steps)
				_ = create(t.Context(), c)
				var want []string
				for _, outcome := range tt.want {
					want = append(want, "acquire", "send", "release "+outcome)
				}
				same(t, "events", d.events, want)
			})
		})
	}
}

func TestTheLimiterIsToldOfACancelledAttempt(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		first  step
		status int
	}{
		"in flight":   {stalled, 0},
		"in the body": {step{body: okContact.body, freeze: true}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				d := &diary{}
				c := keepDiary(t, d, []step{tt.first})
				wantError(t, get(ctx, c), 1, context.DeadlineExceeded)
				same(t, "events", d.events, []string{"acquire", "send", fmt.Sprintf("release %d 0/0 0s", tt.status)})
			})
		})
	}
}

var errLimiter = errors.New("redis is away")

func TestALimitersErrorComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &diary{fails: map[int]error{1: errLimiter}}
		c := keepDiary(t, d, nil)
		err := create(t.Context(), c)
		e := wantError(t, err, 0, errLimiter)
		wantIsNot(t, err, demeterrr.ErrUnknownOutcome)
		if e.Method != "POST" || e.Path != "/contacts" || e.StatusCode != 0 {
			t.Errorf("got %v", e)
		}
		same(t, "events", d.events, []string{"acquire"}) // no Release without a place
	})
}

func TestAWrappedErrorOfALimiterComesBackWhole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pacer := demeterrr.NewPacer(demeterrr.Limit{Requests: 1, Window: time.Hour})
		release, err := pacer.Acquire(t.Context())
		wantNil(t, err)
		release(demeterrr.LimitOutcome{Sent: true})
		wrapped := fmt.Errorf("%w: %w", errLimiter, mustFail(t, pacer))
		c := keepDiary(t, &diary{fails: map[int]error{1: wrapped}}, nil)
		e := wantError(t, create(t.Context(), c), 0, errLimiter, demeterrr.ErrRateLimited)
		same(t, "RetryAfter", e.RetryAfter, time.Hour)
	})
}

// mustFail returns the pacer's error for a wait that would outlast its context.
func mustFail(t *testing.T, pacer *demeterrr.Pacer) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := pacer.Acquire(ctx)
	if err == nil {
		t.Fatal("the pacer let a second request pass")
	}
	return err
}

func TestALimitersErrorKeepsTheLastReply(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &diary{fails: map[int]error{2: errLimiter}}
		c := keepDiary(t, d, []step{internal})
		e := wantError(t, create(t.Context(), c), 1, errLimiter, demeterrr.ErrInternal, demeterrr.ErrUnknownOutcome)
		if e.StatusCode != 500 {
			t.Errorf("got %v", e)
		}
		same(t, "events", d.events, []string{"acquire", "send", "release 500 0/0 0s", "acquire"})
	})
}

// The API asked for a wait, and the limiter names none: the wait stays.
func TestALimitersErrorWithoutAWaitKeepsTheRepliesOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &diary{fails: map[int]error{2: &demeterrr.Error{Code: demeterrr.CodeRateLimited, Message: "the quota is used up"}}}
		e := wantError(t, create(t.Context(), keepDiary(t, d, []step{limitedFor("7")})), 1, demeterrr.ErrRateLimited)
		if e.StatusCode != 429 || e.RetryAfter != 7*time.Second {
			t.Errorf("got %d with RetryAfter %v, want 429 with 7s", e.StatusCode, e.RetryAfter)
		}
	})
}

// waitOnly is a limiter like *rate.Limiter, with only Wait.
type waitOnly struct{ wait func(context.Context) error }

func (w waitOnly) Wait(ctx context.Context) error { return w.wait(ctx) }

func TestALimiterNeedsNoDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		limiter := waitOnly{func(context.Context) error { asked++; return nil }}
		c, s := play(t, []step{gateway, okContact}, demeterrr.WithLimiter(demeterrr.WaitLimiter(limiter)))
		wantNil(t, get(t.Context(), c))
		s.wantSent(2)
		if asked != 2 {
			t.Errorf("the limiter was asked %d times", asked)
		}
	})
}

func TestTheLimiterWaitsInTheCallersContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		d := &diary{holds: []time.Duration{time.Hour}}
		c := keepDiary(t, d, nil)
		err := create(ctx, c)
		wantError(t, err, 0, context.DeadlineExceeded)
		wantIsNot(t, err, demeterrr.ErrUnknownOutcome, demeterrr.ErrTimeout)
		if took := time.Since(begin); took != 10*time.Second {
			t.Errorf("it returned after %v", took)
		}
		same(t, "events", d.events, []string{"acquire"})
	})
}

func TestTheTimeLimitOfAnAttemptStartsAfterTheLimiter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := okContact
		slow.took = 29 * time.Second
		d := &diary{holds: []time.Duration{time.Hour}}
		c := keepDiary(t, d, []step{slow})
		wantNil(t, get(t.Context(), c))
		d.wantSent(1)
	})
}

func TestTheTimeLimitOfAnAttemptStartsAfterTheGate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := okContact
		slow.took = 29 * time.Second
		c, s := play(t, []step{limitedFor("120"), slow})
		closeGate(t, c)
		wantNil(t, get(t.Context(), c))
		s.wantSent(2)
	})
}

// While the limiter holds a call back, another call meets a 429.
func closedWhileLimited(t *testing.T, d *diary, steps []step, call func(*demeterrr.Client) error) error {
	t.Helper()
	d.holds = []time.Duration{0, 5 * time.Second}
	steps[0].took = 2 * time.Second
	c := keepDiary(t, d, steps)
	go func() { _ = get(t.Context(), c, demeterrr.WithMaxRetries(0)) }()
	synctest.Wait()
	return call(c)
}

func TestTheGateIsAskedAgainAfterTheLimiter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &diary{}
		err := closedWhileLimited(t, d, []step{limitedFor("60"), okCreated}, func(c *demeterrr.Client) error { return create(t.Context(), c) })
		wantNil(t, err)
		d.wantHeldUntil(1, 62*time.Second, time.Second)
	})
}

func TestTheLimitersPlaceIsGivenBackIfTheGateRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		d := &diary{}
		err := closedWhileLimited(t, d, []step{limitedFor("60").quota("0"), okCreated}, func(c *demeterrr.Client) error { return create(ctx, c) })
		e := wantError(t, err, 0, demeterrr.ErrRateLimited)
		if e.RetryAfter != 57*time.Second {
			t.Errorf("RetryAfter is %v, want the remaining 57 s", e.RetryAfter)
		}
		same(t, "events", d.events, []string{"acquire", "send", "acquire", "release 429 0/1000 1m0s", "release unsent"})
	})
}

func TestTheLimitersPlaceIsGivenBackIfTheWaitForTheGateIsCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Second, cancel)
		d := &diary{}
		err := closedWhileLimited(t, d, []step{limitedFor("60"), okCreated}, func(c *demeterrr.Client) error { return create(ctx, c) })
		wantError(t, err, 0, context.Canceled)
		same(t, "events", d.events, []string{"acquire", "send", "acquire", "release 429 0/0 1m0s", "release unsent"})
	})
}

// A place released unsent has no attempt. The retryAfter of the attempt before
// is old, and would hold the limiter back a second time.
func TestTheLimiterIsNotToldTwiceOfOneRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// The first call meets a 429. On its way to the retry, the limiter
		// holds it back. The second call was in flight, and closes the gate for
		// an hour.
		d := &diary{holds: []time.Duration{0, 0, 5 * time.Second}}
		late := limitedFor("3600")
		late.took = 3 * time.Second
		c := keepDiary(t, d, []step{late, limitedFor("1")})
		go func() { _ = get(t.Context(), c, demeterrr.WithMaxRetries(0)) }()
		synctest.Wait()
		wantError(t, create(t.Context(), c), 1, demeterrr.ErrRateLimited)
		same(t, "events", d.events, []string{"acquire", "send", "acquire", "send", "release 429 0/0 1s", "acquire", "release 429 0/0 1h0m0s", "release unsent"})
	})
}

func TestTheLimiterIsNotAskedWhileTheGateRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &diary{}
		c := keepDiary(t, d, []step{limitedFor("3600")})
		closeGate(t, c)
		wantError(t, get(t.Context(), c), 0, demeterrr.ErrRateLimited)
		same(t, "events", d.events, []string{"acquire", "send", "release 429 0/0 1h0m0s"})
	})
}

// deaf is a limiter that ignores the end of the context during its Wait.
type deaf struct{ end func() }

func (d deaf) Acquire(context.Context) (demeterrr.Release, error) {
	d.end()
	return noPlace, nil
}

func TestACallThatEndsAtTheLimiterIsNotSent(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(context.Context) (context.Context, func()){
		"it is canceled": func(ctx context.Context) (context.Context, func()) { return context.WithCancel(ctx) },
		"its deadline passes": func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			return ctx, func() { time.Sleep(time.Second); cancel() }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, end := begin(t.Context())
				c := serving(t, neverSent(t), demeterrr.WithLimiter(deaf{end}))
				for _, e := range endpoints {
					err := e.call(ctx, c, johnID)
					wantError(t, err, 0, ctx.Err())
					wantIsNot(t, err, demeterrr.ErrUnknownOutcome)
				}
			})
		})
	}
}

func TestWithBeforeSendIsCalledAfterEveryWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &diary{holds: []time.Duration{time.Hour, time.Minute}}
		c := keepDiary(t, d, []step{limited, okContact})
		begin, called := time.Now(), []time.Duration{}
		note := func(name string) demeterrr.CallOption {
			return demeterrr.WithBeforeSend(func(context.Context) error {
				d.write("%s", name)
				called = append(called, time.Since(begin).Truncate(time.Minute))
				return nil
			})
		}
		_, err := c.Contacts.Get(t.Context(), contactID, note("first"), note("second"))
		wantNil(t, err)
		same(t, "order", d.events, []string{"acquire", "first", "second", "send", "release 429 0/0 0s", "acquire", "first", "second", "send", "release 200 0/0 0s"})
		same(t, "time", called, []time.Duration{time.Hour, time.Hour, time.Hour + time.Minute, time.Hour + time.Minute})
	})
}

func TestAnErrorBeforeSendStopsTheCall(t *testing.T) {
	t.Parallel()
	refused := errors.New("the ledger is closed")
	for name, tt := range map[string]struct {
		steps    []step
		attempts int
	}{
		"before the first attempt": {nil, 0},
		"before a retry":           {[]step{internal}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &diary{}
				c := keepDiary(t, d, tt.steps)
				calls := 0
				hook := demeterrr.WithBeforeSend(func(context.Context) error {
					if calls++; calls > tt.attempts {
						return refused
					}
					return nil
				})
				err := execute(t.Context(), c, hook)
				wantError(t, err, tt.attempts, refused)
				if got := errors.Is(err, demeterrr.ErrUnknownOutcome); got != (tt.attempts > 0) {
					t.Errorf("unknown is %t: %v", got, err)
				}
				waits, ends := 0, 0
				for _, event := range d.events {
					switch verb, _, _ := strings.Cut(event, " "); verb {
					case "acquire":
						waits++
					case "release":
						ends++
					}
				}
				same(t, "places given back", ends, waits)
			})
		})
	}
}

func TestAContextThatEndsBeforeSendStopsTheCall(t *testing.T) {
	t.Parallel()
	for _, uncancelable := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c, s := play(t, []step{okExecution})
			ctx, cancel := context.WithCancel(t.Context())
			opts := []demeterrr.CallOption{demeterrr.WithBeforeSend(func(context.Context) error { cancel(); return nil })}
			if uncancelable {
				wantNil(t, execute(ctx, c, append(opts, demeterrr.WithUncancelableSend())...))
				return
			}
			err := execute(ctx, c, opts...)
			wantError(t, err, 0, context.Canceled)
			wantIsNot(t, err, demeterrr.ErrUnknownOutcome)
			same(t, "requests", len(s.sent), 0)
		})
	}
}

func TestWithUncancelableSendEndsTheWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := play(t, []step{{status: 429, body: limited60JSON, took: time.Second}})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
		defer cancel()
		stop, end := context.WithCancel(ctx)
		time.AfterFunc(500*time.Millisecond, end) // while the attempt is in flight
		begin := time.Now()
		err := execute(stop, c, demeterrr.WithUncancelableSend())
		wantError(t, err, 1, demeterrr.ErrRateLimited)
		same(t, "time", time.Since(begin), time.Second)
	})
}
