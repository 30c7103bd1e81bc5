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

// nightlyJob brings customers up to date, in as many runs as it takes. A real one
// keeps Next where it outlives the process, such as in a row of a table.
type nightlyJob struct {
	Customers []demeterrr.ContactParams
	Next      int // the first of them that is not done
}

// run goes on where the last run ended, until the deadline of ctx. It returns how
// long to wait before the next run; 0 if all is done. After an error too, what is
// done is done.
func (j *nightlyJob) run(ctx context.Context, client *demeterrr.Client) (time.Duration, error) {
	for ; j.Next < len(j.Customers); j.Next++ {
		_, _, err := client.Contacts.Upsert(ctx, &j.Customers[j.Next])
		var apiErr *demeterrr.Error
		switch {
		case err == nil:
		case errors.Is(err, demeterrr.ErrRateLimited) && errors.As(err, &apiErr):
			// Shorter waits the client has done itself. The API need not say how long: hence the minute.
			return max(apiErr.RetryAfter, time.Minute), nil
		case errors.Is(err, context.DeadlineExceeded):
			return time.Minute, nil // the Upsert that was cut off can be repeated
		case errors.Is(err, demeterrr.ErrValidation):
			log.Printf("customer %d is left out: %v", j.Next, err)
		default:
			return 0, fmt.Errorf("customer %d: %w", j.Next, err)
		}
	}
	return 0, nil
}

// A deadline for a whole job of many calls. What is done is kept; when the quota is
// used up, the job does not sleep, but says when to start it again.
func Example_wholeJobDeadline() {
	srv := demeterrrtest.NewServer() // stands for an account; with a real one: demeterrr.NewFromEnv()
	defer srv.Close()
	job := &nightlyJob{Customers: []demeterrr.ContactParams{
		{Email: "jane.smith@example.com", FirstName: "Jane"},
		{Email: "customer1@example.com", FirstName: "Alice"},
		{Email: "customer2@example.com", FirstName: "Bob"},
	}}
	srv.Inject(demeterrrtest.Fault{Skip: 2, Code: demeterrr.CodeRateLimited, RetryAfter: 40 * time.Minute})

	for range 2 { // started by a scheduler, as a process of its own each time
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
