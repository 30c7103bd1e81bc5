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

// lostBy is the cause of a lost reply as the caller may see it: without the URL,
// and such that context.DeadlineExceeded means the caller's own deadline.
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

// attemptTimeout is a time limit other than the caller's deadline. The errors of
// net and net/http claim to be context.DeadlineExceeded, which is hidden here.
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

// withoutEcho is err without what the other side sent. net/http quotes what it
// cannot make sense of, and a server that echoes sends the request itself.
func (k *call) withoutEcho(err error) error {
	const all = 16 << 10 // of a text that is as it should be, nothing is cut
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
// connection, to the API or to a proxy, so that nothing can have been sent.
func neverConnected(err error) bool {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return true
	}
	var op *net.OpError
	return errors.As(err, &op) && slices.Contains([]string{"dial", "proxyconnect", "socks connect"}, op.Op)
}

// interrupted is the error of a call whose next attempt was not sent: because of
// the gate, the limiter or the context. A call that has met a reply before
// returns that, with the interruption as its cause.
func (k *call) interrupted(err error) *Error {
	cause := k.interruption(err)
	own, _ := cause.(*Error) //nolint:errorlint // one that wraps it has more to say
	var failed Error
	switch {
	case k.attempts > 0:
		failed = *k.last
		failed.cause = cause
	case own != nil && own.Attempts == 0: // else it is another call's
		failed = *own
	default:
		failed = Error{Message: messageUnsent, cause: cause}
	}
	if limited, _ := errors.AsType[*Error](cause); limited != nil && limited.RetryAfter > 0 {
		failed.RetryAfter = limited.RetryAfter
	}
	return &failed
}

// interruption is the error as the caller is to see it: the context's where that
// has ended, and an [ErrRateLimited] where a limiter says how long to wait.
func (k *call) interruption(err error) error {
	if ended(k.ctx) {
		err = contextError(k.ctx)
	}
	err = scrub.Readable(err)
	if _, own := err.(*Error); own { //nolint:errorlint // it has said what it is, and its cause may be another's
		return err
	}
	var waits interface{ RetryAfter() time.Duration } // as redislimit's has
	if errors.As(err, &waits) {
		return &Error{Code: CodeRateLimited, Message: messageUnsent, RetryAfter: waits.RetryAfter(), cause: err}
	}
	return err
}

// ended reports whether the context is over. Its deadline may have passed a
// moment before its timer fires: dialling looks at the deadline itself.
func ended(ctx context.Context) bool {
	if ctx.Err() != nil {
		return true
	}
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) <= 0
}

// contextError is the error of a context that has ended, with its cause where it has one.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if err == nil {
		err, cause = context.DeadlineExceeded, nil // the deadline has passed, its timer has not fired yet
	}
	if cause == nil || errors.Is(err, cause) {
		return err
	}
	return fmt.Errorf("%w: %w", err, foreign{scrub.WithoutURL(cause)})
}

// foreign is an error that came from outside this call, and may be another call's:
// errgroup cancels with it. What that call met must not be taken for what this one met.
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
