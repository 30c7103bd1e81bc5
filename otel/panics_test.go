package demeterrrotel_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	demeterrrotel "github.com/demeterrr/demeterrr-go/otel"
)

// grenade is a span processor that panics once, at the start or end of a named
// span.
type grenade struct {
	sdktrace.SpanProcessor
	name  string
	start bool
	used  bool
}

func (g *grenade) throw(name string, start bool) {
	if !g.used && name == g.name && start == g.start {
		g.used = true
		panic("grenade")
	}
}

func (g *grenade) OnStart(_ context.Context, s sdktrace.ReadWriteSpan) { g.throw(s.Name(), true) }
func (g *grenade) OnEnd(s sdktrace.ReadOnlySpan)                       { g.throw(s.Name(), false) }

// The panic of a provider reaches the caller. No other span stays open, and the
// client works on.
func TestAProviderThatPanicsLeavesNoSpanOpen(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Contacts.Upsert", "Contacts.Create", "POST /contacts", "wait limiter", "wait backoff"} {
		for _, start := range []bool{true, false} {
			t.Run(fmt.Sprint(name, start), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					srv := demeterrrtest.NewServer()
					srv.Inject(demeterrrtest.Fault{Status: 500})
					g := &grenade{name: name, start: start}
					o := observe(t, g)
					client := srv.Client(demeterrr.WithTracer(o), demeterrr.WithLimiter(waitOnce(time.Second)))
					upsert := func() (thrown any) {
						defer func() { thrown = recover() }()
						if _, _, err := client.Contacts.Upsert(t.Context(), &demeterrr.ContactParams{Email: "jane.smith@example.com", FirstName: "Jane"}); err != nil {
							t.Error(err)
						}
						return nil
					}
					if thrown := upsert(); thrown != "grenade" {
						t.Errorf("the caller got %v, want the panic", thrown)
					}
					open := map[string]bool{}
					for _, s := range o.spans.Started() {
						open[s.SpanContext().SpanID().String()] = true
					}
					for _, s := range o.spans.Ended() {
						delete(open, s.SpanContext().SpanID().String())
					}
					want := 0
					if start {
						want = 1 // the span whose start panicked is lost
					}
					if len(open) != want {
						t.Errorf("%d spans are open, want %d", len(open), want)
					}
					if thrown := upsert(); thrown != nil {
						t.Errorf("the next call panicked: %v", thrown)
					}
				})
			})
		}
	}
}

// brokenMeters makes counters and histograms that panic.
type brokenMeters struct{ metricnoop.MeterProvider }

func (brokenMeters) Meter(string, ...metric.MeterOption) metric.Meter { return brokenMeter{} }

type brokenMeter struct{ metricnoop.Meter }

func (brokenMeter) Int64Counter(string, ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	return brokenCounter{}, nil
}

type brokenCounter struct{ metricnoop.Int64Counter }

func (brokenCounter) Add(_ context.Context, n int64, _ ...metric.AddOption) {
	if n > 0 {
		panic("canary")
	}
}

// The text of a panic can hold anything, so no span records it.
func TestAMetricThatPanicsEndsEverySpanAndIsNotRecorded(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	tracer, err := demeterrrotel.NewTracer(
		demeterrrotel.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))),
		demeterrrotel.WithMeterProvider(brokenMeters{}))
	if err != nil {
		t.Fatal(err)
	}
	client := demeterrrtest.NewServer().Client(demeterrr.WithTracer(tracer))
	func() {
		defer func() {
			if thrown := recover(); thrown != "canary" {
				t.Errorf("the caller got %v, want the panic", thrown)
			}
		}()
		_, _ = client.Contacts.List(t.Context(), nil)
	}()
	if started, ended := len(spans.Started()), len(spans.Ended()); started != 2 || ended != 2 {
		t.Errorf("%d spans have started and %d have ended, want 2 and 2", started, ended)
	}
	for _, s := range tracetest.SpanStubsFromReadOnlySpans(spans.Ended()) {
		if strings.Contains(fmt.Sprintf("%+v", s), "canary") {
			t.Errorf("span %s holds the text of the panic", s.Name)
		}
	}
}
