package demeterrr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/demeterrr/demeterrr-go/internal/paging"
)

// Page is one page of a list (API docs, page "pagination").
type Page[T any] struct {
	// Items are the page's, in the API's order, which is not documented.
	Items []T
	// Page is the number of this page; the first is 1.
	Page int
	// PerPage is the number of items asked for, as the API reports it; whether it shows the cap of 100 is not documented.
	PerPage int
	// Total is the number of items on all pages.
	Total int
	// TotalPages is the number of pages; for an empty list it is 0 or 1.
	TotalPages int
}

// maxPerPage is the most that the API puts on a page (contract, section 4).
const maxPerPage = 100

// listQuery is what every list can be asked for.
type listQuery struct {
	operation   string // of the call for a page
	raw         bool   // the path is a caller's
	page, limit int
	values      url.Values // filters
	mistake     error      // why it must not be asked; nil if nothing is known to be wrong
}

func (q *listQuery) add(name, value string) {
	if value != "" {
		q.values.Set(name, value)
	}
}

// request is the request for the page that q names.
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

// fetch makes a call whose reply is one object, read over v.
func fetch[T any, P decodable[T]](ctx context.Context, c *Client, r request, v P, opts []CallOption) (P, error) {
	if err := c.do(ctx, r, one(v), opts); err != nil {
		return nil, err
	}
	return v, nil
}

// fetchPage makes a call whose reply is one page of a list.
func fetchPage[T any, P decodable[T]](ctx context.Context, c *Client, route string, q listQuery, opts []CallOption) (*Page[T], error) {
	page := new(Page[T])
	if err := c.do(ctx, q.request(route), list[T, P](page), opts); err != nil {
		return nil, err
	}
	return page, nil
}

// fetchAll is the one paging loop. It asks for the next page when the caller has
// taken all of the last one, and goes by totalPages, as perPage is not reliable.
func fetchAll[T any, P decodable[T]](ctx context.Context, c *Client, operation, route string, q listQuery, opts []CallOption) iter.Seq2[*T, error] {
	opts = slices.Clone(opts) // the loop may come after the caller has changed its own
	return func(yield func(*T, error) bool) {
		// The error, if any, has been yielded.
		_ = c.TraceOperation(ctx, operation, func(ctx context.Context) error {
			return yieldPages[T, P](ctx, c, route, q, opts, yield)
		})
	}
}

// yieldPages is one loop over the pages of a list. It yields the error that it returns.
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

// markOf is what the rules of paging need to know of a page.
func markOf[T any, P decodable[T]](page *Page[T]) paging.Mark {
	return paging.NewMark(page.Page, page.Total, page.TotalPages, len(page.Items), func(i int) string { return P(&page.Items[i]).identity() })
}

// pageError is the error for a page that breaks the rules of paging; nil if wrong is nil.
func pageError(route string, wrong error, resp *Response) error {
	if wrong == nil {
		return nil
	}
	return &Error{
		StatusCode: resp.StatusCode, Method: http.MethodGet, Path: route, RequestID: resp.RequestID, Attempts: resp.Attempts,
		Message: wrong.Error(),
	}
}
