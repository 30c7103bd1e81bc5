package bulk

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// maxFailuresInARow is how many calls of an operation may fail one after the
// other because the service is away, before the operation stops.
const maxFailuresInARow = 5

// run is what the operations share: how many requests they sent, and whether to
// go on.
type run struct {
	client *demeterrr.Client
	caller context.Context
	ctx    context.Context // ends when the operation stops
	cancel context.CancelCauseFunc
	fatal  []error // after these there is no use in going on
	sent   atomic.Int64

	mu       sync.Mutex // guards what follows, and the report
	stopped  error      // why the operation stopped; nil while it goes on
	untried  *failure   // the error for what it did not try then
	failures int        // in a row
	wait     demeterrr.WaitStart
	progress func() // reports it, with mu held; nil if nobody listens
}

// newRun starts an operation. fatal are the errors that end it, beside those that
// end all of them.
func newRun(ctx context.Context, c *demeterrr.Client, fatal ...error) *run {
	r := &run{client: c, caller: ctx, fatal: append(fatal, demeterrr.ErrUnauthorized, demeterrr.ErrInsufficientPermissions, demeterrr.ErrRateLimited)}
	r.ctx, r.cancel = context.WithCancelCause(demeterrr.LowPriority(ctx))
	return r
}

// checkArguments refuses what no operation can work with.
func checkArguments(ctx context.Context, c *demeterrr.Client, noInput bool, concurrency int) error {
	switch {
	case ctx == nil:
		return invalid("the context is nil; pass context.Background() if there is no other")
	case c == nil:
		return invalid("the client is nil; make one with demeterrr.New")
	case noInput:
		return invalid("the contacts are nil; an empty sequence is one that yields nothing")
	case concurrency < 0:
		return invalid("Concurrency must not be negative; 0 means the default")
	}
	return nil
}

// reading are the options of a call that reads.
func (r *run) reading() []demeterrr.CallOption {
	options := []demeterrr.CallOption{demeterrr.WithBeforeSend(r.count)}
	if r.progress != nil {
		options = append(options, demeterrr.WithOnWait(r.waits))
	}
	return options
}

// waits reports a wait whose end is known.
func (r *run) waits(w demeterrr.WaitStart) {
	if w.Until.IsZero() || r.progress == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wait = w
	r.progress()
}

// waitingFor is what the operation waits for, and until when; zero if it does not
// wait. With several waits it is the last one that began. r.mu is held.
func (r *run) waitingFor() (demeterrr.WaitReason, time.Time) {
	if !time.Now().Before(r.wait.Until) {
		return "", time.Time{}
	}
	return r.wait.Reason, r.wait.Until
}

// writing are the options of a call that writes: when the operation stops, a
// request in flight may finish, so that its outcome is known.
func (r *run) writing() []demeterrr.CallOption {
	return append(r.reading(), demeterrr.WithUncancelableSend())
}

func (r *run) count(context.Context) error {
	r.sent.Add(1)
	return nil
}

// stop ends the operation: calls that wait give up. The first reason counts.
func (r *run) stop(reason error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopLocked(reason)
}

func (r *run) stopLocked(reason error) {
	if r.stopped == nil {
		r.stopped, r.untried = reason, r.notTriedBecause(reason)
	}
	r.cancel(r.untried.cause)
}

// over is the reason why nothing more is sent; nil if the operation goes on.
func (r *run) over() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped == nil && ended(r.ctx) {
		r.stopLocked(because("the context ended", contextError(r.ctx)))
	}
	return r.stopped
}

// notTried is the error for what is not tried because the operation is over; nil
// if it goes on.
func (r *run) notTried() *failure {
	if r.over() == nil {
		return nil
	}
	return r.untried // it does not change any more
}

// notTriedBecause makes the error for what is not tried. It matches the reason
// where that holds for every call: a refused key, a used-up quota. Any other
// failure, and all doubt, belong to the attempt that met them: of these it tells
// the text only.
func (r *run) notTriedBecause(reason error) *failure {
	e := r.fatalIn(reason)
	if e == nil {
		return because("not tried", because("the operation stopped", foreign{elsewhere(reason)}))
	}
	untried := because("not tried", because("the operation stopped", elsewhere(e)))
	untried.RetryAfter, untried.RequiredScope = e.RetryAfter, e.RequiredScope
	return untried
}

// fatalIn is the error in a chain that every further call would meet too.
func (r *run) fatalIn(err error) *demeterrr.Error {
	for {
		e, ok := errors.AsType[*demeterrr.Error](err)
		if !ok || e == nil || slices.ContainsFunc(r.fatal, e.Is) {
			return e
		}
		err = e.Unwrap()
	}
}

// classify takes in how a call ended, and stops the operation where going on
// would only waste requests. It returns the error to be reported for the call.
func (r *run) classify(err error) error {
	e, failed := errors.AsType[*demeterrr.Error](err)
	if !failed {
		r.mu.Lock()
		r.failures = 0
		r.mu.Unlock()
		return err
	}
	untried := r.notTried() // asked first: a call is never its own reason
	if r.hopeless(e) {
		r.stop(err)
	}
	switch {
	case untried == nil || errors.Is(err, demeterrr.ErrValidation):
	case e.Attempts == 0 && !e.Is(demeterrr.ErrUnknownOutcome):
		return untried // the call was not made because of that
	case !ended(r.caller) && errors.Is(e.Unwrap(), context.Canceled):
		return &failure{e, untried.cause} // it gave up waiting because of that: nobody has canceled it
	}
	return err
}

// hopeless reports whether the calls that follow would fail as this one did.
func (r *run) hopeless(e *demeterrr.Error) bool {
	for _, target := range r.fatal {
		if errors.Is(e, target) {
			return true
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	away := e.StatusCode == 0 && e.Code == "" || e.Is(demeterrr.ErrUnknownOutcome) || errors.Is(e, demeterrr.ErrServer) || errors.Is(e, demeterrr.ErrForbidden)
	if !away {
		r.failures = 0
		return false
	}
	r.failures++
	return r.failures >= maxFailuresInARow
}
