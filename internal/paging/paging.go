// Package paging has the rules for reading a list page by page. They detect a
// list that would end early or never.
package paging

import (
	"fmt"
	"hash/maphash"
)

// maxEmpty is the number of empty pages in a row after which a list fails.
const maxEmpty = 3

// Pages checks the pages of a list, in any order. Show it every page. It fails
// for a page that would make the list end early or never.
type Pages struct {
	seen map[int]Mark
	last Mark // of the page with the highest number
}

// Follow reports whether there are pages after the one with the number. The
// list may grow and shrink during the reading, so the highest page so far
// decides.
func (p *Pages) Follow(number int) bool { return number < p.last.totalPages }

// Total returns the number of pages, as the highest page so far reports it.
func (p *Pages) Total() int { return p.last.totalPages }

// Forget drops marks that the rules have finished with. Call it if every page up
// to the number was read in order.
func (p *Pages) Forget(number int) { delete(p.seen, number-maxEmpty) }

// Check compares a requested page with the pages beside it.
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

// Mark is the part of a page that the rules need.
type Mark struct {
	number, total, totalPages int
	items                     int
	ids                       uint64 // a hash of the items' ids, which would keep the page in memory
}

var seed = maphash.MakeSeed()

// NewMark returns the mark of a page: its number, the totals that it reports,
// and its number of items, with the ids id(0), id(1), ….
func NewMark(number, total, totalPages, items int, id func(i int) string) Mark {
	var ids maphash.Hash
	ids.SetSeed(seed)
	for i := range items {
		_, _ = ids.WriteString(id(i))
		_ = ids.WriteByte(0) // ends the id
	}
	return Mark{number, total, totalPages, items, ids.Sum64()}
}

// empty reports whether a page has no items although more pages follow.
func (m Mark) empty() bool { return m.items == 0 && m.number < m.totalPages }

// repeats reports whether a page has the items of the page before it, without a
// sign that they have shifted.
func (m Mark) repeats(before Mark) bool {
	return m.items > 0 && m.items == before.items && m.ids == before.ids && m.total == before.total
}
