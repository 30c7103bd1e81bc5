// Package undecoded is http.Client and io.ReadAll with a prepared body: it
// reads the reply and decodes nothing.
package undecoded

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/demeterrr/demeterrr-go/internal/peers/work"
)

type client struct {
	base          string
	http          *http.Client
	retry         bool
	jane, hundred []byte
}

var (
	errTaken  = errors.New("409")
	errStatus = errors.New("status")
)

// New makes a client.
func New(base string, rt http.RoundTripper, retry bool) work.Peer {
	c := &client{base: base, http: &http.Client{Transport: rt}, retry: retry}
	var err1, err2 error
	c.jane, err1 = json.Marshal(work.Jane())
	c.hundred, err2 = json.Marshal(work.Hundred())
	if err := errors.Join(err1, err2); err != nil {
		panic(err)
	}
	return c
}

func (c *client) call(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	for {
		var reader io.Reader
		if body != nil {
			reader = bytes.NewReader(body)
		}
		req, err := http.NewRequestWithContext(ctx, method, c.base+path, reader)
		if err != nil {
			return nil, err
		}
		req.Header.Set("X-API-Key", work.APIKey)
		resp, err := c.http.Do(req)
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		switch {
		case err != nil:
			return nil, err
		case resp.StatusCode == http.StatusTooManyRequests && c.retry:
			continue
		case resp.StatusCode == http.StatusConflict:
			return nil, errTaken
		case resp.StatusCode > 299:
			return nil, errStatus
		}
		return data, nil
	}
}

func (c *client) Get(ctx context.Context) (any, error) {
	return raw(c.call(ctx, "GET", "/contacts/"+work.ContactID, nil))
}

func (c *client) List(ctx context.Context, page int) (any, error) {
	return raw(c.call(ctx, "GET", "/contacts?limit=100&page="+strconv.Itoa(page), nil))
}

// All counts the contacts that decoding would have found.
func (c *client) All(ctx context.Context) (int, error) {
	return work.Pager(func(page int) (int, int, error) {
		_, err := c.List(ctx, page)
		return 100, work.Pages, err
	})
}

func (c *client) Create(ctx context.Context) (any, error) {
	return raw(c.call(ctx, "POST", "/contacts", c.jane))
}

func (c *client) Taken(err error) bool { return errors.Is(err, errTaken) }

func (c *client) Execute(ctx context.Context) (any, error) {
	return raw(c.call(ctx, "POST", "/sequences/"+work.SequenceID+"/execute", c.hundred))
}

func raw(data []byte, err error) (any, error) { return json.RawMessage(data), err }
