package demeterrr

import (
	"errors"
	"net/http"
	"time"
)

// RetryPolicy sets the number of retries and the waits between them. The
// package documentation has the table of retries.
//
// At worst a call takes MaxRetries + 1 attempts, each limited by [WithTimeout],
// and the waits between them. With the defaults this is four attempts of 30
// seconds and waits of up to 2.5 minutes each. Give the context a deadline to
// bound a call. A wait that would outlast the deadline is skipped, and the call
// fails at once.
//
// After a 429, a call of [LowPriority] waits for a retryAfter of up to an hour.
// Such a wait uses up no retry, and happens with MaxRetries 0 too.
type RetryPolicy struct {
	// MaxRetries is the number of attempts after the first. 0 means no retries:
	// start from [DefaultRetryPolicy] to change other fields.
	MaxRetries int
	// MinWait is the wait before the first retry. It doubles with each further
	// one. 0 means 1 second.
	MinWait time.Duration
	// MaxWait is the upper limit of the doubling. 0 means 30 seconds.
	MaxWait time.Duration
	// MaxRetryAfter is the longest retryAfter of the API that a call waits for.
	// After a longer one, the call fails at once, with Error.RetryAfter set. 0
	// means 2 minutes.
	MaxRetryAfter time.Duration
	// AtMostOnce applies [WithAtMostOnce] to every call of the client, reads
	// included.
	AtMostOnce bool
}

// DefaultRetryPolicy returns 3 retries after 1, 2 and 4 seconds, or after the
// API's retryAfter of up to 2 minutes. Random jitter adds up to a quarter to
// each wait, at most 30 seconds.
func DefaultRetryPolicy() RetryPolicy {
	return RetryPolicy{MaxRetries: 3, MinWait: time.Second, MaxWait: 30 * time.Second, MaxRetryAfter: 2 * time.Minute}
}

// complete replaces zero fields by their defaults. A default never exceeds a
// limit that the caller has set.
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

// backoff returns the wait after a number of attempts, without jitter.
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

// classify turns a reply, or the lack of one, into the error to return, nil for
// success. again reports whether the table of retries allows a retry. If a
// write may have taken effect, classify sets k.unknown.
func (k *call) classify(rep *reply, buf *replyBuffer) (failed *Error, again bool) {
	var effect bool
	switch {
	case rep.status == 0:
		failed, again, effect = k.classifyLost(rep)
	case rep.status/100 == 2:
		if failed = k.decodeReply(rep, buf); failed == nil {
			return nil, false
		}
		// A code means the API's own error in a 2xx. It is final: a retry could
		// do the work twice.
		again, effect = failed.Code == "" && k.repeatable() && !failed.permanent, true
	case rep.status == http.StatusNotFound && k.method == http.MethodDelete && k.unknown:
		return nil, false // an earlier attempt deleted it, and its reply was lost
	default:
		failed = k.decodeError(rep)
		if rep.status == http.StatusTooManyRequests {
			k.client.gate.Close(failed.RetryAfter)
		}
		again, effect = k.classifyStatus(failed)
	}
	if effect && k.method != http.MethodGet {
		k.unknown = true
	}
	return failed, again
}

// classifyStatus is the table of retries for error replies. effect reports
// whether the server may have done the work.
func (k *call) classifyStatus(e *Error) (again, effect bool) {
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
		return false, true // a retry would get the same reply
	case http.StatusSeeOther:
		return false, true // many servers use it for "done, see there"
	}
	if e.StatusCode/100 == 5 {
		return k.repeatable(), true
	}
	return false, e.StatusCode >= 600 || e.StatusCode < 200 // 101: the result follows in another protocol
}

// classifyLost is the table of retries for attempts without a reply.
func (k *call) classifyLost(rep *reply) (failed *Error, again, effect bool) {
	failed = &Error{cause: k.lostBy(rep.err)}
	switch {
	case !rep.left && badCertificate(rep.err):
		failed.Message = messageCertificate
		failed.permanent, rep.unsent = true, true
		return failed, false, false
	case rep.unsent || !rep.left && neverConnected(rep.err): // if some of it left, the failed dial was a transport's second try
		failed.Message, rep.unsent = messageNoConnection, true
		return failed, true, false
	case ended(k.ctx):
		failed.Message = messageCancelled
		return failed, false, true
	}
	failed.Message = messageNoReply
	return failed, k.repeatable(), true
}

// repeatable reports whether the client may retry the call after an attempt
// that may have taken effect.
func (k *call) repeatable() bool { return !k.atMostOnce && repeatable(k.method, k.path) }

// repeatable reports whether a call is safe to send twice: it reads, it sets or
// deletes a resource by id, or it creates a contact, whose email is unique.
func repeatable(method, path string) bool {
	switch method {
	case http.MethodGet, http.MethodPatch, http.MethodDelete:
		return true
	}
	return method == http.MethodPost && path == routeContacts
}
