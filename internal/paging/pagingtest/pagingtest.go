// Package pagingtest has lists to test everything that reads pages by the same
// rules.
package pagingtest

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// Page is one page of a list: the ids are letters.
type Page struct {
	IDs               string
	Total, TotalPages int
}

// List has its pages, the ids of its items, and its final error.
type List struct {
	Pages      []Page
	IDs, Wrong string
}

// Lists are lists by their peculiarity.
var Lists = map[string]List{
	"an empty page is read past":              {[]Page{{"ab", 6, 6}, {"", 6, 6}, {"c", 6, 6}, {"d", 6, 6}, {"e", 6, 6}, {"f", 6, 6}}, "abcdef", ""},
	"so is the first page":                    {[]Page{{"", 2, 2}, {"ab", 2, 2}}, "ab", ""},
	"two in a row":                            {[]Page{{"ab", 4, 5}, {"", 4, 5}, {"", 4, 5}, {"c", 4, 5}, {"d", 4, 5}}, "abcd", ""},
	"twice two":                               {[]Page{{"a", 3, 7}, {"", 3, 7}, {"", 3, 7}, {"b", 3, 7}, {"", 3, 7}, {"", 3, 7}, {"c", 3, 7}}, "abc", ""},
	"three in a row are an error":             {[]Page{{"ab", 9, 5}, {"", 9, 5}, {"", 9, 5}, {"", 9, 5}, {"c", 9, 5}}, "ab", "pages 2 to 4 of 5 are empty"},
	"the third ends the list":                 {[]Page{{"ab", 2, 4}, {"", 2, 4}, {"", 2, 4}, {"", 2, 4}}, "ab", ""},
	"the list grows":                          {[]Page{{"ab", 3, 2}, {"cd", 5, 3}, {"e", 5, 3}}, "abcde", ""},
	"the list shrinks":                        {[]Page{{"ab", 6, 3}, {"c", 3, 2}, {"", 3, 2}}, "abc", ""},
	"all of the next page is deleted":         {[]Page{{"ab", 4, 2}, {"", 2, 1}}, "ab", ""},
	"a contact is added before the next page": {[]Page{{"a", 2, 2}, {"a", 3, 3}, {"b", 3, 3}}, "aab", ""},
	"two contacts are added and deleted":      {[]Page{{"ab", 4, 2}, {"ac", 4, 2}}, "abac", ""},
	"the first page again":                    {[]Page{{"ab", 4, 2}, {"ab", 4, 2}}, "ab", "asked for page 2, the server sent the items of the page beside it again"},
	"a page of one again":                     {[]Page{{"a", 2, 2}, {"a", 2, 2}}, "a", "asked for page 2, the server sent the items of the page beside it again"},
	"a later page again":                      {[]Page{{"ab", 6, 3}, {"cd", 6, 3}, {"cd", 6, 3}}, "abcd", "the server sent the items of the page beside it again"},
	"no more pages than there can be":         {[]Page{{"ab", 2, math.MaxInt}, {"", 2, math.MaxInt}, {"", 2, math.MaxInt}, {"", 2, math.MaxInt}, {"", 2, math.MaxInt}, {"", 2, math.MaxInt}, {"", 2, math.MaxInt}}, "ab", "are empty"},
}

// Serve returns a handler for these pages and counts the requests. The contact
// a has the email a@x.com.
func Serve(t testing.TB, pages []Page) (handler http.HandlerFunc, requests *atomic.Int64) {
	t.Helper()
	requests = new(atomic.Int64)
	return func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		n, _ := strconv.Atoi(r.URL.Query().Get("page"))
		if n < 1 || n > len(pages) {
			t.Errorf("%s %s was sent", r.Method, r.URL)
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		items := []string{}
		for _, id := range pages[n-1].IDs {
			items = append(items, fmt.Sprintf(`{"id":"%c","email":"%c@x.com","firstName":"A"}`, id, id))
		}
		_, _ = fmt.Fprintf(w, `{"data":[%s],"meta":{"page":%d,"perPage":2,"total":%d,"totalPages":%d}}`, strings.Join(items, ","), n, pages[n-1].Total, pages[n-1].TotalPages)
	}, requests
}
