package redislimit_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/redislimit"
)

var (
	unsent = demeterrr.LimitOutcome{}
	done   = demeterrr.LimitOutcome{Sent: true, StatusCode: http.StatusOK}
)

func refused(retryAfter time.Duration) demeterrr.LimitOutcome {
	return demeterrr.LimitOutcome{Sent: true, StatusCode: http.StatusTooManyRequests, RetryAfter: retryAfter}
}

// acquire acquires a place and returns its Release.
func acquire(t testing.TB, ctx context.Context, l *redislimit.Limiter) demeterrr.Release { //nolint:revive // as testing.TB first
	t.Helper()
	release, err := l.Acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return release
}

func TestReleaseOfAnUnusedPlaceMakesItFree(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client(t)
	l := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 2, Window: time.Hour, Reserve: 1}})
	for range 5 {
		lowRelease, release := acquire(t, low, l), acquire(t, ctx, l)
		if wait, _ := ask(t, l, "next", false); wait == 0 {
			t.Fatal("a third place is free")
		}
		l.GiveBack(ctx, "next")
		release(unsent)
		lowRelease(unsent)
	}
	if err := l.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	if n := rdb.ZCount(ctx, "{test}:places", "0", "+inf").Val(); n != 0 {
		t.Errorf("%d places after all were given back", n)
	}
}

func TestReleaseIsARoundTripOnlyForWhatRedisDoesNotExpect(t *testing.T) {
	t.Parallel()
	const margin = 300 * time.Millisecond
	for _, tt := range []struct {
		name    string
		outcome demeterrr.LimitOutcome
		lasts   time.Duration
		want    int
	}{
		{"used", done, 0, 0},
		{"reply lost", demeterrr.LimitOutcome{Sent: true}, 0, 0},
		{"429 without a wait", refused(0), 0, 0},
		{"a wait of a 503", demeterrr.LimitOutcome{Sent: true, StatusCode: http.StatusServiceUnavailable, RetryAfter: time.Minute}, 0, 0},
		{"429", refused(time.Second), 0, 1},
		{"unused", unsent, 0, 1},
		{"outlasted", done, margin + 50*time.Millisecond, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rdb := startServer(t).client(t)
			l := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 9, Window: time.Hour}}, redislimit.WithMargin(margin))
			release := acquire(t, ctx, l)
			rdb.ConfigResetStat(ctx)
			time.Sleep(tt.lasts)
			release(tt.outcome)
			if err := l.Settle(ctx); err != nil {
				t.Fatal(err)
			}
			if got := roundTrips(t, rdb); got != tt.want {
				t.Errorf("%d round trips, want %d", got, tt.want)
			}
		})
	}
}

func TestReleaseCalledAgainIsIgnored(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client(t)
	l := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 9, Window: time.Hour}})
	release := acquire(t, ctx, l)
	release(done)
	rdb.ConfigResetStat(ctx)
	release(unsent)
	release(refused(time.Hour))
	if err := l.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	if got := roundTrips(t, rdb); got != 0 {
		t.Errorf("%d round trips, want none", got)
	}
	if wait, _ := ask(t, l, "next", false); wait != 0 {
		t.Errorf("the next waits %v: the second Release paused the fleet", wait)
	}
}

func TestA429PausesTheFleetForAnHourAtMost(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ retryAfter, want time.Duration }{
		{10 * time.Second, 10 * time.Second},
		{50 * time.Hour, time.Hour},
	} {
		t.Run(tt.retryAfter.String(), func(t *testing.T) {
			t.Parallel()
			s := startServer(t)
			minute := []demeterrr.Limit{{Requests: 3, Window: time.Minute, Reserve: 1}}
			here, there := newLimiter(t, s.client(t), minute), newLimiter(t, s.client(t), minute)
			first, second := acquire(t, ctx, here), acquire(t, ctx, here)
			first(refused(tt.retryAfter))
			if err := here.Settle(ctx); err != nil {
				t.Fatal(err)
			}
			if ttl := s.client(t).PTTL(ctx, "{test}:places").Val(); ttl < tt.want {
				t.Errorf("Redis forgets the pause in %v", ttl)
			}
			if wait, taken := ask(t, there, "low", true); taken || wait != tt.want {
				t.Errorf("a low call waits %v, %v, want %v", wait, taken, tt.want)
			}
			if wait, _ := ask(t, there, "normal", false); wait != tt.want {
				t.Errorf("a normal call waits %v, want %v", wait, tt.want)
			}
			second(refused(time.Second)) // a shorter pause changes nothing
			if err := here.Settle(ctx); err != nil {
				t.Fatal(err)
			}
			if wait, _ := ask(t, there, "next", false); wait != tt.want {
				t.Errorf("after a shorter one: %v, want %v", wait, tt.want)
			}
		})
	}
}

// A call of another process has its place, and sleeps. Its place is in the
// pause.
func TestA429AlsoHoldsBackThoseThatHaveTheirPlace(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	limits := []demeterrr.Limit{{Requests: 2, Window: 500 * time.Millisecond}}
	here := newLimiter(t, s.client(t), limits, redislimit.WithMargin(100*time.Millisecond))
	there := newLimiter(t, s.client(t), limits, redislimit.WithMargin(100*time.Millisecond))
	first := acquire(t, ctx, here)
	acquire(t, ctx, here)
	start := time.Now()
	var mu sync.Mutex
	var starts []time.Duration
	var group sync.WaitGroup
	for range 5 {
		group.Go(func() {
			if err := take(ctx, there); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			starts = append(starts, time.Since(start))
		})
	}
	for s.client(t).ZCount(ctx, "{test}:places", "0", "+inf").Val() < 7 {
		time.Sleep(time.Millisecond)
	}
	const pause = 2 * time.Second
	first(refused(pause))
	group.Wait()
	if starts[0] < pause {
		t.Errorf("the first started after %v, in a pause of %v", starts[0], pause)
	}
	if most := mostIn(starts, limits[0].Window); most > 2 {
		t.Errorf("%d started in one window, want 2: %v", most, starts)
	}
	if last := starts[4]; last > pause+2*600*time.Millisecond+time.Second {
		t.Errorf("the last started after %v", last)
	}
}

func TestAnAttemptThatOutlastsTheMarginCountsFromItsEnd(t *testing.T) {
	t.Parallel()
	for _, isLow := range []bool{false, true} {
		rdb := startServer(t).client(t)
		limits := []demeterrr.Limit{{Requests: 2, Window: time.Hour, Reserve: 1}}
		l, other := newLimiter(t, rdb, limits, redislimit.WithMargin(time.Minute)), newLimiter(t, rdb, limits, redislimit.WithMargin(time.Minute))
		if _, taken := ask(t, l, "slow", isLow); !taken {
			t.Fatal("no place")
		}
		ask(t, l, "quick", false)
		l.Outlast(ctx, "slow", isLow, place(t, rdb, "slow")+3*time.Minute)
		if wait, taken := ask(t, other, "low", true); taken || isLow && wait != time.Hour+3*time.Minute {
			t.Errorf("low: %v, %v, want an hour after the end", wait, taken)
		}
		// "quick" ends its window sooner.
		for i, want := range []time.Duration{time.Hour + time.Minute, time.Hour + 3*time.Minute, 2*time.Hour + 2*time.Minute} {
			if wait, _ := ask(t, other, fmt.Sprint(i), false); wait != want {
				t.Errorf("normal %d: %v, want %v", i, wait, want)
			}
		}
	}
}

func TestThoseBehindAnAttemptThatOutlastsTheMarginArePushedBackAndNotToTheEnd(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client(t)
	l := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 2, Window: time.Hour}}, redislimit.WithMargin(time.Minute))
	for _, id := range []string{"slow", "quick", "0", "1", "2", "3", "4", "5"} {
		ask(t, l, id, false)
	}
	l.Outlast(ctx, "slow", false, place(t, rdb, "slow")+3*time.Minute)
	var got []time.Duration
	for i := range 6 {
		wait, _ := ask(t, l, fmt.Sprint(i), false)
		got = append(got, wait)
	}
	var want []time.Duration
	for _, minutes := range []int{61, 63, 122, 124, 183, 185} {
		want = append(want, time.Duration(minutes)*time.Minute)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	short, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	if wait, taken, err := l.Ask(short, "0", false); taken || err == nil { // too late for it now
		t.Errorf("%v, %v, %v, want a DeadlineError", wait, taken, err)
	}
	if err := rdb.ZScore(ctx, "{test}:places", "0").Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("a place that comes too late is kept: %v", err)
	}
}

// With one place in a window, a waiting call waits for the end of the attempt.
func TestACallBehindAnAttemptThatOutlastsTheMarginWaitsLonger(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	const window, margin = time.Second, 100 * time.Millisecond
	limits := []demeterrr.Limit{{Requests: 1, Window: window}}
	here := newLimiter(t, s.client(t), limits, redislimit.WithMargin(margin))
	there := newLimiter(t, s.client(t), limits, redislimit.WithMargin(margin))
	release := acquire(t, ctx, here)
	errs := make(chan error)
	var started time.Time
	go func() {
		err := take(ctx, there)
		started = time.Now()
		errs <- err
	}()
	var over atomic.Bool
	var group sync.WaitGroup
	group.Go(func() { // keeps the news of its process fresh
		for !over.Load() {
			if _, taken, err := there.Ask(ctx, "busy", true); taken || err != nil {
				t.Errorf("a low call: %v, %v, before one that waits", taken, err)
			}
			time.Sleep(margin / 5)
		}
	})
	time.Sleep(600 * time.Millisecond)
	ended := time.Now()
	release(done)
	time.Sleep(700 * time.Millisecond)
	over.Store(true)
	group.Wait()
	if err := <-errs; err != nil {
		t.Fatal(err)
	}
	if after := started.Sub(ended); after < window || after > window+500*time.Millisecond {
		t.Errorf("started %v after the end, want a window", after)
	}
}

// releaseHook is a go-redis hook that fails or delays the commands that give
// places back.
type releaseHook struct {
	err  error
	hold chan struct{}
}

func (h releaseHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h releaseHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h releaseHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		for _, arg := range cmd.Args() {
			if arg != "release" {
				continue
			}
			if h.hold != nil {
				<-h.hold
			}
			if h.err != nil {
				cmd.SetErr(h.err)
				return h.err
			}
		}
		return next(ctx, cmd)
	}
}

func TestALostReleaseLeavesThePlaceTaken(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client(t)
	rdb.AddHook(releaseHook{err: errors.New("lost")})
	l := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 1, Window: time.Hour}})
	acquire(t, ctx, l)(unsent)
	if wait, _ := ask(t, l, "next", false); wait != time.Hour+time.Second {
		t.Errorf("the next waits %v, want an hour and the margin", wait)
	}
}

func TestReleaseDoesNotDelayItsCaller(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client(t)
	hold := make(chan struct{})
	rdb.AddHook(releaseHook{hold: hold})
	l := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 100, Window: time.Hour}})
	var releases []demeterrr.Release
	for range 100 {
		releases = append(releases, acquire(t, ctx, l))
	}
	start := time.Now()
	for _, release := range releases {
		release(unsent)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("a hundred Releases took %v while Redis was silent", took)
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if err := take(short, l); !errors.Is(err, context.DeadlineExceeded) { // it comes after them
		t.Errorf("Acquire = %v, want its deadline", err)
	}
	rdb.ConfigResetStat(ctx)
	close(hold)
	if wait, _ := ask(t, l, "next", false); wait != 0 {
		t.Errorf("the next waits %v: the places did not come back", wait)
	}
	if got := roundTrips(t, rdb); got > 4 { // two batches, the canceled one, and the next
		t.Errorf("%d round trips for a hundred places", got)
	}
}

func TestScriptsAreLoadedAgainAndAReplicaLetsNothingThrough(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client(t)
	l := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 1, Window: time.Hour}})
	release := acquire(t, ctx, l)
	rdb.ScriptFlush(ctx)
	release(unsent)
	release = acquire(t, ctx, l) // the place of before
	rdb.ScriptFlush(ctx)
	rdb.Do(ctx, "REPLICAOF", "127.0.0.1", "1")
	if err := take(ctx, l); err == nil || !strings.Contains(err.Error(), "READONLY") {
		t.Errorf("on a replica: %v, want READONLY", err)
	}
	rdb.Do(ctx, "REPLICAOF", "NO", "ONE")
	release(unsent)
	acquire(t, ctx, l)
}
