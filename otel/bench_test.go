package demeterrrotel_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/demeterrr/demeterrr-go"
	demeterrrotel "github.com/demeterrr/demeterrr-go/otel"
)

// contact is a transport that answers every request with a contact.
type contact struct{}

const contactBody = `{"data":{"id":"990e8400-e29b-41d4-a716-446655440000","email":"jane.smith@example.com","firstName":"Jane","createdAt":"2026-01-15T10:30:00.000Z","updatedAt":"2026-01-15T10:30:00.000Z"}}`

func (contact) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, Request: req,
		Body: io.NopCloser(strings.NewReader(contactBody)), ContentLength: int64(len(contactBody)),
	}, nil
}

// BenchmarkGet measures the cost of a Tracer for a call that succeeds at once:
// without one, with dropped spans, with metrics alone, with recorded spans
// alone, and with both.
func BenchmarkGet(b *testing.B) {
	meters := func() demeterrrotel.Option {
		return demeterrrotel.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())))
	}
	recorded := func() demeterrrotel.Option {
		return demeterrrotel.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.AlwaysSample())))
	}
	dropped := func() demeterrrotel.Option {
		return demeterrrotel.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())))
	}
	benchmarks := []struct {
		name string
		opts []demeterrrotel.Option // nil for no tracer
	}{
		{"no tracer", nil},
		{"no-op providers", []demeterrrotel.Option{demeterrrotel.WithTracerProvider(tracenoop.NewTracerProvider())}},
		{"metrics", []demeterrrotel.Option{meters()}},
		{"metrics and dropped spans", []demeterrrotel.Option{meters(), dropped()}},
		{"metrics and recorded spans", []demeterrrotel.Option{meters(), recorded()}},
	}
	for _, bench := range benchmarks {
		b.Run(bench.name, func(b *testing.B) {
			options := []demeterrr.Option{demeterrr.WithHTTPClient(&http.Client{Transport: contact{}})}
			if bench.opts != nil {
				tracer, err := demeterrrotel.NewTracer(bench.opts...)
				if err != nil {
					b.Fatal(err)
				}
				options = append(options, demeterrr.WithTracer(tracer))
			}
			client, err := demeterrr.New("dem_0123456789012345678901234567890123456789012", options...)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := client.Contacts.Get(b.Context(), "990e8400-e29b-41d4-a716-446655440000"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
