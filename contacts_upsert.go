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

// Upsert creates a contact, or updates the contact with the same email. It
// follows the API's documented handling of CONTACT_EXISTS: a PATCH. It takes
// one request for a new contact, two if the contact already matches, and three
// if it needs an update. An email with capital letters takes one more if the
// account has it in lower case; see [ContactsService.FindByEmail].
//
// Fields that are empty in params stay unchanged. Custom fields are merged by
// key. Tags are compared as a set and replaced. LocationID and
// ContactOrganizationID are set on a new contact only: the API documents no way
// to change them. The returned contact is as complete as the replies were. The
// outcome is UpsertCreated only if the API confirmed the creation. After a lost
// reply, an existing contact may be your own.
//
// If the contact is deleted meanwhile, Upsert creates it again, once. Required
// scopes: contacts:write and contacts:read. API docs, page "errors", under
// CONTACT_EXISTS.
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
	// The contact exists and cannot be found. The API's own error says it best.
	return nil, "", err
}

// UpsertOutcome is the result of an Upsert. It is empty if there is an error.
type UpsertOutcome string

// The outcomes of an Upsert.
const (
	// UpsertCreated means that the API confirmed the creation.
	UpsertCreated UpsertOutcome = "created"
	// UpsertUpdated means that the contact existed and some fields were
	// changed.
	UpsertUpdated UpsertOutcome = "updated"
	// UpsertUnchanged means that the contact existed and already matched.
	UpsertUnchanged UpsertOutcome = "unchanged"
)

// emailTaken reports whether a create met a contact with the same email. A 409
// without a code counts too, as its body may be lost.
func emailTaken(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (errors.Is(e, ErrContactExists) || e.StatusCode == http.StatusConflict && e.Code == "")
}

// markUnknown marks err as an unknown outcome if an earlier step had one. A
// create with a lost reply may have made the contact.
func markUnknown(err, earlier error) error {
	if e, ok := errors.AsType[*Error](err); ok && errors.Is(earlier, ErrUnknownOutcome) {
		e.unknown = true
	}
	return err
}

// updateExisting finds the contact with the email of params, and updates the
// fields that differ.
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
	have.ID = "" // the reply must have it
	contact, err := s.update(ctx, id, changes, have, opts)
	if err != nil {
		return nil, "", err
	}
	return contact, UpsertUpdated, nil
}

// Changes returns the update that Upsert would send for the contact have, or
// nil if the contact matches. A nil have is a contact without fields. The
// email, LocationID and ContactOrganizationID never change; see
// [ContactsService.Upsert]. Changes sends nothing.
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

// apply sets the changes in c, as a partial reply leaves out fields.
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
			c.CustomFields[key], _ = decoded(value) // update rejects a value that cannot be encoded
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

// sameJSON reports whether the caller's value equals the value in the API. It
// compares both as a reply would decode them. An unsendable value counts as
// different, so that the update reports it.
func sameJSON(want, have any) bool {
	if validate.Text(want) != nil {
		return false
	}
	if text, ok := want.(string); ok { // the usual case, as a shortcut
		if had, ok := have.(string); ok {
			return text == had
		}
	}
	a, err1 := decoded(want)
	b, err2 := decoded(have)
	return err1 == nil && err2 == nil && sameValue(a, b)
}

// sameValue compares decoded values. Numbers compare by value: 19.90 is 19.9,
// and -0 is 0.
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

// decoded returns v as a reply of the API would decode it.
func decoded(v any) (any, error) {
	encoded, err := jsonwrite.Any(nil, v)
	if err != nil {
		return nil, err
	}
	r := jsonread.New(encoded)
	value := r.Any()
	return value, r.End()
}

// sameSet compares tags, ignoring order and duplicates.
func sameSet(a, b []string) bool {
	return slices.Equal(sorted(a), sorted(b))
}

func sorted(tags []string) []string {
	tags = slices.Clone(tags)
	slices.Sort(tags)
	return slices.Compact(tags)
}

// best returns the contact with the email, or nil if there is none.
func best(contacts []Contact, email string) (found *Contact) {
	for i := range contacts {
		if c := &contacts[i]; c.fits(email, found) {
			found = c
		}
	}
	return found
}

// fits reports whether c fits the email better than other, which may be nil.
// The order of the contacts makes no difference.
func (c *Contact) fits(email string, other *Contact) bool {
	if other == nil {
		return mailbox.Same(email, c.Email)
	}
	rank := mailbox.Rank(email, c.Email)
	return rank >= 0 && cmp.Or(rank-mailbox.Rank(email, other.Email), cmp.Compare(c.ID, other.ID)) < 0
}
