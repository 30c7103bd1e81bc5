// Package sdk is this project.
package sdk

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/demeterrr/demeterrr-go"

	"github.com/demeterrr/demeterrr-go/internal/peers/work"
)

type client struct {
	sdk     *demeterrr.Client
	jane    *demeterrr.ContactParams
	hundred *demeterrr.ExecuteParams
}

// New makes a client.
func New(base string, rt http.RoundTripper, retry bool, opts ...demeterrr.Option) work.Peer {
	opts = append(opts, demeterrr.WithBaseURL(base))
	if rt != nil {
		opts = append(opts, demeterrr.WithHTTPClient(&http.Client{Transport: rt}))
	}
	if retry {
		opts = append(opts, demeterrr.WithRetryPolicy(demeterrr.RetryPolicy{MaxRetries: work.Retries, MinWait: time.Nanosecond, MaxWait: time.Nanosecond}))
	}
	c, err := demeterrr.New(work.APIKey, opts...)
	if err != nil {
		panic(err)
	}
	jane, hundred := work.Jane(), work.Hundred()
	p := &client{sdk: c, jane: &demeterrr.ContactParams{
		Email: jane.Email, FirstName: jane.FirstName, LastName: jane.LastName, Phone: jane.Phone, PreferredLanguage: demeterrr.LanguageEnglish, Tags: jane.Tags,
	}, hundred: &demeterrr.ExecuteParams{LocationID: hundred.LocationID, EmployeeID: hundred.EmployeeID}}
	for _, person := range hundred.Contacts {
		p.hundred.Contacts = append(p.hundred.Contacts, demeterrr.ExecuteContact(person))
	}
	return p
}

func (c *client) Get(ctx context.Context) (any, error) {
	return c.sdk.Contacts.Get(ctx, work.ContactID)
}

func (c *client) List(ctx context.Context, page int) (any, error) {
	return c.sdk.Contacts.List(ctx, &demeterrr.ContactListParams{Page: page, Limit: 100})
}

func (c *client) All(ctx context.Context) (int, error) {
	n := 0
	for _, err := range c.sdk.Contacts.All(ctx, nil) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (c *client) Create(ctx context.Context) (any, error) { return c.sdk.Contacts.Create(ctx, c.jane) }

func (c *client) Taken(err error) bool { return errors.Is(err, demeterrr.ErrContactExists) }

func (c *client) Execute(ctx context.Context) (any, error) {
	return c.sdk.Sequences.Execute(ctx, work.SequenceID, c.hundred)
}
