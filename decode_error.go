package demeterrr

import (
	"bytes"
	"cmp"
	"strings"

	"github.com/demeterrr/demeterrr-go/internal/headers"
	"github.com/demeterrr/demeterrr-go/internal/jsonread"
	"github.com/demeterrr/demeterrr-go/internal/scrub"
)

// maxExcerpt is how many bytes of a body that is not the API's an error shows.
const maxExcerpt = 200

// decodeError makes an Error of a reply that is not a success. Only the API's own
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
		if found.decodeMember(&r) {
			isError = true
		}
	}
	if r.End() != nil || !isError {
		return false
	}
	e.Code, e.Message, e.Details, e.RequiredScope = found.Code, found.Message, found.Details, found.RequiredScope
	e.RetryAfter = max(e.RetryAfter, found.RetryAfter)
	return true
}

// decodeMember reads a member of a reply, and reports whether it is an error.
func (e *Error) decodeMember(r *jsonread.Reader) bool {
	if string(r.Key()) != "error" || r.Kind() != '{' {
		r.Skip()
		return false
	}
	e.decode(r)
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
