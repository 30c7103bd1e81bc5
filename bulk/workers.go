package bulk

import (
	"iter"
	"runtime"
	"sync"
)

// parallel calls work for each item, n at a time, and returns when all are
// done. It draws the items on the caller's goroutine, one ahead at most. A
// panic or Goexit in work stops the operation. Once the other workers are done,
// parallel repeats it on the caller's goroutine.
func parallel[T any](r *run, n int, items iter.Seq[T], work func(T)) {
	p := pool[T]{work: work, queue: make(chan T), died: make(chan struct{}), stop: func() { r.cancel(nil) }}
	p.feed(n, items)
	switch {
	case p.cause != nil:
		panic(p.cause)
	case p.dead:
		runtime.Goexit()
	}
}

// pool holds the workers of parallel.
type pool[T any] struct {
	work    func(T)
	queue   chan T
	workers sync.WaitGroup
	stop    func()

	once  sync.Once
	died  chan struct{} // closed when a worker dies
	dead  bool          // a worker has died
	cause any           // its panic value; nil after a Goexit
}

// feed hands out the items until a worker dies, and waits for the workers. It
// starts a new worker only when all others are busy.
func (p *pool[T]) feed(n int, items iter.Seq[T]) {
	whole := false
	defer p.workers.Wait()
	defer close(p.queue)
	defer func() {
		if !whole { // the iterator panicked, for example: cut the workers' retries short
			p.stop()
		}
	}()
	for item := range items {
		select {
		case p.queue <- item:
			continue
		case <-p.died:
			return
		default:
		}
		if n > 0 {
			n--
			p.workers.Go(func() { p.take(item) })
			continue
		}
		select {
		case p.queue <- item:
		case <-p.died:
			return
		}
	}
	whole = true
}

// take works on an item, then on those of the queue.
func (p *pool[T]) take(item T) {
	ended := false
	defer func() {
		if ended {
			return
		}
		cause := recover()
		p.once.Do(func() {
			p.dead, p.cause = true, cause
			p.stop()
			close(p.died)
		})
	}()
	for more := true; more; item, more = <-p.queue {
		p.work(item)
	}
	ended = true
}
