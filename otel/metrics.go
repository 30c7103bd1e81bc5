package demeterrrotel

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/httpconv"

	"github.com/demeterrr/demeterrr-go"
)

// instruments are the metrics of a [Tracer]. The README lists them.
type instruments struct {
	requestDuration httpconv.ClientRequestDuration
	callDuration    metric.Float64Histogram
	waitDuration    metric.Float64Histogram
	activeWaits     metric.Int64UpDownCounter
	attempts        metric.Int64Counter
	retries         metric.Int64Counter
	rateLimited     metric.Int64Counter
	unknownOutcomes metric.Int64Counter
	quotaLimit      metric.Int64ObservableGauge
	quotaRemaining  metric.Int64ObservableGauge
	quotas          cache[server, *quota]
}

// quota is the last quota reported by a server, with the end of its validity.
type quota struct {
	last atomic.Pointer[report]
	of   metric.ObserveOption
}

type report struct {
	demeterrr.RateLimit
	until time.Time // zero for no end
}

// shortest is the shortest time that a quota is reported: about two scrapes.
// With a sliding window, the quota itself can end a second later.
const shortest = 5 * time.Minute

// seconds are buckets for calls that can wait for the next hour's quota.
var seconds = metric.WithExplicitBucketBoundaries(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)

func newInstruments(m metric.Meter) (*instruments, error) {
	i := new(instruments)
	var errs [11]error
	i.requestDuration, errs[0] = httpconv.NewClientRequestDuration(m)
	i.callDuration, errs[1] = m.Float64Histogram("demeterrr.call.duration", metric.WithUnit("s"), seconds,
		metric.WithDescription("Duration of calls, with their attempts and waits."))
	i.waitDuration, errs[2] = m.Float64Histogram("demeterrr.wait.duration", metric.WithUnit("s"), seconds,
		metric.WithDescription("Duration of waits within calls."))
	i.attempts, errs[3] = m.Int64Counter("demeterrr.attempts", metric.WithUnit("{attempt}"),
		metric.WithDescription("Requests sent, retries included."))
	i.retries, errs[4] = m.Int64Counter("demeterrr.retries", metric.WithUnit("{attempt}"),
		metric.WithDescription("Requests sent again, by the failure before."))
	i.rateLimited, errs[5] = m.Int64Counter("demeterrr.rate_limited", metric.WithUnit("{attempt}"),
		metric.WithDescription("Requests answered with 429."))
	i.unknownOutcomes, errs[6] = m.Int64Counter("demeterrr.unknown_outcomes", metric.WithUnit("{call}"),
		metric.WithDescription("Failed writes that may have taken effect."))
	i.quotaLimit, errs[7] = m.Int64ObservableGauge("demeterrr.quota.limit", metric.WithUnit("{request}"),
		metric.WithDescription("Requests that the reported window allows."))
	i.quotaRemaining, errs[8] = m.Int64ObservableGauge("demeterrr.quota.remaining", metric.WithUnit("{request}"),
		metric.WithDescription("Requests left in the reported window."))
	i.activeWaits, errs[9] = m.Int64UpDownCounter("demeterrr.active_waits", metric.WithUnit("{wait}"),
		metric.WithDescription("Calls that are waiting."))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	_, errs[10] = m.RegisterCallback(i.observe, i.quotaLimit, i.quotaRemaining)
	return i, errs[10]
}

// seriesKey names a series of a route: an instrument, and its attributes beside
// those of the route.
type seriesKey struct {
	instrument string
	status     int
	text       string
}

// series holds the attributes of a series, ready for its instrument.
type series struct {
	add    []metric.AddOption
	record []metric.RecordOption
}

func newSeries(attrs ...[]attribute.KeyValue) series {
	option := metric.WithAttributeSet(attribute.NewSet(slices.Concat(attrs...)...))
	return series{[]metric.AddOption{option}, []metric.RecordOption{option}}
}

// plain returns the series with only the attributes of the route.
func (r *route) plain() series {
	return r.series.get(seriesKey{}, func() series { return newSeries(r.operation) })
}

// by returns the series for one value of an attribute.
func (r *route) by(key attribute.Key, value string) series {
	return r.series.get(seriesKey{instrument: string(key), text: value}, func() series {
		return newSeries(r.operation, []attribute.KeyValue{key.String(value)})
	})
}

// ended returns the series for a status and an error type. attrs are the
// attributes of the route that the instrument has.
func (r *route) ended(instrument string, attrs []attribute.KeyValue, status int, kind string) series {
	return r.series.get(seriesKey{instrument, status, kind}, func() series {
		var end []attribute.KeyValue
		if status != 0 {
			end = append(end, semconv.HTTPResponseStatusCode(status))
		}
		if kind != "" {
			end = append(end, semconv.ErrorTypeKey.String(kind))
		}
		return newSeries(attrs, end)
	})
}

// begin starts the counters for alerts at 0: Prometheus sees no increase in a
// series that begins with 1.
func (i *instruments) begin(ctx context.Context, r *route) {
	r.begun.Do(func() {
		zero := r.plain()
		i.rateLimited.Add(ctx, 0, zero.add...)
		if r.writes {
			i.unknownOutcomes.Add(ctx, 0, zero.add...)
		}
	})
}

func (i *instruments) call(ctx context.Context, c *call, end demeterrr.CallEnd, kind string) {
	i.callDuration.Record(ctx, time.Since(c.start).Seconds(), c.route.ended("call", c.route.operation, 0, kind).record...)
	if end.UnknownOutcome {
		i.unknownOutcomes.Add(ctx, 1, c.route.plain().add...)
	}
}

func (i *instruments) attempt(ctx context.Context, c *call, took time.Duration, end demeterrr.AttemptEnd, kind string) {
	i.requestDuration.Inst().Record(ctx, took.Seconds(), c.route.ended("http", c.route.http, end.StatusCode, kind).record...)
	i.attempts.Add(ctx, 1, c.route.ended("attempt", c.route.operation, end.StatusCode, kind).add...)
	if end.StatusCode == http.StatusTooManyRequests {
		i.rateLimited.Add(ctx, 1, c.route.plain().add...)
	}
	if end.RateLimit != (demeterrr.RateLimit{}) {
		i.quotaOf(c.route.server).store(end.RateLimit)
	}
}

func (q *quota) store(reported demeterrr.RateLimit) {
	r := &report{RateLimit: reported, until: reported.Reset}
	if soonest := time.Now().Add(shortest); !r.until.IsZero() && r.until.Before(soonest) {
		r.until = soonest
	}
	q.last.Store(r)
}

func (i *instruments) retry(ctx context.Context, c *call, reason string) {
	i.retries.Add(ctx, 1, c.route.by(retryReason, reason).add...)
}

// waits adds to the number of waiting calls.
func (i *instruments) waits(ctx context.Context, c *call, reason demeterrr.WaitReason, more int64) {
	i.activeWaits.Add(ctx, more, c.route.by(waitReason, string(reason)).add...)
}

func (i *instruments) wait(ctx context.Context, c *call, end demeterrr.WaitEnd) {
	i.waitDuration.Record(ctx, end.Duration.Seconds(), c.route.by(waitReason, string(end.Reason)).record...)
}

func (i *instruments) quotaOf(s server) *quota {
	return i.quotas.get(s, func() *quota {
		return &quota{of: metric.WithAttributeSet(attribute.NewSet(semconv.ServerAddress(s.address), semconv.ServerPort(s.port)))}
	})
}

// observe reports each quota until its window ends. The quota after that is
// unknown until the next reply.
func (i *instruments) observe(_ context.Context, o metric.Observer) error {
	i.quotas.each(func(_ server, q *quota) {
		r := q.last.Load()
		if r == nil || !r.until.IsZero() && !time.Now().Before(r.until) {
			return
		}
		o.ObserveInt64(i.quotaLimit, int64(r.Limit), q.of)
		o.ObserveInt64(i.quotaRemaining, int64(r.Remaining), q.of)
	})
	return nil
}
