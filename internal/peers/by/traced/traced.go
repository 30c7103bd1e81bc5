// Package traced is this project with a tracer.
package traced

import (
	"context"
	"net/http"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/demeterrr/demeterrr-go"
	demeterrrotel "github.com/demeterrr/demeterrr-go/otel"

	"github.com/demeterrr/demeterrr-go/internal/peers/by/sdk"
	"github.com/demeterrr/demeterrr-go/internal/peers/work"
)

// idle is a tracer that does nothing.
type idle struct{}

func (idle) TraceCallStart(ctx context.Context, _ demeterrr.CallStart) context.Context { return ctx }
func (idle) TraceCallEnd(context.Context, demeterrr.CallEnd)                           {}

// Idle makes a client with a tracer that does nothing.
func Idle(base string, rt http.RoundTripper, retry bool) work.Peer {
	return sdk.New(base, rt, retry, demeterrr.WithTracer(idle{}))
}

// Metrics makes a client with the tracer of module otel. It measures, and drops
// every span.
func Metrics(base string, rt http.RoundTripper, retry bool) work.Peer {
	return withOtel(base, rt, retry, sdktrace.NeverSample())
}

// Spans makes a client with the tracer of module otel. It measures, and records
// every span.
func Spans(base string, rt http.RoundTripper, retry bool) work.Peer {
	return withOtel(base, rt, retry, sdktrace.AlwaysSample())
}

func withOtel(base string, rt http.RoundTripper, retry bool, sampler sdktrace.Sampler) work.Peer {
	tracer, err := demeterrrotel.NewTracer(
		demeterrrotel.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler))),
		demeterrrotel.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))))
	if err != nil {
		panic(err)
	}
	return sdk.New(base, rt, retry, demeterrr.WithTracer(tracer))
}
