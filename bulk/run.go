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

// maxFailuresInARow is the number of consecutive failures that ends an
// operation. Only failures of the service count.
const maxFailuresInARow = 5

// run is the common part of all operations: the request count and the decision
// to stop.
type run struct {
	client *demeterrr.Client
	caller context.Context
	ctx    context.Context // ends when the operation stops
	cancel context.CancelCauseFunc
	fatal  []error // errors that every further call would meet too
	sent   atomic.Int64

	mu       sync.Mutex // guards the fields below, and the report
	stopped  error      // why the operation stopped; nil while it runs
	untried  *failure   // the error for everything left untried
	failures int        // in a row
	wait     demeterrr.WaitStart
	progress func() // reports the progress with mu held; may be nil
}

// newRun starts an operation. fatal are its own errors that end it, in addition
// to the errors that end every operation.
func newRun(ctx context.Context, c *demeterrr.Client, fatal ...error) *run {
	r := &run{client: c, caller: ctx, fatal: append(fatal, demeterrr.ErrUnauthorized, demeterrr.ErrInsufficientPermissions, demeterrr.ErrRateLimited)}
	r.ctx, r.cancel = context.WithCancelCause(demeterrr.LowPriority(ctx))
	return r
}

// checkArguments refuses arguments that no operation can use.
func checkArguments(ctx context.Context, c *demeterrr.Client, noInput bool, concurrency int) error {
	switch {
	case ctx == nil:
		return invalid("the context is nil; pass context.Background() if there is no other")
	case c == nil:
		return invalid("the client is nil; make one with demeterrr.New")
	case noInput:
		return invalid("the contacts are nil; an empty input is an iterator that yields nothing")
	case concurrency < 0:
		return invalid("Concurrency must not be negative; 0 means the default")
	}
	return nil
}

// reading returns the options of a call that reads.
func (r *run) reading() []demeterrr.CallOption {
	options := []demeterrr.CallOption{demeterrr.WithBeforeSend(r.count)}
	if r.progress != nil {
		options = append(options, demeterrr.WithOnWait(r.waits))
	}
	return options
}

// waits reports a wait with a known end.
func (r *run) waits(w demeterrr.WaitStart) {
	if w.Until.IsZero() || r.progress == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wait = w
	r.progress()
}

// waitingFor returns the reason and the end of the latest wait, or zero values
// once that wait is over. r.mu is held.
func (r *run) waitingFor() (demeterrr.WaitReason, time.Time) {
	if !time.Now().Before(r.wait.Until) {
		return "", time.Time{}
	}
	return r.wait.Reason, r.wait.Until
}

// writing returns the options of a call that writes. When the operation stops,
// a request in flight may finish, so that its outcome is known.
func (r *run) writing() []demeterrr.CallOption {
	return append(r.reading(), demeterrr.WithUncancelableSend())
}

func (r *run) count(context.Context) error {
	r.sent.Add(1)
	return nil
}

// stop ends the operation: calls that wait give up. The first reason wins.
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

// over returns the reason why the operation has stopped; nil while it runs.
func (r *run) over() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped == nil && ended(r.ctx) {
		r.stopLocked(because("the context ended", contextError(r.ctx)))
	}
	return r.stopped
}

// notTried returns the error for work left untried after the end of the
// operation; nil while it runs.
func (r *run) notTried() *failure {
	if r.over() == nil {
		return nil
	}
	return r.untried // safe without the lock: it is set once
}

// notTriedBecause makes the error for untried work. It matches the reason only
// if that applies to every call: a refused key, a used-up quota. Any other
// failure, and all doubt, belong to their own attempt. Of these it keeps only
// the text.
func (r *run) notTriedBecause(reason error) *failure {
	e := r.fatalIn(reason)
	if e == nil {
		return because("not tried", because("the operation stopped", foreign{elsewhere(reason)}))
	}
	untried := because("not tried", because("the operation stopped", elsewhere(e)))
	untried.RetryAfter, untried.RequiredScope = e.RetryAfter, e.RequiredScope
	return untried
}

// fatalIn returns the error in a chain that every further call would meet too;
// nil if there is none.
func (r *run) fatalIn(err error) *demeterrr.Error {
	for {
		e, ok := errors.AsType[*demeterrr.Error](err)
		if !ok || e == nil || slices.ContainsFunc(r.fatal, e.Is) {
			return e
		}
		err = e.Unwrap()
	}
}

// classify counts the end of a call, and stops the operation if more calls
// would only waste requests. It returns the error to report for the call.
func (r *run) classify(err error) error {
	e, failed := errors.AsType[*demeterrr.Error](err)
	if !failed {
		r.mu.Lock()
		r.failures = 0
		r.mu.Unlock()
		return err
	}
	untried := r.notTried() // before stop, so that a call is never its own reason
	if r.hopeless(e) {
		r.stop(err)
	}
	switch {
	case untried == nil || errors.Is(err, demeterrr.ErrValidation):
	case e.Attempts == 0 && !e.Is(demeterrr.ErrUnknownOutcome):
		return untried // the stop kept this call from being sent
	case !ended(r.caller) && errors.Is(e.Unwrap(), context.Canceled):
		return &failure{e, untried.cause} // the stop canceled its wait, the caller did not
	}
	return err
}

// hopeless reports whether further calls would fail in the same way.
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
