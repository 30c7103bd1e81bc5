package demeterrr_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/demeterrr/demeterrr-go"
)

func TestTheDocumentedSampleIsRead(t *testing.T) {
	t.Parallel()
	want := &demeterrr.Contact{
		ID: johnID, Email: "john.doe@example.com", FirstName: "John", LastName: "Doe", Phone: "+15551234567", Title: "Mr.",
		PreferredLanguage: demeterrr.LanguageEnglish, LocationID: locationID,
		CustomFields: map[string]any{"birthday": "1990-01-15", "membershipTier": "Gold"}, Tags: []string{"vip", "frequent-customer"},
		CreatedAt: time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC), UpdatedAt: time.Date(2026, 2, 10, 14, 20, 0, 0, time.UTC),
	}
	one, err := serving(t, answer(200, johnBody)).Contacts.Get(t.Context(), johnID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "contact", one, want)
	page, err := serving(t, answer(200, `{"data":[`+johnJSON+`],"meta":{"page":1,"perPage":50,"total":247,"totalPages":5}}`)).Contacts.List(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "page", page, &demeterrr.Page[demeterrr.Contact]{Items: []demeterrr.Contact{*want}, Page: 1, PerPage: 50, Total: 247, TotalPages: 5})
	written, err := json.Marshal(one)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "written back", parsed(t, string(written)), parsed(t, johnJSON))
}

func TestNullsAndUnknownMembersAreKept(t *testing.T) {
	t.Parallel()
	const text = `{"id":"c","email":null,"firstName":null,"lastName":null,"phone":null,"title":null,"preferredLanguage":null,"locationId":null,"contactOrganizationId":null,"customFields":null,"tags":null,"unsubscribed":null,"createdAt":null,"updatedAt":null,"score":1.50,"a \"b\"":{"x":[null]},"Email":"other"}`
	got, err := serving(t, answer(200, `{"data":`+text+`}`)).Contacts.Get(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	extra := map[string]json.RawMessage{"score": []byte(`1.50`), `a "b"`: []byte(`{"x":[null]}`), "Email": []byte(`"other"`)}
	same(t, "contact", got, &demeterrr.Contact{ID: "c", Extra: extra})
	written, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "written", parsed(t, string(written)), parsed(t, `{"id":"c","email":"","firstName":"","lastName":"","phone":"","title":null,"preferredLanguage":"","locationId":null,"contactOrganizationId":null,"unsubscribed":false,"score":1.50,"a \"b\"":{"x":[null]},"Email":"other"}`))
}

func TestUnmarshalLeavesAbsentMembersAlone(t *testing.T) {
	t.Parallel()
	first := demeterrr.Contact{ID: "c", LastName: "Doe", Extra: map[string]json.RawMessage{"a": []byte(`1`)}}
	second := first
	if err := json.Unmarshal([]byte(`{"firstName":"John","b":2}`), &second); err != nil {
		t.Fatal(err)
	}
	same(t, "read over", second, demeterrr.Contact{ID: "c", FirstName: "John", LastName: "Doe", Extra: map[string]json.RawMessage{"a": []byte(`1`), "b": []byte(`2`)}})
	same(t, "the contact it was copied from", first, demeterrr.Contact{ID: "c", LastName: "Doe", Extra: map[string]json.RawMessage{"a": []byte(`1`)}})
	if err := json.Unmarshal([]byte(`null`), &second); err != nil || second.ID != "c" {
		t.Errorf("null changed something: %+v, %v", second, err)
	}
}

func TestA2xxThatIsNotTheEnvelopeIsAnError(t *testing.T) {
	t.Parallel()
	const canary = "canary@example.com"
	const meta = `"meta":{"page":1,"perPage":50,"total":1,"totalPages":1}`
	bodies := []string{
		``, ` `, `null`, `{}`, `[]`, `true`, `"` + canary + `"`, `<html>` + canary, `{"data":null}`, `{"data":{}}`, `{"data":[]}`, `{"data":"` + canary + `"}`,
		`{"data":{"id":""}}`, `{"data":{"id":null,"email":"` + canary + `"}}`, `{"data":{"id":7}}`,
		`{"data":{"id":"c","email":"` + canary, `{"data":{"id":"c"}} {"email":"` + canary + `"}`, `{"data":{"id":"c"},}`, `{"DATA":{"id":"c"}}`, `{"id":"c","email":"` + canary + `"}`,
		`{"error":{"code":"INTERNAL_ERROR","message":"` + canary + `"}}`,
		`{"data":[{"id":"c"}]}`, `{"data":[null],` + meta + `}`, `{"data":[{}],` + meta + `}`, `{"data":[{"id":""}],` + meta + `}`, `{"data":[[]],` + meta + `}`, `{"data":[{"id":"c"},{"email":"` + canary + `"}],` + meta + `}`,
		`{"data":[{"id":"c"}],"meta":null}`, `{"data":[{"id":"c"}],"meta":{}}`, `{"data":[{"id":"c"}],"meta":[]}`, `{"data":[{"id":"c"}],"meta":{"page":"1"}}`, `{"data":[{"id":"c"}],"meta":{"page":1.5}}`,
		`{"data":[{"id":"c"}],"meta":{"page":1,"perPage":50,"total":500}}`, `{"data":[{"id":"c"}],"meta":{"page":1,"total":1,"totalPages":` + strconv.Itoa(math.MaxInt) + `0}}`, `{"data":[],"meta":{}}`, `{` + meta + `}`, `{"data":null,` + meta + `}`, `{"data":{"sequenceId":null}}`, `{"data":{"sequenceId":7}}`,
		`{"data":{"sequenceId":"s","results":[null]}}`, `{"data":{"sequenceId":"s","results":[{"email":{"` + canary + `":1}}]}}`, `{"data":{"sequenceId":"s","contactsProcessed":"2"}}`,
		`{"data":"` + strings.Repeat(canary, (10<<20)/len(canary)) + `"}`, strings.Repeat(`[`, 1000),
	}
	contacts := []string{
		`{"data":{"id":"c","email":7}}`, `{"data":{"id":"c","createdAt":"` + canary + `"}}`, `{"data":{"id":"c","tags":"` + canary + `"}}`, `{"data":{"id":"c","tags":[1]}}`,
		`{"data":{"id":"c","customFields":[]}}`, `{"data":{"id":"c","unsubscribed":"no"}}`, `{"data":[{"id":"c","phone":{"` + canary + `":1}}],` + meta + `}`,
	}
	for _, e := range endpoints {
		if e.name == "Contacts.Delete" || e.name == "Do" {
			continue
		}
		bodies := bodies
		if strings.HasPrefix(e.name, "Contacts") {
			bodies = slices.Concat(bodies, contacts)
		}
		for _, body := range bodies {
			c := serving(t, answer(200, body))
			err := e.call(t.Context(), c, "c")
			what := fmt.Sprintf("%s %.60s", e.name, body)
			var apiError *demeterrr.Error
			if !errors.As(err, &apiError) {
				t.Errorf("%s: got %v", what, err)
				continue
			}
			if apiError.StatusCode != 200 || apiError.Attempts != 1 || errors.Is(err, demeterrr.ErrUnknownOutcome) != e.write || len(err.Error()) > 300 {
				t.Errorf("%s: got %#v", what, err)
			}
			noSecret(t, err, "canary", "example.com")
		}
		if err := e.call(t.Context(), serving(t, answer(200, e.good)), "c"); err != nil {
			t.Errorf("%s: the documented reply is an error: %v", e.name, err)
		}
		if err := e.call(t.Context(), serving(t, answer(200, "\n\t "+e.good+"\r\n")), "c"); err != nil {
			t.Errorf("%s: white space is an error: %v", e.name, err)
		}
	}
}

func TestDoWantsJSONThatFits(t *testing.T) {
	t.Parallel()
	req := &demeterrr.Request{Method: "POST", Path: "/surveys", Body: map[string]any{}}
	for _, body := range []string{``, `<html>canary@example.com`, `{"a":`, `{} {}`, strings.Repeat(" ", 10<<20) + "{}"} {
		var out any
		err := serving(t, answer(201, body)).Do(t.Context(), req, &out)
		var e *demeterrr.Error
		if !errors.As(err, &e) || e.StatusCode != 201 || e.Attempts != 1 || !errors.Is(err, demeterrr.ErrUnknownOutcome) || out != nil {
			t.Errorf("%.20q: got %#v", body, err)
		}
		noSecret(t, err, "canary@")
		if err := serving(t, answer(201, body)).Do(t.Context(), req, nil); err != nil {
			t.Errorf("%.20q, which nobody wants: %v", body, err)
		}
	}
	for _, out := range []any{new(struct{ Data struct{ Name int } }), new(struct{ Data struct{ Name time.Time } }), new([]any), new(map[string]map[string]int)} {
		var j journal
		err := serving(t, j.record(answer(201, `{"data":{"canary@example.org":"x","name":"canary@example.com"}}`)), quick).Do(t.Context(), req, out)
		var e *demeterrr.Error
		if !errors.As(err, &e) || e.StatusCode != 201 || e.Attempts != 1 || errors.Is(err, demeterrr.ErrValidation) || !strings.Contains(err.Error(), "the call succeeded") {
			t.Errorf("got %#v", err)
		}
		noSecret(t, err, "canary@")
		same(t, "requests", len(j.lines()), 1)
	}
}

func TestATruncatedReplyIsAnErrorWithoutItsContent(t *testing.T) {
	t.Parallel()
	c := serving(t, nil, demeterrr.WithHTTPClient(&http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, ContentLength: 11 << 20, Body: http.NoBody}, nil
	})}))
	_, err := c.Contacts.Get(t.Context(), "c")
	if err == nil || !strings.Contains(err.Error(), "larger than 10 MiB") {
		t.Errorf("got %v", err)
	}
}

func FuzzContactJSON(f *testing.F) {
	f.Add([]byte(johnJSON))
	f.Add([]byte(`{"id":"c","createdAt":"2026-01-15T10:30:00.123456789+23:59","x":{"y":[1e400]}}`))
	f.Add([]byte(`{"id":"\ud800","customFields":{"a":1e308,"b":{"c":[null]}},"tags":[],"id":"b","\u0000":1}`))
	f.Add([]byte(`{"createdAt":"0000-01-01T00:00:00+23:59","updatedAt":"9999-12-31T23:59:59-23:59"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var first, second demeterrr.Contact
		if json.Unmarshal(data, &first) != nil {
			return
		}
		// The API's times have milliseconds (contract, section 1); a contact is written as the API does.
		first.CreatedAt, first.UpdatedAt = first.CreatedAt.Truncate(time.Millisecond), first.UpdatedAt.Truncate(time.Millisecond)
		written, err := json.Marshal(first)
		if err != nil {
			t.Fatalf("%q was read and cannot be written: %v", data, err)
		}
		if err := json.Unmarshal(written, &second); err != nil {
			t.Fatalf("%q was written as %q, which cannot be read: %v", data, written, err)
		}
		// Raw members are compacted and their HTML escaped when they are written.
		sameRaw := cmp.Comparer(func(a, b json.RawMessage) bool {
			var x, y any
			return json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
		})
		if diff := cmp.Diff(first, second, sameRaw); diff != "" {
			t.Errorf("%q (-first +second):\n%s", data, diff)
		}
		again, err := json.Marshal(second)
		if err != nil || string(again) != string(written) {
			t.Errorf("written as %q, and then as %q, %v", written, again, err)
		}
	})
}

func FuzzReplyBody(f *testing.F) {
	f.Add([]byte(johnBody))
	f.Add([]byte(oneJohn))
	f.Add([]byte(`{"data":` + executionJSON + `}`))
	f.Add([]byte(`{"data":[{"id":"a"}],"meta":{"page":1,"totalPages":-1}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c := serving(t, answer(200, string(body)))
		if contact, err := c.Contacts.Get(context.Background(), "c"); err == nil && contact.ID == "" {
			t.Errorf("%q is a contact without an id", body)
		}
		if sequence, err := c.Sequences.Get(context.Background(), "c"); err == nil && sequence.ID == "" {
			t.Errorf("%q is a sequence without an id", body)
		}
		if execution, err := c.Sequences.Execute(context.Background(), "c", twoCustomers()); err == nil && execution.SequenceID == "" {
			t.Errorf("%q is an execution without an id", body)
		}
		n := 0
		for contact, err := range c.Contacts.All(context.Background(), nil) {
			if err == nil && contact.ID == "" {
				t.Errorf("%q has a contact without an id", body)
			}
			if n++; n > len(body)+1 { // the items, and an error
				t.Fatalf("%q never ends", body)
			}
		}
	})
}
