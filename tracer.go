package demeterrr

import (
	"context"
	"net/url"
	"strconv"
	"time"
)

// WithTracer reports each call to the tracers, with its attempts and waits.
// Several tracers start in order and end in reverse order, also across several
// options. The default is none.
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

// Tracer follows the calls of a client, for traces and metrics; see
// [WithTracer]. It may also implement [AttemptTracer], [WaitTracer] and
// [OperationTracer]. Module otel has a Tracer for OpenTelemetry.
//
// A Start method returns its context or one derived from it. The client uses
// this context for everything until the End, and passes it to the End method.
// Every Start that returns is followed by its End, also after a panic. The
// methods run on the caller's goroutine. If several goroutines make calls, the
// Tracer must be safe for concurrent use.
//
// The structs never hold an id, an email, a query, a header or a body.
//
// Tracer is an interface, so that the client needs no tracing library. Its
// methods stay. Additions come as fields of the structs, or as optional
// interfaces.
type Tracer interface {
	// TraceCallStart is called when a call begins. Rejected input makes a call
	// with 0 attempts. Without a client, a context or a usable HTTP method,
	// there is no call.
	TraceCallStart(ctx context.Context, call CallStart) context.Context
	// TraceCallEnd is called before the call returns.
	TraceCallEnd(ctx context.Context, call CallEnd)
}

// CallStart describes a call at its start.
type CallStart struct {
	// Operation is the method of the SDK: "Contacts.Create", or "Do" for a raw
	// call.
	Operation string
	// Method is the HTTP method.
	Method string
	// Route is the template of the path, relative to the base URL:
	// "/contacts/{id}".
	Route string
	// Scheme is the scheme of the base URL: "https".
	Scheme string
	// ServerAddress is the host of the base URL, without the port.
	ServerAddress string
	// ServerPort is the port of the base URL, or the default port of its
	// scheme.
	ServerPort int
}

// CallEnd describes a call at its end.
type CallEnd struct {
	// Err is nil if the call succeeded. Otherwise it is an [*Error] made for
	// tracers. It has the status, code, retryAfter and attempts of the call's
	// error. It matches the same sentinels, context.Canceled and
	// context.DeadlineExceeded. Its path is the route. Details, other causes,
	// request ids and texts from outside are left out.
	Err error
	// StatusCode is the HTTP status of the last attempt; 0 if it got no reply.
	StatusCode int
	// Attempts is the number of requests sent.
	Attempts int
	// Waited is how long the call waited, in all its waits.
	Waited Waited
	// UnknownOutcome reports whether a failed write may have taken effect.
	UnknownOutcome bool
}

// Waited is the time a call spent waiting, by reason.
type Waited struct {
	Limiter     time.Duration
	RateLimited time.Duration
	Backoff     time.Duration
}

// AttemptTracer is an optional interface of a [Tracer], to follow each request.
// Additions come as fields of the structs.
type AttemptTracer interface {
	// TraceAttemptStart is called just before the request is sent. The request
	// uses the returned context.
	TraceAttemptStart(ctx context.Context, attempt AttemptStart) context.Context
	// TraceAttemptEnd is called when the whole reply is read and classified.
	TraceAttemptEnd(ctx context.Context, attempt AttemptEnd)
}

// AttemptStart describes an attempt at its start.
type AttemptStart struct {
	// Ordinal is 1 for the first attempt; later attempts are retries.
	Ordinal int
	// Previous is the error of the attempt before, as in [AttemptEnd]; nil for
	// the first.
	Previous error
}

// AttemptEnd describes an attempt at its end.
type AttemptEnd struct {
	// Ordinal is the same as at the start.
	Ordinal int
	// StatusCode is the HTTP status; 0 if no reply came.
	StatusCode int
	// Code is the API's code; empty if there is none, or if it has an unusual
	// form.
	Code Code
	// RateLimit is the quota that the reply reported; zero if none.
	RateLimit RateLimit
	// RetryAfter is the wait that the API asked for; 0 if none.
	RetryAfter time.Duration
	// Err is the attempt's error, made for tracers like CallEnd.Err; nil if it
	// succeeded.
	Err error
}

// WaitTracer is an optional interface of a [Tracer], to follow each wait of a
// call. Additions come as fields of the structs.
type WaitTracer interface {
	// TraceWaitStart is called when a wait begins. If a limiter never calls
	// [ReportWait], it is called after the wait; see WaitStart.Start.
	TraceWaitStart(ctx context.Context, wait WaitStart) context.Context
	// TraceWaitEnd is called when the wait is over.
	TraceWaitEnd(ctx context.Context, wait WaitEnd)
}

// WaitReason is the reason for a wait.
type WaitReason string

// The reasons for a wait.
const (
	// WaitReasonLimiter is a wait at the client's [Limiter], either reported or
	// of at least a millisecond.
	WaitReasonLimiter WaitReason = "limiter"
	// WaitReasonRateLimited is a wait after a 429, of this call or of another
	// call of the client.
	WaitReasonRateLimited WaitReason = "rate_limited"
	// WaitReasonBackoff is a wait before a retry after any other failure.
	WaitReasonBackoff WaitReason = "backoff"
)

// WaitStart describes a wait at its start.
type WaitStart struct {
	// Reason is the reason for the wait.
	Reason WaitReason
	// Start is the start of the wait. It lies in the past if a limiter never
	// called [ReportWait].
	Start time.Time
	// Until is the expected end of the wait; zero if unknown.
	Until time.Time
}

// WaitEnd describes a wait at its end.
type WaitEnd struct {
	// Reason is the same as at the start.
	Reason WaitReason
	// Duration is the length of the wait.
	Duration time.Duration
	// Err is nil if the call goes on. Otherwise the wait was cut short, or the
	// limiter rejected the attempt. It is made for tracers like CallEnd.Err.
	Err error
}

// OperationTracer is an optional interface of a [Tracer], to follow operations
// of several calls: Contacts.Upsert, Contacts.All, Sequences.All, FetchAll and
// those of package bulk. Their calls use the context returned by
// TraceOperationStart. Additions come as fields of the structs.
type OperationTracer interface {
	// TraceOperationStart is called when an operation begins. An iterator
	// begins with its loop.
	TraceOperationStart(ctx context.Context, op OperationStart) context.Context
	// TraceOperationEnd is called when the operation is over.
	TraceOperationEnd(ctx context.Context, op OperationEnd)
}

// OperationStart describes an operation at its start.
type OperationStart struct {
	// Operation is the method or function of the SDK: "Contacts.Upsert".
	Operation string
}

// OperationEnd describes an operation at its end.
type OperationEnd struct {
	// Operation is the same as at the start.
	Operation string
	// Err is nil if the operation succeeded. Otherwise it is made for tracers
	// like CallEnd.Err, without a method and a path.
	Err error
}

// tracing connects a client with its tracers.
type tracing struct {
	server CallStart // the same for every call
	calls  Tracer
	// Optional interfaces; nil if no tracer implements them.
	attempts   AttemptTracer
	waits      WaitTracer
	operations OperationTracer
}

// newTracing sorts the tracers by interface, or returns nil if there are none.
func newTracing(tracers []Tracer, base *url.URL) *tracing {
	if len(tracers) == 0 {
		return nil
	}
	port, err := strconv.Atoi(base.Port())
	if err != nil { // no port in the URL
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

// asOne returns nil for no tracer, the tracer itself for one, and several(all)
// for more.
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

// These types make several tracers act as one.
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

// startedKey is the context key of the contexts that the tracers returned. Each
// tracer gets its own context back.
type startedKey struct{}

// startAll starts the tracers in order. If one panics, the tracers before it
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

// endEach ends the started tracers in reverse order. If one panics, the others
// still get their end.
func endEach[T any](tracers []T, started []context.Context, end func(T, context.Context)) {
	last := len(started) - 1
	if last < 0 {
		return
	}
	defer endEach(tracers, started[:last], end)
	end(tracers[last], started[last])
}
