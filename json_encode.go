package demeterrr

import (
	"errors"
	"regexp"

	"github.com/demeterrr/demeterrr-go/internal/jsonwrite"
	"github.com/demeterrr/demeterrr-go/internal/scrub"
)

// encodable is a body of the API's own requests. It is written without
// reflection, with the same result as encoding/json.
type encodable interface {
	encode() ([]byte, error)
}

// encode returns the request's body as JSON, or nil without one. The body is
// never pooled: a transport may still read it after it has returned.
func (r request) encode() ([]byte, error) {
	if r.body == nil {
		return nil, nil
	}
	if b, ok := r.body.(checker); ok {
		if err := b.check(); err != nil {
			return nil, err
		}
	}
	var encoded []byte
	var err error
	if b, ok := r.body.(encodable); ok {
		encoded, err = b.encode()
	} else {
		encoded, err = jsonwrite.Any(nil, r.body)
	}
	if err != nil {
		return nil, errors.New("the body cannot be encoded as JSON: " + scrub.Emails(quotation.ReplaceAllString(err.Error(), `"…"`)))
	}
	return encoded, nil
}

// quotation matches a value quoted by an encoder. It may be personal data.
var quotation = regexp.MustCompile(`"(\\.|[^"\\])*"`)

// validateBody returns the error for a body that would be rejected.
func validateBody(body any) error {
	if _, err := (request{body: body}).encode(); err != nil {
		return invalid("%s", err)
	}
	return nil
}

func (p *ContactParams) encode() (_ []byte, err error) {
	b := append(make([]byte, 0, 256), '{')
	b = jsonwrite.NonEmpty(b, `"email":`, p.Email)
	b = jsonwrite.NonEmpty(b, `"firstName":`, p.FirstName)
	b = jsonwrite.NonEmpty(b, `"lastName":`, p.LastName)
	b = jsonwrite.NonEmpty(b, `"phone":`, p.Phone)
	b = jsonwrite.NonEmpty(b, `"title":`, p.Title)
	b = jsonwrite.NonEmpty(b, `"preferredLanguage":`, string(p.PreferredLanguage))
	b = jsonwrite.NonEmpty(b, `"locationId":`, p.LocationID)
	b = jsonwrite.NonEmpty(b, `"contactOrganizationId":`, p.ContactOrganizationID)
	if p.CustomFields != nil {
		if b, err = jsonwrite.Any(jsonwrite.Member(b, `"customFields":`), p.CustomFields); err != nil {
			return nil, err
		}
	}
	if p.Tags != nil {
		b = jsonwrite.Texts(jsonwrite.Member(b, `"tags":`), p.Tags)
	}
	return append(b, '}'), nil
}

func (p *ExecuteParams) encode() ([]byte, error) { //nolint:unparam // it is an encodable, others of which can fail
	size := len(`{"contacts":[],"locationId":"","employeeId":""}`) + len(p.LocationID) + len(p.EmployeeID)
	for i := range p.Contacts {
		c := &p.Contacts[i]
		size += len(`{"email":"","firstName":"","lastName":"","phone":""},`) + len(c.Email) + len(c.FirstName) + len(c.LastName) + len(c.Phone)
	}
	b := append(make([]byte, 0, size), `{"contacts":[`...) // grows only for escapes
	for i := range p.Contacts {
		if i > 0 {
			b = append(b, ',')
		}
		b = p.Contacts[i].append(b)
	}
	b = append(b, ']')
	b = jsonwrite.NonEmpty(b, `"locationId":`, p.LocationID)
	b = jsonwrite.NonEmpty(b, `"employeeId":`, p.EmployeeID)
	return append(b, '}'), nil
}

func (c *ExecuteContact) append(b []byte) []byte {
	b = append(b, '{')
	b = jsonwrite.NonEmpty(b, `"email":`, c.Email)
	b = jsonwrite.NonEmpty(b, `"firstName":`, c.FirstName)
	b = jsonwrite.NonEmpty(b, `"lastName":`, c.LastName)
	b = jsonwrite.NonEmpty(b, `"phone":`, c.Phone)
	return append(b, '}')
}

func (p *ContactUpdate) encode() ([]byte, error) {
	b := append(make([]byte, 0, 256), '{')
	b = appendOpt(b, `"email":`, p.Email)
	b = appendOpt(b, `"firstName":`, p.FirstName)
	b = appendOpt(b, `"lastName":`, p.LastName)
	b = appendOpt(b, `"phone":`, p.Phone)
	b = appendOpt(b, `"title":`, p.Title)
	b = appendOpt(b, `"preferredLanguage":`, p.PreferredLanguage)
	if !p.CustomFields.IsZero() {
		var err error
		if b, err = jsonwrite.Any(jsonwrite.Member(b, `"customFields":`), p.CustomFields); err != nil {
			return nil, err
		}
	}
	if tags, ok := p.Tags.Get(); ok {
		b = jsonwrite.Texts(jsonwrite.Member(b, `"tags":`), tags)
	} else if p.Tags.IsNull() {
		b = append(jsonwrite.Member(b, `"tags":`), "null"...)
	}
	return append(b, '}'), nil
}

// appendOpt appends a member that is set or null.
func appendOpt[T ~string](b []byte, name string, o Opt[T]) []byte {
	text, ok := o.Get()
	switch {
	case ok:
		return jsonwrite.Text(jsonwrite.Member(b, name), string(text))
	case o.IsNull():
		return append(jsonwrite.Member(b, name), "null"...)
	}
	return b
}
