package demeterrr_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// These are tests of a program that uses the SDK. Inside synctest.Test the
// clock moves only when all goroutines wait, so waits take no real time.

func TestCustomerIsSavedAfterTheQuotaIsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := demeterrrtest.NewServer()
		client := srv.Client()
		srv.Inject(demeterrrtest.Fault{Status: 429, RetryAfter: time.Minute})

		start := time.Now()
		_, _, err := client.Contacts.Upsert(t.Context(), &demeterrr.ContactParams{Email: "jane.smith@example.com", FirstName: "Jane"})
		if err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited < time.Minute {
			t.Errorf("waited %v, want a minute or more", waited)
		}
		if len(srv.Contacts()) != 1 {
			t.Errorf("%d contacts, want 1", len(srv.Contacts()))
		}
	})
}

func TestJobKeepsWhatItDidBeforeItsDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := demeterrrtest.NewServer(demeterrrtest.WithLatency(4*time.Minute, 4*time.Minute))
		client := srv.Client(demeterrr.WithTimeout(5 * time.Minute))
		job := &nightlyJob{Customers: []demeterrr.ContactParams{
			{Email: "jane.smith@example.com", FirstName: "Jane"},
			{Email: "customer1@example.com", FirstName: "Alice"},
			{Email: "customer2@example.com", FirstName: "Bob"},
		}}

		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		wait, err := job.run(ctx, client)
		if job.Next != 2 || wait != time.Minute || err != nil {
			t.Errorf("%d done, next run in %v, %v", job.Next, wait, err)
		}
	})
}
