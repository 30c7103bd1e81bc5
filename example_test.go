package demeterrr_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// The examples run on the fake, in memory. These two stand for an account.
var (
	ctx = context.Background()
	srv *demeterrrtest.Server
)

// newClient returns a client of a fresh fake, which holds John and an active
// sequence.
func newClient(opts ...demeterrr.Option) *demeterrr.Client {
	srv = demeterrrtest.NewServer()
	srv.AddContact(demeterrr.Contact{
		ID: "550e8400-e29b-41d4-a716-446655440000", Email: "john.doe@example.com", FirstName: "John", LastName: "Doe",
		Title: "Mr.", Tags: []string{"vip"},
	})
	srv.AddSequence(demeterrr.Sequence{ID: "880e8400-e29b-41d4-a716-446655440000", Name: "Post-Purchase Satisfaction Survey"})
	return srv.Client(opts...)
}

// Create a customer, or find the existing one.
func Example() {
	srv := demeterrrtest.NewServer() // stands for an account; a real program calls demeterrr.NewFromEnv()
	defer srv.Close()
	client := srv.Client()
	ctx := context.Background()

	contact, err := client.Contacts.Create(ctx, &demeterrr.ContactParams{
		Email:     "jane.smith@example.com",
		FirstName: "Jane",
	})
	if errors.Is(err, demeterrr.ErrContactExists) {
		contact, err = client.Contacts.FindByEmail(ctx, "jane.smith@example.com")
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(contact.FirstName, contact.PreferredLanguage)
	// Output: Jane en
}

func ExampleNew() {
	client, err := demeterrr.New("dem_your_key_here",
		demeterrr.WithTimeout(10*time.Second),
		demeterrr.WithAppInfo("bookings", "2.1"))
	if err != nil {
		log.Fatal(err)
	}
	_ = client // one client for the whole program
	// Output:
}

func ExampleNew_mistake() {
	_, err := demeterrr.New("dem_your_key_here\n")
	fmt.Println(errors.Is(err, demeterrr.ErrInvalidAPIKeyFormat))
	// Output: true
}

//nolint:testableexamples // it is about the environment that it runs in
func ExampleNewFromEnv() {
	client, err := demeterrr.NewFromEnv()
	if err != nil {
		log.Fatal(err)
	}
	contact, outcome, err := client.Contacts.Upsert(ctx, &demeterrr.ContactParams{Email: "jane.smith@example.com", FirstName: "Jane"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(contact.ID, outcome)
}

func ExampleContactsService_Create() {
	client := newClient()

	contact, err := client.Contacts.Create(ctx, &demeterrr.ContactParams{
		Email:             "jane.smith@example.com",
		FirstName:         "Jane",
		LastName:          "Smith",
		Phone:             "+15559876543",
		PreferredLanguage: demeterrr.LanguageEnglish,
		CustomFields:      map[string]any{"membershipTier": "Gold"},
		Tags:              []string{"new-customer"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(contact.LastName, contact.Tags)
	// Output: Smith [new-customer]
}

func ExampleContactsService_Upsert() {
	client := newClient()

	contact, outcome, err := client.Contacts.Upsert(ctx, &demeterrr.ContactParams{
		Email:     "john.doe@example.com",
		FirstName: "John",
		LastName:  "Doe-Smith",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(contact.LastName, contact.Tags, outcome)
	// Output: Doe-Smith [vip] updated
}

func ExampleContactsService_Update() {
	client := newClient()

	contact, err := client.Contacts.Update(ctx, "550e8400-e29b-41d4-a716-446655440000", &demeterrr.ContactUpdate{
		LastName: demeterrr.Set("Doe-Smith"),
		Title:    demeterrr.Null[string](),
		Tags:     demeterrr.Set([]string{"vip", "frequent-customer"}),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(contact.FirstName, contact.LastName, contact.Tags)
	// Output: John Doe-Smith [vip frequent-customer]
}

func ExampleContactsService_Get() {
	client := newClient()

	contact, err := client.Contacts.Get(ctx, "550e8400-e29b-41d4-a716-446655440000")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(contact.Title, contact.LastName)
	// Output: Mr. Doe
}

func ExampleContactsService_FindByEmail() {
	client := newClient()

	_, err := client.Contacts.FindByEmail(ctx, "nobody@example.com")
	fmt.Println(errors.Is(err, demeterrr.ErrNotFound))
	// Output: true
}

func ExampleContactsService_List() {
	client := newClient()

	page, err := client.Contacts.List(ctx, &demeterrr.ContactListParams{Search: "doe", Limit: 10})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(page.Items), "of", page.Total)
	// Output: 1 of 1
}

func ExampleContactsService_All() {
	client := newClient()

	for contact, err := range client.Contacts.All(ctx, nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(contact.FirstName)
	}
	// Output: John
}

func ExampleContactsService_Delete() {
	client := newClient()

	err := client.Contacts.Delete(ctx, "550e8400-e29b-41d4-a716-446655440000")
	fmt.Println(err, len(srv.Contacts()))
	// Output: <nil> 0
}

func ExampleSequencesService_List() {
	client := newClient()

	page, err := client.Sequences.List(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(page.Items[0].Name)
	// Output: Post-Purchase Satisfaction Survey
}

func ExampleSequencesService_All() {
	client := newClient()

	for sequence, err := range client.Sequences.All(ctx, nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(sequence.Name, sequence.Status)
	}
	// Output: Post-Purchase Satisfaction Survey active
}

func ExampleSequencesService_Get() {
	client := newClient()

	sequence, err := client.Sequences.Get(ctx, "880e8400-e29b-41d4-a716-446655440000")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sequence.Status == demeterrr.SequenceActive)
	// Output: true
}

func ExampleSequencesService_Execute() {
	client := newClient()

	execution, err := client.Sequences.Execute(ctx, "880e8400-e29b-41d4-a716-446655440000", &demeterrr.ExecuteParams{
		Contacts: []demeterrr.ExecuteContact{
			{Email: "customer1@example.com", FirstName: "Alice", LastName: "Johnson"},
			{Email: "customer2@example.com", FirstName: "Bob", LastName: "Williams"},
		},
	})
	if errors.Is(err, demeterrr.ErrUnknownOutcome) {
		log.Fatal("some may have been messaged: look before sending again: ", err)
	}
	if err != nil {
		log.Fatal(err)
	}
	for _, result := range execution.Results {
		fmt.Println(result.Email, result.Status)
	}
	// Output:
	// customer1@example.com queued
	// customer2@example.com queued
}

// Call an endpoint without a method, and decode the whole body.
func ExampleClient_Do() {
	client := newClient()

	var reply struct {
		Data []struct{ Name string }
		Meta struct{ Total int }
	}
	err := client.Do(ctx, &demeterrr.Request{
		Method: http.MethodGet,
		Path:   "/sequences", // or "/surveys/" + url.PathEscape(id)
		Query:  url.Values{"limit": {"10"}},
	}, &reply)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(reply.Meta.Total, reply.Data[0].Name)
	// Output: 1 Post-Purchase Satisfaction Survey
}

func ExampleClient_RateLimit() {
	client := newClient()

	fmt.Println(client.RateLimit().Limit) // nothing is reported yet
	// Output: 0
}

func ExampleError() {
	client := newClient()

	_, err := client.Contacts.Create(ctx, &demeterrr.ContactParams{Email: "john.doe@example.com", FirstName: "John"})

	var apiErr *demeterrr.Error
	if errors.As(err, &apiErr) {
		fmt.Println(apiErr.StatusCode, apiErr.Code, apiErr.Attempts)
	}
	fmt.Println(errors.Is(err, demeterrr.ErrConflict))
	// Output:
	// 409 CONTACT_EXISTS 1
	// true
}

func ExampleError_DecodeDetails() {
	client := newClient(demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{})) // no retries
	srv.Inject(demeterrrtest.Fault{Status: http.StatusTooManyRequests, RetryAfter: time.Minute})

	_, err := client.Contacts.List(ctx, nil)

	var apiErr *demeterrr.Error
	if errors.As(err, &apiErr) {
		var details struct {
			RetryAfter int
			Window     string
		}
		if err := apiErr.DecodeDetails(&details); err != nil {
			log.Fatal(err)
		}
		fmt.Println(details.RetryAfter, details.Window, apiErr.RetryAfter)
	}
	// Output: 60 1 hour 1m0s
}

func ExampleOpt() {
	update := demeterrr.ContactUpdate{
		LastName: demeterrr.Set("Doe-Smith"),   // sent
		Phone:    demeterrr.Set(""),            // sent, empty
		Title:    demeterrr.Null[string](),     // sent as null
		Tags:     demeterrr.Set([]string(nil)), // sent as [], which clears them
		Email:    demeterrr.Opt[string]{},      // not sent, like every unnamed field
	}
	fmt.Println(update.Email.IsZero(), update.Phone.IsZero())
	// Output: true false
}

func ExampleOpt_Get() {
	name, ok := demeterrr.Set("Doe").Get()
	fmt.Println(name, ok)

	_, ok = demeterrr.Null[string]().Get()
	fmt.Println(ok)
	// Output:
	// Doe true
	// false
}

func ExampleOpt_IsNull() {
	fmt.Println(demeterrr.Null[string]().IsNull(), demeterrr.Set("").IsNull())
	// Output: true false
}

func ExampleSet() {
	update := demeterrr.ContactUpdate{LastName: demeterrr.Set("Doe-Smith")}
	fmt.Println(update.LastName.Get())
	// Output: Doe-Smith true
}

func ExampleNull() {
	update := demeterrr.ContactUpdate{Title: demeterrr.Null[string]()}
	fmt.Println(update.Title.IsNull())
	// Output: true
}

func ExampleContactParams_Validate() {
	params := &demeterrr.ContactParams{Email: "jane.smith@example.com"}
	fmt.Println(params.Validate())
	// Output: demeterrr: VALIDATION_ERROR: the first name is empty; the API requires one to create a contact (to change one that exists, use FindByEmail and Update)
}

func ExampleContactUpdate_Validate() {
	update := &demeterrr.ContactUpdate{}
	fmt.Println(update.Validate())
	// Output: demeterrr: VALIDATION_ERROR: no field is set; set one with demeterrr.Set
}

func ExampleExecuteContact_Validate() {
	contact := demeterrr.ExecuteContact{Email: "jane.smith"}
	err := contact.Validate()
	fmt.Println(errors.Is(err, demeterrr.ErrValidation))
	// Output: true
}

// List the changes that an Upsert would make.
func ExampleContactParams_Changes() {
	client := newClient()
	have, err := client.Contacts.FindByEmail(ctx, "john.doe@example.com")
	if err != nil {
		log.Fatal(err)
	}
	want := &demeterrr.ContactParams{Email: "john.doe@example.com", FirstName: "John", LastName: "Doe-Smith"}

	changes := want.Changes(have)
	lastName, _ := changes.LastName.Get()
	fmt.Println(lastName)
	fmt.Println(changes.FirstName.IsZero())
	// Output:
	// Doe-Smith
	// true
}
