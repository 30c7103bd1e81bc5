package demeterrrtest

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	demeterrr "github.com/demeterrr/demeterrr-go"
	"github.com/google/go-cmp/cmp"
)

// john is the contract's sample contact (section 5), in the form of a test.
func john() demeterrr.Contact {
	return demeterrr.Contact{
		ID:                "550e8400-e29b-41d4-a716-446655440000",
		Email:             "john.doe@example.com",
		FirstName:         "John",
		LastName:          "Doe",
		Phone:             "+15551234567",
		Title:             "Mr.",
		PreferredLanguage: "en",
		LocationID:        "660e8400-e29b-41d4-a716-446655440000",
		CustomFields:      map[string]any{"birthday": "1990-01-15", "membershipTier": "Gold"},
		Tags:              []string{"vip", "frequent-customer"},
		CreatedAt:         time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC),
		UpdatedAt:         time.Date(2026, 2, 10, 14, 20, 0, 0, time.UTC),
	}
}

const johnJSON = `{"id":"550e8400-e29b-41d4-a716-446655440000","email":"john.doe@example.com","firstName":"John","lastName":"Doe","phone":"+15551234567","title":"Mr.","preferredLanguage":"en","locationId":"660e8400-e29b-41d4-a716-446655440000","contactOrganizationId":null,"customFields":{"birthday":"1990-01-15","membershipTier":"Gold"},"tags":["vip","frequent-customer"],"unsubscribed":false,"createdAt":"2026-01-15T10:30:00.000Z","updatedAt":"2026-02-10T14:20:00.000Z"}`

func TestListAndGetAnswerWithTheDocumentedSample(t *testing.T) {
	t.Parallel()
	s := NewServer()
	s.AddContact(john())
	send(t, s, "GET", "/contacts?page=1&limit=50", "").
		is(t, 200, `{"data":[`+johnJSON+`],"meta":{"page":1,"perPage":50,"total":1,"totalPages":1}}`)
	send(t, s, "GET", "/contacts/550e8400-e29b-41d4-a716-446655440000", "").
		is(t, 200, `{"data":`+johnJSON+`}`)
}

func TestCreateAnswersWithTheDocumentedSample(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 2, 10, 15, 30, 0, 123456, time.UTC)))
		s := NewServer()
		send(t, s, "POST", "/contacts", `{"email":"jane.smith@example.com","firstName":"Jane","lastName":"Smith","phone":"+15559876543","preferredLanguage":"en","tags":["new-customer"]}`).
			is(t, 201, `{"data":{"id":"000000c0-0000-4000-8000-000000000001","email":"jane.smith@example.com","firstName":"Jane","lastName":"Smith","phone":"+15559876543","title":null,"preferredLanguage":"en","locationId":null,"contactOrganizationId":null,"customFields":{},"tags":["new-customer"],"unsubscribed":false,"createdAt":"2026-02-10T15:30:00.000Z","updatedAt":"2026-02-10T15:30:00.000Z"}}`)
	})
}

func TestUpdateAnswersWithTheDocumentedPartialSample(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 2, 10, 16, 0, 0, 0, time.UTC)))
		s := NewServer(WithPartialUpdates())
		s.AddContact(john())
		send(t, s, "PATCH", "/contacts/550e8400-e29b-41d4-a716-446655440000", `{"firstName":"John","lastName":"Doe-Smith","tags":["vip","frequent-customer"]}`).
			is(t, 200, `{"data":{"id":"550e8400-e29b-41d4-a716-446655440000","email":"john.doe@example.com","firstName":"John","lastName":"Doe-Smith","tags":["vip","frequent-customer"],"updatedAt":"2026-02-10T16:00:00.000Z"}}`)
	})
}

func TestUpdateChangesWhatItNamesAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, body string
		change     func(*demeterrr.Contact)
	}{
		{"nothing", `{}`, func(*demeterrr.Contact) {}},
		{"custom fields merge", `{"customFields":{"membershipTier":"Silver","visits":7}}`, func(c *demeterrr.Contact) {
			c.CustomFields = map[string]any{"birthday": "1990-01-15", "membershipTier": "Silver", "visits": 7.0}
		}},
		{"tags replace", `{"tags":["new"]}`, func(c *demeterrr.Contact) { c.Tags = []string{"new"} }},
		{"tags cleared", `{"tags":[]}`, func(c *demeterrr.Contact) { c.Tags = []string{} }},
		{"text cleared by null", `{"title":null,"phone":null,"firstName":null,"lastName":null}`, func(c *demeterrr.Contact) {
			c.Title, c.Phone, c.FirstName, c.LastName = "", "", "", ""
		}},
		{"the rest cleared by null", `{"tags":null,"customFields":null,"email":null,"preferredLanguage":null}`, func(c *demeterrr.Contact) {
			c.Tags, c.CustomFields, c.Email, c.PreferredLanguage = []string{}, map[string]any{}, "", "en"
		}},
		{"all texts", `{"email":"j@example.com","firstName":"J","lastName":"D","phone":"1","title":"Dr.","preferredLanguage":"fr"}`, func(c *demeterrr.Contact) {
			c.Email, c.FirstName, c.LastName, c.Phone, c.Title, c.PreferredLanguage = "j@example.com", "J", "D", "1", "Dr.", "fr"
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)))
				s := NewServer()
				want := s.AddContact(john())
				test.change(&want)
				want.UpdatedAt = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
				if got := send(t, s, "PATCH", "/contacts/"+want.ID, test.body); got.status != 200 {
					t.Fatalf("%d %s", got.status, got.body)
				}
				if diff := cmp.Diff([]demeterrr.Contact{want}, s.Contacts()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestAnEmailThatIsGivenUpIsFree(t *testing.T) {
	t.Parallel()
	s := NewServer()
	ann := s.AddContact(demeterrr.Contact{Email: "ann@example.com"})
	bob := s.AddContact(demeterrr.Contact{Email: "bob@example.com"})
	if got := send(t, s, "PATCH", "/contacts/"+bob.ID, `{"email":"ANN@example.com"}`); got.status != 409 {
		t.Errorf("taking an email: %d %s", got.status, got.body)
	}
	if got := send(t, s, "PATCH", "/contacts/"+ann.ID, `{"email":"ANN@example.com"}`); got.status != 200 {
		t.Errorf("changing the case of one's own: %d %s", got.status, got.body)
	}
	if got := send(t, s, "PATCH", "/contacts/"+ann.ID, `{"email":"ann2@example.com"}`); got.status != 200 {
		t.Errorf("moving away: %d %s", got.status, got.body)
	}
	if got := send(t, s, "PATCH", "/contacts/"+bob.ID, `{"email":"ann@example.com"}`); got.status != 200 {
		t.Errorf("taking a free email: %d %s", got.status, got.body)
	}
	if got := send(t, s, "DELETE", "/contacts/"+bob.ID, ""); got.status != 204 || got.body != "" {
		t.Errorf("delete: %d %q", got.status, got.body)
	}
	for _, method := range []string{"GET", "DELETE", "PATCH"} {
		if got := send(t, s, method, "/contacts/"+bob.ID, `{}`); got.status != 404 {
			t.Errorf("%s after delete: %d", method, got.status)
		}
	}
	if got := send(t, s, "POST", "/contacts", `{"email":"ann@example.com","firstName":"A"}`); got.status != 201 {
		t.Errorf("email of a deleted contact: %d %s", got.status, got.body)
	}
}

func TestCreateAndUpdateRefuseWhatIsNotDocumented(t *testing.T) {
	t.Parallel()
	s := NewServer()
	contact := s.AddContact(demeterrr.Contact{Email: "a@example.com"})
	for _, test := range []struct {
		member         string
		create, update bool // whether it is refused there
	}{
		{`"email":"no address"`, true, true},
		{`"email":"Ann <ann@example.com>"`, true, true},
		{`"email":""`, true, true},
		{`"email":7`, true, true},
		{`"email":null`, true, false},
		{`"firstName":""`, true, false},
		{`"firstName":null`, true, false},
		{`"lastName":["x"]`, true, true},
		{`"lastName":null`, true, false},
		{`"phone":15551234567`, true, true},
		{`"title":true`, true, true},
		{`"preferredLanguage":"de"`, true, true},
		{`"locationId":"here"`, true, true},
		{`"locationId":"660e8400-e29b-41d4-a716-446655440000"`, false, true},
		{`"locationId":"660e8400-e29b-41d4-a716-44665544000g"`, true, true},
		{`"locationId":"660e8400ae29b-41d4-a716-446655440000"`, true, true},
		{`"contactOrganizationId":"660E8400-E29B-41D4-A716-446655440000"`, false, true},
		{`"customFields":[]`, true, true},
		{`"customFields":{"a":{}}`, true, true},
		{`"customFields":{"a":[1]}`, true, true},
		{`"customFields":{"a":null}`, true, true},
		{`"customFields":{"a":"x","b":1.5,"c":false}`, false, false},
		{`"tags":"vip"`, true, true},
		{`"tags":["vip",null]`, true, true},
		{`"tags":[1]`, true, true},
		{`"unsubscribed":true`, true, true},
		{`"id":"x"`, true, true},
		{`"firstname":"x"`, true, true},
	} {
		var member map[string]any
		if err := json.Unmarshal([]byte("{"+test.member+"}"), &member); err != nil {
			t.Fatal(err)
		}
		body := map[string]any{"email": fmt.Sprintf("new%d@example.com", len(s.Requests())), "firstName": "F"}
		for name, value := range member {
			body[name] = value
		}
		encoded, _ := json.Marshal(body)
		if got := send(t, s, "POST", "/contacts", string(encoded)); (got.status == 400) != test.create {
			t.Errorf("POST %s: %d %s", test.member, got.status, got.body)
		}
		if got := send(t, s, "PATCH", "/contacts/"+contact.ID, "{"+test.member+"}"); (got.status == 400) != test.update {
			t.Errorf("PATCH %s: %d %s", test.member, got.status, got.body)
		}
	}
}

func TestListFilters(t *testing.T) {
	t.Parallel()
	s := NewServer()
	for _, c := range []demeterrr.Contact{
		{Email: "ann@example.com", FirstName: "Ann", LastName: "Lee", Phone: "+1", LocationID: "660e8400-e29b-41d4-a716-446655440000"},
		{Email: "bob@example.com", FirstName: "Bob", LastName: "Mann", Phone: "+2"},
		{Phone: "+1"},
	} {
		s.AddContact(c)
	}
	for _, test := range []struct {
		query string
		want  []float64 // the last digits of the ids
	}{
		{"", []float64{1, 2, 3}},
		{"email=ANN@example.com", []float64{1}},
		{"email=ann@example", nil},
		{"phone=%2B1", []float64{1, 3}},
		{"phone=1", nil},
		{"search=ANN", []float64{1, 2}},
		{"search=lee", []float64{1}},
		{"search=example.com", []float64{1, 2}},
		{"location_id=660E8400-e29b-41d4-a716-446655440000", []float64{1}},
		{"phone=%2B1&search=ann", []float64{1}},
		{"email=ann@example.com&phone=%2B2", nil},
	} {
		var list struct {
			Data []struct{ ID string }
			Meta struct{ Total, TotalPages int }
		}
		got := send(t, s, "GET", "/contacts?"+test.query, "")
		if err := json.Unmarshal([]byte(got.body), &list); err != nil {
			t.Fatal(err)
		}
		var ids []float64
		for _, item := range list.Data {
			ids = append(ids, float64(item.ID[35]-'0'))
		}
		if diff := cmp.Diff(test.want, ids); diff != "" || list.Meta.Total != len(test.want) || list.Meta.TotalPages != min(1, len(test.want)) {
			t.Errorf("%s: %s %+v", test.query, diff, list.Meta)
		}
	}
}

// TestListContactsIsTheListWithoutARequest compares ListContacts with the
// client's list.
func TestListContactsIsTheListWithoutARequest(t *testing.T) {
	t.Parallel()
	s := NewServer()
	s.AddContact(john())
	for i := range 120 {
		s.AddContact(demeterrr.Contact{Email: fmt.Sprintf("c%d@example.com", i), FirstName: "Jane", Phone: strconv.Itoa(i % 60)})
	}
	client := s.Client()
	for _, params := range []*demeterrr.ContactListParams{
		nil,
		{Page: 2},
		{Page: 3, Limit: 50},
		{Page: 4},
		{Limit: 100},
		{Limit: 7, Page: 3},
		{Search: "JOHN.DOE"},
		{Search: "jan", Limit: 3, Page: 2},
		{Email: "C7@example.com"},
		{Phone: "7"},
		{Phone: "7", Email: "c67@example.com"},
		{LocationID: john().LocationID},
		{Search: "nobody"},
	} {
		want, err := client.Contacts.List(t.Context(), params)
		if err != nil {
			t.Fatal(err)
		}
		before := len(s.Requests())
		got := s.ListContacts(params)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%+v (-client +server):\n%s", params, diff)
		}
		if len(s.Requests()) != before {
			t.Error("a request was logged")
		}
	}
	if got := s.ListContacts(&demeterrr.ContactListParams{Limit: 1000}); len(got.Items) != 100 {
		t.Errorf("%d contacts on a page, want the cap of 100", len(got.Items))
	}
}

func TestQueriesAreStrict(t *testing.T) {
	t.Parallel()
	s := NewServer()
	for query, field := range map[string]string{
		"page=0":            "page",
		"page=-1":           "page",
		"limit=0":           "limit",
		"limit=x":           "limit",
		"email=":            "email",
		"email=a&email=b":   "email",
		"locationId=x":      "locationId",
		"location_id=x":     "location_id",
		"sort=email":        "sort",
		"search=%zz&page=1": "query",
	} {
		if diff := cmp.Diff([]string{field}, send(t, s, "GET", "/contacts?"+query, "").refusals(t)); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
	}
	for _, path := range []string{"/sequences?email=a@example.com", "/contacts/x?page=1"} {
		send(t, s, "GET", path, "").refusals(t)
	}
}

func TestPagesAreCappedAndEndEmpty(t *testing.T) {
	t.Parallel()
	s := NewServer()
	for i := range 247 {
		s.AddContact(demeterrr.Contact{Email: fmt.Sprintf("c%d@example.com", i)})
	}
	for _, test := range []struct {
		query string
		count int
		want  meta
	}{
		{"", 50, meta{1, 50, 247, 5}},
		{"page=5", 47, meta{5, 50, 247, 5}},
		{"page=6", 0, meta{6, 50, 247, 5}},
		{"limit=100&page=3", 47, meta{3, 100, 247, 3}},
		{"limit=101", 100, meta{1, 100, 247, 3}},
		{"page=" + strconv.Itoa(math.MaxInt) + "&limit=100", 0, meta{math.MaxInt, 100, 247, 3}},
		{"search=nobody", 0, meta{1, 50, 0, 0}},
	} {
		var list struct {
			Data []json.RawMessage
			Meta meta
		}
		got := send(t, s, "GET", "/contacts?"+test.query, "")
		if err := json.Unmarshal([]byte(got.body), &list); err != nil || list.Data == nil {
			t.Fatalf("%s: %v", got.body, err)
		}
		if len(list.Data) != test.count || list.Meta != test.want {
			t.Errorf("%s: %d items, %+v", test.query, len(list.Data), list.Meta)
		}
	}
}

// TestOrderSurvivesDeletes pages through an account with contacts deleted from
// its middle.
func TestOrderSurvivesDeletes(t *testing.T) {
	t.Parallel()
	s := NewServer()
	var want []string
	for i := range 10 {
		c := s.AddContact(demeterrr.Contact{Email: fmt.Sprintf("c%d@example.com", i)})
		if i%3 == 1 {
			send(t, s, "DELETE", "/contacts/"+c.ID, "")
			continue
		}
		want = append(want, c.Email)
	}
	var got []string
	for _, c := range s.Contacts() {
		got = append(got, c.Email)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAddContactShowsWhatTheAPIWould(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := NewServer()
		time.Sleep(1234567 * time.Nanosecond)
		got := s.AddContact(demeterrr.Contact{Phone: "+1", Extra: map[string]json.RawMessage{"score": []byte(`9`), "a\"b": []byte(`[]`)}})
		now := time.Now().UTC().Truncate(time.Millisecond)
		want := demeterrr.Contact{
			ID: "000000c0-0000-4000-8000-000000000001", Phone: "+1", PreferredLanguage: "en",
			CustomFields: map[string]any{}, Tags: []string{}, CreatedAt: now, UpdatedAt: now,
			Extra: map[string]json.RawMessage{"score": []byte(`9`), "a\"b": []byte(`[]`)},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		data := send(t, s, "GET", "/contacts/"+url.PathEscape(got.ID), "").data(t)
		if data["email"] != nil || data["score"] != 9.0 || data[`a"b`] == nil {
			t.Errorf("%v", data)
		}
	})
}

// TestIDsThatAreTakenAreSkipped adds a contact with the id that the server
// would assign next.
func TestIDsThatAreTakenAreSkipped(t *testing.T) {
	t.Parallel()
	s := NewServer()
	s.AddContact(demeterrr.Contact{ID: newID(contactIDs, 2)})
	s.AddSequence(demeterrr.Sequence{ID: newID(sequenceIDs, 2)})
	if got := send(t, s, "POST", "/contacts", `{"email":"a@example.com","firstName":"A"}`).data(t)["id"]; got != newID(contactIDs, 3) {
		t.Errorf("contact %v", got)
	}
	if got := s.AddSequence(demeterrr.Sequence{}).ID; got != newID(sequenceIDs, 3) {
		t.Errorf("sequence %v", got)
	}
}
