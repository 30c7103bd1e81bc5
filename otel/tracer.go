package demeterrrotel

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/demeterrr/demeterrr-go"
)

// scope is the name of the instrumentation.
const scope = "github.com/demeterrr/demeterrr-go/otel"

// Tracer turns calls into spans and metrics. Make one with [NewTracer] and pass
// it to [demeterrr.WithTracer]. It is safe for concurrent use, and several
// clients can share it. The zero value does nothing.
type Tracer struct {
	spans   trace.Tracer
	metrics *instruments
	routes  cache[routeKey, *route]
}

var _ interface {
	demeterrr.Tracer
	demeterrr.AttemptTracer
	demeterrr.WaitTracer
	demeterrr.OperationTracer
} = (*Tracer)(nil)

// NewTracer makes a Tracer. Without options it uses the global providers. It
// fails if an option is invalid or the meter provider rejects an instrument.
func NewTracer(opts ...Option) (*Tracer, error) {
	c := config{tracers: otel.GetTracerProvider(), meters: otel.GetMeterProvider()}
	for i, opt := range opts {
		if opt == nil {
			c.mistake(fmt.Sprintf("option %d is nil; leave it out", i+1))
			continue
		}
		opt(&c)
	}
	if len(c.mistakes) > 0 {
		return nil, fmt.Errorf("demeterrr: %s", strings.ReplaceAll(errors.Join(c.mistakes...).Error(), "\n", "; "))
	}
	metrics, err := newInstruments(c.meters.Meter(scope,
		metric.WithInstrumentationVersion(demeterrr.Version), metric.WithSchemaURL(semconv.SchemaURL)))
	if err != nil {
		return nil, fmt.Errorf("demeterrr: the meter provider refused an instrument: %w", err)
	}
	spans := c.tracers.Tracer(scope, trace.WithInstrumentationVersion(demeterrr.Version), trace.WithSchemaURL(semconv.SchemaURL))
	return &Tracer{spans: spans, metrics: metrics}, nil
}

// The context keys belong to one Tracer, since a client can have several.
type (
	operationKey struct{ of *Tracer }
	callKey      struct{ of *Tracer }
	attemptKey   struct{ of *Tracer }
	waitKey      struct{ of *Tracer }
)

// operation is one operation in progress.
type operation struct {
	span trace.Span
	name string // of the outermost operation
}

// call is one call in progress.
type call struct {
	span  trace.Span
	start time.Time
	route *route
}

// attempt is one attempt in progress.
type attempt struct {
	span  trace.Span
	start time.Time
}

// Every Start makes its span last: a Start that panics gets no End, and its
// span would stay open. Every End ends its span by defer.

// TraceOperationStart starts the span of an operation.
func (t *Tracer) TraceOperationStart(ctx context.Context, start demeterrr.OperationStart) context.Context {
	if t == nil || t.spans == nil {
		return ctx
	}
	op := &operation{name: t.operationOf(ctx, start.Operation)}
	ctx, op.span = t.spans.Start(ctx, start.Operation, trace.WithAttributes(operationName.String(op.name)))
	return context.WithValue(ctx, operationKey{t}, op)
}

// TraceOperationEnd ends the span of an operation.
func (t *Tracer) TraceOperationEnd(ctx context.Context, end demeterrr.OperationEnd) {
	op, _ := ctx.Value(operationKey{t}).(*operation)
	if op == nil {
		return
	}
	defer finish(op.span)
	fail(op.span, end.Err, errorType(end.Err, false))
}

// operationOf returns the name of the outermost operation in progress, or name.
func (t *Tracer) operationOf(ctx context.Context, name string) string {
	if op, _ := ctx.Value(operationKey{t}).(*operation); op != nil {
		return op.name
	}
	return name
}

// TraceCallStart starts the span of a call.
func (t *Tracer) TraceCallStart(ctx context.Context, start demeterrr.CallStart) context.Context {
	if t == nil || t.spans == nil {
		return ctx
	}
	c := &call{start: time.Now(), route: t.route(t.operationOf(ctx, start.Operation), start)}
	t.metrics.begin(ctx, c.route)
	ctx, c.span = t.spans.Start(ctx, c.route.call, c.route.callStart...)
	return context.WithValue(ctx, callKey{t}, c)
}

// TraceCallEnd ends the span of a call and counts the call.
func (t *Tracer) TraceCallEnd(ctx context.Context, end demeterrr.CallEnd) {
	c := t.callOf(ctx)
	if c == nil {
		return
	}
	defer finish(c.span)
	kind := errorType(end.Err, end.Attempts > 0)
	if c.span.IsRecording() {
		c.span.SetAttributes(callAttributes(end)...)
		fail(c.span, end.Err, kind)
	}
	t.metrics.call(ctx, c, end, kind)
}

// callOf returns the call in progress; nil without one.
func (t *Tracer) callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{t}).(*call)
	return c
}

// TraceAttemptStart starts the span of an attempt.
func (t *Tracer) TraceAttemptStart(ctx context.Context, start demeterrr.AttemptStart) context.Context {
	c := t.callOf(ctx)
	if c == nil {
		return ctx
	}
	options := c.route.attemptStart
	if start.Ordinal > 1 {
		options = append(options[:len(options):len(options)], trace.WithAttributes(semconv.HTTPRequestResendCount(start.Ordinal-1)))
		t.metrics.retry(ctx, c, errorType(start.Previous, true))
	}
	a := &attempt{start: time.Now()}
	ctx, a.span = t.spans.Start(ctx, c.route.attempt, options...)
	return context.WithValue(ctx, attemptKey{t}, a)
}

// TraceAttemptEnd ends the span of an attempt and counts the attempt.
func (t *Tracer) TraceAttemptEnd(ctx context.Context, end demeterrr.AttemptEnd) {
	c := t.callOf(ctx)
	a, _ := ctx.Value(attemptKey{t}).(*attempt)
	if c == nil || a == nil {
		return
	}
	defer finish(a.span)
	kind := errorType(end.Err, true)
	if a.span.IsRecording() {
		if end.StatusCode != 0 {
			a.span.SetAttributes(semconv.HTTPResponseStatusCode(end.StatusCode))
		}
		fail(a.span, end.Err, kind)
	}
	t.metrics.attempt(ctx, c, time.Since(a.start), end, kind)
}

// TraceWaitStart starts the span of a wait, at the start time of the wait.
func (t *Tracer) TraceWaitStart(ctx context.Context, start demeterrr.WaitStart) context.Context {
	c := t.callOf(ctx)
	if c == nil {
		return ctx
	}
	ctx, span := t.spans.Start(ctx, "wait "+string(start.Reason), trace.WithTimestamp(start.Start),
		trace.WithAttributes(waitReason.String(string(start.Reason))))
	t.metrics.waits(ctx, c, start.Reason, 1)
	return context.WithValue(ctx, waitKey{t}, span)
}

// TraceWaitEnd ends the span of a wait and counts its time.
func (t *Tracer) TraceWaitEnd(ctx context.Context, end demeterrr.WaitEnd) {
	c := t.callOf(ctx)
	span, _ := ctx.Value(waitKey{t}).(trace.Span)
	if c == nil || span == nil {
		return
	}
	defer t.metrics.waits(ctx, c, end.Reason, -1)
	defer finish(span)
	fail(span, end.Err, errorType(end.Err, false))
	t.metrics.wait(ctx, c, end)
}

// finish ends a span. A deferred span.End would recover a panic and record its
// text, which can hold private data.
func finish(span trace.Span) { span.End() }

// fail gives a span the status of an error. The SDK makes these errors for
// tracers: their text has the route, and nothing from outside.
func fail(span trace.Span, err error, kind string) {
	if err != nil && span.IsRecording() {
		span.SetStatus(codes.Error, err.Error())
		span.SetAttributes(semconv.ErrorTypeKey.String(kind))
	}
}
