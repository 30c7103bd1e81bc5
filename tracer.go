package demeterrr

import (
	"context"
	"net/url"
	"strconv"
	"time"
)

// WithTracer tells the tracers what happens inside each call. Given several, or
// several times, all are told: the ends in reverse order. The default is none.
func WithTracer(tracers ...Tracer) Option {
	return func(c *config) {
		for i, t := range tracers {
			if isNil(t) {
				c.mistake("WithTracer: tracer %d is nil; leave it out", i+1)
				continue
			}
			c.tracers = append(c.tracers, t)
		}
	}
}

// Tracer follows the calls of a client, for traces and metrics: see [WithTracer].
// It may also be an [AttemptTracer], a [WaitTracer] and an [OperationTracer].
// Module otel has one for OpenTelemetry.
//
// A Start returns its context or one derived from it. Everything until the End
// runs with that context, and the End receives it. Every Start that returns has
// its End, also after a panic. The methods run on the caller's goroutine, so
// calls on several goroutines need a Tracer that is safe for concurrent use.
//
// The structs never hold an id, an email, a query, a header or a body.
//
// Tracer is an interface so that the client needs no tracing library. It keeps
// its methods: what is new comes as a field of a struct or as an interface that a
// Tracer may implement besides.
type Tracer interface {
	// TraceCallStart is called when a call begins. Refused input makes a call with
	// 0 attempts. Without a client, a context or a usable HTTP method there is no call.
	TraceCallStart(ctx context.Context, call CallStart) context.Context
	// TraceCallEnd is called before the call returns.
	TraceCallEnd(ctx context.Context, call CallEnd)
}

// CallStart tells which call begins.
type CallStart struct {
	// Operation is the method of the SDK: "Contacts.Create", or "Do" for a raw call.
	Operation string
	// Method is the HTTP method.
	Method string
	// Route is the template of the path, relative to the base URL: "/contacts/{id}".
	Route string
	// Scheme is that of the base URL: "https".
	Scheme string
	// ServerAddress is the host of the base URL, without the port.
	ServerAddress string
	// ServerPort is the port of the base URL, or the default port of its scheme.
	ServerPort int
}

// CallEnd tells how a call ended.
type CallEnd struct {
	// Err is nil if the call succeeded. Otherwise it is an [*Error] made for
	// tracers. It has the status, code, retryAfter and attempts of the call's
	// error, and matches the same sentinels, context.Canceled and
	// context.DeadlineExceeded. Its path is the route. It has no details, no
	// other cause, no request id and no text from outside.
	Err error
	// StatusCode is the HTTP status of the last attempt; 0 if nothing came back for it.
	StatusCode int
	// Attempts is the number of requests sent.
	Attempts int
	// Waited is how long the call waited, in all its waits.
	Waited Waited
	// UnknownOutcome reports whether a failed write may have taken effect.
	UnknownOutcome bool
}

// Waited is the time that a call waited, by reason.
type Waited struct {
	Limiter     time.Duration
	RateLimited time.Duration
	Backoff     time.Duration
}

// AttemptTracer is what a [Tracer] may implement besides, to follow each request.
// New information comes as fields of the structs.
type AttemptTracer interface {
	// TraceAttemptStart is called when nothing stands between the request and the
	// network. The request is sent with the context that it returns.
	TraceAttemptStart(ctx context.Context, attempt AttemptStart) context.Context
	// TraceAttemptEnd is called when the whole reply is read and classified.
	TraceAttemptEnd(ctx context.Context, attempt AttemptEnd)
}

// AttemptStart tells which attempt of a call begins.
type AttemptStart struct {
	// Ordinal is 1 for the first attempt; the others are retries.
	Ordinal int
	// Previous is the error of the attempt that this one repeats, as in
	// [AttemptEnd]; nil for the first.
	Previous error
}

// AttemptEnd tells how an attempt ended.
type AttemptEnd struct {
	// Ordinal is that of the start.
	Ordinal int
	// StatusCode is the HTTP status; 0 if nothing came back.
	StatusCode int
	// Code is the API's code; empty if there is none, or if it does not look like one.
	Code Code
	// RateLimit is what the reply reported; zero if it did not.
	RateLimit RateLimit
	// RetryAfter is how long the API asks to wait; 0 if it did not.
	RetryAfter time.Duration
	// Err is what the attempt failed with, made for tracers like CallEnd.Err.
	Err error
}

// WaitTracer is what a [Tracer] may implement besides, to follow each wait of a
// call. New information comes as fields of the structs.
type WaitTracer interface {
	// TraceWaitStart is called when a wait begins. A limiter that does not call
	// [ReportWait] is known to have waited only afterwards: see WaitStart.Start.
	TraceWaitStart(ctx context.Context, wait WaitStart) context.Context
	// TraceWaitEnd is called when the wait is over.
	TraceWaitEnd(ctx context.Context, wait WaitEnd)
}

// WaitReason is why a call waits.
type WaitReason string

// The reasons for a wait.
const (
	// WaitReasonLimiter is a wait at the client's [Limiter]: one that it reports, or
	// one of a millisecond or more.
	WaitReasonLimiter WaitReason = "limiter"
	// WaitReasonRateLimited is a wait after a 429, of this call or of another one of the client.
	WaitReasonRateLimited WaitReason = "rate_limited"
	// WaitReasonBackoff is a wait before a retry, after anything but a 429.
	WaitReasonBackoff WaitReason = "backoff"
)

// WaitStart tells what a call waits for.
type WaitStart struct {
	// Reason is why the call waits.
	Reason WaitReason
	// Start is when the wait began. It lies in the past if the limiter did not call [ReportWait].
	Start time.Time
	// Until is when the wait is expected to be over; zero if unknown.
	Until time.Time
}

// WaitEnd tells how a wait ended.
type WaitEnd struct {
	// Reason is that of the start.
	Reason WaitReason
	// Duration is how long the wait was.
	Duration time.Duration
	// Err is nil if the call goes on. Otherwise the wait was cut short or the
	// limiter refused the attempt. It is made for tracers like CallEnd.Err.
	Err error
}

// OperationTracer is what a [Tracer] may implement besides, to follow what takes
// several calls: Contacts.Upsert, Contacts.All, Sequences.All, FetchAll and bulk's.
// Their calls run with the context that TraceOperationStart returns. New
// information comes as fields of the structs.
type OperationTracer interface {
	// TraceOperationStart is called when an operation begins: for an iterator, when its loop begins.
	TraceOperationStart(ctx context.Context, op OperationStart) context.Context
	// TraceOperationEnd is called when the operation is over.
	TraceOperationEnd(ctx context.Context, op OperationEnd)
}

// OperationStart tells which operation begins.
type OperationStart struct {
	// Operation is the method or function of the SDK: "Contacts.Upsert".
	Operation string
}

// OperationEnd tells how an operation ended.
type OperationEnd struct {
	// Operation is that of the start.
	Operation string
	// Err is nil if the operation succeeded. Otherwise it is made for tracers like
	// CallEnd.Err, without a method and a path.
	Err error
}

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
	return &tracing{
		server:     CallStart{Scheme: base.Scheme, ServerAddress: base.Hostname(), ServerPort: port},
		calls:      asOne(tracers, func(all []Tracer) Tracer { return callTracers(all) }),
		attempts:   asOne(having[AttemptTracer](tracers), func(all []AttemptTracer) AttemptTracer { return attemptTracers(all) }),
		waits:      asOne(having[WaitTracer](tracers), func(all []WaitTracer) WaitTracer { return waitTracers(all) }),
		operations: asOne(having[OperationTracer](tracers), func(all []OperationTracer) OperationTracer { return operationTracers(all) }),
	}
}

// asOne returns nil for no tracer, the tracer if there is one, else several of all.
func asOne[T any](all []T, several func([]T) T) (none T) {
	switch len(all) {
	case 0:
		return none
	case 1:
		return all[0]
	}
	return several(all)
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
