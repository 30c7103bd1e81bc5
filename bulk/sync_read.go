package bulk

import (
	"cmp"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/internal/mailbox"
	"github.com/demeterrr/demeterrr-go/internal/paging"
)

// maxPerPage is the API's maximum page size (contract, section 4).
const maxPerPage = 100

// read compares the items outside the state with the account. Reading takes at
// least the pages that the state's contacts fill. If the items need no more
// requests than that, read skips it: the replies to the writes then decide.
func (r *syncRun) read() error {
	if r.over() != nil || r.toAsk(1) == 0 {
		return r.over()
	}
	pages := (r.witness.known + maxPerPage - 1) / maxPerPage
	if !r.options.Verify && r.toAsk(pages+1) <= pages {
		r.direct = true
		if err := r.probe(); err != nil {
			return err
		}
		return r.preview()
	}
	all, err := r.readAccount()
	switch {
	case err != nil:
		return err
	case (all || r.options.Verify) && r.witness.absent():
		return stateFailed(ErrStateMismatch)
	}
	if err := r.probe(); err != nil {
		return err
	}
	return r.preview()
}

// readAccount reads the account in the way with fewer requests. The first page
// tells which that is. It skips even that page for a single lookup, since
// nothing costs less. all reports whether it has read all pages.
func (r *syncRun) readAccount() (all bool, err error) {
	if r.toAsk(2) == 1 {
		r.lookUp(r.missing())
		if !r.unfiltered {
			return false, r.over()
		}
	}
	r.advance(func(p *SyncProgress) { p.Reads, p.ReadsTotal = 0, 1 })
	if err := r.page(1); err != nil {
		return false, err
	}
	if r.toAsk(r.list.Total()) < r.list.Total() && !r.unfiltered {
		r.lookUp(r.missing())
		if !r.unfiltered {
			return false, r.over()
		}
	}
	return true, r.pages()
}

// toAsk counts, up to a limit, the requests to look up each missing contact and
// each contact with changed tags.
func (r *syncRun) toAsk(limit int) (n int) {
	for place := 0; place < r.items.n && n < limit; place++ {
		switch item := r.items.at(place); item.status {
		case itemMissing:
			n += len(mailbox.Spellings(unpackEmail(r.packed.at(item.at))))
		case itemChanged:
			if r.needsTags(place) {
				n++
			}
		default: // known already
		}
	}
	return min(n, limit)
}

// missing returns the places of contacts yet to be found in the account.
func (r *syncRun) missing() (places []int) {
	for place := range r.items.n {
		if r.items.at(place).status == itemMissing {
			places = append(places, place)
		}
	}
	return places
}

// pages reads all pages after the first. Writes by others can shift a contact
// past the reader. The API's 409 then reveals it.
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

// follows reports whether there is another page worth reading after this one.
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

// lookUp asks for the email of each item. It gives up if the server ignores the
// filter.
func (r *syncRun) lookUp(places []int) {
	n := 0
	for _, place := range places {
		n += len(mailbox.Spellings(r.email(place)))
	}
	r.advance(func(p *SyncProgress) { p.ReadsTotal = p.Reads + n })
	parallel(r.run, r.options.Concurrency, slices.Values(places), func(place int) {
		asked := mailbox.Spellings(r.email(place))
		for i, email := range asked {
			if r.ignoresFilter() || r.over() != nil {
				return
			}
			page, err := r.client.Contacts.List(r.ctx, &demeterrr.ContactListParams{Email: email}, r.reading()...)
			if err = r.classify(err); err != nil {
				r.fail(place, err)
				return
			}
			if len(page.Items) == 0 {
				r.take(page)
				continue
			}
			r.asked(place, i+1, len(asked), true)
			r.take(page)
			if !slices.ContainsFunc(page.Items, func(c demeterrr.Contact) bool { return mailbox.Same(c.Email, email) }) {
				r.mu.Lock()
				r.unfiltered = true
				r.mu.Unlock()
			}
			return
		}
		r.asked(place, len(asked), len(asked), false)
	})
}

func (r *syncRun) ignoresFilter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.unfiltered
}

// asked records n lookups for an item, out of most planned ones. The rest comes
// off the progress.
func (r *syncRun) asked(place, n, most int, found bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.progress.ReadsTotal -= most - n
	if !r.direct {
		return
	}
	params, _ := unpack(r.packed.at(r.items.at(place).at))
	switch creates := params.FirstName != ""; {
	case found && creates:
		r.extra[place] = 1 + n // a real run gets a 409 first, then looks it up
	case found || !creates:
		r.extra[place] = n
	}
}

// take compares the contacts of a page with those of the input. A contact may
// come twice if it shifts between pages, which does no harm.
func (r *syncRun) take(page *demeterrr.Page[demeterrr.Contact]) {
	now := time.Now()
	r.advance(func(p *SyncProgress) {
		for i := range page.Items {
			r.witness.saw(page.Items[i].ID)
			if place := r.items.find(hashEmail(page.Items[i].Email)); place >= 0 {
				r.match(place, &page.Items[i], now)
			}
		}
		p.Reads++
		p.ReadsTotal = max(p.ReadsTotal, p.Reads) // the list may have grown
	})
}

// match compares an item with a contact of the account. If several contacts fit
// its email, the best one wins, in whatever order they come.
func (r *syncRun) match(place int, c *demeterrr.Contact, now time.Time) {
	item := r.items.at(place)
	if item.status == itemRefused || item.status == itemDone || item.status == itemUnchanged && item.rank == 0 {
		return // in the last case the state has it
	}
	params, _ := unpack(r.packed.at(item.at))
	rank := int8(mailbox.Rank(params.Email, c.Email)) + 1 //nolint:gosec // three ranks at most
	if rank == 0 || item.rank > 0 && cmp.Or(cmp.Compare(rank, item.rank), cmp.Compare(c.ID, r.ids.at(place))) >= 0 {
		return
	}
	if item.inState {
		known := r.known[place]
		r.witness.confirmed = r.witness.confirmed || r.options.Verify || known != nil && known.id == c.ID
		item.exact = item.exact && r.ids.at(place) == c.ID
	}
	item.rank = rank
	r.ids.set(place, c.ID)
	if update := r.changes(&params, r.setBefore(place), c); update != nil {
		item.status = itemDiffers
		r.updates[place] = &syncUpdate{update, now}
	} else {
		item.status = itemUnchanged
		delete(r.updates, place)
	}
}

// setBefore returns the text of the fields that this source has set, according
// to the state.
func (r *syncRun) setBefore(place int) string {
	if known := r.known[place]; known != nil {
		return known.fields
	}
	return ""
}

// email returns the email of an item that is still packed.
func (r *syncRun) email(place int) string { return unpackEmail(r.packed.at(r.items.at(place).at)) }
