// Otel shows demeterrr calls in OpenTelemetry: spans for operations, calls,
// attempts and waits, and metrics for Prometheus.
//
//	go run ./examples/otel
//	go run ./examples/otel -listen localhost:9464
//
// With -listen it keeps running and serves /metrics there.
//
// It runs on the fake demeterrr of the SDK, without an account. The fake
// answers the first call with a 429 and a 500 before it succeeds, and loses the
// last reply. The spans stay in memory, and the program prints them as a tree.
// A real program exports them in batches with otlptracehttp.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	demeterrrotel "github.com/demeterrr/demeterrr-go/otel"
)

func main() {
	listen := flag.String("listen", "", "the `address` to serve /metrics at, until the program is stopped")
	flag.Parse()
	if err := show(*listen); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func show(listen string) error {
	fake := newFake()
	defer fake.Close()
	metrics, err := run(context.Background(), fake, tracetest.NewSpanRecorder(), os.Stdout)
	if err != nil || listen == "" {
		return err
	}
	fmt.Printf("\nhttp://%s/metrics\n", listen)
	http.Handle("/metrics", metrics)
	server := http.Server{Addr: listen, ReadHeaderTimeout: 10 * time.Second}
	return server.ListenAndServe()
}

// setUp is the whole addition to a program: a Tracer on its providers, and
// /metrics.
func setUp(spans sdktrace.SpanProcessor) (*demeterrrotel.Tracer, http.Handler, error) {
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo())
	if err != nil {
		return nil, nil, err
	}
	tracer, err := demeterrrotel.NewTracer(
		demeterrrotel.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))),
		demeterrrotel.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter))))
	return tracer, promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), err
}

// newFake returns a demeterrr with a few failures to look at.
func newFake() *demeterrrtest.Server {
	fake := demeterrrtest.NewServer(demeterrrtest.WithRateLimits(demeterrrtest.SlidingWindow, demeterrr.DefaultLimits()...))
	fake.Inject(demeterrrtest.Fault{Route: "GET /contacts", Status: http.StatusTooManyRequests})
	fake.Inject(demeterrrtest.Fault{Route: "GET /contacts", Status: http.StatusInternalServerError})
	fake.Inject(demeterrrtest.Fault{Route: "POST /sequences/{id}/execute", Drop: demeterrrtest.DropAfter})
	return fake
}

// run makes the calls, prints their spans and counters, and returns /metrics.
func run(ctx context.Context, fake *demeterrrtest.Server, spans *tracetest.SpanRecorder, out io.Writer) (http.Handler, error) {
	tracer, metrics, err := setUp(spans)
	if err != nil {
		return nil, err
	}
	client := fake.Client( // with an account: demeterrr.NewFromEnv
		demeterrr.WithTracer(tracer),
		demeterrr.WithLimiter(demeterrr.NewPacer(demeterrr.Limit{Requests: 5, Window: time.Second})),
		demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: 3, MinWait: 10 * time.Millisecond}))

	jane := fake.AddContact(demeterrr.Contact{Email: "jane.smith@example.com", FirstName: "Jane"})
	survey := fake.AddSequence(demeterrr.Sequence{Name: "Post-Purchase Satisfaction Survey"})
	if _, err := client.Contacts.FindByEmail(ctx, jane.Email); err != nil {
		return nil, err
	}
	if _, _, err := client.Contacts.Upsert(ctx, &demeterrr.ContactParams{Email: jane.Email, FirstName: "Janet"}); err != nil {
		return nil, err
	}
	_, err = client.Sequences.Execute(ctx, survey.ID, &demeterrr.ExecuteParams{
		Contacts: []demeterrr.ExecuteContact{{Email: jane.Email, FirstName: jane.FirstName}},
	})
	if !errors.Is(err, demeterrr.ErrUnknownOutcome) {
		return nil, fmt.Errorf("expected ErrUnknownOutcome, as the reply was lost; got %w", err)
	}
	printTree(out, spans.Ended())
	return metrics, printCounters(ctx, out, metrics)
}
