package demeterrrotel

import (
	"errors"
	"reflect"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// Option changes a Tracer made by [NewTracer].
type Option func(*config)

type config struct {
	tracers  trace.TracerProvider
	meters   metric.MeterProvider
	mistakes []error
}

// WithTracerProvider makes spans with tp. The default is the global provider,
// otel.GetTracerProvider. With a nil tp, NewTracer fails.
func WithTracerProvider(tp trace.TracerProvider) Option {
	return func(c *config) {
		if isNil(tp) {
			c.mistake("WithTracerProvider: the provider is nil; leave the option out for the global one")
			return
		}
		c.tracers = tp
	}
}

// WithMeterProvider makes metrics with mp. The default is the global provider,
// otel.GetMeterProvider. With a nil mp, NewTracer fails.
func WithMeterProvider(mp metric.MeterProvider) Option {
	return func(c *config) {
		if isNil(mp) {
			c.mistake("WithMeterProvider: the provider is nil; leave the option out for the global one")
			return
		}
		c.meters = mp
	}
}

func (c *config) mistake(text string) { c.mistakes = append(c.mistakes, errors.New(text)) }

// isNil reports whether v is nil, or a nil pointer in an interface.
func isNil(v any) bool {
	r := reflect.ValueOf(v)
	return !r.IsValid() || r.Kind() == reflect.Pointer && r.IsNil()
}
