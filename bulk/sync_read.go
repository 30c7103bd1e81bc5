package bulk

import (
	"cmp"
	"math"
	"net/http"
	"slices"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/internal/mailbox"
	"github.com/demeterrr/demeterrr-go/internal/paging"
)

// maxPerPage is the most that the API puts on a page (contract, section 4).
const maxPerPage = 100

// read learns what the account has of the input, by the way that takes fewer
// requests. The first page tells which one that is, except for a contact that
// takes one look-up, for which nothing is cheaper.
func (r *syncRun) read() error {
	wanted := r.missing()
	switch lookUps(wanted) {
	case 0:
		return nil
	case 1:
		r.lookUp(wanted)
		if !r.unfiltered.Load() {
			return r.over()
		}
	}
	r.advance(func(p *SyncProgress) { p.Reads, p.ReadsTotal = 0, 1 })
	if err := r.page(1); err != nil {
		return err
	}
	if wanted = r.missing(); lookUps(wanted) < r.list.Total() && !r.unfiltered.Load() {
		r.lookUp(wanted)
		if !r.unfiltered.Load() {
			return r.over()
		}
	}
	return r.pages()
}

// missing are the contacts that are not known to be in the account.
func (r *syncRun) missing() []*syncItem {
	var items []*syncItem
	for _, item := range r.items {
		if item.have == nil && item.err == nil {
			items = append(items, item)
		}
	}
	return items
}

// pages reads all pages but the first. What somebody else's writes shift between
// pages while they are read can be missed: it is found by the API's 409.
func (r *syncRun) pages() error {
	r.advance(func(p *SyncProgress) {
		p.ReadsTotal = p.Reads + min(max(r.list.Total()-1, 0), math.MaxInt-p.Reads)
	})
	last := 1
	numbers := func(yield func(int) bool) {
		for r.follows(last) {
			if last++; !yield(last) {
				return
			}
		}
	}
	for r.follows(last) { // again if the list has grown
		parallel(r.run, r.options.Concurrency, numbers, func(number int) {
			if r.over() != nil {
				return
			}
			if err := r.page(number); err != nil {
				r.stop(err)
			}
		})
	}
	if r.over() == nil && r.progress.ReadsTotal > r.progress.Reads { // the list has shrunk
		r.advance(func(p *SyncProgress) { p.ReadsTotal = p.Reads })
	}
	return r.over()
}

// follows reports whether there is a page after the one with the number, and use
// in reading it.
func (r *syncRun) follows(number int) bool {
	if r.over() != nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.list.Follow(number)
}

// page reads one page of the account.
func (r *syncRun) page(number int) error {
	var resp demeterrr.Response
	params := &demeterrr.ContactListParams{Page: number, Limit: maxPerPage}
	page, err := r.client.Contacts.List(r.ctx, params, append(r.reading(), demeterrr.WithResponse(&resp))...)
	if err := r.classify(err); err != nil {
		return err
	}
	r.mu.Lock()
	err = r.list.Check(number, paging.NewMark(page.Page, page.Total, page.TotalPages, len(page.Items), func(i int) string { return page.Items[i].ID }))
	r.mu.Unlock()
	if err != nil {
		return &demeterrr.Error{
			StatusCode: resp.StatusCode, Method: http.MethodGet, Path: "/contacts", RequestID: resp.RequestID, Attempts: resp.Attempts,
			Message: err.Error(),
		}
	}
	r.take(page)
	return nil
}

// lookUps is the number of requests that it takes to look the items up, at most.
func lookUps(items []*syncItem) (n int) {
	for _, item := range items {
		n += len(mailbox.Spellings(item.params.Email))
	}
	return n
}

// lookUp asks for the email of each of the items. It gives up if the server turns
// out to ignore the question.
func (r *syncRun) lookUp(items []*syncItem) {
	r.advance(func(p *SyncProgress) { p.ReadsTotal = p.Reads + lookUps(items) })
	parallel(r.run, r.options.Concurrency, slices.Values(items), func(item *syncItem) {
		asked := mailbox.Spellings(item.params.Email)
		for i, email := range asked {
			if r.unfiltered.Load() || r.over() != nil {
				return
			}
			page, err := r.client.Contacts.List(r.ctx, &demeterrr.ContactListParams{Email: email}, r.reading()...)
			if item.err = r.classify(err); item.err != nil {
				return
			}
			if len(page.Items) == 0 {
				r.take(page)
				continue
			}
			r.spare(len(asked) - i - 1)
			r.take(page)
			if !slices.ContainsFunc(page.Items, func(c demeterrr.Contact) bool { return mailbox.Same(c.Email, email) }) {
				r.unfiltered.Store(true)
			}
			return
		}
	})
}

// spare takes requests that turned out not to be needed off the progress.
func (r *syncRun) spare(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.progress.ReadsTotal -= n
}

// take keeps the contacts that the input has. One that it met twice, because it
// shifted between pages, is the same.
func (r *syncRun) take(page *demeterrr.Page[demeterrr.Contact]) {
	r.advance(func(p *SyncProgress) {
		for i := range page.Items {
			c := page.Items[i] // a copy, which does not keep the page
			if item := r.byEmail[mailbox.Key(c.Email)]; item != nil && item.fits(&c) {
				item.have = &c
			}
		}
		p.Reads++
		p.ReadsTotal = max(p.ReadsTotal, p.Reads) // the list may have grown
	})
}

// fits reports whether an item's email means c rather than the contact that the
// item has. The choice does not depend on the order in which the contacts come.
func (item *syncItem) fits(c *demeterrr.Contact) bool {
	if item.have == nil {
		return mailbox.Same(c.Email, item.params.Email)
	}
	rank := mailbox.Rank(item.params.Email, c.Email)
	return rank >= 0 && cmp.Or(rank-mailbox.Rank(item.params.Email, item.have.Email), cmp.Compare(c.ID, item.have.ID)) < 0
}
