package redislimit_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	"github.com/demeterrr/demeterrr-go/redislimit"
)

// Others have used up the window. Two processes of 25 goroutines meet that,
// wait, and then leave at different times.
func TestAfterA429FiftyGoroutinesKeepTheLimit(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	limit := demeterrr.Limit{Requests: 6, Window: time.Second}
	fake := demeterrrtest.NewServer(demeterrrtest.WithRateLimits(demeterrrtest.SlidingWindow, limit))
	defer fake.Close()
	others := fake.Client()
	for range limit.Requests {
		if _, err := others.Contacts.List(ctx, nil); err != nil {
			t.Fatal(err)
		}
	}
	var group sync.WaitGroup
	for range 2 {
		l := newLimiter(t, s.client(t), []demeterrr.Limit{limit}, redislimit.WithMargin(300*time.Millisecond))
		client := fake.Client(demeterrr.WithLimiter(l))
		for i := range 25 {
			group.Go(func() {
				class := ctx
				if i%2 == 0 {
					class = low
				}
				if _, err := client.Contacts.List(class, nil); err != nil {
					t.Error(err)
				}
			})
		}
	}
	group.Wait()
	var refused int
	var sent []time.Duration
	for _, request := range fake.Requests()[limit.Requests:] {
		if request.Status == http.StatusTooManyRequests {
			refused++
		} else {
			sent = append(sent, time.Duration(request.At.UnixNano()))
		}
	}
	slices.Sort(sent)
	if most := mostIn(sent, limit.Window); most > limit.Requests || len(sent) != 50 {
		t.Errorf("%d of %d requests in one window, want %d of 50 at most", most, len(sent), limit.Requests)
	}
	t.Logf("%d times 429", refused)
	if refused == 0 || refused > limit.Requests { // the requests in flight at the first reply
		t.Errorf("%d times 429, want 1 to %d", refused, limit.Requests)
	}
}

// waits records the waits of a client.
type waits struct{ started []demeterrr.WaitStart }

func (w *waits) TraceCallStart(ctx context.Context, _ demeterrr.CallStart) context.Context {
	return ctx
}
func (w *waits) TraceCallEnd(context.Context, demeterrr.CallEnd) {}
func (w *waits) TraceWaitEnd(context.Context, demeterrr.WaitEnd) {}

func (w *waits) TraceWaitStart(ctx context.Context, start demeterrr.WaitStart) context.Context {
	w.started = append(w.started, start)
	return ctx
}

func TestAcquireReportsUntilWhenItWaits(t *testing.T) {
	t.Parallel()
	const window, margin = 400 * time.Millisecond, 200 * time.Millisecond
	for _, isLow := range []bool{false, true} {
		t.Run(fmt.Sprint("low ", isLow), func(t *testing.T) {
			t.Parallel()
			fake := demeterrrtest.NewServer()
			defer fake.Close()
			l := newLimiter(t, startServer(t).client(t), []demeterrr.Limit{{Requests: 1, Window: window}}, redislimit.WithMargin(margin))
			class := ctx
			if isLow {
				class = low
			}
			var waited waits
			client := fake.Client(demeterrr.WithLimiter(l), demeterrr.WithTracer(&waited))
			began := time.Now()
			for range 2 {
				if _, err := client.Contacts.List(class, nil); err != nil {
					t.Fatal(err)
				}
			}
			if len(waited.started) == 0 {
				t.Fatal("no wait was reported")
			}
			last := waited.started[len(waited.started)-1]
			if in := last.Until.Sub(began); last.Reason != demeterrr.WaitReasonLimiter || in < window+margin || in > window+2*margin {
				t.Errorf("%d waits, the last: %s until %v after the beginning", len(waited.started), last.Reason, in)
			}
		})
	}
}

func TestThroughTheClientADeadlineTooSoonIsRateLimited(t *testing.T) {
	t.Parallel()
	fake := demeterrrtest.NewServer()
	defer fake.Close()
	l := newLimiter(t, startServer(t).client(t), []demeterrr.Limit{{Requests: 2, Window: time.Hour, Reserve: 1}})
	client := fake.Client(demeterrr.WithLimiter(l))
	for range 2 {
		if _, err := client.Contacts.List(ctx, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, class := range []context.Context{ctx, low} {
		short, cancel := context.WithTimeout(class, time.Minute)
		defer cancel()
		_, err := client.Contacts.List(short, nil)
		failed, ok := errors.AsType[*demeterrr.Error](err)
		if !ok || !errors.Is(err, demeterrr.ErrRateLimited) || failed.RetryAfter.Round(time.Second) != time.Hour+time.Second {
			t.Errorf("%v, want ErrRateLimited and an hour", err)
		}
	}
}
