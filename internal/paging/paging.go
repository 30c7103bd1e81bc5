// Package paging holds the rules by which a list is read page by page, so that it
// ends neither early nor never.
package paging

import (
	"fmt"
	"hash/maphash"
)

// maxEmpty is how many pages in a row may be empty before the end of a list.
const maxEmpty = 3

// Pages checks the pages of a list. It is shown every page that is read, in any
// order, and refuses those that would make the list end early or never.
type Pages struct {
	seen map[int]Mark
	last Mark // that of the highest number
}

// Follow reports whether there are pages after the one with the number. The list
// may grow and shrink while it is read: the highest page that was read counts.
func (p *Pages) Follow(number int) bool { return number < p.last.totalPages }

// Total is the number of pages, as the highest page that was read has it.
func (p *Pages) Total() int { return p.last.totalPages }

// Forget drops what no rule needs any more if every page up to the number was
// read in order.
func (p *Pages) Forget(number int) { delete(p.seen, number-maxEmpty) }

// Check looks at a page that was asked for, and at those beside it.
func (p *Pages) Check(asked int, m Mark) error {
	if p.seen == nil {
		p.seen = map[int]Mark{}
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
		return fmt.Errorf("asked for page %d, the server sent page %d; does a proxy drop the query?", asked, m.number)
	case m.repeats(p.seen[asked-1]) || p.seen[asked+1].repeats(m):
		return fmt.Errorf("asked for page %d, the server sent the items of the page beside it again; does a proxy drop the query?", asked)
	case last-first+1 >= maxEmpty:
		return fmt.Errorf("pages %d to %d of %d are empty; read the list again later", first, last, m.totalPages)
	}
	return nil
}

// Mark is what the rules need to know of a page.
type Mark struct {
	number, total, totalPages int
	items                     int
	ids                       uint64 // a hash of the items' ids, which would keep the page
}

var seed = maphash.MakeSeed()

// NewMark returns the mark of a page with its number, the totals that it reports,
// and so many items, whose ids are id(0), id(1), ….
func NewMark(number, total, totalPages, items int, id func(i int) string) Mark {
	var ids maphash.Hash
	ids.SetSeed(seed)
	for i := range items {
		_, _ = ids.WriteString(id(i))
		_ = ids.WriteByte(0) // ends the id
	}
	return Mark{number, total, totalPages, items, ids.Sum64()}
}

// empty reports whether a page has no items, although more pages follow.
func (m Mark) empty() bool { return m.items == 0 && m.number < m.totalPages }

// repeats reports whether a page has the items of the page before it, and nothing
// says that they have shifted.
func (m Mark) repeats(before Mark) bool {
	return m.items > 0 && m.items == before.items && m.ids == before.ids && m.total == before.total
}
