package demeterrrtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	demeterrr "github.com/demeterrr/demeterrr-go"
)

// The fake defines the wire format from the contract, independently of the
// client's types, so that a mistake in either shows.

// wireContact is a contact in the API's JSON, null included (contract, section
// 5).
type wireContact struct {
	ID                    string                     `json:"id"`
	Email                 *string                    `json:"email"`
	FirstName             *string                    `json:"firstName"`
	LastName              *string                    `json:"lastName"`
	Phone                 *string                    `json:"phone"`
	Title                 *string                    `json:"title"`
	PreferredLanguage     string                     `json:"preferredLanguage"`
	LocationID            *string                    `json:"locationId"`
	ContactOrganizationID *string                    `json:"contactOrganizationId"`
	CustomFields          map[string]json.RawMessage `json:"customFields"`
	Tags                  []string                   `json:"tags"`
	Unsubscribed          bool                       `json:"unsubscribed"`
	CreatedAt             wireTime                   `json:"createdAt"`
	UpdatedAt             wireTime                   `json:"updatedAt"`

	extra map[string]json.RawMessage
}

// check refuses a contact from a test or a seed that the API could not have.
func (c *wireContact) check() error {
	if c.Email != nil && !isEmail(*c.Email) {
		return errors.New("the email is not an address")
	}
	return checkExtra(c.extra)
}

func checkExtra(extra map[string]json.RawMessage) error {
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		if !json.Valid(extra[name]) {
			return fmt.Errorf("extra member %q is not JSON", name)
		}
	}
	return nil
}

// partialContact has the members of the documented sample of a PATCH reply.
type partialContact struct {
	ID        string   `json:"id"`
	Email     *string  `json:"email"`
	FirstName *string  `json:"firstName"`
	LastName  *string  `json:"lastName"`
	Tags      []string `json:"tags"`
	UpdatedAt wireTime `json:"updatedAt"`
}

// MarshalJSON writes {} and [] for empty values, and the extra members last.
func (c wireContact) MarshalJSON() ([]byte, error) {
	type plain wireContact
	if c.CustomFields == nil {
		c.CustomFields = map[string]json.RawMessage{}
	}
	if c.Tags == nil {
		c.Tags = []string{}
	}
	return marshalWith(plain(c), c.extra)
}

// wireSequence is a sequence in the API's JSON (contract, section 6).
type wireSequence struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Status string `json:"status"`

	extra map[string]json.RawMessage
}

// MarshalJSON writes the extra members last.
func (s wireSequence) MarshalJSON() ([]byte, error) {
	type plain wireSequence
	return marshalWith(plain(s), s.extra)
}

// marshalWith encodes an object and appends the extra members, sorted by name.
func marshalWith(object any, extra map[string]json.RawMessage) ([]byte, error) {
	out, err := json.Marshal(object)
	if err != nil || len(extra) == 0 {
		return out, err
	}
	out = bytes.TrimSuffix(out, []byte("}"))
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		quoted, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		out = append(append(out, ','), quoted...)
		out = append(append(out, ':'), extra[name]...)
	}
	return append(out, '}'), nil
}

// wireTime is written in UTC with milliseconds (contract, section 1).
type wireTime struct{ time.Time }

// wireTimeOf cuts a time to the precision of the wire.
func wireTimeOf(t time.Time) wireTime { return wireTime{t.UTC().Truncate(time.Millisecond)} }

func (t wireTime) MarshalJSON() ([]byte, error) {
	return []byte(t.UTC().Format(`"2006-01-02T15:04:05.000Z"`)), nil
}

// toWire converts a contact from a test. Empty values become null.
func toWire(c demeterrr.Contact) (wireContact, error) {
	w := wireContact{
		ID:                    c.ID,
		Email:                 orNull(c.Email),
		FirstName:             orNull(c.FirstName),
		LastName:              orNull(c.LastName),
		Phone:                 orNull(c.Phone),
		Title:                 orNull(c.Title),
		PreferredLanguage:     string(c.PreferredLanguage),
		LocationID:            orNull(c.LocationID),
		ContactOrganizationID: orNull(c.ContactOrganizationID),
		Tags:                  slices.Clone(c.Tags),
		Unsubscribed:          c.Unsubscribed,
		CreatedAt:             wireTimeOf(c.CreatedAt),
		UpdatedAt:             wireTimeOf(c.UpdatedAt),
		extra:                 maps.Clone(c.Extra),
	}
	if len(c.CustomFields) == 0 {
		return w, nil
	}
	encoded, err := json.Marshal(c.CustomFields)
	if err != nil {
		return w, err
	}
	return w, json.Unmarshal(encoded, &w.CustomFields)
}

// toContact converts a contact for a test.
func (c *wireContact) toContact() demeterrr.Contact {
	out := demeterrr.Contact{
		ID:                    c.ID,
		Email:                 orEmpty(c.Email),
		FirstName:             orEmpty(c.FirstName),
		LastName:              orEmpty(c.LastName),
		Phone:                 orEmpty(c.Phone),
		Title:                 orEmpty(c.Title),
		PreferredLanguage:     demeterrr.Language(c.PreferredLanguage),
		LocationID:            orEmpty(c.LocationID),
		ContactOrganizationID: orEmpty(c.ContactOrganizationID),
		CustomFields:          make(map[string]any, len(c.CustomFields)),
		Tags:                  append([]string{}, c.Tags...),
		Unsubscribed:          c.Unsubscribed,
		CreatedAt:             c.CreatedAt.Time,
		UpdatedAt:             c.UpdatedAt.Time,
		Extra:                 maps.Clone(c.extra),
	}
	for name, raw := range c.CustomFields {
		var v any
		_ = json.Unmarshal(raw, &v) // it comes from valid JSON
		out.CustomFields[name] = v
	}
	return out
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
