package demeterrr

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/demeterrr/demeterrr-go/internal/jsonread"
)

// timestamp writes a time as the API does: UTC, with milliseconds.
type timestamp time.Time

func (t timestamp) IsZero() bool { return time.Time(t).IsZero() }

func (t timestamp) MarshalJSON() ([]byte, error) {
	utc := time.Time(t).UTC()
	if utc.Year() < 0 || utc.Year() > 9999 {
		return time.Time(t).MarshalJSON() // its own zone may have a four-digit year, else this fails
	}
	return []byte(utc.Format(`"2006-01-02T15:04:05.000Z"`)), nil
}

// orNull writes an empty text as null, for members documented as nullable.
type orNull string

func (s orNull) MarshalJSON() ([]byte, error) {
	if s == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(s))
}

// MarshalJSON writes the contact as the API does, with Extra inline. Nil fields
// and zero times are left out. A member of Extra replaces a zero field of the
// same name.
func (c Contact) MarshalJSON() ([]byte, error) {
	return inline(struct {
		ID                    string         `json:"id"`
		Email                 string         `json:"email"`
		FirstName             string         `json:"firstName"`
		LastName              string         `json:"lastName"`
		Phone                 string         `json:"phone"`
		Title                 orNull         `json:"title"`
		PreferredLanguage     Language       `json:"preferredLanguage"`
		LocationID            orNull         `json:"locationId"`
		ContactOrganizationID orNull         `json:"contactOrganizationId"`
		CustomFields          map[string]any `json:"customFields,omitzero"`
		Tags                  []string       `json:"tags,omitzero"`
		Unsubscribed          bool           `json:"unsubscribed"`
		CreatedAt             timestamp      `json:"createdAt,omitzero"`
		UpdatedAt             timestamp      `json:"updatedAt,omitzero"`
	}{
		c.ID, c.Email, c.FirstName, c.LastName, c.Phone, orNull(c.Title), c.PreferredLanguage,
		orNull(c.LocationID), orNull(c.ContactOrganizationID), c.CustomFields, c.Tags,
		c.Unsubscribed, timestamp(c.CreatedAt), timestamp(c.UpdatedAt),
	}, c.Extra)
}

// UnmarshalJSON reads a contact as the API writes it. Fields of absent members
// stay unchanged.
func (c *Contact) UnmarshalJSON(data []byte) error { return unmarshal(data, c.decode) }

// MarshalJSON writes the sequence as the API does, with Extra inline.
func (s Sequence) MarshalJSON() ([]byte, error) {
	return inline(struct {
		ID     string         `json:"id"`
		Name   string         `json:"name"`
		Status SequenceStatus `json:"status"`
	}{s.ID, s.Name, s.Status}, s.Extra)
}

// UnmarshalJSON reads a sequence as the API writes it.
func (s *Sequence) UnmarshalJSON(data []byte) error { return unmarshal(data, s.decode) }

// MarshalJSON writes the execution as the API does, with Extra inline.
func (e Execution) MarshalJSON() ([]byte, error) {
	return inline(struct {
		SequenceID        string            `json:"sequenceId"`
		SequenceName      string            `json:"sequenceName"`
		ContactsProcessed int               `json:"contactsProcessed"`
		SendingsCreated   int               `json:"sendingsCreated"`
		Results           []ExecutionResult `json:"results,omitzero"`
	}{e.SequenceID, e.SequenceName, e.ContactsProcessed, e.SendingsCreated, e.Results}, e.Extra)
}

// UnmarshalJSON reads an execution as the API writes it.
func (e *Execution) UnmarshalJSON(data []byte) error { return unmarshal(data, e.decode) }

// MarshalJSON writes the result as the API does, with Extra inline.
func (e ExecutionResult) MarshalJSON() ([]byte, error) {
	return inline(struct {
		Email     string          `json:"email"`
		ContactID orNull          `json:"contactId"`
		Status    ExecutionStatus `json:"status"`
	}{e.Email, orNull(e.ContactID), e.Status}, e.Extra)
}

// UnmarshalJSON reads a result as the API writes it.
func (e *ExecutionResult) UnmarshalJSON(data []byte) error { return unmarshal(data, e.decode) }

// inline encodes known, a struct, followed by the members of extra. A member of
// extra replaces a zero field of the same name. A field that is not zero was
// set later, and wins.
func inline(known any, extra map[string]json.RawMessage) ([]byte, error) {
	if len(extra) == 0 {
		return json.Marshal(known)
	}
	out, rest := []byte{'{'}, maps.Clone(extra)
	fields := reflect.ValueOf(known)
	for i := range fields.NumField() {
		name, option, _ := strings.Cut(fields.Type().Field(i).Tag.Get("json"), ",")
		value, zero := fields.Field(i).Interface(), fields.Field(i).IsZero()
		if v, ok := value.(interface{ IsZero() bool }); ok {
			zero = v.IsZero()
		}
		raw, odd := rest[name]
		delete(rest, name)
		switch {
		case zero && odd:
			value = raw
		case zero && option == "omitzero":
			continue
		}
		var err error
		if out, err = appendMember(out, name, value); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rest)) {
		var err error
		if out, err = appendMember(out, name, rest[name]); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

// appendMember appends a member to an object without its closing brace.
func appendMember(object []byte, name string, value any) ([]byte, error) {
	key, err := json.Marshal(name)
	if err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	if len(object) > 1 {
		object = append(object, ',')
	}
	object = append(append(object, key...), ':')
	return append(object, encoded...), nil
}

// unmarshal reads one document. A null changes nothing: encoding/json asks this
// of an Unmarshaler.
func unmarshal(data []byte, decode func(*jsonread.Reader)) error {
	if bytes.Equal(data, []byte("null")) {
		return nil
	}
	r := jsonread.New(data)
	decode(&r)
	return r.End()
}
