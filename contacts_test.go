package demeterrr_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/demeterrr/demeterrr-go"
)

func TestBadIDsAreRefusedByEveryMethodWithOne(t *testing.T) {
	t.Parallel()
	for _, e := range endpoints {
		if !e.hasID {
			continue
		}
		for id, says := range map[string]string{
			"": "the id is empty", ".": "dot segment", "..": "dot segment", "a/b?c": "pass the bare id", "/": "pass the bare id",
			"a?b": "pass the bare id", "a#b": "pass the bare id", `..\x`: "pass the bare id", "a\nb": "control", "\x00": "control", "a\u0085": "control", "\x7f": "control",
		} {
			err := e.call(t.Context(), serving(t, neverSent(t)), id)
			refusedBeforeSending(t, fmt.Sprintf("%s %q", e.name, id), err, demeterrr.ErrValidation, says)
			var apiError *demeterrr.Error
			if errors.As(err, &apiError) && (apiError.Method != e.method || apiError.Path != e.path) {
				t.Errorf("%s: the error is of %s %s", e.name, apiError.Method, apiError.Path)
			}
		}
	}
}

// badContactParams are params that cannot be sent, each with a part of its
// error.
func badContactParams() map[string]badParams {
	with := func(change func(*demeterrr.ContactParams)) *demeterrr.ContactParams {
		p := john()
		change(p)
		return p
	}
	email := func(email string) *demeterrr.ContactParams {
		return with(func(p *demeterrr.ContactParams) { p.Email = email })
	}
	field := func(v any) *demeterrr.ContactParams {
		return with(func(p *demeterrr.ContactParams) { p.CustomFields = map[string]any{"k": v} })
	}
	type inner struct{ Name string }
	cyclic := map[string]any{}
	cyclic["self"], cyclic["twice"] = cyclic, []any{cyclic}
	const bad = "J\xf6rg"
	return map[string]badParams{
		"nil":               {nil, "params are nil"},
		"no email":          {email(""), "the email is empty"},
		"no at":             {email("john.doe"), "name@host"},
		"no name":           {email("@example.com"), "name@host"},
		"no host":           {email("john@"), "name@host"},
		"spaces":            {email("john@example.com "), "trim it"},
		"newline":           {email("john@exam\nple.com"), "trim it"},
		"Latin-1 email":     {email(bad + "@example.com"), "UTF-8"},
		"long email":        {email(strings.Repeat("john.doe", 1<<17) + "@example.com"), "longer than 320 bytes"},
		"zero-width space":  {email("john.doe@example.com\u200b"), "invisible character U+200B"},
		"no first name":     {with(func(p *demeterrr.ContactParams) { p.FirstName = "" }), "the first name is empty"},
		"Latin-1 name":      {with(func(p *demeterrr.ContactParams) { p.FirstName = bad }), "UTF-8"},
		"Latin-1 last name": {with(func(p *demeterrr.ContactParams) { p.LastName = bad }), "UTF-8"},
		"phone":             {with(func(p *demeterrr.ContactParams) { p.Phone = bad }), "UTF-8"},
		"title":             {with(func(p *demeterrr.ContactParams) { p.Title = bad }), "UTF-8"},
		"language":          {with(func(p *demeterrr.ContactParams) { p.PreferredLanguage = bad }), "UTF-8"},
		"location":          {with(func(p *demeterrr.ContactParams) { p.LocationID = bad }), "UTF-8"},
		"organization":      {with(func(p *demeterrr.ContactParams) { p.ContactOrganizationID = bad }), "UTF-8"},
		"tag":               {with(func(p *demeterrr.ContactParams) { p.Tags = []string{"ok", bad} }), "UTF-8"},
		"field name":        {with(func(p *demeterrr.ContactParams) { p.CustomFields = map[string]any{bad: 1} }), "UTF-8"},
		"field":             {field(bad), "UTF-8"},
		"nested field":      {field([]any{map[string]any{"a": []string{bad}}}), "UTF-8"},
		"nested name":       {field(map[string]any{bad: true}), "UTF-8"},
		"map of strings":    {field(map[string]string{"a": bad}), "UTF-8"},
		"list of maps":      {field([]map[string]any{{"a": bad}}), "UTF-8"},
		"struct":            {field(inner{bad}), "UTF-8"},
		"pointer":           {field(&inner{bad}), "UTF-8"},
		"named string":      {field(demeterrr.Language(bad)), "UTF-8"},
		"a set Opt":         {field(demeterrr.Set(bad)), "UTF-8"},
		"a contact":         {field(demeterrr.Contact{Title: bad}), "UTF-8"},
		"one of its extra":  {field(demeterrr.Contact{Extra: map[string]json.RawMessage{"x": json.RawMessage(`"` + bad + `"`)}}), "UTF-8"},
		"raw":               {field(json.RawMessage(`"` + bad + `"`)), "UTF-8"},
		"NaN":               {field(math.NaN()), "cannot be encoded"},
		"infinity":          {field(math.Inf(1)), "cannot be encoded"},
		"channel":           {field(make(chan int)), "cannot be encoded"},
		"func":              {field(func() {}), "cannot be encoded"},
		"cycle":             {field(cyclic), "does one hold itself"},
		"pointer cycle":     {field(&cyclic), "cannot be encoded"},
		"no number":         {field(json.Number("john.doe@example.com")), "cannot be encoded"},
		"broken raw":        {field(json.RawMessage(`{`)), "cannot be encoded"},
		"its own error":     {field(unwritable{}), "no number for [removed]"},
		"endless pointer":   {field(ring()), "does one hold itself"},
	}
}

// unwritable shows its content in its encoding error.
type unwritable struct{}

func (unwritable) MarshalJSON() ([]byte, error) {
	return nil, errors.New("no number for john.doe@example.com")
}

// ring returns a pointer to itself. encoding/json of Go 1.27 overflows the
// stack on it.
func ring() any {
	var v any
	v = &v
	return v
}

type badParams struct {
	params *demeterrr.ContactParams
	says   string
}

func TestBadContactParamsAreRefused(t *testing.T) {
	t.Parallel()
	for what, test := range badContactParams() {
		c := serving(t, neverSent(t))
		_, err := c.Contacts.Create(t.Context(), test.params)
		refusedBeforeSending(t, "create: "+what, err, demeterrr.ErrValidation, test.says)
		_, outcome, err := c.Contacts.Upsert(t.Context(), test.params)
		refusedBeforeSending(t, "upsert: "+what, err, demeterrr.ErrValidation, test.says)
		same(t, "outcome", outcome, demeterrr.UpsertOutcome(""))
		noSecret(t, err, "john.doe@", "J\xf6rg", "J\uFFFDrg")
	}
}

func TestTextThatIsUTF8IsSentAsItIs(t *testing.T) {
	t.Parallel()
	fields := map[string]any{
		"replacement": "\uFFFD", "typed": map[string]string{"a": "\uFFFD", `back\ufffd`: `\ufffd`}, "struct": struct{ Name string }{`\\ufffd`},
		"raw": json.RawMessage(`"\ufffd"`), "nil": nil, "number": 7, "time": time.Date(2026, 2, 10, 0, 0, 0, 0, time.UTC),
	}
	var j journal
	c := serving(t, j.record(answer(201, `{"data":`+johnJSON+`}`)))
	if _, err := c.Contacts.Create(t.Context(), &demeterrr.ContactParams{Email: "jörg@exämple.com", FirstName: "<Jörg> & Søn \u2028 😀", CustomFields: fields}); err != nil {
		t.Fatal(err)
	}
	want := `{"email":"jörg@exämple.com","firstName":"<Jörg> & Søn \u2028 😀","customFields":{"nil":null,"number":7,"raw":"\ufffd","replacement":"�",` +
		`"struct":{"Name":"\\\\ufffd"},"time":"2026-02-10T00:00:00Z","typed":{"a":"�","back\\ufffd":"\\ufffd"}}}`
	same(t, "body", parsed(t, j.arrivals()[0].Body), parsed(t, want))
}

func TestBadUpdatesAreRefused(t *testing.T) {
	t.Parallel()
	const bad = "J\xf6rg"
	for what, test := range map[string]struct {
		params *demeterrr.ContactUpdate
		says   string
	}{
		"nil":       {nil, "params are nil"},
		"empty":     {&demeterrr.ContactUpdate{}, "no field is set"},
		"email":     {&demeterrr.ContactUpdate{Email: demeterrr.Set("")}, "the email is empty"},
		"bad email": {&demeterrr.ContactUpdate{Email: demeterrr.Set("a@b c")}, "trim it"},
		"name":      {&demeterrr.ContactUpdate{FirstName: demeterrr.Set(bad)}, "UTF-8"},
		"last name": {&demeterrr.ContactUpdate{LastName: demeterrr.Set(bad)}, "UTF-8"},
		"phone":     {&demeterrr.ContactUpdate{Phone: demeterrr.Set(bad)}, "UTF-8"},
		"title":     {&demeterrr.ContactUpdate{Title: demeterrr.Set(bad)}, "UTF-8"},
		"language":  {&demeterrr.ContactUpdate{PreferredLanguage: demeterrr.Set(demeterrr.Language(bad))}, "UTF-8"},
		"tags":      {&demeterrr.ContactUpdate{Tags: demeterrr.Set([]string{bad})}, "UTF-8"},
		"field":     {&demeterrr.ContactUpdate{CustomFields: demeterrr.Set(map[string]any{"a": []any{bad}})}, "UTF-8"},
		"NaN":       {&demeterrr.ContactUpdate{CustomFields: demeterrr.Set(map[string]any{"a": math.NaN()})}, "cannot be encoded"},
	} {
		_, err := serving(t, neverSent(t)).Contacts.Update(t.Context(), johnID, test.params)
		refusedBeforeSending(t, what, err, demeterrr.ErrValidation, test.says)
	}
}

func TestFindByEmailRefusesWhatIsNoEmail(t *testing.T) {
	t.Parallel()
	for _, email := range []string{"", "john", "@", "a@", "@b", "a b@c", "a@b\n", "\xff@b"} {
		_, err := serving(t, neverSent(t)).Contacts.FindByEmail(t.Context(), email)
		refusedBeforeSending(t, email, err, demeterrr.ErrValidation, "the email")
	}
}

func TestCreateSendsWhatTheAPIDocuments(t *testing.T) {
	t.Parallel()
	var j journal
	c := serving(t, j.record(answer(201, `{"data":{"id":"770e8400-e29b-41d4-a716-446655440000","email":"jane.smith@example.com","firstName":"Jane","lastName":"Smith","phone":"+15559876543","title":null,"preferredLanguage":"en","locationId":null,"contactOrganizationId":null,"customFields":{},"tags":["new-customer"],"unsubscribed":false,"createdAt":"2026-02-10T15:30:00.000Z","updatedAt":"2026-02-10T15:30:00.000Z"}}`)))
	got, err := c.Contacts.Create(t.Context(), &demeterrr.ContactParams{
		Email: "jane.smith@example.com", FirstName: "Jane", LastName: "Smith", Phone: "+15559876543",
		PreferredLanguage: demeterrr.LanguageEnglish, Tags: []string{"new-customer"},
	})
	if err != nil {
		t.Fatal(err)
	}
	created := time.Date(2026, 2, 10, 15, 30, 0, 0, time.UTC)
	same(t, "contact", got, &demeterrr.Contact{
		ID: "770e8400-e29b-41d4-a716-446655440000", Email: "jane.smith@example.com", FirstName: "Jane", LastName: "Smith", Phone: "+15559876543",
		PreferredLanguage: "en", CustomFields: map[string]any{}, Tags: []string{"new-customer"}, CreatedAt: created, UpdatedAt: created,
	})
	sent := j.arrivals()[0]
	same(t, "body", sent.Body, `{"email":"jane.smith@example.com","firstName":"Jane","lastName":"Smith","phone":"+15559876543","preferredLanguage":"en","tags":["new-customer"]}`)
	same(t, "requests", j.lines(), []string{"POST /api/v1/contacts"})
}

func TestCreateSendsEveryFieldAndNoEmptyOne(t *testing.T) {
	t.Parallel()
	for want, params := range map[string]*demeterrr.ContactParams{
		`{"email":"john.doe@example.com","firstName":"John"}`:                             john(),
		`{"email":"john.doe@example.com","firstName":"John","tags":[],"customFields":{}}`: {Email: "john.doe@example.com", FirstName: "John", Tags: []string{}, CustomFields: map[string]any{}},
		`{"email":"a@b","firstName":"F","lastName":"L","phone":"P","title":"T","preferredLanguage":"fr","locationId":"O","contactOrganizationId":"C","customFields":{"k":1},"tags":["t"]}`: {
			Email: "a@b", FirstName: "F", LastName: "L", Phone: "P", Title: "T", PreferredLanguage: "fr", LocationID: "O", ContactOrganizationID: "C",
			CustomFields: map[string]any{"k": 1}, Tags: []string{"t"},
		},
	} {
		var j journal
		if _, err := serving(t, j.record(answer(201, `{"data":`+johnJSON+`}`))).Contacts.Create(t.Context(), params); err != nil {
			t.Fatal(err)
		}
		same(t, want, parsed(t, j.arrivals()[0].Body), parsed(t, want))
	}
}

func TestUpdateSendsOnlyWhatIsSet(t *testing.T) {
	t.Parallel()
	for want, params := range map[string]*demeterrr.ContactUpdate{
		`{"firstName":"John","lastName":"Doe-Smith","tags":["vip","frequent-customer"]}`: {
			FirstName: demeterrr.Set("John"), LastName: demeterrr.Set("Doe-Smith"), Tags: demeterrr.Set([]string{"vip", "frequent-customer"}),
		},
		`{"tags":[]}`:                               {Tags: demeterrr.Set([]string{})},
		`{"tags":[ ]}`:                              {Tags: demeterrr.Set[[]string](nil)},
		`{"tags":null}`:                             {Tags: demeterrr.Null[[]string]()},
		`{"customFields":{}}`:                       {CustomFields: demeterrr.Set[map[string]any](nil)},
		`{"customFields":{"k":null}}`:               {CustomFields: demeterrr.Set(map[string]any{"k": nil})},
		`{"customFields":null,"title":null}`:        {CustomFields: demeterrr.Null[map[string]any](), Title: demeterrr.Null[string]()},
		`{"email":null,"lastName":"","phone":null}`: {Email: demeterrr.Null[string](), LastName: demeterrr.Set(""), Phone: demeterrr.Null[string]()},
		`{"preferredLanguage":"fr","email":"a@b"}`:  {PreferredLanguage: demeterrr.Set(demeterrr.LanguageFrench), Email: demeterrr.Set("a@b")},
	} {
		var j journal
		if _, err := serving(t, j.record(answer(200, `{"data":`+johnJSON+`}`))).Contacts.Update(t.Context(), johnID, params); err != nil {
			t.Fatal(err)
		}
		same(t, want, parsed(t, j.arrivals()[0].Body), parsed(t, want))
		same(t, want, j.lines(), []string{"PATCH /api/v1/contacts/" + johnID})
	}
}

func TestUpdateReturnsThePartialReply(t *testing.T) {
	t.Parallel()
	c := serving(t, answer(200, `{"data":{"id":"550e8400-e29b-41d4-a716-446655440000","email":"john.doe@example.com","firstName":"John","lastName":"Doe-Smith","tags":["vip","frequent-customer"],"updatedAt":"2026-02-10T16:00:00.000Z"}}`))
	got, err := c.Contacts.Update(t.Context(), johnID, &demeterrr.ContactUpdate{LastName: demeterrr.Set("Doe-Smith")})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "contact", got, &demeterrr.Contact{
		ID: johnID, Email: "john.doe@example.com", FirstName: "John", LastName: "Doe-Smith",
		Tags: []string{"vip", "frequent-customer"}, UpdatedAt: time.Date(2026, 2, 10, 16, 0, 0, 0, time.UTC),
	})
}

func TestDeleteAcceptsAny2xx(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 202, 204} {
		for _, body := range []string{"", "null", `{"data":{}}`, `{"success":true}`, "<html>", strings.Repeat("x", 11<<20)} {
			if status == 204 && body != "" {
				continue
			}
			if err := serving(t, answer(status, body)).Contacts.Delete(t.Context(), johnID); err != nil {
				t.Errorf("%d %.20q: %v", status, body, err)
			}
		}
	}
	err := serving(t, answer(404, documented[7].body)).Contacts.Delete(t.Context(), johnID)
	same(t, "a first attempt that finds nothing", errors.Is(err, demeterrr.ErrNotFound), true)
}

func TestFindByEmailTakesNoStranger(t *testing.T) {
	t.Parallel()
	list := func(emails ...string) string {
		items := []string{}
		for i, email := range emails {
			items = append(items, fmt.Sprintf(`{"id":"c%d","email":%s}`, i, email))
		}
		return `{"data":[` + strings.Join(items, ",") + `],"meta":{"page":1,"perPage":50,"total":247,"totalPages":5}}`
	}
	for _, test := range []struct {
		body, want string
	}{
		{list(), ""},
		{list(`"stranger@example.com"`, `null`, `""`), ""},
		{list(`"john.doe@example.com.evil"`, `"xjohn.doe@example.com"`), ""},
		{list(`"stranger@example.com"`, `"john.doe@example.com"`), "c1"},
		{list(`"JOHN.DOE@Example.COM"`), "c0"},
	} {
		var j journal
		var resp demeterrr.Response
		c, err := serving(t, j.record(answer(200, test.body))).Contacts.FindByEmail(t.Context(), "John.Doe@example.com", demeterrr.WithResponse(&resp))
		want := []string{"GET /api/v1/contacts?email=John.Doe%40example.com"}
		if test.body == list() { // then in lower case
			want = append(want, "GET /api/v1/contacts?email=john.doe%40example.com")
		}
		same(t, "requests", j.lines(), want)
		same(t, "response", []int{resp.StatusCode, resp.Attempts}, []int{200, 1})
		if test.want != "" {
			if err != nil || c.ID != test.want {
				t.Errorf("%s: got %+v, %v", test.body, c, err)
			}
			continue
		}
		var e *demeterrr.Error
		if c != nil || !errors.Is(err, demeterrr.ErrNotFound) || !errors.As(err, &e) || e.StatusCode != 404 || e.Code != demeterrr.CodeNotFound || e.Attempts != 1 {
			t.Errorf("%s: got %+v, %v", test.body, c, err)
		}
		noSecret(t, err, "John.Doe", "john.doe", "stranger")
	}
}

// exact is an account that keeps emails unchanged and finds them byte by byte.
// No two of them differ in case only.
func exact(emails ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		asked, filtered := r.URL.Query()["email"]
		items := []string{}
		for i, email := range emails {
			if !filtered || email == asked[0] {
				items = append(items, fmt.Sprintf(`{"id":"c%d","email":%q,"firstName":"Jane"}`, i, email))
			}
		}
		switch r.Method {
		case http.MethodPost:
			answer(409, existsBody)(w, r)
		default:
			fmt.Fprint(w, pageJSON(items, 1, 50, len(items), min(1, len(items))))
		}
	}
}

func TestAnEmailInCapitalsIsFoundInAnAccountInLowerCase(t *testing.T) {
	t.Parallel()
	const given, lower = "GET /api/v1/contacts?email=Jane%40Example.com", "GET /api/v1/contacts?email=jane%40example.com"
	for name, tt := range map[string]struct {
		emails   []string
		asked    string
		want     string
		requests []string
	}{
		"in lower case":                  {[]string{"jane@example.com"}, "Jane@Example.com", "c0", []string{given, lower}},
		"as it is":                       {[]string{"Jane@Example.com"}, "Jane@Example.com", "c0", []string{given}},
		"as it is before in lower case":  {[]string{"jane@example.com", "Jane@Example.com"}, "Jane@Example.com", "c1", []string{given}},
		"not there":                      {nil, "Jane@Example.com", "", []string{given, lower}},
		"in lower case already":          {nil, "jane@example.com", "", []string{lower}},
		"only ASCII letters are lowered": {nil, "ÉMILE@example.com", "", []string{"GET /api/v1/contacts?email=%C3%89MILE%40example.com", "GET /api/v1/contacts?email=%C3%89mile%40example.com"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var j journal
			got, err := serving(t, j.record(exact(tt.emails...))).Contacts.FindByEmail(t.Context(), tt.asked)
			same(t, "requests", j.lines(), tt.requests)
			if tt.want == "" {
				same(t, "not found", errors.Is(err, demeterrr.ErrNotFound), true)
			} else if err != nil || got.ID != tt.want {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestAnEmailThatCannotBeIsRefusedWhereverOneIsTaken(t *testing.T) {
	t.Parallel()
	c := serving(t, neverSent(t))
	for email, says := range map[string]string{
		strings.Repeat("john.doe", 1<<17) + "@example.com": "longer than 320 bytes",
		"john.doe@exam\u00adple.com":                       "invisible character U+00AD",
	} {
		for name, call := range map[string]func() error{
			"Contacts.List": func() error {
				_, err := c.Contacts.List(t.Context(), &demeterrr.ContactListParams{Email: email})
				return err
			},
			"Contacts.All": func() error {
				var last error
				for _, err := range c.Contacts.All(t.Context(), &demeterrr.ContactListParams{Email: email}) {
					last = err
				}
				return last
			},
			"Contacts.FindByEmail": func() error {
				_, err := c.Contacts.FindByEmail(t.Context(), email)
				return err
			},
			"Contacts.Update": func() error {
				_, err := c.Contacts.Update(t.Context(), johnID, &demeterrr.ContactUpdate{Email: demeterrr.Set(email)})
				return err
			},
			"Sequences.Execute": func() error {
				_, err := c.Sequences.Execute(t.Context(), "s", &demeterrr.ExecuteParams{Contacts: []demeterrr.ExecuteContact{{Email: email}}})
				return err
			},
		} {
			err := call()
			refusedBeforeSending(t, name, err, demeterrr.ErrValidation, says)
			noSecret(t, err, "john.doe")
		}
	}
}
