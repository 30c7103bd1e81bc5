package demeterrr_test

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/internal/paging/pagingtest"
)

// listing serves total contacts, c1, c2, …, as in the contract (section 4).
func listing(total int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		page, limit := 1, 50
		if n, err := strconv.Atoi(r.URL.Query().Get("page")); err == nil {
			page = n
		}
		if n, err := strconv.Atoi(r.URL.Query().Get("limit")); err == nil {
			limit = min(n, 100)
		}
		items := []string{}
		for i := (page-1)*limit + 1; i <= min(page*limit, total); i++ {
			items = append(items, fmt.Sprintf(`{"id":"c%d"}`, i))
		}
		fmt.Fprint(w, pageJSON(items, page, limit, total, (total+limit-1)/limit))
	}
}

func pageJSON(items []string, page, perPage, total, totalPages int) string {
	return fmt.Sprintf(`{"data":[%s],"meta":{"page":%d,"perPage":%d,"total":%d,"totalPages":%d}}`, strings.Join(items, ","), page, perPage, total, totalPages)
}

// collect takes at most most contacts, and the errors.
func collect(t *testing.T, c *demeterrr.Client, params *demeterrr.ContactListParams, most int) (ids []string, errs []error) {
	t.Helper()
	for contact, err := range c.Contacts.All(t.Context(), params) {
		if err != nil {
			if contact != nil {
				t.Error("a contact came with an error")
			}
			errs = append(errs, err)
			continue // an error must end the loop by itself
		}
		if ids = append(ids, contact.ID); len(ids) == most {
			break
		}
	}
	return ids, errs
}

func ids(from, to int) []string {
	list := []string{}
	for i := from; i <= to; i++ {
		list = append(list, fmt.Sprintf("c%d", i))
	}
	return list
}

func TestAllGivesEveryContactOnce(t *testing.T) {
	t.Parallel()
	for total, requests := range map[int]int{0: 1, 1: 1, 100: 1, 101: 2, 247: 3} {
		var j journal
		got, errs := collect(t, serving(t, j.record(listing(total))), nil, 1000)
		same(t, "errors", errs, []error(nil))
		if !slices.Equal(got, ids(1, total)) {
			t.Errorf("of %d: got %v", total, got)
		}
		want := []string{}
		for page := range requests {
			want = append(want, fmt.Sprintf("GET /api/v1/contacts?limit=100&page=%d", page+1))
		}
		same(t, "requests", j.lines(), want)
	}
}

func TestAllHonoursTheParamsAndDoesNotChangeThem(t *testing.T) {
	t.Parallel()
	var j journal
	params := demeterrr.ContactListParams{Page: 2, Limit: 3, Search: "a b", Email: "x+y@example.com", Phone: "+1 555", LocationID: locationID}
	before := params
	got, errs := collect(t, serving(t, j.record(listing(8))), &params, 1000)
	same(t, "errors", errs, []error(nil))
	same(t, "contacts", got, ids(4, 8))
	const filter = "email=x%2By%40example.com&limit=3&location_id=" + locationID + "&page=%d&phone=%2B1+555&search=a+b"
	same(t, "requests", j.lines(), []string{
		"GET /api/v1/contacts?" + strings.Replace(filter, "page=%d", "page=2", 1),
		"GET /api/v1/contacts?" + strings.Replace(filter, "page=%d", "page=3", 1),
	})
	same(t, "params", params, before)
}

func TestListAsksForOnePageOnly(t *testing.T) {
	t.Parallel()
	var j journal
	c := serving(t, j.record(listing(247)))
	page, err := c.Contacts.List(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "items", len(page.Items), 50)
	page.Items = nil
	same(t, "page", page, &demeterrr.Page[demeterrr.Contact]{Page: 1, PerPage: 50, Total: 247, TotalPages: 5})
	if page, err = c.Contacts.List(t.Context(), &demeterrr.ContactListParams{Page: 9, Limit: 100}); err != nil {
		t.Fatal(err)
	}
	same(t, "past the last", page, &demeterrr.Page[demeterrr.Contact]{Items: []demeterrr.Contact{}, Page: 9, PerPage: 100, Total: 247, TotalPages: 3})
	same(t, "requests", j.lines(), []string{"GET /api/v1/contacts", "GET /api/v1/contacts?limit=100&page=9"})
}

func TestBreakStopsAtOnce(t *testing.T) {
	t.Parallel()
	for _, take := range []int{1, 99, 100, 101} {
		var j journal
		got, _ := collect(t, serving(t, j.record(listing(1000))), nil, take)
		same(t, "contacts", len(got), take)
		same(t, "requests", len(j.lines()), (take+99)/100)
	}
}

func TestASequenceOfContactsCanBeLoopedOverTwice(t *testing.T) {
	t.Parallel()
	all := serving(t, listing(150)).Contacts.All(t.Context(), nil)
	for range 2 {
		n := 0
		for _, err := range all {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		same(t, "contacts", n, 150)
	}
}

func TestAnErrorIsYieldedOnceAndEndsTheLoop(t *testing.T) {
	t.Parallel()
	var j journal
	good := listing(250)
	c := serving(t, j.record(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("page") == "2" {
			answer(403, documented[4].body)(w, r)
			return
		}
		good(w, r)
	}))
	got, errs := collect(t, c, nil, 1000)
	same(t, "contacts before it", len(got), 100)
	if len(errs) != 1 || !errors.Is(errs[0], demeterrr.ErrInsufficientPermissions) {
		t.Errorf("got %v", errs)
	}
	same(t, "requests", len(j.lines()), 2)
}

func TestAServerThatIgnoresPageEndsInAnError(t *testing.T) {
	t.Parallel()
	items := func(r *http.Request, first int) string {
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		return pageJSON(ids2(first), page, 2, 1000, 500)
	}
	for what, handler := range map[string]http.HandlerFunc{
		"page 1 for ever": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, pageJSON(ids2(1), 1, 2, 1000, 500)) },
		"another page": func(w http.ResponseWriter, r *http.Request) {
			if page, _ := strconv.Atoi(r.URL.Query().Get("page")); page > 1 {
				fmt.Fprint(w, pageJSON(ids2(5), 3, 2, 1000, 500))
				return
			}
			fmt.Fprint(w, items(r, 1))
		},
		"another page, empty": func(w http.ResponseWriter, r *http.Request) {
			if page, _ := strconv.Atoi(r.URL.Query().Get("page")); page > 1 {
				fmt.Fprint(w, pageJSON(nil, 1, 2, 1000, 500))
				return
			}
			fmt.Fprint(w, items(r, 1))
		},
		"the number asked for, with the same items": func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, items(r, 1)) },
	} {
		var j journal
		got, errs := collect(t, serving(t, j.record(handler)), nil, 100)
		same(t, what+": contacts", got, []string{"c1", "c2"})
		var e *demeterrr.Error
		if len(errs) != 1 || !errors.As(errs[0], &e) || e.StatusCode != 200 || e.Attempts != 1 || e.Path != "/contacts" || !strings.Contains(e.Message, "asked for page 2") {
			t.Errorf("%s: got %v", what, errs)
		}
		same(t, what+": requests", len(j.lines()), 2)
	}
}

func ids2(first int) []string {
	return []string{fmt.Sprintf(`{"id":"c%d"}`, first), fmt.Sprintf(`{"id":"c%d"}`, first+1)}
}

func TestAnEmptyListIsNoError(t *testing.T) {
	t.Parallel()
	for _, totalPages := range []int{0, 1} {
		var j journal
		c := serving(t, j.record(answer(200, pageJSON(nil, 1, 50, 0, totalPages))))
		got, errs := collect(t, c, nil, 10)
		if len(got)+len(errs) > 0 {
			t.Errorf("got %v, %v", got, errs)
		}
		page, err := c.Contacts.List(t.Context(), nil)
		if err != nil || page.Items == nil || len(page.Items) != 0 {
			t.Errorf("got %+v, %v", page, err)
		}
		same(t, "requests", len(j.lines()), 2)
	}
}

func TestALoopEndsWhenTheListShrinks(t *testing.T) {
	t.Parallel()
	var j journal
	c := serving(t, j.record(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("page") == "1" {
			fmt.Fprint(w, pageJSON(ids2(1), 1, 2, 6, 3))
			return
		}
		fmt.Fprint(w, pageJSON(nil, 2, 2, 2, 1))
	}))
	got, errs := collect(t, c, nil, 10)
	same(t, "contacts", got, []string{"c1", "c2"})
	same(t, "errors", errs, []error(nil))
	same(t, "requests", len(j.lines()), 2)
}

func TestAllEndsWhereTheListEnds(t *testing.T) {
	t.Parallel()
	for name, tt := range pagingtest.Lists {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			handler, requests := pagingtest.Serve(t, tt.Pages)
			got, errs := collect(t, serving(t, handler), nil, 100)
			same(t, "contacts", strings.Join(got, ""), tt.IDs)
			if tt.Wrong == "" {
				same(t, "errors", errs, []error(nil))
			} else if len(errs) != 1 || !strings.Contains(errs[0].Error(), tt.Wrong) {
				t.Errorf("got %v, want %q", errs, tt.Wrong)
			}
			if n := int(requests.Load()); n > len(tt.Pages) {
				t.Errorf("%d requests for %d pages", n, len(tt.Pages))
			}
		})
	}
}

func TestPagesAndLimitsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	c := serving(t, neverSent(t))
	const negative, large = "page and limit must not be negative", "limit must be at most 100"
	for _, bad := range []struct {
		page, limit int
		says        string
	}{{-1, 0, negative}, {0, -1, negative}, {-1, -1, negative}, {0, 101, large}, {1, math.MaxInt, large}} {
		contacts := &demeterrr.ContactListParams{Page: bad.page, Limit: bad.limit}
		sequences := &demeterrr.SequenceListParams{Page: bad.page, Limit: bad.limit}
		_, err := c.Contacts.List(t.Context(), contacts)
		refusedBeforeSending(t, "Contacts.List", err, demeterrr.ErrValidation, bad.says)
		_, err = c.Sequences.List(t.Context(), sequences)
		refusedBeforeSending(t, "Sequences.List", err, demeterrr.ErrValidation, bad.says)
		n := 0
		for _, err := range c.Contacts.All(t.Context(), contacts) {
			refusedBeforeSending(t, "Contacts.All", err, demeterrr.ErrValidation, bad.says)
			n++
		}
		for _, err := range c.Sequences.All(t.Context(), sequences) {
			refusedBeforeSending(t, "Sequences.All", err, demeterrr.ErrValidation, bad.says)
			n++
		}
		same(t, "errors", n, 2)
	}
}

func TestTheLastPagesReplyIsWhatWithResponseHolds(t *testing.T) {
	t.Parallel()
	var resp demeterrr.Response
	good := listing(150)
	c := serving(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "page-"+r.URL.Query().Get("page"))
		good(w, r)
	})
	for _, err := range c.Contacts.All(t.Context(), nil, demeterrr.WithResponse(&resp)) {
		if err != nil {
			t.Fatal(err)
		}
	}
	same(t, "response", []any{resp.StatusCode, resp.RequestID, resp.Attempts}, []any{200, "page-2", 1})
}

// A sequence keeps its original options until its loop.
func TestAllKeepsItsOptions(t *testing.T) {
	t.Parallel()
	c := serving(t, listing(1))
	var first, second demeterrr.Response
	opts := []demeterrr.CallOption{demeterrr.WithResponse(&first)}
	contacts := c.Contacts.All(t.Context(), nil, opts...)
	opts[0] = demeterrr.WithResponse(&second)
	for _, err := range contacts {
		if err != nil {
			t.Error(err)
		}
	}
	same(t, "attempts", []int{first.Attempts, second.Attempts}, []int{1, 0})
}
