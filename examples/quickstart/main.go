// Quickstart shows the steps of an integration with demeterrr, line by line.
//
//	go run ./examples/quickstart
//
// Without an account it starts the fake demeterrr of the SDK, with a few
// failures to look at. With DEMETERRR_API_KEY set it uses the real service, and
// only reads. With -write it also makes, changes and deletes one contact there.
// It executes sequences only on the fake, because a real one messages people.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

func main() {
	write := flag.Bool("write", false, "with a real account: make, change and delete one contact")
	email := flag.String("email", "", "with -write: the email of that contact; it must not exist yet")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if os.Getenv("DEMETERRR_API_KEY") == "" {
		err = onFake(ctx, os.Stdout)
	} else {
		err = onReal(ctx, os.Stdout, *write, *email)
	}
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Println("\nStopped.")
		stop()
		os.Exit(130) // as a shell reports Ctrl-C
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

// story prints the steps, with the requests and the time of each one.
type story struct {
	out    io.Writer
	client *demeterrr.Client
	sent   atomic.Int64 // requests, counted below the SDK
	made   string       // the id of the new contact
}

// RoundTrip counts a request before it is sent.
func (s *story) RoundTrip(req *http.Request) (*http.Response, error) {
	s.sent.Add(1)
	return http.DefaultTransport.RoundTrip(req)
}

// step runs one step and prints the result.
func (s *story) step(call string, do func() (string, error)) error {
	sent, start := s.sent.Load(), time.Now()
	result, err := do()
	if err != nil {
		return err
	}
	requests := "request"
	if n := s.sent.Load() - sent; n != 1 {
		requests += "s"
	}
	_, err = fmt.Fprintf(s.out, "%s\n    %s\n    %d %s, %.1f s\n\n", call, result, s.sent.Load()-sent, requests, time.Since(start).Seconds())
	return err
}

func onFake(ctx context.Context, out io.Writer) error {
	fake := demeterrrtest.NewServer()
	defer fake.Close()
	survey := fake.AddSequence(demeterrr.Sequence{Name: "Post-Purchase Satisfaction Survey"})
	for i := range 120 {
		fake.AddContact(demeterrr.Contact{Email: fmt.Sprintf("customer%d@example.com", i+1), FirstName: "Customer"})
	}

	s := &story{out: out}
	var err error
	s.client, err = demeterrr.New(fake.APIKey(),
		demeterrr.WithBaseURL(fake.URL()),
		demeterrr.WithHTTPClient(&http.Client{Transport: s}),
		demeterrr.WithAppInfo("quickstart", demeterrr.Version))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "No DEMETERRR_API_KEY is set, so this runs on a fake demeterrr at %s\n\n", fake.URL())

	for _, chapter := range []func() error{
		func() error { return s.contacts(ctx, "jane.smith@example.com") },
		func() error { return s.pages(ctx) },
		func() error { return s.execute(ctx, survey.ID) },
		func() error { return s.trouble(ctx, fake) },
	} {
		if err := chapter(); err != nil {
			return err
		}
	}
	people := map[string]bool{}
	for _, sending := range fake.Sendings() {
		people[sending.Email] = true
	}
	fmt.Fprintf(out, "%d requests in all, %d sendings to %d people.\n", s.sent.Load(), len(fake.Sendings()), len(people))
	return nil
}

// contacts makes a contact, meets CONTACT_EXISTS, and upserts.
func (s *story) contacts(ctx context.Context, email string) error {
	params := &demeterrr.ContactParams{
		Email: email, FirstName: "Jane", LastName: "Smith",
		PreferredLanguage: demeterrr.LanguageEnglish, Tags: []string{"new-customer"},
	}
	if err := s.step("Contacts.Create(Jane)", func() (string, error) {
		contact, err := s.client.Contacts.Create(ctx, params)
		if err != nil {
			return "", err
		}
		s.made = contact.ID
		return "created " + contact.ID, nil
	}); err != nil {
		return err
	}
	if err := s.step("Contacts.Create(Jane), again", func() (string, error) {
		_, err := s.client.Contacts.Create(ctx, params)
		if !errors.Is(err, demeterrr.ErrContactExists) {
			return "", fmt.Errorf("expected ErrContactExists, got %w", err)
		}
		return "errors.Is(err, demeterrr.ErrContactExists): nothing was changed", nil
	}); err != nil {
		return err
	}
	params.LastName = "Smith-Jones"
	upsert := func() (string, error) {
		contact, outcome, err := s.client.Contacts.Upsert(ctx, params)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s, the last name is %s now", outcome, contact.LastName), nil
	}
	if err := s.step("Contacts.Upsert(Jane with a new last name): create, find, PATCH what differs", upsert); err != nil {
		return err
	}
	return s.step("Contacts.Upsert(Jane), again: nothing differs, so there is no PATCH", upsert)
}

// pages reads all contacts page by page.
func (s *story) pages(ctx context.Context) error {
	return s.step("for contact, err := range Contacts.All(nil): 100 a page", func() (string, error) { return s.count(ctx) })
}

func (s *story) count(ctx context.Context) (string, error) {
	n := 0
	for _, err := range s.client.Contacts.All(ctx, nil) {
		if err != nil {
			return "", err
		}
		n++
	}
	return fmt.Sprintf("%d contacts", n), nil
}

// execute sends a sequence to two people.
func (s *story) execute(ctx context.Context, sequenceID string) error {
	return s.step("Sequences.Execute(two contacts)", func() (string, error) {
		execution, err := s.client.Sequences.Execute(ctx, sequenceID, &demeterrr.ExecuteParams{
			Contacts: []demeterrr.ExecuteContact{
				{Email: "customer1@example.com", FirstName: "Alice"},
				{Email: "customer2@example.com", FirstName: "Bob"},
			},
		})
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s: %d sendings", execution.SequenceName, execution.SendingsCreated), nil
	})
}

// trouble makes the fake fail like the real service on a bad day.
func (s *story) trouble(ctx context.Context, fake *demeterrrtest.Server) error {
	find := func() (string, error) {
		contact, err := s.client.Contacts.FindByEmail(ctx, "jane.smith@example.com")
		if err != nil {
			return "", err
		}
		return "found " + contact.FirstName, nil
	}
	fake.Inject(demeterrrtest.Fault{Status: http.StatusTooManyRequests, RetryAfter: time.Second})
	if err := s.step("Contacts.FindByEmail, while the quota is used up: 429, retryAfter 1 s, which is honored", find); err != nil {
		return err
	}
	fake.Inject(demeterrrtest.Fault{Status: http.StatusInternalServerError, Times: 2})
	return s.step("Contacts.FindByEmail, during an outage: 500 twice, backed off from for 1 s and 2 s", find)
}

func onReal(ctx context.Context, out io.Writer, write bool, email string) error {
	s := &story{out: out}
	var err error
	s.client, err = demeterrr.NewFromEnv(
		demeterrr.WithHTTPClient(&http.Client{Transport: s}),
		demeterrr.WithAppInfo("quickstart", demeterrr.Version))
	if err != nil {
		return err
	}
	if err := s.step("Contacts.List(one)", func() (string, error) {
		page, err := s.client.Contacts.List(ctx, &demeterrr.ContactListParams{Limit: 1})
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%d contacts in all", page.Total), nil
	}); err != nil {
		return err
	}
	if err := s.step("Sequences.List(nil)", func() (string, error) {
		page, err := s.client.Sequences.List(ctx, nil)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%d sequences in all", page.Total), nil
	}); err != nil {
		return err
	}
	limit := s.client.RateLimit()
	fmt.Fprintf(out, "The API reported %d of %d requests left.\n", limit.Remaining, limit.Limit)
	if !write {
		fmt.Fprintln(out, "Nothing was written. With -write -email you@example.com one contact is made, changed and deleted.")
		return nil
	}
	return s.write(ctx, email)
}

// write makes one contact on a real account and deletes it.
func (s *story) write(ctx context.Context, email string) error {
	if email == "" {
		return errors.New("-write needs -email: an address of your own that is not a contact yet")
	}
	err := s.contacts(ctx, email)
	return errors.Join(err, s.cleanUp(context.WithoutCancel(ctx)))
}

// cleanUp deletes the new contact, also if the steps after it failed or were
// stopped.
func (s *story) cleanUp(ctx context.Context) error {
	if s.made == "" {
		return nil
	}
	return s.step("Contacts.Delete(the contact)", func() (string, error) {
		return "deleted", s.client.Contacts.Delete(ctx, s.made)
	})
}
