package demeterrr

import (
	linked "container/list"
	"context"
	"time"
)

// line holds the waiters of one priority, in order of arrival.
type line struct {
	linked.List
	deadlines int // number of waiters with a deadline
}

// waiter is an Acquire without a place yet.
type waiter struct {
	ctx     context.Context
	low     bool
	queued  *linked.Element // nil when out of the line
	done    chan struct{}   // closed when release or err is set
	release Release
	err     error
}

// late reports whether w's deadline comes before its place.
func (w *waiter) late(epoch time.Time, at time.Duration) bool {
	deadline, ok := w.ctx.Deadline()
	return ok && !epoch.Add(at).Before(deadline)
}

func tooLate(after time.Duration) *Error {
	return &Error{Code: CodeRateLimited, RetryAfter: after, Message: "no place in the quota can be free before the context's deadline"}
}

// wait blocks until w has its place or an error. It holds no lock meanwhile.
func (p *Pacer) wait(w *waiter, until time.Time) (Release, error) {
	defer p.leave(w) // also if ReportWait panics
	ReportWait(w.ctx, until)
	select {
	case <-w.done:
	case <-w.ctx.Done():
	}
	if w.ctx.Err() != nil {
		return nil, w.ctx.Err()
	}
	release := w.release
	w.release = nil // it belongs to the caller now
	return release, w.err
}

// leave takes w out of the line, or gives back its unused place.
func (p *Pacer) leave(w *waiter) {
	p.mu.Lock()
	queued := w.queued != nil
	if queued {
		p.dequeue(w) // the timer stays for the next waiter
	}
	p.mu.Unlock()
	if !queued && w.release != nil {
		w.release(LimitOutcome{})
	}
}

// enqueue puts w at the end of its line. A normal call overtakes calls of low
// priority, and these may then miss their deadlines.
func (p *Pacer) enqueue(w *waiter, now time.Duration) {
	l := p.lineOf(w)
	w.queued = l.PushBack(w)
	if _, ok := w.ctx.Deadline(); ok {
		l.deadlines++
	}
	if !w.low {
		p.refuseLateIn(&p.low, now)
	}
}

// dequeue takes w out of its line.
func (p *Pacer) dequeue(w *waiter) {
	l := p.lineOf(w)
	l.Remove(w.queued)
	w.queued = nil
	if _, ok := w.ctx.Deadline(); ok {
		l.deadlines--
	}
}

func (p *Pacer) lineOf(w *waiter) *line {
	if w.low {
		return &p.low
	}
	return &p.normal
}

// head returns the next waiter, or nil if the line is empty.
func (p *Pacer) head() *waiter {
	first := p.normal.Front()
	if first == nil {
		first = p.low.Front()
	}
	if first == nil {
		return nil
	}
	return first.Value.(*waiter)
}

// serve gives free places to the head of the line, then sets the timer to the
// next free place.
func (p *Pacer) serve(now time.Duration) {
	for w := p.head(); w != nil; w = p.head() {
		at, exact := p.earliest(w.low, now, 0, 0)
		if !exact || at > now {
			if !exact { // an end, or the end of a window, frees it
				at = max(at, now+time.Second)
			}
			p.lookAgain(at, now)
			return
		}
		p.dequeue(w)
		w.release = p.take(w.low)
		close(w.done)
	}
}

// lookAgain sets the timer to serve at a time, unless the timer fires earlier.
func (p *Pacer) lookAgain(at, now time.Duration) {
	if p.looks && p.looksAt <= at {
		return
	}
	p.looks, p.looksAt = true, at
	if p.timer == nil {
		p.timer = time.AfterFunc(at-now, p.look)
	} else {
		p.timer.Reset(at - now)
	}
}

func (p *Pacer) look() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.looks = false
	p.serve(p.now())
}

// refuseLate fails the waiters whose deadline is out of reach.
func (p *Pacer) refuseLate(now time.Duration) {
	p.refuseLateIn(&p.normal, now)
	p.refuseLateIn(&p.low, now)
}

func (p *Pacer) refuseLateIn(l *line, now time.Duration) {
	if l.deadlines == 0 {
		return
	}
	ahead := 0
	for e := l.Front(); e != nil; {
		w := e.Value.(*waiter)
		e = e.Next()
		normalAhead, lowAhead := ahead, 0
		if w.low {
			normalAhead, lowAhead = p.normal.Len(), ahead
		}
		if at, _ := p.earliest(w.low, now, normalAhead, lowAhead); w.late(p.epoch, at) {
			p.dequeue(w)
			w.err = tooLate(at - now)
			close(w.done)
			continue
		}
		ahead++
	}
}
