package window

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// naive keeps every request and looks at all of them: slow, and plainly right.
type naive struct {
	limits   []Limit
	requests []request
}

type request struct {
	low, over bool
	end       time.Duration
}

// taken returns the number of requests that hold a place of the limit: all, or
// those of low priority.
func (n *naive) taken(l Limit, at time.Duration, low bool) (taken int) {
	for _, r := range n.requests {
		if (r.low || !low) && (!r.over || r.end+l.Window > at) {
			taken++
		}
	}
	return taken
}

func (n *naive) free(at time.Duration, low bool) bool {
	for _, l := range n.limits {
		if n.taken(l, at, false) >= l.Requests || low && n.taken(l, at, true) >= l.Requests-l.Reserve {
			return false
		}
	}
	return true
}

// underWay returns the index of the oldest request of the class in flight, or
// -1.
func (n *naive) underWay(low bool) int {
	return slices.IndexFunc(n.requests, func(r request) bool { return r.low == low && !r.over })
}

// The first bytes are the limits. Every other one is a step: time passes, or a
// request of a class begins if it can, ends, or gives its place back.
func FuzzBookAgreesWithCountingEverything(f *testing.F) {
	f.Add([]byte("\x03\x02\x05\x01\x01\x01\x02\x02\x10\x01\x02\x20\x01"))
	f.Add([]byte("\x01\x01\x01\x01\x02\x01\x02\x30\x01\x01\x02"))
	f.Add([]byte("\x07\x01\x09\x01\x01\x01\x01\x01\x01\x02\x02\x02\x02\x02\x02\xff\x01\x01\x02\x40\x01\x01"))
	f.Add([]byte("\x1b\x35\x09\x03\x03\x03\x01\x04\x03\x06\x03\x02\x05\x01\x04\xff\x03\x01\x04\x40\x03\x03"))
	f.Add([]byte("\x13\x17\x20\x03\x01\x03\x06\x05\x03\x04\x02\x21\x03\x03\x04\x04\x51\x01\x02"))
	f.Fuzz(func(t *testing.T, steps []byte) {
		if len(steps) < 3 || len(steps) > 2000 {
			return
		}
		limits := []Limit{
			{Requests: 1 + int(steps[0]%8), Window: 10 * time.Second},
			{Requests: 1 + int(steps[1]%16), Window: time.Duration(1+int(steps[2])) * time.Second},
		}
		for i := range limits {
			limits[i].Reserve = int(steps[i]/16) % limits[i].Requests
		}
		book, model := New(limits), &naive{limits: limits}
		var now time.Duration
		for _, step := range steps[3:] {
			low := step > 2
			switch oldest := model.underWay(low); step {
			case 1, 3:
				if model.free(now, low) {
					book.Begin(low)
					model.requests = append(model.requests, request{low: low})
				}
			case 2, 4:
				if oldest >= 0 {
					book.End(low, now)
					model.requests[oldest].over, model.requests[oldest].end = true, now
				}
			case 5, 6:
				if low = step > 5; model.underWay(low) >= 0 {
					book.GiveBack(low)
					model.requests = slices.Delete(model.requests, model.underWay(low), model.underWay(low)+1)
				}
			default:
				now += time.Duration(step) * 100 * time.Millisecond
			}
			checkEarliest(t, book, model, now)
		}
		if len(book.all.ends) > max(limits[0].Requests, limits[1].Requests) {
			t.Errorf("the book remembers %d ends", len(book.all.ends))
		}
	})
}

func checkEarliest(t *testing.T, book *Book, model *naive, now time.Duration) {
	t.Helper()
	for _, low := range []bool{false, true} {
		at, exact := book.Earliest(now, 0)
		if low {
			at, exact = book.EarliestLow(now, 0, 0)
		}
		switch {
		case !exact && model.free(now, low):
			t.Fatalf("at %v a place is free (low: %t), and the book waits for an end", now, low)
		case !exact:
			continue
		case !model.free(max(at, now), low):
			t.Fatalf("at %v the book promises %v (low: %t), when no place is free", now, at, low)
		case at > now && model.free(at-1, low):
			t.Fatalf("at %v the book promises %v (low: %t), and a place is free before", now, at, low)
		}
	}
	for i, l := range model.limits {
		if held, want := book.all.held(book.windows[i], now), model.taken(l, now, false); held != want {
			t.Fatalf("at %v the book holds %d places of %v, want %d", now, held, l, want)
		}
	}
}

// used returns a book with n requests begun and ended at time 0.
func used(n int, limits ...Limit) *Book {
	b := New(limits)
	for range n {
		b.Begin(false)
		b.End(false, 0)
	}
	return b
}

var minute, hour = Limit{Requests: 10, Window: time.Minute}, Limit{Requests: 100, Window: time.Hour}

func TestReportsLeavePlacesToOthers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		used   int
		report Report
		want   [2]int // how many places are others' in the minute and in the hour
	}{
		"nothing reported":                         {4, Report{}, [2]int{0, 0}},
		"all the counted ones are ours":            {4, Report{Limit: 10, Remaining: 6}, [2]int{0, 0}},
		"the server counts fewer":                  {4, Report{Limit: 10, Remaining: 9}, [2]int{0, 0}},
		"three of the minute are others'":          {4, Report{Limit: 10, Remaining: 3}, [2]int{3, 0}},
		"the hour is used up by others":            {4, Report{Limit: 100, Remaining: 0}, [2]int{0, 96}},
		"a limit we do not have, places left":      {4, Report{Limit: 77, Remaining: 1}, [2]int{0, 0}},
		"a limit we do not have, used up":          {4, Report{Limit: 77, Remaining: 0}, [2]int{6, 0}},
		"refused, without a report":                {4, Report{RetryAfter: time.Second}, [2]int{6, 0}},
		"refused by the minute, as it says":        {4, Report{Limit: 10, RetryAfter: time.Second}, [2]int{6, 0}},
		"refused, and not by the hour":             {4, Report{Limit: 100, Remaining: 90, RetryAfter: time.Second}, [2]int{6, 6}},
		"refused by the hour, as it says":          {4, Report{Limit: 100, Remaining: 0, RetryAfter: time.Second}, [2]int{0, 96}},
		"garbage: more remaining than the limit":   {4, Report{Limit: 10, Remaining: 11}, [2]int{0, 0}},
		"garbage: a negative number remaining":     {4, Report{Limit: 10, Remaining: -1}, [2]int{0, 0}},
		"garbage: a limit and a reset of no sense": {4, Report{Limit: -10, ResetIn: -time.Hour}, [2]int{0, 0}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := used(test.used, minute, hour)
			b.Learn(0, test.report)
			if got := [2]int{b.windows[0].foreign, b.windows[1].foreign}; got != test.want {
				t.Errorf("places of others: %v, want %v", got, test.want)
			}
		})
	}
}

// The server may have counted the requests in flight, or not. A place belongs
// to others only if the reports leave no other explanation.
func TestWhatIsUnderWayIsNotTakenForOthers(t *testing.T) {
	t.Parallel()
	b := used(2, minute)
	for range 3 {
		b.Begin(false)
	}
	steps := []struct {
		report Report
		want   int
	}{
		{Report{Limit: 10, Remaining: 8}, 0},                        // only the two ended ones of the five
		{Report{Limit: 10, Remaining: 5}, 0},                        // all five
		{Report{Limit: 10, Remaining: 4}, 1},                        // one more
		{Report{Limit: 10, Remaining: 6}, 1},                        // overtaken: up to two of those under way are not counted yet
		{Report{Limit: 10, Remaining: 8}, 0},                        // now there is no room for another's
		{Report{Limit: 10, Remaining: 0, RetryAfter: time.Hour}, 8}, // the requests in flight come too late to be counted
	}
	for i, step := range steps {
		b.Learn(0, step.report)
		if got := b.windows[0].foreign; got != step.want {
			t.Errorf("step %d: %d places are others', want %d", i, got, step.want)
		}
	}
}

func TestAWindowThatOthersUsedUpIsAskedByOneRequestAfterItsReset(t *testing.T) {
	t.Parallel()
	b := used(1, minute)
	b.Learn(0, Report{Limit: 10, Remaining: 0, ResetIn: 20 * time.Second})
	if at, exact := b.Earliest(0, 0); at != 20*time.Second || !exact {
		t.Fatalf("Earliest is %v, exact %v; want the reset", at, exact)
	}
	b.Begin(false)
	if at, exact := b.Earliest(20*time.Second, 0); exact {
		t.Fatalf("a second request may begin at %v while the first asks", at)
	}
	b.End(false, 21*time.Second)
	b.Learn(21*time.Second, Report{Limit: 10, Remaining: 8})
	if at, exact := b.Earliest(21*time.Second, 0); at > 21*time.Second || !exact {
		t.Errorf("Earliest is %v, exact %v, after the reply that the window is fresh", at, exact)
	}
}

func TestWhatIsKnownOfOthersIsForgottenAfterAWindow(t *testing.T) {
	t.Parallel()
	b := used(1, minute)
	b.Learn(0, Report{Limit: 10, Remaining: 0, ResetIn: 20 * time.Second})
	b.Begin(false) // asks, and is on its way for long
	for now, want := range map[time.Duration]bool{time.Minute - 1: false, time.Minute: true} {
		if at, exact := b.Earliest(now, 0); (exact && at <= now) != want {
			t.Errorf("at %v Earliest is %v, exact %v", now, at, exact)
		}
	}
}

func TestAfterARefusedQuestionNoneIsAskedForAWindow(t *testing.T) {
	t.Parallel()
	b := used(1, minute)
	refused := Report{RetryAfter: 5 * time.Second}
	b.Learn(0, refused)
	b.Learn(0, refused) // of the same burst: still to be asked once
	if at, exact := b.Earliest(0, 0); at != 5*time.Second || !exact {
		t.Fatalf("the question is at %v, exact %v; want the retryAfter", at, exact)
	}
	b.Begin(false)
	b.GiveBack(false)
	b.Learn(6*time.Second, refused)
	if at, exact := b.Earliest(6*time.Second, 0); at != time.Minute || !exact {
		t.Errorf("the next is at %v, exact %v; want it when our own first place is free", at, exact)
	}
}

func TestARefusalPausesForRetryAfterAndAnHourAtMost(t *testing.T) {
	t.Parallel()
	for retryAfter, want := range map[time.Duration]time.Duration{
		5 * time.Second:  5 * time.Second,
		1000 * time.Hour: time.Hour,
		1<<63 - 1:        time.Hour,
		-5 * time.Second: 0,
		0:                0,
	} {
		b := used(1, Limit{Requests: 1000, Window: time.Second})
		b.Learn(0, Report{RetryAfter: retryAfter})
		if at, _ := b.Earliest(0, 0); at != want {
			t.Errorf("retryAfter %v: the next may begin at %v, want %v", retryAfter, at, want)
		}
	}
}

// line returns the promised times of a line: first normal requests, then low
// ones.
func line(b *Book, now time.Duration, normal, low int) (promised []time.Duration) {
	for i := range normal {
		at, _ := b.Earliest(now, i)
		promised = append(promised, max(at, now))
	}
	for i := range low {
		at, _ := b.EarliestLow(now, normal+i, i)
		promised = append(promised, max(at, now))
	}
	return promised
}

// serve lets the requests in line begin as early as they can, and end at once.
func serve(b *Book, now time.Duration, normal, low int) (served []time.Duration) {
	for i := range normal + low {
		at, _ := b.Earliest(now, 0)
		if i >= normal {
			at, _ = b.EarliestLow(now, 0, 0)
		}
		now = max(now, at)
		b.Begin(i >= normal)
		b.End(i >= normal, now)
		served = append(served, now)
	}
	return served
}

// The promised times match a simulation of the line with instant requests: the
// earliest times possible.
func TestTheTimesOfALineAreThoseOfInstantRequests(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		limits      []Limit
		normal, low int
	}{
		"one class":              {[]Limit{{Requests: 3, Window: 10 * time.Second}, {Requests: 7, Window: time.Minute}}, 200, 0},
		"low ones":               {[]Limit{{Requests: 3, Window: 10 * time.Second, Reserve: 1}, {Requests: 7, Window: time.Minute, Reserve: 3}}, 0, 200},
		"low ones, no Reserve":   {[]Limit{{Requests: 3, Window: 10 * time.Second}, {Requests: 7, Window: time.Minute}}, 0, 200},
		"low ones behind others": {[]Limit{{Requests: 3, Window: 10 * time.Second, Reserve: 1}}, 20, 1},
		"one request an age":     {[]Limit{{Requests: 1, Window: 366 * 24 * time.Hour}}, 140, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := used(test.limits[0].Requests, test.limits...)
			want := line(b, 0, test.normal, test.low)
			if diff := cmp.Diff(serve(b, 0, test.normal, test.low), want); diff != "" {
				t.Errorf("served and promised (-served +promised):\n%s", diff)
			}
		})
	}
}

// Low requests behind normal ones may be promised too early a time, and never
// too late a one.
func TestNoneInLineIsPromisedALaterTimeThanItGets(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(15, 0)) // a failure can be repeated
	for range 300 {
		var limits []Limit
		for range 1 + rng.IntN(3) {
			l := Limit{Requests: 1 + rng.IntN(9), Window: time.Duration(1 + rng.IntN(90))}
			l.Reserve = rng.IntN(l.Requests)
			limits = append(limits, l)
		}
		b := New(limits)
		var now time.Duration
		for range rng.IntN(40) { // a history, some of it under way
			low := rng.IntN(2) == 0
			now = serve(b, now, btoi(!low), btoi(low))[0] + time.Duration(rng.IntN(20))
		}
		for range rng.IntN(3) {
			if at, exact := b.Earliest(now, 0); exact && at <= now {
				b.Begin(false)
				defer b.End(false, now)
			}
		}
		normal, low := rng.IntN(20), rng.IntN(40)
		promised := line(b, now, normal, low)
		for b.all.underWay() > 0 {
			b.End(false, now)
		}
		for i, at := range serve(b, now, normal, low) {
			if promised[i] > at {
				t.Fatalf("number %d of %d and %d is promised %v and gets %v with limits %v", i, normal, low, promised[i], at, limits)
			}
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// A plan is kept while the line moves on, and is no worse for it.
func TestAKeptPlanPromisesWhatANewOneDoes(t *testing.T) {
	t.Parallel()
	limits := []Limit{{Requests: 3, Window: 100 * time.Millisecond}, {Requests: 20, Window: time.Second}}
	b := used(3, limits...)
	var now time.Duration
	for range 500 {
		got := line(b, now, 50, 0)
		b.all.replan()
		if diff := cmp.Diff(line(b, now, 50, 0), got); diff != "" {
			t.Fatalf("at %v a new plan and the kept one differ (-new +kept):\n%s", now, diff)
		}
		now = serve(b, now, 1, 0)[0]
	}
}

// The cost of one more in line is constant: the plan grows by one.
func TestALongLineIsPlannedOnce(t *testing.T) {
	t.Parallel()
	b := used(10, minute)
	for i := range 100_000 {
		b.Earliest(0, i)
		if got, want := len(b.all.plan), max(0, i+1-minute.Requests); got != want {
			t.Fatalf("for %d in line %d times are planned, want %d", i+1, got, want)
		}
	}
	first := &b.all.plan[0]
	b.Earliest(planAge-1, 100_000)
	if &b.all.plan[0] != first && b.all.planned != 0 {
		t.Error("the plan was begun anew before its age")
	}
}

// A slower line gets a new plan: after a pause at once, and after slow requests
// in time.
func TestAPlanIsBegunAnew(t *testing.T) {
	t.Parallel()
	limits := []Limit{{Requests: 4, Window: 10 * time.Second, Reserve: 2}, {Requests: 20, Window: time.Minute, Reserve: 1}}
	for name, delay := range map[string]func(b *Book) (now time.Duration){
		"after a pause": func(b *Book) time.Duration {
			b.Learn(0, Report{RetryAfter: time.Hour})
			return 0
		},
		"after slow requests": func(b *Book) time.Duration {
			b.End(false, 5*time.Second)
			b.End(true, 7*time.Second)
			return 8 * time.Second
		},
	} {
		for _, low := range []int{0, 1} {
			t.Run(fmt.Sprintf("%s, low %d", name, low), func(t *testing.T) {
				t.Parallel()
				b := New(limits)
				b.Begin(false)
				b.Begin(true)
				line(b, 0, 60*(1-low), 60*low)
				now := delay(b)
				got := line(b, now, 60*(1-low), 60*low)
				for b.all.underWay() > 0 {
					b.End(b.low.underWay() > 0, now)
				}
				want := serve(b, now, 60*(1-low), 60*low)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("served and promised (-served +promised):\n%s", diff)
				}
			})
		}
	}
}
