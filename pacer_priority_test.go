package demeterrr_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// acquire takes a free place from a Pacer, without waiting.
func acquire(t *testing.T, p *demeterrr.Pacer, low bool) demeterrr.Release {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	if low {
		ctx = demeterrr.LowPriority(ctx)
	}
	release, err := p.Acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return release
}

// acquiring is an Acquire on its own goroutine.
type acquiring struct {
	*call
	place atomic.Pointer[demeterrr.Release]
}

// release gives the place back.
func (a *acquiring) release(outcome demeterrr.LimitOutcome) { (*a.place.Swap(nil))(outcome) }

// start starts an Acquire and runs it until it blocks or returns. A deadline of
// 0 means none.
func start(t *testing.T, p *demeterrr.Pacer, low bool, deadline time.Duration) *acquiring {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	if deadline > 0 {
		ctx, cancel = context.WithTimeout(ctx, deadline)
	}
	if low {
		ctx = demeterrr.LowPriority(ctx)
	}
	a, begin := &acquiring{call: &call{cancel: cancel}}, time.Now()
	go func() {
		release, err := p.Acquire(ctx)
		if err == nil {
			a.place.Store(&release)
		}
		a.outcome.Store(&outcome{err, time.Since(begin)})
	}()
	synctest.Wait()
	return a
}

var wasSent = demeterrr.LimitOutcome{Sent: true, StatusCode: 200}

func TestNormalCallsGoBeforeThoseOfLowPriority(t *testing.T) {
	t.Parallel()
	for _, reserve := range []int{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			p := demeterrr.NewPacer(demeterrr.Limit{Requests: 2, Window: time.Second, Reserve: reserve})
			acquire(t, p, false)(wasSent)
			acquire(t, p, false)(wasSent)
			line := []*acquiring{start(t, p, true, 0), start(t, p, true, 0), start(t, p, false, 0), start(t, p, true, 0), start(t, p, false, 0)}
			var served []int
			for len(served) < len(line) {
				time.Sleep(time.Second)
				synctest.Wait()
				for i, a := range line {
					if a.place.Load() != nil {
						served = append(served, i)
						a.release(wasSent)
					}
				}
			}
			if diff := cmp.Diff([]int{2, 4, 0, 1, 3}, served); diff != "" {
				t.Errorf("Reserve %d: served calls (-want +got):\n%s", reserve, diff)
			}
		})
	}
}

func TestLowPriorityLeavesTheReserveToNormalCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := demeterrr.NewPacer(
			demeterrr.Limit{Requests: 5, Window: time.Minute, Reserve: 2},
			demeterrr.Limit{Requests: 20, Window: time.Hour, Reserve: 13})
		for range 3 {
			acquire(t, p, true)(wasSent)
		}
		low := start(t, p, true, 0)
		for range 2 { // the Reserve
			acquire(t, p, false)(wasSent)
		}
		_ = refusal(t, start(t, p, false, time.Second).call)
		time.Sleep(time.Minute)
		synctest.Wait()
		if !low.tookExactly(time.Minute) {
			t.Fatalf("the one of low priority: %+v", low.outcome.Load())
		}
		low.release(wasSent)
		acquire(t, p, true)(wasSent)
		acquire(t, p, true)(wasSent)
		time.Sleep(time.Minute)
		acquire(t, p, true)(wasSent) // the seventh of an hour
		if e := refusal(t, start(t, p, true, time.Second).call); e.RetryAfter != 58*time.Minute {
			t.Errorf("the eighth of the hour can begin in %v", e.RetryAfter)
		}
		acquire(t, p, false)(wasSent)
	})
}

func TestWithoutAReserveLowPriorityCanUseEveryPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := demeterrr.NewPacer(demeterrr.Limit{Requests: 5, Window: time.Minute})
		for range 5 {
			acquire(t, p, true)(wasSent)
		}
		_ = refusal(t, start(t, p, false, time.Second).call)
	})
}

func TestADeadlineOfLowPriorityCountsNobodyWhoMayComeLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := demeterrr.NewPacer(demeterrr.Limit{Requests: 2, Window: time.Minute, Reserve: 1})
		acquire(t, p, false)(wasSent)
		acquire(t, p, true)(wasSent)
		_ = refusal(t, start(t, p, true, time.Minute).call)
		hopeful, patient := start(t, p, true, 61*time.Second), start(t, p, true, 121*time.Second)
		if hopeful.back() || patient.back() {
			t.Fatal("a call failed early, though only later calls could delay it")
		}
		first := start(t, p, false, 0) // the second place comes in a minute
		if hopeful.back() {
			t.Fatal("a call failed early, though its place still comes in time")
		}
		second := start(t, p, false, 0)
		if e := refusal(t, hopeful.call); e.RetryAfter != 2*time.Minute {
			t.Errorf("the overtaken call failed for %v", e.RetryAfter)
		}
		if patient.back() {
			t.Error("the patient call failed, though it has a place in two minutes")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		first.release(wasSent)
		second.release(wasSent)
		time.Sleep(time.Minute)
		synctest.Wait()
		if !patient.tookExactly(2 * time.Minute) {
			t.Errorf("the patient call: %+v", patient.outcome.Load())
		}
	})
}

func TestAPauseMakesTheDeadlineOfTheSecondInLineTooEarly(t *testing.T) {
	t.Parallel()
	for low, requests := range map[bool]int{false: 1, true: 2} { // one place for the class
		synctest.Test(t, func(t *testing.T) {
			p := demeterrr.NewPacer(demeterrr.Limit{Requests: requests, Window: time.Minute, Reserve: requests - 1})
			if low {
				acquire(t, p, true)(wasSent)
			}
			refused := acquire(t, p, false)
			first, second := start(t, p, low, 0), start(t, p, low, 130*time.Second)
			refused(demeterrr.LimitOutcome{Sent: true, StatusCode: 429, RetryAfter: 90 * time.Second})
			synctest.Wait()
			if e := refusal(t, second.call); e.RetryAfter != 150*time.Second {
				t.Errorf("low %t: the second failed for %v", low, e.RetryAfter)
			}
			first.cancel()
		})
	}
}

func TestPlacesOfOthersKeepTheReserveFree(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := demeterrr.NewPacer(demeterrr.Limit{Requests: 10, Window: time.Minute, Reserve: 3})
		others := demeterrr.LimitOutcome{Sent: true, RateLimit: demeterrr.RateLimit{Limit: 10, Remaining: 4, Reset: time.Now().Add(30 * time.Second)}}
		acquire(t, p, true)(others) // five of others, and itself
		acquire(t, p, true)(wasSent)
		low := start(t, p, true, 0)
		if low.back() {
			t.Fatal("a call of low priority took a place of the Reserve")
		}
		for range 3 {
			acquire(t, p, false)(wasSent)
		}
		_ = refusal(t, start(t, p, false, time.Second).call)
		low.cancel()
	})
}

func TestAPlaceThatWasNotUsedIsFreeAtOnce(t *testing.T) {
	t.Parallel()
	for _, low := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := demeterrr.NewPacer(demeterrr.Limit{Requests: 2, Window: time.Hour, Reserve: 1})
			release := acquire(t, p, low)
			acquire(t, p, !low)(wasSent)
			next := start(t, p, low, 0)
			time.Sleep(time.Second)
			release(demeterrr.LimitOutcome{RetryAfter: time.Hour, RateLimit: demeterrr.RateLimit{Limit: 2}}) // nothing was sent, so no reply can say so
			synctest.Wait()
			if !next.tookExactly(time.Second) {
				t.Errorf("low %t: %+v", low, next.outcome.Load())
				next.cancel()
			}
		})
	}
}

func TestAPlaceIsHeldWhoseReleaseIsNeverCalled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := demeterrr.NewPacer(demeterrr.Limit{Requests: 2, Window: time.Second})
		acquire(t, p, false)
		for range 10 { // the other place works
			acquire(t, p, false)(wasSent)
			_ = refusal(t, start(t, p, false, time.Second).call)
			time.Sleep(time.Second)
		}
	})
}

func TestALostPlaceDoesNotStopThoseInLineAfterOthersUsedUpTheQuota(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := demeterrr.NewPacer(demeterrr.Limit{Requests: 10, Window: time.Minute})
		others := demeterrr.RateLimit{Limit: 10, Remaining: 0, Reset: time.Now().Add(19 * time.Second)}
		acquire(t, p, false)(demeterrr.LimitOutcome{Sent: true, RateLimit: others})
		asks := start(t, p, false, 0) // the test of the window; it is never released
		next := start(t, p, false, 0)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if !asks.tookExactly(20*time.Second) || !next.tookExactly(time.Minute) {
			t.Errorf("%+v and %+v, want a place after the reset and one after the window", asks.outcome.Load(), next.outcome.Load())
			next.cancel()
		}
	})
}

func TestBadReservesSayWhatToDo(t *testing.T) {
	t.Parallel()
	for reserve, want := range map[int]string{
		-1: "demeterrr: VALIDATION_ERROR: WithLimiter: NewPacer: a limit of 9 requests in 1m0s with a Reserve of -1: Reserve must be at least 0; 0 keeps nothing back",
		9:  "demeterrr: VALIDATION_ERROR: WithLimiter: NewPacer: a limit of 9 requests in 1m0s with a Reserve of 9: Reserve must be less than Requests, or no call of low priority is ever sent",
	} {
		p := demeterrr.NewPacer(demeterrr.DefaultLimits()[0], demeterrr.Limit{Requests: 9, Window: time.Minute, Reserve: reserve})
		_, err := demeterrr.New("dem_test", demeterrr.WithLimiter(p))
		if err == nil || !errors.Is(err, demeterrr.ErrValidation) {
			t.Fatalf("New returned %v, want ErrValidation", err)
		}
		same(t, "text", err.Error(), want)
	}
}

// watchedWait is a context that counts its reads. Its second Value, called by
// ReportWait, runs a function.
type watchedWait struct {
	context.Context
	looks, values atomic.Int64
	report        func()
}

func (w *watchedWait) Err() error {
	w.looks.Add(1)
	return w.Context.Err()
}

func (w *watchedWait) Done() <-chan struct{} {
	w.looks.Add(1)
	return w.Context.Done()
}

func (w *watchedWait) Deadline() (time.Time, bool) {
	w.looks.Add(1)
	return w.Context.Deadline()
}

func (w *watchedWait) Value(key any) any {
	if w.values.Add(1) == 2 && w.report != nil {
		w.report()
	}
	return w.Context.Value(key)
}

// The cost of a call without a deadline is counted in reads of its context:
// none when other calls arrive or get places.
func TestALongLineLooksAtACallAsOftenAsAShortOne(t *testing.T) {
	t.Parallel()
	looks := func(length int) (most int64) {
		synctest.Test(t, func(t *testing.T) {
			p := demeterrr.NewPacer(demeterrr.Limit{Requests: 5, Window: time.Second, Reserve: 1})
			var calls sync.WaitGroup
			watched := make([]*watchedWait, length)
			for i := range watched {
				ctx := t.Context()
				if i%2 == 0 {
					ctx = demeterrr.LowPriority(ctx)
				}
				watched[i] = &watchedWait{Context: ctx}
				calls.Go(func() {
					release, err := p.Acquire(watched[i])
					if err != nil {
						t.Error(err)
						return
					}
					release(wasSent)
				})
			}
			calls.Wait()
			for _, w := range watched {
				most = max(most, w.looks.Load())
			}
		})
		return most
	}
	short := looks(20)
	if long := looks(10_000); long > short {
		t.Errorf("a call in a line of 10,000 is looked at %d times, in one of 20 %d times", long, short)
	}
}

func TestAWaitThatPanicsLeavesTheLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := demeterrr.NewPacer(demeterrr.Limit{Requests: 1, Window: time.Second})
		acquire(t, p, false)(wasSent)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("it did not panic")
				}
			}()
			_, _ = p.Acquire(&watchedWait{Context: t.Context(), report: func() { panic("a listener") }})
		}()
		next := start(t, p, false, 0)
		time.Sleep(time.Second)
		synctest.Wait()
		if !next.tookExactly(time.Second) {
			t.Errorf("the next: %+v", next.outcome.Load())
			next.cancel()
		}
	})
}

func TestNobodyWaitsForAListenerOfAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := demeterrr.NewPacer(demeterrr.Limit{Requests: 2, Window: time.Second})
		acquire(t, p, false)(wasSent)
		acquire(t, p, false)(wasSent)
		go func() {
			release, err := p.Acquire(&watchedWait{Context: t.Context(), report: func() { time.Sleep(time.Hour) }})
			if err != nil {
				t.Error(err)
				return
			}
			release(wasSent)
		}()
		synctest.Wait()
		next := start(t, p, false, 0)
		time.Sleep(time.Hour)
		synctest.Wait()
		if !next.tookExactly(time.Second) {
			t.Errorf("the next: %+v", next.outcome.Load())
		}
	})
}

func TestAPacerReportsUntilWhenACallWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := demeterrrtest.NewServer()
		defer srv.Close()
		client := srv.Client(demeterrr.WithLimiter(demeterrr.NewPacer(demeterrr.Limit{Requests: 2, Window: time.Minute, Reserve: 1})))
		begin := time.Now()
		var mu sync.Mutex
		told := map[string][]time.Duration{}
		call := func(name string, ctx context.Context) {
			_, err := client.Contacts.List(ctx, nil, demeterrr.WithOnWait(func(w demeterrr.WaitStart) {
				mu.Lock()
				defer mu.Unlock()
				told[name] = append(told[name], w.Until.Sub(begin))
				if w.Reason != demeterrr.WaitReasonLimiter {
					t.Errorf("the reason is %v", w.Reason)
				}
			}))
			if err != nil {
				t.Error(err)
			}
		}
		low := demeterrr.LowPriority(t.Context())
		call("low", low)
		call("normal", t.Context())
		var calls sync.WaitGroup
		for _, next := range []struct {
			name string
			ctx  context.Context
		}{{"second low", low}, {"third low", low}, {"second normal", t.Context()}} {
			calls.Go(func() { call(next.name, next.ctx) })
			synctest.Wait()
		}
		calls.Wait()
		want := map[string][]time.Duration{"second low": {time.Minute}, "third low": {2 * time.Minute}, "second normal": {time.Minute}}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("until when each call waits (-want +got):\n%s", diff)
		}
	})
}

func TestThePacerKeepsItsLimitWhenA429HeldBackFiftyGoroutines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const goroutines = 50
		limit := demeterrr.Limit{Requests: 6, Window: 5 * time.Second, Reserve: 2}
		var mu sync.Mutex
		var requests []request
		srv := demeterrrtest.NewServer(demeterrrtest.WithLatency(200*time.Millisecond, 200*time.Millisecond),
			demeterrrtest.WithRequestLog(func(r demeterrrtest.Request) {
				mu.Lock()
				defer mu.Unlock()
				requests = append(requests, request{start: r.At, end: r.At})
			}))
		defer srv.Close()
		srv.Inject(demeterrrtest.Fault{Skip: 3, Status: 429, RetryAfter: time.Minute})
		client := srv.Client(demeterrr.WithLimiter(demeterrr.NewPacer(limit)))
		var calls sync.WaitGroup
		for i := range goroutines {
			ctx := t.Context()
			if i%2 == 0 {
				ctx = demeterrr.LowPriority(ctx)
			}
			calls.Go(func() {
				if _, err := client.Contacts.List(ctx, nil); err != nil {
					t.Error(err)
				}
			})
		}
		calls.Wait()
		if len(requests) != goroutines+1 {
			t.Errorf("%d requests for %d calls and one 429", len(requests), goroutines)
		}
		if n := crowdest(requests, limit.Window); n > limit.Requests {
			t.Errorf("%d requests in %v, the limit is %d", n, limit.Window, limit.Requests)
		}
		if pause := requests[6].start.Sub(requests[5].start); pause < time.Minute-time.Second {
			t.Errorf("the 429 paused no call: %v between two requests", pause)
		}
	})
}
