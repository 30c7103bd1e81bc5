package demeterrr

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/demeterrr/demeterrr-go/internal/jsonread"
)

// Fetch calls an endpoint that has no method of its own and decodes the "data" of
// its reply into a new T, as encoding/json does. It retries and fails like the
// methods do: without "data" in the API's envelope, the reply counts as lost. Use
// [FetchAll] for a list, and [Client.Do] for a reply without a body.
//
// If the data does not fit T, the error names the place and quotes no values. A
// DELETE that was retried and met a 404 has succeeded, and returns a zero T.
//
// The scope is the endpoint's. API docs, page "scopes".
func Fetch[T any](ctx context.Context, c *Client, r *Request, opts ...CallOption) (*T, error) {
	var resp Response
	call := r.request("Fetch")
	data, err := fetch(ctx, c, call, new(rawData), withResponse(opts, &resp))
	if err != nil {
		return nil, err
	}
	return decodeData[T](data, call, &resp)
}

// FetchAll returns all items of a list that has no method of its own, page by page
// as the loop goes on. It decodes each item into a new T, as encoding/json does.
// The path is as in [Request]. FetchAll asks for 100 items a page, from page 1 on,
// unless the query sets limit (1 to 100) or page. An error ends the loop: see
// [ContactsService.All].
//
// The scope is the endpoint's. API docs, page "pagination".
func FetchAll[T any](ctx context.Context, c *Client, path string, query url.Values, opts ...CallOption) iter.Seq2[*T, error] {
	r := (&Request{Method: http.MethodGet, Path: path}).request("Fetch")
	q := readQuery(query)
	q.operation, q.raw, q.mistake = r.operation, true, cmp.Or(r.mistake, q.mistake)
	opts = slices.Clone(opts) // the loop may come after the caller has changed its own
	return func(yield func(*T, error) bool) {
		var resp Response
		for data, err := range fetchAll[rawData](ctx, c, "FetchAll", r.path, q, withResponse(opts, &resp)) {
			var item *T
			if err == nil {
				item, err = decodeData[T](data, r, &resp)
			}
			if !yield(item, err) || err != nil {
				return
			}
		}
	}
}

// readQuery copies a caller's query, and reads page and limit out of it.
func readQuery(query url.Values) listQuery {
	q := listQuery{values: make(url.Values, len(query)+2)}
	for name, values := range query {
		q.values[name] = slices.Clone(values)
	}
	number := func(name string, most int, want string) int {
		values, ok := q.values[name]
		delete(q.values, name)
		if !ok {
			return 0
		}
		if len(values) == 1 {
			if n, err := strconv.Atoi(values[0]); err == nil && n >= 1 && n <= most {
				return n
			}
		}
		q.mistake = fmt.Errorf("the query's %s must be one whole number %s", name, want)
		return 0
	}
	q.page = number("page", math.MaxInt, "from 1")
	q.limit = number("limit", maxPerPage, fmt.Sprintf("from 1 to %d", maxPerPage))
	return q
}

// rawData is the data of an endpoint that the SDK has no type for. It is decoded
// after the retries: that the caller's type does not fit is no fault of the reply.
type rawData struct {
	json []byte
	id   string // empty if it has none
}

// identity is the id. Data without one is identified by its bytes.
func (d *rawData) identity() string { return cmp.Or(d.id, string(d.json)) }

func (d *rawData) decode(r *jsonread.Reader) {
	*d = rawData{}
	if r.Null() {
		return // no data
	}
	start := r.Mark()
	if r.Kind() != '{' {
		r.Skip()
	} else {
		for r.Record(); r.Member(); {
			if string(r.Key()) == "id" && r.Kind() == '"' {
				d.id = r.Text()
			} else {
				r.Skip()
			}
		}
	}
	d.json = bytes.Clone(r.Since(start))
}

// decodeData decodes what came back for r into a new T.
func decodeData[T any](data *rawData, r request, resp *Response) (*T, error) {
	v := new(T)
	if data.json == nil {
		return v, nil // a repeated DELETE that met a 404: it has succeeded, and there is no result
	}
	if err := json.Unmarshal(data.json, v); err != nil {
		failed := misfit(r, resp, v, err)
		if data.json[0] == '[' {
			failed.Message += "; for a list, use FetchAll"
		}
		return nil, failed
	}
	return v, nil
}

// misfit is the error for a reply that does not fit v, the caller's.
func misfit(r request, resp *Response, v any, err error) *Error {
	return &Error{
		StatusCode: resp.StatusCode, Message: fmt.Sprintf("the call succeeded, but its reply does not fit %T", v),
		Method: r.method, Path: r.path, RequestID: resp.RequestID, Attempts: resp.Attempts,
		cause: withoutContent(err), unknown: r.method != http.MethodGet, permanent: true,
	}
}
