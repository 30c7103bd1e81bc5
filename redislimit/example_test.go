package redislimit_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/redislimit"
)

// All processes with this key share 100 requests a minute and 1,000 an hour.
// Batch jobs leave 20 and 150 of them to the website.
func ExampleNew() {
	rdb := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
	defer rdb.Close()

	limiter, err := redislimit.New(rdb, "acme", []demeterrr.Limit{
		{Requests: 100, Window: time.Minute, Reserve: 20},
		{Requests: 1000, Window: time.Hour, Reserve: 150},
	})
	if err != nil {
		log.Fatal(err)
	}
	client, err := demeterrr.NewFromEnv(demeterrr.WithLimiter(limiter))
	if err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	nightly := demeterrr.LowPriority(ctx) // a batch job, in this process or any other
	for contact, err := range client.Contacts.All(nightly, nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(contact.Email)
	}
}

// The client does this for each attempt.
func ExampleLimiter_Acquire() {
	rdb := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
	defer rdb.Close()
	limiter, err := redislimit.New(rdb, "acme", []demeterrr.Limit{{Requests: 100, Window: time.Minute}})
	if err != nil {
		log.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	release, err := limiter.Acquire(ctx)
	if err != nil {
		log.Fatal(err) // no place: send nothing
	}
	// Send one request now.
	release(demeterrr.LimitOutcome{Sent: true, StatusCode: 200})
}

func ExampleDeadlineError() {
	rdb := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
	defer rdb.Close()
	limiter, err := redislimit.New(rdb, "acme", []demeterrr.Limit{{Requests: 100, Window: time.Minute}})
	if err != nil {
		log.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var late *redislimit.DeadlineError
	if _, err := limiter.Acquire(ctx); errors.As(err, &late) {
		fmt.Println("put the job back for", late.Wait)
	}
}

func ExampleDeadlineError_Error() {
	fmt.Println(&redislimit.DeadlineError{Wait: 90 * time.Second})
	// Output: redislimit: the next place is 1m30s away, after the context's deadline
}

// For requests of up to ten seconds, with some time for a slow network.
func ExampleWithMargin() {
	rdb := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
	defer rdb.Close()
	_, err := redislimit.New(rdb, "acme", []demeterrr.Limit{{Requests: 1000, Window: time.Hour}},
		redislimit.WithMargin(12*time.Second))
	if err != nil {
		log.Fatal(err)
	}
}

func ExampleWithMargin_refused() {
	rdb := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
	defer rdb.Close()
	_, err := redislimit.New(rdb, "acme", []demeterrr.Limit{{Requests: 100, Window: time.Minute}},
		redislimit.WithMargin(-time.Second))
	fmt.Println(err)
	// Output: redislimit: margin -1s is out of range; give more than 0 and at most 8784h0m0s
}

// For a Redis without persistence, and a quota that must hold even after a
// restart.
func ExampleWithColdStartHold() {
	rdb := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
	defer rdb.Close()
	_, err := redislimit.New(rdb, "acme", []demeterrr.Limit{{Requests: 100, Window: time.Minute}},
		redislimit.WithColdStartHold())
	if err != nil {
		log.Fatal(err)
	}
}
