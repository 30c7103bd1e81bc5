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

// Language is the language in which a contact is written to. The constants are
// the documented ones; others are passed on as they are.
type Language string

// The languages that the API documents.
const (
	LanguageEnglish Language = "en"
	LanguageFrench  Language = "fr"
)

// Contact is a person that surveys can be sent to (API docs, page "contacts").
// A text that the API has as null is empty here.
type Contact struct {
	// ID is a UUID.
	ID string
	// Email is unique in an organization; a contact that was imported by phone may have none.
	Email     string
	FirstName string
	LastName  string
	// Phone is in E.164 form if the one who entered it followed the recommendation.
	Phone string
	// Title is a form of address: "Mr.", "Dr.", "CEO".
	Title             string
	PreferredLanguage Language
	// LocationID and ContactOrganizationID are UUIDs; empty if the contact belongs to none.
	LocationID            string
	ContactOrganizationID string
	// CustomFields are the organization's own fields, decoded as encoding/json does: string, float64, bool, ….
	// A number that a float64 cannot hold is a [json.Number].
	CustomFields map[string]any
	Tags         []string
	// Unsubscribed contacts are sent nothing. It cannot be set through the API.
	Unsubscribed bool
	CreatedAt    time.Time
	UpdatedAt    time.Time
	// Extra holds members as raw JSON: those that this version does not know, and those of another type than the
	// documented one. Their fields are zero. It is nil if there are none. MarshalJSON writes them back.
	Extra map[string]json.RawMessage
}

// ContactParams is what Create and Upsert send. Empty fields are not sent.
type ContactParams struct {
	// Email is required; it identifies the contact.
	Email string `json:"email,omitzero"`
	// FirstName is required by Create and Upsert, and by bulk.Sync for new contacts.
	FirstName         string   `json:"firstName,omitzero"`
	LastName          string   `json:"lastName,omitzero"`
	Phone             string   `json:"phone,omitzero"`
	Title             string   `json:"title,omitzero"`
	PreferredLanguage Language `json:"preferredLanguage,omitzero"`
	// LocationID and ContactOrganizationID are UUIDs. The API documents them for create only: Upsert does not
	// change them on a contact that exists.
	LocationID            string `json:"locationId,omitzero"`
	ContactOrganizationID string `json:"contactOrganizationId,omitzero"`
	// CustomFields may hold whatever encoding/json can encode.
	CustomFields map[string]any `json:"customFields,omitzero"`
	// Tags that are nil are not sent; Upsert with an empty, non-nil slice clears them.
	Tags []string `json:"tags,omitzero"`
}

// ContactUpdate is what Update changes. Fields that are not set stay as they are.
type ContactUpdate struct {
	Email             Opt[string]   `json:"email,omitzero"`
	FirstName         Opt[string]   `json:"firstName,omitzero"`
	LastName          Opt[string]   `json:"lastName,omitzero"`
	Phone             Opt[string]   `json:"phone,omitzero"`
	Title             Opt[string]   `json:"title,omitzero"`
	PreferredLanguage Opt[Language] `json:"preferredLanguage,omitzero"`
	// CustomFields are merged with what is there: keys that are not named stay.
	CustomFields Opt[map[string]any] `json:"customFields,omitzero"`
	// Tags replace the contact's; an empty slice clears them.
	Tags Opt[[]string] `json:"tags,omitzero"`
}

// ContactListParams selects contacts. The zero value selects all of them.
type ContactListParams struct {
	// Page is the page asked for, from 1; 0 means the first.
	Page int
	// Limit is the number of contacts on a page, at most 100; 0 means 50 for List and 100 for All.
	Limit int
	// Search looks in first name, last name and email.
	Search string
	// Email and Phone match exactly.
	Email string
	Phone string
	// LocationID is a UUID.
	LocationID string
}

// ContactsService has the methods for contacts; it is [Client.Contacts].
type ContactsService struct{ client *Client }

// caller is nil-safe: a Client that New did not make has no services.
func (s *ContactsService) caller() *Client {
	if s == nil {
		return nil
	}
	return s.client
}

const routeContacts = "/contacts"

// List returns one page of the contacts that params select; nil params are the
// first page of all of them. It takes the scope contacts:read.
// API docs, page "contacts/list".
func (s *ContactsService) List(ctx context.Context, params *ContactListParams, opts ...CallOption) (*Page[Contact], error) {
	const route = routeContacts
	return fetchPage[Contact](ctx, s.caller(), route, params.query(), opts)
}

// All returns all the contacts that params select, page by page as the loop goes
// on; nil params select all. It starts at params.Page and asks for 100 a page
// unless params.Limit says otherwise. An error ends it: a page that repeats the one
// before it is one, and so are three empty pages before the end.
//
// The API has no cursor, and does not document the order of the list. Contacts that
// are added, deleted or changed meanwhile can make All miss or repeat some. So read
// the list to its end before you write to its contacts: see Collect of package bulk.
//
// It takes the scope contacts:read. API docs, page "contacts/list".
func (s *ContactsService) All(ctx context.Context, params *ContactListParams, opts ...CallOption) iter.Seq2[*Contact, error] {
	const route = routeContacts
	return fetchAll[Contact](ctx, s.caller(), "Contacts.All", route, params.query(), opts)
}

// Get returns the contact with the id. Without one the error matches [ErrNotFound].
// It takes the scope contacts:read. API docs, page "contacts".
func (s *ContactsService) Get(ctx context.Context, id string, opts ...CallOption) (*Contact, error) {
	const route = routeContacts + "/{id}"
	return fetch(ctx, s.caller(), withID("Contacts.Get", http.MethodGet, route, id), new(Contact), opts)
}

// FindByEmail returns the contact with the email, ignoring the case of ASCII letters. Without one the
// error matches [ErrNotFound]. It takes one request. If the email has capital letters and nobody is
// found, a second request asks for it in lower case. It takes the scope contacts:read.
// API docs, page "contacts/list".
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
	// A server that ignored ?email= must not make anybody update a stranger.
	if found := best(page.Items, email); found != nil {
		return found, nil
	}
	return nil, &Error{
		StatusCode: http.StatusNotFound, Code: CodeNotFound, Message: "no contact has this email",
		Method: r.method, Path: r.path, RequestID: resp.RequestID, Attempts: resp.Attempts,
	}
}

// Create makes a contact. If its email is taken the error matches
// [ErrContactExists]: see [ContactsService.Upsert]. If a reply was lost, Create
// is repeated and can meet the contact that it has just made: the error then has
// Attempts > 1 and matches [ErrUnknownOutcome] too. It takes the scope
// contacts:write. API docs, page "contacts/create".
func (s *ContactsService) Create(ctx context.Context, params *ContactParams, opts ...CallOption) (*Contact, error) {
	const route = routeContacts
	r := request{operation: "Contacts.Create", method: http.MethodPost, path: route, body: params}
	return fetch(ctx, s.caller(), r, new(Contact), opts)
}

// Update changes the fields of a contact that are set in params, and no others.
// The contact that it returns may be partial: the API's documented reply leaves
// out fields, which are zero then; use Get for the whole. It takes the scope
// contacts:write. API docs, page "contacts/update".
func (s *ContactsService) Update(ctx context.Context, id string, params *ContactUpdate, opts ...CallOption) (*Contact, error) {
	return s.update(ctx, id, params, new(Contact), opts)
}

// update reads the reply over base.
func (s *ContactsService) update(ctx context.Context, id string, params *ContactUpdate, base *Contact, opts []CallOption) (*Contact, error) {
	const route = routeContacts + "/{id}"
	r := withID("Contacts.Update", http.MethodPatch, route, id)
	r.body = params
	return fetch(ctx, s.caller(), r, base, opts)
}

// Delete removes a contact. If a reply was lost, it is repeated, and not finding
// the contact any more is success then; a first attempt that does not find it is
// an error that matches [ErrNotFound]. It takes the scope contacts:write.
// API docs, page "scopes".
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

// Params returns the contact as Create and Upsert send it: without the id, the
// times and Unsubscribed. The tags and the custom fields are copies. Change what
// you need, then call Upsert.
func (c Contact) Params() ContactParams {
	fields := maps.Clone(c.CustomFields)
	for key, value := range fields {
		switch value.(type) {
		case []any, map[string]any:
			if own, err := decoded(value); err == nil { // else it cannot be sent either
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

// ExecuteContact returns the contact as Execute sends it: its email, names and
// phone. It does not look at Unsubscribed: the API skips such contacts.
func (c Contact) ExecuteContact() ExecuteContact {
	return ExecuteContact{Email: c.Email, FirstName: c.FirstName, LastName: c.LastName, Phone: c.Phone}
}

// Validate returns an [*Error] that matches [ErrValidation] if Create would refuse
// the contact before sending it: without a usable email or a first name, or with a
// value that JSON cannot carry. It sends nothing.
// API docs, page "contacts/create".
func (p *ContactParams) Validate() error { return validateBody(p) }

// check refuses what the API documents that it will refuse (contract, section 5).
func (p *ContactParams) check() error {
	if p == nil {
		return errors.New("the contact's params are nil")
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

// Validate returns an [*Error] that matches [ErrValidation] if Update would refuse
// the update before sending it: with nothing set, an unusable email, or a value
// that JSON cannot carry. It sends nothing. API docs, page "contacts/update".
func (p *ContactUpdate) Validate() error { return validateBody(p) }

func (p *ContactUpdate) check() error {
	if p == nil {
		return errors.New("the update's params are nil")
	}
	if p.isZero() {
		return errors.New("nothing is set to be updated; set a field with demeterrr.Set")
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

// checkText refuses text that JSON cannot carry: the encoder would change it silently.
func checkText(fields map[string]any, tags []string, texts ...string) error {
	if err := cmp.Or(validate.Texts(texts), validate.Texts(tags)); err != nil || len(fields) == 0 {
		return err
	}
	return validate.Text(fields)
}
