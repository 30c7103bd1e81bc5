package demeterrr

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/demeterrr/demeterrr-go/internal/jsonread"
)

// RetryPolicy says how often a call is repeated and how long the client waits in
// between. What is repeated at all depends on what came back, and on whether
// repeating can do harm: see the package documentation.
//
// At worst a call takes MaxRetries + 1 attempts, each as long as [WithTimeout]
// allows, and the waits between them: with the defaults four attempts of 30
// seconds and waits of up to 2.5 minutes each. Give the context a deadline to
// bound it; a wait that would pass the deadline is not begun.
type RetryPolicy struct {
	// MaxRetries is the number of attempts after the first; 0 means no retries: start from [DefaultRetryPolicy] to change other fields.
	MaxRetries int
	// MinWait is the wait before the first retry; it doubles with each further one. 0 means 1 second.
	MinWait time.Duration
	// MaxWait is where the doubling ends. 0 means 30 seconds.
	MaxWait time.Duration
	// MaxRetryAfter is the longest retryAfter of the API that is waited for; beyond it the call returns
	// at once, with Error.RetryAfter set. 0 means 2 minutes.
	MaxRetryAfter time.Duration
}

// DefaultRetryPolicy is 3 retries after 1, 2 and 4 seconds, each up to a quarter
// longer by chance, or after what the API asks for, up to 2 minutes.
func DefaultRetryPolicy() RetryPolicy {
	return RetryPolicy{MaxRetries: 3, MinWait: time.Second, MaxWait: 30 * time.Second, MaxRetryAfter: 2 * time.Minute}
}

// complete puts the defaults where there is a zero. A default gives way to a
// bound that was set.
func (p RetryPolicy) complete() (RetryPolicy, error) {
	if p.MaxRetries < 0 || p.MinWait < 0 || p.MaxWait < 0 || p.MaxRetryAfter < 0 {
		return p, errors.New("RetryPolicy: no field may be negative")
	}
	if p.MaxWait != 0 && p.MinWait > p.MaxWait {
		return p, errors.New("RetryPolicy: MinWait must not be longer than MaxWait")
	}
	def := DefaultRetryPolicy()
	if p.MaxWait == 0 {
		p.MaxWait = max(def.MaxWait, p.MinWait)
	}
	if p.MinWait == 0 {
		p.MinWait = min(def.MinWait, p.MaxWait)
	}
	if p.MaxRetryAfter == 0 {
		p.MaxRetryAfter = def.MaxRetryAfter
	}
	return p, nil
}

// backoff is the wait after the given number of attempts, before chance lengthens it.
func (p RetryPolicy) backoff(attempts int) time.Duration {
	wait := p.MinWait
	for range attempts - 1 {
		if wait > p.MaxWait/2 {
			return p.MaxWait
		}
		wait *= 2
	}
	return wait
}

// judge says what a reply, or the lack of one, means: the error to return, nil
// for success, and whether the table of retries lets the call be repeated. Where
// a write may have taken effect, the call remembers it.
func (k *call) judge(rep *reply, s *space) (failed *Error, again bool) {
	var effect bool
	switch {
	case rep.status == 0:
		failed, again, effect = k.judgeLost(rep)
	case rep.status/100 == 2:
		if failed = k.decodeReply(rep, s); failed == nil {
			return nil, false
		}
		// A code means the API's own error in a 2xx. It is final: a repeat could do the work twice.
		again, effect = failed.Code == "" && k.repeatable() && !errors.Is(failed, errTooLarge), true
	case rep.status == http.StatusNotFound && k.method == http.MethodDelete && k.unknown:
		return nil, false // an earlier attempt has deleted it, and its reply was lost
	default:
		failed = k.decodeError(rep)
		if rep.status == http.StatusTooManyRequests {
			k.client.gate.Close(failed.RetryAfter)
		}
		again, effect = k.judgeStatus(failed)
	}
	if effect && k.method != http.MethodGet {
		k.unknown = true
	}
	return failed, again
}

// judgeStatus is the table of retries for replies that are errors. effect says
// that the server may have done the work all the same.
func (k *call) judgeStatus(e *Error) (again, effect bool) {
	switch e.StatusCode {
	case http.StatusTooManyRequests:
		return true, false
	case http.StatusInternalServerError:
		if e.Code == CodeInternal {
			return !k.atMostOnce, true // contract, section 7: "retry with exponential backoff"
		}
		return k.repeatable(), true
	case http.StatusRequestTimeout, http.StatusTooEarly:
		return k.repeatable(), true
	case http.StatusNotImplemented:
		return false, true // a repeat would change nothing
	case http.StatusSeeOther:
		return false, true // how many servers say "done, look there"
	}
	if e.StatusCode/100 == 5 {
		return k.repeatable(), true
	}
	return false, e.StatusCode >= 600 || e.StatusCode < 200 // 101: what came of it is said in another protocol
}

// judgeLost is the table of retries for attempts that no reply came back from.
func (k *call) judgeLost(rep *reply) (failed *Error, again, effect bool) {
	rep.err = readable(rep.err)
	failed = &Error{cause: k.lostBy(rep.err)}
	switch {
	case badCertificate(rep.err):
		failed.Message = "the server's certificate cannot be verified; check the base URL and the root certificates"
		return failed, false, false
	case rep.unsent || neverConnected(rep.err):
		failed.Message = "no connection"
		return failed, true, false
	case ended(k.ctx):
		failed.Message = "ended while the request was under way"
		return failed, false, true
	}
	failed.Message = "no reply"
	return failed, k.repeatable(), true
}

// repeatable reports whether the call can be sent twice without harm: it reads,
// it sets or deletes what has an id, or it creates what its email keeps unique.
func (k *call) repeatable() bool {
	if k.atMostOnce {
		return false
	}
	switch k.method {
	case http.MethodGet, http.MethodPatch, http.MethodDelete:
		return true
	}
	return k.method == http.MethodPost && k.path == routeContacts
}

// lostBy is the cause of a lost reply as the caller may see it: without the URL,
// and such that context.DeadlineExceeded means the caller's own deadline.
func (k *call) lostBy(err error) error {
	if ended(k.ctx) {
		return contextError(k.ctx)
	}
	err = withoutURL(err)
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

// ended reports whether the context is over. Its deadline may have passed a
// moment before its timer fires: dialling looks at the deadline itself.
func ended(ctx context.Context) bool {
	if ctx.Err() != nil {
		return true
	}
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) <= 0
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
	own, isOwn := cause.(*Error) //nolint:errorlint // one that wraps it has more to say
	var failed Error
	switch {
	case k.attempts > 0:
		failed = *k.last
		failed.cause = cause
	case isOwn && own != nil && own.Attempts == 0: // else it is another call's
		failed = *own
	default:
		failed = Error{Message: "not sent", cause: cause}
	}
	if limited, ok := errors.AsType[*Error](cause); ok && limited != nil && limited.RetryAfter > 0 {
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
	err = readable(err)
	var waits interface{ RetryAfter() time.Duration } // as redislimit's has
	if errors.As(err, &waits) {
		return &Error{Code: CodeRateLimited, Message: "not sent", RetryAfter: waits.RetryAfter(), cause: err}
	}
	return err
}

// passGate waits while a 429 has closed the client's gate, by the same rules as
// a retry: not for too long, not past the deadline, and not at all if the call
// must not be repeated. When the gate opens, those who wait are spread a little.
func (k *call) passGate() error {
	for {
		left := k.client.gate.Left()
		if left <= 0 {
			return nil
		}
		until := room(k.ctx)
		if k.maxRetries == 0 || left > k.client.policy.MaxRetryAfter || left >= until {
			return &Error{Code: CodeRateLimited, Message: "not sent: an earlier reply asked every request to wait", RetryAfter: left}
		}
		if err := sleep(k.ctx, lengthen(left, min(left/20, time.Second), until)); err != nil {
			return err
		}
	}
}

// lengthen is wait and a random part of extra, so that clients which were stopped
// together do not come back together. It takes at most half of the time that is
// left between the wait and the deadline.
func lengthen(wait, extra, left time.Duration) time.Duration {
	extra = min(extra, (left-wait)/2)
	return wait + time.Duration(rand.Float64()*float64(extra)) //nolint:gosec // nobody gains by guessing it
}

// room is the time until the deadline of the context; a very long one if it has none.
func room(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 1<<63 - 1
	}
	return time.Until(deadline)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return contextError(ctx)
	case <-timer.C:
		return nil
	}
}

// decodeReply reads the body of a 2xx. An unreadable one is as good as lost. One
// with the API's own error is that error, even if the caller wants no body.
func (k *call) decodeReply(rep *reply, s *space) *Error {
	decode := k.decode
	switch {
	case rep.err != nil && decode == nil:
		return nil
	case rep.err != nil:
		return &Error{StatusCode: rep.status, Message: "the reply cannot be read", RequestID: k.requestID(rep), cause: k.lostBy(rep.err)}
	case decode == nil:
		decode = whole
	}
	s.reader = jsonread.New(rep.body)
	err := decode(&s.reader)
	if err == nil {
		return nil
	}
	if failed := k.decodeError(rep); failed.Code != "" {
		return failed
	}
	if k.decode == nil {
		return nil
	}
	return &Error{StatusCode: rep.status, RequestID: k.requestID(rep), cause: fmt.Errorf("the reply is not what the API documents: %w", err)}
}
