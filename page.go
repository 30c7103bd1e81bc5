package demeterrr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/demeterrr/demeterrr-go/internal/validate"
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
	page, limit int
	values      url.Values // filters
}

func (q *listQuery) add(name, value string) {
	if value != "" {
		q.values.Set(name, value)
	}
}

// request is the request for the page that q names.
func (q listQuery) request(route string) request {
	r := request{operation: q.operation, method: http.MethodGet, path: route}
	switch {
	case q.page < 0 || q.limit < 0:
		r.mistake = errors.New("page and limit must not be negative; 0 means the default")
	case q.limit > maxPerPage:
		r.mistake = fmt.Errorf("limit must be at most %d; use All to get more than a page", maxPerPage)
	case q.values.Has("email"):
		r.mistake = validate.Email(q.values.Get("email"))
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
	pages := pager{route: route}
	q.page = cmp.Or(q.page, 1)
	q.limit = cmp.Or(q.limit, maxPerPage)
	for more := true; more; q.page++ {
		var resp Response
		page, err := fetchPage[T, P](ctx, c, route, q, withResponse(opts, &resp))
		if err == nil {
			err = pages.check(q.page, markOf[T, P](page), &resp)
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
		more = pages.follow(q.page)
		delete(pages.seen, q.page-maxEmptyPages) // no rule reaches that far back
	}
	return nil
}

// maxEmptyPages is how many pages in a row may be empty before the end of a list.
const maxEmptyPages = 3

// pager holds the rules of paging. It is shown every page of a list that is read,
// in any order, and refuses those that would make the list end early or never.
type pager struct {
	route string
	seen  map[int]pageMark
	last  pageMark // that of the highest number
}

// follow reports whether there are pages after the one with the number. The list
// may grow and shrink while it is read: the highest page that was read counts.
func (p *pager) follow(number int) bool { return number < p.last.totalPages }

// check looks at a page that was asked for, and at those beside it.
func (p *pager) check(asked int, m pageMark, resp *Response) error {
	if p.seen == nil {
		p.seen = map[int]pageMark{}
	}
	p.seen[asked] = m
	if asked > p.last.number {
		p.last = m
	}
	first, last := asked, asked // of the empty pages in a row
	for ; m.empty() && p.seen[first-1].empty(); first-- {
	}
	for ; m.empty() && p.seen[last+1].empty(); last++ {
	}
	switch {
	case m.number != asked:
		return p.wrong(resp, "asked for page %d, the server sent page %d; does a proxy drop the query?", asked, m.number)
	case m.repeats(p.seen[asked-1]) || p.seen[asked+1].repeats(m):
		return p.wrong(resp, "asked for page %d, the server sent the items of the page beside it again; does a proxy drop the query?", asked)
	case last-first+1 >= maxEmptyPages:
		return p.wrong(resp, "pages %d to %d of %d are empty; read the list again later", first, last, m.totalPages)
	}
	return nil
}

// wrong is the error for a page.
func (p *pager) wrong(resp *Response, format string, args ...any) *Error {
	return &Error{
		StatusCode: resp.StatusCode, Method: http.MethodGet, Path: p.route, RequestID: resp.RequestID, Attempts: resp.Attempts,
		Message: fmt.Sprintf(format, args...),
	}
}

// pageMark is what the rules of paging need to know of a page.
type pageMark struct {
	number, items     int
	ids               uint64 // a hash of the items' ids, which would keep the page
	total, totalPages int
}

var idSeed = maphash.MakeSeed()

func markOf[T any, P decodable[T]](page *Page[T]) pageMark {
	var ids maphash.Hash
	ids.SetSeed(idSeed)
	for i := range page.Items {
		_, _ = ids.WriteString(P(&page.Items[i]).identity())
		_ = ids.WriteByte(0) // ends the id
	}
	return pageMark{page.Page, len(page.Items), ids.Sum64(), page.Total, page.TotalPages}
}

// empty reports whether a page has no items, although more pages follow.
func (m pageMark) empty() bool { return m.items == 0 && m.number < m.totalPages }

// repeats reports whether a page has the items of the page before it, and nothing
// says that they have shifted.
func (m pageMark) repeats(before pageMark) bool {
	return m.items > 0 && m.items == before.items && m.ids == before.ids && m.total == before.total
}
