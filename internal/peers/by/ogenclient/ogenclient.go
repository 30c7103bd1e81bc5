// Package ogenclient is the client that ogen generates.
package ogenclient

import (
	"context"
	"errors"
	"net/http"

	"github.com/demeterrr/demeterrr-go/internal/peers/by/retryable"
	"github.com/demeterrr/demeterrr-go/internal/peers/ogen"
	"github.com/demeterrr/demeterrr-go/internal/peers/work"
)

type client struct {
	ogen    *ogen.Client
	jane    *ogen.ContactInput
	hundred *ogen.ExecuteInput
}

type key struct{}

func (key) ApiKey(context.Context, ogen.OperationName) (ogen.ApiKey, error) {
	return ogen.ApiKey{APIKey: work.APIKey}, nil
}

// New makes a client. It retries through go-retryablehttp, having no retries of
// its own. Custom fields stay raw JSON.
func New(base string, rt http.RoundTripper, retry bool) work.Peer {
	hc := &http.Client{Transport: rt}
	if retry {
		hc = retryable.HTTPClient(rt)
	}
	c, err := ogen.NewClient(base, key{}, ogen.WithClient(hc))
	if err != nil {
		panic(err)
	}
	jane, hundred := work.Jane(), work.Hundred()
	p := &client{ogen: c, jane: &ogen.ContactInput{
		Email: jane.Email, FirstName: jane.FirstName, LastName: ogen.NewOptString(jane.LastName), Phone: ogen.NewOptString(jane.Phone),
		PreferredLanguage: ogen.NewOptString(jane.PreferredLanguage), Tags: jane.Tags,
	}, hundred: &ogen.ExecuteInput{LocationId: ogen.NewOptString(hundred.LocationID), EmployeeId: ogen.NewOptString(hundred.EmployeeID)}}
	for _, person := range hundred.Contacts {
		p.hundred.Contacts = append(p.hundred.Contacts, ogen.Person{
			Email: person.Email, FirstName: ogen.NewOptString(person.FirstName), LastName: ogen.NewOptString(person.LastName), Phone: ogen.NewOptString(person.Phone),
		})
	}
	return p
}

func (c *client) Get(ctx context.Context) (any, error) {
	out, err := c.ogen.GetContact(ctx, ogen.GetContactParams{ID: work.ContactID})
	if err != nil {
		return nil, err
	}
	return &out.Data, nil
}

func (c *client) list(ctx context.Context, page int) (*ogen.ContactPage, error) {
	return c.ogen.ListContacts(ctx, ogen.ListContactsParams{Page: ogen.NewOptInt(page), Limit: ogen.NewOptInt(100)})
}

func (c *client) List(ctx context.Context, page int) (any, error) { return c.list(ctx, page) }

func (c *client) All(ctx context.Context) (int, error) {
	return work.Pager(func(page int) (int, int, error) {
		p, err := c.list(ctx, page)
		if err != nil {
			return 0, 0, err
		}
		return len(p.Data), p.Meta.TotalPages, nil
	})
}

func (c *client) Create(ctx context.Context) (any, error) {
	out, err := c.ogen.CreateContact(ctx, c.jane)
	if err != nil {
		return nil, err
	}
	return &out.Data, nil
}

func (c *client) Taken(err error) bool {
	var failed *ogen.FailureStatusCode
	return errors.As(err, &failed) && failed.Response.Error.Code == "CONTACT_EXISTS"
}

func (c *client) Execute(ctx context.Context) (any, error) {
	out, err := c.ogen.ExecuteSequence(ctx, c.hundred, ogen.ExecuteSequenceParams{ID: work.SequenceID})
	if err != nil {
		return nil, err
	}
	return &out.Data, nil
}
