package redislimit_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/redislimit"
)

// request has taken a place. The server may count it at any moment from start
// to end.
type request struct {
	id         string
	low        bool
	start, end time.Duration
}

// fleet plays many processes on one connection, in steps of chance.
type fleet struct {
	*testing.T
	rdb      *redis.Client
	l        *redislimit.Limiter
	margin   time.Duration
	shortest time.Duration            // window
	waiting  map[string]time.Duration // the moments of reserved places
	started  map[string]*request
	done     []*request
	pauses   [][2]time.Duration
	// events, so that the test can check its own coverage
	lowTaken, lowRefused, unused, outlasted, moved, late int
}

func (f *fleet) now() time.Duration {
	return time.Duration(f.rdb.Time(ctx).Val().UnixMicro()) * time.Microsecond
}

// start plays a call at its moment: it asks again, as after a long sleep.
func (f *fleet) start(id string, low bool) {
	wait, taken, err := f.l.Ask(ctx, id, low)
	if err != nil || !taken {
		f.Fatal(taken, err)
	}
	at, now := place(f, f.rdb, id), f.now()
	switch {
	case wait > 0:
		f.waiting[id] = at
		f.moved++
		return
	case now-at > f.margin:
		f.l.GiveBack(ctx, id)
		f.late++
	default:
		for _, pause := range f.pauses {
			if now > pause[0] && now < pause[1] {
				f.Errorf("%s started in a pause, %v before its end", id, pause[1]-now)
			}
		}
		f.started[id] = &request{id, low, max(at, now), at + f.margin} // it leaves after its answer
	}
	delete(f.waiting, id)
}

// end plays the end of a started request.
func (f *fleet) end(r *request) {
	delete(f.started, r.id)
	switch now := f.now(); {
	case rand.IntN(6) == 0:
		f.l.GiveBack(ctx, r.id)
		f.unused++
		return
	case rand.IntN(60) == 0:
		until := now + 20*time.Millisecond
		f.l.Pause(ctx, r.id, until)
		f.pauses = append(f.pauses, [2]time.Duration{f.now(), until})
		return
	case now > r.end:
		f.l.Outlast(ctx, r.id, r.low, now)
		if f.now() > r.start+f.shortest {
			return // too late, because this machine stood still: outside of the promise
		}
		r.end = now
		f.outlasted++
	}
	f.done = append(f.done, r)
}

func (f *fleet) step(i int) {
	id := fmt.Sprint(i)
	if rand.IntN(2) == 0 {
		if _, taken, err := f.l.Ask(ctx, id, true); err != nil {
			f.Fatal(err)
		} else if taken {
			f.lowTaken++
			f.start(id, true)
		} else {
			f.lowRefused++
		}
	} else if quiet := i/500%2 == 0; len(f.waiting) < 8 && (!quiet || rand.IntN(100) == 0) {
		f.start(id, false)
	}
	for id, at := range f.waiting {
		if at <= f.now() {
			f.start(id, false)
		} else if rand.IntN(200) == 0 {
			f.l.GiveBack(ctx, id)
			delete(f.waiting, id)
		}
	}
	for _, r := range f.started {
		if rand.IntN(12) == 0 || f.now() > r.start+f.shortest/2 {
			f.end(r)
		}
	}
}

// most returns how many of the requests can count at once, each from its start
// to a window after its end.
func most(requests []*request, window time.Duration) (most int) {
	for _, r := range requests {
		n := 0
		for _, other := range requests {
			if other.start <= r.start && r.start < other.end+window {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// Each book holds each of its limits, whatever is given back, paused and
// outlasted, in any order.
func TestBothBooksKeepEveryLimitWhateverHappens(t *testing.T) {
	t.Parallel()
	limits := []demeterrr.Limit{
		{Requests: 8, Window: 150 * time.Millisecond, Reserve: 3},
		{Requests: 20, Window: 600 * time.Millisecond, Reserve: 5},
	}
	f := &fleet{T: t, rdb: startServer(t).client(t), margin: 4 * time.Millisecond, shortest: limits[0].Window}
	f.waiting, f.started = map[string]time.Duration{}, map[string]*request{}
	f.l = newLimiter(t, f.rdb, limits, redislimit.WithMargin(f.margin))
	for begun, i := time.Now(), 0; time.Since(begun) < 12*time.Second; i++ {
		f.step(i)
	}
	for _, r := range f.started {
		f.done = append(f.done, r)
	}
	var lows []*request
	for _, r := range f.done {
		if r.low {
			lows = append(lows, r)
		}
	}
	for _, limit := range limits {
		all, low := most(f.done, limit.Window), most(lows, limit.Window)
		t.Logf("%d and %d low of %d and %d in %v", all, low, limit.Requests, limit.Requests-limit.Reserve, limit.Window)
		if all > limit.Requests || low > limit.Requests-limit.Reserve {
			t.Error("a limit is exceeded")
		}
	}
	t.Logf("%d requests, %d low, %d refused, %d unused, %d outlasted, %d moved, %d late, %d pauses",
		len(f.done), f.lowTaken, f.lowRefused, f.unused, f.outlasted, f.moved, f.late, len(f.pauses))
	if slices.Contains([]int{f.lowTaken, f.lowRefused, f.unused, f.outlasted, f.moved, len(f.pauses)}, 0) {
		t.Error("something never happened: the test shows too little")
	}
}
