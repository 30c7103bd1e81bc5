package demeterrrotel_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/demeterrr/demeterrr-go"
	demeterrrotel "github.com/demeterrr/demeterrr-go/otel"
)

// observer is a Tracer with its spans and metrics in memory.
type observer struct {
	*demeterrrotel.Tracer
	spans  *tracetest.SpanRecorder
	reader *sdkmetric.ManualReader
}

// observe makes an observer. Further processors come after the recorder.
func observe(t testing.TB, processors ...sdktrace.SpanProcessor) *observer {
	t.Helper()
	o := &observer{spans: tracetest.NewSpanRecorder(), reader: sdkmetric.NewManualReader()}
	traces := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(o.spans))
	for _, p := range processors {
		traces.RegisterSpanProcessor(p)
	}
	var err error
	o.Tracer, err = demeterrrotel.NewTracer(
		demeterrrotel.WithTracerProvider(traces),
		demeterrrotel.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(o.reader))))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// stubs returns the ended spans.
func (o *observer) stubs() tracetest.SpanStubs {
	return tracetest.SpanStubsFromReadOnlySpans(o.spans.Ended())
}

// collect returns the metrics of the module.
func (o *observer) collect(t testing.TB) []metricdata.Metrics {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := o.reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		if scope.Scope.Name == "github.com/demeterrr/demeterrr-go/otel" {
			return scope.Metrics
		}
	}
	return nil
}

// all returns the whole content of the spans and metrics as text.
func (o *observer) all(t testing.TB) string {
	t.Helper()
	metrics := o.collect(t)
	var b strings.Builder
	for _, v := range []any{o.stubs(), metrics} {
		encoded, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(encoded)
	}
	fmt.Fprintf(&b, "%+v", metrics)
	return b.String()
}

// tree prints the spans below the one with the id, in the order of their
// starts: name, kind, duration, attributes and status.
func tree(spans tracetest.SpanStubs, below [8]byte, depth int) string {
	var b strings.Builder
	for _, s := range ordered(spans) {
		if s.Parent.SpanID() != below {
			continue
		}
		fmt.Fprintf(&b, "%s%s | %s | %v | %s", strings.Repeat("  ", depth), s.Name, s.SpanKind, length(s), attributes(s.Attributes))
		if s.Status.Description != "" {
			fmt.Fprintf(&b, " | %s", s.Status.Description)
		}
		b.WriteString("\n" + tree(spans, s.SpanContext.SpanID(), depth+1))
	}
	return b.String()
}

func ordered(spans tracetest.SpanStubs) tracetest.SpanStubs {
	spans = slices.Clone(spans)
	slices.SortStableFunc(spans, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
	return spans
}

func length(s tracetest.SpanStub) time.Duration { return s.EndTime.Sub(s.StartTime) }

func attributes(attrs []attribute.KeyValue) string {
	attrs = slices.Clone(attrs)
	slices.SortFunc(attrs, func(a, b attribute.KeyValue) int { return strings.Compare(string(a.Key), string(b.Key)) })
	var parts []string
	for _, a := range attrs {
		parts = append(parts, string(a.Key)+"="+a.Value.String())
	}
	return strings.Join(parts, " ")
}

// points prints every point of the metrics: name, attributes, and a value, or a
// count and a sum.
func points(metrics []metricdata.Metrics) string {
	var lines []string
	line := func(m metricdata.Metrics, attrs attribute.Set, value string) {
		lines = append(lines, fmt.Sprintf("%s %s | %s | %s\n", m.Name, m.Unit, attributes(attrs.ToSlice()), value))
	}
	for _, m := range metrics {
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range data.DataPoints {
				line(m, p.Attributes, fmt.Sprint(p.Value))
			}
		case metricdata.Gauge[int64]:
			for _, p := range data.DataPoints {
				line(m, p.Attributes, fmt.Sprint(p.Value))
			}
		case metricdata.Histogram[float64]:
			for _, p := range data.DataPoints {
				line(m, p.Attributes, fmt.Sprintf("%d in %v", p.Count, p.Sum))
			}
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// limiterFunc is a Limiter.
type limiterFunc func(context.Context) error

func (f limiterFunc) Acquire(ctx context.Context) (demeterrr.Release, error) { return nil, f(ctx) }

// reportingLimiter is a Limiter with a wait of d for each attempt, which it
// reports.
func reportingLimiter(d time.Duration) demeterrr.Limiter {
	return limiterFunc(func(ctx context.Context) error {
		if d > 0 {
			demeterrr.ReportWait(ctx, time.Now().Add(d))
			time.Sleep(d)
		}
		return nil
	})
}

// waitOnce is a Limiter with a wait for the first attempt.
func waitOnce(d time.Duration) demeterrr.Limiter {
	return limiterFunc(func(context.Context) error {
		time.Sleep(d)
		d = 0
		return nil
	})
}
