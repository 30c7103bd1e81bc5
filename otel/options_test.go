package demeterrrotel_test

import (
	"errors"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	demeterrrotel "github.com/demeterrr/demeterrr-go/otel"
)

// refusing is a meter provider that rejects a name.
type refusing struct{ metricnoop.MeterProvider }

func (refusing) Meter(string, ...metric.MeterOption) metric.Meter { return refusingMeter{} }

type refusingMeter struct{ metricnoop.Meter }

func (refusingMeter) Int64Counter(string, ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	return nil, errors.New("no counters here")
}

func TestBadOptionsAreRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		opts []demeterrrotel.Option
		want string
	}{
		"a nil option":            {[]demeterrrotel.Option{nil}, "option 1 is nil"},
		"a nil tracer provider":   {[]demeterrrotel.Option{demeterrrotel.WithTracerProvider(nil)}, "WithTracerProvider: the provider is nil"},
		"a nil *TracerProvider":   {[]demeterrrotel.Option{demeterrrotel.WithTracerProvider((*sdktrace.TracerProvider)(nil))}, "WithTracerProvider: the provider is nil"},
		"a nil meter provider":    {[]demeterrrotel.Option{demeterrrotel.WithMeterProvider(nil)}, "WithMeterProvider: the provider is nil"},
		"a nil *MeterProvider":    {[]demeterrrotel.Option{demeterrrotel.WithMeterProvider((*sdkmetric.MeterProvider)(nil))}, "WithMeterProvider: the provider is nil"},
		"two mistakes":            {[]demeterrrotel.Option{nil, demeterrrotel.WithMeterProvider(nil)}, "option 1 is nil; leave it out; WithMeterProvider"},
		"a provider that refuses": {[]demeterrrotel.Option{demeterrrotel.WithMeterProvider(refusing{})}, "no counters here"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tracer, err := demeterrrotel.NewTracer(test.opts...)
			if tracer != nil || err == nil || !strings.HasPrefix(err.Error(), "demeterrr: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, %v; want an error with %q", tracer, err, test.want)
			}
		})
	}
}

func TestTheZeroTracerDoesNothing(t *testing.T) {
	t.Parallel()
	client := demeterrrtest.NewServer().Client(demeterrr.WithTracer(new(demeterrrotel.Tracer)))
	if _, _, err := client.Contacts.Upsert(t.Context(), &demeterrr.ContactParams{Email: "jane.smith@example.com", FirstName: "Jane"}); err != nil {
		t.Error(err)
	}
}
