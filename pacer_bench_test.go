package demeterrr_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// BenchmarkPacer measures the cost to acquire and release a free place.
func BenchmarkPacer(b *testing.B) {
	limits := []demeterrr.Limit{{Requests: 100, Window: 1, Reserve: 21}, {Requests: 1000, Window: 1, Reserve: 141}}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for _, bench := range []struct {
		name    string
		ctx     context.Context
		outcome demeterrr.LimitOutcome
	}{
		{"without a report", ctx, demeterrr.LimitOutcome{Sent: true}},
		{"with a report", ctx, demeterrr.LimitOutcome{Sent: true, RateLimit: demeterrr.RateLimit{Limit: 1000, Remaining: 999, Reset: time.Now().Add(time.Hour)}}},
		{"not sent", ctx, demeterrr.LimitOutcome{}},
		{"low priority", demeterrr.LowPriority(ctx), demeterrr.LimitOutcome{Sent: true}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			p := demeterrr.NewPacer(limits...)
			b.ReportAllocs()
			for b.Loop() {
				release, err := p.Acquire(bench.ctx)
				if err != nil {
					b.Fatal(err)
				}
				release(bench.outcome)
			}
		})
	}
}

// BenchmarkPacerBesideLine measures a normal call beside a blocked line of low
// priority.
func BenchmarkPacerBesideLine(b *testing.B) {
	var short float64
	for _, length := range []int{10, 10_000} {
		b.Run(fmt.Sprint(length), func(b *testing.B) {
			p := demeterrr.NewPacer(demeterrr.Limit{Requests: 2, Window: 1, Reserve: 1})
			low, cancel := context.WithCancel(demeterrr.LowPriority(b.Context()))
			if _, err := p.Acquire(low); err != nil {
				b.Fatal(err)
			}
			var goroutines sync.WaitGroup
			for range length {
				goroutines.Go(func() { _, _ = p.Acquire(low) })
			}
			b.ReportAllocs()
			for b.Loop() {
				release, err := p.Acquire(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				release(demeterrr.LimitOutcome{Sent: true})
			}
			cost := float64(b.Elapsed()) / float64(b.N)
			if length == 10 {
				short = cost
			}
			b.ReportMetric(cost/short, "×short")
			cancel()
			goroutines.Wait()
		})
	}
}

// BenchmarkPacerLine measures a place in a line of goroutines, with one holder
// at a time. The last metric is the cost relative to the line of 10. A channel
// with room for one shows Go's own part: 10,000 stacks do not fit in a cache.
func BenchmarkPacerLine(b *testing.B) {
	for name, newLimiter := range map[string]func() demeterrr.Limiter{
		"Pacer":   func() demeterrr.Limiter { return demeterrr.NewPacer(demeterrr.Limit{Requests: 1, Window: 1}) },
		"channel": func() demeterrr.Limiter { return channelLimiter(make(chan struct{}, 1)) },
	} {
		var short float64
		for _, length := range []int{10, 10_000} {
			b.Run(fmt.Sprintf("%s/%d", name, length), func(b *testing.B) {
				cost := line(b, newLimiter(), length)
				if length == 10 {
					short = cost
				}
				b.ReportMetric(cost/short, "×short")
			})
		}
	}
}

// line makes goroutines take places in turn, and returns the cost of one.
func line(b *testing.B, limiter demeterrr.Limiter, length int) float64 {
	b.Helper()
	first, err := limiter.Acquire(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	turns := b.N/length + 1
	var coming atomic.Int64
	var goroutines sync.WaitGroup
	for i := range length {
		ctx := context.Background()
		if i%2 == 0 {
			ctx = demeterrr.LowPriority(ctx)
		}
		goroutines.Go(func() {
			coming.Add(1)
			for range turns {
				release, err := limiter.Acquire(ctx)
				if err != nil {
					b.Error(err)
					return
				}
				release(demeterrr.LimitOutcome{Sent: true})
			}
		})
	}
	for coming.Load() < int64(length) {
		runtime.Gosched()
	}
	b.ResetTimer()
	first(demeterrr.LimitOutcome{})
	goroutines.Wait()
	b.StopTimer()
	return float64(b.Elapsed()) / float64(length*turns)
}

type channelLimiter chan struct{}

func (c channelLimiter) Acquire(context.Context) (demeterrr.Release, error) {
	c <- struct{}{}
	return func(demeterrr.LimitOutcome) { <-c }, nil
}
