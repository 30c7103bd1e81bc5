package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// printTree prints the spans, each below its parent, in the order of their
// starts.
func printTree(out io.Writer, spans []sdktrace.ReadOnlySpan) {
	slices.SortStableFunc(spans, func(a, b sdktrace.ReadOnlySpan) int { return a.StartTime().Compare(b.StartTime()) })
	var print func(parent trace.SpanID, indent string)
	print = func(parent trace.SpanID, indent string) {
		for _, span := range spans {
			if span.Parent().SpanID() == parent {
				fmt.Fprintln(out, indent+line(span))
				print(span.SpanContext().SpanID(), indent+"    ")
			}
		}
	}
	print(trace.SpanID{}, "")
}

// line returns a span's name, HTTP status and error, and a mark if its outcome
// is unknown.
func line(span sdktrace.ReadOnlySpan) string {
	parts := []string{span.Name()}
	for _, key := range []attribute.Key{"http.response.status_code", "error.type", "demeterrr.unknown_outcome"} {
		for _, attr := range span.Attributes() {
			switch {
			case attr.Key != key:
			case key == "demeterrr.unknown_outcome":
				parts = append(parts, "(outcome unknown)")
			default:
				parts = append(parts, attr.Value.String())
			}
		}
	}
	return strings.Join(parts, " ")
}

// printCounters prints the counters, counts and quotas in /metrics above 0.
func printCounters(ctx context.Context, out io.Writer, metrics http.Handler) error {
	w := httptest.NewRecorder()
	metrics.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		return fmt.Errorf("/metrics answered %d: %s", w.Code, w.Body)
	}
	fmt.Fprintln(out)
	for line := range strings.Lines(w.Body.String()) {
		name, _, _ := strings.Cut(line, "{")
		switch {
		case !strings.HasPrefix(name, "demeterrr_") || strings.HasSuffix(line, " 0\n"):
		case strings.HasPrefix(name, "demeterrr_call_duration") || strings.HasSuffix(name, "_bucket") || strings.HasSuffix(name, "_sum"):
		default:
			fmt.Fprint(out, line)
		}
	}
	return nil
}
