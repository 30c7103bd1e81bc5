package demeterrr_test

import (
	"fmt"
	"iter"
	"net/http"
	"strings"
	"testing"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// eachOf yields the items, as an input that does not fail.
func eachOf[T any](items []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// thenFail yields the items and then an error.
func thenFail[T any](items []T, err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
		var none T
		yield(none, err)
	}
}

func customer(i int) demeterrr.ContactParams {
	return demeterrr.ContactParams{
		Email: fmt.Sprintf("customer%d@example.com", i), FirstName: fmt.Sprintf("First%d", i), LastName: "Last",
		CustomFields: map[string]any{"tier": "Gold", "visits": i}, Tags: []string{"a", "b"},
	}
}

func customerList(from, to int) []demeterrr.ContactParams {
	list := make([]demeterrr.ContactParams, 0, to-from)
	for i := from; i < to; i++ {
		list = append(list, customer(i))
	}
	return list
}

// account is a fake that has the customers 0 to n-1.
func account(t testing.TB, n int, opts ...demeterrrtest.Option) *demeterrrtest.Server {
	t.Helper()
	srv := demeterrrtest.NewServer(opts...)
	t.Cleanup(srv.Close)
	for i := range n {
		c := customer(i)
		srv.AddContact(demeterrr.Contact{
			Email: c.Email, FirstName: c.FirstName, LastName: c.LastName, Phone: "+15551234567",
			CustomFields: map[string]any{"visits": i, "tier": "Gold", "other": true}, Tags: []string{"b", "a"},
		})
	}
	return srv
}

// counted counts the requests that reached the fake.
func counted(srv *demeterrrtest.Server) (reads, writes int) {
	for _, r := range srv.Requests() {
		if r.Method == http.MethodGet {
			reads++
		} else {
			writes++
		}
	}
	return reads, writes
}

// adds fails the test if the report of a Sync does not add up.
func adds(t testing.TB, srv *demeterrrtest.Server, r *demeterrr.SyncReport) {
	t.Helper()
	if sum := r.Duplicates + r.Created + r.Updated + r.Unchanged + len(r.Failed); r.Read != sum {
		t.Errorf("read %d, but the parts are %d: %s", r.Read, sum, summary(r))
	}
	if reads, writes := counted(srv); r.Requests != reads+writes {
		t.Errorf("the report has %d requests, the fake counted %d", r.Requests, reads+writes)
	}
}

func summary(r *demeterrr.SyncReport) string {
	return fmt.Sprintf("read %d, duplicates %d, created %d, updated %d, unchanged %d, failed %d, plan %d",
		r.Read, r.Duplicates, r.Created, r.Updated, r.Unchanged, len(r.Failed), len(r.Plan))
}

// has fails the test if the account does not hold what a contact's params say.
func has(t testing.TB, srv *demeterrrtest.Server, params []demeterrr.ContactParams) {
	t.Helper()
	byEmail := map[string]demeterrr.Contact{}
	for _, c := range srv.Contacts() {
		byEmail[strings.ToLower(c.Email)] = c
	}
	for _, p := range params {
		if c, ok := byEmail[strings.ToLower(p.Email)]; !ok || c.FirstName != p.FirstName || c.LastName != p.LastName {
			t.Errorf("the account has %q %q for %s, want %q %q", c.FirstName, c.LastName, p.Email, p.FirstName, p.LastName)
		}
	}
}
