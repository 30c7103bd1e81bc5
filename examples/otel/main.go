// Otel shows demeterrr calls in OpenTelemetry: a span for each call, and below it
// one for every attempt, retries included, with neither the API key nor an email
// in any of them.
//
//	go run ./examples/otel
//
// The SDK knows nothing of OpenTelemetry: the spans of the attempts come from
// otelhttp, in the caller's own transport. It needs no account: it runs on the
// fake demeterrr that comes with the SDK, which answers the first call with a 429
// and a 500 before it succeeds, and loses the reply to the second. The spans
// stay in memory and are printed as a tree; a real program exports them with
// otlptracehttp, in a batch.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

func main() {
	fake := demeterrrtest.NewServer()
	defer fake.Close()
	if err := run(context.Background(), fake, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// traced is a transport that makes a span for every request, and keeps queries
// out of them.
func traced(next http.RoundTripper, provider trace.TracerProvider) http.RoundTripper {
	return otelhttp.NewTransport(withoutQuery{next}, otelhttp.WithTracerProvider(provider))
}

// withoutQuery takes the query out of the span that otelhttp has just begun: its
// url.full would show the email of Contacts.FindByEmail, and otelhttp has no
// option against that. It stands below otelhttp, whose span is in the context there;
// an attribute that is set again is replaced. The request itself is sent as it is.
type withoutQuery struct{ next http.RoundTripper }

func (t withoutQuery) RoundTrip(req *http.Request) (*http.Response, error) {
	u := *req.URL
	u.RawQuery = ""
	trace.SpanFromContext(req.Context()).SetAttributes(attribute.String("url.full", u.String()))
	return t.next.RoundTrip(req)
}

// inSpan makes one call in a span of its own. The spans of its attempts become
// children of it, because they find it in the context.
func inSpan(ctx context.Context, tracer trace.Tracer, name string, call func(context.Context) error) error {
	ctx, span := tracer.Start(ctx, name)
	defer span.End()
	err := call(ctx)
	if err != nil {
		span.SetStatus(codes.Error, err.Error()) // the SDK's errors hold neither the key nor a query
	}
	return err
}

func run(ctx context.Context, fake *demeterrrtest.Server, out io.Writer) error {
	exporter := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	tracer := provider.Tracer("shop")

	// With an account: demeterrr.NewFromEnv, and traced(http.DefaultTransport, provider).
	client := fake.Client(
		demeterrr.WithHTTPClient(&http.Client{Transport: traced(fake.Transport(), provider)}),
		demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: 3, MinWait: 10 * time.Millisecond}))

	jane := fake.AddContact(demeterrr.Contact{Email: "jane.smith@example.com", FirstName: "Jane"})
	survey := fake.AddSequence(demeterrr.Sequence{Name: "Post-Purchase Satisfaction Survey"})
	fake.Inject(demeterrrtest.Fault{Route: "GET /contacts", Status: http.StatusTooManyRequests})
	fake.Inject(demeterrrtest.Fault{Route: "GET /contacts", Status: http.StatusInternalServerError})
	fake.Inject(demeterrrtest.Fault{Route: "POST /sequences/{id}/execute", Drop: demeterrrtest.DropAfter})

	err := inSpan(ctx, tracer, "find the customer", func(ctx context.Context) error {
		_, err := client.Contacts.FindByEmail(ctx, jane.Email)
		return err
	})
	if err != nil {
		return err
	}
	err = inSpan(ctx, tracer, "send the survey", func(ctx context.Context) error {
		_, err := client.Sequences.Execute(ctx, survey.ID, &demeterrr.ExecuteParams{
			Contacts: []demeterrr.ExecuteContact{{Email: jane.Email, FirstName: jane.FirstName}},
		})
		return err
	})
	if !errors.Is(err, demeterrr.ErrUnknownOutcome) {
		return fmt.Errorf("expected ErrUnknownOutcome, as the reply was lost; got %w", err)
	}

	spans := exporter.GetSpans() // before Shutdown, which empties the exporter
	if _, err := io.WriteString(out, tree(spans)); err != nil {
		return err
	}
	if err := holdsNone(spans, fake.APIKey(), "jane.smith"); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "%d spans, and neither the API key nor an email in any of them.\n", len(spans)); err != nil {
		return err
	}
	return provider.Shutdown(ctx)
}

// holdsNone looks for the secrets in everything that a span has: name, attributes,
// events, status. An email is escaped in a query, so look for what is before the @.
func holdsNone(spans tracetest.SpanStubs, secrets ...string) error {
	all, err := json.Marshal(spans)
	if err != nil {
		return err
	}
	for _, secret := range secrets {
		if strings.Contains(string(all), secret) {
			return fmt.Errorf("an exported span holds %q", secret)
		}
	}
	return nil
}

// tree is each call with its attempts below it, in the order in which they ended.
func tree(spans tracetest.SpanStubs) string {
	var b strings.Builder
	for _, call := range spans {
		if call.Parent.IsValid() {
			continue
		}
		b.WriteString(line(call) + "\n")
		for _, attempt := range spans {
			if attempt.Parent.SpanID() == call.SpanContext.SpanID() {
				b.WriteString("    " + line(attempt) + "\n")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// line is a span's name, then its URL and HTTP status if it has them, then its error.
func line(span tracetest.SpanStub) string {
	parts := []string{span.Name}
	for _, key := range []attribute.Key{"url.full", "http.response.status_code"} {
		for _, attr := range span.Attributes {
			if attr.Key == key {
				parts = append(parts, attr.Value.String())
			}
		}
	}
	if span.Status.Description != "" {
		parts = append(parts, "("+span.Status.Description+")")
	}
	return strings.Join(parts, " ")
}
