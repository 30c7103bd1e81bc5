// Package nethttp is a hand-written client on net/http and encoding/json alone.
package nethttp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/demeterrr/demeterrr-go/internal/peers/work"
)

// Client sends through any Do like http.Client's, so that the same code runs
// over go-retryablehttp.
type Client struct {
	base    string
	do      func(*http.Request) (*http.Response, error)
	retries int
	jane    *work.NewContact
	hundred *work.Execution
}

// New makes a client over an http.Client.
func New(base string, rt http.RoundTripper, retry bool) work.Peer {
	hc := &http.Client{Transport: rt}
	c := Over(base, hc.Do)
	if retry {
		c.retries = work.Retries
	}
	return c
}

// Over makes a client over the Do of an http.Client or of a similar type.
func Over(base string, do func(*http.Request) (*http.Response, error)) *Client {
	return &Client{base: base, do: do, jane: work.Jane(), hundred: work.Hundred()}
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		encoded, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("X-API-Key", work.APIKey)
	req.Header.Set("Accept", "application/json")
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.send(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		var failure work.Failure
		if err := json.NewDecoder(resp.Body).Decode(&failure); err != nil {
			return fmt.Errorf("status %s: %w", resp.Status, err)
		}
		return &work.APIError{Status: resp.StatusCode, Code: failure.Error.Code, Message: failure.Error.Message}
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// send retries after a 429, at the time that the server names.
func (c *Client) send(req *http.Request) (*http.Response, error) {
	for attempt := 0; ; attempt++ {
		resp, err := c.do(req)
		if err != nil || resp.StatusCode != http.StatusTooManyRequests || attempt >= c.retries {
			return resp, err
		}
		seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
		if err != nil {
			seconds = 1 << attempt
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		select {
		case <-req.Context().Done():
			return nil, req.Context().Err()
		case <-time.After(time.Duration(seconds) * time.Second):
		}
		if req.GetBody != nil {
			if req.Body, err = req.GetBody(); err != nil {
				return nil, err
			}
		}
	}
}

// Get gets one contact.
func (c *Client) Get(ctx context.Context) (any, error) {
	var out work.Data[work.Contact]
	err := c.call(ctx, "GET", "/contacts/"+work.ContactID, nil, &out)
	return &out.Data, err
}

func (c *Client) list(ctx context.Context, page int) (*work.Page, error) {
	var out work.Page
	err := c.call(ctx, "GET", "/contacts?limit=100&page="+strconv.Itoa(page), nil, &out)
	return &out, err
}

// List gets a page of 100 contacts.
func (c *Client) List(ctx context.Context, page int) (any, error) { return c.list(ctx, page) }

// All counts the contacts of all pages.
func (c *Client) All(ctx context.Context) (int, error) {
	return work.Pager(func(page int) (int, int, error) {
		p, err := c.list(ctx, page)
		return len(p.Data), p.Meta.TotalPages, err
	})
}

// Create creates a contact.
func (c *Client) Create(ctx context.Context) (any, error) {
	var out work.Data[work.Contact]
	err := c.call(ctx, "POST", "/contacts", c.jane, &out)
	return &out.Data, err
}

// Taken reports whether the email already has a contact.
func (c *Client) Taken(err error) bool {
	var failed *work.APIError
	return errors.As(err, &failed) && failed.Code == "CONTACT_EXISTS"
}

// Execute executes a sequence for 100 contacts.
func (c *Client) Execute(ctx context.Context) (any, error) {
	var out work.Data[work.Executed]
	err := c.call(ctx, "POST", "/sequences/"+work.SequenceID+"/execute", c.hundred, &out)
	return &out.Data, err
}
