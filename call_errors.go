package demeterrr

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"github.com/demeterrr/demeterrr-go/internal/headers"
	"github.com/demeterrr/demeterrr-go/internal/jsonread"
	"github.com/demeterrr/demeterrr-go/internal/scrub"
)

// maxExcerpt is the most bytes of a foreign body that an error shows.
const maxExcerpt = 200

// decodeError makes an Error from an unsuccessful reply. Only the API's own
// error body (contract, section 7) gives it a code. Of any other body, such as
// a proxy's page, it keeps the beginning.
func (k *call) decodeError(rep *reply) *Error {
	e := &Error{
		StatusCode: rep.status,
		RequestID:  k.requestID(rep),
		RetryAfter: headers.RetryAfter(rep.header, rep.at),
	}
	key := k.key
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

// readBody fills the error from the API's own error body. It reports false for
// any other body. It skips members of an unexpected type, as the rest is still
// useful.
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

// decodeDetails reads the wait and the scope in the details. It skips nested
// details, as they are undocumented.
func (e *Error) decodeDetails(r *jsonread.Reader) {
	var inner Error
	for r.Object(); r.Member(); {
		inner.decodeAdvice(r)
	}
	e.RetryAfter = max(e.RetryAfter, inner.RetryAfter)
	e.RequiredScope = cmp.Or(e.RequiredScope, inner.RequiredScope)
}

// decodeAdvice reads a member documented both in an error and in its details,
// and skips any other.
func (e *Error) decodeAdvice(r *jsonread.Reader) {
	switch key, kind := string(r.Key()), r.Kind(); {
	case key == "requiredScope" && kind == '"':
		e.RequiredScope = r.Text()
	case key == "retryAfter":
		start := r.Mark()
		r.Skip()
		if wait, ok := headers.Seconds(strings.Trim(string(r.Since(start)), `"`)); ok {
			e.RetryAfter = max(e.RetryAfter, wait)
		}
	default:
		r.Skip()
	}
}

// lostBy returns the cause of a lost reply, for the caller. It removes the URL,
// and context.DeadlineExceeded means only the caller's own deadline.
func (k *call) lostBy(err error) error {
	if ended(k.ctx) {
		return contextError(k.ctx)
	}
	err = scrub.WithoutURL(err)
	var t interface{ Timeout() bool }
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout() {
		return &attemptTimeout{k.withoutEcho(err)}
	}
	return k.withoutEcho(err)
}

// attemptTimeout is the end of a time limit other than the caller's deadline.
// The errors of net and net/http claim to be context.DeadlineExceeded;
// attemptTimeout hides this.
type attemptTimeout struct{ err error }

func (t *attemptTimeout) Error() string {
	if t.err == context.DeadlineExceeded { //nolint:errorlint // itself: its text would be taken for the caller's deadline
		return "the attempt's time limit is over (see WithTimeout)"
	}
	return "timed out: " + t.err.Error()
}

func (t *attemptTimeout) Timeout() bool { return true }

func (t *attemptTimeout) Is(target error) bool {
	return target == ErrTimeout || target != context.DeadlineExceeded && errors.Is(t.err, target)
}

func (t *attemptTimeout) As(target any) bool { return errors.As(t.err, target) }

// withoutEcho removes data of the other side from the text of err. net/http
// quotes text it cannot parse, and an echoing server sends the request itself.
func (k *call) withoutEcho(err error) error {
	const all = 16 << 10 // a harmless text stays whole
	text, key := err.Error(), k.key
	var protocol textproto.ProtocolError
	if !strings.Contains(text, `"`) && !strings.Contains(text, key) && !errors.As(err, &protocol) {
		return err
	}
	clean := scrub.Excerpt([]byte(text), all, key, k.query)
	if clean == text {
		return err
	}
	return errors.New(scrub.Cut(clean, maxExcerpt))
}

func badCertificate(err error) bool {
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var cert x509.CertificateInvalidError
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &cert)
}

// neverConnected reports whether the attempt failed before there was a
// connection to the API or to a proxy. Then nothing can have been sent.
func neverConnected(err error) bool {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return true
	}
	var op *net.OpError
	return errors.As(err, &op) && slices.Contains([]string{"dial", "proxyconnect", "socks connect"}, op.Op)
}

// interrupted returns the error of a call whose next attempt was stopped by the
// gate, the limiter or the context. If an earlier attempt failed, it returns
// that error with the interruption as its cause.
func (k *call) interrupted(err error) *Error {
	cause := k.interruption(err)
	own, _ := cause.(*Error) //nolint:errorlint // one that wraps it has more to say
	var failed Error
	switch {
	case k.attempts > 0:
		failed = *k.last
		failed.cause = cause
	case own != nil && own.Attempts == 0: // else it belongs to another call
		failed = *own
	default:
		failed = Error{Message: messageUnsent, cause: cause}
	}
	if limited, _ := errors.AsType[*Error](cause); limited != nil && limited.RetryAfter > 0 {
		failed.RetryAfter = limited.RetryAfter
	}
	return &failed
}

// interruption returns err as the caller sees it: the context's error if it has
// ended, or an [ErrRateLimited] if a limiter reports a wait.
func (k *call) interruption(err error) error {
	if ended(k.ctx) {
		err = contextError(k.ctx)
	}
	err = scrub.Readable(err)
	if _, own := err.(*Error); own { //nolint:errorlint // it has said what it is, and its cause may be another's
		return err
	}
	var waits interface{ RetryAfter() time.Duration } // as in redislimit
	if errors.As(err, &waits) {
		return &Error{Code: CodeRateLimited, Message: messageUnsent, RetryAfter: waits.RetryAfter(), cause: err}
	}
	return err
}

// ended reports whether the context is over. Its deadline can pass before its
// timer fires, and dialing checks the deadline itself.
func ended(ctx context.Context) bool {
	if ctx.Err() != nil {
		return true
	}
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) <= 0
}

// contextError returns the error of an ended context, with its cause if any.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if err == nil {
		err, cause = context.DeadlineExceeded, nil // the deadline has passed before its timer fired
	}
	if cause == nil || errors.Is(err, cause) {
		return err
	}
	return fmt.Errorf("%w: %w", err, foreign{scrub.WithoutURL(cause)})
}

// foreign wraps an error from outside this call. It may belong to another call:
// errgroup cancels a context with such an error. foreign hides the sentinels of
// that call, as they say nothing about this one.
type foreign struct{ err error }

func (f foreign) Error() string { return f.err.Error() }

func (f foreign) Is(target error) bool {
	_, ours := target.(*sentinel)
	return !ours && target != ErrUnknownOutcome && target != ErrTimeout && errors.Is(f.err, target)
}

func (f foreign) As(target any) bool {
	_, ours := target.(**Error)
	return !ours && errors.As(f.err, target)
}
