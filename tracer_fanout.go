package demeterrr

import (
	"context"
	"net/url"
	"strconv"
)

// tracing is what a client with tracers tells them.
type tracing struct {
	server CallStart // of every call
	calls  Tracer
	// The optional interfaces; nil if no tracer has them.
	attempts   AttemptTracer
	waits      WaitTracer
	operations OperationTracer
}

// newTracing finds out what the tracers want to know; it is nil if there are none.
func newTracing(tracers []Tracer, base *url.URL) *tracing {
	if len(tracers) == 0 {
		return nil
	}
	port, err := strconv.Atoi(base.Port())
	if err != nil { // it has none
		port = map[string]int{"https": 443, "http": 80}[base.Scheme]
	}
	t := &tracing{server: CallStart{Scheme: base.Scheme, ServerAddress: base.Hostname(), ServerPort: port}, calls: tracers[0]}
	if len(tracers) > 1 {
		t.calls = callTracers(tracers)
	}
	switch all := having[AttemptTracer](tracers); len(all) {
	case 0:
	case 1:
		t.attempts = all[0]
	default:
		t.attempts = attemptTracers(all)
	}
	switch all := having[WaitTracer](tracers); len(all) {
	case 0:
	case 1:
		t.waits = all[0]
	default:
		t.waits = waitTracers(all)
	}
	switch all := having[OperationTracer](tracers); len(all) {
	case 0:
	case 1:
		t.operations = all[0]
	default:
		t.operations = operationTracers(all)
	}
	return t
}

// having returns the tracers that implement an optional interface.
func having[T any](tracers []Tracer) (all []T) {
	for _, t := range tracers {
		if optional, ok := t.(T); ok {
			all = append(all, optional)
		}
	}
	return all
}

// Several tracers of a kind are one.
type (
	callTracers      []Tracer
	attemptTracers   []AttemptTracer
	waitTracers      []WaitTracer
	operationTracers []OperationTracer
)

func (ts callTracers) TraceCallStart(ctx context.Context, call CallStart) context.Context {
	return startAll(ctx, ts, func(t Tracer, ctx context.Context) context.Context { return t.TraceCallStart(ctx, call) },
		func(t Tracer, ctx context.Context) {
			t.TraceCallEnd(ctx, CallEnd{Err: &Error{Message: messageDied, Method: call.Method, Path: call.Route}})
		})
}

func (ts callTracers) TraceCallEnd(ctx context.Context, call CallEnd) {
	endAll(ctx, ts, func(t Tracer, ctx context.Context) { t.TraceCallEnd(ctx, call) })
}

func (ts attemptTracers) TraceAttemptStart(ctx context.Context, attempt AttemptStart) context.Context {
	return startAll(ctx, ts, func(t AttemptTracer, ctx context.Context) context.Context { return t.TraceAttemptStart(ctx, attempt) },
		func(t AttemptTracer, ctx context.Context) {
			t.TraceAttemptEnd(ctx, AttemptEnd{Ordinal: attempt.Ordinal, Err: &Error{Message: messageDied}})
		})
}

func (ts attemptTracers) TraceAttemptEnd(ctx context.Context, attempt AttemptEnd) {
	endAll(ctx, ts, func(t AttemptTracer, ctx context.Context) { t.TraceAttemptEnd(ctx, attempt) })
}

func (ts waitTracers) TraceWaitStart(ctx context.Context, wait WaitStart) context.Context {
	return startAll(ctx, ts, func(t WaitTracer, ctx context.Context) context.Context { return t.TraceWaitStart(ctx, wait) },
		func(t WaitTracer, ctx context.Context) {
			t.TraceWaitEnd(ctx, WaitEnd{Reason: wait.Reason, Err: &Error{Message: messageDied}})
		})
}

func (ts waitTracers) TraceWaitEnd(ctx context.Context, wait WaitEnd) {
	endAll(ctx, ts, func(t WaitTracer, ctx context.Context) { t.TraceWaitEnd(ctx, wait) })
}

func (ts operationTracers) TraceOperationStart(ctx context.Context, op OperationStart) context.Context {
	return startAll(ctx, ts, func(t OperationTracer, ctx context.Context) context.Context { return t.TraceOperationStart(ctx, op) },
		func(t OperationTracer, ctx context.Context) {
			t.TraceOperationEnd(ctx, OperationEnd{Operation: op.Operation, Err: &Error{Message: messageDied}})
		})
}

func (ts operationTracers) TraceOperationEnd(ctx context.Context, op OperationEnd) {
	endAll(ctx, ts, func(t OperationTracer, ctx context.Context) { t.TraceOperationEnd(ctx, op) })
}

// startedKey is the key in a context of the contexts that the tracers returned, as
// each gets its own back.
type startedKey struct{}

// startAll starts the tracers one after the other. If one panics, those before it
// get their end.
func startAll[T any](ctx context.Context, tracers []T, start func(T, context.Context) context.Context, end func(T, context.Context)) context.Context {
	started := make([]context.Context, 0, len(tracers))
	defer func() {
		if len(started) < len(tracers) {
			endEach(tracers, started, end)
		}
	}()
	for _, t := range tracers {
		ctx = orElse(start(t, ctx), ctx) //nolint:fatcontext // as many as there are tracers
		started = append(started, ctx)
	}
	return context.WithValue(ctx, startedKey{}, started)
}

func endAll[T any](ctx context.Context, tracers []T, end func(T, context.Context)) {
	started, _ := ctx.Value(startedKey{}).([]context.Context)
	endEach(tracers, started, end) //nolint:contextcheck // each tracer gets its own
}

// endEach ends the tracers that started, the last one first. If one panics, the
// others get their end all the same.
func endEach[T any](tracers []T, started []context.Context, end func(T, context.Context)) {
	last := len(started) - 1
	if last < 0 {
		return
	}
	defer endEach(tracers, started[:last], end)
	end(tracers[last], started[last])
}
