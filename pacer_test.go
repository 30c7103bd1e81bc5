package demeterrr_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
)

// request holds the times of one request: Wait called, Wait returned, Done
// called.
type request struct {
	asked, start, end time.Time
	low               bool
}

// crowdest returns the most requests in one interval of the length, its end
// excluded, if each arrived at the worst moment between start and end.
func crowdest(requests []request, length time.Duration) int {
	most := 0
	for _, first := range requests { // the worst interval begins at the end of a request
		n := 0
		for _, r := range requests {
			if !r.end.Before(first.end) && r.start.Before(first.end.Add(length)) {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// promised returns the earliest start of each request, in the order of their
// starts, that keeps every limit and serves first come, first served.
func promised(requests []request, limits []demeterrr.Limit) []time.Time {
	ends := make([]time.Time, 0, len(requests))
	for _, r := range requests {
		ends = append(ends, r.end)
	}
	slices.SortFunc(ends, time.Time.Compare)
	want := make([]time.Time, len(requests))
	for i, r := range requests {
		want[i] = r.asked
		if i > 0 && requests[i-1].start.After(want[i]) {
			want[i] = requests[i-1].start
		}
		for _, l := range limits {
			if i < l.Requests {
				continue
			}
			if free := ends[i-l.Requests].Add(l.Window); free.After(want[i]) {
				want[i] = free
			}
		}
	}
	return want
}

// waits is a Pacer that releases its places in the order of acquiring.
type waits struct {
	*demeterrr.Pacer
	mu     sync.Mutex
	places []demeterrr.Release
}

func newWaits(limits ...demeterrr.Limit) *waits { return &waits{Pacer: demeterrr.NewPacer(limits...)} }

func (w *waits) Wait(ctx context.Context) error {
	place, err := w.Acquire(ctx)
	if err == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.places = append(w.places, place)
	}
	return err
}

func (w *waits) Done(reported demeterrr.RateLimit, retryAfter time.Duration) {
	w.mu.Lock()
	if len(w.places) == 0 {
		w.mu.Unlock()
		return
	}
	place := w.places[0]
	w.places = w.places[1:]
	w.mu.Unlock()
	place(demeterrr.LimitOutcome{Sent: true, RateLimit: reported, RetryAfter: retryAfter})
}

// drive sends n requests from each goroutine, with random latencies and pauses.
// A share of the waits is canceled at a random time and tried again. A share of
// the requests is of low priority.
func drive(p *demeterrr.Pacer, rng *rand.Rand, goroutines, n int, cancelled, low float64) []request {
	var mu sync.Mutex
	var all []request
	random := func(limit time.Duration) time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return time.Duration(rng.Int64N(int64(limit)))
	}
	var workers sync.WaitGroup
	for range goroutines {
		workers.Go(func() {
			for range n {
				time.Sleep(random(time.Second))
				r := request{asked: time.Now(), low: float64(random(1000))/1000 < low}
				var release demeterrr.Release
				for tries := 0; ; tries++ {
					ctx, cancel := context.WithCancel(context.Background())
					if float64(random(1000))/1000 < cancelled && tries < 5 {
						time.AfterFunc(random(10*time.Second), cancel)
					}
					if r.low {
						ctx = demeterrr.LowPriority(ctx)
					}
					var err error
					release, err = p.Acquire(ctx)
					cancel()
					if err == nil {
						break
					}
				}
				r.start = time.Now()
				time.Sleep(random(random(3*time.Second) + 1))
				r.end = time.Now()
				release(demeterrr.LimitOutcome{Sent: true})
				mu.Lock()
				all = append(all, r)
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	slices.SortFunc(all, func(a, b request) int { return a.start.Compare(b.start) })
	return all
}

func TestPacerKeepsEveryLimitInEveryIntervalWhateverTheLatency(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 1)) // the same on each run, to repeat a failure
				limits := []demeterrr.Limit{
					{Requests: 1 + rng.IntN(10), Window: time.Duration(1+rng.IntN(20)) * time.Second},
					{Requests: 5 + rng.IntN(60), Window: time.Duration(30+rng.IntN(90)) * time.Second},
				}
				cancelled, low := float64(seed%2)/4, float64(seed%4/2)/2
				for i := range limits {
					limits[i].Reserve = rng.IntN(limits[i].Requests)
				}
				requests := drive(demeterrr.NewPacer(limits...), rng, 1+rng.IntN(12), 40, cancelled, low)
				lows := slices.DeleteFunc(slices.Clone(requests), func(r request) bool { return !r.low })
				for _, l := range limits {
					if n := crowdest(requests, l.Window); n > l.Requests {
						t.Errorf("an interval of %v can hold %d requests, the limit is %d", l.Window, n, l.Requests)
					}
					if n := crowdest(lows, l.Window); n > l.Requests-l.Reserve {
						t.Errorf("an interval of %v can hold %d requests of low priority, the limit is %d less %d", l.Window, n, l.Requests, l.Reserve)
					}
				}
				if cancelled > 0 || low > 0 {
					return
				}
				for i, want := range promised(requests, limits) {
					if got := requests[i].start; !got.Equal(want) {
						t.Fatalf("request %d of %v starts %v later than it could", i, limits, got.Sub(want))
					}
				}
			})
		})
	}
}

// call is a Wait on its own goroutine.
type call struct {
	cancel  context.CancelFunc
	outcome atomic.Pointer[outcome]
}

type outcome struct {
	err  error
	took time.Duration
}

// wait starts a Wait and runs it until it blocks or returns. A deadline of 0
// means none.
func wait(p *waits, deadline time.Duration) *call {
	ctx, cancel := context.WithCancel(context.Background())
	if deadline > 0 {
		ctx, cancel = context.WithTimeout(ctx, deadline)
	}
	c, start := &call{cancel: cancel}, time.Now()
	go func() {
		defer cancel()
		err := p.Wait(ctx)
		c.outcome.Store(&outcome{err, time.Since(start)})
	}()
	synctest.Wait()
	return c
}

func (c *call) back() bool { return c.outcome.Load() != nil }

// err returns the error of a call that has returned.
func (c *call) err() error { return c.outcome.Load().err }

// tookExactly reports whether the call got a place after exactly d.
func (c *call) tookExactly(d time.Duration) bool {
	o := c.outcome.Load()
	return o != nil && o.err == nil && o.took == d
}

// spend uses n places without latency.
func spend(t *testing.T, p *waits, n int) {
	t.Helper()
	for range n {
		if err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.Done(demeterrr.RateLimit{}, 0)
	}
}

// returned lists the calls with a place, in order.
func returned(calls []*call) (places []int) {
	for i, c := range calls {
		if c.back() && c.err() == nil {
			places = append(places, i)
		}
	}
	return places
}

func TestPacerServesFirstComeFirstServed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newWaits(demeterrr.Limit{Requests: 1, Window: time.Second})
		spend(t, p, 1)
		var calls []*call
		for range 20 {
			calls = append(calls, wait(p, 0))
		}
		for i := range calls {
			time.Sleep(time.Second)
			synctest.Wait()
			if diff := cmp.Diff(i+1, len(returned(calls[:i+1]))); diff != "" || calls[min(i+1, 19)].back() != (i == 19) {
				t.Fatalf("after %d places: %v were served", i+1, returned(calls))
			}
			p.Done(demeterrr.RateLimit{}, 0)
		}
	})
}

func TestPacerGivesTheNewcomerNoPlaceBeforeThoseInLine(t *testing.T) {
	t.Parallel()
	for range 100 { // the place comes free while the newcomer asks: either may run first
		synctest.Test(t, func(t *testing.T) {
			p := newWaits(demeterrr.Limit{Requests: 1, Window: time.Second})
			spend(t, p, 1)
			first := wait(p, 0)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second+1)
			defer cancel()
			time.Sleep(time.Second)
			if err := p.Wait(ctx); !errors.Is(err, demeterrr.ErrRateLimited) {
				t.Errorf("the newcomer: %v, want ErrRateLimited", err)
			}
			synctest.Wait()
			if !first.tookExactly(time.Second) {
				t.Errorf("the first in line: %+v", first.outcome.Load())
				first.cancel()
			}
		})
	}
}

func TestAPlaceIsTakenUntilOneWindowAfterDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newWaits(demeterrr.Limit{Requests: 1, Window: time.Minute})
		if err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		next := wait(p, 0)
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if next.back() {
			t.Fatal("a place was freed while its request was in flight")
		}
		p.Done(demeterrr.RateLimit{}, 0)
		time.Sleep(time.Minute - 1)
		synctest.Wait()
		if next.back() {
			t.Fatal("a place was freed before the window after Done was over")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if !next.back() || next.err() != nil {
			t.Error("no place was freed one window after Done")
		}
	})
}

func TestACancelledWaitGivesItsPlaceToTheNext(t *testing.T) {
	t.Parallel()
	for cancelled := range 4 {
		t.Run(fmt.Sprint("number ", cancelled), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newWaits(demeterrr.Limit{Requests: 2, Window: time.Minute})
				spend(t, p, 2)
				var calls []*call
				for range 4 {
					calls = append(calls, wait(p, 0))
				}
				time.Sleep(30 * time.Second)
				calls[cancelled].cancel()
				synctest.Wait()
				if c := calls[cancelled]; !c.back() || !errors.Is(c.err(), context.Canceled) {
					t.Fatalf("the canceled wait: %+v", c.outcome.Load())
				}
				time.Sleep(30 * time.Second)
				synctest.Wait()
				want := slices.DeleteFunc([]int{0, 1, 2, 3}, func(i int) bool { return i == cancelled })[:2]
				if diff := cmp.Diff(want, returned(calls)); diff != "" {
					t.Errorf("served calls (-want +got):\n%s", diff)
				}
				for _, c := range calls {
					c.cancel()
				}
			})
		})
	}
}

func TestAContextThatHasEndedTakesNoPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newWaits(demeterrr.Limit{Requests: 1, Window: time.Minute})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := p.Wait(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Wait returned %v", err)
		}
		if c := wait(p, 0); !c.back() || c.err() != nil {
			t.Error("the only place is gone")
		}
	})
}

// refusal returns the error of a call that must fail at once as rate limited.
func refusal(t *testing.T, c *call) *demeterrr.Error {
	t.Helper()
	var e *demeterrr.Error
	if !c.back() {
		t.Fatal("it waits, want ErrRateLimited at once")
	}
	if !errors.As(c.err(), &e) || !errors.Is(c.err(), demeterrr.ErrRateLimited) {
		t.Fatalf("error %v, want ErrRateLimited", c.err())
	}
	if errors.Is(c.err(), context.DeadlineExceeded) || e.StatusCode != 0 || e.Attempts != 0 {
		t.Errorf("the error %#v claims a reply, an attempt or an ended context", e)
	}
	return e
}

func TestAWaitThatCannotEndInTimeFailsAtOnce(t *testing.T) {
	t.Parallel()
	minute := demeterrr.Limit{Requests: 2, Window: time.Minute}
	tests := map[string]struct {
		waiting  int // calls in line before it
		inFlight bool
		deadline time.Duration
		want     time.Duration // its RetryAfter; 0 if it must wait
	}{
		"first in line":                      {0, false, 59 * time.Second, time.Minute},
		"at the very end of the window":      {0, false, time.Minute, time.Minute},
		"in time":                            {0, false, time.Minute + 1, 0},
		"two are before it":                  {2, false, 61 * time.Second, 2 * time.Minute},
		"two are before it, in time":         {2, false, 121 * time.Second, 0},
		"five are before it":                 {5, false, 61 * time.Second, 3 * time.Minute},
		"all in flight":                      {0, true, 59 * time.Second, time.Minute},
		"all in flight, perhaps in time":     {0, true, 61 * time.Second, 0},
		"all in flight and three before it":  {3, true, 119 * time.Second, 2 * time.Minute},
		"all in flight and four before it":   {4, true, 179 * time.Second, 3 * time.Minute},
		"all in flight and one, might do it": {1, true, 61 * time.Second, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newWaits(minute)
				for range minute.Requests {
					if err := p.Wait(t.Context()); err != nil {
						t.Fatal(err)
					}
					if !test.inFlight {
						p.Done(demeterrr.RateLimit{}, 0)
					}
				}
				var before []*call
				for range test.waiting {
					before = append(before, wait(p, 0))
				}
				c := wait(p, test.deadline)
				if test.want > 0 {
					if e := refusal(t, c); e.RetryAfter != test.want {
						t.Errorf("it would take %v, want %v", e.RetryAfter, test.want)
					}
				} else if c.back() {
					t.Errorf("it failed at once with %v", c.err())
				}
				for _, c := range append(before, c) {
					c.cancel()
				}
			})
		})
	}
}

func TestAWaitFailsWhenA429MakesItsDeadlineTooEarly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newWaits(demeterrr.Limit{Requests: 2, Window: time.Minute})
		spend(t, p, 1)
		if err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		patient, first, second := wait(p, time.Hour), wait(p, 70*time.Second), wait(p, 80*time.Second)
		time.Sleep(time.Second)
		p.Done(demeterrr.RateLimit{}, 2*time.Minute)
		synctest.Wait()
		if got := refusal(t, first).RetryAfter; got != 2*time.Minute {
			t.Errorf("the first would take %v", got)
		}
		if got := refusal(t, second).RetryAfter; got != 2*time.Minute {
			t.Errorf("the second would take %v", got)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if !patient.tookExactly(121 * time.Second) {
			t.Errorf("the patient one: %+v, want a place after 121s", patient.outcome.Load())
		}
		p.Done(demeterrr.RateLimit{}, 0)
	})
}

func TestACancelledWaitMakesRoomForADeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newWaits(demeterrr.Limit{Requests: 1, Window: time.Minute})
		spend(t, p, 1)
		line := []*call{wait(p, 0), wait(p, 0), wait(p, 0)}
		_ = refusal(t, wait(p, 200*time.Second)) // fourth in line: in four minutes
		line[1].cancel()
		synctest.Wait()
		line = append(line, wait(p, 200*time.Second)) // now third: in three minutes
		if line[3].back() {
			t.Errorf("it failed with %v, though a call before it had left", line[3].err())
		}
		for _, c := range line {
			c.cancel()
		}
	})
}

func TestEveryWaitStopsForTheRetryAfterOfA429(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newWaits()
		if err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.Done(demeterrr.RateLimit{Limit: 1000, Remaining: 500}, 20*time.Second)
		c := wait(p, 0)
		time.Sleep(20*time.Second - 1)
		synctest.Wait()
		if c.back() {
			t.Fatal("it did not wait for the retryAfter")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if !c.tookExactly(20 * time.Second) {
			t.Errorf("%+v, want a place after the retryAfter", c.outcome.Load())
		}
		p.Done(demeterrr.RateLimit{}, 0)
	})
}

func TestARefusedRequestHoldsNoPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newWaits(demeterrr.Limit{Requests: 1, Window: time.Hour})
		if err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.Done(demeterrr.RateLimit{}, 5*time.Second)
		start := time.Now()
		spend(t, p, 1)
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("the next request waited %v, want the retryAfter", took)
		}
	})
}

func TestPlacesThatOthersUseAreLeftToThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newWaits(demeterrr.Limit{Requests: 10, Window: time.Minute})
		if err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		reset := time.Now().Add(29 * time.Second)
		p.Done(demeterrr.RateLimit{Limit: 10, Remaining: 3, Reset: reset}, 0) // six others
		for range 3 {
			if err := p.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		next := wait(p, 0)
		if next.back() {
			t.Fatal("a place of the others was taken")
		}
		p.Done(demeterrr.RateLimit{Limit: 10, Remaining: 0, Reset: reset}, 0)
		p.Done(demeterrr.RateLimit{Limit: 10, Remaining: 1, Reset: reset}, 0) // an older reply, arriving late
		p.Done(demeterrr.RateLimit{Limit: 10, Remaining: 0, Reset: reset}, 0)
		time.Sleep(time.Minute)
		synctest.Wait()
		if !next.tookExactly(30 * time.Second) { // the reset, plus the second that may be cut off
			t.Errorf("%+v, want a test request after the reset", next.outcome.Load())
		}
		p.Done(demeterrr.RateLimit{}, 0)
	})
}

func TestAResetOfAnotherClockNeitherHangsNorHurries(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{-50 * 365 * 24 * time.Hour, -time.Hour, time.Hour, 50 * 365 * 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			p := newWaits(demeterrr.Limit{Requests: 10, Window: time.Minute})
			if err := p.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			p.Done(demeterrr.RateLimit{Limit: 10, Remaining: 0, Reset: time.Now().Add(off)}, 0)
			c := wait(p, 0)
			time.Sleep(time.Minute)
			synctest.Wait()
			if o := c.outcome.Load(); o == nil || o.err != nil || o.took < time.Second || o.took > time.Minute {
				t.Errorf("a clock off by %v: %+v", off, o)
			}
			p.Done(demeterrr.RateLimit{}, 0)
		})
	}
}

func TestPacerWithoutLimitsHasTheDefaultOnes(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]*waits{"NewPacer()": newWaits(), "zero value": {Pacer: new(demeterrr.Pacer)}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				spend(t, p, 1001)
				if took := time.Since(start); took != time.Hour {
					t.Errorf("1001 requests took %v, want an hour", took)
				}
			})
		})
	}
}

func TestBadLimitsAreAnErrorOfEveryWait(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		pacer *waits
		want  string
	}{
		"nil":             {&waits{}, "the *Pacer is nil"},
		"no requests":     {newWaits(demeterrr.Limit{Window: time.Minute}), "Requests must be at least 1"},
		"negative":        {newWaits(demeterrr.Limit{Requests: -1, Window: time.Minute}), "Requests must be at least 1"},
		"no window":       {newWaits(demeterrr.Limit{Requests: 1}), "Window more than 0"},
		"a second is bad": {newWaits(demeterrr.Limit{Requests: 1, Window: 1}, demeterrr.Limit{Requests: 1, Window: -1}), "Window more than 0"},
		"too long":        {newWaits(demeterrr.Limit{Requests: 1, Window: 366*24*time.Hour + 1}), "at most 366 days"},
		"endless":         {newWaits(demeterrr.Limit{Requests: 1, Window: 1<<63 - 1}), "at most 366 days"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 2 {
				err := test.pacer.Wait(t.Context())
				if !errors.Is(err, demeterrr.ErrValidation) || !strings.Contains(err.Error(), test.want) {
					t.Errorf("Wait returned %v, want ErrValidation with %q", err, test.want)
				}
				test.pacer.Done(demeterrr.RateLimit{Limit: 1}, time.Second)
			}
		})
	}
	if err := newWaits(demeterrr.Limit{Requests: 1, Window: 366 * 24 * time.Hour}).Wait(t.Context()); err != nil {
		t.Errorf("366 days: %v", err)
	}
	if err := newWaits().Wait(nil); !errors.Is(err, demeterrr.ErrValidation) { //nolint:staticcheck // what is tested
		t.Errorf("without a context Wait returned %v, want ErrValidation", err)
	}
}

func TestAThousandGoroutinesShareAPacer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newWaits(demeterrr.Limit{Requests: 50, Window: time.Second})
		start := time.Now()
		var workers sync.WaitGroup
		for range 1000 {
			workers.Go(func() { spend(t, p, 5) })
		}
		workers.Wait()
		if took := time.Since(start); took != 99*time.Second {
			t.Errorf("5000 requests at 50 a second took %v, want 99s", took)
		}
	})
}
