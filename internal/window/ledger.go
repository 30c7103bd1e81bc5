package window

import (
	"sort"
	"time"
)

// ledger counts the requests of one class against its share of each window.
type ledger struct {
	shares       []share
	ends         []time.Duration // a ring: the m-th end is at (m-1) % size; it grows to size as ends come
	size         int
	begun, ended int
	under        *ledger // counts these requests too, and others; nil if there is none

	// plan holds the soonest begins of the requests in line, from the number
	// planFrom on. The begin of a number is the same whichever request waits for
	// it, so arrivals and departures leave the plan valid.
	plan     []time.Duration
	planFrom int
	planned  time.Duration // when the plan was begun anew
}

// share is how many places of a window the class can hold.
type share struct {
	places int
	*window
}

// planAge is the age at which a plan is begun anew. A plan takes requests for
// instant, so it becomes too early. Planning a line once a second costs little.
const planAge = time.Second

// never is later than any time, and can be added to.
const never time.Duration = 1 << 62

func (l *ledger) add(s share) {
	l.shares = append(l.shares, s)
	l.size = max(l.size, s.places)
}

// end notes the end of a request that counts.
func (l *ledger) end(now time.Duration) {
	switch {
	case l.size == 0:
	case len(l.ends) < l.size:
		l.ends = append(l.ends, now)
	default:
		l.ends[l.ended%l.size] = now
	}
	l.ended++
}

// earliest returns when the request with ahead others before it in line can
// begin.
func (l *ledger) earliest(now, resume time.Duration, ahead int) (at time.Duration, exact bool) {
	n := l.begun + ahead + 1
	l.extendPlan(now, resume, n)
	at, exact = l.begin(n, now, resume)
	for _, s := range l.shares {
		if s.foreign == 0 || now >= s.until {
			continue
		}
		m := n - s.places + s.foreign
		shared, ok := l.endOf(min(m, n-1), now)
		if m >= n || shared+s.Window > s.ask {
			shared, ok = s.ask-s.Window, n == l.ended+1 // with nothing else under way
		}
		at, exact = max(at, shared+s.Window), exact && ok
	}
	return at, exact
}

// begin returns when the n-th request can begin, as far as our own requests
// tell.
func (l *ledger) begin(n int, now, resume time.Duration) (at time.Duration, exact bool) {
	at, exact = resume, true
	for _, s := range l.shares {
		free, ok := l.endOf(n-s.places, now)
		at, exact = max(at, min(free, never)+s.Window), exact && ok
	}
	return at, exact
}

// endOf returns when the m-th end was, or the soonest that it can be.
func (l *ledger) endOf(m int, now time.Duration) (at time.Duration, exact bool) {
	switch i := m - l.planFrom; {
	case m <= 0:
		return -never, true // before any window
	case m <= l.ended:
		return l.ends[(m-1)%l.size], true
	case m > l.begun && i >= 0 && i < len(l.plan):
		return max(l.plan[i], now), false
	default: // under way, or about to begin
		return now, false
	}
}

// extendPlan plans as many begins as the time of the n-th depends on.
func (l *ledger) extendPlan(now, resume time.Duration, n int) {
	last := 0
	for _, s := range l.shares {
		last = max(last, n-s.places)
	}
	if last <= l.begun {
		return
	}
	if next := l.planFrom + len(l.plan); now >= l.planned+planAge || next <= l.begun {
		l.replan()
		l.planFrom, l.planned = l.begun+1, now
	}
	for m := l.planFrom + len(l.plan); m <= last; m++ {
		at, _ := l.begin(m, now, resume)
		if l.under != nil {
			also := l.under.begun + m - l.begun // its number there, if no other goes before it
			l.under.extendPlan(now, resume, also)
			free, _ := l.under.begin(also, now, resume)
			at = max(at, free)
		}
		l.plan = append(l.plan, max(at, now))
	}
}

// replan drops the plan: the next request that needs one begins it anew.
func (l *ledger) replan() { l.plan, l.planFrom = l.plan[:0], 0 }

// underWay returns how many requests are.
func (l *ledger) underWay() int { return l.begun - l.ended }

// held returns how many places of w the requests hold.
func (l *ledger) held(w *window, now time.Duration) int {
	kept := min(l.ended, w.Requests)
	first := l.ended - kept
	gone := sort.Search(kept, func(i int) bool { return l.ends[(first+i)%l.size]+w.Window > now })
	return l.begun - first - gone
}
