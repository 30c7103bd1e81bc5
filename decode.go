package demeterrr

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/demeterrr/demeterrr-go/internal/headers"
	"github.com/demeterrr/demeterrr-go/internal/jsonread"
	"github.com/demeterrr/demeterrr-go/internal/scrub"
)

// maxExcerpt is how many bytes of a body that is not the API's an error shows.
const maxExcerpt = 200

// decodeError makes an Error of a reply that is not a 2xx. Only the API's own
// error body (contract, section 7) gives it a code; of anything else, a proxy's
// page say, the beginning is kept.
func (k *call) decodeError(rep *reply) *Error {
	e := &Error{
		StatusCode: rep.status,
		RequestID:  k.requestID(rep),
		RetryAfter: headers.RetryAfter(rep.header, rep.at),
	}
	key := k.client.apiKey()
	switch {
	case e.readBody(rep.body):
		for _, text := range []*string{(*string)(&e.Code), &e.Message, &e.RequiredScope} {
			*text = scrub.Key(*text, key)
		}
		e.Details = scrub.JSON(e.Details, key)
	case rep.status/100 == 3:
		e.Message = "redirects are refused, so that the API key goes to no other address; check the base URL"
	default:
		e.Message = scrub.Excerpt(rep.body, maxExcerpt, key, k.query)
	}
	if rep.err != nil {
		e.cause = k.lostBy(rep.err)
	}
	return e
}

// readBody fills the error from the API's own error body, and reports whether it
// is one. A member of an unexpected type is passed over, as the others still tell
// something.
func (e *Error) readBody(body []byte) bool {
	r := jsonread.New(body)
	var found Error
	isError := false
	for r.Object(); r.Member(); {
		if string(r.Key()) == "error" && r.Kind() == '{' {
			isError = true
			found.decode(&r)
		} else {
			r.Skip()
		}
	}
	if r.End() != nil || !isError {
		return false
	}
	e.Code, e.Message, e.Details, e.RequiredScope = found.Code, found.Message, found.Details, found.RequiredScope
	e.RetryAfter = max(e.RetryAfter, found.RetryAfter)
	return true
}

// decode reads the members of an error.
func (e *Error) decode(r *jsonread.Reader) {
	for r.Record(); r.Member(); {
		switch key, kind := string(r.Key()), r.Kind(); {
		case key == "code" && kind == '"':
			e.Code = Code(r.Text())
		case key == "message" && kind == '"':
			e.Message = r.Text()
		case key == "details" && kind != 'n':
			start := r.Mark()
			if kind == '{' {
				e.decodeDetails(r)
			} else {
				r.Skip()
			}
			e.Details = bytes.Clone(r.Since(start))
		default:
			e.decodeAdvice(r)
		}
	}
}

// decodeDetails takes from the details what the error itself does not say. Details of details are not documented.
func (e *Error) decodeDetails(r *jsonread.Reader) {
	var inner Error
	for r.Object(); r.Member(); {
		inner.decodeAdvice(r)
	}
	e.RetryAfter = max(e.RetryAfter, inner.RetryAfter)
	e.RequiredScope = cmp.Or(e.RequiredScope, inner.RequiredScope)
}

// decodeAdvice reads a member that is documented in an error and in its details, or skips it.
func (e *Error) decodeAdvice(r *jsonread.Reader) {
	switch key, kind := string(r.Key()), r.Kind(); {
	case key == "requiredScope" && kind == '"':
		e.RequiredScope = r.Text()
	case key == "retryAfter" && (kind == '0' || kind == '"'):
		start := r.Mark()
		r.Skip()
		if wait, ok := headers.Seconds(strings.Trim(string(r.Since(start)), `"`)); ok {
			e.RetryAfter = max(e.RetryAfter, wait)
		}
	default:
		r.Skip()
	}
}

// decodable is an object of the API. It reads itself over what it holds already;
// without its id, what was read is not one.
type decodable[T any] interface {
	*T
	decode(r *jsonread.Reader)
	identity() string
}

var errEnvelope = errors.New(`it has no "data" of the documented shape`)

// one reads the envelope of a single object, {"data": {…}}, over *v. If it fails,
// *v stays as it was, for the next attempt.
func one[T any, P decodable[T]](v P) func(*jsonread.Reader) error {
	return func(r *jsonread.Reader) error {
		before := *v
		found := false
		for r.Object(); r.Member(); {
			if string(r.Key()) == "data" {
				found = true
				v.decode(r)
			} else {
				r.Skip()
			}
		}
		err := r.End()
		if err == nil && (!found || v.identity() == "") {
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
		for r.Object(); r.Member(); {
			switch string(r.Key()) {
			case "data":
				got.Items = make([]T, 0, min(1+r.Left()/256, maxPerPage)) // a usual contact has more bytes
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
				r.Skip()
			}
		}
		switch {
		case r.End() != nil:
			return r.Err()
		case got.Items == nil || !meta || got.Page < 1 || len(got.Items) > 0 && got.TotalPages < 1:
			return errEnvelope // without the number of pages, All would silently leave out the rest
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
	c.Extra = maps.Clone(c.Extra) // it may be another contact's, which this one is read over
	for r.Record(); r.Member(); {
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
			keep(&c.Extra, r)
		}
	}
}

func (s *Sequence) identity() string { return s.ID }

func (s *Sequence) decode(r *jsonread.Reader) {
	for r.Record(); r.Member(); {
		switch string(r.Key()) {
		case "id":
			s.ID = r.Text()
		case "name":
			s.Name = r.Text()
		case "status":
			s.Status = SequenceStatus(r.Text())
		default:
			keep(&s.Extra, r)
		}
	}
}

func (e *Execution) identity() string { return e.SequenceID }

func (e *Execution) decode(r *jsonread.Reader) {
	for r.Record(); r.Member(); {
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
			e.Results = nil
			if r.Null() {
				continue
			}
			e.Results = make([]ExecutionResult, 0, min(1+r.Left()/96, maxExecuteContacts)) // a usual result has more bytes
			for r.Array(); r.Element(); {
				e.Results = append(e.Results, ExecutionResult{})
				e.Results[len(e.Results)-1].decode(r)
			}
		default:
			keep(&e.Extra, r)
		}
	}
}

func (e *ExecutionResult) decode(r *jsonread.Reader) {
	for r.Object(); r.Member(); {
		switch string(r.Key()) {
		case "email":
			e.Email = r.Text()
		case "contactId":
			e.ContactID = r.Text()
		case "status":
			e.Status = ExecutionStatus(r.Text())
		default:
			keep(&e.Extra, r)
		}
	}
}

// keep puts a member that this version does not know into extra.
func keep(extra *map[string]json.RawMessage, r *jsonread.Reader) {
	if *extra == nil {
		*extra = map[string]json.RawMessage{}
	}
	name := r.KeyText()
	(*extra)[name] = r.Raw()
}

// withoutContent is an error of encoding/json without what it quotes, which may
// be a customer's data.
func withoutContent(err error) error {
	var wrong *json.UnmarshalTypeError
	var nowhere *json.InvalidUnmarshalError
	switch {
	case errors.As(err, &wrong): // its Field names keys of maps too, since Go 1.27
		return fmt.Errorf("the value at byte %d does not fit a Go %s", wrong.Offset, wrong.Type)
	case errors.As(err, &nowhere): // it says that the caller passed no pointer
		return err
	}
	return fmt.Errorf("decoding it failed with a %T", err) // time.ParseError and others quote their input
}
