package redislimit_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/redislimit"
)

var ctx = context.Background()

func newLimiter(t testing.TB, rdb redis.UniversalClient, limits []demeterrr.Limit, opts ...redislimit.Option) *redislimit.Limiter {
	t.Helper()
	l, err := redislimit.New(rdb, "test", limits, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// take acquires a place and never releases it.
func take(ctx context.Context, l *redislimit.Limiter) error {
	_, err := l.Acquire(ctx)
	return err
}

// reserve takes a place and returns its moment on Redis's clock, as Redis has
// it.
func reserve(t testing.TB, rdb redis.UniversalClient, l *redislimit.Limiter, id string) time.Duration {
	t.Helper()
	if wait, err := l.Reserve(ctx, id); err != nil || wait < 0 {
		t.Fatalf("Reserve = %v, %v", wait, err)
	}
	return place(t, rdb, id)
}

func place(t testing.TB, rdb redis.UniversalClient, id string) time.Duration {
	t.Helper()
	at, err := rdb.ZScore(ctx, "{test}:places", id).Result()
	if err != nil {
		t.Fatalf("place %s: %v", id, err)
	}
	return time.Duration(at) * time.Microsecond
}

func TestNewSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	t.Cleanup(func() { _ = rdb.Close() })
	good := []demeterrr.Limit{{Requests: 100, Window: time.Minute}}
	for _, tt := range []struct {
		name   string
		rdb    redis.UniversalClient
		key    string
		limits []demeterrr.Limit
		opts   []redislimit.Option
		want   string // in the error; empty: none
	}{
		{"all right", rdb, "k", good, nil, ""},
		{"options", rdb, "k", good, []redislimit.Option{redislimit.WithMargin(time.Minute), redislimit.WithColdStartHold()}, ""},
		{"nil client", nil, "k", good, nil, "client is nil"},
		{"nil pointer", (*redis.Client)(nil), "k", good, nil, "client is nil"},
		{"no key", rdb, "", good, nil, `key "" is empty`},
		{"braces", rdb, "{k}", good, nil, "has braces"},
		{"no limits", rdb, "k", nil, nil, "no limits"},
		{"no requests", rdb, "k", []demeterrr.Limit{good[0], {Requests: 0, Window: time.Second}}, nil, "limit 1 is 0 requests"},
		{"negative requests", rdb, "k", []demeterrr.Limit{{Requests: -1, Window: time.Second}}, nil, "limit 0 is -1 requests"},
		{"no window", rdb, "k", []demeterrr.Limit{{Requests: 1}}, nil, "in 0s"},
		{"negative window", rdb, "k", []demeterrr.Limit{{Requests: 1, Window: -1}}, nil, "in -1ns"},
		{"endless window", rdb, "k", []demeterrr.Limit{{Requests: 1, Window: 1 << 62}}, nil, "at most 8784h"},
		{"reserve", rdb, "k", []demeterrr.Limit{{Requests: 2, Window: time.Second, Reserve: 1}}, nil, ""},
		{"negative reserve", rdb, "k", []demeterrr.Limit{good[0], {Requests: 5, Window: time.Second, Reserve: -1}}, nil, "limit 1 has a Reserve of -1"},
		{"all reserved", rdb, "k", []demeterrr.Limit{{Requests: 5, Window: time.Second, Reserve: 5}}, nil, "less than Requests"},
		{"nil option", rdb, "k", good, []redislimit.Option{nil}, "option 0 is nil"},
		{"no margin", rdb, "k", good, []redislimit.Option{redislimit.WithMargin(0)}, "margin 0s is out of range"},
		{"endless margin", rdb, "k", good, []redislimit.Option{redislimit.WithMargin(1 << 62)}, "at most 8784h"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, err := redislimit.New(tt.rdb, tt.key, tt.limits, tt.opts...)
			if tt.want == "" {
				if err != nil || l == nil {
					t.Fatalf("New = %v, %v", l, err)
				}
				return
			}
			if err == nil || l != nil || !strings.HasPrefix(err.Error(), "redislimit: ") || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("New = %v, %v; want an error that has %q", l, err, tt.want)
			}
		})
	}
}

func TestWaitOfAnEmptyLimiterOrNilContextIsAnError(t *testing.T) {
	t.Parallel()
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	defer rdb.Close()
	var none *redislimit.Limiter
	for _, err := range []error{
		take(ctx, none),
		take(ctx, new(redislimit.Limiter)),
		take(nil, newLimiter(t, rdb, []demeterrr.Limit{{Requests: 1, Window: time.Hour}})), //nolint:staticcheck // the point of the test
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "redislimit: ") {
			t.Errorf("Acquire = %v, want an error that says what to do", err)
		}
	}
}

// The kept places hold every limit, whatever else is reserved and given back,
// in any order. Windows are short, so that places also expire during the test.
func TestPlacesKeepEveryLimitWhateverIsGivenBack(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client(t)
	const margin = time.Millisecond
	limits := []demeterrr.Limit{{Requests: 5, Window: 4 * time.Millisecond}, {Requests: 30, Window: 40 * time.Millisecond}, {Requests: 3, Window: time.Millisecond}}
	l := newLimiter(t, rdb, limits, redislimit.WithMargin(margin), redislimit.WithColdStartHold()) // nothing expires
	kept := map[string]time.Duration{}
	var reused int
	for i := range 4000 {
		id := fmt.Sprint(i)
		freeBefore := rdb.ZCard(ctx, "{test}:free").Val()
		kept[id] = reserve(t, rdb, l, id)
		if rdb.ZCard(ctx, "{test}:free").Val() < freeBefore {
			reused++
		}
		if rand.IntN(3) == 0 { // any place that may still be in the future, sometimes several
			for range rand.IntN(4) {
				back := fmt.Sprint(max(0, i-rand.IntN(40)))
				if _, ok := kept[back]; ok && rdb.ZScore(ctx, "{test}:places", back).Err() == nil {
					l.GiveBack(ctx, back)
					delete(kept, back)
				}
			}
		}
		if rand.IntN(100) == 0 {
			time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
		}
	}
	if reused == 0 {
		t.Error("no place was used again: the test shows nothing")
	}
	var places []time.Duration
	for _, at := range kept {
		places = append(places, at)
	}
	slices.Sort(places)
	if !slices.ContainsFunc(places, func(at time.Duration) bool { return at%(100*time.Microsecond) != 0 }) {
		t.Error("places are not kept to the microsecond")
	}
	for _, limit := range limits {
		if worst := mostIn(places, limit.Window+margin); worst > limit.Requests {
			t.Errorf("%d places in %v, the limit is %d", worst, limit.Window+margin, limit.Requests)
		} else {
			t.Logf("at most %d of %d in %v; %d places kept, %d used again", worst, limit.Requests, limit.Window, len(kept), reused)
		}
	}
}

// mostIn returns the largest number of the sorted moments in any half-open
// interval of the length.
func mostIn(moments []time.Duration, length time.Duration) int {
	most, first := 0, 0
	for i, m := range moments {
		for m-moments[first] >= length {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

func TestPlacesAreGivenInTheOrderOfAsking(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client(t)
	l := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 2, Window: time.Hour}, {Requests: 3, Window: 3 * time.Hour}}, redislimit.WithMargin(time.Minute))
	var got []time.Duration
	first := reserve(t, rdb, l, "0")
	for i := range 7 {
		got = append(got, (reserve(t, rdb, l, fmt.Sprint(i+1)) - first).Round(time.Minute))
	}
	// Two an hour, but three in three hours, and a minute of margin each time.
	var want []time.Duration
	for _, minutes := range []int{0, 61, 181, 181, 242, 362, 362} {
		want = append(want, time.Duration(minutes)*time.Minute)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAPlaceGivenBackGoesToTheNextToAskAndToNobodyElse(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client(t)
	l := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 1, Window: time.Hour}})
	reserve(t, rdb, l, "a")
	b, c := reserve(t, rdb, l, "b"), reserve(t, rdb, l, "c")
	l.GiveBack(ctx, "b")
	l.GiveBack(ctx, "b")
	l.GiveBack(ctx, "never reserved")
	if d := reserve(t, rdb, l, "d"); d != b {
		t.Errorf("d got %v, want the place of b, %v", d, b)
	}
	l.GiveBack(ctx, "b") // a client that repeats the command must leave the place of another
	if e := reserve(t, rdb, l, "e"); e <= c {
		t.Errorf("e got %v, want a place after c, %v", e, c)
	}
	if got := place(t, rdb, "c"); got != c {
		t.Errorf("c moved from %v to %v", c, got)
	}
}

func TestAPlaceGivenBackThatNobodyTookNoLongerCounts(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client(t)
	const window = 600 * time.Millisecond
	l := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 1, Window: window}}, redislimit.WithMargin(time.Microsecond))
	for _, id := range []string{"a", "b", "c"} {
		reserve(t, rdb, l, id)
	}
	l.GiveBack(ctx, "b")
	time.Sleep(window + window/4) // the moment of b passes, its window has not
	l.GiveBack(ctx, "c")
	if wait, err := l.Reserve(ctx, "d"); err != nil || wait != 0 {
		t.Errorf("d waits %v, %v, want no wait: a's window is over and b was not used", wait, err)
	}
}

func TestFreePlacesThatNobodyIsBehindCountNoMore(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client(t)
	l := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 1, Window: time.Hour}})
	for _, id := range []string{"a", "b", "c"} {
		reserve(t, rdb, l, id)
	}
	for _, id := range []string{"a", "b", "c"} {
		l.GiveBack(ctx, id)
	}
	if wait, err := l.Reserve(ctx, "d"); err != nil || wait != 0 {
		t.Errorf("d waits %v, %v, want no wait: no place is used", wait, err)
	}
}

// Redis may evict one key and keep the other.
func TestFreePlacesOfALostStateAreForgotten(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client(t)
	l := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 1, Window: time.Hour}})
	reserve(t, rdb, l, "a")
	reserve(t, rdb, l, "b")
	reserve(t, rdb, l, "behind")
	l.GiveBack(ctx, "b")
	if n := rdb.ZCard(ctx, "{test}:free").Val(); n != 1 {
		t.Fatalf("%d free places, want 1", n)
	}
	rdb.Del(ctx, "{test}:places")
	if wait, err := l.Reserve(ctx, "c"); err != nil || wait != 0 {
		t.Errorf("c waits %v, %v, want no wait", wait, err)
	}
	if wait, err := l.Reserve(ctx, "d"); err != nil || wait.Round(time.Second) != time.Hour+time.Second {
		t.Errorf("d waits %v, %v, want an hour and the margin after c", wait, err)
	}
}

// go-redis repeats a command after a lost reply.
func TestAskingAgainUnderTheSameNameIsTheSamePlace(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client(t)
	l := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 1, Window: time.Hour}})
	reserve(t, rdb, l, "a")
	b := reserve(t, rdb, l, "b")
	if again := reserve(t, rdb, l, "b"); again != b {
		t.Errorf("asked again: %v, want %v", again, b)
	}
	if n := rdb.ZCard(ctx, "{test}:places").Val(); n != 4 { // a, b and two facts
		t.Errorf("%d members, want 4", n)
	}
}

func TestAWaitPastTheDeadlineFailsAtOnceAndReservesNothing(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client(t)
	l := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 1, Window: time.Hour}})
	if err := take(ctx, l); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for range 3 { // the wait would grow if a place were taken
		err := take(short, l)
		var deadline *redislimit.DeadlineError
		if !errors.As(err, &deadline) || deadline.Wait > time.Hour+time.Second || deadline.Wait < 59*time.Minute {
			t.Errorf("Acquire = %v, want a DeadlineError of about an hour", err)
		}
		if errors.Is(err, context.DeadlineExceeded) {
			t.Error("matches context.DeadlineExceeded before the context ended")
		}
	}
}

func TestACanceledWaitEndsAndGivesItsPlaceBack(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client(t)
	l := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 1, Window: time.Hour}})
	if err := take(ctx, l); err != nil {
		t.Fatal(err)
	}
	canceled, cancel := context.WithCancel(ctx)
	done := make(chan error)
	go func() { done <- take(canceled, l) }()
	for rdb.ZCard(ctx, "{test}:places").Val() < 4 { // two facts, the first place, and the waiting one
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Acquire = %v, want context.Canceled", err)
	}
	if n := rdb.ZCard(ctx, "{test}:places").Val(); n != 3 {
		t.Errorf("%d members, want the facts and the first", n)
	}
	if wait, err := l.Reserve(ctx, "next"); err != nil || wait > time.Hour+time.Second {
		t.Errorf("the next waits %v, %v, want at most an hour and the margin", wait, err)
	}
	if err := take(canceled, l); !errors.Is(err, context.Canceled) {
		t.Errorf("Acquire with a dead context = %v", err)
	}
}

// The client here has no timeouts, so only Wait itself can end.
func TestWaitEndsWithItsContextWhileRedisIsSilent(t *testing.T) {
	t.Parallel()
	silent, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	rdb := redis.NewClient(&redis.Options{Addr: silent.Addr().String(), ReadTimeout: -1, MaxRetries: -1})
	defer rdb.Close()
	l := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 1, Window: time.Hour}})
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if err := take(short, l); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Acquire = %v, want context.DeadlineExceeded", err)
	}
}

// After a long sleep comes a second question, shared by the process.
func TestAnAcquireIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client(t)
	const margin = time.Second // longer than this machine may stall: late places are taken anew
	l := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 50, Window: 200 * time.Millisecond}}, redislimit.WithMargin(margin))
	if err := take(ctx, l); err != nil { // loads the script
		t.Fatal(err)
	}
	rdb.ConfigResetStat(ctx)
	acquireAndRelease := func() {
		release, err := l.Acquire(ctx)
		if err != nil {
			t.Error(err)
			return
		}
		release(demeterrr.LimitOutcome{Sent: true, StatusCode: http.StatusOK})
	}
	for range 49 {
		acquireAndRelease()
	}
	if got := roundTrips(t, rdb); got != 49 {
		t.Errorf("%d round trips for 49 places that were free", got)
	}
	start := time.Now()
	var group sync.WaitGroup
	for range 120 { // in three windows
		group.Go(acquireAndRelease)
	}
	group.Wait()
	got := roundTrips(t, rdb)
	if most := 49 + 120 + int(time.Since(start)/margin); got > most || got < 49+120 {
		t.Errorf("%d round trips for 169 places, want 169 and one more a margin, %d at most", got, most)
	}
	t.Logf("%d round trips for 169 places", got)
}

// roundTrips returns how often the script ran since the statistics were reset.
func roundTrips(t testing.TB, rdb *redis.Client) (calls int) {
	t.Helper()
	for line := range strings.Lines(rdb.Info(ctx, "commandstats").Val()) {
		if n, ok := strings.CutPrefix(line, "cmdstat_evalsha:calls="); ok {
			if _, err := fmt.Sscanf(n, "%d,", &calls); err != nil {
				t.Fatal(err)
			}
		}
	}
	return calls
}

func TestAPlaceReachedTooLateIsNotUsed(t *testing.T) {
	t.Parallel()
	const margin = 300 * time.Millisecond
	for _, tt := range []struct {
		name         string
		slow         int // how many round trips are slow
		wantCommands int64
		wantErr      string
	}{
		{"once", 1, 3, ""}, // reserve, give back, reserve
		{"always", 99, 6, "too late"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rdb := startServer(t).client(t)
			l := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 10, Window: time.Hour}}, redislimit.WithMargin(margin))
			if _, err := l.Reserve(ctx, "load"); err != nil {
				t.Fatal(err)
			}
			l.GiveBack(ctx, "load")
			reserves := 0
			hook := &counter{before: func(n int64) {
				if n%2 == 1 && reserves < tt.slow { // odd ones reserve, even ones give back
					reserves++
					time.Sleep(margin + 20*time.Millisecond)
				}
			}}
			rdb.AddHook(hook)
			err := take(ctx, l)
			if tt.wantErr == "" && err != nil || tt.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tt.wantErr)) {
				t.Errorf("Acquire = %v, want %q", err, tt.wantErr)
			}
			if err := l.Settle(ctx); err != nil {
				t.Fatal(err)
			}
			if got := hook.commands.Load(); got != tt.wantCommands {
				t.Errorf("%d commands, want %d", got, tt.wantCommands)
			}
		})
	}
}

func TestRedisHoldsNoMoreThanTheLongestWindowAndForgetsIt(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client(t)
	l := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 20, Window: 20 * time.Millisecond}}, redislimit.WithMargin(20*time.Millisecond))
	for i := range 200 {
		if err := take(ctx, l); err != nil {
			t.Fatal(err)
		}
		if i%3 == 0 {
			id := fmt.Sprint(i)
			if _, err := l.Reserve(ctx, id); err != nil {
				t.Fatal(err)
			}
			l.GiveBack(ctx, id)
		}
		if n := rdb.ZCard(ctx, "{test}:places").Val(); n > 23 { // 20, the place given back, and two facts
			t.Fatalf("%d members after %d waits", n, i+1)
		}
	}
	if _, err := l.Reserve(ctx, "last"); err != nil {
		t.Fatal(err)
	}
	l.GiveBack(ctx, "last")
	for range 500 {
		if rdb.DBSize(ctx).Val() == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the keys do not expire:", rdb.Keys(ctx, "*").Val())
}

func TestWaitWorksOnACluster(t *testing.T) {
	t.Parallel()
	s := startServer(t, "--cluster-enabled", "yes")
	if err := s.client(t).ClusterAddSlotsRange(ctx, 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{s.addr}})
	defer rdb.Close()
	for range 1000 {
		if strings.Contains(rdb.ClusterInfo(ctx).Val(), "cluster_state:ok") {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	l := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 3, Window: time.Hour}})
	for range 3 {
		if err := take(ctx, l); err != nil {
			t.Fatal(err)
		}
	}
	reserve(t, rdb, l, "a")
	reserve(t, rdb, l, "b")
	l.GiveBack(ctx, "a")
	if n := rdb.ZCard(ctx, "{test}:free").Val(); n != 1 {
		t.Errorf("%d free places, want 1: the keys are not in one slot", n)
	}
}

func TestAnErrorNamesTheLimiterAndNoCredentials(t *testing.T) {
	t.Parallel()
	s := startServer(t, "--requirepass", "right-s3cret")
	for _, addr := range []string{s.addr, "127.0.0.1:1"} {
		rdb := redis.NewClient(&redis.Options{Addr: addr, Username: "some-user", Password: "wrong-s3cret"})
		defer rdb.Close()
		err := take(ctx, newLimiter(t, rdb, []demeterrr.Limit{{Requests: 1, Window: time.Hour}}))
		if err == nil || errors.Unwrap(err) == nil || !strings.HasPrefix(err.Error(), `redislimit: no place under key "test": `) {
			t.Errorf("Acquire = %v", err)
		}
		if strings.Contains(err.Error(), "some-user") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("credentials in %q", err)
		}
		t.Log(err)
	}
}

// In the middle of a rollout, say. Each keeps its own limits, and counts the
// places of both.
func TestWhileLimitsDifferTheLongestWindowIsKept(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client(t)
	long := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 4, Window: time.Hour, Reserve: 2}})
	short := newLimiter(t, rdb, []demeterrr.Limit{{Requests: 100, Window: time.Microsecond}}, redislimit.WithMargin(time.Microsecond))
	passed, passedLow := 0, 0
	for i := range 12 {
		if wait, taken := ask(t, long, fmt.Sprint("low", i), true); taken && wait == 0 {
			passedLow++
		}
		if wait, taken := ask(t, long, fmt.Sprint("long", i), false); taken && wait == 0 {
			passed++
		}
		if i == 0 {
			reserve(t, rdb, short, "short") // another place that the hour has
		}
		time.Sleep(time.Millisecond)
		if wait, taken := ask(t, short, "again", false); !taken || wait > time.Hour {
			t.Fatalf("the short windows: %v, %v", wait, taken)
		}
		short.GiveBack(ctx, "again") // forgets everything that the short windows are past
	}
	if passed+passedLow != 3 || passedLow > 2 {
		t.Errorf("%d calls in an hour, %d of them low, beside one of the other process: want 3 and 2 at most", passed+passedLow, passedLow)
	}
	if ttl := rdb.PTTL(ctx, "{test}:places").Val(); ttl < time.Hour {
		t.Errorf("Redis forgets the hour in %v", ttl)
	}
}

func BenchmarkAcquire(b *testing.B) {
	rdb := startServer(b).client(b)
	limits := []demeterrr.Limit{{Requests: 1 << 30, Window: time.Second}, {Requests: 1 << 30, Window: 2 * time.Second}}
	b.Run("ping", func(b *testing.B) { // the cost of a round trip here
		for b.Loop() {
			if err := rdb.Ping(ctx).Err(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("free", func(b *testing.B) {
		l := newLimiter(b, rdb, limits)
		for b.Loop() {
			if err := take(ctx, l); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		l := newLimiter(b, rdb, limits)
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := take(ctx, l); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}
