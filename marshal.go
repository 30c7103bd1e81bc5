package demeterrr

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/demeterrr/demeterrr-go/internal/jsonread"
)

// timestamp writes a time as the API does: UTC, with milliseconds.
type timestamp time.Time

func (t timestamp) IsZero() bool { return time.Time(t).IsZero() }

func (t timestamp) MarshalJSON() ([]byte, error) {
	utc := time.Time(t).UTC()
	if utc.Year() < 0 || utc.Year() > 9999 {
		return time.Time(t).MarshalJSON() // in its own zone it may be a year of four digits, else this is an error
	}
	return []byte(utc.Format(`"2006-01-02T15:04:05.000Z"`)), nil
}

// orNull writes an empty text as null, for members that the API documents as such.
type orNull string

func (s orNull) MarshalJSON() ([]byte, error) {
	if s == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(s))
}

// MarshalJSON writes the contact as the API does, with Extra inline. What is nil
// or a zero time is left out.
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

// UnmarshalJSON reads a contact as the API writes it. Members that are absent
// leave their fields as they are.
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

// inline encodes known, a struct, with the members of extra after its own.
func inline(known any, extra map[string]json.RawMessage) ([]byte, error) {
	encoded, err := json.Marshal(known)
	if err != nil || len(extra) == 0 {
		return encoded, err
	}
	out := bytes.NewBuffer(bytes.TrimSuffix(encoded, []byte("}")))
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		out.WriteByte(',')
		out.Write(key)
		out.WriteByte(':')
		if extra[name] == nil {
			out.WriteString("null")
		}
		out.Write(extra[name])
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// unmarshal reads one document. A null changes nothing, as encoding/json asks of
// an Unmarshaler.
func unmarshal(data []byte, decode func(*jsonread.Reader)) error {
	if bytes.Equal(data, []byte("null")) {
		return nil
	}
	r := jsonread.New(data)
	decode(&r)
	return r.End()
}
