package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
	demeterrrotel "github.com/demeterrr/demeterrr-go/otel"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// The night: the shop runs all the time, the job and the others for a part of
// it.
const (
	length      = 8 * time.Hour
	begins      = 22 // o'clock
	jobStarts   = 3 * time.Hour
	jobUpdates  = 2500
	jobWorkers  = 4
	othersStart = 4*time.Hour + 15*time.Minute
	othersSend  = 400
	outage      = 5*time.Hour + 2*time.Minute
	outageLasts = 10 * time.Minute
)

// night has the metrics of both programs, read once a minute.
type night struct {
	minutes []reading
	failed  int // calls
}

// reading has one value for each series, named by its metric and one attribute.
type reading map[string]float64

// simulate runs the night in virtual time.
func simulate(t *testing.T) *night {
	t.Helper()
	n := new(night)
	synctest.Test(t, func(t *testing.T) { n.run(t) })
	return n
}

func (n *night) run(t *testing.T) {
	t.Helper()
	srv := demeterrrtest.NewServer(
		demeterrrtest.WithRateLimits(demeterrrtest.SlidingWindow, demeterrr.DefaultLimits()...),
		demeterrrtest.WithLatency(200*time.Millisecond, 200*time.Millisecond),
		demeterrrtest.WithRequestLog(func(demeterrrtest.Request) {}))
	defer srv.Close()
	reader := sdkmetric.NewManualReader()
	tracer, err := demeterrrotel.NewTracer(demeterrrotel.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	count := func(err error) {
		if err != nil {
			t.Log(err)
			mu.Lock()
			n.failed++
			mu.Unlock()
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	var programs sync.WaitGroup
	programs.Go(func() { shop(ctx, srv.Client(demeterrr.WithTracer(tracer)), count) })
	programs.Go(func() { job(ctx, srv, tracer, count) })
	programs.Go(func() { others(ctx, srv) })
	programs.Go(func() { fail(ctx, srv) })
	for range int(length / time.Minute) {
		n.read(t, reader)
		time.Sleep(time.Minute)
	}
	cancel()
	programs.Wait()
}

// shop upserts a customer every two minutes, with the defaults of the SDK.
func shop(ctx context.Context, client *demeterrr.Client, count func(error)) {
	for i := 0; pause(ctx, 2*time.Minute); i++ {
		_, _, err := client.Contacts.Upsert(ctx, &demeterrr.ContactParams{Email: fmt.Sprintf("customer%d@example.com", i), FirstName: "Jane"})
		count(err)
	}
}

// job updates all contacts, with a Pacer and the retries of a nightly job.
func job(ctx context.Context, srv *demeterrrtest.Server, tracer demeterrr.Tracer, count func(error)) {
	policy := demeterrr.RetryPolicy{MaxRetries: 10, MaxRetryAfter: time.Hour}
	client := srv.Client(demeterrr.WithTracer(tracer), demeterrr.WithLimiter(demeterrr.NewPacer()), demeterrr.WithRetryPolicy(policy))
	contact := srv.AddContact(demeterrr.Contact{Email: "guest@example.com"})
	if !pause(ctx, jobStarts) {
		return
	}
	updates := make(chan int)
	var workers sync.WaitGroup
	for range jobWorkers {
		workers.Go(func() {
			for i := range updates {
				_, err := client.Contacts.Update(ctx, contact.ID, &demeterrr.ContactUpdate{FirstName: demeterrr.Set(fmt.Sprint("Jane ", i))})
				count(err)
			}
		})
	}
	for i := range jobUpdates {
		updates <- i
	}
	close(updates)
	workers.Wait()
}

// others use up the quota of the organization: as fast as they can, and without
// tracing.
func others(ctx context.Context, srv *demeterrrtest.Server) {
	client := srv.Client(demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{}))
	if !pause(ctx, othersStart) {
		return
	}
	for range othersSend {
		_, _ = client.Sequences.List(ctx, nil)
		if !pause(ctx, 5*time.Second) {
			return
		}
	}
}

// fail makes the API answer 503 for some minutes.
func fail(ctx context.Context, srv *demeterrrtest.Server) {
	if pause(ctx, outage) {
		srv.Inject(demeterrrtest.Fault{Status: http.StatusServiceUnavailable, Times: demeterrrtest.Always})
	}
	if pause(ctx, outageLasts) {
		srv.ClearFaults()
	}
}

// pause sleeps for d and reports whether the night goes on.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// read collects the metrics like a scrape.
func (n *night) read(t *testing.T, reader *sdkmetric.ManualReader) {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	now := reading{}
	add := func(metric string, attrs attribute.Set, key attribute.Key, value float64) {
		by, _ := attrs.Value(key)
		now[strings.TrimSpace(metric+" "+by.String())] += value
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					add(m.Name, p.Attributes, "demeterrr.operation", float64(p.Value))
				}
			case metricdata.Gauge[int64]:
				for _, p := range data.DataPoints {
					add(m.Name, attribute.Set{}, "", float64(p.Value))
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					add(m.Name, p.Attributes, "demeterrr.wait.reason", p.Sum)
				}
			}
		}
	}
	n.minutes = append(n.minutes, now)
}

// summary returns the last value of every series.
func (n *night) summary() string {
	var lines []string
	for name, value := range n.minutes[len(n.minutes)-1] {
		lines = append(lines, fmt.Sprintf("%-40s %10.1f\n", name, value))
	}
	slices.Sort(lines)
	return strings.Join(lines, "") + fmt.Sprintf("%-40s %10d\n", "calls failed", n.failed)
}
