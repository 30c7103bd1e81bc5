package demeterrrtest

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// The page sizes of lists (contract, section 4).
const (
	defaultLimit = 50
	maxLimit     = 100
)

// checkQuery refuses everything undocumented in a query.
func checkQuery(query url.Values, known []string) []problem {
	var problems []problem
	for _, name := range slices.Sorted(maps.Keys(query)) {
		switch values := query[name]; {
		case !slices.Contains(known, name):
			problems = append(problems, problem{name, "is not a parameter of this endpoint"})
		case len(values) > 1:
			problems = append(problems, problem{name, "may be given once"})
		case values[0] == "":
			problems = append(problems, problem{name, "must not be empty"})
		case name == "page" || name == "limit":
			if n, err := strconv.Atoi(values[0]); err != nil || n < 1 {
				problems = append(problems, problem{name, "must be a whole number from 1"})
			}
		case name == "location_id" && !isUUID(values[0]):
			problems = append(problems, problem{name, "must be a UUID"})
		}
	}
	return problems
}

// paging is the page that a checked query asks for.
type paging struct{ page, limit int }

func pagingOf(query url.Values) paging {
	p := paging{page: 1, limit: defaultLimit}
	if query.Has("page") {
		p.page, _ = strconv.Atoi(query.Get("page"))
	}
	if query.Has("limit") {
		p.limit, _ = strconv.Atoi(query.Get("limit"))
	}
	p.limit = min(p.limit, maxLimit) // capped, as documented
	return p
}

// pageReply returns one page of items. render turns an item into JSON data.
func pageReply[T any](items []T, p paging, render func(T) any) *reply {
	found, m := pageOf(items, p)
	data := []any{}
	for _, item := range found {
		data = append(data, render(item))
	}
	return jsonReply(200, envelope{Data: data, Meta: m})
}

// pageOf cuts one page out of items.
func pageOf[T any](items []T, p paging) ([]T, *meta) {
	m := &meta{Page: p.page, PerPage: p.limit, Total: len(items)}
	m.TotalPages = (m.Total + p.limit - 1) / p.limit
	if p.page > m.TotalPages {
		return nil, m
	}
	start := (p.page - 1) * p.limit
	return items[start:min(start+p.limit, m.Total)], m
}

// isUUID reports whether s has the form of a UUID, of any version.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, r := range []byte(s) {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if r != '-' {
				return false
			}
			continue
		}
		if strings.IndexByte("0123456789abcdefABCDEF", r) < 0 {
			return false
		}
	}
	return true
}

// newID returns the n-th id of a kind. Ids are the same in every run, so that
// examples have stable output.
func newID(kind, n int) string {
	return fmt.Sprintf("%08x-0000-4000-8000-%012x", kind, n)
}
