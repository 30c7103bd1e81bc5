package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/demeterrrtest"
)

// setUp returns a fake with the documented samples, and a recorder that checks
// every exchange with it.
func setUp(t *testing.T, opts ...demeterrrtest.Option) (*demeterrrtest.Server, *recorder) {
	t.Helper()
	srv := demeterrrtest.NewServer(opts...)
	t.Cleanup(srv.Close)
	srv.AddContact(john())
	srv.AddSequence(survey())
	return srv, newRecorder(t, srv.Transport())
}

func TestEverySuccessAndEveryDocumentedError(t *testing.T) {
	t.Parallel()
	for _, reply := range replies(t) {
		t.Run(fmt.Sprint(reply.operation, " ", reply.status, " ", reply.name), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv, rec := setUp(t)
				code := codeOf(reply)
				if code != "" {
					fault := demeterrrtest.Fault{Code: code}
					if code == demeterrr.CodeRateLimited {
						fault.RetryAfter = time.Minute
					}
					rec.inject(srv, fault)
				}
				_, err := operations[reply.operation](t.Context(), rec.under(srv), demeterrr.WithMaxRetries(0))
				if code != "" {
					isError(t, err, reply.status, code)
				} else if err != nil {
					t.Error(err)
				}
				if seen := strings.TrimSpace(fmt.Sprint(reply.operation, " ", reply.status, " ", code)); !rec.seen[seen] {
					t.Errorf("not seen on the wire: %s, but %v", seen, rec.seen)
				}
			})
		})
	}
}

func TestContacts(t *testing.T) {
	t.Parallel()
	for _, options := range [][]demeterrrtest.Option{nil, {demeterrrtest.WithPartialUpdates()}} {
		synctest.Test(t, func(t *testing.T) {
			srv, rec := setUp(t, options...)
			client := rec.under(srv)
			ctx := t.Context()
			contact, err := client.Contacts.Create(ctx, &demeterrr.ContactParams{
				Email: "ann@example.com", FirstName: "Ann", LastName: "Lee", Phone: "+1", Title: "Dr.", PreferredLanguage: demeterrr.LanguageFrench,
				LocationID: johnID, ContactOrganizationID: johnID, Tags: []string{}, CustomFields: map[string]any{"a": "x", "b": 1.5, "c": true},
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, update := range []demeterrr.ContactUpdate{
				{
					Email: demeterrr.Set("ann2@example.com"), FirstName: demeterrr.Set("Anne"), LastName: demeterrr.Set(""), Phone: demeterrr.Set("+2"), Title: demeterrr.Set(""),
					PreferredLanguage: demeterrr.Set(demeterrr.LanguageEnglish), CustomFields: demeterrr.Set(map[string]any{"a": "y"}), Tags: demeterrr.Set([]string{"x"}),
				},
				{
					Email: demeterrr.Null[string](), FirstName: demeterrr.Null[string](), LastName: demeterrr.Null[string](), Phone: demeterrr.Null[string](), Title: demeterrr.Null[string](),
					PreferredLanguage: demeterrr.Null[demeterrr.Language](), CustomFields: demeterrr.Null[map[string]any](), Tags: demeterrr.Null[[]string](),
				},
				{Tags: demeterrr.Set[[]string](nil), CustomFields: demeterrr.Set[map[string]any](nil)},
			} {
				if _, err := client.Contacts.Update(ctx, contact.ID, &update); err != nil {
					t.Error(err)
				}
				if _, err := client.Contacts.Get(ctx, contact.ID); err != nil {
					t.Error(err)
				}
			}
			for _, email := range []string{"new@example.com", "john.doe@example.com"} { // a new one and a changed one
				if _, _, err := client.Contacts.Upsert(ctx, &demeterrr.ContactParams{Email: email, FirstName: "Changed", Tags: []string{"t"}}); err != nil {
					t.Error(err)
				}
			}
			if err := client.Contacts.Delete(ctx, contact.ID); err != nil {
				t.Error(err)
			}
			_, err = client.Contacts.Get(ctx, contact.ID)
			isError(t, err, 404, demeterrr.CodeNotFound)
			_, err = client.Contacts.Create(ctx, &demeterrr.ContactParams{Email: "john.doe@example.com", FirstName: "J"})
			isError(t, err, 409, demeterrr.CodeContactExists)
		})
	}
}

func TestPagingAndFilters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, rec := setUp(t)
		client := rec.under(srv)
		srv.AddContact(demeterrr.Contact{Phone: "+1555"}) // imported by phone: no email, no name
		for i := range 248 {
			srv.AddContact(demeterrr.Contact{Email: fmt.Sprintf("c%d@example.com", i)})
			srv.AddSequence(demeterrr.Sequence{Name: "S", Status: "draft"})
		}
		contacts, sequences := 0, 0
		for _, err := range client.Contacts.All(t.Context(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			contacts++
		}
		for _, err := range client.Sequences.All(t.Context(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			sequences++
		}
		if contacts != 250 || sequences != 249 {
			t.Errorf("%d contacts, %d sequences", contacts, sequences)
		}
		for _, params := range []*demeterrr.ContactListParams{
			nil,
			{},
			{Page: 3, Limit: 100},
			{Page: 4, Limit: 100},
			{Limit: 1},
			{Search: "john"},
			{Search: "nobody"},
			{Email: "john.doe@example.com"},
			{Phone: "+1555"},
			{LocationID: "660e8400-e29b-41d4-a716-446655440000"},
			{Page: 2, Limit: 5, Search: "c"},
		} {
			if _, err := client.Contacts.List(t.Context(), params); err != nil {
				t.Error(err)
			}
		}
		var capped any // a limit that the API caps and List rejects
		if err := client.Do(t.Context(), &demeterrr.Request{Method: "GET", Path: "/contacts", Query: url.Values{"limit": {"500"}}}, &capped); err != nil {
			t.Error(err)
		}
		if _, err := client.Contacts.FindByEmail(t.Context(), "JOHN.DOE@example.com"); err != nil {
			t.Error(err)
		}
		if len(rec.seen) != 2 {
			t.Errorf("not only pages: %v", rec.seen)
		}
	})
}

func TestExecutions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, rec := setUp(t)
		client := rec.under(srv)
		ctx := t.Context()
		srv.AddContact(demeterrr.Contact{Email: "gone@example.com", Unsubscribed: true})
		hundred := make([]demeterrr.ExecuteContact, 100)
		for i := range hundred {
			hundred[i].Email = fmt.Sprintf("c%d@example.com", i)
		}
		for _, params := range []*demeterrr.ExecuteParams{
			customers(), {Contacts: hundred}, {Contacts: []demeterrr.ExecuteContact{{Email: "gone@example.com"}, {Email: "here@example.com"}}},
		} {
			if _, err := client.Sequences.Execute(ctx, surveyID, params); err != nil {
				t.Error(err)
			}
		}
		// The API skips an invalid address, and the client would reject it.
		raw := &demeterrr.Request{Method: "POST", Path: "/sequences/" + surveyID + "/execute", Body: json.RawMessage(`{"contacts":[{"email":"no address"},{"email":"a@example.com"}]}`)}
		if err := client.Do(ctx, raw, nil); err != nil {
			t.Error(err)
		}
		draft := srv.AddSequence(demeterrr.Sequence{Name: "Draft", Status: "draft"})
		_, err := client.Sequences.Execute(ctx, draft.ID, customers())
		isError(t, err, 400, demeterrr.CodeSequenceInactive)
		_, err = client.Sequences.Execute(ctx, johnID, customers())
		isError(t, err, 404, demeterrr.CodeNotFound)
		_, err = client.Sequences.Get(ctx, johnID)
		isError(t, err, 404, demeterrr.CodeNotFound)
	})
}

// TestWhatTheFileRefusesTheFakeRefuses sends requests that the client would
// reject. The recorder compares the reactions of openapi.yaml and the fake.
func TestWhatTheFileRefusesTheFakeRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ method, path, body string }{
		{"POST", "/contacts", `{"firstName":"J"}`},
		{"POST", "/contacts", `{"email":"a@example.com"}`},
		{"POST", "/contacts", `{"email":"no address","firstName":"J"}`},
		{"POST", "/contacts", `{"email":"a@example.com","firstName":1}`},
		{"POST", "/contacts", `{"email":"a@example.com","firstName":"J","firstname":"J"}`},
		{"POST", "/contacts", `{"email":"a@example.com","firstName":"J","unsubscribed":true}`},
		{"POST", "/contacts", `{"email":"a@example.com","firstName":"J","title":null}`},
		{"POST", "/contacts", `{"email":"a@example.com","firstName":"J","preferredLanguage":"de"}`},
		{"POST", "/contacts", `{"email":"a@example.com","firstName":"J","locationId":"here"}`},
		{"POST", "/contacts", `{"email":"a@example.com","firstName":"J","customFields":[]}`},
		{"POST", "/contacts", `{"email":"a@example.com","firstName":"J","tags":"vip"}`},
		{"POST", "/contacts", `{"email":"a@example.com","firstName":"J","tags":[1]}`},
		{"POST", "/contacts", `[]`},
		{"PATCH", "/contacts/" + johnID, `{"locationId":"` + johnID + `"}`},
		{"PATCH", "/contacts/" + johnID, `{"contactOrganizationId":null}`},
		{"PATCH", "/contacts/" + johnID, `{"email":"no address"}`},
		{"PATCH", "/contacts/" + johnID, `{"preferredLanguage":"de"}`},
		{"PATCH", "/contacts/" + johnID, `{"tags":[null]}`},
		{"PATCH", "/contacts/" + johnID, `{"unsubscribed":false}`},
		{"PATCH", "/contacts/" + johnID, `{"createdAt":"2026-01-15T10:30:00.000Z"}`},
		{"POST", "/sequences/" + surveyID + "/execute", `{}`},
		{"POST", "/sequences/" + surveyID + "/execute", `{"contacts":[]}`},
		{"POST", "/sequences/" + surveyID + "/execute", `{"contacts":[` + strings.Repeat(`{"email":"a@example.com"},`, 100) + `{"email":"b@example.com"}]}`},
		{"POST", "/sequences/" + surveyID + "/execute", `{"contacts":[{"firstName":"A"}]}`},
		{"POST", "/sequences/" + surveyID + "/execute", `{"contacts":[{"email":"a@example.com","title":"Mr."}]}`},
		{"POST", "/sequences/" + surveyID + "/execute", `{"contacts":[{"email":"a@example.com"}],"employeeId":"me"}`},
		{"POST", "/sequences/" + surveyID + "/execute", `{"contacts":[{"email":"a@example.com"}],"tags":[]}`},
		{"GET", "/contacts?page=0", ""},
		{"GET", "/contacts?limit=many", ""},
		{"GET", "/contacts?location_id=here", ""},
		{"GET", "/contacts?locationId=" + johnID, ""},
		{"GET", "/sequences?email=a@example.com", ""},
	} {
		t.Run(fmt.Sprintf("%s %s %.60s", test.method, test.path, test.body), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv, rec := setUp(t)
				path, query, _ := strings.Cut(test.path, "?")
				req := &demeterrr.Request{Method: test.method, Path: path}
				if query != "" {
					name, value, _ := strings.Cut(query, "=")
					req.Query = url.Values{name: {value}}
				}
				if test.body != "" {
					req.Body = json.RawMessage(test.body)
				}
				err := rec.under(srv).Do(t.Context(), req, nil)
				isError(t, err, 400, demeterrr.CodeValidation)
			})
		})
	}
}

func TestKeysAndScopes(t *testing.T) {
	t.Parallel()
	for _, path := range spec(t).Paths.Map() {
		for _, operation := range path.Operations() {
			scope := (*operation.Security)[0]["apiKey"][0]
			synctest.Test(t, func(t *testing.T) {
				srv, rec := setUp(t)
				resource, _, _ := strings.Cut(scope, ":")
				for _, enough := range []string{scope, resource + ":*"} {
					client := rec.withKey(srv.AddKey(enough))
					_, err := operations[operation.OperationID](t.Context(), client)
					if errors.Is(err, demeterrr.ErrForbidden) {
						t.Errorf("%s with %s: %v", operation.OperationID, enough, err)
					}
				}
				var others []string
				for _, other := range []string{"contacts:read", "contacts:write", "sequences:read", "sequences:execute"} {
					if other != scope {
						others = append(others, other)
					}
				}
				_, err := operations[operation.OperationID](t.Context(), rec.withKey(srv.AddKey(others...)))
				isError(t, err, 403, demeterrr.CodeInsufficientPermissions)
				if got := asError(t, err); got.RequiredScope != scope {
					t.Errorf("%s wants %q, in the file %q", operation.OperationID, got.RequiredScope, scope)
				}
			})
		}
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, rec := setUp(t)
		expired := srv.AddKey("contacts:*")
		srv.ExpireKey(expired)
		for key, code := range map[string]demeterrr.Code{
			"dem_short":                      demeterrr.CodeInvalidAPIKeyFormat,
			"dem_" + strings.Repeat("x", 43): demeterrr.CodeInvalidAPIKey,
			expired:                          demeterrr.CodeExpiredAPIKey,
		} {
			_, err := rec.withKey(key).Contacts.List(t.Context(), nil)
			isError(t, err, 401, code)
		}
		bearer := roundTripper(func(req *http.Request) (*http.Response, error) {
			req = req.Clone(req.Context())
			req.Header.Set("Authorization", "Bearer "+req.Header.Get("X-API-Key"))
			req.Header.Del("X-API-Key")
			return rec.RoundTrip(req)
		})
		client := srv.Client(demeterrr.WithBaseURL(demeterrr.DefaultBaseURL), demeterrr.WithHTTPClient(&http.Client{Transport: bearer}))
		if _, err := client.Contacts.List(t.Context(), nil); err != nil {
			t.Error(err)
		}
	})
}

// TestRetriesAreValidToo repeats calls after every kind of documented failure,
// and after lost replies.
func TestRetriesAreValidToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, rec := setUp(t)
		client := rec.under(srv)
		for _, fault := range []demeterrrtest.Fault{
			{Status: 429, RetryAfter: 2 * time.Second},
			{Status: 429},
			{Status: 500},
			{Status: 500, AfterWork: true},
			{Drop: demeterrrtest.NoConnection},
			{Drop: demeterrrtest.DropBefore},
			{Drop: demeterrrtest.DropAfter},
		} {
			for _, name := range []string{"listContacts", "getContact", "updateContact", "listSequences", "getSequence"} {
				rec.inject(srv, fault)
				if _, err := operations[name](t.Context(), client); err != nil {
					t.Errorf("%s after %+v: %v", name, fault, err)
				}
			}
		}
	})
}

func TestQuotaRepliesAreValid(t *testing.T) {
	t.Parallel()
	for _, kind := range []demeterrrtest.WindowKind{demeterrrtest.FixedWindow, demeterrrtest.SlidingWindow} {
		limits := demeterrrtest.WithRateLimits(kind, demeterrrtest.Limit{Requests: 2, Window: time.Minute}, demeterrrtest.Limit{Requests: 5, Window: time.Hour})
		synctest.Test(t, func(t *testing.T) {
			srv, rec := setUp(t, limits)
			client := rec.under(srv)
			for range 2 {
				if _, err := client.Contacts.List(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
			}
			_, err := client.Contacts.List(t.Context(), nil, demeterrr.WithMaxRetries(0))
			isError(t, err, 429, demeterrr.CodeRateLimited)
			if got := asError(t, err); got.RetryAfter <= 0 || got.RetryAfter > time.Minute {
				t.Errorf("retry after %v", got.RetryAfter)
			}
			if got := client.RateLimit(); got.Limit != 5 || got.Remaining != 3 || got.Reset.IsZero() {
				t.Errorf("%+v", got)
			}
		})
	}
}
