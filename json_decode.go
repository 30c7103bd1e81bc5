package demeterrr

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/demeterrr/demeterrr-go/internal/jsonread"
)

// decodable is an object of the API. decode reads it over its present value. An
// object without an identity is invalid.
type decodable[T any] interface {
	*T
	decode(r *jsonread.Reader)
	identity() string
}

var errEnvelope = errors.New(`it has no "data" of the documented shape`)

// whole reads a reply of any shape. It fails on the API's own error, with or
// without data beside it. It ignores an "error" that is null or has no code.
func whole(r *jsonread.Reader) error {
	if r.Kind() != '{' {
		r.Skip()
		return r.End()
	}
	var failure Error
	for r.Object(); r.Member(); {
		failure.decodeMember(r)
	}
	if r.End() == nil && failure.Code != "" {
		return errEnvelope
	}
	return r.Err()
}

// one reads the envelope of a single object, {"data": {…}}, over *v. If it
// fails, also on the API's own error, it restores *v for the next attempt.
func one[T any, P decodable[T]](v P) func(*jsonread.Reader) error {
	return func(r *jsonread.Reader) error {
		before := *v
		found := false
		var failure Error
		for r.Object(); r.Member(); {
			if string(r.Key()) == "data" {
				found = true
				v.decode(r)
			} else {
				failure.decodeMember(r)
			}
		}
		err := r.End()
		if err == nil && (!found || v.identity() == "" || failure.Code != "") {
			err = errEnvelope
		}
		if err != nil {
			*v = before
		}
		return err
	}
}

// list reads the envelope of a list, {"data": […], "meta": {…}}, into *p.
func list[T any, P decodable[T]](p *Page[T]) func(*jsonread.Reader) error {
	return func(r *jsonread.Reader) error {
		got := Page[T]{}
		meta := false
		var failure Error
		for r.Object(); r.Member(); {
			switch string(r.Key()) {
			case "data":
				if got.Items = got.Items[:0]; got.Items == nil { // else "data" comes twice
					got.Items = make([]T, 0, min(1+r.Left()/256, maxPerPage)) // most contacts have more bytes
				}
				for r.Array(); r.Element(); {
					got.Items = append(got.Items, *new(T))
					item := P(&got.Items[len(got.Items)-1])
					item.decode(r)
					if item.identity() == "" && r.Err() == nil {
						return errEnvelope
					}
				}
			case "meta":
				meta = true
				got.decodeMeta(r)
			default:
				failure.decodeMember(r)
			}
		}
		switch {
		case r.End() != nil:
			return r.Err()
		case got.Items == nil || failure.Code != "" || !meta || got.Page < 1 || len(got.Items) > 0 && got.TotalPages < 1:
			return errEnvelope // without totalPages, All would silently drop the rest
		}
		got.Items = slices.Clip(got.Items)
		*p = got
		return nil
	}
}

func (p *Page[T]) decodeMeta(r *jsonread.Reader) {
	for r.Object(); r.Member(); {
		switch string(r.Key()) {
		case "page":
			p.Page = r.Int()
		case "perPage":
			p.PerPage = r.Int()
		case "total":
			p.Total = r.Int()
		case "totalPages":
			p.TotalPages = r.Int()
		default:
			r.Skip()
		}
	}
}

func (c *Contact) identity() string { return c.ID }

func (c *Contact) decode(r *jsonread.Reader) {
	c.Extra = maps.Clone(c.Extra) // another copy may share it
	for r.Record(); r.Member(); {
		at := begin(r, &c.Extra)
		switch string(r.Key()) {
		case "id":
			c.ID = r.Text()
		case "email":
			c.Email = r.Text()
		case "firstName":
			c.FirstName = r.Text()
		case "lastName":
			c.LastName = r.Text()
		case "phone":
			c.Phone = r.Text()
		case "title":
			c.Title = r.Text()
		case "preferredLanguage":
			c.PreferredLanguage = Language(r.Text())
		case "locationId":
			c.LocationID = r.Text()
		case "contactOrganizationId":
			c.ContactOrganizationID = r.Text()
		case "customFields":
			c.CustomFields = r.Map()
		case "tags":
			c.Tags = r.Strings()
		case "unsubscribed":
			c.Unsubscribed = r.Bool()
		case "createdAt":
			c.CreatedAt = r.Time()
		case "updatedAt":
			c.UpdatedAt = r.Time()
		default:
			keep(r, &c.Extra)
		}
		end(r, &c.Extra, at)
	}
}

func (s *Sequence) identity() string { return s.ID }

func (s *Sequence) decode(r *jsonread.Reader) {
	s.Extra = maps.Clone(s.Extra) // another copy may share it
	for r.Record(); r.Member(); {
		at := begin(r, &s.Extra)
		switch string(r.Key()) {
		case "id":
			s.ID = r.Text()
		case "name":
			s.Name = r.Text()
		case "status":
			s.Status = SequenceStatus(r.Text())
		default:
			keep(r, &s.Extra)
		}
		end(r, &s.Extra, at)
	}
}

func (e *Execution) identity() string { return e.SequenceID }

func (e *Execution) decode(r *jsonread.Reader) {
	e.Extra = maps.Clone(e.Extra) // another copy may share it
	for r.Record(); r.Member(); {
		at := begin(r, &e.Extra)
		switch string(r.Key()) {
		case "sequenceId":
			e.SequenceID = r.Text()
		case "sequenceName":
			e.SequenceName = r.Text()
		case "contactsProcessed":
			e.ContactsProcessed = r.Int()
		case "sendingsCreated":
			e.SendingsCreated = r.Int()
		case "results":
			e.Results = decodeResults(r)
		default:
			keep(r, &e.Extra)
		}
		end(r, &e.Extra, at)
	}
}

// decodeResults reads the results of an execution. It fails if one of them is
// not an object or has a wrong id. The results then stay raw in Extra, and the
// call succeeds: the contacts have been sent to anyway.
func decodeResults(r *jsonread.Reader) []ExecutionResult {
	if r.Null() {
		return nil
	}
	results := make([]ExecutionResult, 0, min(1+r.Left()/96, maxExecuteContacts)) // most results have more bytes
	for r.Array(); r.Element(); {
		results = append(results, ExecutionResult{})
		results[len(results)-1].decode(r)
	}
	if r.Err() != nil {
		return nil
	}
	return results
}

func (e *ExecutionResult) decode(r *jsonread.Reader) {
	e.Extra = maps.Clone(e.Extra) // another copy may share it
	for r.Object(); r.Member(); {
		at := begin(r, &e.Extra)
		switch string(r.Key()) {
		case "email":
			e.Email = r.Text()
		case "contactId":
			e.ContactID = r.Text()
		case "status":
			e.Status = ExecutionStatus(r.Text())
		default:
			keep(r, &e.Extra)
		}
		end(r, &e.Extra, at)
	}
}

// withoutContent returns an error of encoding/json without its quotes, as these
// may be a customer's data.
func withoutContent(err error) error {
	var wrong *json.UnmarshalTypeError
	var nowhere *json.InvalidUnmarshalError
	switch {
	case errors.As(err, &wrong): // its Field can name keys of maps since Go 1.27
		return fmt.Errorf("the value at byte %d does not fit a Go %s", wrong.Offset, wrong.Type)
	case errors.As(err, &nowhere): // the caller passed no pointer
		return err
	}
	return fmt.Errorf("decoding it failed with a %T", err) // time.ParseError and others quote their input
}

// A decoder reads each member of an object between begin and end. Extra then
// holds unknown members, and known members of an unexpected type, as raw JSON.
// The fields of the latter stay zero.

// begin drops an earlier member of the same name from extra. It returns the
// place of the member, for end.
func begin(r *jsonread.Reader, extra *map[string]json.RawMessage) jsonread.Place {
	if len(*extra) > 0 {
		drop(r, extra)
	}
	return r.Place()
}

// end keeps the member in extra if its value did not fit its field.
func end(r *jsonread.Reader, extra *map[string]json.RawMessage, at jsonread.Place) {
	if r.Err() != nil {
		keepOdd(r, extra, at)
	}
}

func drop(r *jsonread.Reader, extra *map[string]json.RawMessage) {
	if delete(*extra, string(r.Key())); len(*extra) == 0 {
		*extra = nil
	}
}

// keepOdd keeps the member at a place after a failed read. It fails again on
// invalid JSON, and on an id: ids are strict.
func keepOdd(r *jsonread.Reader, extra *map[string]json.RawMessage, at jsonread.Place) {
	r.Rewind(at)
	if key := string(r.Key()); key == "id" || strings.HasSuffix(key, "Id") {
		r.Text()
		return
	}
	keep(r, extra)
}

// keep puts the current member of r into extra.
func keep(r *jsonread.Reader, extra *map[string]json.RawMessage) {
	if *extra == nil {
		*extra = map[string]json.RawMessage{}
	}
	name := r.KeyText()
	(*extra)[name] = r.Raw()
}
