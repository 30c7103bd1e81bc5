package demeterrr

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// waitListeners receive each wait of a call.
type waitListeners struct {
	ctx     context.Context // the call's
	tracing *tracing        // nil without a tracer
	hooks   []func(WaitStart)
}

func (k *call) waitListeners() waitListeners {
	return waitListeners{k.ctx, k.client.tracing, k.waitHooks}
}

// none reports whether there are no listeners.
func (l *waitListeners) none() bool { return l.tracing == nil && len(l.hooks) == 0 }

// begin reports the start of a wait. It sets traced before a hook can panic.
func (l *waitListeners) begin(w WaitStart, traced **tracedWait) {
	if l.tracing != nil {
		ctx := l.ctx
		if t := l.tracing.waits; t != nil {
			ctx = orElse(t.TraceWaitStart(ctx, w), ctx)
		}
		*traced = &tracedWait{ctx: ctx, reason: w.Reason, start: w.Start}
	}
	for _, hook := range l.hooks {
		hook(w)
	}
}

// tracedWait is a wait that was reported to the tracers.
type tracedWait struct {
	ctx    context.Context
	reason WaitReason
	start  time.Time
}

// beginWait reports that the call waits from start; a zero until means unknown.
func (k *call) beginWait(reason WaitReason, start, until time.Time) {
	if l := k.waitListeners(); !l.none() {
		l.begin(WaitStart{Reason: reason, Start: start, Until: until}, &k.tracedWait)
	}
}

// endWait reports the end of the wait to the tracers, if they know of one.
func (k *call) endWait(err error) {
	w := k.tracedWait
	if w == nil {
		return
	}
	k.tracedWait = nil
	end := WaitEnd{Reason: w.reason, Duration: time.Since(w.start)}
	switch w.reason {
	case WaitReasonLimiter:
		k.waited.Limiter += end.Duration
	case WaitReasonRateLimited:
		k.waited.RateLimited += end.Duration
	case WaitReasonBackoff:
		k.waited.Backoff += end.Duration
	}
	if err != nil {
		end.Err = forTracers(k.interruption(err), k.method, k.route)
	}
	if t := k.client.tracing.waits; t != nil {
		t.TraceWaitEnd(w.ctx, end)
	}
}

// sleep waits, and reports the wait to the listeners.
func (k *call) sleep(reason WaitReason, d time.Duration) error {
	now := time.Now()
	k.beginWait(reason, now, now.Add(d))
	err := sleep(k.ctx, d)
	k.endWait(err)
	return err
}

// acquirePlace takes a place at the limiter. If there are listeners, it reports
// the wait.
func (k *call) acquirePlace() error {
	limiter, listeners, log := k.client.limiter, k.waitListeners(), k.logTo()
	if !log.enabled(slog.LevelInfo) {
		if listeners.none() {
			place, err := limiter.Acquire(k.ctx)
			return k.take(place, err)
		}
		log.logger = nil
	}
	w := &limiterWait{listeners: listeners, log: log, start: time.Now()}
	ctx, cancel := context.WithCancel(k.ctx)
	defer cancel()
	w.cancel = cancel
	defer func() {
		w.end()
		if w.traced != nil { // the limiter or a hook panicked
			k.tracedWait = w.traced
		}
	}()
	place, err := limiter.Acquire(context.WithValue(ctx, limiterWaitKey{}, w))
	err = k.take(place, err)
	w.end()
	if w.panicked != nil {
		panic(w.panicked)
	}
	k.reportAfterwards(w)
	k.tracedWait, w.traced = w.traced, nil
	k.endWait(err)
	return err
}

// take keeps the limiter's place, unless err is set.
func (k *call) take(place Release, err error) error {
	if err == nil {
		k.place = place
	}
	return err
}

// reportAfterwards reports a wait that the limiter left unreported, and logs a
// long one.
func (k *call) reportAfterwards(w *limiterWait) {
	const shortest = time.Millisecond // an immediate return of a limiter takes less
	waited := time.Since(w.start)
	if !w.logged {
		w.log.wait(WaitReasonLimiter, waited)
	}
	if !w.begun && waited >= shortest {
		w.listeners.begin(WaitStart{Reason: WaitReasonLimiter, Start: w.start}, &w.traced)
	}
}

// limiterWait connects [ReportWait] with a call at the limiter. It has no
// pointer to the call, so that the call can stay on the stack.
type limiterWait struct {
	listeners waitListeners
	log       callLog
	start     time.Time
	cancel    context.CancelFunc // of the context of Acquire

	mu       sync.Mutex
	over     bool // Acquire has returned
	begun    bool // the listeners know of the wait
	logged   bool
	traced   *tracedWait
	panicked any // the panic of a listener
}

// report begins the wait, once. It recovers the panic of a listener, as the
// limiter may be changing its state. It ends Acquire's context, and the panic
// goes on after Acquire.
func (w *limiterWait) report(until time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over || w.begun {
		return
	}
	w.begun = true
	defer func() {
		if w.panicked = recover(); w.panicked != nil {
			w.cancel()
		}
	}()
	if left := time.Until(until); left >= logsWaitsOf {
		w.logged = true
		w.log.wait(WaitReasonLimiter, left, slog.Time("until", until))
	}
	w.listeners.begin(WaitStart{Reason: WaitReasonLimiter, Start: w.start, Until: until}, &w.traced)
}

// end makes later reports have no effect.
func (w *limiterWait) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
}

// callLog writes the events of a call to the client's log.
type callLog struct {
	logger       *slog.Logger // nil: no log
	ctx          context.Context
	method, path string
}

func (k *call) logTo() callLog { return callLog{k.client.logger, k.ctx, k.method, k.path} }

func (l callLog) enabled(level slog.Level) bool {
	return l.logger != nil && l.logger.Enabled(l.ctx, level)
}

func (l callLog) write(level slog.Level, msg string, attrs ...slog.Attr) {
	if l.enabled(level) {
		l.logger.LogAttrs(l.ctx, level, msg, append([]slog.Attr{slog.String("method", l.method), slog.String("path", l.path)}, attrs...)...)
	}
}

// logsWaitsOf is the shortest wait to log.
const logsWaitsOf = time.Second

// wait logs a wait of logsWaitsOf or more.
func (l callLog) wait(reason WaitReason, d time.Duration, more ...slog.Attr) {
	if l.logger == nil || d < logsWaitsOf {
		return
	}
	l.write(slog.LevelInfo, "demeterrr: wait", append([]slog.Attr{slog.String("reason", string(reason)), slog.Duration("wait", d)}, more...)...)
}
