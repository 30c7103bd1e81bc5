package demeterrrtest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	demeterrr "github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// Three lines set up a test. Then look at the results.
func Example() {
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	client := srv.Client()

	contact, err := client.Contacts.Create(context.Background(), &demeterrr.ContactParams{Email: "jane.smith@example.com", FirstName: "Jane"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(contact.FirstName, "has the id", contact.ID)
	fmt.Println(len(srv.Contacts()), "contact,", len(srv.Requests()), "request")
	// Output:
	// Jane has the id 000000c0-0000-4000-8000-000000000001
	// 1 contact, 1 request
}

// A conflict: the email is taken.
func ExampleServer_AddContact() {
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	srv.AddContact(demeterrr.Contact{Email: "jane.smith@example.com", FirstName: "Jane"})

	_, err := srv.Client().Contacts.Create(context.Background(), &demeterrr.ContactParams{Email: "Jane.Smith@example.com", FirstName: "J."})
	fmt.Println(errors.Is(err, demeterrr.ErrContactExists), srv.Contacts()[0].FirstName)
	// Output: true Jane
}

// A rate limit: the code under test uses up its quota.
func ExampleWithRateLimits() {
	srv := demeterrrtest.NewServer(demeterrrtest.WithRateLimits(demeterrrtest.SlidingWindow,
		demeterrrtest.Limit{Requests: 2, Window: time.Minute},
		demeterrrtest.Limit{Requests: 1000, Window: time.Hour}))
	defer srv.Close()
	client := srv.Client(demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: 0}))

	for range 3 {
		_, err := client.Contacts.List(context.Background(), nil)
		var apiErr *demeterrr.Error
		if errors.As(err, &apiErr) {
			fmt.Println(apiErr.Code, "retry after", apiErr.RetryAfter)
		}
	}
	// Output: RATE_LIMIT_EXCEEDED retry after 1m0s
}

// Virtual time: inside a synctest bubble the client waits for its quota, and
// the test takes no time. This is the body of a test.
//
//nolint:testableexamples,thelper // it shows a test, of which there is nothing to print
func Example_virtualTime() {
	test := func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			srv := demeterrrtest.NewServer(demeterrrtest.WithRateLimits(demeterrrtest.FixedWindow,
				demeterrrtest.Limit{Requests: 100, Window: time.Minute}))
			client := srv.Client()

			start := time.Now()
			for i := range 101 {
				params := &demeterrr.ContactParams{Email: fmt.Sprintf("customer%d@example.com", i), FirstName: "C"}
				if _, err := client.Contacts.Create(t.Context(), params); err != nil {
					t.Fatal(err)
				}
			}
			if waited := time.Since(start); waited < time.Minute || waited > 75*time.Second {
				t.Errorf("the last one waited %v", waited)
			}
			if len(srv.Contacts()) != 101 || len(srv.Requests()) != 102 {
				t.Errorf("%d contacts, %d requests", len(srv.Contacts()), len(srv.Requests()))
			}
		})
	}
	_ = test
}

// An outage: the API fails twice and recovers. Then it fails for good.
func ExampleServer_Inject() {
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	client := srv.Client(demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: 3, MaxWait: time.Nanosecond}))
	srv.Inject(demeterrrtest.Fault{Route: "GET /contacts", Status: 500, Times: 2})

	_, err := client.Contacts.List(context.Background(), nil)
	fmt.Println("two 500s:", err, "after", len(srv.Requests()), "requests")

	srv.Inject(demeterrrtest.Fault{Status: 503, Times: demeterrrtest.Always})
	_, err = client.Contacts.List(context.Background(), nil)
	fmt.Println("an outage:", errors.Is(err, demeterrr.ErrServer))

	srv.ClearFaults()
	_, err = client.Contacts.List(context.Background(), nil)
	fmt.Println("the end of it:", err)
	// Output:
	// two 500s: <nil> after 3 requests
	// an outage: true
	// the end of it: <nil>
}

// An outage with an end, in virtual time: the client retries until it is over.
// This is the body of a test.
//
//nolint:testableexamples,thelper // it shows a test, of which there is nothing to print
func ExampleFault_for() {
	test := func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			srv := demeterrrtest.NewServer()
			srv.Inject(demeterrrtest.Fault{Status: 503, For: 30 * time.Second})

			client := srv.Client(demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: 10, MaxWait: 10 * time.Second}))
			if _, err := client.Contacts.List(t.Context(), nil); err != nil {
				t.Error(err)
			}
		})
	}
	_ = test
}

// Check that every fault has happened. A remaining fault has met no request.
func ExampleServer_Faults() {
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	srv.Inject(demeterrrtest.Fault{Route: "GET /contacts", Status: 500})
	srv.Inject(demeterrrtest.Fault{Route: "GET /sequences", Status: 500, Times: 2})

	_, _ = srv.Client().Contacts.List(context.Background(), nil)
	for _, left := range srv.Faults() {
		fmt.Println(left.Route, left.Times, "times")
	}
	// Output: GET /sequences 2 times
}

// A fault typed by a person: TryInject returns a mistake as an error.
func ExampleServer_TryInject() {
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	fmt.Println(srv.TryInject(demeterrrtest.Fault{Status: 4000}))
	fmt.Println(srv.TryInject(demeterrrtest.Fault{Status: 400}))
	// Output:
	// status 4000: want 200 to 599
	// <nil>
}

// Check the quota after the code under test has run.
func ExampleServer_Windows() {
	srv := demeterrrtest.NewServer(demeterrrtest.WithRateLimits(demeterrrtest.SlidingWindow,
		demeterrrtest.Limit{Requests: 100, Window: time.Minute},
		demeterrrtest.Limit{Requests: 1000, Window: time.Hour}))
	defer srv.Close()

	_, _ = srv.Client().Contacts.List(context.Background(), nil)
	for _, w := range srv.Windows() {
		fmt.Println(w.Used, "of", w.Requests, "per", w.Window)
	}
	// Output:
	// 1 of 100 per 1m0s
	// 1 of 1000 per 1h0m0s
}

// Search a thousand contacts and read a page of the result, without a request.
func ExampleServer_ListContacts() {
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	for i := range 1000 {
		srv.AddContact(demeterrr.Contact{Email: fmt.Sprintf("customer%d@example.com", i), FirstName: "Jane"})
	}

	page := srv.ListContacts(&demeterrr.ContactListParams{Search: "customer99", Limit: 2})
	for _, contact := range page.Items {
		fmt.Println(contact.Email)
	}
	fmt.Println("of", page.Total)
	// Output:
	// customer99@example.com
	// customer990@example.com
	// of 11
}

// Check the sequences after the code under test has run.
func ExampleServer_Sequences() {
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	srv.AddSequence(demeterrr.Sequence{Name: "Welcome"})
	for _, sequence := range srv.Sequences() {
		fmt.Println(sequence.Name, sequence.Status)
	}
	// Output: Welcome active
}

// Read only the new sendings after each step of a test.
func ExampleServer_SendingsFrom() {
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	sequence := srv.AddSequence(demeterrr.Sequence{Name: "Welcome"})
	seen := 0
	for _, email := range []string{"ann@example.com", "bo@example.com"} {
		_, _ = srv.Client().Sequences.Execute(context.Background(), sequence.ID, &demeterrr.ExecuteParams{
			Contacts: []demeterrr.ExecuteContact{{Email: email}},
		})
		for _, sending := range srv.SendingsFrom(seen) {
			fmt.Println(sending.Email)
			seen++
		}
	}
	// Output:
	// ann@example.com
	// bo@example.com
}

// A key expires while a program runs, and is renewed.
func ExampleServer_RestoreKey() {
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	srv.ExpireKey(srv.APIKey())
	_, err := srv.Client().Contacts.List(context.Background(), nil)
	fmt.Println(errors.Is(err, demeterrr.ErrExpiredAPIKey))

	srv.RestoreKey(srv.APIKey())
	_, err = srv.Client().Contacts.List(context.Background(), nil)
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

// A lost reply: the server did the work, and the client cannot know.
func ExampleFault_drop() {
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	sequence := srv.AddSequence(demeterrr.Sequence{Name: "Post-Purchase Satisfaction Survey"})
	srv.Inject(demeterrrtest.Fault{Route: "POST /sequences/{id}/execute", Drop: demeterrrtest.DropAfter})

	_, err := srv.Client().Sequences.Execute(context.Background(), sequence.ID, &demeterrr.ExecuteParams{
		Contacts: []demeterrr.ExecuteContact{{Email: "jane.smith@example.com"}},
	})
	fmt.Println("unknown outcome:", errors.Is(err, demeterrr.ErrUnknownOutcome))
	fmt.Println(len(srv.Requests()), "request,", len(srv.Sendings()), "sending")
	// Output:
	// unknown outcome: true
	// 1 request, 1 sending
}

// Check that nobody was messaged twice. Here the code under test repeats a call
// by mistake.
func ExampleServer_SentTwice() {
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	client := srv.Client()
	sequence := srv.AddSequence(demeterrr.Sequence{Name: "Welcome"})
	srv.Inject(demeterrrtest.Fault{Route: "POST /sequences/{id}/execute", Drop: demeterrrtest.DropAfter})

	params := &demeterrr.ExecuteParams{Contacts: []demeterrr.ExecuteContact{{Email: "jane.smith@example.com"}}}
	for range 2 {
		if _, err := client.Sequences.Execute(context.Background(), sequence.ID, params); err == nil {
			break
		}
	}
	fmt.Println(srv.SentTwice())
	// Output: [jane.smith@example.com]
}

// An endpoint that the client has no methods for.
func ExampleServer_AddObjects() {
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	for n := range 250 {
		srv.AddObjects("/surveys", map[string]any{"id": fmt.Sprintf("survey-%d", n+1)})
	}

	type survey struct {
		ID string `json:"id"`
	}
	surveys := 0
	for _, err := range demeterrr.FetchAll[survey](context.Background(), srv.Client(), "/surveys", nil) {
		if err != nil {
			fmt.Println(err)
			return
		}
		surveys++
	}
	fmt.Println(surveys, "surveys,", len(srv.Requests()), "requests")
	// Output: 250 surveys, 3 requests
}

// A key with fewer scopes, and a key that has expired.
func ExampleServer_AddKey() {
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	readOnly := srv.AddKey("contacts:read")
	client, err := demeterrr.New(readOnly,
		demeterrr.WithBaseURL("https://demeterrr.test/api/v1"),
		demeterrr.WithHTTPClient(&http.Client{Transport: srv.Transport()}))
	if err != nil {
		fmt.Println(err)
		return
	}

	err = client.Contacts.Delete(context.Background(), "some-id")
	var apiErr *demeterrr.Error
	if errors.As(err, &apiErr) {
		fmt.Println(apiErr.Code, apiErr.RequiredScope)
	}

	srv.ExpireKey(readOnly)
	_, err = client.Contacts.List(context.Background(), nil)
	fmt.Println(errors.Is(err, demeterrr.ErrExpiredAPIKey))
	// Output:
	// INSUFFICIENT_PERMISSIONS contacts:write
	// true
}

// An account from a file, in the format of the command demeterrr fake.
func ExampleServer_Seed() {
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	err := srv.Seed(strings.NewReader(`{
		"contacts": [{"email": "jane.smith@example.com", "firstName": "Jane", "tags": ["vip"]}],
		"sequences": [{"name": "Welcome"}]
	}`))
	fmt.Println(err, srv.Contacts()[0].Tags)
	// Output: <nil> [vip]
}

// A program under test gets the base URL of a real port.
func ExampleServer_URL() {
	srv := demeterrrtest.NewServer()
	defer srv.Close()
	client, err := demeterrr.New(srv.APIKey(), demeterrr.WithBaseURL(srv.URL()))
	if err != nil {
		fmt.Println(err)
		return
	}
	page, err := client.Contacts.List(context.Background(), nil)
	fmt.Println(page.Total, err)
	// Output: 0 <nil>
}
