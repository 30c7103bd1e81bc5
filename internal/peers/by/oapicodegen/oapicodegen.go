// Package oapicodegen is the client that oapi-codegen generates.
package oapicodegen

import (
	"context"
	"errors"
	"net/http"

	"github.com/demeterrr/demeterrr-go/internal/peers/by/retryable"
	"github.com/demeterrr/demeterrr-go/internal/peers/oapi"
	"github.com/demeterrr/demeterrr-go/internal/peers/work"
)

type client struct {
	oapi    *oapi.ClientWithResponses
	jane    oapi.ContactInput
	hundred oapi.ExecuteInput
}

// New makes a client. It retries through go-retryablehttp, having no retries of
// its own.
func New(base string, rt http.RoundTripper, retry bool) work.Peer {
	hc := &http.Client{Transport: rt}
	if retry {
		hc = retryable.HTTPClient(rt)
	}
	c, err := oapi.NewClientWithResponses(base, oapi.WithHTTPClient(hc), oapi.WithRequestEditorFn(authenticate))
	if err != nil {
		panic(err)
	}
	jane, hundred := work.Jane(), work.Hundred()
	p := &client{oapi: c, jane: oapi.ContactInput{
		Email: jane.Email, FirstName: jane.FirstName, LastName: &jane.LastName, Phone: &jane.Phone, PreferredLanguage: &jane.PreferredLanguage, Tags: &jane.Tags,
	}, hundred: oapi.ExecuteInput{LocationId: &hundred.LocationID, EmployeeId: &hundred.EmployeeID}}
	for i := range hundred.Contacts {
		person := &hundred.Contacts[i]
		p.hundred.Contacts = append(p.hundred.Contacts, oapi.Person{Email: person.Email, FirstName: &person.FirstName, LastName: &person.LastName, Phone: &person.Phone})
	}
	return p
}

func authenticate(_ context.Context, req *http.Request) error {
	req.Header.Set("X-API-Key", work.APIKey)
	req.Header.Set("Accept", "application/json")
	return nil
}

func failure(status int, f *oapi.Failure) error {
	failed := &work.APIError{Status: status}
	if f != nil {
		failed.Code, failed.Message = f.Error.Code, f.Error.Message
	}
	return failed
}

func (c *client) Get(ctx context.Context) (any, error) {
	resp, err := c.oapi.GetContactWithResponse(ctx, work.ContactID)
	if err != nil {
		return nil, err
	}
	if resp.JSON200 == nil {
		return nil, failure(resp.StatusCode(), resp.JSONDefault)
	}
	return &resp.JSON200.Data, nil
}

func (c *client) list(ctx context.Context, page int) (*oapi.ContactPage, error) {
	limit := 100
	resp, err := c.oapi.ListContactsWithResponse(ctx, &oapi.ListContactsParams{Page: &page, Limit: &limit})
	if err != nil {
		return nil, err
	}
	if resp.JSON200 == nil {
		return nil, failure(resp.StatusCode(), resp.JSONDefault)
	}
	return resp.JSON200, nil
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
	resp, err := c.oapi.CreateContactWithResponse(ctx, c.jane)
	if err != nil {
		return nil, err
	}
	if resp.JSON201 == nil {
		return nil, failure(resp.StatusCode(), resp.JSONDefault)
	}
	return &resp.JSON201.Data, nil
}

func (c *client) Taken(err error) bool {
	var failed *work.APIError
	return errors.As(err, &failed) && failed.Code == "CONTACT_EXISTS"
}

func (c *client) Execute(ctx context.Context) (any, error) {
	resp, err := c.oapi.ExecuteSequenceWithResponse(ctx, work.SequenceID, c.hundred)
	if err != nil {
		return nil, err
	}
	if resp.JSON200 == nil {
		return nil, failure(resp.StatusCode(), resp.JSONDefault)
	}
	return &resp.JSON200.Data, nil
}
