package demeterrr

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/demeterrr/demeterrr-go/internal/mailbox"
	"github.com/demeterrr/demeterrr-go/internal/validate"
)

// Language is the language of messages to a contact. The constants are the
// documented languages; others are passed through.
type Language string

// Languages documented by the API.
const (
	LanguageEnglish Language = "en"
	LanguageFrench  Language = "fr"
)

// Contact is a person who receives surveys (API docs, page "contacts"). Texts
// that are null in the API are empty here.
type Contact struct {
	// ID is a UUID.
	ID string
	// Email is unique in an organization. It may be empty for a contact
	// imported by phone.
	Email     string
	FirstName string
	LastName  string
	// Phone is in E.164 form if entered as recommended.
	Phone string
	// Title is a form of address: "Mr.", "Dr.", "CEO".
	Title             string
	PreferredLanguage Language
	// LocationID and ContactOrganizationID are UUIDs; empty means none.
	LocationID            string
	ContactOrganizationID string
	// CustomFields are the organization's own fields, decoded as in
	// encoding/json: string, float64, bool, …. A number that does not fit a
	// float64 is a [json.Number].
	CustomFields map[string]any
	Tags         []string
	// Unsubscribed contacts are sent nothing. The field is read-only in the
	// API.
	Unsubscribed bool
	CreatedAt    time.Time
	UpdatedAt    time.Time
	// Extra holds members as raw JSON: members unknown to this version, and
	// members of an undocumented type. The fields of the latter are zero. Extra
	// is nil if there are none. MarshalJSON writes them back.
	Extra map[string]json.RawMessage
}

// ContactParams describes a contact for Create and Upsert. Empty fields are
// left out.
type ContactParams struct {
	// Email is required; it identifies the contact.
	Email string `json:"email,omitzero"`
	// FirstName is required by Create and Upsert, and by bulk.Sync for new
	// contacts.
	FirstName         string   `json:"firstName,omitzero"`
	LastName          string   `json:"lastName,omitzero"`
	Phone             string   `json:"phone,omitzero"`
	Title             string   `json:"title,omitzero"`
	PreferredLanguage Language `json:"preferredLanguage,omitzero"`
	// LocationID and ContactOrganizationID are UUIDs. The API documents them
	// for create only. Upsert leaves them unchanged on an existing contact.
	LocationID            string `json:"locationId,omitzero"`
	ContactOrganizationID string `json:"contactOrganizationId,omitzero"`
	// CustomFields may hold any value that encoding/json can encode.
	CustomFields map[string]any `json:"customFields,omitzero"`
	// Tags are left out if nil. Upsert with an empty, non-nil slice clears
	// them.
	Tags []string `json:"tags,omitzero"`
}

// ContactUpdate describes an Update. Fields that are unset stay unchanged.
type ContactUpdate struct {
	Email             Opt[string]   `json:"email,omitzero"`
	FirstName         Opt[string]   `json:"firstName,omitzero"`
	LastName          Opt[string]   `json:"lastName,omitzero"`
	Phone             Opt[string]   `json:"phone,omitzero"`
	Title             Opt[string]   `json:"title,omitzero"`
	PreferredLanguage Opt[Language] `json:"preferredLanguage,omitzero"`
	// CustomFields are merged by key: other keys stay unchanged.
	CustomFields Opt[map[string]any] `json:"customFields,omitzero"`
	// Tags replace the contact's tags; an empty slice clears them.
	Tags Opt[[]string] `json:"tags,omitzero"`
}

// ContactListParams selects contacts. The zero value selects all of them.
type ContactListParams struct {
	// Page is the page number, from 1; 0 means the first.
	Page int
	// Limit is the number of contacts on a page, at most 100; 0 means 50 for
	// List and 100 for All.
	Limit int
	// Search searches first name, last name and email.
	Search string
	// Email and Phone match exactly.
	Email string
	Phone string
	// LocationID is a UUID.
	LocationID string
}

// ContactsService has the methods for contacts; see [Client.Contacts].
type ContactsService struct{ client *Client }

// caller is nil-safe: a zero Client has no services.
func (s *ContactsService) caller() *Client {
	if s == nil {
		return nil
	}
	return s.client
}

const routeContacts = "/contacts"

// List returns one page of the contacts that params select. With nil params it
// returns the first page of all contacts. Required scope: contacts:read. API
// docs, page "contacts/list".
func (s *ContactsService) List(ctx context.Context, params *ContactListParams, opts ...CallOption) (*Page[Contact], error) {
	const route = routeContacts
	return fetchPage[Contact](ctx, s.caller(), route, params.query(), opts)
}

// All returns every contact that params select, page by page as the loop goes
// on. Nil params select all. All starts at params.Page and fetches pages of
// 100, or of params.Limit. An error ends the loop. A repeated page is an error,
// and so are three empty pages before the end.
//
// The API has no cursor, and the order of the list is undocumented. If contacts
// are added, deleted or changed meanwhile, All can miss or repeat some. So read
// the list to its end before you write to its contacts; see Collect of package
// bulk.
//
// Required scope: contacts:read. API docs, page "contacts/list".
func (s *ContactsService) All(ctx context.Context, params *ContactListParams, opts ...CallOption) iter.Seq2[*Contact, error] {
	const route = routeContacts
	return fetchAll[Contact](ctx, s.caller(), "Contacts.All", route, params.query(), opts)
}

// Get returns the contact with the id. If there is none, the error matches
// [ErrNotFound]. Required scope: contacts:read. API docs, page "contacts".
func (s *ContactsService) Get(ctx context.Context, id string, opts ...CallOption) (*Contact, error) {
	const route = routeContacts + "/{id}"
	return fetch(ctx, s.caller(), withID("Contacts.Get", http.MethodGet, route, id), new(Contact), opts)
}

// FindByEmail returns the contact with the email, ignoring the case of ASCII
// letters. If there is none, the error matches [ErrNotFound]. It takes one
// request. If an email with capital letters finds nothing, a second request
// asks for it in lower case. Required scope: contacts:read. API docs, page
// "contacts/list".
func (s *ContactsService) FindByEmail(ctx context.Context, email string, opts ...CallOption) (*Contact, error) {
	const route = routeContacts
	r := request{operation: "Contacts.FindByEmail", method: http.MethodGet, path: route, mistake: validate.Email(email)}
	var page Page[Contact]
	var resp Response
	for _, spelling := range mailbox.Spellings(email) {
		r.query = url.Values{"email": {spelling}}
		if err := s.caller().do(ctx, r, list(&page), withResponse(opts, &resp)); err != nil {
			return nil, err
		}
		if len(page.Items) > 0 {
			break
		}
	}
	// The server may have ignored ?email=. Compare here, so that no caller
	// updates a stranger.
	if found := best(page.Items, email); found != nil {
		return found, nil
	}
	return nil, &Error{
		StatusCode: http.StatusNotFound, Code: CodeNotFound, Message: "no contact has this email",
		Method: r.method, Path: r.path, RequestID: resp.RequestID, Attempts: resp.Attempts,
	}
}

// Create makes a contact. If the email is taken, the error matches
// [ErrContactExists]; see [ContactsService.Upsert]. After a lost reply, Create
// retries and can meet the contact it has just made. The error then has
// Attempts > 1 and matches [ErrUnknownOutcome] too. Required scope:
// contacts:write. API docs, page "contacts/create".
func (s *ContactsService) Create(ctx context.Context, params *ContactParams, opts ...CallOption) (*Contact, error) {
	const route = routeContacts
	r := request{operation: "Contacts.Create", method: http.MethodPost, path: route, body: params}
	return fetch(ctx, s.caller(), r, new(Contact), opts)
}

// Update changes the fields that are set in params. Other fields stay
// unchanged. The returned contact may be partial: the documented reply leaves
// out fields, and these are zero. Use Get to read the whole contact. Required
// scope: contacts:write. API docs, page "contacts/update".
func (s *ContactsService) Update(ctx context.Context, id string, params *ContactUpdate, opts ...CallOption) (*Contact, error) {
	return s.update(ctx, id, params, new(Contact), opts)
}

// update decodes the reply over base.
func (s *ContactsService) update(ctx context.Context, id string, params *ContactUpdate, base *Contact, opts []CallOption) (*Contact, error) {
	const route = routeContacts + "/{id}"
	r := withID("Contacts.Update", http.MethodPatch, route, id)
	r.body = params
	return fetch(ctx, s.caller(), r, base, opts)
}

// Delete removes a contact. If the first attempt finds none, the error matches
// [ErrNotFound]. After a lost reply, Delete retries, and a 404 then counts as
// success. Required scope: contacts:write. API docs, page "scopes".
func (s *ContactsService) Delete(ctx context.Context, id string, opts ...CallOption) error {
	const route = routeContacts + "/{id}"
	return s.caller().do(ctx, withID("Contacts.Delete", http.MethodDelete, route, id), nil, opts)
}

// query is nil-safe: nil params select everything.
func (p *ContactListParams) query() listQuery {
	if p == nil {
		p = &ContactListParams{}
	}
	q := listQuery{operation: "Contacts.List", page: p.Page, limit: p.Limit, values: url.Values{}}
	q.add("search", p.Search)
	q.add("email", p.Email)
	q.add("phone", p.Phone)
	q.add("location_id", p.LocationID)
	if p.Email != "" {
		q.mistake = validate.Email(p.Email)
	}
	return q
}

// Params returns the contact as input for Create and Upsert. It leaves out the
// id, the times and Unsubscribed. Tags and custom fields are copies. Change the
// fields you need, then call Upsert.
func (c Contact) Params() ContactParams {
	fields := maps.Clone(c.CustomFields)
	for key, value := range fields {
		switch value.(type) {
		case []any, map[string]any:
			// On an error, keep the value: sending it reports the error.
			if own, err := decoded(value); err == nil {
				fields[key] = own
			}
		}
	}
	return ContactParams{
		Email: c.Email, FirstName: c.FirstName, LastName: c.LastName, Phone: c.Phone, Title: c.Title,
		PreferredLanguage: c.PreferredLanguage, LocationID: c.LocationID, ContactOrganizationID: c.ContactOrganizationID,
		CustomFields: fields, Tags: slices.Clone(c.Tags),
	}
}

// ExecuteContact returns the contact as input for Execute: its email, names and
// phone. It ignores Unsubscribed: the API skips such contacts.
func (c Contact) ExecuteContact() ExecuteContact {
	return ExecuteContact{Email: c.Email, FirstName: c.FirstName, LastName: c.LastName, Phone: c.Phone}
}

// Validate reports input that Create would reject before sending: an unusable
// email, an empty first name, or a value that JSON cannot carry. It returns nil
// or an [*Error] that matches [ErrValidation], and sends nothing. API docs,
// page "contacts/create".
func (p *ContactParams) Validate() error { return validateBody(p) }

// check rejects params that the API documents as invalid (contract, section 5).
func (p *ContactParams) check() error {
	if p == nil {
		return errors.New("the contact's params are nil; pass a *demeterrr.ContactParams")
	}
	if err := validate.Email(p.Email); err != nil {
		return err
	}
	if p.FirstName == "" {
		return errors.New("the first name is empty; the API requires one to create a contact (to change one that exists, use FindByEmail and Update)")
	}
	return checkText(p.CustomFields, p.Tags, p.FirstName, p.LastName, p.Phone, p.Title, string(p.PreferredLanguage),
		p.LocationID, p.ContactOrganizationID)
}

// Validate reports input that Update would reject before sending: no field set,
// an unusable email, or a value that JSON cannot carry. It returns nil or an
// [*Error] that matches [ErrValidation], and sends nothing. API docs, page
// "contacts/update".
func (p *ContactUpdate) Validate() error { return validateBody(p) }

func (p *ContactUpdate) check() error {
	if p == nil {
		return errors.New("the update's params are nil; pass a *demeterrr.ContactUpdate")
	}
	if p.isZero() {
		return errors.New("no field is set; set one with demeterrr.Set")
	}
	if email, ok := p.Email.Get(); ok {
		if err := validate.Email(email); err != nil {
			return err
		}
	}
	return checkText(p.CustomFields.value, p.Tags.value, p.FirstName.value, p.LastName.value, p.Phone.value, p.Title.value,
		string(p.PreferredLanguage.value))
}

func (p *ContactUpdate) isZero() bool {
	return p.Email.IsZero() && p.FirstName.IsZero() && p.LastName.IsZero() && p.Phone.IsZero() &&
		p.Title.IsZero() && p.PreferredLanguage.IsZero() && p.CustomFields.IsZero() && p.Tags.IsZero()
}

// checkText rejects text that JSON cannot carry. The encoder would change it
// silently.
func checkText(fields map[string]any, tags []string, texts ...string) error {
	if err := cmp.Or(validate.Texts(texts), validate.Texts(tags)); err != nil || len(fields) == 0 {
		return err
	}
	return validate.Text(fields)
}
