package demeterrr

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/demeterrr/demeterrr-go/internal/jsonread"
	"github.com/demeterrr/demeterrr-go/internal/jsontext"
	"github.com/demeterrr/demeterrr-go/internal/jsonwrite"
	"github.com/demeterrr/demeterrr-go/internal/mailbox"
	"github.com/demeterrr/demeterrr-go/internal/validate"
)

// Upsert makes a contact, or brings the one that has its email to what params
// say: it is the PATCH fallback that the API documents for CONTACT_EXISTS. A new
// contact takes one request. One that exists takes two, and a third only if
// something changes. An email with capital letters takes one more if the account
// has it in lower case: see [ContactsService.FindByEmail].
//
// Fields that are empty in params stay as they are; custom fields are merged by
// key, tags are replaced and compared as a set. LocationID and
// ContactOrganizationID are set on a new contact only, as the API documents no way
// to change them. The contact that is returned is whole, as far as the replies
// told. The outcome is UpsertCreated only if the API said that it made the contact.
// After a lost reply, the contact that is found may be our own.
//
// A contact that somebody else deletes in between is made again, once. Upsert
// takes the scopes contacts:write and contacts:read.
// API docs, page "errors", under CONTACT_EXISTS.
func (s *ContactsService) Upsert(ctx context.Context, params *ContactParams, opts ...CallOption) (contact *Contact, outcome UpsertOutcome, err error) {
	err = s.caller().TraceOperation(ctx, "Contacts.Upsert", func(ctx context.Context) error {
		contact, outcome, err = s.upsert(ctx, params, opts)
		return err
	})
	return contact, outcome, err
}

func (s *ContactsService) upsert(ctx context.Context, params *ContactParams, opts []CallOption) (*Contact, UpsertOutcome, error) {
	var err error
	for range 2 {
		earlier := err
		var contact *Contact
		if contact, err = s.Create(ctx, params, opts...); err == nil {
			return contact, UpsertCreated, nil
		}
		if err = markUnknown(err, earlier); !emailTaken(err) {
			return nil, "", err
		}
		contact, outcome, errExisting := s.updateExisting(ctx, params, opts)
		if !errors.Is(errExisting, ErrNotFound) {
			return contact, outcome, markUnknown(errExisting, err)
		}
	}
	return nil, "", err // it exists, and cannot be found: the API's own words say it best
}

// UpsertOutcome says what Upsert did. It is empty if there is an error.
type UpsertOutcome string

// The outcomes of an Upsert.
const (
	// UpsertCreated means that the API said that it made the contact.
	UpsertCreated UpsertOutcome = "created"
	// UpsertUpdated means that the contact existed, and some fields were changed.
	UpsertUpdated UpsertOutcome = "updated"
	// UpsertUnchanged means that the contact existed, and nothing was changed.
	UpsertUnchanged UpsertOutcome = "unchanged"
)

// emailTaken reports whether a create met a contact that has the email. The body
// that says so can get lost, so a 409 that gives no reason counts as one.
func emailTaken(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (errors.Is(e, ErrContactExists) || e.StatusCode == http.StatusConflict && e.Code == "")
}

// markUnknown lets err say that the outcome is unknown if an earlier step's was: a
// create whose reply was lost may have made the contact.
func markUnknown(err, earlier error) error {
	if e, ok := errors.AsType[*Error](err); ok && errors.Is(earlier, ErrUnknownOutcome) {
		e.unknown = true
	}
	return err
}

// updateExisting finds the contact that has the email of params, and updates it
// where it differs.
func (s *ContactsService) updateExisting(ctx context.Context, params *ContactParams, opts []CallOption) (*Contact, UpsertOutcome, error) {
	have, err := s.FindByEmail(ctx, params.Email, opts...)
	if err != nil {
		return nil, "", err
	}
	changes := params.Changes(have)
	if changes == nil {
		return have, UpsertUnchanged, nil
	}
	id := have.ID
	have.apply(changes)
	have.ID = "" // the reply must name it
	contact, err := s.update(ctx, id, changes, have, opts)
	if err != nil {
		return nil, "", err
	}
	return contact, UpsertUpdated, nil
}

// Changes returns the update that Upsert would send for a contact of the account;
// nil if the contact matches. A nil have has no fields. The email never changes,
// and neither do LocationID and ContactOrganizationID: see
// [ContactsService.Upsert]. It sends nothing.
func (p *ContactParams) Changes(have *Contact) *ContactUpdate {
	if p == nil {
		return nil
	}
	if have == nil {
		have = &Contact{}
	}
	u := &ContactUpdate{}
	differ(&u.FirstName, p.FirstName, have.FirstName)
	differ(&u.LastName, p.LastName, have.LastName)
	differ(&u.Phone, p.Phone, have.Phone)
	differ(&u.Title, p.Title, have.Title)
	differ(&u.PreferredLanguage, p.PreferredLanguage, have.PreferredLanguage)
	fields := map[string]any{}
	for key, want := range p.CustomFields {
		if value, ok := have.CustomFields[key]; !ok || !sameJSON(want, value) {
			fields[key] = want
		}
	}
	if len(fields) > 0 {
		u.CustomFields = Set(fields)
	}
	if p.Tags != nil && !sameSet(p.Tags, have.Tags) {
		u.Tags = Set(p.Tags)
	}
	if u.isZero() {
		return nil
	}
	return u
}

func differ[T ~string](o *Opt[T], want, have T) {
	if want != "" && want != have {
		*o = Set(want)
	}
}

// apply makes the changes in c, for the fields that a partial reply leaves out.
func (c *Contact) apply(u *ContactUpdate) {
	setField(&c.FirstName, u.FirstName)
	setField(&c.LastName, u.LastName)
	setField(&c.Phone, u.Phone)
	setField(&c.Title, u.Title)
	setField(&c.PreferredLanguage, u.PreferredLanguage)
	if fields, ok := u.CustomFields.Get(); ok {
		if c.CustomFields == nil {
			c.CustomFields = map[string]any{}
		}
		for key, value := range fields {
			c.CustomFields[key], _ = decoded(value) // what cannot be encoded is not sent
		}
	}
	if tags, ok := u.Tags.Get(); ok {
		c.Tags = slices.Clone(tags)
	}
}

func setField[T any](field *T, o Opt[T]) {
	if v, ok := o.Get(); ok {
		*field = v
	}
}

// sameJSON reports whether the caller's value is what the API has. It compares
// what a reply with either would be decoded to. A value that cannot be sent
// counts as different, so that the update reports it.
func sameJSON(want, have any) bool {
	if validate.Text(want) != nil {
		return false
	}
	if text, ok := want.(string); ok { // as nearly all are: what follows is the same at more cost
		if had, ok := have.(string); ok {
			return text == had
		}
	}
	a, err1 := decoded(want)
	b, err2 := decoded(have)
	return err1 == nil && err2 == nil && sameValue(a, b)
}

// sameValue compares decoded values. Numbers are the same if their values are:
// 19.90 is 19.9, and -0 is 0.
func sameValue(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		return ok && jsontext.SameNumber(string(a), string(b))
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, sameValue)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, sameValue)
	}
	return a == b
}

// decoded returns what v is in a reply of the API.
func decoded(v any) (any, error) {
	encoded, err := jsonwrite.Any(nil, v)
	if err != nil {
		return nil, err
	}
	r := jsonread.New(encoded)
	value := r.Any()
	return value, r.End()
}

// sameSet compares tags without regard to order and repetition.
func sameSet(a, b []string) bool {
	return slices.Equal(sorted(a), sorted(b))
}

func sorted(tags []string) []string {
	tags = slices.Clone(tags)
	slices.Sort(tags)
	return slices.Compact(tags)
}

// best is the contact that an email means; nil if it means none of them.
func best(contacts []Contact, email string) (found *Contact) {
	for i := range contacts {
		if c := &contacts[i]; c.fits(email, found) {
			found = c
		}
	}
	return found
}

// fits reports whether an email means c rather than other, which may be nil. The
// choice does not depend on the order in which the contacts come.
func (c *Contact) fits(email string, other *Contact) bool {
	if other == nil {
		return mailbox.Same(email, c.Email)
	}
	rank := mailbox.Rank(email, c.Email)
	return rank >= 0 && cmp.Or(rank-mailbox.Rank(email, other.Email), cmp.Compare(c.ID, other.ID)) < 0
}
