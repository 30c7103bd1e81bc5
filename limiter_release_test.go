package demeterrr_test

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// ledger is a limiter that records the outcome of each of its places.
type ledger struct {
	t        *testing.T
	hold     func(context.Context) // in Acquire; nil for none
	mu       sync.Mutex
	acquired int
	outcomes []demeterrr.LimitOutcome
}

func (l *ledger) Acquire(ctx context.Context) (demeterrr.Release, error) {
	if l.hold != nil {
		l.hold(ctx)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acquired++
	var released atomic.Bool
	return func(o demeterrr.LimitOutcome) {
		if released.Swap(true) {
			l.t.Error("a place was given back twice")
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.outcomes = append(l.outcomes, o)
	}, nil
}

// want checks that every place was released, with these outcomes.
func (l *ledger) want(want ...demeterrr.LimitOutcome) {
	l.t.Helper()
	same(l.t, "places taken", l.acquired, len(want))
	same(l.t, "outcomes", l.outcomes, want)
}

// doer makes a transport from a function.
type doer func(*http.Request) (*http.Response, error)

func (d doer) RoundTrip(req *http.Request) (*http.Response, error) { return d(req) }

func TestAPlaceComesBackOnceHoweverTheCallEnds(t *testing.T) {
	t.Parallel()
	unsent, lost := demeterrr.LimitOutcome{}, demeterrr.LimitOutcome{Sent: true}
	explode := map[string]func(){"panic": func() { panic("boom") }, "Goexit": runtime.Goexit}
	for name, tt := range map[string]struct {
		want      demeterrr.LimitOutcome
		steps     []step
		transport func(end func()) http.RoundTripper // nil for the transport of the steps
		opts      func(cancel, end func()) []demeterrr.CallOption
		hold      func(cancel func()) func(context.Context)
	}{
		"the transport ends it": {want: lost, transport: func(end func()) http.RoundTripper {
			return doer(func(*http.Request) (*http.Response, error) { end(); return nil, nil })
		}},
		"a hook ends it": {want: unsent, opts: func(_, end func()) []demeterrr.CallOption {
			return []demeterrr.CallOption{demeterrr.WithBeforeSend(func(context.Context) error { end(); return nil })}
		}},
		"a hook refuses": {want: unsent, opts: func(_, _ func()) []demeterrr.CallOption {
			return []demeterrr.CallOption{demeterrr.WithBeforeSend(func(context.Context) error { return errors.New("not now") })}
		}},
		"a hook cancels": {want: unsent, opts: func(cancel, _ func()) []demeterrr.CallOption {
			return []demeterrr.CallOption{demeterrr.WithBeforeSend(func(context.Context) error { cancel(); return nil })}
		}},
		"canceled at the limiter": {want: unsent, hold: func(cancel func()) func(context.Context) {
			return func(context.Context) { cancel() }
		}},
		"canceled in flight":     {want: lost, steps: []step{stalled}, opts: func(cancel, _ func()) []demeterrr.CallOption { time.AfterFunc(time.Second, cancel); return nil }},
		"a success":              {want: demeterrr.LimitOutcome{Sent: true, StatusCode: 200, RateLimit: demeterrr.RateLimit{Limit: 1000, Remaining: 5}}, steps: []step{okContact.quota("5")}},
		"a 429":                  {want: demeterrr.LimitOutcome{Sent: true, StatusCode: 429, RetryAfter: time.Hour}, steps: []step{limitedFor("3600")}},
		"an unreadable 200":      {want: demeterrr.LimitOutcome{Sent: true, StatusCode: 200}, steps: []step{{body: "{"}}},
		"no connection":          {want: unsent, steps: []step{refused}},
		"no such host":           {want: unsent, steps: []step{noHost}},
		"a wrong certificate":    {want: unsent, steps: []step{badCert}},
		"a lost connection":      {want: lost, steps: []step{reset}},
		"a transport's own word": {want: lost, steps: []step{{err: errors.New("no idea")}}},
	} {
		for how, end := range explode {
			t.Run(name+" "+how, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					l := &ledger{t: t}
					if tt.hold != nil {
						l.hold = tt.hold(cancel)
					}
					opts := []demeterrr.Option{demeterrr.WithLimiter(l), once}
					if tt.transport != nil {
						opts = append(opts, demeterrr.WithHTTPClient(&http.Client{Transport: tt.transport(end)}))
					}
					c, _ := play(t, tt.steps, opts...)
					var call []demeterrr.CallOption
					if tt.opts != nil {
						call = tt.opts(cancel, end)
					}
					isolated(func() { _ = get(ctx, c, call...) })
					l.want(tt.want)
				})
			})
		}
	}
}

// The reply's facts are known, even if a tracer then panics.
func TestAPlaceComesBackWithWhatTheReplySaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{t: t}
		b := &bomb{place: "TraceAttemptEnd"}
		c, _ := play(t, []step{limitedFor("60").quota("0")}, demeterrr.WithLimiter(l), demeterrr.WithTracer(bombTracer{newRecorder(t), b}))
		isolated(func() { _ = get(t.Context(), c) })
		l.want(demeterrr.LimitOutcome{Sent: true, StatusCode: 429, RateLimit: demeterrr.RateLimit{Limit: 1000}, RetryAfter: time.Minute})
	})
}

// If Acquire returns an error, its Release is ignored.
func TestNoPlaceComesWithAnError(t *testing.T) {
	t.Parallel()
	limiter := acquireFunc(func(context.Context) (demeterrr.Release, error) {
		return func(demeterrr.LimitOutcome) { t.Error("released a place after an error") }, errLimiter
	})
	wantError(t, get(t.Context(), serving(t, neverSent(t), demeterrr.WithLimiter(limiter))), 0, errLimiter)
}

// Each attempt has its own outcome, and none is carried over.
func TestAPlaceIsUnsentAfterAnAttemptWithoutOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, asked := &ledger{t: t}, 0
		limiter := acquireFunc(func(ctx context.Context) (demeterrr.Release, error) {
			if asked++; asked == 1 {
				return noPlace, nil
			}
			return l.Acquire(ctx)
		})
		c, _ := play(t, []step{internal.quota("1")}, demeterrr.WithLimiter(limiter))
		calls := 0
		second := demeterrr.WithBeforeSend(func(context.Context) error {
			if calls++; calls == 2 {
				return errLimiter
			}
			return nil
		})
		wantError(t, get(t.Context(), c, second), 1, errLimiter)
		l.want(demeterrr.LimitOutcome{})
	})
}

func TestNobodyHoldsAPlaceWhilePaused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		d := &diary{}
		err := closedWhileLimited(t, d, []step{limitedFor("60"), okCreated}, func(c *demeterrr.Client) error {
			time.AfterFunc(30*time.Second, func() { d.write("half a minute") })
			return create(t.Context(), c, demeterrr.WithBeforeSend(func(context.Context) error { d.write("hook"); return nil }))
		})
		wantNil(t, err)
		same(t, "events", d.events, []string{
			"acquire", "send", "acquire", "release 429 0/0 1m0s", "release unsent", "half a minute", "acquire", "hook", "send", "release 201 0/0 0s",
		})
		if took := time.Since(begin); took < 62*time.Second || took > 63*time.Second {
			t.Errorf("it took %v, want the 62 s until the gate opens, and no more than a second", took)
		}
	})
}

func TestTheKeyIsAskedForAgainAfterAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limiter := &diary{holds: []time.Duration{0, 5 * time.Second}}
		slow := limitedFor("60")
		slow.took = 2 * time.Second
		c, s := rotating(t, keys("dem_first", "dem_before", "dem_after"), []step{slow, okContact}, demeterrr.WithLimiter(limiter))
		go func() { _ = get(t.Context(), c, demeterrr.WithMaxRetries(0)) }()
		synctest.Wait()
		wantNil(t, get(t.Context(), c))
		same(t, "key", s.sent[1].header["X-Api-Key"], []string{"dem_after"})
	})
}
