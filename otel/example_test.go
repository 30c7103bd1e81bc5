package demeterrrotel_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"strings"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	demeterrrotel "github.com/demeterrr/demeterrr-go/otel"
)

// With the global providers set, a program needs one more line.
func ExampleNewTracer() {
	tracer, err := demeterrrotel.NewTracer()
	if err != nil {
		log.Fatal(err)
	}
	client, err := demeterrr.New("dem_0123456789012345678901234567890123456789012", demeterrr.WithTracer(tracer))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client)
	// Output: demeterrr.Client(https://app.demeterrr.com/api/v1)
}

// The spans of a call with a retry.
func ExampleWithTracerProvider() {
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	srv.Inject(demeterrrtest.Fault{Status: http.StatusInternalServerError})

	spans := tracetest.NewSpanRecorder() // a real program exports them
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	tracer, err := demeterrrotel.NewTracer(demeterrrotel.WithTracerProvider(provider))
	if err != nil {
		log.Fatal(err)
	}
	policy := demeterrr.RetryPolicy{MaxRetries: 1, MinWait: 1}
	client := srv.Client(demeterrr.WithTracer(tracer), demeterrr.WithRetryPolicy(policy))
	if _, err := client.Contacts.List(context.Background(), nil); err != nil {
		log.Fatal(err)
	}
	for _, span := range spans.Ended() {
		fmt.Println(span.SpanKind(), span.Name())
	}
	// Output:
	// client GET /contacts
	// internal wait backoff
	// client GET /contacts
	// internal Contacts.List
}

// The attempts of a call with a retry, as a metric.
func ExampleWithMeterProvider() {
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	srv.Inject(demeterrrtest.Fault{Status: http.StatusInternalServerError})

	reader := sdkmetric.NewManualReader() // a real program exports them
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	tracer, err := demeterrrotel.NewTracer(demeterrrotel.WithMeterProvider(provider))
	if err != nil {
		log.Fatal(err)
	}
	policy := demeterrr.RetryPolicy{MaxRetries: 1, MinWait: 1}
	client := srv.Client(demeterrr.WithTracer(tracer), demeterrr.WithRetryPolicy(policy))
	if _, err := client.Contacts.List(context.Background(), nil); err != nil {
		log.Fatal(err)
	}
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		log.Fatal(err)
	}
	for _, metric := range all.ScopeMetrics[0].Metrics {
		if sum, ok := metric.Data.(metricdata.Sum[int64]); ok && strings.HasSuffix(metric.Name, "attempts") {
			for _, point := range sum.DataPoints {
				status, _ := point.Attributes.Value("http.response.status_code")
				fmt.Println(metric.Name, status.String(), point.Value)
			}
		}
	}
	// Unordered output:
	// demeterrr.attempts 500 1
	// demeterrr.attempts 200 1
}
