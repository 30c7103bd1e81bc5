package demeterrr

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// maxFailuresInARow is how many calls of a bulk operation may fail one after the
// other because the service is away, before the operation stops.
const maxFailuresInARow = 5

// bulk is what the bulk operations share: how many requests they sent, and
// whether to go on.
type bulk struct {
	caller context.Context
	ctx    context.Context // ends when the operation stops
	cancel context.CancelFunc
	fatal  []error // after these there is no use in going on
	sent   atomic.Int64

	mu       sync.Mutex // guards what follows, and the report
	stopped  error      // why the operation stopped; nil while it goes on
	untried  *Error     // the error for what it did not try then
	failures int        // in a row
}

// newBulk starts an operation. fatal are the errors that end it, beside those
// that end all of them.
func newBulk(ctx context.Context, fatal ...error) *bulk {
	b := &bulk{caller: ctx, fatal: append(fatal, ErrUnauthorized, ErrInsufficientPermissions, ErrRateLimited)}
	b.ctx, b.cancel = context.WithCancel(ctx)
	return b
}

// reading are the options of a call that reads.
func (b *bulk) reading() []CallOption {
	return []CallOption{WithBeforeSend(b.count)}
}

// writing are the options of a call that writes: when the operation stops, a
// request that is on its way is let finish, so that its outcome is known.
func (b *bulk) writing() []CallOption {
	return append(b.reading(), WithUncancelableSend())
}

func (b *bulk) count(context.Context) error {
	b.sent.Add(1)
	return nil
}

// stop ends the operation: calls that wait give up. The first reason counts.
func (b *bulk) stop(reason error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped == nil {
		b.stopped = reason
	}
	b.cancel()
}

// over is the reason why nothing more is sent; nil if the operation goes on.
func (b *bulk) over() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped == nil && ended(b.ctx) {
		b.stopped = &Error{Message: "the context ended", cause: contextError(b.ctx)}
	}
	return b.stopped
}

// notTried is the error for what is not tried because the operation is over; nil
// if it goes on. It matches the reason where that holds for every call: a refused
// key, a used-up quota. Any other failure, and all doubt, belong to the attempt
// that met them: of these it tells the text only.
func (b *bulk) notTried() *Error {
	reason := b.over()
	if reason == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.untried == nil {
		b.untried = &Error{Message: "not tried"}
		stopped := &Error{Message: "the operation stopped", cause: foreign{reason}}
		if e, ok := errors.AsType[*Error](reason); ok {
			stopped.cause = foreign{e.elsewhere()}
		}
		if e := b.fatalIn(reason); e != nil {
			stopped.cause = e.elsewhere()
			b.untried.RetryAfter, b.untried.RequiredScope = e.RetryAfter, e.RequiredScope
		}
		b.untried.cause = stopped
	}
	return b.untried
}

// fatalIn is the error in a chain that every further call would meet too.
func (b *bulk) fatalIn(err error) *Error {
	for {
		e, ok := errors.AsType[*Error](err)
		if !ok || e == nil || slices.ContainsFunc(b.fatal, e.Is) {
			return e
		}
		err = e.cause
	}
}

// elsewhere is the error without what it says of its own call's attempts.
func (e *Error) elsewhere() *Error {
	told := *e
	told.Attempts, told.RetryAfter, told.unknown = 0, 0, false
	if told.cause != nil {
		told.cause = foreign{told.cause}
	}
	return &told
}

// verdict takes in how a call ended, and stops the operation where going on
// would only waste requests. It returns the error to be reported for the call.
func (b *bulk) verdict(err error) error {
	e, failed := errors.AsType[*Error](err)
	if !failed {
		b.mu.Lock()
		b.failures = 0
		b.mu.Unlock()
		return err
	}
	untried := b.notTried() // asked first: a call is never its own reason
	if b.hopeless(e) {
		b.stop(err)
	}
	switch {
	case untried == nil || errors.Is(err, ErrValidation):
	case e.Attempts == 0 && !e.unknown:
		return untried // the call was not made because of that
	case !ended(b.caller) && errors.Is(e.cause, context.Canceled):
		e.cause = untried.cause // it gave up waiting because of that: nobody has cancelled it
	}
	return err
}

// hopeless reports whether the calls that follow would fail as this one did.
func (b *bulk) hopeless(e *Error) bool {
	for _, target := range b.fatal {
		if errors.Is(e, target) {
			return true
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	away := e.StatusCode == 0 && e.Code == "" || e.unknown || errors.Is(e, ErrServer) || errors.Is(e, ErrForbidden)
	if !away {
		b.failures = 0
		return false
	}
	b.failures++
	return b.failures >= maxFailuresInARow
}

// inputFailed is the error for a sequence of the caller's that ended with one. It
// may be another call's: what that left in doubt is no doubt about these contacts.
func inputFailed(err error) *Error {
	return &Error{Message: "the input failed", cause: foreign{readable(err)}}
}

// parallel calls work for each of the items, n at a time, and returns when all
// are done. The items are drawn on the caller's goroutine, one ahead at most. A
// panic of work, or a Goexit, stops the operation; when the other workers are done
// too, it goes on on the caller's goroutine.
func parallel[T any](b *bulk, n int, items iter.Seq[T], work func(T)) {
	c := crew[T]{work: work, queue: make(chan T), died: make(chan struct{}), stop: b.cancel}
	c.feed(n, items)
	switch {
	case c.cause != nil:
		panic(c.cause)
	case c.dead:
		runtime.Goexit()
	}
}

// crew are the workers of parallel.
type crew[T any] struct {
	work    func(T)
	queue   chan T
	workers sync.WaitGroup
	stop    func()

	once  sync.Once
	died  chan struct{} // closed when a worker has died
	dead  bool          // one has
	cause any           // what it panicked with; nil after a Goexit
}

// feed hands out the items until a worker dies, and waits for the workers. One is
// started only for an item that no other is ready to take.
func (c *crew[T]) feed(n int, items iter.Seq[T]) {
	whole := false
	defer c.workers.Wait()
	defer close(c.queue)
	defer func() {
		if !whole { // the items panicked, say: nobody is to wait for the workers' retries
			c.stop()
		}
	}()
	for item := range items {
		select {
		case c.queue <- item:
			continue
		case <-c.died:
			return
		default:
		}
		if n > 0 {
			n--
			c.workers.Go(func() { c.take(item) })
			continue
		}
		select {
		case c.queue <- item:
		case <-c.died:
			return
		}
	}
	whole = true
}

// take works on an item, and then on those of the queue.
func (c *crew[T]) take(item T) {
	ended := false
	defer func() {
		if ended {
			return
		}
		cause := recover()
		c.once.Do(func() {
			c.dead, c.cause = true, cause
			c.stop()
			close(c.died)
		})
	}()
	for more := true; more; item, more = <-c.queue {
		c.work(item)
	}
	ended = true
}
