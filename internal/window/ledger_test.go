package window

import (
	"testing"
	"time"
)

// Others hold as many places as low priority may, or more. Its own place of the
// past comes free at 60 s, and helps nobody before the reset.
func TestLowPriorityAsksIfOthersHoldItsWholeShare(t *testing.T) {
	t.Parallel()
	for _, others := range []int{7, 8} {
		b := New([]Limit{{Requests: 10, Window: time.Minute, Reserve: 3}})
		b.Begin(true)
		b.End(true, 0)
		b.Learn(30*time.Second, Report{Limit: 10, Remaining: 9 - others, ResetIn: 50 * time.Second})
		if at, exact := b.EarliestLow(30*time.Second, 0, 0); at != 80*time.Second || !exact {
			t.Errorf("%d places of others: low priority may begin at %v, exact %v; want the reset", others, at, exact)
		}
	}
}

// The report names a reset and nobody else. So a request in flight delays nobody
// whose place comes free by an end of the past.
func TestAReportWithoutOthersLeavesTimesExact(t *testing.T) {
	t.Parallel()
	b := used(9, minute)
	b.Begin(false)
	b.Learn(0, Report{Limit: 10, Remaining: 0, ResetIn: 20 * time.Second})
	if at, exact := b.Earliest(0, 0); at != time.Minute || !exact || b.windows[0].foreign != 0 {
		t.Errorf("Earliest is %v, exact %v; want exactly a minute", at, exact)
	}
}

// The minute waits for an end, and others in the hour change nothing about it.
func TestATimeIsExactOnlyIfEveryWindowSaysSo(t *testing.T) {
	t.Parallel()
	for _, others := range []int{0, 5} {
		b := New([]Limit{minute, hour})
		for range 10 {
			b.Begin(false)
		}
		b.Learn(0, Report{Limit: 100, Remaining: 90 - others})
		if at, exact := b.Earliest(0, 0); at != time.Minute || exact {
			t.Errorf("%d places of others: Earliest is %v, exact %v; want an estimate", others, at, exact)
		}
	}
}

// The place of the eleventh in line is that of the first, who has yet to begin.
func TestATimeBehindALineIsAnEstimate(t *testing.T) {
	t.Parallel()
	b := used(10, minute)
	for ahead, want := range map[int]bool{0: true, 9: true, 10: false, 20: false} {
		if _, exact := b.Earliest(0, ahead); exact != want {
			t.Errorf("with %d ahead the time is exact: %t, want %t", ahead, exact, want)
		}
	}
}
