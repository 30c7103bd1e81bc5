package demeterrr_test

import (
	"bytes"
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
		`{"error":{"message":"` + canary + `"}}`, `{"error":null}`, `{"error":"INTERNAL_ERROR"}`,
		`{"data":[{"id":"c"}]}`, `{"data":[null],` + meta + `}`, `{"data":[{}],` + meta + `}`, `{"data":[{"id":""}],` + meta + `}`, `{"data":[[]],` + meta + `}`, `{"data":[{"id":"c"},{"email":"` + canary + `"}],` + meta + `}`,
		`{"data":[{"id":"c"}],"meta":null}`, `{"data":[{"id":"c"}],"meta":{}}`, `{"data":[{"id":"c"}],"meta":[]}`, `{"data":[{"id":"c"}],"meta":{"page":"1"}}`, `{"data":[{"id":"c"}],"meta":{"page":1.5}}`,
		`{"data":[{"id":"c"}],"meta":{"page":1,"perPage":50,"total":500}}`, `{"data":[{"id":"c"}],"meta":{"page":1,"total":1,"totalPages":` + strconv.Itoa(math.MaxInt) + `0}}`, `{"data":[],"meta":{}}`, `{` + meta + `}`, `{"data":null,` + meta + `}`, `{"data":{"sequenceId":null}}`, `{"data":{"sequenceId":7}}`,
		`{"data":"` + strings.Repeat(canary, (10<<20)/len(canary)) + `"}`, strings.Repeat(`[`, 1000),
	}
	contacts := []string{
		`{"data":{"id":"c","locationId":7}}`, `{"data":{"id":"c","contactOrganizationId":{"` + canary + `":1}}}`, `{"data":[{"id":"c","locationId":["` + canary + `"]}],` + meta + `}`,
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

// An empty text, an array in place of an object and the like cost one field,
// and the rest of the reply stays. Each type keeps them raw, and writes them
// back once.
func TestAMemberOfAnotherTypeStaysRaw(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		want any
	}{
		{
			`{"id":"c","email":7,"firstName":["J"],"lastName":true,"phone":15551234567,"title":{"t":1},"preferredLanguage":0,"locationId":null,"contactOrganizationId":"o","customFields":[],"tags":"vip","unsubscribed":"no","createdAt":"","updatedAt":1770733200,"score":1.50}`,
			&demeterrr.Contact{ID: "c", ContactOrganizationID: "o", Extra: extra(
				"email", `7`, "firstName", `["J"]`, "lastName", `true`, "phone", `15551234567`, "title", `{"t":1}`, "preferredLanguage", `0`,
				"customFields", `[]`, "tags", `"vip"`, "unsubscribed", `"no"`, "createdAt", `""`, "updatedAt", `1770733200`, "score", `1.50`)},
		},
		{
			`{"id":"c","email":"a@b","firstName":"J","lastName":"","phone":"","title":null,"preferredLanguage":"en","locationId":null,"contactOrganizationId":null,"customFields":[{"createdAt":1}],"tags":["a",{"id":1}],"unsubscribed":true,"createdAt":"2026-01-15","updatedAt":"2026-02-10T14:20:00.000Z"}`,
			&demeterrr.Contact{
				ID: "c", Email: "a@b", FirstName: "J", PreferredLanguage: "en", Unsubscribed: true, UpdatedAt: time.Date(2026, 2, 10, 14, 20, 0, 0, time.UTC),
				Extra: extra("customFields", `[{"createdAt":1}]`, "tags", `["a",{"id":1}]`, "createdAt", `"2026-01-15"`),
			},
		},
		{`{"id":"s","name":5,"status":false}`, &demeterrr.Sequence{ID: "s", Extra: extra("name", `5`, "status", `false`)}},
		{
			`{"sequenceId":"s","sequenceName":[],"contactsProcessed":"2","sendingsCreated":1.5,"results":[{"email":{},"contactId":null,"status":1}]}`,
			&demeterrr.Execution{
				SequenceID: "s", Extra: extra("sequenceName", `[]`, "contactsProcessed", `"2"`, "sendingsCreated", `1.5`),
				Results: []demeterrr.ExecutionResult{{Extra: extra("email", `{}`, "status", `1`)}},
			},
		},
		{
			`{"sequenceId":"s","sequenceName":"n","contactsProcessed":9223372036854775808,"sendingsCreated":1,"results":{"a@b":"queued"}}`,
			&demeterrr.Execution{SequenceID: "s", SequenceName: "n", SendingsCreated: 1, Extra: extra("contactsProcessed", `9223372036854775808`, "results", `{"a@b":"queued"}`)},
		},
		{`{"email":true,"contactId":"c","status":{}}`, &demeterrr.ExecutionResult{ContactID: "c", Extra: extra("email", `true`, "status", `{}`)}},
	} {
		got := reflect.New(reflect.TypeOf(test.want).Elem()).Interface()
		if err := json.Unmarshal([]byte(test.text), got); err != nil {
			t.Errorf("%s: %v", test.text, err)
		}
		same(t, test.text, got, test.want)
		written, err := json.Marshal(got)
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
		}
		wantMembersOnce(t, written)
		same(t, "written", string(written), test.text)
	}
}

func extra(members ...string) map[string]json.RawMessage {
	m := map[string]json.RawMessage{}
	for pair := range slices.Chunk(members, 2) {
		m[pair[0]] = json.RawMessage(pair[1])
	}
	return m
}

// wantMembersOnce checks that an object has no duplicate member.
func wantMembersOnce(t *testing.T, object []byte) {
	t.Helper()
	d, seen := json.NewDecoder(bytes.NewReader(object)), map[string]bool{}
	for _, err := d.Token(); err == nil && d.More(); {
		var value json.RawMessage
		name, errName := d.Token()
		if err = errors.Join(errName, d.Decode(&value)); err != nil {
			t.Fatalf("%s: %v", object, err)
		}
		if seen[name.(string)] {
			t.Errorf("%q stands twice in %s", name, object)
		}
		seen[name.(string)] = true
	}
}

// A field set after reading overrides the raw member.
func TestASetFieldIsWrittenInPlaceOfTheRawOne(t *testing.T) {
	t.Parallel()
	var c demeterrr.Contact
	if err := json.Unmarshal([]byte(`{"id":"c","title":7,"tags":"vip","createdAt":"","customFields":[]}`), &c); err != nil {
		t.Fatal(err)
	}
	c.Title, c.Tags, c.CreatedAt = "Dr.", []string{}, time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)
	written, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	wantMembersOnce(t, written)
	same(t, "written", string(written), `{"id":"c","email":"","firstName":"","lastName":"","phone":"","title":"Dr.","preferredLanguage":"","locationId":null,"contactOrganizationId":null,"customFields":[],"tags":[],"unsubscribed":false,"createdAt":"2026-01-15T10:30:00.000Z"}`)
}

func TestALaterWellTypedMemberRemovesTheRawOne(t *testing.T) {
	t.Parallel()
	var c demeterrr.Contact
	for _, text := range []string{
		`{"id":"c","title":7,"title":"Dr.","phone":1,"phone":null,"firstName":"J","firstName":[1],"tags":5,"customFields":{}}`,
		`{"tags":["vip"],"new":1,"customFields":{"firstName":"x","new":2}}`, // nested members are not the contact's
	} {
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "contact", c, demeterrr.Contact{
		ID: "c", Title: "Dr.", Tags: []string{"vip"}, CustomFields: map[string]any{"firstName": "x", "new": 2.0},
		Extra: extra("firstName", `[1]`, "new", `1`),
	})
	if err := json.Unmarshal([]byte(`{"firstName":"Jo","new":null}`), &c); err != nil {
		t.Fatal(err)
	}
	same(t, "Extra", c.Extra, extra("new", `null`))
	var s demeterrr.Sequence
	for _, text := range []string{`{"id":"s","name":7}`, `{"name":"n"}`} {
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "sequence", s, demeterrr.Sequence{ID: "s", Name: "n"}) // an empty Extra is nil
}

// The reply to Upsert's update is read over the found contact.
func TestAnUpdatesReplyRemovesWhatWasRawBefore(t *testing.T) {
	t.Parallel()
	c := through(t, func(r *http.Request) (*http.Response, error) {
		switch r.Method {
		case http.MethodPost:
			return replying(409, existsJSON), nil
		case http.MethodGet:
			return replying(200, `{"data":[{"id":"c","email":"a@x.com","firstName":7,"updatedAt":"","score":1}],"meta":{"page":1,"perPage":50,"total":1,"totalPages":1}}`), nil
		}
		return replying(200, `{"data":{"id":"c","firstName":"A","updatedAt":"2026-02-10T16:00:00.000Z"}}`), nil
	})
	got, _, err := c.Contacts.Upsert(t.Context(), &demeterrr.ContactParams{Email: "a@x.com", FirstName: "A"})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "contact", got, &demeterrr.Contact{ID: "c", Email: "a@x.com", FirstName: "A", UpdatedAt: time.Date(2026, 2, 10, 16, 0, 0, 0, time.UTC), Extra: extra("score", `1`)})
}

func TestReadingLeavesTheExtraOfACopyAlone(t *testing.T) {
	t.Parallel()
	for _, first := range []any{
		&demeterrr.Contact{Extra: extra("title", `7`)}, &demeterrr.Sequence{Extra: extra("title", `7`)},
		&demeterrr.Execution{Extra: extra("title", `7`)}, &demeterrr.ExecutionResult{Extra: extra("title", `7`)},
	} {
		second := reflect.New(reflect.TypeOf(first).Elem())
		second.Elem().Set(reflect.ValueOf(first).Elem())
		if err := json.Unmarshal([]byte(`{"title":"Dr.","email":7,"name":7,"sequenceName":7,"a":1}`), second.Interface()); err != nil {
			t.Fatal(err)
		}
		same(t, reflect.TypeOf(first).String(), reflect.ValueOf(first).Elem().FieldByName("Extra").Interface(), any(extra("title", `7`)))
	}
}

// One odd result does not put the sending in doubt.
func TestOddResultsLeaveAnExecutionASuccess(t *testing.T) {
	t.Parallel()
	for _, results := range []string{`[null]`, `["queued"]`, `"queued"`, `{"queued":2}`, `[{"email":"customer1@example.com","status":"queued"},7]`, `[{"contactId":7}]`} {
		var j journal
		got, err := serving(t, j.record(answer(200, `{"data":{"sequenceId":"s","contactsProcessed":2,"results":`+results+`,"sendingsCreated":2}}`)), quick).Sequences.Execute(t.Context(), "s", twoCustomers())
		if err != nil {
			t.Errorf("%s: %v", results, err)
			continue
		}
		same(t, results, got, &demeterrr.Execution{SequenceID: "s", ContactsProcessed: 2, SendingsCreated: 2, Extra: extra("results", results)})
		same(t, "requests", len(j.lines()), 1)
	}
}

// The API's own error is passed on, whatever the status.
func TestThe2xxWithAnErrorOfTheAPIIsThatError(t *testing.T) {
	t.Parallel()
	const details = `{"error":{"code":"RATE_LIMIT_EXCEEDED","message":"Slow down","requiredScope":"contacts:write","details":{"retryAfter":60}}}`
	for _, e := range endpoints {
		for _, body := range []string{details, strings.TrimSuffix(e.good, "}") + "," + strings.TrimPrefix(details, "{"), strings.TrimSuffix(details, "}") + `,"data":7}`} {
			if !json.Valid([]byte(body)) { // an endpoint without a body in its reply
				continue
			}
			var j journal
			c := serving(t, j.record(answer(202, body)), quick)
			err := e.call(t.Context(), c, "c")
			var got *demeterrr.Error
			if !errors.As(err, &got) {
				t.Errorf("%s %s: got %v", e.name, body, err)
				continue
			}
			if got.StatusCode != 202 || got.Message != "Slow down" || got.RequiredScope != "contacts:write" || got.RetryAfter != time.Minute || got.Attempts != 1 {
				t.Errorf("%s %s: got %#v", e.name, body, got)
			}
			wantIs(t, err, demeterrr.ErrRateLimited)
			wantIsNot(t, err, demeterrr.ErrServer, demeterrr.ErrInternal)
			same(t, e.name+": unknown outcome", errors.Is(err, demeterrr.ErrUnknownOutcome), e.write)
			requests := len(j.lines())
			if err := c.Contacts.Delete(t.Context(), "d", demeterrr.WithMaxRetries(0)); errors.As(err, &got) && got.Attempts == 0 {
				t.Errorf("%s: the client is paused: %v", e.name, err)
			}
			same(t, e.name+": requests", requests, 1)
		}
	}
}

func TestAnErrorThatSaysNothingLeavesASuccess(t *testing.T) {
	t.Parallel()
	for _, odd := range []string{`null`, `{}`, `[]`, `""`, `false`, `"INTERNAL_ERROR"`, `{"code":null,"message":"m"}`, `{"code":""}`, `{"details":{"code":"INTERNAL_ERROR"}}`} {
		for _, e := range endpoints {
			if e.good == "" {
				continue
			}
			for _, body := range []string{strings.TrimSuffix(e.good, "}") + `,"error":` + odd + `}`, `{"error":` + odd + `,` + strings.TrimPrefix(e.good, "{")} {
				if err := e.call(t.Context(), serving(t, answer(200, body)), "c"); err != nil {
					t.Errorf("%s %s: %v", e.name, body, err)
				}
			}
		}
	}
	// An error inside the data is data.
	if err := serving(t, answer(200, `{"data":{"error":{"code":"INTERNAL_ERROR"}}}`)).Do(t.Context(), &demeterrr.Request{Method: "GET", Path: "/surveys"}, nil); err != nil {
		t.Error(err)
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
			t.Errorf("%.20q, without out: %v", body, err)
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
	f.Add([]byte(`{"id":"c","createdAt":"","tags":"vip","customFields":[],"title":7,"title":"","phone":"","phone":1,"unsubscribed":0,"x":1,"x":2}`))
	f.Add([]byte(`{"createdAt":"0000-01-01T00:00:00+23:59","updatedAt":"9999-12-31T23:59:59-23:59"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var first, second demeterrr.Contact
		if json.Unmarshal(data, &first) != nil {
			return
		}
		// The API's times have milliseconds (contract, section 1), and a
		// contact is written the same way.
		first.CreatedAt, first.UpdatedAt = first.CreatedAt.Truncate(time.Millisecond), first.UpdatedAt.Truncate(time.Millisecond)
		written, err := json.Marshal(first)
		if err != nil {
			t.Fatalf("%q was read and cannot be written: %v", data, err)
		}
		wantMembersOnce(t, written)
		if err := json.Unmarshal(written, &second); err != nil {
			t.Fatalf("%q was written as unreadable %q: %v", data, written, err)
		}
		// Encoding compacts raw members and escapes their HTML.
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
