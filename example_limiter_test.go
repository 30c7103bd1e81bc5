package demeterrr_test

import (
	"context"
	"fmt"
	"log"
	"sync/atomic"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// countingLimiter counts the waits at another Limiter. It returns the Release
// of that Limiter.
type countingLimiter struct {
	demeterrr.Limiter
	waits atomic.Int64
}

func (l *countingLimiter) Acquire(ctx context.Context) (demeterrr.Release, error) {
	start := time.Now()
	release, err := l.Limiter.Acquire(ctx)
	if time.Since(start) > time.Millisecond {
		l.waits.Add(1)
	}
	return release, err
}

// A decorator embeds the Limiter below it.
func ExampleLimiter() {
	limiter := &countingLimiter{Limiter: demeterrr.NewPacer(demeterrr.Limit{Requests: 1, Window: 20 * time.Millisecond})}
	client := newClient(demeterrr.WithLimiter(limiter))

	for range 3 {
		if _, err := client.Contacts.List(ctx, nil); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(limiter.waits.Load(), "of 3 calls waited")
	// Output: 2 of 3 calls waited
}

// tenASecond stands for rate.NewLimiter(10, 1) of golang.org/x/time/rate.
type tenASecond struct{}

func (tenASecond) Wait(ctx context.Context) error {
	select {
	case <-time.After(100 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func ExampleWaitLimiter() {
	client := newClient(demeterrr.WithLimiter(demeterrr.WaitLimiter(tenASecond{})))

	_, err := client.Contacts.List(ctx, nil)
	fmt.Println(err)
	// Output: <nil>
}

// Share one Pacer between web requests and batch jobs. Of 100 requests a
// minute, 20 are kept for web requests.
func ExampleLowPriority() {
	client := newClient(demeterrr.WithLimiter(demeterrr.NewPacer(
		demeterrr.Limit{Requests: 100, Window: time.Minute, Reserve: 20},
		demeterrr.Limit{Requests: 1000, Window: time.Hour, Reserve: 150},
	)))

	nightly := demeterrr.LowPriority(context.Background())
	for contact, err := range client.Contacts.All(nightly, nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(contact.Email) // … export it …
	}
	// Output: john.doe@example.com
}

func ExampleIsLowPriority() {
	fmt.Println(demeterrr.IsLowPriority(ctx), demeterrr.IsLowPriority(demeterrr.LowPriority(ctx)))
	// Output: false true
}

// untilNight is a Limiter that holds back calls of low priority until the
// night.
type untilNight struct {
	demeterrr.Limiter
	opens time.Time
}

func (l untilNight) Acquire(ctx context.Context) (demeterrr.Release, error) {
	if wait := time.Until(l.opens); wait > 0 && demeterrr.IsLowPriority(ctx) {
		demeterrr.ReportWait(ctx, l.opens)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return l.Limiter.Acquire(ctx)
}

// A Limiter holds back calls of low priority, and reports until when.
func ExampleReportWait() {
	limiter := untilNight{demeterrr.NewPacer(), time.Now().Add(10 * time.Millisecond)}
	client := newClient(demeterrr.WithLimiter(limiter))

	_, err := client.Contacts.List(demeterrr.LowPriority(ctx), nil, demeterrr.WithOnWait(func(wait demeterrr.WaitStart) {
		fmt.Println("waiting for the", wait.Reason, "until the night:", wait.Until.Equal(limiter.opens))
	}))
	fmt.Println(err)
	// Output:
	// waiting for the limiter until the night: true
	// <nil>
}

// Tell the user about each wait of a call.
func ExampleWithOnWait() {
	client := newClient(demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: 3, MinWait: time.Millisecond}))
	srv.Inject(demeterrrtest.Fault{Route: "GET /contacts", Status: 502, Times: 1})

	tell := demeterrr.WithOnWait(func(wait demeterrr.WaitStart) {
		fmt.Println("waiting:", wait.Reason, wait.Until.Sub(wait.Start) < time.Second)
	})
	_, err := client.Contacts.List(ctx, nil, tell)
	fmt.Println(err)
	// Output:
	// waiting: backoff true
	// <nil>
}
