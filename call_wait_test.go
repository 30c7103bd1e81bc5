package demeterrr_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// acquireFunc makes a limiter from a function.
type acquireFunc func(context.Context) (demeterrr.Release, error)

func (f acquireFunc) Acquire(ctx context.Context) (demeterrr.Release, error) { return f(ctx) }

// noPlace is the Release of a limiter without places.
var noPlace demeterrr.Release

// noteWaits writes a line for each reported wait: its second and its fields.
func noteWaits(lines *[]string) demeterrr.CallOption {
	begin := time.Now()
	at := func(t time.Time) time.Duration { return t.Sub(begin).Truncate(time.Second) }
	return demeterrr.WithOnWait(func(w demeterrr.WaitStart) {
		line := fmt.Sprintf("%v: %s from %v", at(time.Now()), w.Reason, at(w.Start))
		if !w.Until.IsZero() {
			line += " for " + nominal(w.Until.Sub(w.Start))
		}
		*lines = append(*lines, line)
	})
}

func TestAWaitIsToldWhenItBegins(t *testing.T) {
	t.Parallel()
	const minute = time.Minute
	for name, tt := range map[string]struct {
		waits   []time.Duration // at the limiter
		reports bool
		steps   []step
		want    []string
	}{
		"none":                            {nil, true, []step{okContact}, nil},
		"at a limiter that reports it":    {[]time.Duration{minute}, true, []step{okContact}, []string{"0s: limiter from 0s for 1m0s"}},
		"at a limiter that does not":      {[]time.Duration{minute}, false, []step{okContact}, []string{"1m0s: limiter from 0s"}},
		"less than a millisecond":         {[]time.Duration{time.Millisecond - 1}, false, []step{okContact}, nil},
		"less than that, and reported":    {[]time.Duration{1}, true, []step{okContact}, []string{"0s: limiter from 0s for 1ns"}},
		"after a 429":                     {nil, true, []step{limitedFor("60"), okContact}, []string{"0s: rate_limited from 0s for 1m0s"}},
		"before a retry":                  {nil, true, []step{internal, okContact}, []string{"0s: backoff from 0s for 1s"}},
		"before the second retry":         {nil, true, []step{internal, internal, okContact}, []string{"0s: backoff from 0s for 1s", "1s: backoff from 1s for 2s"}},
		"at the limiter before the retry": {[]time.Duration{0, minute}, true, []step{internal, okContact}, []string{"0s: backoff from 0s for 1s", "1s: limiter from 1s for 1m0s"}},
	} {
		for _, traced := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " traced=", traced), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := newRecorder(t)
					opts := []demeterrr.Option{demeterrr.WithLimiter(&turnstile{waits: tt.waits, reports: tt.reports})}
					if traced {
						opts = append(opts, demeterrr.WithTracer(r))
					}
					c, _ := play(t, tt.steps, opts...)
					var first, second []string
					wantNil(t, get(t.Context(), c, noteWaits(&first), noteWaits(&second)))
					same(t, "waits", first, tt.want)
					same(t, "waits of the second hook", second, tt.want)
					r.wantClosed()
				})
			})
		}
	}
}

func TestTheWaitForAnEarlier429IsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := play(t, []step{limitedFor("60"), okContact})
		closeGate(t, c)
		var got []string
		wantNil(t, get(t.Context(), c, noteWaits(&got)))
		same(t, "waits", got, []string{"0s: rate_limited from 0s for 1m0s"})
	})
}

func TestAWaitHookThatIsNilIsRefused(t *testing.T) {
	t.Parallel()
	err := get(t.Context(), serving(t, neverSent(t)), demeterrr.WithOnWait(nil))
	refusedBeforeSending(t, "nil", err, demeterrr.ErrValidation, "WithOnWait: the function is nil; leave the option out")
}

// A limiter's second report in one Acquire is the same wait. A late report has
// no effect.
func TestALimiterReportsOneWaitForEachPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder(t)
		var kept context.Context
		limiter := acquireFunc(func(ctx context.Context) (demeterrr.Release, error) {
			derived, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			kept = derived //nolint:fatcontext // it is called once
			for i := range 3 {
				demeterrr.ReportWait(derived, time.Now().Add(time.Duration(i+2)*time.Minute))
				time.Sleep(time.Minute)
			}
			return noPlace, nil
		})
		c, _ := play(t, []step{okContact}, demeterrr.WithTracer(r), demeterrr.WithLimiter(limiter))
		var told []string
		late := demeterrr.WithBeforeSend(func(context.Context) error { demeterrr.ReportWait(kept, time.Now()); return nil })
		wantNil(t, get(t.Context(), c, noteWaits(&told), late))
		demeterrr.ReportWait(kept, time.Now())
		same(t, "waits", told, []string{"0s: limiter from 0s for 2m0s"})
		r.want(
			"call Contacts.Get GET /contacts/{id}",
			"  wait limiter until=2m0s",
			"  end wait limiter 3m0s",
			"  attempt 1",
			"  end attempt 1 200",
			"end call 200 attempts=1 waited=3m0s/0s/0s",
		)
	})
}

func TestAReportAfterThePlaceWasTakenIsNone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var kept context.Context
		limiter := acquireFunc(func(ctx context.Context) (demeterrr.Release, error) {
			kept = ctx //nolint:fatcontext // it is called once
			return noPlace, nil
		})
		c, _ := play(t, []step{okContact}, demeterrr.WithLimiter(limiter))
		var told []string
		late := demeterrr.WithBeforeSend(func(context.Context) error { demeterrr.ReportWait(kept, time.Now()); return nil })
		wantNil(t, get(t.Context(), c, noteWaits(&told), late))
		same(t, "waits", told, []string(nil))
	})
}

func TestAReportFromAnotherGoroutineIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limiter := acquireFunc(func(ctx context.Context) (demeterrr.Release, error) {
			var reporters sync.WaitGroup
			for range 5 {
				reporters.Go(func() { demeterrr.ReportWait(ctx, time.Now().Add(time.Second)) })
			}
			reporters.Wait()
			return noPlace, nil
		})
		c, _ := play(t, []step{okContact}, demeterrr.WithLimiter(limiter))
		var told []string
		wantNil(t, get(t.Context(), c, noteWaits(&told)))
		same(t, "waits", told, []string{"0s: limiter from 0s for 1s"})
	})
}

func TestAReportWithoutAListenerDoesNothing(t *testing.T) {
	t.Parallel()
	demeterrr.ReportWait(nil, time.Now()) //nolint:staticcheck // what is tested
	demeterrr.ReportWait(t.Context(), time.Now())
	synctest.Test(t, func(t *testing.T) {
		caller := t.Context()
		limiter := acquireFunc(func(ctx context.Context) (demeterrr.Release, error) {
			if ctx != caller {
				t.Error("without a listener, the limiter must get the caller's context")
			}
			demeterrr.ReportWait(ctx, time.Now().Add(time.Hour))
			return noPlace, nil
		})
		debug := slog.New(slog.NewTextHandler(&bytes.Buffer{}, &slog.HandlerOptions{Level: slog.LevelWarn}))
		c, _ := play(t, []step{okContact}, demeterrr.WithLimiter(limiter), demeterrr.WithLogger(debug))
		wantNil(t, get(caller, c))
	})
}

func TestAReportedWaitIsLoggedWhenItBegins(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		says, lasts time.Duration
		want        []string
	}{
		"a long one":              {2 * time.Second, 2 * time.Second, []string{"0s: reason=limiter wait=2s until=2000-01-01T00:00:02.000Z"}},
		"longer than reported":    {2 * time.Second, 3 * time.Second, []string{"0s: reason=limiter wait=2s until=2000-01-01T00:00:02.000Z"}},
		"a short one":             {999 * time.Millisecond, 999 * time.Millisecond, nil},
		"reported as a short one": {999 * time.Millisecond, 3 * time.Second, []string{"3s: reason=limiter wait=3s"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				var got []string
				handler := contextHandler{record: func(r slog.Record) {
					var line strings.Builder
					fmt.Fprintf(&line, "%v:", time.Since(begin))
					r.Attrs(func(a slog.Attr) bool {
						switch a.Key {
						case "method", "path":
						case "until":
							fmt.Fprintf(&line, " until=%s", a.Value.Time().UTC().Format("2006-01-02T15:04:05.000Z"))
						default:
							fmt.Fprintf(&line, " %v", a)
						}
						return true
					})
					if r.Level == slog.LevelInfo {
						got = append(got, line.String())
					}
				}}
				limiter := acquireFunc(func(ctx context.Context) (demeterrr.Release, error) {
					demeterrr.ReportWait(ctx, time.Now().Add(tt.says))
					time.Sleep(tt.lasts)
					return noPlace, nil
				})
				c, _ := play(t, []step{okContact}, demeterrr.WithLimiter(limiter), demeterrr.WithLogger(slog.New(handler)))
				wantNil(t, get(t.Context(), c))
				same(t, "log", got, tt.want)
			})
		})
	}
}

// A listener's panic reaches the caller. It must not reach the limiter, whose
// state may be half changed.
func TestALimiterNeedsNoCareForThePanicOfAListener(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var books sync.Mutex
		places := 0
		limiter := acquireFunc(func(ctx context.Context) (demeterrr.Release, error) {
			if !books.TryLock() {
				t.Error("the books are open")
				return noPlace, nil
			}
			demeterrr.ReportWait(ctx, time.Now().Add(time.Hour))
			books.Unlock()
			select {
			case <-ctx.Done():
			case <-time.After(time.Hour):
			}
			places++ // it still gives a place
			return func(demeterrr.LimitOutcome) { places-- }, nil
		})
		r := newRecorder(t)
		c, s := play(t, []step{okContact}, demeterrr.WithTracer(r), demeterrr.WithLimiter(limiter))
		got := isolated(func() {
			_ = get(t.Context(), c, demeterrr.WithOnWait(func(demeterrr.WaitStart) { panic("the bar is gone") }))
		})
		same(t, "what reached the caller", got, any("the bar is gone"))
		same(t, "time", time.Since(begin), time.Duration(0))
		same(t, "places not given back", places, 0)
		r.wantClosed()
		wantNil(t, get(t.Context(), c)) // the limiter still works
		s.wantSent(1)
	})
}

// A listener that ends its own call takes it out of the Pacer's line. No place
// is lost.
func TestAListenerThatEndsItsCallHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	for how, end := range map[string]func(){"panic": func() { panic("boom") }, "Goexit": runtime.Goexit} {
		for _, low := range []bool{false, true} {
			t.Run(fmt.Sprint(how, " low=", low), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					begin, ctx := time.Now(), t.Context()
					if low {
						ctx = demeterrr.LowPriority(ctx)
					}
					c, s := play(t, repeat(okContact, 3), demeterrr.WithLimiter(demeterrr.NewPacer(demeterrr.Limit{Requests: 1, Window: time.Minute})))
					wantNil(t, get(ctx, c))
					isolated(func() { _ = get(ctx, c, demeterrr.WithOnWait(func(demeterrr.WaitStart) { end() })) })
					wantNil(t, get(ctx, c))
					wantNil(t, get(ctx, c))
					s.wantSent(3)
					same(t, "time", time.Since(begin), 2*time.Minute)
				})
			})
		}
	}
}

// onlyCalls is a tracer without WaitTracer.
type onlyCalls struct{ end *demeterrr.CallEnd }

func (onlyCalls) TraceCallStart(ctx context.Context, _ demeterrr.CallStart) context.Context {
	return ctx
}
func (c onlyCalls) TraceCallEnd(_ context.Context, end demeterrr.CallEnd) { *c.end = end }

func TestATracerOfCallsLearnsHowLongTheLimiterTook(t *testing.T) {
	t.Parallel()
	for _, reports := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var end demeterrr.CallEnd
			c, _ := play(t, []step{okContact}, demeterrr.WithTracer(onlyCalls{&end}),
				demeterrr.WithLimiter(&turnstile{waits: []time.Duration{time.Minute}, reports: reports}))
			wantNil(t, get(t.Context(), c))
			same(t, "waited", end.Waited, demeterrr.Waited{Limiter: time.Minute})
		})
	}
}
