package fakepage

import (
	"fmt"
	"strings"
	"testing"

	demeterrr "github.com/demeterrr/demeterrr-go"
	"github.com/google/go-cmp/cmp"
)

func TestListsArePagedAndSearched(t *testing.T) {
	t.Parallel()
	f := newPage(t, "")
	f.execute(t, "ann@example.com", "cy@example.com", "dee@example.com")
	f.execute(t, "ANN@example.com")
	contacts := func(query string) string {
		page := read[list[struct {
			Email     string
			Sendings  int
			SentTwice bool
		}]](t, f.send(t, "GET", "/_fake/contacts"+query, ""))
		return fmt.Sprint(page.Data, page.Meta)
	}
	sendings := func(query string) string {
		page := read[list[struct {
			Number              int
			Email, SequenceName string
			SentTwice           bool
		}]](t, f.send(t, "GET", "/_fake/sendings"+query, ""))
		return fmt.Sprint(page.Data, page.Meta)
	}
	for _, test := range [][2]string{
		{contacts(""), "[{ann@example.com 2 true} {bo@example.com 0 false} {cy@example.com 1 false} {dee@example.com 1 false}] {1 50 4 1}"},
		{contacts("?limit=1&page=2"), "[{bo@example.com 0 false}] {2 1 4 4}"},
		{contacts("?search=%20CY"), "[{cy@example.com 1 false}] {1 50 1 1}"},
		{contacts("?page=9"), "[] {9 50 4 1}"},
		{contacts("?limit=1000"), "[{ann@example.com 2 true} {bo@example.com 0 false} {cy@example.com 1 false} {dee@example.com 1 false}] {1 100 4 1}"},
		{sendings("?limit=2"), "[{4 ANN@example.com Survey true} {3 dee@example.com Survey false}] {1 2 4 2}"},
		{sendings("?limit=2&page=2"), "[{2 cy@example.com Survey false} {1 ann@example.com Survey true}] {2 2 4 2}"},
		{sendings("?sentTwice=true&limit=1&page=2"), "[{1 ann@example.com Survey true}] {2 1 2 2}"},
		{sendings("?search=cy&limit=1000"), "[{2 cy@example.com Survey false}] {1 100 1 1}"},
		{sendings("?search=cy"), "[{2 cy@example.com Survey false}] {1 50 1 1}"},
	} {
		if test[0] != test[1] {
			t.Errorf("have %s\nwant %s", test[0], test[1])
		}
	}
	got := read[list[map[string]any]](t, f.send(t, "GET", "/_fake/sequences?search=surv", ""))
	want := []map[string]any{{"id": "880e8400-e29b-41d4-a716-446655440000", "name": "Survey", "status": "active", "sendings": 4.0}}
	if diff := cmp.Diff(want, got.Data); diff != "" {
		t.Error(diff)
	}
	for _, path := range []string{"contacts", "sequences", "sendings", "requests"} {
		for query, says := range map[string]string{"page=0": "whole number from 1", "limit=x": "whole number", "page=-1": "whole number", "page=9999999999": "whole number", "sort=1": "is not known", "sentTwice=perhaps": "sentTwice", "page=%zz": "cannot be read"} {
			if text := body(t, f.send(t, "GET", "/_fake/"+path+"?"+query, ""), 400); !strings.Contains(text, says) {
				t.Errorf("%s?%s: %s", path, query, text)
			}
		}
	}
}

// TestTheCountOfThoseMessagedTwiceIsTheFakes compares with the fake's own answer.
func TestTheCountOfThoseMessagedTwiceIsTheFakes(t *testing.T) {
	t.Parallel()
	f := newPage(t, "")
	f.server().AddSequence(demeterrr.Sequence{Name: "Other"})
	for i := range 200 {
		f.execute(t, fmt.Sprintf("c%d@example.com", i*i%97), "x@example.com")
		if i%50 == 0 { // the index grows step by step
			f.stateNow(t)
		}
	}
	state := f.stateNow(t)["counts"].(map[string]any)
	if want := float64(len(f.server().SentTwice())); state["sentTwice"] != want || state["sendings"] != 400.0 || want < 20 {
		t.Errorf("%v, want %v messaged twice", state, want)
	}
}

// BenchmarkLargeAccount shows a page of 100,000 contacts with a sending each.
func BenchmarkLargeAccount(b *testing.B) {
	f := newPage(b, "")
	for i := range 1000 {
		emails := make([]string, 100)
		for j := range emails {
			emails[j] = fmt.Sprintf("c%d@example.com", i*100+j)
		}
		f.execute(b, emails...)
	}
	for _, path := range []string{"state", "contacts?limit=8&page=9000", "contacts?limit=8&search=c9999", "sendings?search=c9999"} {
		b.Run(path, func(b *testing.B) {
			for range b.N {
				f.send(b, "GET", "/_fake/"+path, "")
			}
		})
	}
}

func TestAContactThatIsCreatedAgainIsMessagedTwice(t *testing.T) {
	t.Parallel()
	f := newPage(t, "")
	f.execute(t, "ann@example.com")
	id := f.server().ListContacts(&demeterrr.ContactListParams{Email: "ann@example.com"}).Items[0].ID
	if w := f.send(t, "DELETE", "/api/v1/contacts/"+id, ""); w.Code >= 300 {
		t.Fatal(w.Code, w.Body)
	}
	f.execute(t, "Ann@example.com")
	if diff := cmp.Diff([]string{"ann@example.com"}, f.server().SentTwice()); diff != "" {
		t.Error(diff)
	}
	if n := f.stateNow(t)["counts"].(map[string]any)["sentTwice"]; n != 1.0 {
		t.Errorf("sentTwice is %v", n)
	}
	red := read[list[struct{ Email string }]](t, f.send(t, "GET", "/_fake/sendings?sentTwice=true", ""))
	if len(red.Data) != 2 {
		t.Errorf("%v is red", red.Data)
	}
}

func TestSentTwiceIsForSendingsOnly(t *testing.T) {
	t.Parallel()
	f := newPage(t, "")
	for _, path := range []string{"contacts", "sequences", "requests"} {
		if text := body(t, f.send(t, "GET", "/_fake/"+path+"?sentTwice=true", ""), 400); !strings.Contains(text, "for sendings only") {
			t.Errorf("%s: %s", path, text)
		}
	}
}
