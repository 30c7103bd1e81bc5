// Package resty is resty v2, which decodes results and errors.
package resty

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/demeterrr/demeterrr-go/internal/peers/work"
)

type client struct {
	resty   *resty.Client
	jane    *work.NewContact
	hundred *work.Execution
}

// New makes a client.
func New(base string, rt http.RoundTripper, retry bool) work.Peer {
	c := resty.New().SetBaseURL(base).SetHeader("X-API-Key", work.APIKey).SetHeader("Accept", "application/json")
	if rt != nil {
		c.SetTransport(rt)
	}
	if retry {
		c.SetRetryCount(work.Retries).SetRetryWaitTime(time.Nanosecond).SetRetryMaxWaitTime(time.Nanosecond).
			AddRetryCondition(func(r *resty.Response, err error) bool {
				return err == nil && r.StatusCode() == http.StatusTooManyRequests
			})
	}
	return &client{resty: c, jane: work.Jane(), hundred: work.Hundred()}
}

func (c *client) request(ctx context.Context, out any) *resty.Request {
	return c.resty.R().SetContext(ctx).SetResult(out).SetError(&work.Failure{})
}

// check returns the error of a reply decoded by resty.
func check(resp *resty.Response, err error) error {
	if err != nil {
		return err
	}
	if !resp.IsError() {
		return nil
	}
	failed := &work.APIError{Status: resp.StatusCode()}
	if f, ok := resp.Error().(*work.Failure); ok {
		failed.Code, failed.Message = f.Error.Code, f.Error.Message
	}
	return failed
}

func (c *client) Get(ctx context.Context) (any, error) {
	var out work.Data[work.Contact]
	err := check(c.request(ctx, &out).SetPathParam("id", work.ContactID).Get("/contacts/{id}"))
	return &out.Data, err
}

func (c *client) list(ctx context.Context, page int) (*work.Page, error) {
	var out work.Page
	query := map[string]string{"limit": "100", "page": strconv.Itoa(page)}
	err := check(c.request(ctx, &out).SetQueryParams(query).Get("/contacts"))
	return &out, err
}

func (c *client) List(ctx context.Context, page int) (any, error) { return c.list(ctx, page) }

func (c *client) All(ctx context.Context) (int, error) {
	return work.Pager(func(page int) (int, int, error) {
		p, err := c.list(ctx, page)
		return len(p.Data), p.Meta.TotalPages, err
	})
}

func (c *client) Create(ctx context.Context) (any, error) {
	var out work.Data[work.Contact]
	err := check(c.request(ctx, &out).SetBody(c.jane).Post("/contacts"))
	return &out.Data, err
}

func (c *client) Taken(err error) bool {
	var failed *work.APIError
	return errors.As(err, &failed) && failed.Code == "CONTACT_EXISTS"
}

func (c *client) Execute(ctx context.Context) (any, error) {
	var out work.Data[work.Executed]
	err := check(c.request(ctx, &out).SetPathParam("id", work.SequenceID).SetBody(c.hundred).Post("/sequences/{id}/execute"))
	return &out.Data, err
}
