package demeterrr

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/demeterrr/demeterrr-go/internal/jsonread"
	"github.com/demeterrr/demeterrr-go/internal/paging"
)

// Page is one page of a list (API docs, page "pagination").
type Page[T any] struct {
	// Items are the items of the page, in the API's undocumented order.
	Items []T
	// Page is the number of this page; the first is 1.
	Page int
	// PerPage is the number of items asked for, as the API reports it. It may
	// or may not show the cap of 100: this is undocumented.
	PerPage int
	// Total is the number of items on all pages.
	Total int
	// TotalPages is the number of pages; 0 or 1 for an empty list.
	TotalPages int
}

// maxPerPage is the API's maximum for a page (contract, section 4).
const maxPerPage = 100

// listQuery holds the parameters of any list.
type listQuery struct {
	operation   string // of the call for one page
	raw         bool   // the caller gave the path
	page, limit int
	values      url.Values // filters
	mistake     error      // reason to reject it, or nil
}

func (q *listQuery) add(name, value string) {
	if value != "" {
		q.values.Set(name, value)
	}
}

// request returns the request for page q.page.
func (q listQuery) request(route string) request {
	r := request{operation: q.operation, method: http.MethodGet, path: route, raw: q.raw, mistake: q.mistake}
	switch {
	case q.page < 0 || q.limit < 0:
		r.mistake = errors.New("page and limit must not be negative; 0 means the default")
	case q.limit > maxPerPage:
		r.mistake = fmt.Errorf("limit must be at most %d; use All to get more than a page", maxPerPage)
	}
	r.query = maps.Clone(q.values)
	if r.query == nil {
		r.query = url.Values{}
	}
	if q.page > 0 {
		r.query.Set("page", strconv.Itoa(q.page))
	}
	if q.limit > 0 {
		r.query.Set("limit", strconv.Itoa(q.limit))
	}
	return r
}

// fetch makes a call for one object, and decodes it over v.
func fetch[T any, P decodable[T]](ctx context.Context, c *Client, r request, v P, opts []CallOption) (P, error) {
	if err := c.do(ctx, r, one(v), opts); err != nil {
		return nil, err
	}
	return v, nil
}

// fetchPage makes a call for one page of a list.
func fetchPage[T any, P decodable[T]](ctx context.Context, c *Client, route string, q listQuery, opts []CallOption) (*Page[T], error) {
	page := new(Page[T])
	if err := c.do(ctx, q.request(route), list[T, P](page), opts); err != nil {
		return nil, err
	}
	return page, nil
}

// fetchAll is the only paging loop. It fetches the next page after the caller
// has taken all items of the last. It relies on totalPages, as perPage is
// unreliable.
func fetchAll[T any, P decodable[T]](ctx context.Context, c *Client, operation, route string, q listQuery, opts []CallOption) iter.Seq2[*T, error] {
	opts = slices.Clone(opts) // the caller may change its options before the loop
	return func(yield func(*T, error) bool) {
		// yieldPages has yielded the error, if any.
		_ = c.TraceOperation(ctx, operation, func(ctx context.Context) error {
			return yieldPages[T, P](ctx, c, route, q, opts, yield)
		})
	}
}

// yieldPages loops over the pages of a list. It yields the error, then returns
// it.
func yieldPages[T any, P decodable[T]](ctx context.Context, c *Client, route string, q listQuery, opts []CallOption, yield func(*T, error) bool) error {
	var pages paging.Pages
	q.page = cmp.Or(q.page, 1)
	q.limit = cmp.Or(q.limit, maxPerPage)
	for more := true; more; q.page++ {
		var resp Response
		page, err := fetchPage[T, P](ctx, c, route, q, withResponse(opts, &resp))
		if err == nil {
			err = pageError(route, pages.Check(q.page, markOf[T, P](page)), &resp)
		}
		if err != nil {
			yield(nil, err)
			return err
		}
		for i := range page.Items {
			if !yield(&page.Items[i], nil) {
				return nil
			}
		}
		more = pages.Follow(q.page)
		pages.Forget(q.page)
	}
	return nil
}

// markOf returns the properties of a page for package paging.
func markOf[T any, P decodable[T]](page *Page[T]) paging.Mark {
	return paging.NewMark(page.Page, page.Total, page.TotalPages, len(page.Items), func(i int) string { return P(&page.Items[i]).identity() })
}

// pageError returns the error for a page that breaks the rules of paging, or
// nil if wrong is nil.
func pageError(route string, wrong error, resp *Response) error {
	if wrong == nil {
		return nil
	}
	return &Error{
		StatusCode: resp.StatusCode, Method: http.MethodGet, Path: route, RequestID: resp.RequestID, Attempts: resp.Attempts,
		Message: wrong.Error(),
	}
}

// Fetch calls an endpoint without a method of its own and decodes the "data" of
// its reply into a new T, as encoding/json does. Retries and errors work as in
// every method. A reply without "data" in the API's envelope counts as lost.
// Use [FetchAll] for a list, and [Client.Do] for a reply without a body.
//
// If the data does not fit T, the error names the place and quotes no values.
// If a retried DELETE gets a 404, it has succeeded, and Fetch returns a zero T.
//
// The endpoint defines the required scope. API docs, page "scopes".
func Fetch[T any](ctx context.Context, c *Client, r *Request, opts ...CallOption) (*T, error) {
	var resp Response
	call := r.request("Fetch")
	data, err := fetch(ctx, c, call, new(rawData), withResponse(opts, &resp))
	if err != nil {
		return nil, err
	}
	return decodeData[T](data, call, &resp)
}

// FetchAll returns every item of a list without a method of its own, page by
// page as the loop goes on. It decodes each item into a new T, as encoding/json
// does. The path is as in [Request]. FetchAll starts at page 1 and fetches
// pages of 100. Set page, or limit (1 to 100), in the query to change this. An
// error ends the loop; see [ContactsService.All].
//
// The endpoint defines the required scope. API docs, page "pagination".
func FetchAll[T any](ctx context.Context, c *Client, path string, query url.Values, opts ...CallOption) iter.Seq2[*T, error] {
	r := (&Request{Method: http.MethodGet, Path: path}).request("Fetch")
	q := readQuery(query)
	q.operation, q.raw, q.mistake = r.operation, true, cmp.Or(r.mistake, q.mistake)
	opts = slices.Clone(opts) // the caller may change its options before the loop
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

// readQuery copies a caller's query, and moves page and limit out of it.
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

// rawData is the undecoded data of an endpoint. It is decoded into the caller's
// type after the retries: a wrong type of the caller is no reason to send the
// call again.
type rawData struct {
	json []byte
	id   string // empty if it has none
}

// identity returns the id, or the bytes of data without an id.
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

// decodeData decodes the data of r's reply into a new T.
func decodeData[T any](data *rawData, r request, resp *Response) (*T, error) {
	v := new(T)
	if data.json == nil {
		return v, nil // a retried DELETE got a 404: it succeeded, without a result
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

// misfit returns the error for a reply that does not fit the caller's v.
func misfit(r request, resp *Response, v any, err error) *Error {
	return &Error{
		StatusCode: resp.StatusCode, Message: fmt.Sprintf("the call succeeded, but its reply does not fit %T", v),
		Method: r.method, Path: r.path, RequestID: resp.RequestID, Attempts: resp.Attempts,
		cause: withoutContent(err), unknown: r.method != http.MethodGet, permanent: true,
	}
}
