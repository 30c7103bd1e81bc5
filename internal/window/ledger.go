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
	under        *ledger // counts these requests too, and others; nil without one

	// plan holds the earliest begins of the requests in line, from number
	// planFrom on. The begin belongs to the number, whichever request has it.
	// So arrivals and departures leave the plan valid.
	plan     []time.Duration
	planFrom int
	planned  time.Duration // time of the last new plan
}

// share is the number of places of a window that the class can hold.
type share struct {
	places int
	*window
}

// planAge is the age at which a plan is dropped. A plan counts requests as
// instant, so over time it becomes too early. Planning a line once a second
// costs little.
const planAge = time.Second

// never is later than any time, and leaves room for additions.
const never time.Duration = 1 << 62

func (l *ledger) add(s share) {
	l.shares = append(l.shares, s)
	l.size = max(l.size, s.places)
}

// end records the end of a request that counts.
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
			shared, ok = s.ask-s.Window, n == l.ended+1 // no other request is in flight
		}
		at, exact = max(at, shared+s.Window), exact && ok
	}
	return at, exact
}

// begin returns when the n-th request can begin, according to our own requests.
func (l *ledger) begin(n int, now, resume time.Duration) (at time.Duration, exact bool) {
	at, exact = resume, true
	for _, s := range l.shares {
		free, ok := l.endOf(n-s.places, now)
		at, exact = max(at, min(free, never)+s.Window), exact && ok
	}
	return at, exact
}

// endOf returns the time of the m-th end, or its earliest possible time.
func (l *ledger) endOf(m int, now time.Duration) (at time.Duration, exact bool) {
	switch i := m - l.planFrom; {
	case m <= 0:
		return -never, true // before any window
	case m <= l.ended:
		return l.ends[(m-1)%l.size], true
	case m > l.begun && i >= 0 && i < len(l.plan):
		return max(l.plan[i], now), false
	default: // in flight, or about to begin
		return now, false
	}
}

// extendPlan plans the begins on which the time of the n-th depends.
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

// replan drops the plan. The next request that needs a plan makes a new one.
func (l *ledger) replan() { l.plan, l.planFrom = l.plan[:0], 0 }

// underWay returns the number of requests in flight.
func (l *ledger) underWay() int { return l.begun - l.ended }

// held returns how many places of w the requests hold.
func (l *ledger) held(w *window, now time.Duration) int {
	kept := min(l.ended, w.Requests)
	first := l.ended - kept
	gone := sort.Search(kept, func(i int) bool { return l.ends[(first+i)%l.size]+w.Window > now })
	return l.begun - first - gone
}
