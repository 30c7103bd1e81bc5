package demeterrr_test

import (
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// Read an object of an endpoint without a method: declare the members you need.
func ExampleFetch() {
	client := newClient()
	srv.AddObjects("/surveys", map[string]any{"id": "aa0e8400-e29b-41d4-a716-446655440000"})

	type Survey struct {
		ID string `json:"id"`
	}
	survey, err := demeterrr.Fetch[Survey](ctx, client, &demeterrr.Request{
		Method: http.MethodGet,
		Path:   "/surveys/" + url.PathEscape("aa0e8400-e29b-41d4-a716-446655440000"),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(survey.ID)
	// Output: aa0e8400-e29b-41d4-a716-446655440000
}

// Read a list without a method, page by page.
func ExampleFetchAll() {
	client := newClient()
	srv.AddObjects("/surveys",
		map[string]any{"id": "aa0e8400-e29b-41d4-a716-446655440000"},
		map[string]any{"id": "bb0e8400-e29b-41d4-a716-446655440000"})

	type Survey struct {
		ID string `json:"id"`
	}
	for survey, err := range demeterrr.FetchAll[Survey](ctx, client, "/surveys", nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(survey.ID)
	}
	// Output:
	// aa0e8400-e29b-41d4-a716-446655440000
	// bb0e8400-e29b-41d4-a716-446655440000
}

// The worker of a queue asks whether to redeliver a message.
func ExampleError_Retryable() {
	client := newClient(demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{})) // no retries
	srv.Inject(demeterrrtest.Fault{Drop: demeterrrtest.DropAfter})          // the reply is lost
	srv.Inject(demeterrrtest.Fault{Status: http.StatusTooManyRequests, RetryAfter: time.Minute})

	for range 2 {
		_, err := client.Sequences.Execute(ctx, "880e8400-e29b-41d4-a716-446655440000", &demeterrr.ExecuteParams{
			Contacts: []demeterrr.ExecuteContact{{Email: "customer1@example.com"}},
		})
		var apiErr *demeterrr.Error
		if errors.As(err, &apiErr) {
			fmt.Println(apiErr.Retryable(), apiErr.RetryAfter, errors.Is(err, demeterrr.ErrUnknownOutcome))
		}
	}
	// Output:
	// false 0s true
	// true 1m0s false
}

// Read a contact, change it and send it back.
func ExampleContact_Params() {
	client := newClient()
	contact, err := client.Contacts.FindByEmail(ctx, "john.doe@example.com")
	if err != nil {
		log.Fatal(err)
	}

	params := contact.Params()
	params.Tags = append(params.Tags, "frequent-customer")
	contact, outcome, err := client.Contacts.Upsert(ctx, &params)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(outcome, contact.Tags)
	// Output: updated [vip frequent-customer]
}

// Send a sequence to a contact of the account.
func ExampleContact_ExecuteContact() {
	client := newClient()
	contact, err := client.Contacts.FindByEmail(ctx, "john.doe@example.com")
	if err != nil {
		log.Fatal(err)
	}

	execution, err := client.Sequences.Execute(ctx, "880e8400-e29b-41d4-a716-446655440000", &demeterrr.ExecuteParams{
		Contacts: []demeterrr.ExecuteContact{contact.ExecuteContact()},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(execution.Results[0].Email, execution.Results[0].Status)
	// Output: john.doe@example.com queued
}
