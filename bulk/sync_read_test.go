package bulk_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/bulk"
	"github.com/demeterrr/demeterrr-go/internal/paging/pagingtest"
)

func TestSyncEndsWhereTheListEnds(t *testing.T) {
	t.Parallel()
	const letters = "abcdefghijklmnop" // enough to make pages cheaper than lookups
	for name, tt := range pagingtest.Lists {
		for _, concurrency := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s, %d at once", name, concurrency), func(t *testing.T) {
				t.Parallel()
				if tt.Pages[0].TotalPages > len(letters) {
					t.Skip("look-ups are cheaper")
				}
				var input []demeterrr.ContactParams
				for _, id := range letters {
					input = append(input, demeterrr.ContactParams{Email: string(id) + "@x.com", FirstName: "A"})
				}
				handler, requests := pagingtest.Serve(t, tt.Pages)
				report, err := bulk.Sync(t.Context(), serving(t, handler), bulk.Slice(input), &bulk.SyncOptions{DryRun: true, Concurrency: concurrency})
				if tt.Wrong != "" {
					if err == nil || !strings.Contains(err.Error(), "empty") && !strings.Contains(err.Error(), "again") || report.Plan.Creates+report.Plan.Updates > 0 {
						t.Errorf("got %v, %s", err, summary(report))
					}
					return
				}
				have := strings.Count(letters, "") - 1
				for _, id := range letters {
					if !strings.ContainsRune(tt.IDs, id) {
						have--
					}
				}
				if err != nil || report.Unchanged != have || report.Created != len(letters)-have {
					t.Errorf("%s, want %d unchanged and %d created; %v", summary(report), have, len(letters)-have, err)
				}
				if n := int(requests.Load()); n > len(tt.Pages) || report.Requests != n {
					t.Errorf("%d requests for %d pages, reported as %d", n, len(tt.Pages), report.Requests)
				}
			})
		}
	}
}

func TestSyncGivesUpAfterThreeEmptyPages(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var asked atomic.Int64
	client := endless(t, func(string) string {
		if asked.Add(1) > 1000 {
			cancel() // enough is seen
		}
		return ""
	})
	report, err := bulk.Sync(ctx, client, bulk.Slice(customerList(0, 1)), &bulk.SyncOptions{Concurrency: 4})
	if err == nil || !strings.Contains(err.Error(), "are empty") || len(report.NotTried) != 1 {
		t.Error(err, summary(report))
	}
	if report.Requests > 2+12 { // a lookup and the first page, the empty ones, and the ones requested at the same time
		t.Errorf("%d requests", report.Requests)
	}
}

func TestSyncsProgressEndsWithTheListThatShrinksOrGrows(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"the list shrinks", "the list grows"} {
		list := pagingtest.Lists[name].Pages
		handler, requests := pagingtest.Serve(t, list)
		var progress bulk.SyncProgress
		if _, err := bulk.Sync(t.Context(), serving(t, handler), bulk.Slice(customerList(0, 10)), &bulk.SyncOptions{DryRun: true, Concurrency: 1, OnProgress: func(p bulk.SyncProgress) {
			if p.Reads > p.ReadsTotal {
				t.Errorf("%d of %d reads", p.Reads, p.ReadsTotal)
			}
			progress = p
		}}); err != nil {
			t.Fatal(err)
		}
		same(t, "reads", []int{progress.Reads, progress.ReadsTotal}, []int{int(requests.Load()), int(requests.Load())})
	}
}

// The account keeps emails in lower case and compares them byte by byte.
func TestSyncsResultDoesNotDependOnTheWayOfReading(t *testing.T) {
	t.Parallel()
	jane := demeterrr.ContactParams{Email: "Jane@Example.com", FirstName: "Jane"}
	plain := demeterrr.ContactParams{Email: "jane@example.com", FirstName: "Jane"}
	absent := demeterrr.ContactParams{Email: "John@Example.com", FirstName: "John"}
	for name, tt := range map[string]struct {
		emails     []string
		totalPages int
		input      []demeterrr.ContactParams
		unchanged  string // its id
		reads      int
	}{
		"one page":                         {[]string{"jane@example.com"}, 1, []demeterrr.ContactParams{jane}, "c0", 1},
		"one page, and no capitals":        {[]string{"jane@example.com"}, 9, []demeterrr.ContactParams{plain}, "c0", 1},
		"looked up, in lower case":         {[]string{"x@example.com", "jane@example.com"}, 3, []demeterrr.ContactParams{jane}, "c1", 3},
		"looked up, as it is":              {[]string{"x@example.com", "jane@example.com", "Jane@Example.com"}, 3, []demeterrr.ContactParams{jane}, "c2", 2},
		"two look-ups cost more than page": {[]string{"x@example.com", "jane@example.com"}, 2, []demeterrr.ContactParams{jane}, "c1", 2},
		"as it is, on a page":              {[]string{"x@example.com", "jane@example.com", "Jane@Example.com", "JANE@example.com"}, 2, []demeterrr.ContactParams{jane}, "c2", 2},
		"in lower case, on a page":         {[]string{"x@example.com", "JANE@example.com", "jane@example.com"}, 2, []demeterrr.ContactParams{jane}, "c2", 2},
		"two with four look-ups":           {[]string{"x@example.com", "jane@example.com"}, 5, []demeterrr.ContactParams{jane, absent}, "c1", 5},
		"two on four pages":                {[]string{"x@example.com", "jane@example.com"}, 4, []demeterrr.ContactParams{jane, absent}, "c1", 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := serving(t, func(w http.ResponseWriter, r *http.Request) {
				if asked := r.URL.Query().Get("email"); asked != "" {
					items := []string{}
					if i := slices.Index(tt.emails, asked); i >= 0 { // she is Jane; only the right one is on a page
						items = append(items, fmt.Sprintf(`{"id":"c%d","email":%q,"firstName":"Jane"}`, i, asked))
					}
					fmt.Fprint(w, pageJSON(items, 1, 50, len(items), len(items)))
					return
				}
				n, _ := strconv.Atoi(r.URL.Query().Get("page"))
				items := []string{}
				if n == 1 || n == tt.totalPages { // the first contact is on the first page, the others on the last
					for i, email := range tt.emails {
						if n == 1 && i == 0 || n == tt.totalPages && (i > 0 || n == 1) {
							id, name := fmt.Sprintf("c%d", i), "Stranger"
							if id == tt.unchanged {
								name = "Jane"
							}
							items = append(items, fmt.Sprintf(`{"id":%q,"email":%q,"firstName":%q}`, id, email, name))
						}
					}
				} else {
					items = append(items, fmt.Sprintf(`{"id":"p%d","email":"p%d@example.com"}`, n, n))
				}
				fmt.Fprint(w, pageJSON(items, n, 100, 1000, tt.totalPages))
			})
			var progress bulk.SyncProgress
			report, err := bulk.Sync(t.Context(), c, bulk.Slice(tt.input), &bulk.SyncOptions{DryRun: true, OnProgress: func(p bulk.SyncProgress) { progress = p }})
			if err != nil || report.Unchanged != 1 || report.Created != len(tt.input)-1 {
				t.Error(err, summary(report))
			}
			same(t, "requests", []int{report.Requests, progress.Reads, progress.ReadsTotal}, []int{tt.reads, tt.reads, tt.reads})
		})
	}
}

func TestSyncLeavesALookAlikeAlone(t *testing.T) {
	t.Parallel()
	c := through(t, func(r *http.Request) (*http.Response, error) {
		switch r.Method {
		case http.MethodPatch:
			t.Error("a stranger was changed: ", r.URL.Path)
		case http.MethodPost:
			return replying(201, `{"data":{"id":"new"}}`), nil
		}
		return replying(200, `{"data":[{"id":"victim","email":"kim@x.com","firstName":"Kim"},{"id":"b","email":"b@x.com","firstName":"B"}],"meta":{"page":1,"perPage":100,"total":2,"totalPages":1}}`), nil
	})
	report, err := bulk.Sync(t.Context(), c, func(yield func(demeterrr.ContactParams, error) bool) {
		_ = yield(demeterrr.ContactParams{Email: "\u212aim@x.com", FirstName: "Mallory"}, nil) &&
			yield(demeterrr.ContactParams{Email: "B@x.com", FirstName: "B"}, nil)
	}, nil)
	if err != nil || report.Created != 1 || report.Unchanged != 1 {
		t.Errorf("got %+v, %v", report, err)
	}
}
