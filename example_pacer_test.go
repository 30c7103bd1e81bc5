package demeterrr_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// A Pacer keeps all calls of a client within the quota, retries included.
func ExamplePacer() {
	srv := demeterrrtest.NewServer(demeterrrtest.WithRateLimits(demeterrrtest.SlidingWindow,
		demeterrrtest.Limit{Requests: 5, Window: 10 * time.Millisecond}))
	defer srv.Close()
	client := srv.Client(demeterrr.WithLimiter(
		demeterrr.NewPacer(demeterrr.Limit{Requests: 5, Window: 10 * time.Millisecond})))

	for range 12 {
		if _, err := client.Contacts.List(context.Background(), nil); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(len(srv.Requests()), "requests for 12 calls")
	// Output: 12 requests for 12 calls
}

// Leave 30 % of the quota to other programs.
func ExampleNewPacer() {
	pacer := demeterrr.NewPacer(
		demeterrr.Limit{Requests: 70, Window: time.Minute},
		demeterrr.Limit{Requests: 700, Window: time.Hour},
	)
	client, err := demeterrr.New("dem_your_key_here", demeterrr.WithLimiter(pacer))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.RateLimit().Limit) // nothing is reported yet
	// Output: 0
}

func ExampleDefaultLimits() {
	for _, limit := range demeterrr.DefaultLimits() {
		fmt.Println(limit.Requests, "requests in", limit.Window)
	}
	// Output:
	// 100 requests in 1m0s
	// 1000 requests in 1h0m0s
}

// The Reserve of a limit is kept for calls of normal priority.
func ExampleLimit_reserve() {
	pacer := demeterrr.NewPacer(demeterrr.Limit{Requests: 100, Window: time.Minute, Reserve: 20})
	nightly := demeterrr.LowPriority(context.Background()) // bulk.Sync and bulk.Execute mark their own calls

	jobs := 0
	for ; ; jobs++ {
		ctx, cancel := context.WithTimeout(nightly, time.Second)
		_, err := pacer.Acquire(ctx)
		cancel()
		if err != nil {
			break
		}
	}
	_, err := pacer.Acquire(context.Background()) // a call of the website
	fmt.Println(jobs, "places for the job, then one for the website:", err == nil)
	// Output: 80 places for the job, then one for the website: true
}

// If the wait would outlast the context, Acquire fails at once.
func ExamplePacer_Acquire() {
	pacer := demeterrr.NewPacer(demeterrr.Limit{Requests: 1, Window: time.Hour})
	release, err := pacer.Acquire(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	// … send a request …
	release(demeterrr.LimitOutcome{Sent: true, StatusCode: 200})

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err = pacer.Acquire(ctx)
	var e *demeterrr.Error
	if errors.As(err, &e) && errors.Is(err, demeterrr.ErrRateLimited) {
		fmt.Println("try again in", e.RetryAfter.Round(time.Minute))
	}
	// Output: try again in 1h0m0s
}

func ExampleWithLimiter_pacer() {
	client := newClient(demeterrr.WithLimiter(demeterrr.NewPacer(demeterrr.DefaultLimits()...)))

	_, err := client.Contacts.List(ctx, nil)
	fmt.Println(err)
	// Output: <nil>
}
