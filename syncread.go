package demeterrr

import (
	"slices"
	"sync/atomic"
)

// read learns what the account has of the input, by the way that takes fewer
// requests. The first page tells which one that is, except for a single contact,
// for which nothing is cheaper than to look it up.
func (r *syncRun) read() error {
	wanted := r.missing()
	switch len(wanted) {
	case 0:
		return nil
	case 1:
		r.lookUp(wanted)
		if !r.unfiltered.Load() {
			return r.over()
		}
	}
	r.advance(func(p *SyncProgress) { p.Reads, p.ReadsTotal = 0, 1 })
	first, err := r.page(1, "")
	if err != nil {
		return err
	}
	before := ""
	if len(first.Items) > 0 {
		before = first.Items[0].identity()
	}
	if wanted = r.missing(); len(wanted) < first.TotalPages && !r.unfiltered.Load() {
		r.lookUp(wanted)
		if !r.unfiltered.Load() {
			return r.over()
		}
	}
	return r.pages(before, first.TotalPages)
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

// pages reads all pages but the first, before being the identity of the first
// contact on that, and total what the server says there are: none follows one
// that is empty. What somebody else's writes shift between pages while they are
// read can be missed: it is found by the API's 409.
func (r *syncRun) pages(before string, total int) error {
	r.advance(func(p *SyncProgress) { p.ReadsTotal = p.Reads + max(total-1, 0) })
	var last atomic.Bool
	numbers := func(yield func(int) bool) {
		for i := 2; i <= total && !last.Load() && r.over() == nil && yield(i); i++ {
		}
	}
	parallel(r.bulk, r.options.Concurrency, numbers, func(number int) {
		if r.over() != nil {
			return
		}
		page, err := r.page(number, before)
		switch {
		case err != nil:
			r.stop(err)
		case len(page.Items) == 0:
			last.Store(true)
		}
	})
	if last.Load() {
		r.advance(func(p *SyncProgress) { p.ReadsTotal = p.Reads })
	}
	return r.over()
}

// page reads one page of the account.
func (r *syncRun) page(number int, before string) (*Page[Contact], error) {
	var resp Response
	q := listQuery{page: number, limit: maxPerPage}
	page, err := fetchPage[Contact](r.ctx, r.service.caller(), routeContacts, q, withResponse(r.reading(), &resp))
	if err := r.verdict(err); err != nil {
		return nil, err
	}
	if page.Page != number || number > 1 && len(page.Items) > 0 && page.Items[0].identity() == before {
		return nil, wrongPage(routeContacts, number, page.Page, &resp)
	}
	r.take(page)
	return page, nil
}

// lookUp asks for the email of each of the items. It gives up if the server turns
// out to ignore the question.
func (r *syncRun) lookUp(items []*syncItem) {
	r.advance(func(p *SyncProgress) { p.ReadsTotal = p.Reads + len(items) })
	parallel(r.bulk, r.options.Concurrency, slices.Values(items), func(item *syncItem) {
		if r.unfiltered.Load() || r.over() != nil {
			return
		}
		q := (&ContactListParams{Email: item.params.Email}).query()
		page, err := fetchPage[Contact](r.ctx, r.service.caller(), routeContacts, q, r.reading())
		if item.err = r.verdict(err); item.err != nil {
			return
		}
		r.take(page)
		asked := func(c Contact) bool { return sameEmail(c.Email, item.params.Email) }
		if len(page.Items) > 0 && !slices.ContainsFunc(page.Items, asked) {
			r.unfiltered.Store(true)
		}
	})
}

// take keeps the contacts that the input has. One that it met twice, because it
// shifted between pages, is the same; of two with one email the choice does not
// depend on the order in which pages arrive.
func (r *syncRun) take(page *Page[Contact]) {
	r.advance(func(p *SyncProgress) {
		for i := range page.Items {
			c := page.Items[i] // a copy, which does not keep the page
			item := r.byEmail[emailKey(c.Email)]
			if item != nil && sameEmail(c.Email, item.params.Email) && (item.have == nil || c.ID < item.have.ID) {
				item.have = &c
			}
		}
		p.Reads++
	})
}
