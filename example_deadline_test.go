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

// nightlyJob updates customers, in as many runs as it takes. A real job keeps
// Next in durable storage, such as a row of a table.
type nightlyJob struct {
	Customers []demeterrr.ContactParams
	Next      int // index of the first customer to do
}

// run continues after the last run, until the deadline of ctx. It returns the
// wait before the next run, or 0 if all customers are done. An error keeps the
// finished customers.
func (j *nightlyJob) run(ctx context.Context, client *demeterrr.Client) (time.Duration, error) {
	for ; j.Next < len(j.Customers); j.Next++ {
		_, _, err := client.Contacts.Upsert(ctx, &j.Customers[j.Next])
		var apiErr *demeterrr.Error
		switch {
		case err == nil:
		case errors.Is(err, demeterrr.ErrRateLimited) && errors.As(err, &apiErr):
			// The client has already done shorter waits itself. The API may
			// leave out the wait: hence the minute.
			return max(apiErr.RetryAfter, time.Minute), nil
		case errors.Is(err, context.DeadlineExceeded):
			return time.Minute, nil // the interrupted Upsert can be repeated
		case errors.Is(err, demeterrr.ErrValidation):
			log.Printf("customer %d is left out: %v", j.Next, err)
		default:
			return 0, fmt.Errorf("customer %d: %w", j.Next, err)
		}
	}
	return 0, nil
}

// A deadline for a job of many calls. Finished work is kept. If the quota is
// used up, the job ends and reports when to start it again.
func Example_wholeJobDeadline() {
	srv := demeterrrtest.NewServer() // stands for an account; a real program calls demeterrr.NewFromEnv()
	defer srv.Close()
	job := &nightlyJob{Customers: []demeterrr.ContactParams{
		{Email: "jane.smith@example.com", FirstName: "Jane"},
		{Email: "customer1@example.com", FirstName: "Alice"},
		{Email: "customer2@example.com", FirstName: "Bob"},
	}}
	srv.Inject(demeterrrtest.Fault{Skip: 2, Code: demeterrr.CodeRateLimited, RetryAfter: 40 * time.Minute})

	for range 2 { // a scheduler starts each run as its own process
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		wait, err := job.run(ctx, srv.Client())
		cancel()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%d of %d done, next run in %v\n", job.Next, len(job.Customers), wait)
	}
	// Output:
	// 2 of 3 done, next run in 40m0s
	// 3 of 3 done, next run in 0s
}
