package faults

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	demeterrr "github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/internal/marked"
)

var out = flag.String("out", "", "write the matrix into this file, between its marks")

// patient is a time limit that is never reached, even on a busy machine.
// impatient is the first one tried for a fault that stalls.
const (
	patient   = 2 * time.Minute
	impatient = 40 * time.Millisecond
)

// tally counts the work of the matrix.
type tally struct{ cells, requests, again atomic.Int64 }

// TestMatrix calls every method under every fault in every situation.
func TestMatrix(t *testing.T) { //nolint:paralleltest // its times are real
	var counts tally
	for i, f := range faults() {
		// The faults come one after another, so that leftovers of one are
		// found.
		var group sync.WaitGroup
		tickets := make(chan struct{}, 12)
		for j, m := range methods() {
			for n, s := range []situation{stays, passes, cancels, deadline} {
				if quick() && (i+j)%f.share() != n {
					continue
				}
				tickets <- struct{}{}
				group.Go(func() {
					defer func() { <-tickets }()
					counts.cells.Add(1)
					hangs := time.AfterFunc(5*time.Minute, func() { panic(fmt.Sprintf("%s | %s | %s hangs:\n%s", f.title(), m.name, s, labeled(f.title()))) })
					defer hangs.Stop()
					for _, problem := range repeatCell(f, m, s, &counts) {
						t.Errorf("%s | %s | %s: %s", f.title(), m.name, s, problem)
					}
				})
			}
		}
		group.Wait()
		if left := ""; !settled(func() bool { left = labeled(f.title()); return left == "" }) {
			t.Errorf("%s: goroutines are left:\n%s", f.title(), left)
		}
	}
	t.Logf("%d cells, %d requests, %d cells run again because a time limit came too early", counts.cells.Load(), counts.requests.Load(), counts.again.Load())
	if *out != "" && !t.Failed() && !quick() {
		if err := marked.Replace(*out, "matrix", render(&counts)); err != nil {
			t.Fatal(err)
		}
	}
}

// quick reports whether a part of the matrix is enough. The race detector is
// slow, and the races are the same in every cell.
func quick() bool { return raceEnabled || testing.Short() }

// share is the part of a fault's cells in a quick run: one in four. Of the many
// codes of HTTP/2 it is one in eight, so that a code meets every other method.
func (f *fault) share() int {
	if f.code != "" {
		return 8
	}
	return 4
}

// repeatCell runs a cell. A stalling fault ends by the cell's time limit. On a
// busy machine the limit can come before the fault: repeatCell then tries again
// with a longer one.
func repeatCell(f *fault, m method, s situation, counts *tally) (problems []string) {
	for patience := impatient; ; patience *= 3 {
		problems = runCell(f, m, s, patience, counts)
		if len(problems) == 0 || !f.stalls || patience > 2*time.Second {
			return problems
		}
		counts.again.Add(1)
	}
}

// runCell makes one call in its own lab and compares the outcome with the
// rules.
func runCell(f *fault, m method, s situation, patience time.Duration, counts *tally) (problems []string) {
	l := newLab(f)
	defer l.close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	timeout, wait := patient, minWait
	switch {
	case s == cancels:
		wait = time.Hour
		if f.stalls {
			go func() {
				select {
				case <-l.met:
					time.Sleep(patience / 4) // so that the client has read everything sent
				case <-ctx.Done():
				}
				cancel()
			}()
		}
	case s == deadline:
		wait = time.Hour
		limit := patient
		if f.stalls {
			limit = patience
		}
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, limit)
		defer stop()
	case f.stalls:
		timeout = patience
	}
	if f.stalls && m.finishes {
		timeout = 2 * patience // after the caller's patience
	}
	if f.pings {
		limit := timeout
		if timeout == patient {
			limit = patience
		}
		// Together longer than an attempt, and over before the next one.
		l.transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: limit / 2, PingTimeout: limit * 3 / 4}
		wait = max(wait, limit/2)
	}
	waiting := func() {}
	if s == cancels {
		waiting = cancel
	}
	if err := l.connect(timeout, wait, waiting); err != nil {
		return []string{err.Error()}
	}
	pprof.Do(ctx, pprof.Labels("fault", f.title(), "method", m.name, "situation", string(s)), func(ctx context.Context) {
		problems = l.cell(ctx, m, s)
	})
	counts.requests.Add(l.seen.Load())
	return problems
}

// cell makes the call and collects everything that the checks need.
func (l *lab) cell(ctx context.Context, m method, s situation) (problems []string) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if l.fault.reused || l.fault.warm {
		if err := l.plain(); err != nil { //nolint:contextcheck // it has none that could end
			wrong("the warm-up failed: %v", err)
		}
		l.seen.Store(0)
	}
	l.left.Store(-1)
	if s == passes && !l.fault.reused {
		l.left.Store(1)
	}
	w := expectOf(l.fault, m, s)
	var resp demeterrr.Response
	err := m.call(ctx, l, demeterrr.WithResponse(&resp))
	l.left.Store(0)
	for _, difference := range l.compare(w, m, err, &resp) {
		wrong("%s", difference)
	}
	if twice := l.fake.SentTwice(); len(twice) > 0 && (l.fault.class != apiFailed || m.kind == sendOnce) {
		wrong("messaged twice: %v", twice)
	}
	for _, leak := range l.leaks(err, &resp) { //nolint:contextcheck // metrics are read also after the context has ended
		wrong("%s", leak)
	}
	var e *demeterrr.Error
	switch err := l.plain(); { //nolint:contextcheck // it has none that could end
	case !w.gated && err != nil:
		wrong("the client is not usable afterwards: %v", err)
	case w.gated && (!errors.Is(err, demeterrr.ErrRateLimited) || !errors.As(err, &e) || e.Attempts != 0):
		wrong("the gate is open: %v", err)
	}
	closed := func() bool {
		l.transport.CloseIdleConnections() // a stream that was just canceled may still keep its connection from being idle
		return l.dialed.Load() == 0
	}
	if !settled(closed) {
		wrong("the client has %d connections open", l.dialed.Load())
	}
	return problems
}

// plain makes a call that succeeds with a healthy client. It retries by hand:
// the client's own wait can be an hour, and its time limit very short.
func (l *lab) plain() error {
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	var err error
	for range 100 {
		_, err = l.client.Sequences.Get(ctx, l.sequence.ID, demeterrr.WithMaxRetries(0))
		if err == nil || errors.Is(err, demeterrr.ErrRateLimited) {
			break
		}
	}
	return err
}

// expectOf is expect with the exceptions for Do, which is laxer than other
// methods.
func expectOf(f *fault, m method, s situation) want {
	w := expect(f, m.kind, s)
	if !strings.HasPrefix(m.name, "Do ") || f.do == asOthers {
		return w
	}
	if f.do == fits {
		return want{ok: true, attempts: 1, status: -1}
	}
	w = want{status: f.status, attempts: 1, unknown: m.kind != reads}
	if w.unknown {
		w.is = []error{demeterrr.ErrUnknownOutcome}
	}
	return w
}

// compare returns the differences between the outcome and the expectation.
func (l *lab) compare(w want, m method, err error, resp *demeterrr.Response) (differences []string) {
	wrong := func(format string, args ...any) { differences = append(differences, fmt.Sprintf(format, args...)) }
	attempts := resp.Attempts
	var e *demeterrr.Error
	switch {
	case w.ok && errors.Is(err, errWrongValue) && w.status == -1: // a variable that anything fits
	case w.ok && err != nil:
		wrong("want success, got %v", err)
	case !w.ok && err == nil:
		wrong("want an error %v, got success", w.is)
	case !w.ok && !errors.As(err, &e):
		wrong("want an *Error, got %T: %v", err, err)
	case !w.ok:
		attempts = e.Attempts
		if e.StatusCode != w.status {
			wrong("want status %d, got %d: %v", w.status, e.StatusCode, err)
		}
		if e.RetryAfter < w.retryAfter || w.retryAfter == 0 && e.RetryAfter != 0 {
			wrong("want RetryAfter %v, got %v", w.retryAfter, e.RetryAfter)
		}
		for _, target := range all {
			if is := errors.Is(err, target); is != slices.Contains(w.is, target) {
				wrong("errors.Is(%q) = %v: %v", target, is, err)
			}
		}
	}
	if m.kind == executes || m.kind == sendOnce {
		if sent := int(l.once.Load()); sent > 1 && w.attempts == 1 {
			wrong("what must not be sent twice has arrived %d times: %v", sent, err)
		}
	}
	if m.several {
		return differences
	}
	if attempts != w.attempts {
		wrong("want %d attempts, got %d: %v", w.attempts, attempts, err)
	}
	if seen := int(l.seen.Load()); (l.fault.reply != nil || l.fault.frames != nil) && seen != attempts {
		wrong("%d attempts, the server has seen %d requests", attempts, seen)
	}
	return differences
}

// labeled returns the stacks of goroutines started by calls under the fault.
func labeled(name string) string {
	var b bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&b, 1)
	var stacks []string
	for stack := range strings.SplitSeq(b.String(), "\n\n") {
		if strings.Contains(stack, fmt.Sprintf(`"fault":%q`, name)) {
			stacks = append(stacks, stack)
		}
	}
	return strings.Join(stacks, "\n\n")
}
