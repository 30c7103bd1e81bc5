package window

import (
	"testing"
	"time"
)

// A change makes the Pacer look for calls that can no longer begin in time. Our
// own requests ended a second ago.
func TestLearnTellsWhetherAnythingChanged(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		used    int
		reports []Report // the last one counts
		want    bool
	}{
		"nothing reported":              {4, []Report{{}}, false},
		"only our own requests":         {4, []Report{{Limit: 10, Remaining: 6}}, false},
		"others in the minute":          {4, []Report{{Limit: 10, Remaining: 3}}, true},
		"still others":                  {4, []Report{{Limit: 10, Remaining: 3}, {Limit: 10, Remaining: 3}}, true},
		"others are gone":               {4, []Report{{Limit: 10, Remaining: 3}, {Limit: 10, Remaining: 6}}, true},
		"gone already":                  {4, []Report{{Limit: 10, Remaining: 3}, {Limit: 10, Remaining: 6}, {Limit: 10, Remaining: 6}}, false},
		"an unknown limit, used up":     {4, []Report{{Limit: 77, Remaining: 0}}, true},
		"an unknown limit, places left": {4, []Report{{Limit: 77, Remaining: 1}}, false},
		"refused":                       {4, []Report{{RetryAfter: time.Second}}, true},
		"refused, with only our own":    {4, []Report{{Limit: 10, Remaining: 6, RetryAfter: time.Second}}, true},
		"refused again, more briefly":   {4, []Report{{RetryAfter: time.Minute}, {RetryAfter: time.Second}}, true},
		"nothing left for others":       {10, []Report{{Limit: 77, Remaining: 0}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, got := used(test.used, minute, hour), false
			for _, r := range test.reports {
				got = b.Learn(time.Second, r)
			}
			if got != test.want {
				t.Errorf("changed is %t, want %t", got, test.want)
			}
		})
	}
}

// If the used-up window is unknown, our own requests in flight may be among the
// counted ones. After a refusal they are not.
func TestAGuessCountsRequestsInFlightAsAKnownWindowDoes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		report Report
		want   [2]int // places of others in the minute and in the hour
	}{
		"used up, unknown":                       {Report{Limit: 77, Remaining: 0}, [2]int{4, 0}},
		"used up, the minute":                    {Report{Limit: 10, Remaining: 0}, [2]int{4, 0}},
		"refused, unknown":                       {Report{RetryAfter: time.Second}, [2]int{6, 0}},
		"refused by the minute":                  {Report{Limit: 10, Remaining: 0, RetryAfter: time.Second}, [2]int{6, 0}},
		"refused, though the hour has places":    {Report{Limit: 100, Remaining: 90, RetryAfter: time.Second}, [2]int{6, 4}},
		"refused, though the minute has places":  {Report{Limit: 10, Remaining: 3, RetryAfter: time.Second}, [2]int{1, 96}},
		"the minute is used up by our own calls": {Report{Limit: 10, Remaining: 4}, [2]int{0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := used(4, minute, hour)
			b.Begin(false)
			b.Begin(false)
			b.Learn(0, test.report)
			if got := [2]int{b.windows[0].foreign, b.windows[1].foreign}; got != test.want {
				t.Errorf("places of others: %v, want %v", got, test.want)
			}
		})
	}
}

// The minute is over, and the hour still counts its requests.
func TestTheTightestWindowIsGuessed(t *testing.T) {
	t.Parallel()
	b := used(4, minute, Limit{Requests: 12, Window: time.Hour})
	b.Learn(2*time.Minute, Report{RetryAfter: time.Second})
	if got := [2]int{b.windows[0].foreign, b.windows[1].foreign}; got != [2]int{0, 8} {
		t.Errorf("places of others: %v, want those of the hour", got)
	}
}

func TestARefusalThatFitsNoWindowOnlyPauses(t *testing.T) {
	t.Parallel()
	b := used(4, minute)
	b.Learn(0, Report{Limit: 10, Remaining: 6, RetryAfter: 5 * time.Second})
	if at, exact := b.Earliest(0, 0); at != 5*time.Second || !exact || b.windows[0].foreign != 0 {
		t.Errorf("Earliest is %v, exact %v, with %d places of others; want the pause alone", at, exact, b.windows[0].foreign)
	}
}

func TestAShorterRetryAfterKeepsTheLongerPause(t *testing.T) {
	t.Parallel()
	b := used(1, Limit{Requests: 1000, Window: time.Second})
	b.Learn(0, Report{RetryAfter: time.Minute})
	b.Learn(time.Second, Report{RetryAfter: time.Second})
	if at, _ := b.Earliest(time.Second, 0); at != time.Minute {
		t.Errorf("the next may begin at %v, want the end of the longer pause", at)
	}
}

// Each report follows one of three places of others.
func TestAReportReplacesAnEarlierOneUnlessItIsGarbage(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		report Report
		want   int
	}{
		"a fresh window":                     {Report{Limit: 10, Remaining: 10}, 0},
		"garbage: more remaining than limit": {Report{Limit: 10, Remaining: 11}, 3},
	} {
		b := used(4, minute)
		b.Learn(0, Report{Limit: 10, Remaining: 3})
		b.Learn(0, test.report)
		if got := b.windows[0].foreign; got != test.want {
			t.Errorf("%s: %d places of others, want %d", name, got, test.want)
		}
	}
}

// The window of our four requests is over, so the four of the report are others'.
func TestAnEndedWindowHasNoneOfOurPlaces(t *testing.T) {
	t.Parallel()
	for now, want := range map[time.Duration]int{time.Minute - 1: 0, time.Minute: 4} {
		b := used(4, minute)
		b.Learn(now, Report{Limit: 10, Remaining: 6})
		if got := b.windows[0].foreign; got != want {
			t.Errorf("at %v: %d places of others, want %d", now, got, want)
		}
	}
}

// A window later, requests in flight leave room for one place of others. An
// earlier report says nothing about it.
func TestAnEarlierReportDecidesNothingAfterItsWindow(t *testing.T) {
	t.Parallel()
	for now, want := range map[time.Duration]int{59 * time.Second: 1, time.Minute: 0, 61 * time.Second: 0} {
		b := New([]Limit{minute})
		b.Learn(0, Report{Limit: 10, Remaining: 4})
		for range 3 {
			b.Begin(false)
		}
		b.Learn(now, Report{Limit: 10, Remaining: 9})
		if got := b.windows[0].foreign; got != want {
			t.Errorf("at %v: %d places of others, want %d", now, got, want)
		}
	}
}

// A reset is the time of the question, if there is one and it lies in the window.
func TestAWindowWithoutAPlausibleResetIsAskedAfterItsLength(t *testing.T) {
	t.Parallel()
	for resetIn, want := range map[time.Duration]time.Duration{
		0: time.Minute, -1: time.Minute, time.Second: time.Second, time.Minute: time.Minute, time.Minute + 1: time.Minute, 2 * time.Hour: time.Minute,
	} {
		b := New([]Limit{minute})
		b.Learn(0, Report{Limit: 10, Remaining: 0, ResetIn: resetIn})
		if at, exact := b.Earliest(0, 0); at != want || !exact {
			t.Errorf("reset in %v: the question is at %v, exact %v; want %v", resetIn, at, exact, want)
		}
	}
}

// The answer to a question moves the next one to the reset that it reports.
func TestAnAnsweredQuestionIsAskedAgainAtTheNextReset(t *testing.T) {
	t.Parallel()
	b := used(1, minute)
	b.Learn(0, Report{Limit: 10, Remaining: 0, ResetIn: 20 * time.Second})
	b.Begin(false)
	b.End(false, 21*time.Second)
	b.Learn(21*time.Second, Report{Limit: 10, Remaining: 0, ResetIn: 30 * time.Second})
	if at, exact := b.Earliest(21*time.Second, 0); at != 51*time.Second || !exact {
		t.Errorf("the next question is at %v, exact %v; want the reset", at, exact)
	}
}
