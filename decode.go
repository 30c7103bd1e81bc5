package demeterrr

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

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
		RequestID:  requestID(rep.header),
		RetryAfter: headers.RetryAfter(rep.header, time.Now()),
	}
	key := k.client.apiKey()
	body := bytes.ReplaceAll(rep.body, []byte(key), []byte(scrub.Gone))
	switch {
	case e.readBody(body):
		for _, text := range []*string{(*string)(&e.Code), &e.Message, &e.RequiredScope} {
			*text = scrub.Key(*text, key) // it may have been escaped in the body
		}
	case rep.status/100 == 3:
		e.Message = "redirects are refused, so that the API key goes to no other address; check the base URL"
	default:
		e.Message = scrub.Excerpt(body, maxExcerpt, key, k.query)
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
			found.decode(&r, true)
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

// decode reads the members of an error, or of its details: retryAfter and
// requiredScope are documented in both places. Details of details are not.
func (e *Error) decode(r *jsonread.Reader, withDetails bool) {
	for r.Record(); r.Member(); {
		switch key, kind := string(r.Key()), r.Kind(); {
		case key == "code" && kind == '"':
			e.Code = Code(r.Text())
		case key == "message" && kind == '"':
			e.Message = r.Text()
		case key == "requiredScope" && kind == '"':
			e.RequiredScope = r.Text()
		case key == "retryAfter" && (kind == '0' || kind == '"'):
			if wait, ok := headers.Seconds(strings.Trim(string(r.Raw()), `"`)); ok {
				e.RetryAfter = max(e.RetryAfter, wait)
			}
		case key == "details" && kind != 'n' && withDetails:
			e.Details = r.Raw()
			if kind == '{' {
				details, inner := jsonread.New(e.Details), Error{}
				inner.decode(&details, false)
				e.RetryAfter = max(e.RetryAfter, inner.RetryAfter)
				e.RequiredScope = cmp.Or(e.RequiredScope, inner.RequiredScope)
			}
		default:
			r.Skip()
		}
	}
}

func requestID(h http.Header) string {
	if ids := h["X-Request-Id"]; len(ids) > 0 {
		return ids[0]
	}
	return ""
}

func validJSON(body []byte) error {
	r := jsonread.New(body)
	r.Skip()
	return r.End()
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
func one[T any, P decodable[T]](v P) func([]byte) error {
	return func(body []byte) error {
		got := *v
		found := false
		r := jsonread.New(body)
		for r.Object(); r.Member(); {
			if string(r.Key()) == "data" {
				found = true
				P(&got).decode(&r)
			} else {
				r.Skip()
			}
		}
		switch {
		case r.End() != nil:
			return r.Err()
		case !found || P(&got).identity() == "":
			return errEnvelope
		}
		*v = got
		return nil
	}
}

// list reads the envelope of a list, {"data": […], "meta": {…}}, into *p.
func list[T any, P decodable[T]](p *Page[T]) func([]byte) error {
	return func(body []byte) error {
		got := Page[T]{}
		meta := false
		r := jsonread.New(body)
		for r.Object(); r.Member(); {
			switch string(r.Key()) {
			case "data":
				got.Items = make([]T, 0, 100) // the most that a page holds
				for r.Array(); r.Element(); {
					var item T
					P(&item).decode(&r)
					if P(&item).identity() == "" && r.Err() == nil {
						return errEnvelope
					}
					got.Items = append(got.Items, item)
				}
			case "meta":
				meta = true
				got.decodeMeta(&r)
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
			e.Results = []ExecutionResult{}
			for r.Array(); r.Element(); {
				var result ExecutionResult
				result.decode(r)
				e.Results = append(e.Results, result)
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
	if errors.As(err, &wrong) {
		return fmt.Errorf("the member %q does not fit a Go %s", wrong.Field, wrong.Type)
	}
	return fmt.Errorf("decoding it failed with a %T", err) // time.ParseError and others quote their input
}
