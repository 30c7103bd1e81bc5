package demeterrr_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

// turn is one expected request and its reply.
type turn struct {
	want   string // method and path
	status int
	body   string
}

const (
	existsBody   = `{"error":{"code":"CONTACT_EXISTS","message":"A contact with this email already exists"}}`
	notFoundBody = `{"error":{"code":"NOT_FOUND","message":"Contact not found"}}`
	nobodyBody   = `{"data":[],"meta":{"page":1,"perPage":50,"total":0,"totalPages":0}}`
	johnBody     = `{"data":` + johnJSON + `}`
)

// The requests of an Upsert.
var (
	creates      = turn{"POST /api/v1/contacts", 201, johnBody}
	meetsOne     = turn{"POST /api/v1/contacts", 409, existsBody}
	findsJohn    = turn{"GET /api/v1/contacts?email=john.doe%40example.com", 200, oneJohn}
	findsNobody  = turn{"GET /api/v1/contacts?email=john.doe%40example.com", 200, nobodyBody}
	patchesJohn  = turn{"PATCH /api/v1/contacts/" + johnID, 200, johnBody}
	patchesNoone = turn{"PATCH /api/v1/contacts/" + johnID, 404, notFoundBody}
)

// inTurn is a server that answers exactly these requests, in this order.
func inTurn(t *testing.T, j *journal, turns ...turn) *demeterrr.Client {
	t.Helper()
	next := 0
	t.Cleanup(func() {
		if next != len(turns) {
			t.Errorf("%d requests came, want %d: %q", next, len(turns), j.lines())
		}
	})
	return serving(t, j.record(func(w http.ResponseWriter, r *http.Request) {
		if next++; next > len(turns) {
			t.Errorf("request %d is one too many: %s %s", next, r.Method, r.URL)
			answer(500, "")(w, r)
			return
		}
		step := turns[next-1]
		same(t, "request", r.Method+" "+r.URL.String(), step.want)
		answer(step.status, step.body)(w, r)
	}))
}

func TestUpsertOfANewContactIsOneRequest(t *testing.T) {
	t.Parallel()
	contact, outcome, err := inTurn(t, new(journal), creates).Contacts.Upsert(t.Context(), john())
	if err != nil || outcome != demeterrr.UpsertCreated || contact.ID != johnID {
		t.Errorf("got %+v, %s, %v", contact, outcome, err)
	}
}

func TestUpsertOfAnUnchangedContactIsTwoRequests(t *testing.T) {
	t.Parallel()
	for what, params := range map[string]demeterrr.ContactParams{
		"same":                             {FirstName: "John", LastName: "Doe", Phone: "+15551234567", Title: "Mr.", PreferredLanguage: "en"},
		"empty fields":                     {FirstName: "John"},
		"tags in another order":            {FirstName: "John", Tags: []string{"frequent-customer", "vip", "vip"}},
		"fields":                           {FirstName: "John", CustomFields: map[string]any{"membershipTier": "Gold"}},
		"no fields":                        {FirstName: "John", CustomFields: map[string]any{}},
		"location, only for a new contact": {FirstName: "John", LocationID: "other", ContactOrganizationID: "other"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			params.Email = "john.doe@example.com"
			var resp demeterrr.Response
			contact, outcome, err := inTurn(t, new(journal), meetsOne, findsJohn).Contacts.Upsert(t.Context(), &params, demeterrr.WithResponse(&resp))
			if err != nil || outcome != demeterrr.UpsertUnchanged {
				t.Fatalf("%s, %v", outcome, err)
			}
			var want demeterrr.Contact
			if err := json.Unmarshal([]byte(johnJSON), &want); err != nil {
				t.Fatal(err)
			}
			same(t, "contact", *contact, want)
			same(t, "the last reply", resp.StatusCode, 200)
		})
	}
}

func TestUpsertFindsTheContactInLowerCase(t *testing.T) {
	t.Parallel()
	params := john()
	params.Email = "John.Doe@Example.com"
	asIs := turn{"GET /api/v1/contacts?email=John.Doe%40Example.com", 200, nobodyBody}
	got, outcome, err := inTurn(t, new(journal), meetsOne, asIs, findsJohn).Contacts.Upsert(t.Context(), params)
	if err != nil || outcome != demeterrr.UpsertUnchanged || got.ID != johnID {
		t.Errorf("got %+v, %s, %v", got, outcome, err)
	}
}

func TestUpsertPatchesOnlyWhatDiffers(t *testing.T) {
	t.Parallel()
	for want, params := range map[string]demeterrr.ContactParams{
		`{"firstName":"Jon"}`:                        {FirstName: "Jon", LastName: "Doe", LocationID: "other"},
		`{"lastName":"Smith","phone":"+1"}`:          {FirstName: "John", LastName: "Smith", Phone: "+1"},
		`{"title":"Dr.","preferredLanguage":"fr"}`:   {FirstName: "John", Title: "Dr.", PreferredLanguage: "fr"},
		`{"tags":[]}`:                                {FirstName: "John", Tags: []string{}},
		`{"tags":["vip"]}`:                           {FirstName: "John", Tags: []string{"vip"}},
		`{"customFields":{"new":[1]}}`:               {FirstName: "John", CustomFields: map[string]any{"new": []int{1}, "birthday": "1990-01-15"}},
		`{"customFields":{"birthday":null}}`:         {FirstName: "John", CustomFields: map[string]any{"birthday": nil}},
		`{"customFields":{"membershipTier":"gold"}}`: {FirstName: "John", CustomFields: map[string]any{"membershipTier": "gold"}},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			params.Email = "John.Doe@Example.com"
			find := findsJohn
			find.want = "GET /api/v1/contacts?email=John.Doe%40Example.com"
			var j journal
			_, outcome, err := inTurn(t, &j, meetsOne, find, patchesJohn).Contacts.Upsert(t.Context(), &params)
			if err != nil || outcome != demeterrr.UpsertUpdated {
				t.Fatalf("%s, %v", outcome, err)
			}
			same(t, "patch", parsed(t, j.arrivals()[2].Body), parsed(t, want))
		})
	}
}

func TestUpsertComparesCustomFieldsExactly(t *testing.T) {
	t.Parallel()
	type visit struct {
		B int `json:"b"`
		A string
	}
	const fields = `{"points":5,"on":true,"none":null,"list":[1,"a"],"visit":{"A":"x","b":2},"html":"<&>","day":"2026-02-10T00:00:00Z"}`
	upsertsFields(t, fields, []upsertOfField{
		{"points", "5", true},
		{"on", true, false},
		{"on", false, true},
		{"on", "true", true},
		{"none", nil, false},
		{"none", "", true},
		{"list", []any{1, "a"}, false},
		{"list", []any{"a", 1}, true},
		{"visit", visit{2, "x"}, false},
		{"visit", map[string]any{"b": 2, "A": "x"}, false},
		{"visit", visit{3, "x"}, true},
		{"html", "<&>", false},
		{"day", time.Date(2026, 2, 10, 0, 0, 0, 0, time.UTC), false},
		{"missing", nil, true},
	})
}

func TestUpsertComparesNumbersByTheirValue(t *testing.T) {
	t.Parallel()
	const fields = `{"points":5,"half":0.5,"price":19.90,"hundred":1e2,"zero":0,"big":9007199254740992,"bigger":9007199254740993,"huge":1e400,"prices":[19.90,{"a":1.0}]}`
	upsertsFields(t, fields, []upsertOfField{
		{"points", 5, false},
		{"points", 5.0, false},
		{"points", uint8(5), false},
		{"points", json.Number("5"), false},
		{"points", json.Number("5.0"), false},
		{"points", json.Number("0.5e1"), false},
		{"points", 6, true},
		{"half", 0.5, false},
		{"half", float32(0.5), false},
		{"half", 0, true},
		{"price", 19.9, false},
		{"price", json.Number("19.90"), false},
		{"price", json.Number("1.99e1"), false},
		{"price", json.Number("19.91"), true},
		{"hundred", 100, false},
		{"hundred", json.Number("1e2"), false},
		{"hundred", json.Number("100.00"), false},
		{"hundred", json.Number("1e1000000000"), true},
		{"zero", json.Number("0.0"), false},
		{"zero", json.Number("-0"), false},
		{"prices", []any{json.Number("19.900"), map[string]any{"a": json.Number("1e0")}}, false},
		{"prices", []any{json.Number("19.900"), map[string]any{"a": json.Number("1.1")}}, true},
		{"big", int64(9007199254740992), false},
		{"big", int64(9007199254740993), true},
		{"big", json.Number("9007199254740993"), true},
		{"bigger", int64(9007199254740993), false},
		{"bigger", json.Number("9007199254740993.0"), false},
		{"bigger", int64(9007199254740992), true},
		{"huge", json.Number("10e399"), false},
		{"huge", json.Number("1e401"), true},
	})
}

// upsertOfField is one custom field of the account, and the value a caller
// wants.
type upsertOfField struct {
	key     string
	value   any
	differs bool
}

// upsertsFields checks that a contact with these custom fields is patched only
// if the wanted field differs.
func upsertsFields(t *testing.T, fields string, tests []upsertOfField) {
	t.Helper()
	have := strings.Replace(oneJohn, `{"birthday":"1990-01-15","membershipTier":"Gold"}`, fields, 1)
	for _, test := range tests {
		params := john()
		params.CustomFields = map[string]any{test.key: test.value}
		turns := []turn{meetsOne, {findsJohn.want, 200, have}}
		if test.differs {
			turns = append(turns, patchesJohn)
		}
		if _, _, err := inTurn(t, new(journal), turns...).Contacts.Upsert(t.Context(), params); err != nil {
			t.Errorf("%s %v: %v", test.key, test.value, err)
		}
	}
}

func TestUpsertGivesTheWholeContactAfterAPartialReply(t *testing.T) {
	t.Parallel()
	partial := turn{patchesJohn.want, 200, `{"data":{"id":"` + johnID + `","email":"john.doe@example.com","firstName":"John","lastName":"Doe-Smith","updatedAt":"2026-02-10T16:00:00.000Z"}}`}
	fields := map[string]any{"points": 5, "visits": []int{1}}
	params := &demeterrr.ContactParams{
		Email: "john.doe@example.com", FirstName: "John", LastName: "Doe-Smith", Title: "Dr.", Tags: []string{"new"}, CustomFields: fields, LocationID: "other",
	}
	got, outcome, err := inTurn(t, new(journal), meetsOne, findsJohn, partial).Contacts.Upsert(t.Context(), params)
	if err != nil || outcome != demeterrr.UpsertUpdated {
		t.Fatalf("%s, %v", outcome, err)
	}
	same(t, "contact", got, &demeterrr.Contact{
		ID: johnID, Email: "john.doe@example.com", FirstName: "John", LastName: "Doe-Smith", Phone: "+15551234567", Title: "Dr.", PreferredLanguage: "en",
		LocationID: locationID, CustomFields: map[string]any{"birthday": "1990-01-15", "membershipTier": "Gold", "points": 5.0, "visits": []any{1.0}},
		Tags: []string{"new"}, CreatedAt: time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC), UpdatedAt: time.Date(2026, 2, 10, 16, 0, 0, 0, time.UTC),
	})
	got.Tags[0] = "changed"
	same(t, "the caller's params", []any{params.Tags, fields}, []any{[]string{"new"}, map[string]any{"points": 5, "visits": []int{1}}})
}

func TestAPatchReplyWithoutAnIDIsNoContact(t *testing.T) {
	t.Parallel()
	params := john()
	params.LastName = "Smith"
	got, _, err := inTurn(t, new(journal), meetsOne, findsJohn, turn{patchesJohn.want, 200, `{"data":{"lastName":"Smith"}}`}).Contacts.Upsert(t.Context(), params)
	if got != nil || !errors.Is(err, demeterrr.ErrUnknownOutcome) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestUpsertSurvivesWhatOthersDoInBetween(t *testing.T) {
	t.Parallel()
	changed := john()
	changed.LastName = "Smith"
	for what, test := range map[string]struct {
		turns   []turn
		outcome demeterrr.UpsertOutcome
		want    error
	}{
		"deleted before it was found":            {turns: []turn{meetsOne, findsNobody, creates}, outcome: demeterrr.UpsertCreated},
		"deleted before it was patched":          {turns: []turn{meetsOne, findsJohn, patchesNoone, creates}, outcome: demeterrr.UpsertCreated},
		"deleted and made again":                 {turns: []turn{meetsOne, findsJohn, patchesNoone, meetsOne, findsJohn, patchesJohn}, outcome: demeterrr.UpsertUpdated},
		"never found":                            {turns: []turn{meetsOne, findsNobody, meetsOne, findsNobody}, want: demeterrr.ErrContactExists},
		"deleted each time":                      {turns: []turn{meetsOne, findsJohn, patchesNoone, meetsOne, findsJohn, patchesNoone}, want: demeterrr.ErrContactExists},
		"only a stranger is found":               {turns: []turn{meetsOne, {findsJohn.want, 200, strings.Replace(oneJohn, "john.doe@", "stranger@", 1)}, meetsOne, findsNobody}, want: demeterrr.ErrContactExists},
		"not allowed to create":                  {turns: []turn{{creates.want, 403, documented[4].body}}, want: demeterrr.ErrInsufficientPermissions},
		"not allowed to read":                    {turns: []turn{meetsOne, {findsJohn.want, 403, documented[4].body}}, want: demeterrr.ErrInsufficientPermissions},
		"not allowed to patch":                   {turns: []turn{meetsOne, findsJohn, {patchesJohn.want, 403, documented[4].body}}, want: demeterrr.ErrInsufficientPermissions},
		"a conflict of another kind is an error": {turns: []turn{{creates.want, 409, `{"error":{"code":"LOCKED"}}`}}, want: demeterrr.ErrConflict},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			contact, outcome, err := inTurn(t, new(journal), test.turns...).Contacts.Upsert(t.Context(), changed)
			if !errors.Is(err, test.want) || outcome != test.outcome || (contact == nil) != (test.want != nil) {
				t.Errorf("got %+v, %s, %v", contact, outcome, err)
			}
		})
	}
}

// The create may have made the contact, and the look-up leaves this open.
func TestUpsertKeepsTheDoubtOfItsCreate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{t: t, begin: time.Now(), steps: []step{reset, exists, {status: 403, body: `{"error":{"code":"INSUFFICIENT_PERMISSIONS","message":"This API key does not have the required scope: contacts:read","requiredScope":"contacts:read"}}`}}}
		c, err := demeterrr.New(testKey, demeterrr.WithHTTPClient(&http.Client{Transport: s}))
		wantNil(t, err)

		_, _, err = c.Contacts.Upsert(t.Context(), &demeterrr.ContactParams{Email: "jane.smith@example.com", FirstName: "Jane"})

		if !errors.Is(err, demeterrr.ErrForbidden) || !errors.Is(err, demeterrr.ErrUnknownOutcome) {
			t.Errorf("got %v, want a 403 with an unknown outcome", err)
		}
	})
}

func TestChangesIsWhatUpsertWouldSend(t *testing.T) {
	t.Parallel()
	john := demeterrr.Contact{ID: johnID, Email: email, FirstName: "John", Tags: []string{"vip"}, CustomFields: map[string]any{"tier": "Gold"}}
	for name, tt := range map[string]struct {
		want *demeterrr.ContactParams
		have *demeterrr.Contact
		sent string // empty for no request
	}{
		"no difference":  {&demeterrr.ContactParams{Email: email, FirstName: "John", Tags: []string{"vip"}, CustomFields: map[string]any{"tier": "Gold"}}, &john, ""},
		"another case":   {&demeterrr.ContactParams{Email: strings.ToUpper(email)}, &john, ""},
		"one field":      {&demeterrr.ContactParams{Email: email, FirstName: "Jon"}, &john, `{"firstName":"Jon"}`},
		"a custom field": {&demeterrr.ContactParams{CustomFields: map[string]any{"tier": "Gold", "age": 7}}, &john, `{"customFields":{"age":7}}`},
		"no tags":        {&demeterrr.ContactParams{Tags: []string{}}, &john, `{"tags":[]}`},
		"no contact":     {&demeterrr.ContactParams{Email: email, FirstName: "Jon"}, nil, `{"firstName":"Jon"}`},
		"no params":      {nil, &john, ""},
		"a new location": {&demeterrr.ContactParams{LocationID: locationID}, &john, ""},
	} {
		changes := tt.want.Changes(tt.have)
		if changes == nil {
			same(t, name, "", tt.sent)
			continue
		}
		sent, err := json.Marshal(changes)
		wantNil(t, err)
		same(t, name, string(sent), tt.sent)
	}
}

func TestChangesReportsWhatCannotBeSent(t *testing.T) {
	t.Parallel()
	p := &demeterrr.ContactParams{CustomFields: map[string]any{"tier": ring()}}
	changes := p.Changes(&demeterrr.Contact{CustomFields: map[string]any{"tier": "Gold"}})
	if changes == nil || changes.Validate() == nil {
		t.Error(changes)
	}
}

// Validate returns the error of the call before the call.
func TestValidateRefusesWhatACallWould(t *testing.T) {
	t.Parallel()
	c := serving(t, func(http.ResponseWriter, *http.Request) {})
	bad := map[string]any{"f": "J\xe9r\xf4me"}
	for name, tt := range map[string]struct{ before, then error }{
		"nil params":       {(*demeterrr.ContactParams)(nil).Validate(), second(c.Contacts.Create(t.Context(), nil))},
		"no email":         {(&demeterrr.ContactParams{FirstName: "J"}).Validate(), second(c.Contacts.Create(t.Context(), &demeterrr.ContactParams{FirstName: "J"}))},
		"a bad text":       {(&demeterrr.ContactParams{Email: email, FirstName: "J", CustomFields: bad}).Validate(), second(c.Contacts.Create(t.Context(), &demeterrr.ContactParams{Email: email, FirstName: "J", CustomFields: bad}))},
		"no encoding":      {(&demeterrr.ContactParams{Email: email, FirstName: "J", CustomFields: map[string]any{"f": func() {}}}).Validate(), second(c.Contacts.Create(t.Context(), &demeterrr.ContactParams{Email: email, FirstName: "J", CustomFields: map[string]any{"f": func() {}}}))},
		"a nil update":     {(*demeterrr.ContactUpdate)(nil).Validate(), second(c.Contacts.Update(t.Context(), johnID, nil))},
		"an empty update":  {(&demeterrr.ContactUpdate{}).Validate(), second(c.Contacts.Update(t.Context(), johnID, &demeterrr.ContactUpdate{}))},
		"an updated email": {(&demeterrr.ContactUpdate{Email: demeterrr.Set("x")}).Validate(), second(c.Contacts.Update(t.Context(), johnID, &demeterrr.ContactUpdate{Email: demeterrr.Set("x")}))},
	} {
		before, then := wantError(t, tt.before, 0, demeterrr.ErrValidation), wantError(t, tt.then, 0, demeterrr.ErrValidation)
		same(t, name, before.Message, then.Message)
	}
	err := wantError(t, demeterrr.ExecuteContact{Email: "x"}.Validate(), 0, demeterrr.ErrValidation)
	_, then := c.Sequences.Execute(t.Context(), "s", &demeterrr.ExecuteParams{Contacts: []demeterrr.ExecuteContact{{Email: "x"}}})
	same(t, "an execution's contact", "contact 1: "+err.Message, wantError(t, then, 0).Message)
	for _, good := range []error{
		(&demeterrr.ContactParams{Email: email, FirstName: "J"}).Validate(), (&demeterrr.ContactUpdate{Title: demeterrr.Null[string]()}).Validate(),
		demeterrr.ExecuteContact{Email: email}.Validate(),
	} {
		wantNil(t, good)
	}
}

func second[T any](_ T, err error) error { return err }
