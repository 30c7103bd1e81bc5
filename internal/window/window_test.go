package window

import (
	"testing"
	"time"
)

// naive keeps every request and looks at all of them: slow, and plainly right.
type naive struct {
	limits []Limit
	ends   []time.Duration
	begun  int
}

func (n *naive) free(at time.Duration) bool {
	for _, l := range n.limits {
		taken := n.begun - len(n.ends)
		for _, end := range n.ends {
			if end+l.Window > at {
				taken++
			}
		}
		if taken >= l.Requests {
			return false
		}
	}
	return true
}

func nobodyAhead(int) time.Duration { panic("the first in line has nobody ahead") }

// Every byte is a step: time passes, a request begins if it can, or one ends.
func FuzzBookAgreesWithCountingEverything(f *testing.F) {
	f.Add([]byte("\x03\x02\x05\x01\x01\x01\x02\x02\x10\x01\x02\x20\x01"))
	f.Add([]byte("\x01\x01\x01\x01\x02\x01\x02\x30\x01\x01\x02"))
	f.Add([]byte("\x07\x01\x09\x01\x01\x01\x01\x01\x01\x02\x02\x02\x02\x02\x02\xff\x01\x01\x02\x40\x01\x01"))
	f.Fuzz(func(t *testing.T, steps []byte) {
		if len(steps) < 3 || len(steps) > 2000 {
			return
		}
		limits := []Limit{
			{Requests: 1 + int(steps[0]%8), Window: 10 * time.Second},
			{Requests: 1 + int(steps[1]%16), Window: time.Duration(1+steps[2]) * time.Second},
		}
		book, model := New(limits), &naive{limits: limits}
		var now time.Duration
		for _, step := range steps[3:] {
			switch {
			case step == 1 && model.free(now):
				book.Begin()
				model.begun++
			case step == 2:
				if ended := book.End(now, false); ended != (len(model.ends) < model.begun) {
					t.Fatalf("at %v End said %v with %d begun and %d ended", now, ended, model.begun, len(model.ends))
				} else if ended {
					model.ends = append(model.ends, now)
				}
			default:
				now += time.Duration(step) * 100 * time.Millisecond
			}
			checkEarliest(t, book, model, now)
		}
		if len(book.ends) > max(limits[0].Requests, limits[1].Requests) {
			t.Errorf("the book remembers %d ends", len(book.ends))
		}
	})
}

func checkEarliest(t *testing.T, book *Book, model *naive, now time.Duration) {
	t.Helper()
	at, exact := book.Earliest(0, now, nobodyAhead)
	switch {
	case !exact && model.free(max(at, now)):
		t.Fatalf("at %v a place is free, and the book waits for an end", now)
	case !exact:
		return
	case !model.free(max(at, now)):
		t.Fatalf("at %v the book promises %v, when no place is free", now, at)
	case at > now && model.free(at-1):
		t.Fatalf("at %v the book promises %v, and a place is free before", now, at)
	}
	for i := range model.limits {
		held, want := book.held(&book.windows[i], now), model.begun-len(model.ends)
		for _, end := range model.ends {
			if end+model.limits[i].Window > now {
				want++
			}
		}
		if held != want {
			t.Fatalf("at %v the book holds %d places of %v, want %d", now, held, model.limits[i], want)
		}
	}
}

// used returns a book in which n requests have begun and ended at time 0.
func used(n int, limits ...Limit) *Book {
	b := New(limits)
	for range n {
		b.Begin()
		b.End(0, false)
	}
	return b
}

var minute, hour = Limit{10, time.Minute}, Limit{100, time.Hour}

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

// The server may have counted what is under way, or not: it is nobody else's
// until a report leaves no other explanation.
func TestWhatIsUnderWayIsNotTakenForOthers(t *testing.T) {
	t.Parallel()
	b := used(2, minute)
	for range 3 {
		b.Begin()
	}
	steps := []struct {
		report Report
		want   int
	}{
		{Report{Limit: 10, Remaining: 8}, 0},                        // of the five only the two that ended
		{Report{Limit: 10, Remaining: 5}, 0},                        // all five
		{Report{Limit: 10, Remaining: 4}, 1},                        // one more
		{Report{Limit: 10, Remaining: 6}, 1},                        // overtaken: up to two of those under way are not counted yet
		{Report{Limit: 10, Remaining: 8}, 0},                        // now there is no room for another's
		{Report{Limit: 10, Remaining: 0, RetryAfter: time.Hour}, 8}, // what is under way comes too late to be counted
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
	if at, exact := b.Earliest(0, 0, nobodyAhead); at != 20*time.Second || !exact {
		t.Fatalf("Earliest is %v, exact %v; want the reset", at, exact)
	}
	b.Begin()
	if at, exact := b.Earliest(0, 20*time.Second, nobodyAhead); exact {
		t.Fatalf("a second request may begin at %v while the first asks", at)
	}
	b.End(21*time.Second, false)
	b.Learn(21*time.Second, Report{Limit: 10, Remaining: 8})
	if at, exact := b.Earliest(0, 21*time.Second, nobodyAhead); at > 21*time.Second || !exact {
		t.Errorf("Earliest is %v, exact %v, after the reply that the window is fresh", at, exact)
	}
}

func TestWhatIsKnownOfOthersIsForgottenAfterAWindow(t *testing.T) {
	t.Parallel()
	b := used(1, minute)
	b.Learn(0, Report{Limit: 10, Remaining: 0, ResetIn: 20 * time.Second})
	b.Begin() // asks, and is on its way for long
	for now, want := range map[time.Duration]bool{time.Minute - 1: false, time.Minute: true} {
		if at, exact := b.Earliest(0, now, nobodyAhead); (exact && at <= now) != want {
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
	if at, exact := b.Earliest(0, 0, nobodyAhead); at != 5*time.Second || !exact {
		t.Fatalf("the question is at %v, exact %v; want the retryAfter", at, exact)
	}
	b.Begin()
	b.End(6*time.Second, true)
	b.Learn(6*time.Second, refused)
	if at, exact := b.Earliest(0, 6*time.Second, nobodyAhead); at != time.Minute || !exact {
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
		b := used(1, Limit{1000, time.Second})
		b.Learn(0, Report{RetryAfter: retryAfter})
		if at, _ := b.Earliest(0, 0, nobodyAhead); at != want {
			t.Errorf("retryAfter %v: the next may begin at %v, want %v", retryAfter, at, want)
		}
	}
}

// Those in line are promised what a simulation of the line would give them, were
// every request instant: the soonest that can be.
func TestTheTimesOfALineAreThoseOfInstantRequests(t *testing.T) {
	t.Parallel()
	limits := []Limit{{3, 10 * time.Second}, {7, time.Minute}}
	b := used(3, limits...)
	var line []time.Duration
	for i := range 200 {
		at, _ := b.Earliest(i, 0, func(i int) time.Duration { return line[i] })
		line = append(line, at)
	}
	for i, want := range line {
		now := max(want, 0)
		if at, exact := b.Earliest(0, now, nobodyAhead); at != want && at > 0 || !exact {
			t.Fatalf("the one at %d was promised %v and gets %v", i, want, at)
		}
		b.Begin()
		b.End(now, false)
	}
}
