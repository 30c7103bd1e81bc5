package redislimit_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/redislimit"
)

var low = demeterrr.LowPriority(ctx)

// ask takes a place if it can, and returns how far away it is, rounded to a
// second.
func ask(t testing.TB, l *redislimit.Limiter, id string, low bool) (wait time.Duration, taken bool) {
	t.Helper()
	wait, taken, err := l.Ask(ctx, id, low)
	if err != nil {
		t.Fatal(err)
	}
	return wait.Round(time.Second), taken
}

func TestLowCallsLeaveTheReserveToNormalOnes(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client(t)
	l := newLimiter(t, rdb, []demeterrr.Limit{
		{Requests: 10, Window: time.Hour, Reserve: 4},
		{Requests: 1000, Window: 2 * time.Hour, Reserve: 1},
	})
	for i := range 6 {
		if wait, taken := ask(t, l, fmt.Sprint("low", i), true); !taken || wait != 0 {
			t.Errorf("low %d: %v, %v, want a place at once", i, wait, taken)
		}
	}
	const hour = time.Hour + time.Second // and the margin
	for i := range 3 {
		if wait, taken := ask(t, l, fmt.Sprint("refused", i), true); taken || wait != hour {
			t.Errorf("low beyond its share: %v, %v, want to be told to ask in an hour", wait, taken)
		}
	}
	for i := range 4 {
		if wait, taken := ask(t, l, fmt.Sprint("normal", i), false); !taken || wait != 0 {
			t.Errorf("normal %d: %v, %v, want a place at once", i, wait, taken)
		}
	}
	if wait, taken := ask(t, l, "behind", false); !taken || wait != hour {
		t.Errorf("normal beyond the limit: %v, %v, want a place in an hour", wait, taken)
	}
	if n := rdb.ZCard(ctx, "{test}:low").Val(); n != 6 {
		t.Errorf("%d low places, want 6", n)
	}
}

func TestNormalCallsMayUseAllAndLowOnesTakeWhatIsLeft(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client(t)
	l := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 10, Window: time.Hour, Reserve: 4}})
	for i := range 8 {
		ask(t, l, fmt.Sprint("normal", i), false)
	}
	for i := range 3 {
		if _, taken := ask(t, l, fmt.Sprint("low", i), true); taken != (i < 2) {
			t.Errorf("low %d taken: %v, want two in all", i, taken)
		}
	}
}

// The low call asks first, and the waiting normal calls overtake it.
func TestALowCallGoesBehindNormalOnesThatWait(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client(t)
	const margin = 50 * time.Millisecond
	l := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 1, Window: 250 * time.Millisecond}}, redislimit.WithMargin(margin))
	if err := take(ctx, l); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var order []string
	var group sync.WaitGroup
	acquire := func(ctx context.Context, name string) {
		group.Go(func() {
			if err := take(ctx, l); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			order = append(order, name)
		})
	}
	acquire(low, "low")
	time.Sleep(20 * time.Millisecond)
	for i := range 3 {
		acquire(ctx, "normal")
		for rdb.ZCount(ctx, "{test}:places", "0", "+inf").Val() < int64(2+i) {
			time.Sleep(time.Millisecond)
		}
	}
	group.Wait()
	if want := []string{"normal", "normal", "normal", "low"}; fmt.Sprint(order) != fmt.Sprint(want) {
		t.Errorf("order %v, want %v", order, want)
	}
}

func TestLowCallsThatWaitAskOneAtATime(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client(t)
	const window, margin, calls = 300 * time.Millisecond, 100 * time.Millisecond, 60
	l := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 20, Window: window, Reserve: 5}}, redislimit.WithMargin(margin))
	if err := take(ctx, l); err != nil { // loads the script
		t.Fatal(err)
	}
	rdb.ConfigResetStat(ctx)
	var mu sync.Mutex
	var starts []time.Duration
	var group sync.WaitGroup
	begun := time.Now()
	for range calls {
		group.Go(func() {
			if err := take(low, l); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			starts = append(starts, time.Since(begun))
		})
	}
	group.Wait()
	if most := mostIn(starts, window); most > 15 {
		t.Errorf("%d low calls in %v, want at most 15", most, window)
	}
	if took := starts[calls-1]; took < 3*(window+margin) || took > 3*(window+margin)+4*margin/4+time.Second {
		t.Errorf("took %v, want three windows", took)
	}
	// Each call asks once in vain and once for its place. The call in turn asks
	// once more for each window.
	if got := roundTrips(t, rdb); got > 2*calls+10 {
		t.Errorf("%d round trips for %d calls", got, calls)
	}
}

func TestALowCallPastItsDeadlineFailsAtOnceAndHoldsNothing(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client(t)
	l := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 2, Window: time.Hour, Reserve: 1}})
	if err := take(low, l); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(low, time.Minute)
	defer cancel()
	late, ok := errors.AsType[*redislimit.DeadlineError](take(short, l))
	if !ok || late.RetryAfter().Round(time.Second) != time.Hour+time.Second {
		t.Errorf("low: %v, want a DeadlineError of an hour", late)
	}
	if err := take(short, l); err == nil || rdb.ZCard(ctx, "{test}:low").Val() != 1 {
		t.Errorf("%v, and %d low places, want 1", err, rdb.ZCard(ctx, "{test}:low").Val())
	}
	if err := take(ctx, l); err != nil {
		t.Errorf("normal: %v", err)
	}
}

func TestACanceledLowCallLeavesTheLine(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client(t)
	const window, margin = 500 * time.Millisecond, 100 * time.Millisecond
	l := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 1, Window: window}}, redislimit.WithMargin(margin))
	if err := take(low, l); err != nil {
		t.Fatal(err)
	}
	canceled, cancel := context.WithCancel(low)
	errs := make(chan error)
	for range 5 { // one sleeps, four stand in line
		go func() { errs <- take(canceled, l) }()
	}
	time.Sleep(50 * time.Millisecond)
	cancel()
	for range 5 {
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Errorf("Acquire = %v, want context.Canceled", err)
		}
	}
	if err := take(low, l); err != nil { // the line is open
		t.Error(err)
	}
}

func TestAskingAgainForALowPlaceIsTheSamePlace(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client(t)
	l := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 3, Window: time.Hour, Reserve: 1}})
	for range 3 {
		if wait, taken := ask(t, l, "a", true); !taken || wait != 0 {
			t.Errorf("%v, %v, want the place", wait, taken)
		}
	}
	if n := rdb.ZCard(ctx, "{test}:low").Val(); n != 1 {
		t.Errorf("%d low places, want 1", n)
	}
}
